#!/usr/bin/python3
"""The clock of the whole machine jumps a day forth, back, and back once more, while slaves build; the master, slaves and the
database are stopped (SIGSTOP) and go on when five minutes have passed by their clocks. Builds go on, nothing is lost or
there twice, and no task takes the pause for its own fault.

The clocks are moved by test/preload/clock.c in the farm's programs: five minutes take three seconds.

TEST-TIMEOUT: 400
"""

import os
import re
import signal
import struct
import sys
import time

import machine
import score
from machine import farms, loads
from score import check

DAY = 86400
PAUSE = 300  # seconds by the farm's clocks
STOPPED = 3  # and by ours: long enough that what others wait for is really late
BUILDS = 60  # that end after each jump and each pause
FAULTS = re.compile(r"dead letter|without an answer|is restarted|given up")


class Clocks(farms.Farm):
    """Every program has its clocks from a file."""

    def __init__(self):
        super().__init__()
        self.day = self.up = 0
        self.clock = self.library = None

    def prepare(self):
        super().prepare()
        self.library, self.clock = machine.preload(self, "clock"), self.dir / "clock"
        self.clock.write_bytes(bytes(16))
        self.clock.chmod(0o644)
        self.env.update(PIW_CLOCK=str(self.clock), LD_PRELOAD=str(self.library))

    def shift(self, day=0, up=0):
        self.day, self.up = self.day + day, self.up + up
        with open(self.clock, "r+b", buffering=0) as file:
            file.write(struct.pack("=qq", self.day, self.up))


def go_on(farm, load, name):
    before = load.built()
    load.wait_built(before + BUILDS, 120)
    check(f"clock.{name}: builds go on", load.process.running() and load.built() >= before + BUILDS, load.complaints()[-3:])


def test_jumps(farm, load):
    for name, seconds in (("a day forth", DAY), ("a day back", -DAY), ("another day back", -DAY), ("forth again", DAY)):
        farm.shift(day=seconds)
        go_on(farm, load, name)


def tree(pid):
    """A process and its children."""
    children = [int(child) for task in os.listdir(f"/proc/{pid}/task")
                for child in open(f"/proc/{pid}/task/{task}/children", encoding="ascii").read().split()]
    return [pid, *children]


def pause(farm, process):
    pids = tree(process.pid)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(STOPPED)
    farm.shift(day=PAUSE, up=PAUSE)
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)


def ended_well(farm, load):
    """What the slaves were told is recorded, once."""
    ended, twice = load.ended()
    recorded = {(package, version): (status, count) for package, version, status, count in farm.rows(
        "SELECT package, version, bool_and(status), count(*) FROM builds GROUP BY 1, 2")}
    wrong = [(build, how, recorded.get(build)) for build, (how, _) in ended.items()
             if recorded.get(build) != ("t" if how == "good" else "f", "1")]
    return twice + wrong


def test_pauses(farm):
    postgres = next(process for process in farm.processes if process.name == "postgres")
    stopped = []
    for name, process in (("the master", farm.master), ("the database", postgres), ("all slaves", None)):
        load = loads.Load(farm, "--slaves", "10", "--rate", "40", "--patience", "20m", name=f"load{len(stopped)}")
        load.wait_built(20)
        start = len(farm.master.text())
        pause(farm, process or load.process)
        after = loads.Load(farm, "--slaves", "10", "--builds", str(BUILDS), name=f"after{len(stopped)}")
        figures = after.finish(120)
        check(f"clock.{name} stopped for five minutes: builds go on", figures.get("builds") == BUILDS,
              (figures, after.complaints()[-3:]))
        if process is farm.master:
            text = farm.master.text()[start:]
            check("clock.no slave is blamed for the master's pause", "silent for longer" not in text and "stood still" in text,
                  text[-500:])
        load.process.popen.send_signal(signal.SIGTERM)
        farm.wait("the end of the load", lambda one=load: not one.process.running(), 120)
        farm.forget(load.process)
        stopped += [load, after]
    machine.settled(farm, 60)
    wrong = [text for load in stopped for text in ended_well(farm, load)]
    check("clock.what slaves were told is recorded once", not wrong, wrong[:10])


def main():
    with Clocks() as farm:
        try:
            loads.start(farm, 500, 20)
            load = loads.Load(farm, "--slaves", "10", "--rate", "40", "--fail-percent", "10", "--patience", "20m")
            load.wait_built(20)
            test_jumps(farm, load)
            load.process.popen.send_signal(signal.SIGTERM)
            figures = load.finish(120)
            check("clock.no slave has a complaint", figures.get("violations") == 0, load.complaints()[-5:])
            ended, twice = load.ended()
            check("clock.no version is built twice", not twice, twice[:5])
            loads.wait_recorded(farm, len(ended))
            wrong = loads.differences(farm, ended)
            check(f"clock.{len(ended)} builds are recorded as they were answered", not wrong, wrong[:5])
            test_pauses(farm)
            machine.check_farm(farm, "clock")
            said = [line for line in farm.master.text().splitlines() if FAULTS.search(line)]
            check("clock.no task has died", farm.master.running() and not said, said[:5])
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
