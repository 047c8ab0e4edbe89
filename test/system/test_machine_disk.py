#!/usr/bin/python3
"""The disk of the site is full to the last byte while slaves build one small wheel, a larger one, or two, then the database's, then both: nothing half is left, what was
answered is recorded and in place once there is room again, nothing is there twice; a master starts on a full disk though its journal ends
torn. Needs root, who may mount small file systems.

TEST-TIMEOUT: 400
TEST-LOAD: heavy
"""

import collections
import os
import re
import signal
import sys
import time

import machine
import score
from machine import farms, loads
from score import check

BUILDS = 30  # that end after each
LINES = 6    # of one kind within a minute that are told (core/base/outage.c): it may be full for one build and have room for the next


def postgres(farm):
    return next(process for process in farm.processes if process.name == "postgres")


def answers(farm):
    try:
        return farm.value("SELECT 1") == "1"
    except farms.Failure:
        return False


def says(farm, start, full):
    """The log has what the full disk did: words of the site's, or of the database's."""
    text = farm.master.text()[start:]
    return all(word in text for word in (["No space left"] if "www" in full else []) + ([" is sealed"] if full == ["pg"] else []))


def check_quiet(name, text, seconds):
    """What can't be done is tried again and again, by each build; the log doesn't tell of each try. The first of its minutes, by which it
    counts, may have begun earlier."""
    most = LINES * (2 + int(seconds) // 60)
    lines = collections.Counter(re.sub(r"[0-9a-f]{6,}|\d+|\S*/\S*", "N", line) for line in text.splitlines()
                                if re.match(r"(warning|error): ", line) and " is sealed" not in line)
    often = {line: count for line, count in lines.items() if count > most}
    check(f"{name}: the log tells of it now and then", not often, f"{often}, in {seconds:.0f} s")


def fill(farm, full):
    start, began = len(farm.master.text()), time.monotonic()
    for name in full:
        machine.fill_disk(farm.dir / name / "ballast")
    farm.wait("the log to say so", lambda: says(farm, start, full), 90)
    for name in full:
        (farm.dir / name / "ballast").unlink()
    if not postgres(farm).running():  # it gives up when it can't write its log
        farm.forget(postgres(farm))
        farm.start_postgres()
    farm.wait("the server", lambda: answers(farm))
    check_quiet(f"full.{' and '.join(full)}", farm.master.text()[start:], time.monotonic() - began)


def journals(farm):
    return sorted((farm.www / ".staging").glob("journal.[0-9]*"))


def test_torn(farm):
    """The master was killed while it began the journal's next file, and there is no room for another one."""
    farm.master.expected_end = True
    farm.master.kill()
    farm.forget(farm.master)
    last = journals(farm)[-1]
    torn = last.with_name(f"journal.{int(last.name.split('.')[1]) + 1:012}")
    torn.write_bytes(last.read_bytes()[:7])
    os.chown(torn, last.stat().st_uid, last.stat().st_gid)
    ballast = farm.dir / "www" / "ballast"
    machine.fill_disk(ballast)
    farm.start_master()
    farm.wait_log(farm.master, "builds have to wait until there is room on the disk")
    check("torn.the master starts all the same, and says why builds wait", "No space left on device" in farm.master.text(),
          farm.master.text()[-300:])
    check("torn.nothing of the journal is removed meanwhile", torn in journals(farm) and last in journals(farm), journals(farm))
    ballast.unlink()
    load = loads.Load(farm, "--rate", "40", *loads.MIXED, name="torn")
    load.wait_built(BUILDS, 120)
    load.process.popen.send_signal(signal.SIGTERM)
    load.finish(120)
    check("torn.builds go on once there is room", load.built() >= BUILDS, load.complaints()[-3:])
    check("torn.the journal is one file again", farm.wait("it", lambda: len(journals(farm)) == 1), journals(farm))
    machine.check_farm(farm, "torn", 180)


def test_full(farm):
    load = loads.Load(farm, "--fail-percent", "10", "--rate", "40", *loads.MIXED)
    load.wait_built(20)
    for full in (["www"], ["pg"], ["www", "pg"]):
        fill(farm, full)
        began = load.built()
        load.wait_built(began + BUILDS, 120)
        check(f"full.{' and '.join(full)}: builds go on", load.process.running() and load.built() >= began + BUILDS,
              load.complaints()[-3:])
    load.process.popen.send_signal(signal.SIGTERM)
    load.finish(120)
    ended, twice = load.ended()
    check("full.no version is built twice", not twice, twice[:5])
    loads.wait_recorded(farm, len(ended))
    wrong = loads.differences(farm, ended)
    check(f"full.{len(ended)} builds are recorded as they were answered", not wrong, wrong[:5])
    machine.check_farm(farm, "full", 180)
    check("full.builds of each kind", not loads.missing_kinds(farm), loads.missing_kinds(farm))
    check("full.the master has lived through it", farm.master.running(), farm.master.popen.returncode)


def main():
    machine.own_mounts()
    with farms.Farm() as farm:
        if not (machine.small_disk(farm, "pg", "160m", 0o700) and machine.small_disk(farm, "www", "64m", 0o755)):
            print("skip full.disks - no file system can be mounted here", flush=True)
            return 0
        farm.task_options["slave_driver"] = {"seal-after": "2s"}
        farm.task_options["big_brother"] = {"disk-floor": "1M"}  # the farm rests when it is full, not before
        try:
            loads.start(farm, 300, 20)
            test_full(farm)
            test_torn(farm)
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
