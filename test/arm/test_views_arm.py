#!/usr/bin/python3
"""Three kinds of machine on one master: a Pi with 32 bits, one with 64 (both emulated, from Python to ldd) and this machine. Each
has a view, builds a package in C for itself, and its pip installs what runs there. A package without code is built once, for all.

TEST-TIMEOUT: 1500
TEST-NEEDS: plain
"""

import json
import pathlib
import sys

for folder in ("system", "views"):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / folder))

# pylint: disable=wrong-import-position
import emulated
import kinds
from kinds import farms
from report import Report

ARMHF, ARM64, NATIVE = "bookworm-armhf", "bookworm-arm64", "native"
SETUP = """from setuptools import Extension, setup
setup(name="coded", version="1.0", ext_modules=[Extension("coded", ["module.c"])])
"""
MODULE = """#include <Python.h>
#if defined(__aarch64__)
#define MACHINE "aarch64"
#elif defined(__arm__)
#define MACHINE "armv7l"
#else
#define MACHINE "another"
#endif
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "coded", NULL, -1, NULL, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_coded(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddStringConstant(made, "machine", MACHINE) != 0)
        Py_CLEAR(made);
    return made;
}
"""
USE = "import platform, coded, plain; print(platform.machine(), coded.machine, plain.release)"


class Kind:
    """A view, the store its wheels lie in, and how a command is run on its machines."""

    def __init__(self, farm, view, abi, platform, says, guest=None):
        # pylint: disable=too-many-arguments,too-many-positional-arguments
        self.farm, self.view, self.abi, self.platform, self.says, self.guest = farm, view, abi, platform, says, guest
        self.wheel = f"coded-1.0-{abi}-{abi}-{platform}.whl"
        self.store = "simple" if view == ARMHF else f"{view}/simple"

    def settings(self):
        return {"abi": self.abi, "platform": self.platform, "os_name": "debian" if self.guest else "*"}

    def start_slave(self):
        return self.guest.start_slave(self.view) if self.guest else self.farm.start_slave(self.view, timeout="20m")

    def run(self, *command, env=None):
        if not self.guest:
            return self.farm.run(command, timeout=180, env=env)
        with self.guest.entered() as words:
            return self.farm.run([*words, *command], timeout=400, env=env)

    def listed(self, package):
        """What its index page links to: {name: address}."""
        page = self.farm.www / self.view / "simple" / package / "index.html"
        return kinds.links(page.read_text("utf-8")) if page.exists() else {}

    def install(self):
        """What its pip takes, {name: (address, hash)}, and what the modules say then."""
        target = self.farm.folder(f"installed-{self.view}")
        taken = target / "report.json"
        self.run("/usr/bin/python3", "-m", "pip", "install", "-q", "--no-cache-dir", "--no-deps", "--only-binary", ":all:",
                 "--report", taken, "--index-url", f"{self.farm.web_url}/{self.view}/simple/", "--target", target / "lib",
                 "coded", "plain")
        files = [item["download_info"] for item in json.loads(taken.read_text("utf-8"))["install"]]
        said = self.run("/usr/bin/python3", "-c", USE, env={"PYTHONPATH": str(target / "lib")}).stdout.strip()
        return {file["url"].rpartition("/")[2]: (file["url"], file["archive_info"]["hash"]) for file in files}, said


def build_pure(report, farm, every):
    """By the slave of the common view alone, as others have nothing of it to do afterwards."""
    slave = every[0].start_slave()
    farm.wait("the pure wheel", lambda: farm.rows("SELECT 1 FROM builds WHERE package = 'plain'"), timeout=600)
    report.check("views.the pure package is built", farm.value("SELECT status FROM builds") == "t", slave.text()[-600:])
    name = "plain-1.0-py3-none-any.whl"
    for kind in every:
        farm.wait(f"{name} for {kind.view}", lambda kind=kind: name in kind.listed("plain"), timeout=120)
        report.check(f"views.{kind.view} is offered it where it lies",
                     kind.listed("plain") == {name: f"../../../simple/plain/{name}"}, kind.listed("plain"))
    farm.wait("an empty queue", lambda: not farm.rows("SELECT abi_tag FROM piw.queue"))


def build_code(report, farm, every):
    farms.make_sdist(farm.dir / "pypi", "coded", "1.0", {"setup.py": SETUP, "module.c": MODULE})
    for kind in every[1:]:
        kind.start_slave()
    for kind in every:
        farm.wait(f"{kind.wheel} for {kind.view}", lambda kind=kind: kind.wheel in kind.listed("coded"), timeout=900)
    for kind in every:
        address = "../../../simple/coded/" if kind is every[0] else ""
        report.check(f"views.{kind.view} has its own wheel alone", kind.listed("coded") == {kind.wheel: address + kind.wheel},
                     kind.listed("coded"))
    farm.wait("an empty queue", lambda: not farm.rows("SELECT abi_tag FROM piw.queue"))
    built = farm.rows(f"SELECT '{ARMHF}', package, status FROM builds UNION ALL "
                      "SELECT view, package, status FROM piw.view_builds ORDER BY 2, 1")
    report.check("views.code is built for each, the pure package once", built == [
        *([view, "coded", "t"] for view in sorted(kind.view for kind in every)), [ARMHF, "plain", "t"]], built)


def install(report, farm, kind):
    """What runs there, from where it lies; bytes and modules say so."""
    plain = "plain-1.0-py3-none-any.whl"
    expected = {name: (f"{farm.web_url}/{store}/{name}", f"sha256={kinds.digest(farm.www / store / name)}")
                for store, name in ((f"{kind.store}/coded", kind.wheel), ("simple/plain", plain))}
    taken, said = kind.install()
    report.check(f"views.{kind.view}: pip takes what runs there", taken == expected, (taken, expected))
    report.check(f"views.{kind.view}: it is imported", said == kind.says, said)


def views(report):
    for machine in (emulated.ARMHF, emulated.ARM64):
        wrong = emulated.build(machine, "all")
        if not report.check(f"views.{machine.name} is built", wrong is None, wrong):
            return
    with farms.Farm() as farm:
        farm.prepare()
        guests = [emulated.Guest(farm, machine, emulated.root(machine, "builder"), inside=True)
                  for machine in (emulated.ARMHF, emulated.ARM64)]
        machine = kinds.machine()
        every = [Kind(farm, ARMHF, "cp311", "linux_armv7l", "armv7l armv7l any", guests[0]),
                 Kind(farm, ARM64, "cp311", "linux_aarch64", "aarch64 aarch64 any", guests[1]),
                 Kind(farm, NATIVE, farm.abi(), machine, f"{machine.removeprefix('linux_')} another any")]
        farm.views = {kind.view: kind.settings() for kind in every}
        farm.start_postgres()
        farm.create_database(abis=["cp311"])
        kinds.add_pure(farm, "plain")
        farm.start_pypi()
        farm.start_master()
        farm.start_web()
        build_pure(report, farm, every)
        build_code(report, farm, every)
        for kind in every:
            install(report, farm, kind)
        for slave in farm.slaves:
            report.check(f"views.the slave {slave.name} stops in order", farm.stop_process(slave) == 0, slave.text()[-300:])


Report().run(views)
