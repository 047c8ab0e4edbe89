#!/usr/bin/python3
"""One master to a database: a second one waits a while for the end of the first, then is refused, and has touched nothing. It takes
over from one that is killed; of two that find the database back after its restart one stays. Swaps of the_oracle leave no moment
at which another could come in.

TEST-TIMEOUT: 240
"""

import os
import re
import subprocess
import sys

import cluster
import farm as farms
import score
from score import check

LOCK = int.from_bytes(b"piw-mast", "big")
SWAPS = 20
PACKAGE = "piwtest-slow"
BACKEND = """
import os, time
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    while not os.path.exists({path!r}):
        time.sleep(0.1)
    raise SyntaxError("as it should be")
"""
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def start_second(farm, name="second"):
    """As on another machine: the database is all that both have."""
    sockets = farm.folder(f"s-{name}")
    words = [str(word).replace(f"{farm.dir}/s/", f"{sockets}/") if "ipc://" in str(word) else word for word in farm.master_args()]
    words[words.index("-o") + 1] = farm.folder(f"www-{name}")
    process = farm.start_process(name, words, stop_s=40)
    process.expected_end = True
    return process


def holders(farm):
    return [int(row[0]) for row in farm.rows(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND "
        f"(classid::bigint << 32) + objid::bigint = {LOCK}")]


def running(farm):
    return farm.rows(f"SELECT attempt_id, state FROM piw.attempts WHERE package = '{PACKAGE}' ORDER BY 1")


def queue_sessions(farm):
    """What each connection of a the_architect has asked last, by its number."""
    return {int(pid): query for pid, query in farm.rows(
        "SELECT pid, query FROM pg_stat_activity WHERE application_name = 'piw-master queue'")}


def test_refused(farm):
    gate = farm.dir / "tmp" / "go"
    farms.make_sdist(farm.dir / "pypi", PACKAGE, "1.0", {"pyproject.toml": PYPROJECT,
                                                         "backend.py": BACKEND.format(path=str(gate))})
    farm.wait("the build to begin", lambda: [row[1] for row in running(farm)] == ["running"])
    before = running(farm)
    firsts, asked = queue_sessions(farm), set()
    second = start_second(farm)
    farm.wait_log(second, "waiting up to 15 s for the end of the database's other master")

    def ended():
        asked.update(query for pid, query in queue_sessions(farm).items() if pid not in firsts and query)
        return not second.running()
    farm.wait("its end", ended)
    check("second.reads the queue in vain at most", all("count(h.package)" in query for query in asked), asked)
    check("second.is refused", second.popen.returncode == 1, second.text())
    check("second.is told of the first", re.search(
        rf"has another master: process {farm.master.pid} on {re.escape(os.uname().nodename[:22])}, started 20\d\d-\d\d-\d\d",
        second.text()), second.text())
    check("second.attempts stay as they were", running(farm) == before, running(farm))
    gate.touch()
    farm.wait("the build", lambda: farm.rows(f"SELECT 1 FROM builds WHERE package = '{PACKAGE}'"))
    check("second.the build is recorded once", running(farm) == [[before[0][0], "failed"]], running(farm))
    check("second.the first goes on", farm.master.running() and len(holders(farm)) == 1, farm.master.text()[-300:])
    farm.forget(second)


def test_takes_over(farm):
    second = start_second(farm, "heir")
    farm.wait_log(second, "waiting up to 15 s")
    farm.master.kill()
    farm.wait_log(second, "the database is there")
    farm.wait_log(second, "the_architect: ready")  # from then on it gives out what waits
    farm.forget(farm.master)
    check("heir.takes over from one that is killed", second.running() and len(holders(farm)) == 1, second.text())
    second.kill()
    farm.forget(second)
    farm.start_master()
    check("heir.killed and started again at once works", "other master" not in farm.master.text().split("stopping")[-1],
          farm.master.text()[-300:])


def test_lost_session(farm):
    """The server ends the session that has the lock: the master has it again before it does anything."""
    begun, old = len(farm.master.text()), holders(farm)
    farm.psql(f"SELECT pg_terminate_backend({old[0]})")
    farm.wait_log(farm.master, "the database connection is lost", start=begun)
    new = farm.wait("the next session", lambda: holders(farm) if holders(farm) != old else None)
    check("lost.it is had again", len(new) == 1 and farm.master.running(), new)


def test_restarted_server(farm):
    """Both wait for the server when it comes back."""
    postgres = next(process for process in farm.processes if process.name == "postgres")
    begun = len(farm.master.text())
    farm.stop_process(postgres)
    farm.wait_log(farm.master, "the database connection is lost", start=begun)
    farm.master.expected_end = True
    second = start_second(farm, "rival")
    farm.wait_log(second, "waiting for the database")
    said = re.findall(r"(?m)^.*(?:warning|error): .*(?:database|build queue).*$", farm.master.text()[begun:])
    check("restart.one line of an outage", len(said) == 1, said)
    farm.start_postgres()
    both = {"first": farm.master, "second": second}
    farm.wait("one to end", lambda: sum(process.running() for process in both.values()) == 1)
    left = next(process for process in both.values() if process.running())
    gone = next(process for process in both.values() if not process.running())
    check("restarted server.one is left", len(farm.wait("its lock", lambda: holders(farm))) == 1)
    check("restarted server.the other says why", gone.popen.returncode == 1 and f"has another master: process {left.pid} on" in
          gone.text(), gone.text()[-500:])
    for process in both.values():
        process.stop()
        farm.forget(process)
    farm.start_master()


def test_swaps(farm):
    """Somebody else tries for the lock all the time."""
    psql = [cluster.tools() / "psql", "-X", "-q", "-h", farm.dir / "s", "-U", "postgres", "-d", "piwheels", "-c",
            "DO $$ BEGIN FOR i IN 1..10000000 LOOP IF pg_try_advisory_lock(" + str(LOCK) + ") THEN RAISE EXCEPTION "
            "'taken at try %', i; END IF; PERFORM pg_sleep(0.0002); END LOOP; END $$"]
    thief = farm.start_process("thief", psql)
    thief.expected_end = True
    farm.wait("the thief at work", lambda: farm.rows("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'DO $$ BEGIN FOR i IN%'"))
    sessions = [holders(farm)]
    for _ in range(SWAPS):
        done = farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), "reload",
                         "the_oracle"], check=False)
        if done.returncode != 0:
            check("swap.succeeds", False, done.stdout + done.stderr)
        sessions.append(farm.wait("the next session", lambda last=sessions[-1]: holders(farm) if holders(farm) != last else None))
    check("swap.the lock goes over", all(len(found) == 1 for found in sessions), sessions)
    check("swap.nobody comes in between", thief.running() and farm.master.running(), thief.text() + farm.master.text()[-6000:])
    thief.kill()
    farm.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO $$ BEGIN FOR i IN%'")
    farm.forget(thief)


def main():
    with farms.Farm() as farm:
        farm.slave_options = ["--sandbox", "no"]  # builds wait for a file of the test
        try:
            farm.start(slaves=1, web=False)
            test_refused(farm)
            test_lost_session(farm)
            test_swaps(farm)
            test_takes_over(farm)
            test_restarted_server(farm)
        except (farms.Failure, subprocess.SubprocessError) as error:
            check("the farm", False, error)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
