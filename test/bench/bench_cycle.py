#!/usr/bin/python3
"""Good builds a second: IDLE, BUILD, BUILT, a wheel of 4 KB over the file queue, SENT, DONE, without a pause; the wheel is on the
disk and in the database before DONE. Beside it files of that size written, synced and renamed, as many at once as there
are slaves.

test/bench/bench_cycle.py [tiny | small] [--against BUILD]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO.
"""

import sys

import rig

SCALES = {"": ((1, 50), 5, 2), "small": ((1, 50), 3, 1), "tiny": ((1, 50), 1, 0.5)}  # slaves, turns, seconds
WHEEL = 4096


def cycle(found, slaves, turns, seconds):
    generator = []

    def measure(side):
        side.supply(seconds)
        window = side.load(*rig.window_options(slaves, seconds), "--file-size", WHEEL)
        if side is found[0]:
            generator.append(window.cpu_us["generator"])
        return window.rate, window

    taken = rig.Turns(f"cycle_{slaves}", "builds/s", found)
    taken.take(turns, measure, lambda: found[0].sync(seconds / 2, slaves, WHEEL))
    taken.report()
    rig.line(f"cycle_{slaves}_generator", rig.middle(generator), "us of CPU a build")


def main():
    args = rig.arguments(__doc__, SCALES)
    slaves, turns, seconds = SCALES[args.scale]
    with rig.sides(args.against) as found:
        for count in slaves:
            cycle(found, count, turns, seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
