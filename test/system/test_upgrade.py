#!/usr/bin/python3
"""A farm that an earlier revision left when its master was killed (test/upgrade/make says how) is right after one start of
today's master: builds that were staged, recorded or sealed are finished, every page has its present form and says what the
database and the wheels say, pip installs from it. The rewriting of pages may be killed at any moment, lets other requests pass,
can be seen in piw-ctl, and leaves pages alone that are right. A site is also brought to the present form after another
master, or none, has worked on it.

TEST-TIMEOUT: 900
"""

import contextlib
import hashlib
import html.parser
import json
import os
import re
import signal
import sys
import tarfile
import urllib.parse
import zipfile

import farm as farms
import score
from score import check, equal
import spellings

FIXTURE = farms.ROOT / "test" / "golden" / "upgrade-40b4f6b.tar.xz"
OLDER = 'data-dist-info-metadata="sha256='
MANY = 2500  # packages whose pages are rewritten when that is to be interrupted


# --- The farm of then --------------------------------------------------------------------------------------------------


def restore(farm):
    """Database and site as they were, and everything but the master."""
    farm.prepare()
    with tarfile.open(FIXTURE) as archive:
        for member in archive.getmembers():
            if member.name.startswith(("/", "..")) or not (member.isfile() or member.isdir() or member.issym()):
                raise farms.Failure(f"the fixture has a {member.name}")
        archive.extractall(farm.dir / "then")  # our own archive, looked at above
    farm.own(farm.dir / "then")
    for path in farm.below(farm.dir / "then"):
        if farm.as_root:
            os.chown(path, farm.www.stat().st_uid, farm.www.stat().st_gid, follow_symlinks=False)
    farm.www.rmdir()
    (farm.dir / "then" / "www").rename(farm.www)
    (farm.dir / "then" / "pypi" / "events.txt").rename(farm.folder("pypi") / "events.txt")
    spellings.add_all(farm, "1.0")
    for name, version in (("MarkupSafe", "1.1"), ("MarkupSafe", "1.2"), ("PyYAML", "2.0"), ("Flask", "2.0"), ("Jinja2", "2.0")):
        spellings.add(farm, name, version)
    spellings.add(farm, "zope.interface", "1.1", fails=True)
    farm.start_postgres()
    farm.psql("DROP DATABASE piwheels", database="postgres")  # today's, which clusters come with
    farm.psql("CREATE DATABASE piwheels", database="postgres")
    farm.run(["/usr/bin/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", farm.dir / "s", "-U", "postgres", "-d", "piwheels",
              "-o", "/dev/null", "-f", farm.dir / "then" / "dump.sql"])
    farm.run([farm.program("piw-initdb"), "-c", farm.configuration(), "-d", farm.dsn("postgres"), "-u", "piwheels", "-y"])
    farm.start_pypi()


def rows_of_then(farm):
    """What the earlier revision recorded, and what no upgrade may change."""
    return {"builds": farm.rows("SELECT build_id, package, version, built_by, built_at, duration, status, abi_tag FROM builds "
                                "ORDER BY build_id"),
            "files": farm.rows("SELECT * FROM files ORDER BY filename"),
            "names": farm.rows("SELECT package, name FROM package_names ORDER BY 1, 2"),
            "versions": farm.rows("SELECT package, version, released, skip, yanked FROM versions ORDER BY 1, 2")}


def hashes(farm, pattern):
    return {path.relative_to(farm.www): hashlib.sha256(path.read_bytes()).hexdigest() for path in farm.www.glob(pattern)}


# --- Is it right now? --------------------------------------------------------------------------------------------------


