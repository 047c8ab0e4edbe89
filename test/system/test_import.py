#!/usr/bin/python3
"""The import queue as administrators and importers speak it, byte by byte, in both codecs: the words for packages and
versions, rebuilds, imports with their transfers, and what all that leaves in the database and on the site.

TEST-TIMEOUT: 400
"""

import contextlib
import datetime
import sys

import client
import farm as farms
import wire

UTC = datetime.timezone.utc
WHEN = datetime.datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
CODECS = {"cbor": (wire.cbor_encode, wire.cbor_decode), "msgpack": (wire.msgpack_encode, wire.msgpack_decode)}
failures = 0


def check(name, good, why=""):
    global failures
    if good:
        print(f"ok {name}", flush=True)
    else:
        failures += 1
        print(f"not ok {name} - {' '.join(str(why).split())[:600]}", flush=True)
    return good


def equal(name, got, wanted):
    return check(name, got == wanted, f"got {got!r}, wanted {wanted!r}")


class Administrator:
    """A connection to the import queue: say() gives "DONE NEWPKG", "ERROR NOPKG", "SEND file"."""

    def __init__(self, farm, codec="cbor"):
        self.peer = client.Connection(farm.socket("import"), "REQ")
        self.encode, self.decode = CODECS[codec]

    def tell(self, word, data=None):
        self.peer.send(b"", self.encode(word if data is None else [word, data]))

    def hear(self, timeout=30):
        frames = self.peer.receive(timeout * farms.PATIENCE)
        if frames is None:
            return "nothing"
        message = self.decode(frames[1])
        return message if isinstance(message, str) else " ".join(message)

    def say(self, word, data=None):
        self.tell(word, data)
        return self.hear()

    def close(self):
        self.peer.close()


class Office:
    """What administrators say, each on a connection of its own as the tools do, codecs in turn."""

    def __init__(self, farm):
        self.farm = farm
        self.turn = 0

    def say(self, word, *data):
        self.turn += 1
        with contextlib.closing(Administrator(self.farm, ("cbor", "msgpack")[self.turn % 2])) as admin:
            return admin.say(word, list(data) or None)

    def addpkg(self, name, description="", skip="", unskip=False, aliases=()):
        return self.say("ADDPKG", name, description, skip, unskip, list(aliases))

    def addver(self, name, version, skip="", unskip=False, released=WHEN, yank=False, unyank=False, aliases=()):
        return self.say("ADDVER", name, version, skip, unskip, released, yank, unyank, list(aliases))

    def rempkg(self, name, builds=False, skip=""):
        return self.say("REMPKG", name, builds, skip)

    def remver(self, name, version, builds=False, skip="", yank=False):
        return self.say("REMVER", name, version, builds, skip, yank)


def test_packages(farm, office):
    equal("package.new", office.addpkg("Gold.Imp", "An imported thing", aliases=["gold_imp"]), "DONE NEWPKG")
    equal("package.its names", [row[0] for row in farm.rows(
        "SELECT name FROM package_names WHERE package = 'gold-imp' ORDER BY seen DESC, name")],
        ["Gold.Imp", "gold_imp", "gold-imp"])
    equal("package.canonical name unused", farm.value(
        "SELECT seen FROM package_names WHERE name = 'gold-imp'"), "1970-01-01 00:00:00")
    equal("package.another", office.addpkg("goldimp", "An imported thing", aliases=["GoldImp"]), "DONE NEWPKG")
    equal("package.update", office.addpkg("goldimp", "New description"), "DONE UPDPKG")
    equal("package.no description keeps it", office.addpkg("GOLDIMP"), "DONE UPDPKG")
    equal("package.description", farm.rows("SELECT skip, description FROM packages WHERE package = 'goldimp'"),
          [["", "New description"]])
    equal("package.display name", farm.value(
        "SELECT get_project_data('goldimp') ->> 'name'"), "GOLDIMP")
    equal("package.skipped", office.addpkg("goldskipped", "d", "added skipped"), "DONE NEWPKG")
    equal("package.its reason", farm.value("SELECT skip FROM packages WHERE package = 'goldskipped'"), "added skipped")
    equal("package.skip of a known one", office.addpkg("goldskipped", "x", "y", True, ["GoldSkipped"]), "ERROR SKIPPKG")
    equal("package.an error changes nothing", farm.rows(
        "SELECT skip, description, (SELECT count(*) FROM package_names n WHERE n.package = p.package) "
        "FROM packages p WHERE package = 'goldskipped'"), [["added skipped", "d", "1"]])
    equal("package.unskip", office.addpkg("goldskipped", "d2", "", True), "DONE UPDPKG")
    equal("package.unskipped", farm.rows("SELECT skip, description FROM packages WHERE package = 'goldskipped'"),
          [["", "d2"]])
    equal("package.long description", office.addpkg("goldlong", "\u2713" * 300), "DONE NEWPKG")
    equal("package.cut", farm.value("SELECT description FROM packages WHERE package = 'goldlong'"), "\u2713" * 200)


