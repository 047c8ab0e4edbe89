#!/usr/bin/python3
"""Wheels that are large, or come many at a time: how much of the master's memory they take, that each is on the site as it was
sent, also when file_juggler is swapped meanwhile, and that a slave with small builds gets through beside them.

TEST-TIMEOUT: 420
TEST-LOAD: heavy
"""

import sys

import load as loads
from load import farms
import score
from score import check

ONE_MB, TWENTY_MB = 16, 200  # of memory, at most: for a transfer, and for twenty at a time


class Memory:
    """The most that the master has resident from now on, beyond what it has now."""

    def __init__(self, farm):
        self.pid = farm.master.pid
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
        self.before = self.read("VmRSS")

    def read(self, name):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1024

    def most_mb(self):
        return self.read("VmHWM") - self.before


def load(farm, name, *options, **more):
    return loads.Load(farm, "--files", "1", "--patience", "120s", *options, name=name, **more)


def finish(name, running, wanted):
    """Its builds, by what was sent; and that the master did nothing wrong."""
    figures = running.finish(240)
    ended, twice = running.ended()
    wrong = running.complaints() or twice or (running.process.popen.returncode != 0 and "its exit code")
    check(f"{name}: {wanted} builds, all answered as they should be", not wrong and figures["builds"] >= wanted, wrong or figures)
    return ended


def takes_memory(farm):
    ended = finish("a first small one", load(farm, "first", "--slaves", "1", "--builds", "1"), 1)
    for name, limit, size, count in (("a wheel of 200 MB", ONE_MB, "200M", 1), ("twenty of 20 MB at a time", TWENTY_MB, "20M", 20)):
        memory = Memory(farm)
        ended |= finish(name, load(farm, f"memory{count}", "--slaves", str(count), "--builds", str(count), "--file-size", size), count)
        if farms.SANITIZED:
            score.skip(f"{name}: memory", "a sanitized program takes more")
        else:
            check(f"{name}: at most {limit} MB of memory", memory.most_mb() <= limit, f"{memory.most_mb():.1f} MB")
    return ended


def beside_others(farm):
    """Two large ones again and again, a quick slave beside them, and swaps in the middle of both."""
    large = load(farm, "large", "--slaves", "2", "--builds", "6", "--file-size", "30M")
    quick = load(farm, "quick", "--slaves", "1", "--builds", "60", "--fail-percent", "50", "--swap-every", "200ms", swaps=10, tasks=["file_juggler"])
    ended = finish("a quick slave beside two large transfers", quick, 1)
    return ended | finish("two large transfers beside a quick slave", large, 6)


def main():
    with farms.Farm() as farm:
        loads.start(farm, 30, 30)
        ended = takes_memory(farm)
        ended |= beside_others(farm)
        found = loads.differences(farm, ended)
        check("each file is recorded and on the site as it was sent", not found, found[:5])
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
