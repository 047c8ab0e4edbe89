#!/usr/bin/python3
"""The clock of the whole machine jumps a day forth, back, and back once more, while slaves build; the master, slaves and the
database are stopped (SIGSTOP) and go on when five minutes have passed by their clocks. Builds go on, nothing is lost or
there twice, and no task takes the pause for its own fault.

The clocks are moved by test/preload/clock.c in the farm's programs: five minutes take three seconds.

TEST-TIMEOUT: 400
"""

import re
import signal
import struct
import sys
import time

import machine
import pauses
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


def pause(farm):
    """What passes while a process is stopped."""
    time.sleep(STOPPED)
    farm.shift(day=PAUSE, up=PAUSE)


def main():
    with Clocks() as farm:
        try:
            loads.start(farm, 500, 20)
            load = loads.Load(farm, "--slaves", "10", "--rate", "40", "--fail-percent", "10", *loads.MIXED, "--patience", "20m")
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
            pauses.check_all(farm, "clock", lambda: pause(farm))
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
