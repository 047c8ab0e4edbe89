#!/usr/bin/python3
"""An operator's day with piw-add, piw-import, piw-remove and piw-rebuild on a running farm without slaves: wheels that were
built elsewhere come in, can be installed, change, and go; in both encodings.

TEST-TIMEOUT: 300
"""

import os
import re
import sys

import clerk
import farm as farms
import score
import wheels
check, equal = score.check, score.equal


class Office(clerk.World):
    """The four programs towards the farm's own master."""

    def __init__(self, farm):
        # No sockets of a stand-in: the master has its own.
        self.farm, self.dir = farm, farm.folder("import")  # pylint: disable=super-init-not-called

    def good(self, name, program, *args, says="", codec="msgpack"):
        code, out, err = self.run(program, "-y", *args, codec=codec).end(60)
        return check(name, code == 0 and re.search(says, out) and err == "", (code, out, err))

    def bad(self, name, program, *args, says):
        code, out, err = self.run(program, "-y", *args, codec="msgpack").end(60)
        return check(name, code == 1 and len(err.splitlines()) == 1 and re.search(says, err), (code, out, err))

    def index(self, package):
        path = self.farm.www / "simple" / package / "index.html"
        return path.read_text("utf-8") if path.exists() else ""

    def files(self, package):
        return sorted(path.name for path in (self.farm.www / "simple" / package).glob("*.whl"))

    def wait(self, name, condition):
        try:
            self.farm.wait(name, condition)
            check(name, True)
        except farms.Failure as failure:
            check(name, False, failure)


def built_elsewhere(office, *requirements):
    """Wheels made by pip from the source packages of test/sdists, in order of the packages."""
    farm = office.farm
    folder = farm.folder("import/built")
    farm.run([farms.PYTHON, "-m", "pip", "wheel", "--no-deps", "--no-binary", ",".join(r.split("=")[0] for r in requirements),
              "--no-cache-dir", "--index-url", f"{farm.pypi_url}/simple", "--wheel-dir", folder, *requirements], timeout=180)
    return sorted(folder.glob("*.whl"), key=lambda path: path.name.lower().replace(".", "_"))


def test_import(office):
    """A wheel of each kind, from pip's hands to pip's hands."""
    farm = office.farm
    farm.wait("the samples from PyPI", lambda: len(farm.rows(
        "SELECT 1 FROM versions WHERE (package, version) IN (('piwdemo-cext', '0.3'), ('piwdemo-pure', '1.0'))")) == 2)
    cext, pure = built_elsewhere(office, "piwdemo-cext==0.3", "piwdemo-pure==1.0")
    (office.dir / "needs").write_text("libpiwdemo1\n", "utf-8")
    (office.dir / "log").write_text("made by hand\n", "utf-8")
    office.good("import.cext", "piw-import", "--dependencies", "needs", "--output", "log", "--duration", "1m5s", "--delete", cext,
                says="build of piwdemo-cext 0.3 was imported")
    office.good("import.pure", "piw-import", "--abi", farm.abi(), pure, says="was imported", codec="cbor")
    check("import.deleted", not cext.exists() and pure.exists(), os.listdir(cext.parent))
    rows = farm.rows("SELECT b.package, b.version, b.abi_tag, b.status, b.built_by, extract(epoch FROM duration)::int, f.filename "
                     "FROM builds b JOIN files f USING (build_id) ORDER BY 1")
    equal("import.rows", rows, [["piwdemo-cext", "0.3", farm.abi(), "t", "0", "65", cext.name],
                                ["piwdemo-pure", "1.0", farm.abi(), "t", "0", "0", pure.name]])
    equal("import.dependencies", farm.rows("SELECT tool, dependency FROM dependencies ORDER BY 1"),
          [["apt", "libpiwdemo1"], ["pip", "piwdemo-cext"]])
    for package, wheel in (("piwdemo-cext", cext), ("piwdemo-pure", pure)):
        office.wait(f"import.index of {package}", lambda p=package, w=wheel: w.name in office.index(p))
    log = farm.get("/logs/0000/0000/%04d.txt" % int(farm.value("SELECT build_id FROM builds WHERE package = 'piwdemo-cext'")))
    equal("import.log", (log[0], log[2]), (200, b"made by hand\n"))
    farm.pip_install(farm.dir / "target", "Piwdemo.Pure")  # as METADATA has it: Debian 12's pip insists
    check("import.installed", list((farm.dir / "target").glob("piwdemo_pure*")) and
          list((farm.dir / "target").glob("piwdemo_cext*.so")), os.listdir(farm.dir / "target"))

    office.bad("import.unknown version", "piw-import", "--package-version", "99", "--abi", farm.abi(), pure,
               says="the master refuses: unknown package version piwdemo-pure 99")
    office.bad("import.unknown abi", "piw-import", "--abi", "cp27", "--delete", pure, says="the master refuses: invalid ABI: cp27")
    check("import.kept", pure.exists())


