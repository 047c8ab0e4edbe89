#!/usr/bin/python3
"""A pure wheel is the common view's, whichever slave built it: it is in the common index and its rows in stock's tables, so that one
file covers all views. Also when the master dies on its way or the database is away, and when another was there first.

TEST-TIMEOUT: 240
"""

import hashlib
import os
import re
import signal
import subprocess
import sys

import farm as farms
import score
from score import check, equal
from test_faults import BACKEND, KINDS, PACKAGE, PYPROJECT, add_version, check_whole, killed
from test_outage import hold_rows
from test_views_queue import ctl, says
import wheels

COMMON, HERE, OTHER = "elsewhere", "here", "third"
WRITER = "the_oracle"
DEATHS = (("juggler.staged", "large"), ("driver.committed", "small"), ("driver.committed", "large"), ("juggler.rename", "small"),
          ("juggler.rename", "large"))
ABI = "cp39"  # the common view's: older than any of this machine


def wheel(version, py="py3"):
    return f"piwtest_quick-{version}-{py}-none-any.whl"


def waiting(farm):
    return farm.rows("SELECT version, abi_tag FROM piw.queue ORDER BY 1, 2")


def check_common(farm, name, version):
    """It is published once and whole, as the common view's, and does for all."""
    check_whole(farm, name, version)
    equal(f"{name}.its build is the common view's", farm.rows(
        f"SELECT abi_tag, status FROM builds WHERE version = '{version}'"), [[ABI, "t"]])
    equal(f"{name}.none of its own", farm.rows(f"SELECT view FROM piw.view_builds WHERE version = '{version}'"), [])
    check(f"{name}.no view has the file", not list(farm.www.glob(f"*/simple/*/{wheel(version)}*")))
    check(f"{name}.nothing waits", farm.wait("the queues", lambda: waiting(farm) == []), waiting(farm))
    link = f"../../../simple/{PACKAGE}/{wheel(version)}"
    check(f"{name}.every view's index leads to it", farm.wait("the indexes", lambda: all(
        (page := farm.www / view / "simple" / PACKAGE / "index.html").exists() and link in page.read_text("utf-8")
        for view in (COMMON, HERE, OTHER))))
    equal(f"{name}.check-queue", farm.rows("SELECT * FROM piw.check_queue()") + farm.rows("SELECT * FROM piw.check_totals()"), [])


def tries(farm, version):
    return farm.rows(f"SELECT abi_tag, state FROM piw.attempts WHERE version = '{version}' ORDER BY attempt_id")


def test_pure(farm):
    add_version(farm, "1.0")
    check_common(farm, "pure", "1.0")
    equal("pure.its try is its queue's, and over", tries(farm, "1.0"), [[HERE, "built"]])
    says(farm, "pure.why", "why", PACKAGE, "1.0", has=[f"{ABI}: built, build ", f"{HERE}: built, build ", f"{OTHER}: built, build "])
    says(farm, "pure.builds", "builds", has=[ABI], lacks=[HERE])


def test_own(farm):
    """What the common view's installers wouldn't take is the view's own."""
    own = farm.abi()
    farms.make_sdist(farm.dir / "pypi", PACKAGE, "1.1", {"pyproject.toml": PYPROJECT, "backend.py": BACKEND.replace(
        "@VERSION@", "1.1").replace("@SIZE@", "9").replace("@GATE@", "").replace("py3-none", f"{own}-none")})
    path = farm.www / HERE / "simple" / PACKAGE / wheel("1.1", own)
    check("own.in its store", farm.wait("the wheel", path.exists))
    equal("own.its build is its view's", farm.rows("SELECT view FROM piw.view_builds WHERE version = '1.1'"), [[HERE]])
    check("own.the others wait on", farm.wait("the queues", lambda: waiting(farm) == [["1.1", ABI]]), waiting(farm))
    farm.psql("UPDATE versions SET skip = 'done' WHERE version = '1.1'; SELECT piw.drain()")


