#!/usr/bin/python3
"""No name can be resolved for ten minutes, or MINUTES (environment), while three slaves build with pip: no failure becomes final, no
slave is put to sleep, and everything is built once names are there again. Needs root, who may mount another /etc/hosts.

TEST-TIMEOUT: 3600
TEST-NEEDS: plain
"""

import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

# pylint: disable=wrong-import-position
import machine
import score
from machine import check, farms

OUTAGE_S = 60 * float(os.environ.get("MINUTES") or 10)
BACK_S = 1800  # one that failed thrice, before it was seen that all do, rests for nine minutes
SLAVES, PACKAGES = 3, 12
SETUP = "from setuptools import setup\nsetup(name='{name}', version='1.0', py_modules=[])\n"


class Names:
    """The machine's names as this test's programs see them: pip lets an index be without TLS at localhost alone."""

    def __init__(self, farm):
        self.hosts, resolver = farm.dir / "hosts", farm.dir / "resolv.conf"
        self.there(True)
        resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", "ascii")  # nobody listens there
        for path, place in ((self.hosts, "/etc/hosts"), (resolver, "/etc/resolv.conf")):
            path.chmod(0o644)
            subprocess.run(["mount", "--bind", path, place], check=True)

    def there(self, are):
        self.hosts.write_text("127.0.0.1 localhost\n" if are else "", "ascii")


def add(farm, names):
    """PyPI has them, and the master hears of it: its own address of PyPI has no name in it."""
    for name in names:
        farms.make_sdist(farm.dir / "pypi", name, "1.0", {"setup.py": SETUP.format(name=name)})


def built(farm, pattern):
    return int(farm.value(f"SELECT count(*) FROM builds WHERE status AND package LIKE '{pattern}'"))


def failed(farm):
    return farm.rows("SELECT package FROM builds WHERE NOT status")


def test_outage(farm, names):
    before = [f"before{n}" for n in range(SLAVES)]
    add(farm, before)
    farm.wait("builds before", lambda: built(farm, "before%") == len(before), 300)
    names.there(False)
    start, began = len(farm.master.text()), time.monotonic()
    add(farm, [f"away{n:02}" for n in range(PACKAGES)])
    farm.wait("the end of the outage", lambda: failed(farm) or time.monotonic() - began >= OUTAGE_S, OUTAGE_S + 60)
    check("outage.no failure is final", not failed(farm), failed(farm))
    check("outage.nothing was built", built(farm, "away%") == 0, built(farm, "away%"))
    tries = farm.rows("SELECT cause, count(*) FROM piw.attempts WHERE state = 'transient' GROUP BY 1")
    check("outage.it was one", [row[0] for row in tries] == ["names could not be resolved"], tries)
    said = farm.master.text()[start:]
    check("outage.the farm says that it rests", "fail alike (names could not be resolved): nothing is given out" in said, said[-800:])
    names.there(True)
    began = time.monotonic()
    farm.wait("all builds", lambda: failed(farm) or built(farm, "away%") == PACKAGES, BACK_S)
    print(f"# {OUTAGE_S:.0f} s without names: {tries}; all was built {time.monotonic() - began:.0f} s after", flush=True)
    check("outage.all is built in the end", built(farm, "away%") == PACKAGES and not failed(farm), failed(farm))
    check("outage.no slave was put to sleep", "put to sleep" not in farm.master.text())


def main():
    if os.geteuid() != 0:
        print("skip outage - another /etc/hosts needs root", flush=True)
        return 0
    machine.own_mounts()
    if not os.environ.get("PIW_OWN_MOUNTS"):
        print("skip outage - nothing can be mounted here", flush=True)
        return 0
    with farms.Farm() as farm:
        try:
            farm.prepare()
            names = Names(farm)
            farm.start_postgres()
            farm.create_database()
            farm.start_pypi()
            farm.master_options += ["--pypi-simple", farm.pypi_url.replace("127.0.0.1", "localhost") + "/simple"]
            farm.start_master()
            for number in range(SLAVES):
                farm.start_slave(f"slave{number}")
            test_outage(farm, names)
        except (farms.Failure, OSError, subprocess.SubprocessError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
