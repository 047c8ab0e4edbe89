#!/usr/bin/python3
"""Bulk work gives way to builds: while the pages of all packages are written anew one slave keeps its rate, which has no bound but the
farm, also in the first seconds after it came; and what is inserted meanwhile is offered at once. A package that is asked for meanwhile
isn't held up, and when the builds are over the rest is written.

The rate is compared with those just before and just after, so that a busy machine doesn't decide; where it did all the same they are
measured again.

TEST-TIMEOUT: 600
TEST-LOAD: heavy
TEST-NEEDS: plain
"""

# pylint: disable=wrong-import-position

import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import farm as farms
import load
import score
from score import check, equal

VERSIONS = 60000
PACKAGES = 40000
TRIES = 3
WINDOW_S, FIRST_S = 4, 2
SLAVE = ("--slaves", "1", "--fail-percent", "100", "--busy", "0")
OFFERED_S, OFFERED_TIMES = 1, 4
# Beside work that doesn't give way it is a tenth of it. What is asked here is less than `make bench BENCH=names` shows on a quiet machine.
KEPT = 0.75


def rate(farm, built, seconds):
    """Builds a second over so long at least."""
    began, before = time.monotonic(), built()
    farm.wait(f"{seconds} seconds of building", lambda: time.monotonic() - began >= seconds)
    return (built() - before) / (time.monotonic() - began)


def first_seconds(farm, name):
    """Builds a second of a slave that comes, from its start on."""
    slave = load.Load(farm, *SLAVE, name=name)
    found = rate(farm, slave.built, FIRST_S)
    farm.stop_process(slave.process)
    equal(f"{name} saw nothing wrong", slave.figures().get("violations"), 0)
    return found


def rest(farm):
    """Until nobody builds, and what builds left is done."""
    farm.wait("nothing to be noted", lambda: farm.value("SELECT NOT EXISTS (SELECT FROM piw.dirty) AND NOT EXISTS "
                                                        "(SELECT FROM piw.dirty_later)") == "t")
    farm.wait("a second without builds", lambda: farm.value("SELECT coalesce(max(built_at) < now() AT TIME ZONE 'UTC' - interval '2 s', "
                                                            "true) FROM builds") == "t")


def recorded(farm):
    return int(farm.value("SELECT count(*) FROM builds"))


def written(farm):
    return sum(1 for _ in (farm.www / "project").glob("bulk-*"))


def rebuild(farm, *what):
    return [*farm.drop, farm.program("piw-rebuild"), "-c", str(farm.configuration()), "--import-queue", farm.socket("import"), "--yes", *what]


def test_rate_is_kept(farm):
    slave = load.Load(farm, *SLAVE, name="slave")
    slave.wait_built(200)
    share = 0
    for _ in range(TRIES):
        before = rate(farm, lambda: recorded(farm), WINDOW_S)
        # pylint: disable-next=consider-using-with
        waits = subprocess.Popen(rebuild(farm, "--wait", "project"), env=farm.env, cwd=farm.dir, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        pages = written(farm)
        farm.wait("the first pages of the rebuild", lambda: written(farm) > pages)
        first = written(farm)
        meanwhile = rate(farm, lambda: recorded(farm), WINDOW_S)
        print(f"# {before:.0f} builds a second before, {meanwhile:.0f} meanwhile beside {written(farm) - first} packages", flush=True)
        share = max(share, meanwhile / before)
        if share >= KEPT:
            break
        waits.kill()
        waits.wait()
    check("the slave keeps its rate", share >= KEPT, f"at {share:.2f} of it")
    check("pages are written meanwhile", farm.wait("further pages", lambda: written(farm) > first))
    began = time.monotonic()
    farm.run(rebuild(farm, "project", f"bulk-{PACKAGES}")[len(farm.drop):])
    print(f"# the page of one package: {time.monotonic() - began:.2f} s", flush=True)
    check("a package that is asked for doesn't wait for the others",
          (farm.www / "project" / f"bulk-{PACKAGES}" / "index.html").exists() and waits.poll() is None)
    farm.stop_process(slave.process)
    farm.wait("the rest, when the builds are over", lambda: written(farm) == PACKAGES, 300)
    check("what is held isn't written with them, and is waited for", waits.poll() is None)
    waits.kill()
    waits.wait()
    waits.stdout.close()
    equal("the slave saw nothing wrong", slave.figures().get("violations"), 0)


def done(farm):
    """Packages of the rebuild so far, to the last hundred; 0: it doesn't run."""
    said = farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), "info", "the_secretary"]).stdout
    found = re.search(r"all pages are written anew: (\d+) of", said)
    return int(found.group(1)) if found else 0