def test_refusals(farm, office):
    before = farm.rows("SELECT count(*), (SELECT count(*) FROM package_names) FROM packages")
    for name, said, wanted in (
            ("no name", office.addpkg(""), "ERROR the package has no name"),
            ("long name", office.addpkg("x" * 201), "ERROR the package's name is longer than 200 characters"),
            ("bad name", office.addpkg("../etc"), "ERROR \"../etc\" is no package name"),
            ("other alias", office.addpkg("UPPER_case..pkg", "u\u2713", aliases=["totally-different"]),
             "ERROR \"totally-different\" is no other spelling of upper-case-pkg"),
            ("outside alias", office.addpkg("p1", "d", aliases=["../../tmp/evil-alias"]),
             "ERROR \"../../tmp/evil-alias\" is no other spelling of p1"),
            ("long reason", office.addpkg("p1", "d", "r" * 101), "ERROR the reason for skipping is longer than 100"),
            ("no version", office.addver("goldimp", ""), "ERROR the version is empty"),
            ("long version", office.addver("goldimp", "1" * 201), "ERROR \"11111"),
            ("version as path", office.addver("goldimp", "../1"), "ERROR \"../1\" is no version"),
            ("version's alias", office.addver("goldimp", "1.0", aliases=["gold"]), "ERROR \"gold\" is no other spelling"),
            ("no name to remove", office.rempkg(""), "ERROR the package has no name"),
            ("no version to remove", office.remver("goldimp", ""), "ERROR the version is empty"),
            ("long reason to remove", office.remver("goldimp", "1.0", skip="r" * 101), "ERROR the reason")):
        check(f"refused.{name}", said.startswith(wanted), said)
    equal("refused.nothing of it stays", farm.rows(
        "SELECT count(*), (SELECT count(*) FROM package_names) FROM packages"), before)
    equal("refused.a reason of 100 is none", office.addpkg("goldlong", "", "", False), "DONE UPDPKG")


def test_versions(farm, office):
    equal("version.no package", office.addver("nopackage", "1.0"), "ERROR NOPKG")
    equal("version.new", office.addver("goldimp", "1.0"), "DONE NEWVER")
    equal("version.released", farm.value("SELECT released FROM versions WHERE package = 'goldimp'"), "2024-03-01 12:00:00")
    equal("version.again", office.addver("goldimp", "1.0"), "DONE UPDVER")
    equal("version.skip of a known one", office.addver("goldimp", "1.0", "x", yank=True), "ERROR SKIPVER")
    equal("version.yank of a known one", office.addver("goldimp", "1.0", yank=True, unyank=True), "ERROR YANKVER")
    equal("version.unyank and alias", office.addver("Gold.Imp", "1.0", aliases=["GOLD-imp"]), "DONE NEWVER")
    equal("version.new and yanked", office.addver("goldimp", "9.0", yank=True), "DONE NEWVER")
    equal("version.unyank", office.addver("goldimp", "9.0", unyank=True), "DONE UPDVER")
    equal("version.yanked no more", farm.value("SELECT yanked FROM versions WHERE version = '9.0'"), "f")
    equal("version.new and skipped", office.addver("goldimp", "9.1", "known bad", True, yank=True, unyank=True), "DONE NEWVER")
    equal("version.as it was asked for", farm.rows("SELECT skip, yanked FROM versions WHERE version = '9.1'"),
          [["known bad", "t"]])
    equal("version.unskip", office.addver("goldimp", "9.1", unskip=True), "DONE UPDVER")
    equal("version.not PEP 440", office.addver("goldimp", "not a version!"), "DONE NEWVER")
    equal("version.in the queue", farm.rows(
        "SELECT version FROM piw.queue WHERE package = 'goldimp' ORDER BY version"),
        [["1.0"], ["9.0"], ["9.1"], ["not a version!"]])
    page = farm.www / "simple" / "goldimp" / "index.html"
    farm.wait("the page of a new package", page.exists, 10)