def test_later(farm):
    """An operator's for the common view is first: it stays, and covers all the same."""
    gate, other = farm.folder("gates", 0o777) / "gate", farm.folder("other") / wheel("1.2")
    add_version(farm, "1.2", gate=gate)
    farm.wait("the build", gate.with_name("gate.reached").exists)
    other.write_bytes(wheels.make(other.name))
    farm.run([farm.program("piw-import"), "-c", farm.configuration(), "-y", "--import-queue", farm.socket("import"), "--file-queue",
              farm.socket("file"), "--abi", ABI, other])
    gate.touch()
    farm.wait("the end of the build", lambda: tries(farm, "1.2") == [[HERE, "built"]])
    farm.wait("its publishing", lambda: not farm.staged())
    equal("later.what was published stays", (farm.www / "simple" / PACKAGE / other.name).read_bytes(), other.read_bytes())
    equal("later.both are recorded, one has the file", farm.rows(
        "SELECT b.abi_tag, b.built_by = 0, f.filename FROM builds b LEFT JOIN files f USING (build_id) WHERE version = '1.2' ORDER BY 2"),
          [[ABI, "f", ""], [ABI, "t", other.name]])
    check("later.nothing waits", farm.wait("the queues", lambda: waiting(farm) == []), waiting(farm))
    says(farm, "later.why", "why", PACKAGE, "1.2", has=[f"{ABI}: built", f"{HERE}: built, build ", f"{OTHER}: built, build "])


def slave_of(farm, view):
    """One whose Python says that wheels are for the view's platform."""
    python = farm.folder("pythons", 0o755) / view
    python.write_text(f"#!/bin/sh\n_PYTHON_HOST_PLATFORM={farm.views[view]['platform'].replace('_', '-', 1)} exec {farms.PYTHON} \"$@\"\n",
                      encoding="ascii")
    python.chmod(0o755)
    return farm.start_slave(f"of-{view}", python=python)


def add_gated(farm, version):
    """A version whose builds wait, each for a gate of its own view, with a wheel that is staged; {view: gate} once both are there."""
    folder = farm.folder(f"gates/{version}", 0o777)
    backend = BACKEND.replace("@VERSION@", version).replace("@SIZE@", str(KINDS["large"])).replace("if GATE:", "if True:").replace(
        '"@GATE@"', f'"{folder}/" + __import__("sysconfig").get_platform()')
    farms.make_sdist(farm.dir / "pypi", PACKAGE, version, {"pyproject.toml": PYPROJECT, "backend.py": backend})
    gates = {view: folder / farm.views[view]["platform"].replace("_", "-", 1) for view in (HERE, OTHER)}
    farm.wait("both builds", lambda: all(gate.with_name(f"{gate.name}.reached").exists() for gate in gates.values()))
    return gates


def staged_wheels(farm):
    return len(list((farm.www / ".staging").rglob("*.whl")))


def in_turn(farm, gates):
    """The second is built after the first has been published; the first's wheel as it was then."""
    first, second = gates.values()
    first.touch()
    path = farm.www / "simple" / PACKAGE / wheel(first.parent.name)
    farm.wait("the first's wheel", path.exists)
    before = path.read_bytes(), path.stat().st_ino
    second.touch()
    return before


