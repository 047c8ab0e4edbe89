#!/usr/bin/python3
"""The Atom feeds of plugins/feed: it compiles against an installed tree alone, and as it was compiled there it is loaded; what it
writes are feeds by RFC 4287 that have what was built and what failed, whose links lead somewhere; they are as they were while
nothing is new, and a package that is removed takes its feed along.

TEST-TIMEOUT: 300
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.parse
import xml.etree.ElementTree as ET

import farm as farms
import score
from score import check, equal
import spellings

ATOM = "{http://www.w3.org/2005/Atom}"
SOURCE = farms.ROOT / "plugins" / "feed"
BASE = "http://wheels.example.org"


def compile_installed(farm):
    """As its author would, from what make install has left; the plugin then takes the place of the one that was built here."""
    for path in SOURCE.iterdir():
        for name in re.findall(r'^#include "([^"]+)"', path.read_text("utf-8"), re.MULTILINE):
            check(f"included by {path.name}: {name}", name.startswith("piw/") or name.endswith(".piw.h") or (SOURCE / name).exists(),
                  "neither installed nor its own")
    prefix, work = farm.dir / "usr", farm.dir / "feed"
    env = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "--no-print-directory", "-s", "install", f"B={farms.BUILD}", f"PREFIX={prefix}",
                           f"VARIANT={os.environ.get('VARIANT', 'plain')}"], cwd=farms.ROOT, env=env, capture_output=True, text=True,
                          timeout=240, check=False)
    if not check("make install", done.returncode == 0, done.stderr):
        raise farms.Failure("nothing is installed")
    shutil.copytree(SOURCE, work)
    commands = ('piw-idl --import "$(pkg-config --variable=protodir piwheels)" --out . feed.piw\n'
                "cc -O2 -Wall -Wextra -Werror -shared -o feed.so *.c $(pkg-config --cflags --libs piwheels)\n")
    env = {"PATH": f"{prefix}/bin:/usr/bin:/bin", "PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig", "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(["sh", "-e", "-c", commands], cwd=work, env=env, capture_output=True, text=True, timeout=120, check=False)
    if not check("compiled", done.returncode == 0, done.stdout + done.stderr):
        raise farms.Failure("the plugin can't be compiled")
    target = farm.dir / "inst" / "plugins" / "feed.so"
    target.unlink(missing_ok=True)
    shutil.copyfile(work / "feed.so", target)
    target.chmod(0o644)


def feed(farm, path):
    """The entries' titles of a feed, or None while there is none."""
    place = farm.www / path
    return [entry.findtext(f"{ATOM}title") for entry in ET.parse(place).getroot().iter(f"{ATOM}entry")] if place.exists() else None


def check_feed(farm, path, titles):
    farm.wait(f"{path} with {titles}", lambda: feed(farm, path) == titles, 120)
    root = ET.parse(farm.www / path).getroot()
    for kind in ("id", "title", "updated", "author"):
        check(f"{path} has a {kind}", root.find(f"{ATOM}{kind}") is not None)
    equal(f"{path} names itself", root.findtext(f"{ATOM}id"), f"{BASE}/{path}")
    # Readers are about that take no link for the site's but one that says so.
    equal(f"{path}: links", [(link.get("rel"), link.get("type"), link.get("href")) for link in root.findall(f"{ATOM}link")],
          [("alternate", "text/html", f"{BASE}/"), ("self", "application/atom+xml", f"{BASE}/{path}")])
    for entry in root.iter(f"{ATOM}entry"):
        equal(f"{path}: links of an entry", [link.get("rel") for link in entry.iter(f"{ATOM}link")], ["alternate", "related"])
        check(f"{path}: a moment", re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", entry.findtext(f"{ATOM}updated")),
              entry.findtext(f"{ATOM}updated"))
        for link in entry.iter(f"{ATOM}link"):
            lead = urllib.parse.urlsplit(link.get("href")).path.lstrip("/")
            place = farm.www / lead
            farm.wait(f"what {lead} leads to", lambda p=place: p.exists() or pathlib.Path(f"{p}.gz").exists(), 60)
    equal(f"{path}: ids differ", len({entry.findtext(f"{ATOM}id") for entry in root.iter(f"{ATOM}entry")}), len(titles))


def overrun(farm):
    """More packages change than the task remembers: each gets its feed all the same, which its page leads to."""
    farm.psql("INSERT INTO packages (package) SELECT 'many-' || n FROM generate_series(1, 1200) n; "
              "INSERT INTO versions (package, version, released, skip) SELECT 'many-' || n, '1', '2024-01-01', 'none' FROM generate_series(1, 1200) n")
    ctl = [farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin")]
    farm.run([*ctl, "hold", "feed"])
    farm.run([farm.program("piw-rebuild"), "-c", farm.configuration(), "--yes", "--import-queue", farm.socket("import"), "project"])
    pages = [farm.www / "project" / f"many-{n}" for n in range(1, 1201)]
    farm.wait("their pages", lambda: all((page / "index.html").exists() for page in pages), 120)
    check("a page leads to its feed", 'href="feed.atom"' in (pages[-1] / "index.html").read_text("utf-8"))
    farm.run([*ctl, "release", "feed"])
    farm.wait("all feeds", lambda: all((page / "feed.atom").exists() for page in pages), 120)
    check_feed(farm, "project/many-1200/feed.atom", [])


def run(farm):
    farm.task_options["feed"] = {"every": "1s"}
    farm.prepare()
    compile_installed(farm)
    spellings.add(farm, "MarkupSafe", "1.0")
    farm.start_postgres()
    farm.create_database()
    farm.start_pypi()
    farm.start_master()
    farm.start_slave()
    good, bad = "markupsafe 1.0 for cp311", "zope-interface 1.1 for cp311"
    check_feed(farm, "feeds/new.atom", [good])
    check_feed(farm, "project/markupsafe/feed.atom", [good])
    old = (farm.www / "feeds" / "new.atom").stat()
    spellings.add(farm, "zope.interface", "1.1", fails=True)
    check_feed(farm, "feeds/failures.atom", [bad])
    check_feed(farm, "project/zope-interface/feed.atom", [bad])
    new = (farm.www / "feeds" / "new.atom").stat()
    equal("a feed without news stays", (new.st_ino, new.st_mtime_ns), (old.st_ino, old.st_mtime_ns))
    overrun(farm)
    # What was built while it was away is in it, too.
    farm.stop_process(farm.master)
    (farm.www / "feeds" / "new.atom").unlink()
    farm.task_options["feed"] = {"every": "1h"}
    farm.start_master()
    # At a new pace, which holds at once.
    farm.task_options["feed"] = {"every": "1s"}
    farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), "reread"])
    check_feed(farm, "feeds/new.atom", [good])
    farm.run([farm.program("piw-remove"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "--yes", "markupsafe"])
    farm.wait("the end of the package's feed", lambda: not (farm.www / "project" / "markupsafe").exists(), 60)
    equal("the master ends", farm.stop_process(farm.master), 0)


def main():
    with farms.Farm() as farm:
        farm.site_options = {"base-url": BASE}
        try:
            run(farm)
        except (farms.Failure, OSError, KeyError, ValueError, ET.ParseError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