class Anchors(html.parser.HTMLParser):
    """The links of an index page: {file name: attributes}."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open = {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.open = dict(attrs)

    def handle_data(self, data):
        if self.open is not None:
            self.found[data], self.open = self.open, None


def older_pages(farm):
    return [path for path in (farm.www / "simple").glob("*/index.html") if OLDER in path.read_text("utf-8")]


def listed(farm, package, filename):
    path = farm.www / "simple" / package / "index.html"
    return path.exists() and f">{filename}<" in path.read_text("utf-8")


def form(farm):
    path = farm.www / ".pages"
    return path.read_text("ascii") if path.exists() else ""


def wait_renewed(farm, timeout=120):
    farm.wait("the present form of all pages", lambda: form(farm) == "form 3\nall\n", timeout)


def wheel_metadata(path):
    with zipfile.ZipFile(path) as wheel:
        name, = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
        return wheel.read(name)


def check_page(farm, package, has_json):
    """HTML, JSON, .metadata, database and wheels say the same of a package. What differs, or None."""
    folder = farm.www / "simple" / package
    rows = farm.rows("SELECT f.filename, f.filehash, f.filesize, f.requires_python, v.yanked FROM files f "
                     "JOIN builds b USING (build_id) JOIN versions v USING (package, version) "
                     f"WHERE package = '{package}' AND v.skip <> 'deleted'")
    page = Anchors((folder / "index.html").read_text("utf-8"))
    if set(page.found) != {row[0] for row in rows}:
        return f"links {sorted(page.found)} for {rows}"
    form_of = {}
    if has_json != (folder / "index.v1.json").exists():
        return f"a JSON form: {not has_json}"
    if has_json:
        document = json.loads((folder / "index.v1.json").read_text("utf-8"))
        form_of = {file["filename"]: file for file in document["files"]}
        if set(form_of) != set(page.found) or document["name"] != package:
            return f"JSON has {sorted(form_of)}"
    for filename, digest, size, requires_python, yanked in rows:
        data, attributes = (folder / filename).read_bytes(), page.found[filename]
        metadata = wheel_metadata(folder / filename)
        if (folder / f"{filename}.metadata").read_bytes() != metadata:
            return f"{filename}.metadata"
        core = f"sha256={hashlib.sha256(metadata).hexdigest()}"
        wanted = {"href": f"{urllib.parse.quote(filename)}#sha256={digest}", "data-core-metadata": core}
        if requires_python:
            wanted["data-requires-python"] = requires_python
        if yanked == "t":
            wanted["data-yanked"] = ""
        if attributes != wanted or hashlib.sha256(data).hexdigest() != digest or len(data) != int(size):
            return f"{filename}: {attributes}, wanted {wanted}"
        file = form_of.get(filename)
        if has_json and (file["hashes"], file["core-metadata"], file.get("requires-python"), file["yanked"],
                         "dist-info-metadata" in file) != (
                {"sha256": digest}, {"sha256": core[7:]}, requires_python or None, yanked == "t", False):
            return f"{filename} in JSON: {file}"
    return None


def check_right(farm, name, then, wheels, has_json):
    """After the one start. What was neither recorded nor sealed is built again, when there is a slave."""
    finished = ["pyyaml", "flask"] + ["jinja2"] * len(farm.slaves)
    for package in finished:
        farm.wait(f"{package} 2.0 on its page", lambda p=package: listed(farm, p, f"{p}-2.0-py3-none-any.whl"), 90)
    wait_renewed(farm)
    # Requests for pages that a build has made stale are held for a second.
    farm.wait("the end of what is held", lambda: farm.rows("SELECT 1 FROM rewrites_pending") == [])
    now = rows_of_then(farm)
    for table in ("builds", "files", "names"):
        check(f"{name}: {table} of then are as they were", all(row in now[table] for row in then[table]),
              [row for row in then[table] if row not in now[table]])
    # PyPI has what builds need as well, which the master hears of now or later.
    packages = {row[0] for row in then["versions"]}
    equal(f"{name}: versions are as they were", [row for row in now["versions"] if row[0] in packages], then["versions"])
    builds = [tuple(row[1:3]) for row in now["builds"]]
    check(f"{name}: one build a version", len(set(builds)) == len(builds) == len(then["builds"]) + len(finished) - 1, builds)
    sealed, = farm.rows("SELECT build_id FROM builds WHERE package = 'flask' AND version = '2.0'")
    equal(f"{name}: the sealed build kept its number", sealed, ["66"])
    farm.wait("an empty staging folder", lambda: not farm.staged(), 30)
    equal(f"{name}: no page of the older form", older_pages(farm), [])
    for package in map(spellings.canonical, spellings.PACKAGES):
        with contextlib.suppress(farms.Failure):
            farm.wait(f"the page of {package}", lambda p=package: check_page(farm, p, has_json) is None, 20)
        wrong = check_page(farm, package, has_json)
        check(f"{name}: the pages of {package}", wrong is None, wrong)
    root = Anchors((farm.www / "simple" / "index.html").read_text("utf-8"))
    check(f"{name}: the root list", {spellings.canonical(each) for each in spellings.PACKAGES} <= set(root.found), root.found)
    after = hashes(farm, "simple/*/*.whl")
    gone = {path for path in wheels if after.get(path) != wheels[path]}
    check(f"{name}: published wheels have their bytes", gone <= {path for path in wheels if "markupsafe-1.2" in path.name}, gone)
    for build_id, in farm.rows("SELECT build_id FROM builds"):
        number = f"{int(build_id):012}"
        if not (farm.www / "logs" / number[:4] / number[4:8] / f"{number[8:]}.txt.gz").exists():
            check(f"{name}: the log of build {build_id}", False, "it isn't there")


def check_pip(farm, name):
    """Debian 12's pip, by names as people type them."""
    target = farm.folder("target")
    for number, typed in enumerate((("flask-admin-plus",), ("markupsafe", "Typing.Extensions", "pyyaml==2.0"), ("FLASK==2.0",))):
        said = farm.pip_install(target / str(number), *typed).stdout
        check(f"{name}: pip installs {' '.join(typed)}", "Successfully installed" in said, said)