def at_once(farm, gates):
    """Both are built, checked and staged before either is recorded."""
    holder = farm.start_process("holder", ["/usr/bin/psql", "-X", "-h", farm.dir / "s", "-U", "postgres", "-d", "piwheels", "-c",
                                           "BEGIN; LOCK TABLE builds IN SHARE MODE; SELECT pg_sleep(600)"])
    holder.expected_end = True
    farm.wait("the lock", lambda: farm.value("SELECT count(*) FROM pg_locks WHERE granted AND mode = 'ShareLock' AND relation = 'builds'::regclass")
              != "0")
    for gate in gates.values():
        gate.touch()
    farm.wait("both staged", lambda: staged_wheels(farm) == 2 and farm.value(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'builds'::regclass") == "1")
    farm.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()")
    farm.stop_process(holder)


def under_way(farm, task):
    """What a task's line "waiting" says."""
    line = re.search(r"^waiting +(.*)$", ctl(farm, "info", task).stdout, re.MULTILINE).group(1)
    return {what: int(count) for count, what in re.findall(r"(\d+) ([a-z ]+)", line)}


def in_one_group(farm, gates):
    """Both wait for the writer, which records them in one transaction."""
    ctl(farm, "hold", WRITER)
    for gate in gates.values():
        gate.touch()
    farm.wait("both staged", lambda: staged_wheels(farm) == 2)
    # Their files are answered for, and each build's row is asked for.
    farm.wait("both at the writer", lambda: under_way(farm, "file_juggler")["deferred"] == 0 and under_way(farm, "slave_driver")["calls open"] >= 2
              and under_way(farm, "slave_driver")["in the mailbox"] == 0)
    ctl(farm, "release", WRITER)


def test_race(farm):
    """Two views' slaves build the same version at a time, to different bytes: what is published first stays, and does for all."""
    slave = slave_of(farm, OTHER)
    for number, race in enumerate((in_turn, at_once, in_one_group)):
        name, version = f"race.{race.__name__}", f"1.{number + 3}"
        begin = len(farm.master.text())
        before = race(farm, add_gated(farm, version))
        farm.wait("the end of both", lambda v=version: sorted(tries(farm, v)) == [[HERE, "built"], [OTHER, "built"]])
        farm.wait("their publishing", lambda: not farm.staged())
        path = farm.www / "simple" / PACKAGE / wheel(version)
        after = path.read_bytes(), path.stat().st_ino
        check(f"{name}.published once", before in (None, after), path.stat())
        rows = farm.rows("SELECT b.abi_tag, b.status, f.filename, f.filehash FROM builds b LEFT JOIN files f USING (build_id) "
                         f"WHERE version = '{version}' ORDER BY 3 DESC")
        equal(f"{name}.both are recorded, one has the file", rows, [[ABI, "t", "", ""], [ABI, "t", wheel(version), hashlib.sha256(after[0]).hexdigest()]])
        if race is in_one_group:
            equal(f"{name}.recorded in one transaction", farm.value(
                f"SELECT max(built_at) - min(built_at) = interval '1 microsecond' FROM builds WHERE version = '{version}'"), "t")
        check(f"{name}.the other is named", "gave other bytes for " + wheel(version) in farm.master.text()[begin:])
        check(f"{name}.no view has the file", not list(farm.www.glob(f"*/simple/*/{wheel(version)}*")))
        check(f"{name}.nothing waits", farm.wait("the queues", lambda: waiting(farm) == []), waiting(farm))
        says(farm, f"{name}.why", "why", PACKAGE, version, has=[f"{ABI}: built", f"{HERE}: built, build ", f"{OTHER}: built, build "])
        link = f"../../../simple/{PACKAGE}/{wheel(version)}"
        check(f"{name}.every view's index leads to it", farm.wait("the indexes", lambda: all(
            link in (farm.www / view / "simple" / PACKAGE / "index.html").read_text("utf-8") for view in (COMMON, HERE, OTHER))))
        equal(f"{name}.check-queue", farm.rows("SELECT * FROM piw.check_queue()") + farm.rows("SELECT * FROM piw.check_totals()"), [])
    farm.stop_process(slave)
    done = farm.run([farm.program("piw-audit"), "-c", farm.configuration(), "-d", farm.dsn(), "-o", farm.www, "--import-queue",
                     farm.socket("import"), "--restart", "--settle", "1s", "--patience", "20s"], timeout=120, check=False)
    check("race.piw-audit finds nothing", done.returncode == 0, done.stdout[-1500:] + done.stderr[-500:])


def test_deaths(farm):
    """The master dies at a step of the way."""
    for number, (point, kind) in enumerate(DEATHS):
        farm.stop_process(farm.master)
        farm.start_master(faults=f"{point}=kill")
        add_version(farm, f"2.{number}", KINDS[kind])
        equal(f"{point}.{kind}.killed", killed(farm), -signal.SIGKILL)
        farm.restart_master()
        check_common(farm, f"{point}.{kind}", f"2.{number}")


def test_sealed(farm):
    """The database takes nothing for a while, and the master dies meanwhile."""
    farm.stop_process(farm.master)
    farm.task_options["slave_driver"] = {"seal-after": "1s"}
    farm.start_master()
    for version, kind in (("3.0", "small"), ("3.1", "large")):
        seal(farm, f"sealed.{kind}", version, KINDS[kind])
        farm.start_slave()


def seal(farm, name, version, size):
    start = len(farm.master.text())
    add_version(farm, version, size)
    holder = hold_rows(farm)
    farm.wait_log(farm.master, r" is sealed: ", start=start)
    farm.stop_process(farm.slaves.pop())  # it would be given the version once more before the next master has recorded the build
    farm.master.expected_end = True
    farm.master.kill()
    farm.forget(farm.master)
    farm.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()")
    farm.stop_process(holder)
    farm.restart_master()
    check_common(farm, name, version)


def test_nothing(farm):
    """Should such a build come to nothing that runs on its own view's machines, it isn't tried again."""
    farm.psql("INSERT INTO packages (package) VALUES ('odd'); INSERT INTO versions (package, version) VALUES ('odd', '1.0'); SELECT piw.drain()")
    equal("nothing.recorded", farm.rows(
        f"SELECT recorded FROM piw.record_builds('{{9000}}', '{{1}}', '{{odd}}', '{{1.0}}', '{{{ABI}}}', '{{t}}', '{{1000}}', '{{}}', '{{}}', "
        "'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', NULL, '{" + HERE + "}'); "), [["t"]])
    farm.psql("SELECT piw.drain()")
    equal("nothing.its view has had its build", farm.rows("SELECT abi_tag FROM piw.queue WHERE package = 'odd'"), [[OTHER]])
    farm.psql("DELETE FROM packages WHERE package = 'odd'; SELECT piw.drain()")
    equal("nothing.it goes with its version", farm.rows("SELECT view FROM piw.view_builds WHERE package = 'odd'"), [])


def test_gone(farm):
    """The way back to stock: what its tables say is all there."""
    farm.stop_process(farm.master)
    farm.psql("DROP SCHEMA piw CASCADE")
    rows = farm.rows(f"SELECT filename FROM files JOIN builds USING (build_id) WHERE package = '{PACKAGE}' ORDER BY 1")
    equal("gone.stock's tables have the wheels", rows, [[wheel(version)] for version in (
        "1.0", "1.2", "1.3", "1.4", "1.5", *(f"2.{number}" for number in range(len(DEATHS))), "3.0", "3.1")])
    check("gone.and the site", all((farm.www / "simple" / PACKAGE / name).exists() for name, in rows))


def main():
    with farms.Farm() as farm:
        try:
            farm.prepare()
            farm.start_postgres()
            farm.create_database(abis=[ABI])
            farm.start_pypi()
            platform = f"linux_{os.uname().machine}"
            farm.views = {COMMON: {"abi": ABI, "platform": "linux_armv7l"}, HERE: {"abi": farm.abi(), "platform": platform},
                          OTHER: {"abi": farm.abi(), "platform": "linux_riscv64"}}
            farm.slave_options = ["--sandbox", "no"]  # builds wait for a file of the test
            farm.start_master()
            farm.start_slave()
            for test in (test_pure, test_own, test_later, test_race, test_deaths, test_sealed, test_nothing, test_gone):
                test(farm)
        except (farms.Failure, subprocess.SubprocessError, OSError) as error:
            check("the farm", False, error)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