def test_removals(farm, office):
    for version in ("7.0", "8.0"):
        office.addver("goldimp", version)
    for name, said, wanted in (
            ("unknown package", office.rempkg("nopackage", True, "x"), "ERROR NOPKG"),
            ("unknown version", office.remver("goldimp", "99"), "ERROR NOVER"),
            ("version of an unknown package", office.remver("nopackage", "1"), "ERROR NOVER"),
            ("yank", office.remver("goldimp", "9.0", yank=True), "DONE YANKVER"),
            ("skip", office.remver("goldimp", "9.1", skip="no good"), "DONE SKIPVER"),
            ("skip and yank", office.remver("GoldImp", "1.0", skip="s", yank=True), "DONE YANKVER"),
            ("builds", office.remver("goldimp", "7.0", True), "DONE DELVERBLD"),
            ("all three", office.remver("goldimp", "7.0", True, "all three", True), "DONE DELVERBLD"),
            ("version", office.remver("goldimp", "8.0"), "DONE DELVER"),
            ("skip a package", office.rempkg("goldskipped", False, "skipping it"), "DONE SKIPPKG"),
            ("a package's builds", office.rempkg("goldskipped", True), "DONE DELPKGBLD"),
            ("skip and builds", office.rempkg("Gold-Skipped", True, "again"), "ERROR NOPKG"),
            ("skip and builds of a known one", office.rempkg("GoldSkipped", True, "again"), "DONE DELPKGBLD")):
        equal(f"removed.{name}", said, wanted)
    equal("removed.rows", farm.rows("SELECT version, skip, yanked FROM versions WHERE package = 'goldimp' ORDER BY 1"),
          [["1.0", "s", "t"], ["7.0", "all three", "t"], ["9.0", "", "t"], ["9.1", "no good", "t"],
           ["not a version!", "", "f"]])
    equal("removed.skip stays", farm.value("SELECT skip FROM packages WHERE package = 'goldskipped'"), "again")
    page = farm.www / "project" / "goldskipped" / "index.html"
    farm.wait("the page of the package", page.exists, 10)
    equal("removed.package", office.rempkg("goldskipped"), "DONE DELPKG")
    farm.wait("the page to go", lambda: not page.exists(), 10)
    equal("removed.package is gone", farm.rows("SELECT 1 FROM packages WHERE package = 'goldskipped'"), [])


def test_rebuild(farm, office):
    pages = [farm.www / "simple" / "goldimp" / "index.html", farm.www / "project" / "goldimp" / "index.html"]
    farm.wait("the pages", lambda: all(path.exists() for path in pages), 10)

    def rebuilt(name, said, changed):
        before = [path.stat().st_ino for path in pages]
        equal(name, office.say("REBUILD", *said), "DONE REBUILD")
        farm.wait(f"{name} in place", lambda: [path.stat().st_ino != ino for path, ino in zip(pages, before)] == changed, 10)

    farm.wait("quiet", lambda: not farm.rows("SELECT 1 FROM rewrites_pending"), 10)
    rebuilt("rebuild.project", ("PROJECT", "GoldImp"), [False, True])
    rebuilt("rebuild.both", ("BOTH", "goldimp"), [True, True])
    rebuilt("rebuild.all", ("BOTH", None), [True, True])
    rebuilt("rebuild.all projects", ("PROJECT", None), [False, True])
    equal("rebuild.home", office.say("REBUILD", "HOME"), "DONE REBUILD")
    equal("rebuild.search", office.say("REBUILD", "SEARCH"), "DONE REBUILD")
    equal("rebuild.unknown", office.say("REBUILD", "BOTH", "nopackage"), "ERROR unknown package nopackage")
    equal("rebuild.no name", office.say("REBUILD", "PROJECT", "../x"), "ERROR unknown package ../x")


TESTS = [test_packages, test_refusals, test_versions, test_removals, test_rebuild]


def main():
    only = sys.argv[1:]
    with farms.Farm() as farm:
        farm.task_options["mr_chase"] = {"silence": "1s"}
        farm.task_options["file_juggler"] = {"removals-every": "200ms"}
        farm.site_options["linger"] = "1s"
        farm.prepare()
        farm.start_postgres()
        farm.create_database(["cp39", "cp311"])
        farm.start_pypi()
        farm.start_master()
        office = Office(farm)
        for test in TESTS:
            if only and test.__name__ not in only:
                continue
            try:
                test(farm, office)
            except (farms.Failure, OSError, ValueError) as error:
                check(f"{test.__name__}.to its end", False, repr(error))
        if failures:
            farm.show_logs()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
