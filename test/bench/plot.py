"""Draws how a cost grows: an SVG of points, and of what n and n log n would have been from the first one on. Both axes are
logarithmic."""

import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 420, 80, 20, 40, 60
FONT = "font-family:sans-serif;font-size:13px"


def n_log_n(sizes, values):
    return [values[0] * size * math.log(size) / (sizes[0] * math.log(sizes[0])) for size in sizes]


def linear(sizes, values):
    return [values[0] * size / sizes[0] for size in sizes]


class Axis:
    """From a value to a place; decades have lines."""

    def __init__(self, values, begin, end):
        self.low, self.high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        self.high = max(self.high, self.low + 1)
        self.begin, self.end = begin, end

    def at(self, value):
        return self.begin + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.begin)

    def decades(self):
        return [10.0**power for power in range(self.low, self.high + 1)]


def line(points, colour, dash=""):
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{text}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'


def words(x, y, text, anchor="middle"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="{FONT}">{text}</text>'


def draw(path, title, what, unit, sizes, values):
    """`sizes` and `values` are above zero."""
    guides = {"n log n": (n_log_n(sizes, values), "#c33", "6 4"), "n": (linear(sizes, values), "#999", "2 4")}
    x = Axis(sizes, LEFT, WIDTH - RIGHT)
    y = Axis([*values, *(value for guide in guides.values() for value in guide[0])], HEIGHT - BOTTOM, TOP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"><rect width="100%" height="100%" fill="white"/>',
           words(WIDTH / 2, TOP - 16, title)]
    for value in x.decades():
        out += [line([(x.at(value), TOP), (x.at(value), HEIGHT - BOTTOM)], "#eee"), words(x.at(value), HEIGHT - BOTTOM + 18, f"{value:g}")]
    for value in y.decades():
        out += [line([(LEFT, y.at(value)), (WIDTH - RIGHT, y.at(value))], "#eee"), words(LEFT - 8, y.at(value) + 4, f"{value:g}", "end")]
    for name, (guide, colour, dash) in guides.items():
        out += [line([(x.at(size), y.at(value)) for size, value in zip(sizes, guide)], colour, dash),
                words(x.at(sizes[-1]) - 6, y.at(guide[-1]) - 6, name, "end")]
    out.append(line([(x.at(size), y.at(value)) for size, value in zip(sizes, values)], "#226"))
    out += [f'<circle cx="{x.at(size):.1f}" cy="{y.at(value):.1f}" r="4" fill="#226"/>' for size, value in zip(sizes, values)]
    out += [words((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, what), words(LEFT, TOP - 16, unit), "</svg>"]
    path.write_text("\n".join(out) + "\n", encoding="utf-8")
