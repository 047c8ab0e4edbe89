#!/usr/bin/python3
"""Pages of a package whose wheel is recorded and not in its place yet wait for it, whoever asks for them and whichever task begins
anew; pages and wheels of others don't. Here the wheel can't come into its place since there is a folder in its way.

TEST-TIMEOUT: 300
"""

import pathlib
import re
import shutil
import signal
import sys

import farm as farms
import score
from score import check, equal
from test_faults import BACKEND, KINDS, PYPROJECT

HELD, OTHER = "piwtest-held", "piwtest-other"
WAITS = r"the pages of piwtest-held have to wait: build \d+ is recorded, and piwtest_held-1\.1-py3-none-any\.whl of it isn't in its place yet"


class LeftFarm(farms.Farm):
    """Its wheels are of one kind."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.slave_options = ["--sandbox", "no"]

    def check(self, name, good, why=""):
        return check(f"{self.kind}.{name}", good, why)


def add(farm, package, version):
    backend = BACKEND.replace("piwtest-quick", package).replace("piwtest_quick", package.replace("-", "_"))
    backend = backend.replace("@VERSION@", version).replace("@SIZE@", str(KINDS[farm.kind])).replace("@GATE@", "")
    farms.make_sdist(farm.dir / "pypi", package, version, {"pyproject.toml": PYPROJECT, "backend.py": backend})


def wheel(farm, package, version):
    return farm.www / "simple" / package / f"{package.replace('-', '_')}-{version}-py3-none-any.whl"


def naming(farm, package, version):
    """The pages that name the wheel."""
    simple, project = farm.www / "simple" / package, farm.www / "project" / package
    places = (simple / "index.html", simple / "index.v1.json", project / "index.html", project / "json" / "index.json")
    name = wheel(farm, package, version).name
    return [place for place in places if place.exists() and name in place.read_text("utf-8")]


def pages_there(farm, package, version):
    farm.wait(f"{package} {version} on its pages", lambda: len(naming(farm, package, version)) >= 3)


def check_held(farm, name):
    found = naming(farm, HELD, "1.1")
    farm.check(f"{name}.no page names it", not found, found)


def killed_with(farm, package, version):
    """A build is recorded, and the master killed before its wheel is put in place."""
    farm.stop_process(farm.master)
    farm.start_master(faults="driver.committed=kill")
    add(farm, package, version)
    master = farm.master
    master.expected_end = True
    farm.wait("the master's death", lambda: not master.running())
    farm.check(f"{package}.killed", master.popen.returncode == -signal.SIGKILL, master.popen.returncode)
    farm.check(f"{package}.recorded", farm.value(f"SELECT count(*) FROM builds WHERE package = '{package}' AND version = '{version}' AND status") == "1")


def wait_for_trouble(farm):
    """An operator reads what is in the way."""
    farm.wait_log(farm.master, r"ha(s|ve) to wait: .*piwtest_held-1\.1-py3-none-any\.whl.*[Ii]s a directory")


def ctl(farm, *words):
    return farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), *words])


def rebuild(farm, *words, wrong=False):
    done = farm.run([farm.program("piw-rebuild"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "--yes", *words],
                    check=not wrong)
    return done.returncode, done.stdout + done.stderr


def asked_in_vain(farm, name):
    """Somebody asks for the pages, and hears why not."""
    code, said = rebuild(farm, "index", HELD, wrong=True)
    farm.check(f"{name}.who asks hears why", code != 0 and "isn't in its place yet" in said, said)
    check_held(farm, name)


def test_start(farm):
    add(farm, HELD, "1.0")
    pages_there(farm, HELD, "1.0")
    obstacle = wheel(farm, HELD, "1.1")
    for path in (obstacle, obstacle / "full"):
        path.mkdir()
        farm.own(path)
    killed_with(farm, HELD, "1.1")
    (farm.www / ".pages").unlink()  # all pages may be of an older form: the writer goes over them by itself
    farm.restart_master()
    wait_for_trouble(farm)
    farm.wait("pages to wait, or not", lambda: re.search(WAITS, farm.master.text()) or naming(farm, HELD, "1.1"))
    check_held(farm, "start")
    pages_there(farm, HELD, "1.0")
    asked_in_vain(farm, "start")


def test_others(farm):
    """What was left behind it, and what comes now."""
    killed_with(farm, OTHER, "1.0")
    farm.restart_master()
    wait_for_trouble(farm)
    pages_there(farm, OTHER, "1.0")
    farm.check("others.wheel", wheel(farm, OTHER, "1.0").is_file())
    asked_in_vain(farm, "others")
    add(farm, OTHER, "1.1")
    pages_there(farm, OTHER, "1.1")
    farm.check("others.the trouble isn't said to be over", "pages are written again" not in farm.master.text(), "it is")
    rebuild(farm, "index")
    asked_in_vain(farm, "all")


def test_tasks_anew(farm):
    """Each task that has to do with it begins anew, and another writer takes over, which goes over all pages."""
    for words in (("restart", "the_secretary"), ("reload", "the_secretary"), ("restart", "the_scribe"), ("reload", "the_scribe"),
                  ("replace", "the_scribe", "scribe_html.so"), ("replace", "the_scribe", "the_scribe.so"), ("restart", "slave_driver"),
                  ("reload", "file_juggler"), ("restart", "file_juggler")):
        ctl(farm, *words)
        asked_in_vain(farm, " ".join(words))


def test_placed(farm):
    """The obstacle goes; the task that put files in place had begun anew, and knows of it all the same."""
    place = wheel(farm, HELD, "1.1")
    early = []

    def listed():
        found = naming(farm, HELD, "1.1")
        if found and not (place.is_file() and pathlib.Path(f"{place}.metadata").is_file()):
            early.extend(found)
        return len(found) >= 3

    shutil.rmtree(place)
    farm.wait("pages that name it", listed)
    farm.check("placed.the wheel comes first", not early, early)
    farm.wait("an empty staging folder", lambda: not farm.staged())
    farm.wait_log(farm.master, r"pages are written again")


def test_unsaved(farm):
    """A database that is there and refuses to keep what waits: an operator reads it, once."""
    signature = "(text[], timestamp[], text[])"
    farm.psql(f"ALTER FUNCTION piw.save_rewrites{signature} RENAME TO moved_away")
    add(farm, OTHER, "1.2")
    pages_there(farm, OTHER, "1.2")
    farm.wait_log(farm.master, r"the page requests that wait can't be saved, and would be lost with the master: .*save_rewrites")
    farm.psql(f"ALTER FUNCTION piw.moved_away{signature} RENAME TO save_rewrites")
    farm.wait_log(farm.master, r"page requests are saved again")
    equal("unsaved.said once", farm.master.text().count("can't be saved"), 1)


def main():
    for kind in KINDS:
        with LeftFarm(kind) as farm:
            try:
                farm.start(web=False)
                for test in (test_start, test_others, test_tasks_anew, test_placed):
                    test(farm)
                if kind == "small":
                    test_unsaved(farm)
            except (farms.Failure, OSError) as error:
                farm.check("the farm", False, f"{type(error).__name__}: {error}")
                farm.show_logs()
        score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
