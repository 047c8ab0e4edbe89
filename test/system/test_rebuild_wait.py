#!/usr/bin/python3
"""piw-rebuild --wait waits until the last page is written, also when the_secretary is swapped meanwhile.

TEST-TIMEOUT: 300
"""

import json
import subprocess
import sys

import farm as farms
import load
import score
from score import check, equal

PACKAGES = 150  # more than the_secretary hands on at once, fewer than it asks the database for


def ctl(farm, *words):
    return farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), "--json", *words]).stdout


def pages(farm):
    return sum(1 for number in range(1, PACKAGES + 1) if (farm.www / "project" / f"load-{number}" / "index.html").exists())


def row(farm, task):
    return next(row for row in json.loads(ctl(farm, "list"))["tasks"] if row["task"] == task)


def handled_looks(farm):
    """What mr_chase has had to do: two messages for each look of piw-rebuild."""
    return row(farm, "mr_chase")["handled"]


def test_swap_meanwhile(farm):
    ctl(farm, "hold", "the_scribe")
    # pylint: disable-next=consider-using-with
    rebuild = subprocess.Popen([*farm.drop, farm.program("piw-rebuild"), "-c", str(farm.configuration()), "--import-queue",
                                farm.socket("import"), "--yes", "--wait", "project"], env=farm.env, cwd=farm.dir,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    farm.wait("the packages to be asked for", lambda: row(farm, "the_scribe")["mailbox"] >= 32)
    ctl(farm, "reload", "the_secretary")
    looked = handled_looks(farm)
    farm.wait("two looks of piw-rebuild at the new one", lambda: handled_looks(farm) >= looked + 6 or rebuild.poll() is not None)
    check("it waits on after a swap", rebuild.poll() is None, f"it ended with {rebuild.returncode}, {pages(farm)} packages have pages")
    ctl(farm, "release", "the_scribe")
    said = rebuild.communicate(timeout=120 * farms.PATIENCE)
    equal("it ends well", rebuild.returncode, 0)
    equal("all pages are there at its end", pages(farm), PACKAGES)
    check("it says so", "they are written" in said[0], said)


def main():
    with farms.Farm() as farm:
        load.start(farm, PACKAGES, 1)
        return score.run([test_swap_meanwhile], farm)


if __name__ == "__main__":
    sys.exit(main())
