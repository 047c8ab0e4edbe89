#!/usr/bin/python3
"""A slave whose interpreter has 32 bits under a kernel of 64, as on most Raspberry Pis: Debian's i386 Python, pip and build
backends on the kernel of this machine. What they build is published under a name that the pip there takes, or refused with the
reason in the log. test/arm/test_pi.py does the same with armhf ones.

TEST-TIMEOUT: 900
"""

import gzip
import re
import shutil
import subprocess
import sys
import zipfile

import farm as farms
import foreign_root
import score
from score import check, equal

PACKAGES = ("python3-pip", "libpython3.11-dev", "python3-hatchling", "python3-mesonpy")

SETUP = '''
from setuptools import Extension, setup
setup(name="@NAME@", version="1.0", ext_modules=[Extension("@MODULE@", ["module.c"])])
'''
MODULE = '''
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "@MODULE@", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_@MODULE@(void)
{
    PyObject *made = PyModule_Create(&module);
    PyModule_AddIntConstant(made, "bits", (int)sizeof(void *) * 8);
    return made;
}
'''

# A build backend that asks nobody but the kernel what its wheels are to be called.
STUBBORN = '''
import base64, hashlib, os, subprocess, sysconfig, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    machine, version = os.uname().machine, "@VERSION@"
    tags = "cp311-cp311-" + {"2.0": "manylinux_2_17_" + machine + ".manylinux2014_"}.get(version, "linux_") + machine
    info = "stubborn-" + version + ".dist-info"
    files = {info + "/METADATA": b"Metadata-Version: 2.1\\nName: stubborn\\nVersion: " + version.encode() + b"\\n",
             info + "/WHEEL": b"Wheel-Version: 1.0\\nRoot-Is-Purelib: false\\n" +
                 b"".join(b"Tag: cp311-cp311-" + tag.encode() + b"\\n" for tag in tags.split("-")[2].split("."))}
    if version != "3.0":
        command = sysconfig.get_config_var("CC") if "CC" not in os.environ else os.environ["CC"]
        subprocess.check_call([*command.split(), "-shared", "-fPIC", "-O1", "-I" + sysconfig.get_path("include"), "-o",
                               "stubborn.so", "module.c"])
        with open("stubborn.so", "rb") as file:
            files["stubborn.so"] = file.read()
    digest = lambda data: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    files[info + "/RECORD"] = ("".join(path + ",sha256=" + digest(data) + "," + str(len(data)) + "\\n"
                               for path, data in files.items()) + info + "/RECORD,,\\n").encode()
    name = "stubborn-" + version + "-" + tags + ".whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in files.items():
            wheel.writestr(path, data)
    return name
'''
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
# Debian has its backends as packages, not as wheels: they are reached where they lie.
BORROWED = 'import sys\nsys.path.append("@ROOT@/usr/lib/python3/dist-packages")\nfrom @BACKEND@ import *\n'

HATCH = PYPROJECT + '''
[project]
name = "hatched"
version = "1.0"
[tool.hatch.build.targets.wheel.hooks.custom]
[tool.hatch.build.targets.wheel]
packages = ["hatched"]
'''
HATCH_BUILD = '''
import os, subprocess, sysconfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

class Hook(BuildHookInterface):
    def initialize(self, version, build_data):
        command = os.environ.get("CC") or sysconfig.get_config_var("CC")
        subprocess.check_call([*command.split(), "-shared", "-fPIC", "-O1", "-I" + sysconfig.get_path("include"), "-o",
                               "hatched/native.so", "module.c"])
        build_data.update(infer_tag=True, pure_python=False, artifacts=["hatched/native.so"])

def get_build_hook():
    return Hook
'''
MESON = PYPROJECT + '''
[project]
name = "mesoned"
version = "1.0"
'''
MESON_BUILD = '''
project('mesoned', 'c', version: '1.0')
python = import('python').find_installation(pure: false)
python.extension_module('mesoned', 'module.c', install: true, include_directories: include_directories('@INCLUDE@'))
'''

UNAME = '''
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* For this process alone: compilers and shells of the machine itself can't load this library. */
__attribute__((constructor)) static void hide(void)
{
    unsetenv("LD_PRELOAD");
}

int uname(struct utsname *facts)
{
    long result = syscall(SYS_uname, facts);
    if (result == 0)
        strcpy(facts->machine, "@MACHINE@");
    return (int)result;
}
'''