def test_add(office):
    farm = office.farm
    office.bad("add.version first", "piw-add", "piwtest-hand", "1.0", says="the package is unknown to the master; add it first")
    office.good("add.package", "piw-add", "Piwtest.Hand", "-d", "By hand", "-a", "piwtest_hand", says="Piwtest.Hand was added")
    office.good("add.again", "piw-add", "Piwtest.Hand", "-d", "By two hands", says="known already", codec="cbor")
    equal("add.row", farm.rows("SELECT skip, description FROM packages WHERE package = 'piwtest-hand'"), [["", "By two hands"]])
    equal("add.names", sorted(row[0] for row in farm.rows("SELECT name FROM package_names WHERE package = 'piwtest-hand'")),
          ["Piwtest.Hand", "piwtest-hand", "piwtest_hand"])
    office.good("add.version", "piw-add", "piwtest-hand", "1.0", "-r", "2024-03-01 12:34:56", says="version 1.0 .* was added")
    office.good("add.skipped version", "piw-add", "piwtest-hand", "2.0", "-s", "known bad", "--yank", codec="cbor")
    office.good("add.unskip", "piw-add", "piwtest-hand", "2.0", "--unskip", "--unyank", says="known already")
    office.good("add.skipped version", "piw-add", "piwtest-hand", "3.0", "-s", "known bad")
    equal("add.versions", farm.rows("SELECT version, skip, yanked, released = '2024-03-01 12:34:56', released > now() - "
                                    "interval '1 day' FROM versions WHERE package = 'piwtest-hand' ORDER BY 1"),
          [["1.0", "", "f", "t", "f"], ["2.0", "", "f", "f", "t"], ["3.0", "known bad", "f", "f", "t"]])
    office.bad("add.skip known", "piw-add", "piwtest-hand", "1.0", "-s", "x", says="use piw-remove --skip")
    office.bad("add.yank known", "piw-add", "piwtest-hand", "1.0", "--yank", says="use piw-remove --yank")
    office.bad("add.skip known package", "piw-add", "piwtest-hand", "-d", "x", "-s", "x", says="use piw-remove --skip")
    office.good("add.from PyPI", "piw-add", "piwdemo-pure", "--pypi-json", f"{farm.pypi_url}/pypi", says="known already")


def test_replace(office):
    """An import of a published name takes its place; two wheels in one build; two imports at once."""
    farm = office.farm
    name = "piwtest_hand-1.0-py3-none-any.whl"
    first, second = wheels.make(name), wheels.make(name, 4000000)
    for content in (first, second):
        office.write(name, content)
        office.good(f"replace.{len(content)}", "piw-import", "--abi", farm.abi(), name)
        office.wait(f"replace.{len(content)}.published", lambda c=content: wheels.sha256(c) in office.index("piwtest-hand"))
        equal(f"replace.{len(content)}.bytes", wheels.sha256((farm.www / "simple/piwtest-hand" / name).read_bytes()),
              wheels.sha256(content))
    equal("replace.rows", farm.rows("SELECT filesize FROM files WHERE package_tag = 'piwtest_hand'"), [[str(len(second))]])

    several = [office.wheel(f"piwtest_hand-2.0-{tag}.whl", 300000) for tag in ("py3-none-any", "cp311-cp311-linux_armv7l")]
    other = office.wheel("piwtest_hand-1.0-2-py3-none-any.whl", 3000000)
    running = [office.run("piw-import", "-y", "--abi", farm.abi(), *[path.name for path in paths], codec=codec)
               for paths, codec in ((several, "msgpack"), ([other], "cbor"), (several, "msgpack"))]
    for number, program in enumerate(running):
        code, out, err = program.end(60)
        check(f"replace.at once.{number}", code == 0 and "was imported" in out, (code, out, err))
    office.wait("replace.all files", lambda: set(office.files("piwtest-hand")) >= {path.name for path in [*several, other]})
    office.wait("replace.pages", lambda: (farm.www / "project/piwtest-hand/index.html").exists())
    office.wait("replace.armv6l", lambda: "piwtest_hand-2.0-cp311-cp311-linux_armv6l.whl" in office.files("piwtest-hand"))


def page_is_written(office, name, path, *command):
    """The page appears again after the command."""
    page = office.farm.www / path
    page.unlink()
    office.good(f"rebuild.{name}", "piw-rebuild", *command, says="will be written anew")
    office.wait(f"rebuild.{name}.written", page.exists)


