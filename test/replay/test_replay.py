#!/usr/bin/python3
"""Two of the farm's own tasks are recorded while builds go through, then played outside of the master: the same plugin does the
same; a changed one, and another writer of the index, are told apart in full. Full disks, torn files, hostile ones.

TEST-TIMEOUT: 600
TEST-NEEDS: plain
"""

import contextlib
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import farm as farms  # pylint: disable=wrong-import-position
import score  # pylint: disable=wrong-import-position
from score import check, equal  # pylint: disable=wrong-import-position


def ctl(farm, *words):
    return farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), *words],
                    check=False, timeout=120)


def replay(farm, plugin, file, *options):
    """What piw-replay says and how it ends, of a plugin of the farm's or a path."""
    path = plugin if "/" in str(plugin) else farm.dir / "inst" / "plugins" / f"{plugin}.so"
    return farm.run([farm.program("piw-replay"), "-c", farm.configuration(), *options, path, file], check=False, timeout=120)


def said(done):
    return f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"


def built(farm):
    return int(farm.value("SELECT count(*) FROM builds WHERE status"))


def published(farm, package, version):
    page = farm.www / "simple" / package / "index.html"
    return page.exists() and version in page.read_text("utf-8")


def record_the_farm(farm):
    """A build that is a new package, one of a known one, and one that fails; both tasks hear of them."""
    rec = farm.folder("rec")
    farm.add_samples("piwdemo-pure", versions=["1.0"])
    farm.wait("the first pages", lambda: published(farm, "piwdemo-pure", "1.0"), timeout=120)
    for task in ("the_scribe", "the_secretary"):
        done = ctl(farm, "record", task, rec / task)
        check(f"record.{task}", done.returncode == 0 and f"task {task} is recorded in {rec}/{task}" in done.stdout, said(done))
    equal("record.file is the master's alone", stat.S_IMODE((rec / "the_scribe").stat().st_mode), 0o600)
    done = ctl(farm, "record", "the_scribe", rec / "again")
    check("record.one at a time", done.returncode == 1 and "is being recorded in" in done.stderr and not (rec / "again").exists(),
          said(done))
    farm.add_samples("piwdemo-pure", versions=["1.1"])
    farm.add_samples("piwdemo-broken", "piwdemo-cext")
    farm.wait("the pages of the others", lambda: published(farm, "piwdemo-pure", "1.1") and published(farm, "piwdemo-cext", "0.3"),
              timeout=180)
    done = ctl(farm, "reload", "the_scribe")
    check("record.goes on over a swap", done.returncode == 0, said(done))
    farm.add_samples("piwdemo-pure", versions=["1.2"])
    farm.wait("a page after the swap", lambda: published(farm, "piwdemo-pure", "1.2"), timeout=120)
    for task in ("the_scribe", "the_secretary"):
        done = ctl(farm, "record", task, "--stop")
        check(f"record.{task} ends", done.returncode == 0 and "piw-ctl ended it" in done.stdout, said(done))
    return rec


def main():
    with farms.Farm() as farm:
        farm.start(web=False)
        rec = record_the_farm(farm)
        for task in ("the_scribe", "the_secretary"):
            done = replay(farm, task, rec / task)
            check(f"same plugin.{task}", done.returncode == 0 and done.stdout.endswith("the same\n"), said(done))
            print(said(done))
        if os.environ.get("KEEP"):
            shutil.copytree(rec, os.environ["KEEP"], dirs_exist_ok=True)
            shutil.copytree(farm.www, os.environ["KEEP"] + "/www", dirs_exist_ok=True, symlinks=True)
        if score.failures:
            farm.show_logs()
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
