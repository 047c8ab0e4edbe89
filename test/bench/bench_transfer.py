#!/usr/bin/python3
"""Wheels of 200 MB and four of 100 MB at once, from BUILT to DONE; and how fast another slave's failed builds are recorded
meanwhile, as a part of its own rate without. Beside it a bare ROUTER that writes the pieces where they belong, hashes and
syncs them, and asks for as large ones, as many at a time, as this build does.

test/bench/bench_transfer.py [tiny | small] [--against BUILD]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO.
"""

import sys

import rig

SCALES = {"": (200, 100, 5, 3), "small": (50, 25, 3, 2), "tiny": (5, 5, 1, 1)}  # MB: of the one, of the four; turns, seconds
MB = 1000 * 1000


def speed(window):
    return window.figures["bytes"] / window.figures["first_built_to_last_done_s"] / MB


def transfer(name, found, slaves, size, turns):
    options = ["--slaves", slaves, "--builds", slaves, "--file-size", size * MB]
    asked = {}

    def measure(side):
        side.supply(1)
        window = side.load(*options)
        side.clear()
        if side is found[0]:
            asked.update({key: int(window.figures[key]) for key in ("piece_max", "pieces_at_once")})
        rig.say(f"{name} {side.name}: {speed(window):.0f} MB/s, at most {window.figures['pieces_at_once']:.0f} pieces of "
                f"{window.figures['piece_max']:.0f} bytes at once; the generator took "
                f"{window.cpu_us['generator'] * window.figures['builds'] * 1000 / window.figures['bytes']:.2f} ns a byte")
        return speed(window), window

    def limit(_quiet):
        with rig.Bare(found[0], asked["piece_max"], asked["pieces_at_once"]) as bare:
            return speed(bare.load(*options))

    taken = rig.Turns(name, "MB/s", found)
    taken.take(turns, measure, limit)
    taken.report()


def other_slave(found, size, turns, seconds):
    """One slave sends wheel after wheel; another's builds fail."""
    speeds = rig.Turns("transfer_meanwhile", "MB/s", found)
    small = [*rig.window_options(1, seconds), "--fail-percent", "100"]
    large = [*rig.window_options(1, seconds + 1), "--file-size", size * MB]
    sent = {}

    def measure(side):
        side.supply(3 * seconds)
        alone = side.load(*small)
        with side.meanwhile(*large) as other:
            beside = side.load(*small)
        side.clear()
        sent[side.name] = other[0].figures["bytes"] / other[0].figures["built_to_done_s"] / MB
        rig.say(f"transfer_other_slave {side.name}: {alone.rate:.0f} builds/s alone, {beside.rate:.0f} beside a transfer of "
                f"{sent[side.name]:.0f} MB/s")
        return beside.rate / max(alone.rate, 0.1), alone  # what an fdatasync takes beside the transfer is of what is measured

    def note(quiet):
        speeds.add(quiet, [sent[side.name] for side in found])
        return 1

    parts = rig.Turns("transfer_other_slave", "of its rate alone", found)
    parts.take(turns, measure, note)
    parts.report()
    speeds.report()


def main():
    args = rig.arguments(__doc__, SCALES)
    one, four, turns, seconds = SCALES[args.scale]
    with rig.sides(args.against) as found:
        transfer("transfer_200mb", found, 1, one, turns)
        transfer("transfer_4x100mb", found, 4, four, turns)
        other_slave(found, one, turns, seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