def test_rebuild(office):
    page_is_written(office, "project", "project/piwtest-hand/index.html", "project", "Piwtest.Hand")
    page_is_written(office, "index", "simple/piwtest-hand/index.html", "index", "piwtest-hand")
    page_is_written(office, "all projects", "project/piwdemo-pure/index.html", "project")
    page_is_written(office, "all indexes", "simple/piwdemo-pure/index.html", "index")
    page = office.farm.www / "project" / "piwdemo-pure" / "index.html"
    page.unlink()
    office.good("rebuild.all, waited for", "piw-rebuild", "--wait", "project", says="will be written anew\nthey are written")
    check("rebuild.all, waited for: it is there", page.exists())
    page_is_written(office, "home", "index.html", "home")
    office.good("rebuild.search", "piw-rebuild", "search", says="will be written anew")
    office.bad("rebuild.unknown", "piw-rebuild", "project", "piwtest-absent", says="the master refuses: unknown package piwtest-absent")


def test_remove(office):
    farm = office.farm
    versions = lambda: dict(farm.rows("SELECT version, skip || yanked FROM versions WHERE package = 'piwtest-hand'"))
    builds = lambda version: len(farm.rows(f"SELECT 1 FROM builds WHERE package = 'piwtest-hand' AND version = '{version}'"))
    office.bad("remove.unknown", "piw-remove", "piwtest-absent", says="package piwtest-absent is unknown")
    office.bad("remove.unknown version", "piw-remove", "piwtest-hand", "99", says="version 99 of piwtest-hand is unknown")
    office.good("remove.yank", "piw-remove", "Piwtest.Hand", "1.0", "--yank", says="was yanked")
    office.wait("remove.yank on the page", lambda: "data-yanked" in office.index("piwtest-hand"))
    office.good("remove.skip", "piw-remove", "piwtest-hand", "1.0", "-s", "no good", says="not be built", codec="cbor")
    equal("remove.skipped", (versions()["1.0"], builds("1.0") > 0), ("no goodtrue", True))
    check("remove.skip keeps files", "piwtest_hand-1.0-" in office.index("piwtest-hand"), office.index("piwtest-hand"))
    office.good("remove.builds", "piw-remove", "piwtest-hand", "1.0", "-b", says="has no builds")
    equal("remove.no builds", (versions()["1.0"], builds("1.0")), ("no goodtrue", 0))
    office.wait("remove.builds off the page", lambda: "piwtest_hand-1.0-" not in office.index("piwtest-hand"))
    office.good("remove.version", "piw-remove", "piwtest-hand", "2.0", says="was removed")
    equal("remove.versions left", sorted(versions()), ["1.0", "3.0"])
    office.wait("remove.version off the page", lambda: "piwtest_hand-2.0-" not in office.index("piwtest-hand"))
    office.good("remove.package", "piw-remove", "Piwtest.Hand", says="was removed", codec="cbor")
    equal("remove.no rows", farm.rows("SELECT 1 FROM packages WHERE package = 'piwtest-hand'"), [])
    office.wait("remove.no pages", lambda: not (farm.www / "project/piwtest-hand/index.html").exists() and
                not office.index("piwtest-hand"))
    office.wait("remove.off the list", lambda: "piwtest-hand" not in
                (farm.www / "simple/index.html").read_text("utf-8"))
    office.good("remove.package skip", "piw-remove", "piwdemo-cext", "-s", "not here", says="not be built")
    equal("remove.package skipped", farm.value("SELECT skip FROM packages WHERE package = 'piwdemo-cext'"), "not here")
    farm.pip_install(farm.dir / "target2", "Piwdemo.Pure")
    check("remove.others stay", list((farm.dir / "target2").glob("piwdemo_pure*")), "")


def test_outages(office):
    """The database goes and comes back, then the master."""
    farm = office.farm
    postgres = next(process for process in farm.processes if process.name == "postgres")
    farm.stop_process(postgres)
    log = office.dir / "remove.log"
    running = office.run("piw-remove", "-y", "-l", log, "piwdemo-pure", "-s", "later", codec="msgpack")
    farm.wait("piw-remove says that it waits", lambda: log.exists() and "no answer yet" in log.read_text("utf-8"))
    farm.start_postgres()
    code, out, err = running.end(60)
    check("outage.database", code == 0 and "not be built" in out and len(err.splitlines()) == 1, (code, out, err))
    equal("outage.done once it is back", farm.value("SELECT skip FROM packages WHERE package = 'piwdemo-pure'"), "later")
    farm.stop_process(farm.master)
    office.bad("outage.no master", "piw-remove", "piwdemo-pure", says="no master listens")
    farm.start_master()
    office.good("outage.again", "piw-rebuild", "home", says="will be written anew")


def main():
    with farms.Farm() as farm:
        farm.add_samples("piwdemo-cext", "piwdemo-pure")
        farm.start(slaves=0)
        return score.run((test_import, test_add, test_replace, test_rebuild, test_remove, test_outages), Office(farm))


if __name__ == "__main__":
    sys.exit(main())
