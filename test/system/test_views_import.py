#!/usr/bin/python3
"""What an operator imports for a view: a wheel for linux_armv7l brings its second entry and takes it away, as in the common index, and
every name has the bytes that its row and its page say.

TEST-TIMEOUT: 120
"""

import subprocess
import sys

import farm as farms
import score
from score import check, equal
from test_import import elf_for_armv7, Importer, make, Office
import wheels

COMMON, VIEW = "elsewhere", "bookworm-armhf"
PACKAGE = "goldimp"


def name(version, platform):
    return f"{PACKAGE}-{version}-cp311-cp311-{platform}.whl"


def bring(farm, what, version, files):
    equal(f"{what}.is imported", Importer(farm, PACKAGE, version, files, abi=VIEW).run(), "DONE IMPORT")
    farm.wait("its publishing", lambda: not farm.staged())


def page_of(folder):
    try:
        return (folder / "index.html").read_text("utf-8")
    except FileNotFoundError:
        return ""


def same(farm, what, wanted):
    """What the rows, the page and the folder of the view's store have: {name: bytes}; nothing of it is another's."""
    digests = {file: wheels.sha256(data) for file, data in wanted.items()}
    equal(f"{what}.rows", dict(farm.rows(f"SELECT filename, filehash FROM piw.view_files WHERE view = '{VIEW}'")), digests)
    folder = farm.www / VIEW / "simple" / PACKAGE
    check(f"{what}.files", farm.wait("the files", lambda: {p.name: p.read_bytes() for p in folder.glob("*.whl")} == wanted, 15))
    listed = [f'href="{file}#sha256={digest}"' for file, digest in digests.items()]
    check(f"{what}.page", farm.wait("the page", lambda: all(link in (text := page_of(folder)) for link in listed)
                                    and text.count("<a ") == len(listed), 15))
    check(f"{what}.metadata", all((folder / f"{file}.metadata").exists() for file in wanted))


def test_second(farm):
    """The second entry of a wheel for linux_armv7l is another name of the same bytes."""
    v6, v7 = name("2.0", "linux_armv6l"), name("2.0", "linux_armv7l")
    for what, size in (("second", 0), ("large second", 80_000)):
        wheel = make(v7, size=size)
        bring(farm, what, "2.0", wheel)
        same(farm, what, {v7: wheel[v7], v6: wheel[v7]})
        other = make(v7, size=size, members={"more.py": b"more = 1\n"})
        bring(farm, f"{what} replaced", "2.0", other)
        same(farm, f"{what} replaced", {v7: other[v7], v6: other[v7]})
        native = make(v7, size=size, members={"native.so": elf_for_armv7()})
        bring(farm, f"{what} gone", "2.0", native)
        same(farm, f"{what} gone", native)


def test_own(farm):
    """A wheel for linux_armv6l isn't replaced by a second entry."""
    v6, v7 = name("3.0", "linux_armv6l"), name("3.0", "linux_armv7l")
    farm.psql(f"DELETE FROM versions WHERE package = '{PACKAGE}' AND version = '2.0'")
    own, wheel = make(v6, members={"real.py": b"real = 1\n"}), make(v7)
    bring(farm, "own", "3.0", own)
    bring(farm, "beside", "3.0", wheel)
    same(farm, "own stays", {**own, **wheel})
    own = make(v6, members={"real.py": b"real = 2\n"})
    bring(farm, "own again", "3.0", own)
    same(farm, "own again", {**own, **wheel})


def main():
    with farms.Farm() as farm:
        try:
            farm.site_options["linger"] = "0s"
            farm.task_options["file_juggler"] = {"removals-every": "500ms"}
            farm.views = {COMMON: {"abi": "cp39", "platform": "linux_x86_64"},
                          VIEW: {"abi": "cp311", "platform": "linux_armv7l, linux_armv6l"}}
            farm.prepare()
            farm.start_postgres()
            farm.create_database(abis=["cp39"])
            farm.start_master()
            office = Office(farm)
            office.addpkg(PACKAGE)
            for version in ("2.0", "3.0"):
                office.addver(PACKAGE, version)
            for test in (test_second, test_own):
                test(farm)
        except (farms.Failure, subprocess.SubprocessError, OSError) as error:
            check("the farm", False, error)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
