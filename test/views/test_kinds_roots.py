#!/usr/bin/python3
"""The collision itself: one source, built on Debian 12 and in a root of Debian 13, gives two wheels of one name, of which the newer one
can't be loaded on Debian 12 (GLIBC_2.38). Both are kept, each system's pip gets and imports its own, and the common index stays on
the first.

Debian 12 is this machine. The root of Debian 13 comes from debootstrap and is kept in build/roots/ for the next run.

TEST-TIMEOUT: 1200
TEST-NEEDS: plain
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
import kinds
from kinds import NEW, OLD, farms
import one_maker
import score
from score import check, equal

KEPT = farms.ROOT / "build" / "roots" / "trixie"
DEBIAN = "python3-pip,python3-dev,python3-setuptools,python3-wheel,gcc,libc6-dev"
NAME = f"both-1.0-cp311-abi3-{kinds.machine()}.whl"
SETUP = """from setuptools import Extension, setup
setup(name="both", version="1.0", options={"bdist_wheel": {"py_limited_api": "cp311"}},
      ext_modules=[Extension("both", ["module.c"], define_macros=[("Py_LIMITED_API", "0x030b0000")], py_limited_api=True)])
"""
# Newer headers make of strtol a function that glibc has since 2.38.
MODULE = """#define _GNU_SOURCE
#include <Python.h>
#include <stdlib.h>
#include <gnu/libc-version.h>
static PyObject *built(PyObject *self, PyObject *text)
{ (void)self; return PyUnicode_FromFormat("%d.%d:%ld", __GLIBC__, __GLIBC_MINOR__, strtol(PyUnicode_AsUTF8AndSize(text, NULL), NULL, 10)); }
static PyMethodDef methods[] = {{"built", built, METH_O, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "both", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_both(void) { return PyModule_Create(&module); }
"""
ENTER = ('root=$0; top=$1; shift; mkdir -p "$root$top" && mount --bind "$top" "$root$top" && mount -t proc proc "$root/proc" && '
         'mount --rbind /dev "$root/dev" && exec chroot "$root" "$@"')


class Missing(Exception):
    """What this machine hasn't: the reason of a skip."""


def make_root():
    if os.geteuid() != 0:
        raise Missing("a root of another release wants root")
    if 'VERSION_ID="12"' not in pathlib.Path("/etc/os-release").read_text("utf-8"):
        raise Missing("this machine isn't Debian 12")
    with one_maker.alone(KEPT.parent):
        if not KEPT.is_dir():
            if not shutil.which("debootstrap"):
                raise Missing("there is no debootstrap")
            part = KEPT.with_name("trixie.part")
            wrong = one_maker.debian("trixie", part, f"--include={DEBIAN}", timeout=900)
            if wrong:
                raise Missing(f"debootstrap failed: {wrong}")
            part.rename(KEPT)
    return KEPT


def inside(farm, root):
    """What a command of the farm's begins with so that it runs in the root, as the farm's user. Mounts go with it."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, str(root), str(farm.dir), *farm.drop]


def own_libraries(farm):
    """What our programs need of this machine beside glibc, where they find it in the root, too."""
    folder = farm.folder("libraries")
    said = subprocess.run(["ldd", farm.program("piw-slave"), farm.dir / "inst/lib/libpiw.so"], capture_output=True, text=True,
                          check=False).stdout
    for name, path in re.findall(r"(\S+) => (/\S+)", said):
        if not name.startswith(("libc.", "libm.", "libpthread.", "libdl.", "librt.", "libresolv.", "ld-", "libpiw")):
            shutil.copy(path, folder / name)
            (folder / name).chmod(0o644)
    return folder


def start_in_root(farm, root):
    drop, farm.drop = farm.drop, inside(farm, root)
    try:
        return farm.start_slave("new", python="/usr/bin/python3", env={"LD_LIBRARY_PATH": str(own_libraries(farm))})
    finally:
        farm.drop = drop


def run_in_root(farm, root, *command):
    return subprocess.run([*inside(farm, root), *map(str, command)], env=farm.env, cwd=farm.dir, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=180, check=False)


def install_and_import(farm, run, index, target):
    """What the module says of itself, and the hash of the wheel that pip took."""
    folder = farm.folder(f"tmp/{target}", 0o777)
    pip = ["/usr/bin/python3", "-m", "pip", "--no-cache-dir", "-q"]
    source = ["--only-binary", ":all:", "--index-url", f"{farm.web_url}/{index}/"]
    for words in (["download", "--no-deps", "-d", folder], ["install", "--target", folder / "lib"]):
        done = run(*pip, *words, *source, "both")
        if done.returncode != 0:
            raise farms.Failure(f"pip {words[0]} from {index}: {done.stderr[-500:]}")
    done = run("/usr/bin/python3", "-c", f"import sys; sys.path.insert(0, '{folder}/lib'); import both; print(both.built('7'))")
    return done.stdout.strip() or done.stderr.strip(), kinds.digest(folder / NAME)


def story(farm, root):
    here = lambda *command: farm.run(command, check=False, timeout=180)
    there = lambda *command: run_in_root(farm, root, *command)
    farms.make_sdist(farm.dir / "pypi", "both", "1.0", {"setup.py": SETUP, "module.c": MODULE})
    farm.start_slave("old")
    farm.wait("the common index", lambda: (farm.www / "simple/both" / NAME).exists(), timeout=120)
    before = kinds.digest(farm.www / "simple/both" / NAME)
    start_in_root(farm, root)
    farm.wait("Debian 13's wheel", lambda: NAME in kinds.index_of(farm, NEW, "both")
              and (farm.www / NEW / "simple/both" / NAME).exists(), timeout=180)
    equal("both wheels are kept, the common index is on the first", kinds.digest(farm.www / "simple/both" / NAME), before)
    old = install_and_import(farm, here, "simple", "common")
    first = install_and_import(farm, here, f"{OLD}/simple", "old")
    new = install_and_import(farm, there, f"{NEW}/simple", "new")
    check("Debian 12's pip gets and imports its own", first[0].startswith("2.36:7") and old == first, (old, first))
    check("Debian 13's pip gets and imports its own", new[0].startswith("2.41:7"), new)
    check("one name, two hashes", new[1] != first[1], (new, first))
    wrong, _ = install_and_import(farm, here, f"{NEW}/simple", "wrong")
    check("what would be loaded without views can't be", "GLIBC_2.38" in wrong, wrong)
    needs = farm.value(f"SELECT needs FROM piw.file_needs WHERE view = '{NEW}' AND filename = '{NAME}'")
    check("and the farm knows why", needs and "GLIBC_2.38" in needs, needs)
    equal("so that it isn't listed for Debian 12", kinds.index_of(farm, OLD, "both"),
          {NAME: f"../../../simple/both/{NAME}"})


def main():
    try:
        kept = make_root()
    except Missing as missing:
        score.skip("the collision", str(missing))
        return 0
    with farms.Farm() as farm:
        try:
            root = farm.dir / "trixie"
            subprocess.run(["cp", "-a", "--reflink=auto", kept, root], check=True, timeout=300)
            farm.views = {OLD: {"abi": farm.abi(), "platform": kinds.machine(), "os_name": "debian", "os_version": "12"},
                          NEW: {"abi": "cp313", "platform": kinds.machine(), "os_name": "debian", "os_version": "13"}}
            farm.prepare()
            farm.start_postgres()
            farm.create_database()
            farm.start_pypi()
            farm.start_master()
            farm.start_web()
            story(farm, root)
        except (farms.Failure, subprocess.SubprocessError, OSError) as error:
            check("the farm", False, error)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