def fill(text, **words):
    for key, value in words.items():
        text = text.replace(f"@{key}@", str(value))
    return text


class Board:
    """Where the interpreter runs that wheels are built for, and what they are to be called."""

    def __init__(self, name, arch, machine, own, triplet):
        self.name, self.arch, self.machine, self.own, self.triplet = name, arch, machine, own, triplet

    def lay(self, farm):
        """Its root in the farm's folder, with `python`, the command that a slave is given."""
        for tool in self.needs():
            if not shutil.which(tool):
                raise foreign_root.Missing(f"{tool} isn't installed")
        self.root = foreign_root.copy(foreign_root.unpack(f"python-{self.arch}", self.arch, PACKAGES), farm.dir / f"root-{self.arch}")
        self.python = self.root / "usr" / "bin" / "python"
        self.write(farm)
        farm.own(self.root)
        self.python.chmod(0o755)
        done = farm.run([self.python, "-c", "import os, struct; print(os.uname().machine, struct.calcsize('P'))"], check=False)
        if done.stdout.split() != [self.machine, "4"]:
            raise foreign_root.Missing(f"a 32-bit {self.arch} program can't be run here: {done.stdout}{done.stderr}")


class Pi(Board):
    def needs(self):
        return ("qemu-arm", "arm-linux-gnueabihf-gcc")

    def write(self, farm):
        source = farm.dir / "uname.c"
        source.write_text(fill(UNAME, MACHINE=self.machine))
        preload = self.root / "uname.so"
        subprocess.run(["arm-linux-gnueabihf-gcc", "-shared", "-fPIC", "-o", preload, source], check=True, timeout=60)
        preload.chmod(0o755)
        self.python.write_text(
            f"#!/bin/sh\nexport CPATH={self.root}/usr/include LIBRARY_PATH={self.root}/usr/lib/{self.triplet}\n"
            f'exec qemu-arm -L {self.root} -E LD_PRELOAD={preload} -0 "$0" {self.root}/usr/bin/python3.11 "$@"\n')


class OldPc(Board):
    """No emulator, no faked uname: the kernel says x86_64 by itself."""

    def needs(self):
        return ("gcc",)

    def write(self, farm):
        include = self.root / "usr" / "include"
        libraries = f"{self.root}/lib/{self.triplet}:{self.root}/usr/lib/{self.triplet}"
        self.python.write_text(
            f'#!/bin/sh\nexport CC="gcc -m32 -nostdlib" CPATH={include}/{self.triplet}:{include}\n'
            f'exec {self.root}/lib/ld-linux.so.2 --library-path {libraries} --argv0 "$0" {self.root}/usr/bin/python3.11 "$@"\n')


def add_packages(farm, board, full):
    pypi = farm.dir / "pypi"
    words = {"ROOT": board.root}
    made = []
    for version in ("1.0", "2.0", "3.0"):
        farms.make_sdist(pypi, "stubborn", version, {
            "pyproject.toml": PYPROJECT, "module.c": fill(MODULE, MODULE="stubborn"),
            "backend.py": fill(STUBBORN, VERSION=version, **words)})
        made.append(("stubborn", version))
    if not full:
        return made
    farms.make_sdist(pypi, "classic", "1.0", {"setup.py": fill(SETUP, NAME="classic", MODULE="classic"),
                                              "module.c": fill(MODULE, MODULE="classic")})
    farms.make_sdist(pypi, "hatched", "1.0", {
        "pyproject.toml": HATCH, "hatch_build.py": HATCH_BUILD, "hatched/__init__.py": "",
        "module.c": fill(MODULE, MODULE="native"), "backend.py": fill(BORROWED, BACKEND="hatchling.build", **words)})
    made += [("classic", "1.0"), ("hatched", "1.0")]
    return made


def log_of(farm, package, version):
    number = farm.value(f"SELECT max(build_id) FROM builds WHERE package = '{package}' AND version = '{version}'")
    if number is None:
        return ""
    digits = f"{int(number):012d}"
    path = farm.www / "logs" / digits[:4] / digits[4:8] / f"{digits[8:]}.txt.gz"
    return gzip.decompress(path.read_bytes()).decode("utf-8", "replace") if path.exists() else ""


