#!/usr/bin/python3
"""Debian 12's pip and Debian 13's, the latter from a root of its own, install packages of every spelling, with dependencies
among them, from a farm's pages in both forms, served by nginx as our example says.

The first run downloads and unpacks 25 MB of Debian 13 into build/debian/ (half a minute), later ones take a minute in all.
PIW_PIP_SUITES="trixie sid" in the environment tries further releases.

TEST-TIMEOUT: 900
"""

import os
import re
import sys
import tempfile

import farm as farms
import pips
import score
from score import check
import spellings
from test_index_json import JSON, Site

SUITES = {"trixie": ("Debian 13", ""), "sid": ("Debian unstable", 'Acquire::Check-Valid-Until "false";')}


def install(farm, pip, *typed):
    """pip installs these into a new folder; (what it says, the distributions that are there)."""
    with tempfile.TemporaryDirectory(dir=farm.dir / "tmp") as target:
        os.chmod(target, 0o777)
        done = pip.run(farm, "install", "-vv", "--no-cache-dir", "--index-url", f"{farm.web_url}/simple/", "--target", target,
                       "--progress-bar", "off", *typed)
        found = {spellings.canonical(name.split("-")[0]) for name in os.listdir(target) if name.endswith(".dist-info")}
    return done, found


def try_names(site, pip, form):
    """Each spelling by itself (of JSON pages, which no pip takes wrongly, the oddest), then all packages at once."""
    farm = site.farm
    name = f"{pip.name}, pip {pip.version}, {form}"
    for own, ways in spellings.TYPED.items():
        for typed in ways if form == "HTML" else ways[-1:]:
            done, found = install(farm, pip, typed)
            check(f"{name}: {typed}", done.returncode == 0 and found == spellings.needed(own),
                  f"exit {done.returncode}, {found}: {done.stdout[-300:]} {done.stderr}")
    done, found = install(farm, pip, *(ways[-1] for ways in spellings.TYPED.values()))
    check(f"{name}: all at once", done.returncode == 0 and found == {spellings.canonical(own) for own in spellings.PACKAGES},
          f"exit {done.returncode}, {found}: {done.stderr}")
    done, found = install(farm, pip, "Mark-Up.Safe")
    check(f"{name}: a name that isn't there", done.returncode != 0 and not found, done.stdout)
    wanted = JSON if form == "JSON" else "text/html"
    start = site.log_end()
    done, _ = install(farm, pip, "pyyaml")
    fetched = re.search(r"Fetched page \S+/pyyaml/ as ([^\s;]+)", done.stdout)
    check(f"{name}: the page's form", fetched and fetched.group(1) == wanted, fetched and fetched.group(1))
    # Taking the metadata is what newer ones do, and what older ones do wrong.
    newer = tuple(map(int, pip.version.split(".")[:2])) >= (23, 2)
    check(f"{name}: the metadata's use", (".whl.metadata HTTP" in site.asked_for(start)) == newer, site.asked_for(start))


def published(farm):
    return all((farm.www / "simple" / spellings.canonical(name) / "index.html").exists() and
               f">{spellings.module(name)}-1.0-" in (farm.www / "simple" / spellings.canonical(name) / "index.html").read_text()
               for name in spellings.PACKAGES)


def find_pips(farm):
    found = [pips.machine(farm)]
    for suite in (os.environ.get("PIW_PIP_SUITES") or "trixie").split():
        name, more = SUITES[suite]
        try:
            found.append(pips.debian(farm, suite, name, more))
        except pips.Missing as error:
            score.skip(f"{name}'s pip", error)
    return found


def run(site, farm):
    spellings.add_all(farm, "1.0")
    farm.task_options["the_scribe"] = {"plugin": "scribe_html.so"}
    farm.start(slaves=2, web=False)
    site.serve()
    all_pips = find_pips(farm)
    farm.wait("all packages on their pages", lambda: published(farm), 120)
    for pip in all_pips:
        try_names(site, pip, "HTML")
    farm.stop_process(farm.master)
    del farm.task_options["the_scribe"]
    farm.start_master()
    farm.run([farm.program("piw-rebuild"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "--yes",
              "index"])
    for name in spellings.PACKAGES:
        farm.wait(f"the JSON form of {name}", (farm.www / "simple" / spellings.canonical(name) / "index.v1.json").exists)
    for pip in all_pips:
        try_names(site, pip, "JSON")
    for slave in list(farm.slaves):
        check(f"{slave.name} ends", farm.stop_process(slave) == 0)
    check("the master ends", farm.stop_process(farm.master) == 0)


def main():
    if not os.access("/usr/sbin/nginx", os.X_OK):
        score.skip("debian_pip", "nginx isn't installed (apt package nginx-light)")
        return 0
    with farms.Farm() as farm:
        try:
            run(Site(farm), farm)
        except (farms.Failure, OSError, KeyError, ValueError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
