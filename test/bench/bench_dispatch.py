#!/usr/bin/python3
"""Failed builds a second: HELLO once, then IDLE, BUILD, BUILT, DONE, without a pause, with so many simulated slaves. Beside it
what the machine can do: a build's two exchanges with a bare ROUTER, and the function that records builds, with its commit.

test/bench/bench_dispatch.py [tiny | small] [--against BUILD]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO.
"""

import os
import sys

import rig

SCALES = {"": ((1, 100, 1000, 5000), 5, 2), "small": ((1, 100, 1000), 3, 1), "tiny": ((1, 100), 1, 0.5)}  # slaves, turns, seconds
RATE, RATE_SLAVES, IDLE_MS = 1000, 1000, 5
GROUP_MAX = 100  # builds of a transaction


def limit(bare, side, slaves, seconds):
    """Builds a second that can't be exceeded."""
    window = bare.load(*rig.window_options(slaves, seconds / 2), "--fail-percent", "100")
    rig.say(f"dispatch_{slaves} bare: {window}")
    if slaves > 100:
        return window.rate
    side.supply(seconds, slaves)  # the last window may have taken all there was
    rate, cpu_us = side.function(seconds / 2, min(slaves, GROUP_MAX))
    rig.say(f"dispatch_{slaves} function alone: {rate:.0f} builds/s; CPU a build in us: PostgreSQL {cpu_us:.0f}")
    if slaves == 1:
        return 1 / (1 / window.rate + 1 / rate)
    return len(os.sched_getaffinity(0)) * 1e6 / (sum(window.cpu_us.values()) + cpu_us)


def dispatch(found, slaves, turns, seconds):
    generator, asleep = [], 0

    def measure(side):
        nonlocal asleep
        side.supply(seconds, slaves)
        window = side.load(*rig.window_options(slaves, seconds), "--fail-percent", "100")
        if side is found[0]:
            generator.append(window.cpu_us["generator"])
            asleep += window.figures["answers_sleep"]
        return window.rate, window

    with rig.Bare(found[0]) as bare:
        taken = rig.Turns(f"dispatch_{slaves}", "builds/s", found)
        taken.take(turns, measure, lambda _quiet: limit(bare, found[0], slaves, seconds))
    taken.report()
    rig.line(f"dispatch_{slaves}_generator", rig.middle(generator), "us of CPU a build")
    rig.line(f"dispatch_{slaves}_asleep", asleep, "IDLEs answered SLEEP though versions wait")


def idle(found, turns, seconds):
    def measure(side):
        side.supply(seconds)
        window = side.load(*rig.window_options(RATE_SLAVES, seconds), "--fail-percent", "100", "--rate", RATE)
        return window.figures["idle_p99_us"] / 1000, window

    taken = rig.Turns("idle_p99", "ms", found)
    taken.take(turns, measure, lambda _quiet: IDLE_MS)
    taken.report(better=lambda ours, theirs: theirs / max(ours, rig.TINY))


def main():
    args = rig.arguments(__doc__, SCALES)
    slaves, turns, seconds = SCALES[args.scale]
    with rig.sides(args.against) as found:
        for count in slaves:
            dispatch(found, count, turns, seconds)
        if args.scale != "tiny":
            idle(found, turns, seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
