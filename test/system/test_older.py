#!/usr/bin/python3
"""A farm of an earlier revision is killed in the middle of a load of small builds, of larger ones, of some with two wheels and of failed ones; today's
programs go on with its database and its site: every DONE has its row, every row its files, whole, nothing stays on its way. Then its file_juggler takes over from today's and gives back, several times, under load.

PIW_OLDER in the environment names the build of the earlier revision, as build/against/REVISION/build/plain, which `make bench AGAINST=REVISION`
leaves; without one there is nothing to be tried.

TEST-TIMEOUT: 300
TEST-LOAD: heavy
"""

import os
import pathlib
import shutil
import signal
import sys

import load as loads
import machine
import score
import test_kill_unsynced
from load import farms
from score import check

SLAVES, BUILDS = 20, 100
SWAPS, BUILDS_BETWEEN = 4, 15


def replace_programs(farm):
    """Today's, in the place of those."""
    shutil.rmtree(farm.dir / "inst")
    farm.build = farms.BUILD
    farm.prepare()


def left(farm):
    """How many builds are staged, how many lie in the journal with their wheels, and how long that is: short logs lie there as well."""
    staging = [path for path in (farm.www / ".staging").iterdir() if path.name.isdigit()]
    return (sum(path.is_dir() for path in staging), sum(path.is_file() for path in staging),
            sum(path.stat().st_size for path in (farm.www / ".staging").glob("journal.*")))


def upgrade(farm):
    loads.start(farm, 1000, 4)
    load = loads.Load(farm, "--slaves", str(SLAVES), "--fail-percent", "30", *loads.MIXED)
    load.wait_built(BUILDS, 120)
    farm.master.kill()
    farm.forget(farm.master)
    load.process.kill()
    farm.forget(load.process)
    ended, _ = load.ended()
    staged, noted, size = left(farm)
    check(f"upgraded: {staged} builds were staged, {noted} lay in a journal of {size} bytes", staged + noted > 0)
    replace_programs(farm)
    farm.run([farm.program("piw-initdb"), "-c", farm.configuration(), "-d", farm.dsn("postgres"), "-u", "piwheels", "-y"])
    farm.start_master()
    test_kill_unsynced.check_site(farm, "upgraded", ended, set())
    machine.check_farm(farm, "upgraded")
    load = loads.Load(farm, "--slaves", str(SLAVES), "--builds", "100", *loads.MIXED, name="load-after")
    load.finish(120)
    built, wrong = len(load.ended()[0]), machine.settled(farm)
    check("upgraded: it builds 100 more", built == 100 and not wrong, (built, wrong[:5]))


def replace(farm, file):
    done = farm.run([farm.program("piw-ctl"), "--admin-queue", farm.socket("admin"), "replace", "file_juggler", file], check=False)
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def swap(farm, older):
    """That file_juggler takes over from today's, and gives back, under load: what today's has written it reads, or it is refused."""
    shutil.copy(pathlib.Path(older) / "plugins" / "file_juggler.so", farm.dir / "inst" / "plugins" / "older.so")
    (farm.dir / "inst" / "plugins" / "older.so").chmod(0o644)
    load = loads.Load(farm, "--slaves", str(SLAVES), "--fail-percent", "30", "--rate", "40", *loads.MIXED, name="load-swapped")
    said = []
    for file in ("older.so", "file_juggler.so") * SWAPS:
        began = load.built()
        load.wait_built(began + BUILDS_BETWEEN)
        said.append(replace(farm, file))
    load.process.popen.send_signal(signal.SIGTERM)
    load.finish(120)
    print(f"# swapped in: {said[0][1]}")
    check("swapped: today's comes back each time", all(good for good, _ in said[1::2]), said)
    check("swapped: the older one comes in each time, or never", len({good for good, _ in said[::2]}) == 1, said)
    ended, twice = load.ended()
    left = loads.left_over(farm, 60, lambda: loads.missing(farm, ended))
    check("swapped: what was promised is there", ended and not twice and not left, (twice[:3], left[:3]))
    machine.check_farm(farm, "swapped")


def main():
    older = os.environ.get("PIW_OLDER")
    if not older:
        score.skip("upgraded", "PIW_OLDER names no build of an earlier revision")
        return 0
    with farms.Farm(build=older) as farm:
        try:
            upgrade(farm)
            swap(farm, older)
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
