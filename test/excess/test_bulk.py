#!/usr/bin/python3
"""Bulk work gives way to builds: while the pages of all packages are written anew one slave keeps its rate, which has no bound but the
farm. A package that is asked for meanwhile isn't held up, and when the builds are over the rest is written.

The rate is compared with those just before and just after, so that a busy machine doesn't decide; where it did all the same they are
measured again.

TEST-TIMEOUT: 600
TEST-LOAD: heavy
TEST-NEEDS: plain
"""

# pylint: disable=wrong-import-position

import pathlib
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
WINDOW_S = 4
# Beside work that doesn't give way it is a tenth of it. What is asked here is less than `make bench BENCH=names` shows on a quiet machine.
KEPT = 0.75


def rate(farm, built, seconds):
    """Builds a second over so long at least."""
    began, before = time.monotonic(), built()
    farm.wait(f"{seconds} seconds of building", lambda: time.monotonic() - began >= seconds)
    return (built() - before) / (time.monotonic() - began)


def recorded(farm):
    return int(farm.value("SELECT count(*) FROM builds"))


def written(farm):
    return sum(1 for _ in (farm.www / "project").glob("bulk-*"))


def rebuild(farm, *what):
    return [*farm.drop, farm.program("piw-rebuild"), "-c", str(farm.configuration()), "--import-queue", farm.socket("import"), "--yes", *what]


def test_rate_is_kept(farm):
    farm.psql(f"INSERT INTO packages (package) SELECT 'bulk-' || n FROM generate_series(1, {PACKAGES}) n;"
              f"INSERT INTO package_names (package, name) SELECT 'bulk-' || n, 'bulk-' || n FROM generate_series(1, {PACKAGES}) n")
    slave = load.Load(farm, "--slaves", "1", "--fail-percent", "100", "--busy", "0", name="slave")
    slave.wait_built(200)
    share = 0
    for _ in range(TRIES):
        before = rate(farm, lambda: recorded(farm), WINDOW_S)
        # pylint: disable-next=consider-using-with
        waits = subprocess.Popen(rebuild(farm, "--wait", "project"), env=farm.env, cwd=farm.dir, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        farm.wait("the first pages", lambda: written(farm) > 0)
        pages = written(farm)
        meanwhile = rate(farm, lambda: recorded(farm), WINDOW_S)
        pages = written(farm) - pages
        share = max(share, meanwhile / before)
        print(f"# {before:.0f} builds a second before, {meanwhile:.0f} meanwhile beside {pages} packages", flush=True)
        if share >= KEPT:
            break
        waits.kill()
        waits.wait()
    check("the slave keeps its rate", share >= KEPT, f"at {share:.2f} of it")
    check("pages are written meanwhile", pages > 0)
    began = time.monotonic()
    farm.run(rebuild(farm, "project", f"bulk-{PACKAGES}")[len(farm.drop):])
    print(f"# the page of one package: {time.monotonic() - began:.2f} s", flush=True)
    check("a package that is asked for doesn't wait for the others",
          (farm.www / "project" / f"bulk-{PACKAGES}" / "index.html").exists() and waits.poll() is None)
    farm.stop_process(slave.process)
    said = waits.communicate(timeout=300 * farms.PATIENCE)[0]
    equal("the rest is written when the builds are over", (waits.returncode, written(farm)), (0, PACKAGES))
    check("it is said", "they are written" in said, said)
    equal("the slave saw nothing wrong", slave.figures().get("violations"), 0)


def main():
    with farms.Farm() as farm:
        load.start(farm, VERSIONS, 1)
        return score.run([test_rate_is_kept], farm)


if __name__ == "__main__":
    sys.exit(main())