def begin_rebuild(farm):
    """At full speed, since nobody builds."""
    farm.run(rebuild(farm, "project")[len(farm.drop):])
    farm.wait("the first pages", lambda: 0 < done(farm) < PACKAGES / 2)


def test_first_seconds_are_kept(farm):
    """The rebuild began without builds, and those of the time before are held by the_secretary still."""
    share = 0
    for turn in range(TRIES):
        before = first_seconds(farm, f"alone-{turn}")
        rest(farm)
        begin_rebuild(farm)
        pages = done(farm)
        meanwhile = first_seconds(farm, f"beside-{turn}")
        pages = done(farm) - pages
        share = max(share, meanwhile / before)
        print(f"# the first {FIRST_S} s: {before:.0f} builds a second alone, {meanwhile:.0f} beside {pages} packages", flush=True)
        rest(farm)
        if share >= KEPT:
            break
    check("a slave that comes keeps its rate from the first", share >= KEPT, f"at {share:.2f} of it")


def offered(farm, name):
    """From an INSERT until a slave that has waited has built one of its versions."""
    began = time.monotonic()
    load.fill(farm, 1, 50, name)
    farm.wait("a build of it", lambda: farm.value(f"SELECT EXISTS (SELECT FROM builds WHERE package = '{name}-1')") == "t")
    return time.monotonic() - began


def test_offered_at_once(farm):
    """All that waited has been deleted, and nobody builds."""
    farm.psql("DELETE FROM packages WHERE package LIKE 'load-%'")
    rest(farm)
    farm.psql("VACUUM ANALYZE piw.queue")
    slave = load.Load(farm, *SLAVE, name="waits")
    alone = min(offered(farm, f"alone{turn}") for turn in range(TRIES))
    beside = []
    for turn in range(TRIES):
        rest(farm)
        begin_rebuild(farm)
        before = done(farm)
        beside.append(offered(farm, f"beside{turn}"))
        print(f"# from INSERT to a build: {alone:.2f} s alone, {beside[-1]:.2f} s beside a rebuild, at {before} and {done(farm)} of {PACKAGES} "
              "packages", flush=True)
    check("what is inserted is offered at once", min(beside) <= OFFERED_S + OFFERED_TIMES * alone, f"after {beside} s, alone {alone:.2f}")
    farm.stop_process(slave.process)
    equal("the slave saw nothing wrong", slave.figures().get("violations"), 0)


def main():
    with farms.Farm() as farm:
        farm.task_options["the_secretary"]["hold"] = "1h"  # what builds ask for isn't written meanwhile
        load.start(farm, VERSIONS // 50, 50)
        farm.psql(f"INSERT INTO packages (package) SELECT 'bulk-' || n FROM generate_series(1, {PACKAGES}) n;"
                  f"INSERT INTO package_names (package, name) SELECT 'bulk-' || n, 'bulk-' || n FROM generate_series(1, {PACKAGES}) n")
        return score.run([test_rate_is_kept, test_first_seconds_are_kept, test_offered_at_once], farm)


if __name__ == "__main__":
    sys.exit(main())
