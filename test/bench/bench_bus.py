#!/usr/bin/python3
"""How many messages a second go from actor to actor, beside ZeroMQ and bare lists: bench_bus.c, which says what is measured.
Against a revision its own bench_bus runs in turn with ours.

test/bench/bench_bus.py [tiny] [--against BUILD]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO.
"""

import pathlib
import subprocess
import sys

import rig

SCALES = {"": 3, "tiny": 1}  # runs of each
BOUND_S = 600


def run(build, scale):
    """Lines by name, as they were printed."""
    out = subprocess.run([pathlib.Path(build) / "bench" / "bench_bus", *([scale] if scale else [])], stdout=subprocess.PIPE, text=True,
                         timeout=BOUND_S, check=True).stdout
    return {text.split("\t")[0]: text.split("\t") for text in out.splitlines()}


def main():
    args = rig.arguments(__doc__, SCALES)
    if not args.against:
        return subprocess.run([rig.PROGRAMS / "bench_bus", *([args.scale] if args.scale else [])], check=False).returncode
    pairs = [(run(rig.farms.BUILD, args.scale), run(args.against, args.scale)) for _ in range(SCALES[args.scale])]
    for name, words in pairs[0][0].items():
        print("\t".join(words))
        ratios = [float(ours[name][1]) / float(theirs[name][1]) for ours, theirs in pairs if name in theirs]
        if name.startswith("bus_") and ratios:
            rig.line(f"{name}_against", rig.middle(ratios), "times that")
    return 0


if __name__ == "__main__":
    sys.exit(main())