def check_ends(farm, name):
    for slave in list(farm.slaves):
        equal(f"{name}: {slave.name} ends", farm.stop_process(slave), 0)
        farm.slaves.remove(slave)
    equal(f"{name}: the master ends", farm.stop_process(farm.master), 0)
    errors = [line for line in farm.master.text().splitlines() if line.startswith("error")]
    check(f"{name}: no errors in the master's log", not errors, errors[:3])


def test_one_start(farm, name, writer, slaves):
    farm.task_options["the_scribe"] = {"plugin": writer}
    restore(farm)
    check(f"{name}: the fixture has pages of the older form", len(older_pages(farm)) == len(spellings.PACKAGES))
    then, wheels = rows_of_then(farm), hashes(farm, "simple/*/*.whl")
    farm.start_master()
    farm.start_web()
    for _ in range(slaves):
        farm.start_slave()
    check_right(farm, name, then, wheels, True)
    check_pip(farm, name)
    check_ends(farm, name)


# --- The rewriting itself ----------------------------------------------------------------------------------------------


def add_many(farm):
    """More packages, with pages of the older form."""
    farm.psql(f"INSERT INTO packages (package) SELECT 'many-' || lpad(n::text, 4, '0') FROM generate_series(1, {MANY}) n;"
              "INSERT INTO package_names (package, name) SELECT package, package FROM packages WHERE package LIKE 'many-%'")
    for number in range(1, MANY + 1):
        folder = farm.www / "simple" / f"many-{number:04}"
        folder.mkdir()
        farm.own(folder)
        (folder / "index.html").write_text(f'<!DOCTYPE html>\n<a href="x.whl" {OLDER}00">x.whl</a>\n', encoding="utf-8")
        farm.own(folder / "index.html")


def note(farm):
    done = farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), "list",
                     "--json"])
    return next(row["note"] for row in json.loads(done.stdout)["tasks"] if row["task"] == "the_scribe")


def reached(farm):
    """The package up to which the site says that its pages have the present form."""
    found = re.fullmatch(r"form 3\nup to (\S*)\n", form(farm))
    return found.group(1) if found else None


def renewed(farm):
    """How many of the many have been."""
    return sum(OLDER not in path.read_text("utf-8") for path in (farm.www / "simple").glob("many-*/index.html"))


def killed_at(farm, page):
    """A master that kills itself when so many pages have been rewritten, and its end."""
    master = farm.start_process("master", farm.master_args(), env={"PIW_FAULTS": f"scribe.renewed=kill:{page}"})
    master.expected_end = True
    farm.wait("the master's death", lambda: not master.running(), 60)
    farm.forget(master)
    return master.popen.returncode


