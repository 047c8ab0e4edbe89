#!/usr/bin/python3
"""Builds with one small wheel, which lie in the journal until they are published, while file_juggler is swapped and begins anew alone, and
while the master is killed: each is recorded once and lies in its place whole. One that the machine cut short before it reached the disk is whole
again after the next start, also when PyPI has quarantined its package meanwhile.

TEST-TIMEOUT: 420
"""

import hashlib
import os
import sys

import load as loads
import machine
import score
from load import farms
from score import check, equal
from test_leftovers import LeftFarm, add, naming, wheel
from test_quarantine_left import check_hidden, check_shown, quarantine

SLAVES, BUILDS = 20, 300


def ctl(farm, *words):
    return farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), *words])


def marks(farm):
    return [path for path in (farm.www / ".staging").glob("[0-9]*") if path.is_file()]


def folders(farm):
    return [path for path in (farm.www / ".staging").glob("[0-9]*") if path.is_dir()]


def check_load(farm, name, load):
    load.finish(180)
    builds, twice = load.ended()
    equal(f"{name}.no slave waits in vain", load.figures().get("violations"), 0)
    equal(f"{name}.builds", len(builds), BUILDS)
    check(f"{name}.none twice", not twice, twice)
    left = loads.differences(farm, builds)
    check(f"{name}.what slaves were told is so", not left, left[:5])
    farm.wait("an empty staging folder", lambda: not farm.staged())


def begin_load(farm, name):
    return loads.Load(farm, "--slaves", str(SLAVES), "--builds", str(BUILDS), "--fail-percent", "0", "--file-size", "4K", name=name)


def test_meanwhile(farm):
    load = begin_load(farm, "meanwhile")
    seen = []

    def looked(count):
        seen.extend(marks(farm))
        return load.built() >= count or not load.process.running()

    for step in range(1, 6):
        farm.wait("some builds", lambda count=step * BUILDS // 6: looked(count), 120)
        ctl(farm, *(("restart", "file_juggler") if step % 2 else ("replace", "file_juggler", "file_juggler_too.so" if step == 2 else "file_juggler.so")))
    check_load(farm, "meanwhile", load)
    check("meanwhile.marks are seen", bool(seen), "no build was seen in the journal")


def test_killed(farm):
    load = begin_load(farm, "killed")
    for step in range(1, 4):
        load.wait_built(step * BUILDS // 4, 120)
        farm.master.kill()
        farm.restart_master()
    load.finish(180)
    builds, _ = load.ended()
    left = loads.left_over(farm, 60, lambda: loads.missing(farm, builds), lambda: loads.unplaced(farm))
    check("killed.what slaves were told lies in its place", not left, left[:5])
    equal("killed.none twice", farm.value("SELECT count(*) FROM (SELECT 1 FROM builds GROUP BY package, version HAVING count(*) > 1) t"), "0")
    farm.wait("an empty staging folder", lambda: not farm.staged())


def test_stopped(farm):
    """In order: what lies there is staged, which an older master finishes too."""
    farm.psql("CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NULL; END';"
              "CREATE TRIGGER hold AFTER INSERT ON public.builds FOR EACH ROW EXECUTE FUNCTION public.hold()")
    add(farm, "piwtest-stopped", "1.0")
    farm.wait("a build that waits for its row", lambda: marks(farm))
    equal("stopped.not staged", folders(farm), [])
    farm.stop_process(farm.master)
    equal("stopped.no mark is left", marks(farm), [])
    names = sorted(path.name for folder in folders(farm) for path in folder.iterdir())
    equal("stopped.staged", names, ["log.txt.gz", "piwtest_stopped-1.0-py3-none-any.whl", "piwtest_stopped-1.0-py3-none-any.whl.metadata"])
    farm.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep';"
              "DROP FUNCTION public.hold() CASCADE")
    farm.restart_master()
    farm.wait("the wheel on its pages", lambda: len(naming(farm, "piwtest-stopped", "1.0")) >= 3)


def test_torn(farm):
    """The record is as the journal had it when nothing of it had been synced."""
    for package, hidden in (("piwtest-torn", False), ("piwtest-torn-away", True)):
        farm.stop_process(farm.master)
        farm.start_master(faults="driver.committed=kill")
        add(farm, package, "1.0")
        master = farm.master
        master.expected_end = True
        farm.wait("the master's death", lambda m=master: not m.running())
        place = wheel(farm, package, "1.0")
        check(f"{package}.lies in the journal", bool(marks(farm)) and not place.exists())
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"")
        for path in (place.parent, place):
            farm.own(path)
        if hidden:
            quarantine(farm, package)
        farm.restart_master()
        if hidden:
            check_hidden(farm, package, package)
            check_shown(farm, package, package)
        farm.wait("the wheel on its pages", lambda p=package: len(naming(farm, p, "1.0")) >= 3)
        digest = farm.value(f"SELECT filehash FROM files WHERE filename = '{place.name}'")
        equal(f"{package}.its bytes", hashlib.sha256(place.read_bytes()).hexdigest(), digest)
        check(f"{package}.metadata", os.path.exists(f"{place}.metadata"))


def with_load():
    with farms.Farm() as farm:
        farm.task_options["the_secretary"] = {"hold": "100ms"}
        try:
            loads.start(farm, 100, 20)
            for test in (test_meanwhile, test_killed):
                test(farm)
            machine.check_farm(farm, "load")
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
            farm.show_logs()
    score.stops(farm)


def main():
    with_load()
    with LeftFarm("small") as farm:
        farm.slave_options = ["--sandbox", "no"]
        farm.task_options["file_juggler"] = {"removals-every": "500ms"}
        try:
            farm.start(web=False)
            for test in (test_stopped, test_torn):
                test(farm)
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
