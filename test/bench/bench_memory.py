#!/usr/bin/python3
"""What a connected slave costs the master in memory, above what it costs a bare ROUTER; and the most that the master has with
a thousand slaves of which one sends a wheel of 200 MB, above a bare ROUTER with a thousand.

test/bench/bench_memory.py [tiny | small] [--against BUILD]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO.
"""

import sys
import threading

import rig

SCALES = {"": (1000, 200, 3), "small": (1000, 200, 2), "tiny": (100, 10, 1)}  # slaves, MB, seconds
SLAVE_KB, ALL_MB = 8, 60
MB = 1000 * 1000
RATE = 200  # builds a second, of all slaves, beside the wheel
LOOK_S = 0.02


def each_slave(to, slaves, seconds):
    """Bytes for each slave more, each of which has had some builds. Few come first: what many had is not given back. A build a
    second each: at the highest rate most of the memory would be builds that are on their way."""
    options = ["--fail-percent", "100", "--rate", slaves]
    to.load(*rig.window_options(1, 0.5), *options)
    few = to.load(*rig.window_options(1, 0.5), *options, look=to.memory)
    many = to.load(*rig.window_options(slaves, seconds), *options, look=to.memory)
    return (many.looks[1] - few.looks[1]) / (slaves - 1)


class Peak:
    """The most memory that was seen, in bytes: what is mapped counts."""

    def __init__(self, side):
        self.side, self.most, self.over = side, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *what):
        self.over.set()
        self.thread.join()

    def watch(self):
        while not self.over.wait(LOOK_S):
            self.most = max(self.most, self.side.memory("VmRSS"))


def with_wheel(side, slaves, size, seconds):
    side.supply(2 * seconds, slaves)
    few = ["--slaves", slaves, "--fail-percent", "100", "--rate", RATE, "--duration", f"{int(2000 * seconds)}ms"]
    with Peak(side) as peak, side.meanwhile(*few):
        side.load("--slaves", 1, "--builds", 1, "--file-size", size * MB)
    side.clear()
    return peak.most


def beside(name, ours, theirs, size, unit):
    """Where either takes no more than a bare ROUTER there is nothing to divide by: then the line says how much less it is."""
    if min(ours, theirs) > 0:
        rig.line(name, theirs / ours, "times less than that")
    else:
        rig.line(name, (theirs - ours) / size, f"{unit} less than that, of which one isn't above the bare ROUTER")


def main():
    args = rig.arguments(__doc__, SCALES)
    slaves, size, seconds = SCALES[args.scale]
    with rig.sides(args.against) as found:
        with rig.Bare(found[0]) as bare:
            bare_slave = each_slave(bare, slaves, seconds)
            bare_all = bare.load(*rig.window_options(slaves, 1), "--fail-percent", "100", look=lambda: bare.memory("VmRSS")).looks[1]
        rig.line("memory_slave_bare", bare_slave / 1024, "KB")
        each, most = [], []
        for side in found:
            side.supply(3 * seconds, slaves)
            each.append(each_slave(side, slaves, seconds) - bare_slave)
            most.append(with_wheel(side, slaves, size, seconds) - bare_all)
            rig.say(f"memory {side.name}: {each[-1] / 1024:.1f} KB a slave and {most[-1] / MB:.0f} MB above a bare ROUTER")
    rig.line("memory_slave", each[0] / 1024, "KB", SLAVE_KB)
    if args.against:
        beside("memory_slave_against", each[0], each[1], 1024, "KB")
    rig.line(f"memory_{slaves}_slaves_{size}mb", most[0] / MB, "MB", ALL_MB)
    if args.against:
        beside(f"memory_{slaves}_slaves_{size}mb_against", most[0], most[1], MB, "MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
