#!/usr/bin/python3
"""The master, the database and all slaves are stopped (SIGSTOP) for five minutes each, or MINUTES (environment), and go on: nothing
is lost or there twice. What others do meanwhile needs the time itself: heartbeats that stay unanswered end connections, builds
are sealed, or offered again.

TEST-TIMEOUT: 2400
TEST-NEEDS: plain
"""

import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

# pylint: disable=wrong-import-position
import machine
import pauses
import score
from machine import check, farms, loads

STOPPED_S = 60 * float(os.environ.get("MINUTES") or 5)
PACKAGES, VERSIONS = 500, 20


def main():
    with farms.Farm() as farm:
        try:
            loads.start(farm, PACKAGES, VERSIONS)
            pauses.check_all(farm, "stopped", lambda: time.sleep(STOPPED_S))
            machine.check_farm(farm, "stopped", 300)
            check("stopped.the master runs", farm.master.running())
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