def published(farm, package):
    return {path.name.split("-")[1]: path for path in (farm.www / "simple" / package).glob("*.whl") if path.is_file()}


def check_stubborn(farm, board):
    name = board.name
    wheels = published(farm, "stubborn")
    for version, kind in (("1.0", "linux"), ("2.0", "manylinux")):
        if not equal(f"{name}.{kind} of the kernel is renamed", wheels.get(version) and wheels[version].name,
                     f"stubborn-{version}-cp311-cp311-{board.own}.whl"):
            print("#", log_of(farm, "stubborn", version)[-1500:].replace("\n", "\n# "))
            continue
        with zipfile.ZipFile(wheels[version]) as wheel:
            check(f"{name}.{kind}.still a sound archive", wheel.testzip() is None)
            tags = re.findall(r"^Tag: (.*)$", wheel.read(f"stubborn-{version}.dist-info/WHEEL").decode(), re.MULTILINE)
        equal(f"{name}.{kind}.WHEEL says it too", set(tags), {f"cp311-cp311-{board.own}"})
        check(f"{name}.{kind}.the log says so", re.search(rf"stubborn-{version}\S+{board.machine}\.whl was renamed "
              rf"stubborn-{version}\S+{board.own}\.whl", log_of(farm, "stubborn", version)), log_of(farm, "stubborn", version)[-400:])
    check(f"{name}.without code it is refused", "3.0" not in wheels and "holds no code for" in log_of(farm, "stubborn", "3.0"),
          (wheels.get("3.0"), log_of(farm, "stubborn", "3.0")[-400:]))


def check_install(farm, board, *modules):
    """The pip of that machine takes them, and its interpreter loads them."""
    target = farm.dir / f"installed-{board.arch}"
    done = farm.run([board.python, "-m", "pip", "install", "--no-cache-dir", "--index-url", f"{farm.web_url}/simple/", "--no-deps",
                     "--only-binary", ":all:", "--target", target, "--progress-bar", "off", *modules], timeout=240, check=False)
    if not check(f"{board.name}.its pip installs them", done.returncode == 0, done.stderr[-600:]):
        return
    for module in modules:
        inside = "hatched.native" if module == "hatched" else module.split("=")[0]
        done = farm.run([board.python, "-c", f"import sys; sys.path.insert(0, '{target}'); import {inside} as m; print(m.bits)"],
                        check=False)
        equal(f"{board.name}.its interpreter loads {inside}", done.stdout.strip(), "32")


def test_board(board):
    with farms.Farm() as farm:
        farm.prepare()
        try:
            board.lay(farm)
        except foreign_root.Missing as missing:
            score.skip(f"{board.name}", missing)
            return
        wanted = add_packages(farm, board, not farms.SANITIZED)
        farm.start_postgres()
        farm.create_database(["cp311"])
        farm.start_pypi()
        farm.start_master()
        farm.start_web()
        farm.start_slave("board", "--sandbox", "no", python=board.python)  # the root folder of that machine is none of this one's
        farm.wait("all builds", lambda: int(farm.value("SELECT count(*) FROM builds")) >= len(wanted), timeout=600)
        check_stubborn(farm, board)
        modules = ["stubborn==1.0"]
        if not farms.SANITIZED:
            for package in ("classic", "hatched"):
                wheels = published(farm, package)
                good = equal(f"{board.name}.{package}", wheels.get("1.0") and wheels["1.0"].name,
                             f"{package}-1.0-cp311-cp311-{board.own}.whl")
                if not good:
                    print("#", log_of(farm, package, "1.0")[-1500:].replace("\n", "\n# "))
                modules += [package] if good else []
        pages = [farm.www / "simple" / module.split("=")[0] / "index.html" for module in modules]
        farm.wait("the pages", lambda: all(page.exists() and board.own in page.read_text() for page in pages))
        check_install(farm, board, *modules)


def run(*boards):
    for board in boards:
        try:
            test_board(board)
        except (farms.Failure, OSError, ValueError, subprocess.SubprocessError) as error:
            check(board.name, False, f"{type(error).__name__}: {error}")
    return score.code()


if __name__ == "__main__":
    sys.exit(run(OldPc("pc", "i386", "x86_64", "linux_i686", "i386-linux-gnu")))
