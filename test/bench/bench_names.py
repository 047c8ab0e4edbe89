#!/usr/bin/python3
"""What many names cost: a farm whose database has 700,000 packages starts with an empty site.

names_lists: from the master's start until the root list, the lists of the search and the sitemaps are there.
names_memory: the most memory that the master had until then; beside it 64 MB and 400 bytes a name.
names_dispatch: failed builds a second of one slave while these lists are written again and again, of its rate without.
names_dispatch_pages: the same while the pages of all these packages are written, as an operator may ask for.

test/bench/bench_names.py [tiny | small]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO.
"""

import concurrent.futures
import sys
import threading
import time

import bench_pages
import rig

# Packages, turns, seconds of a window.
SCALES = {"": (700000, 3, 3), "small": (50000, 3, 3), "tiny": (3000, 1, 0.3)}
LISTS = ("search/index.json", "packages.json", "sitemap.xml", "simple/index.v1.json")
MB = 1 << 20
LISTS_S, ALONE = 30, 1
ASKED_S = 0.1  # the next round begins as the one before ends; asking has a cost of its own


def lists(side, names):
    side.stop_process(side.master)
    bench_pages.fill(side, "name-", names, 0)
    began = time.monotonic()
    side.start_master()
    root = side.www / "simple" / "index.html"
    side.wait("all lists", lambda: all((side.www / path).exists() for path in LISTS) and bench_pages.has_name(root, f"name-{names}"),
              bench_pages.PATIENCE_S)
    rig.line("names_lists", time.monotonic() - began, "s", LISTS_S)
    rig.line("names_memory", side.memory("VmHWM") / MB, "MB", 64 + names * 400 / MB)


def written(side):
    return sum(1 for _ in (side.www / "project").glob("name-*"))


def rebuild(side, *what):
    side.run([side.program("piw-rebuild"), "-c", side.configuration(), "--import-queue", side.socket("import"), "--yes", *what],
             timeout=bench_pages.PATIENCE_S)


def dispatch(side, turns, seconds):
    options = [*rig.window_options(1, seconds), "--fail-percent", "100"]
    over = threading.Event()

    def rate():
        side.supply(seconds)
        before, window = written(side), side.load(*options)
        rig.say(f"names_dispatch: beside {written(side) - before} packages {window}")
        return window.rate

    def write_lists():
        while not over.wait(ASKED_S):
            rebuild(side, "search")

    alone = rig.middle([rate() for _ in range(turns)])
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        lists_written = pool.submit(write_lists)
        beside = rig.middle([rate() for _ in range(turns)])
        over.set()
        lists_written.result()
    rig.line("names_dispatch", beside / max(alone, rig.TINY), "of its rate alone", ALONE)
    rebuild(side, "project")
    beside = rig.middle([rate() for _ in range(turns)])
    rig.line("names_dispatch_pages", beside / max(alone, rig.TINY), "of its rate alone")


def main():
    args = rig.arguments(__doc__, SCALES)
    names, turns, seconds = SCALES[args.scale]
    with rig.sides(None) as found:
        lists(found[0], names)
        dispatch(found[0], turns, seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
