#!/usr/bin/python3
"""Debian 12's pip and Debian 13's, the latter from a root of its own, install packages of every spelling, with dependencies
among them, from a farm's pages in both forms, served by nginx as our example says; and what these say of single versions is
obeyed: yanked, for other Pythons, hashes.

The first run downloads and unpacks 25 MB of Debian 13 into build/debian/ (half a minute), later ones take a minute in all.
PIW_PIP_SUITES="bullseye trixie sid" in the environment tries further releases.

TEST-TIMEOUT: 900
"""

import hashlib
import json
import os
import re
import sys
import tempfile

import farm as farms
import pips
import score
from score import check, equal
import spellings
from test_index_json import JSON, Site

BUILDERS = f"{sys.version_info[0]}.{sys.version_info[1]}"  # the Python of this machine's slaves
SUITES = {"bullseye": ("Debian 11", ""), "trixie": ("Debian 13", ""), "sid": ("Debian unstable", 'Acquire::Check-Valid-Until "false";')}


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


def try_more(site, pip):
    """What is said of a version beside its link: yanked and why, the Pythons that it is for, its hash; and the lists of versions that are
    made of it. MarkupSafe has 1.0, 1.1, which is yanked, and 1.2, which is for the builder's Python alone."""
    farm, name = site.farm, f"{pip.name}, pip {pip.version}"
    version = tuple(map(int, pip.version.split(".")[:2]))
    here = pip.run(farm, "--version").stdout.endswith(f"(python {BUILDERS})\n")
    newest = "1.2" if here else "1.0"
    index = ("--no-cache-dir", "--index-url", f"{farm.web_url}/simple/")
    wheels = {path.name.split("-")[1]: path for path in (farm.www / "simple" / "markupsafe").glob("*.whl")}
    hashes = {number: hashlib.sha256(path.read_bytes()).hexdigest() for number, path in wheels.items()}
    with tempfile.TemporaryDirectory(dir=farm.dir / "tmp") as target:
        os.chmod(target, 0o777)

        def run(*args):
            return pip.run(farm, *args, *index, cwd=target)
        done = run("download", "--no-deps", "MarkupSafe")
        check(f"{name}: neither what is yanked nor what is for another Python", os.listdir(target) == [wheels[newest].name],
              f"{os.listdir(target)}: {done.stdout} {done.stderr}")
        done = run("download", "--no-deps", "MarkupSafe==1.1")
        check(f"{name}: what is yanked for who names it, with the reason", wheels["1.1"].name in os.listdir(target) and
              "it is <broken>" in done.stdout + done.stderr, done.stdout + done.stderr)
        done = run("download", "--no-deps", "MarkupSafe==1.2")
        check(f"{name}: nothing for another Python", (done.returncode == 0) == (wheels["1.2"].name in os.listdir(target)) == here, done.stdout)
        for digest, good in ((hashes["1.0"], True), ("0" * 64, False)):
            place = os.path.join(target, "wanted.txt")
            with open(place, "w", encoding="ascii") as file:
                file.write(f"MarkupSafe==1.0 --hash=sha256:{digest}\n")
            done = run("install", "--require-hashes", "--no-deps", "--target", os.path.join(target, f"into-{good}"), "-r", place)
            check(f"{name}: a hash that is {'right' if good else 'wrong'}", (done.returncode == 0) == good, done.stdout + done.stderr)
        if version >= (21, 2):
            done = run("index", "versions", "markupsafe")
            check(f"{name}: the list of versions", re.search(re.escape(f"Available versions: {'1.2, ' if here else ''}1.0\n"), done.stdout), done.stdout + done.stderr)
        if version >= (23, 0):
            done = run("install", "--dry-run", "--ignore-installed", "--target", target, "--quiet", "--report", "-", "Flask", "MarkupSafe==1.1")
            found = {item["metadata"]["name"]: item for item in json.loads(done.stdout)["install"]} if done.returncode == 0 else {}
            equal(f"{name}: a report's names", set(map(spellings.canonical, found)), spellings.needed("Flask"))
            archive = found.get("MarkupSafe", {}).get("download_info", {}).get("archive_info", {})
            equal(f"{name}: a report's hash", archive.get("hash"), f"sha256={hashes['1.1']}")
            # Older ones don't say it.
            equal(f"{name}: a report of what is yanked", found.get("MarkupSafe", {}).get("is_yanked"), True if version >= (23, 2) else None)


def add_more(farm):
    """To 1.0, which is there."""
    spellings.add(farm, "MarkupSafe", "1.1")
    spellings.add(farm, "MarkupSafe", "1.2", requires_python=f">={BUILDERS},<{BUILDERS}.999")
    farm.add_event("yank MarkupSafe 1.1 it is <broken>")
    page = farm.www / "simple" / "markupsafe" / "index.html"
    farm.wait("MarkupSafe's further versions", lambda: all(said in page.read_text() for said in (
        "-1.0-", "-1.1-", "-1.2-", "it is &lt;broken&gt;", f"&gt;={BUILDERS}")), 120)


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
    add_more(farm)
    for pip in all_pips:
        try_more(site, pip)
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