def test_interrupted(farm):
    """kill -9, an orderly end, a database that goes away; and requests meanwhile."""
    restore(farm)
    add_many(farm)
    first = farm.www / "simple" / "many-0001" / "index.html"
    equal("interrupted: killed", killed_at(farm, 800), -signal.SIGKILL)
    at, count, was = reached(farm), renewed(farm), first.stat()
    check("interrupted: a part was done", 500 < count < 1000 and at and at.startswith("many-"), (at, count))
    equal("interrupted: killed again", killed_at(farm, 800), -signal.SIGKILL)
    check("interrupted: it had gone on", reached(farm) > at and renewed(farm) > count + 300, (reached(farm), renewed(farm)))
    # Slowly: a failed page lets it rest. What is asked for goes first.
    farm.start_master(faults="scribe.renewed=error/20")
    said = farm.wait("the note", lambda: re.fullmatch(
        r"pages of an older form are written anew: (\d+) of (\d+) packages done, \d+ failed", note(farm)))
    # One that PyPI has besides, for builds, has come by then or not.
    known, = farm.rows("SELECT count(*) FROM packages")[0]
    check("interrupted: of so many", MANY + len(spellings.PACKAGES) <= int(said.group(2)) <= int(known), (said.group(0), known))
    farm.psql("UPDATE versions SET yanked = true WHERE package = 'zope-interface' AND version = '1.0'")
    farm.run([farm.program("piw-rebuild"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "--yes",
              "index", "zope-interface"])
    page = farm.www / "simple" / "zope-interface" / "index.html"
    farm.wait("what was asked for", lambda: "data-yanked" in page.read_text("utf-8"))
    check("interrupted: what is asked for is written meanwhile", form(farm) != "form 3\nall\n" and note(farm) != "", note(farm))
    equal("interrupted: an end in order", farm.stop_process(farm.master), 0)
    count = renewed(farm)
    check("interrupted: in the middle", count < MANY, count)
    farm.start_master()
    farm.wait("the note", lambda: note(farm))
    farm.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'piwheels'")
    wait_renewed(farm)
    equal("interrupted: all pages in the end", (renewed(farm), older_pages(farm)), (MANY, []))
    equal("interrupted: nothing more is said of it", note(farm), "")
    now = first.stat()
    equal("interrupted: a right page stays as it is", (now.st_ino, now.st_mtime_ns), (was.st_ino, was.st_mtime_ns))
    equal("interrupted: the master ends", farm.stop_process(farm.master), 0)


def test_other_masters(farm):
    """Of what was done before nothing is believed when another master has had the site. Goes on from the test before."""
    page, root, mark = (farm.www / name for name in ("simple/many-0001/index.html", "simple/index.html", ".pages"))
    right, own_root = page.read_text("utf-8"), root.read_text("utf-8")

    def one_start():
        page.write_text(OLDER, encoding="utf-8")
        farm.start_master()
        farm.wait("the root list", lambda: root.exists() and root.read_text("utf-8") == own_root)

    one_start()
    farm.wait("the master's tasks", lambda: note(farm) == "")
    equal("other masters: when it was us, pages aren't read again", page.read_text("utf-8"), OLDER)
    farm.stop_process(farm.master)
    for name, change in (("an older one, or stock's", lambda: root.write_text("<!DOCTYPE html>\n<title>then</title>\n")),
                         ("a newer one", lambda: mark.write_text("form 9\nall\n")),
                         ("another's words", lambda: mark.write_text("form 3\nup to ../x\n")),
                         ("none: an adopted tree", mark.unlink), ("a lost index", root.unlink)):
        change()
        one_start()
        wait_renewed(farm)
        equal(f"other masters: {name}", page.read_text("utf-8"), right)
        equal(f"other masters: {name}, the end", farm.stop_process(farm.master), 0)


def main():
    for test in ((test_one_start, "one start", "the_scribe.so", 1), (test_one_start, "a writer of then", "scribe_json.so", 0),
                 (test_interrupted,)):
        with farms.Farm() as farm:
            try:
                test[0](farm, *test[1:])
                if test[0] is test_interrupted:
                    test_other_masters(farm)
            except (farms.Failure, OSError, KeyError, ValueError) as error:
                check(test[0].__name__, False, f"{type(error).__name__}: {error}")
            if score.failures:
                farm.show_logs()
        score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
