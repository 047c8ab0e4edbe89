#!/usr/bin/python3
"""The database goes away in every way while simulated slaves build one small wheel, a larger one, or two: killed, full, locked, refusing, its connections cut. No
task dies, slaves wait politely, and what was answered DONE is recorded exactly once, also when the master is killed while
builds are sealed.

TEST-TIMEOUT: 400
TEST-LOAD: heavy
"""

import contextlib
import os
import pwd
import re
import signal
import subprocess
import sys
import time

import load as loads
from load import farms
import score
from score import check

BUILDS = 30  # that end after each outage
SEAL_AFTER = "2s"
CLAIMS_S = 30  # after its start the master keeps back what was under way (actors/slave_driver/claims.c)
SEALED = 15  # builds that are sealed when the master is killed: some of each kind
RATE = "40"  # builds a second: the outages are what is tested, not the load
# What the master must never say of all this.
FAULTS = re.compile(r"dead letter|without an answer|stuck|is restarted|thrown away|given up", re.I)


def postgres(farm):
    return next(process for process in farm.processes if process.name == "postgres")


def sealed(farm):
    return farm.master.text().count(" is sealed: ")


def wait_sealed(farm, before):
    farm.wait("builds that are sealed", lambda: sealed(farm) > before, 60)


def hold_rows(farm):
    """Somebody locks the table of builds for reading, so that builds wait for their rows whatever happens next."""
    holder = farm.start_process("holder", [
        "/usr/bin/psql", "-X", "-h", farm.dir / "s", "-U", "postgres", "-d", "piwheels", "-c",
        "BEGIN; LOCK TABLE builds IN SHARE MODE; SELECT pg_sleep(600)"])
    holder.expected_end = True
    farm.wait("a build that waits for its row", lambda: farm.value(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'builds'::regclass") != "0")
    return holder


def kill(farm, first=0):
    """The server goes down at once, or when so many builds are sealed, and nobody starts it again for a while."""
    before, holder = sealed(farm), hold_rows(farm)
    farm.wait(f"{first} sealed builds", lambda: sealed(farm) >= before + first)
    process = postgres(farm)
    process.kill(signal.SIGQUIT)  # of the postmaster: kill -9 of it would leave its children running
    farm.forget(process)
    farm.stop_process(holder)
    wait_sealed(farm, before)


def killed(farm):
    kill(farm)
    farm.start_postgres()


def alive(farm):
    with contextlib.suppress(subprocess.SubprocessError, farms.Failure):
        return farm.value("SELECT 1") == "1"
    return False


def backend_killed(farm):
    """kill -9 of the backend of one of the master's connections: the whole server restarts itself."""
    for _ in range(3):
        pid = farm.wait("a connection of the master", lambda: farm.value(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'piwheels' AND application_name LIKE 'piw-master%' "
            "ORDER BY backend_start LIMIT 1"))
        crashes = postgres(farm).text().count("was terminated by signal 9")
        os.kill(int(pid), signal.SIGKILL)
        farm.wait("the crash", lambda n=crashes: postgres(farm).text().count("was terminated by signal 9") > n)
        farm.wait("the server", lambda: alive(farm))
        farm.wait("the master's next connections", lambda: connections(farm) > 0)


def connections(farm):
    return int(farm.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'piwheels'"))


def connections_cut(farm):
    """Every connection of the master, again and again, in the middle of whatever it does."""
    for _ in range(8):
        farm.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'piwheels'")
        farm.wait("the master's next connection", lambda: connections(farm) > 0)


def refusing(farm):
    """It runs, but lets the master's role in no more."""
    before, holder = sealed(farm), hold_rows(farm)
    farm.psql("ALTER ROLE piwheels CONNECTION LIMIT 0; "
              "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'piwheels'")
    end_lock(farm, holder)
    wait_sealed(farm, before)
    farm.psql("ALTER ROLE piwheels CONNECTION LIMIT -1")


def end_lock(farm, holder):
    farm.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK TABLE builds%' "
              "AND pid <> pg_backend_pid()")
    farm.stop_process(holder)


def locked(farm):
    """The lock alone, for longer than the master's own patience with a statement."""
    before, holder = sealed(farm), hold_rows(farm)
    wait_sealed(farm, before)
    end_lock(farm, holder)


def full(farm):
    """Its disk is full to the last byte: a file in its own small file system takes the room."""
    ballast, before = farm.dir / "pg" / "ballast", sealed(farm)
    with open(ballast, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(b"\0" * 65536):
                pass
    wait_sealed(farm, before)
    ballast.unlink()
    if not postgres(farm).running():  # it gives up when it can't write its log
        farm.forget(postgres(farm))
        farm.start_postgres()
    farm.wait("the server", lambda: alive(farm))


def own_mounts():
    """Root runs this file once more where what is mounted is seen by nobody else and goes with it."""
    if os.geteuid() != 0 or os.environ.get("PIW_OWN_MOUNTS"):
        return
    unshare = ["unshare", "--mount", "--propagation", "private"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode == 0:
        os.environ["PIW_OWN_MOUNTS"] = "yes"
        os.execvp("unshare", [*unshare, sys.executable, *sys.argv])


def small_disk(farm):
    """The database's folder becomes a file system of its own, when this may be done."""
    if not os.environ.get("PIW_OWN_MOUNTS"):
        return False
    nobody = pwd.getpwnam("nobody")
    farm.dir.chmod(0o755)
    options = f"size=160m,mode=0700,uid={nobody.pw_uid},gid={nobody.pw_gid}"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", farm.folder("pg", 0o700)], check=False)
    return done.returncode == 0


def record_differences(farm, load):
    """Builds that were answered DONE and aren't recorded once, with their files: sentences."""
    builds, twice = load.ended()
    loads.wait_recorded(farm, 1)
    recorded = {(package, version): (status, count) for package, version, status, count in farm.rows(
        "SELECT package, version, bool_and(status), count(*) FROM builds GROUP BY 1, 2")}
    found = [f"{key} was built twice" for key in twice]
    for key, (how, wheels) in builds.items():
        if recorded.get(key) != ("t" if how == "good" else "f", "1"):
            found.append(f"{key}: {how}, recorded is {recorded.get(key)}")
        for name, digest in wheels.items():
            row = farm.rows(f"SELECT b.package, f.filehash FROM files f JOIN builds b USING (build_id) "
                            f"WHERE filename = '{name}'")
            found += loads.wheel_differences(farm, name, digest, tuple(row[0]) if row else None)
    return found


def missing_wheels(farm, load):
    return loads.missing(farm, load.ended()[0])


def test_outages(farm, disk):
    load = loads.Load(farm, "--fail-percent", "20", "--rate", RATE, *loads.MIXED)
    load.wait_built(20)
    outages = [killed, backend_killed, connections_cut, refusing, locked] + ([full] if disk else [])
    if not disk:
        score.skip("outage.full", "no file system can be mounted here")
    for outage in outages:
        outage(farm)
        began = load.built()
        load.wait_built(began + BUILDS, 90)
        check(f"outage.{outage.__name__} is over and builds go on", load.process.running() and
              load.built() >= began + BUILDS, load.complaints()[-3:])
    load.process.popen.send_signal(signal.SIGTERM)
    figures = load.finish(120)
    check("outage.no slave has a complaint", figures.get("violations") == 0, load.complaints())
    check("outage.every request has its answer", figures.get("requests", 0) > 0 and
          figures["requests"] == figures["answers"], figures)
    try:
        wrong = record_differences(farm, load)
        check("outage.what was promised is recorded once", not wrong, wrong)
    except farms.Failure as error:
        check("outage.what was promised is recorded once", False, error)
    check("outage.builds of each kind", not loads.missing_kinds(farm), loads.missing_kinds(farm))
    said = [line for line in farm.master.text().splitlines() if FAULTS.search(line)]
    check("outage.no task has died", not said and farm.master.running(), said[:10])


def test_killed_while_sealed(farm):
    """The master dies with sealed builds on its hands; the next one records them."""
    load = loads.Load(farm, "--rate", RATE, *loads.MIXED, name="sealed")
    load.wait_built(20)
    kill(farm, SEALED)
    staged = len(list((farm.www / ".staging").glob("[0-9]*/record")))
    farm.master.kill()
    load.process.kill()
    farm.forget(load.process)
    farm.start_postgres()
    farm.restart_master()
    try:
        farm.wait("an empty staging folder", lambda: not farm.staged(), 60)
        farm.wait("the wheels that were promised", lambda: not missing_wheels(farm, load), 60)
        wrong = record_differences(farm, load)
        check("sealed.the next master records them once", staged > 0 and not wrong, wrong or staged)
    except farms.Failure as error:
        check("sealed.the next master records them once", False, f"{error}: {missing_wheels(farm, load)[:5]}")
    check("sealed.it says so", "sealed while the database was away, is recorded" in farm.master.text())


def test_killed_behind_a_lock(farm):
    """Somebody still locks the table of builds when the next master is there, so rows of sealed builds have to wait: it gives out none of
    their versions, nor does a slave_driver that begins anew then."""
    before = loads.Load(farm, "--rate", RATE, *loads.MIXED, name="before")
    before.wait_built(20)
    holder, first = hold_rows(farm), sealed(farm)
    farm.wait("sealed builds", lambda: sealed(farm) >= first + SEALED, 60)
    farm.master.expected_end = True
    farm.master.kill()
    before.process.kill()
    farm.forget(before.process)
    farm.restart_master()
    begun = time.monotonic()
    after = loads.Load(farm, "--rate", "1", *loads.MIXED, name="after")  # so that build numbers last
    farm.wait("the end of the time for claims", lambda: time.monotonic() > begun + CLAIMS_S, 60)
    began = sealed(farm)
    farm.wait("builds that the next master has sealed since", lambda: sealed(farm) >= began + 4, 60)
    restart_driver(farm, "behind a lock")
    end_lock(farm, holder)
    built = after.built()
    after.wait_built(built + 4, 90)
    check("behind a lock.builds go on", after.built() >= built + 4, after.complaints()[-3:])
    after.process.kill()
    farm.forget(after.process)
    loads.left_over(farm, 60, farm.staged, lambda: missing_wheels(farm, before), lambda: missing_wheels(farm, after))
    twice = set(before.ended()[0]) & set(after.ended()[0])
    check("behind a lock.nothing is given out that is sealed", not twice, sorted(twice)[:5])
    wrong = record_differences(farm, before) + record_differences(farm, after)
    check("behind a lock.what was promised is recorded once", before.ended()[0] and after.ended()[0] and not wrong, wrong[:5])


def test_killed_while_sealing(farm):
    """Some builds are sealed, and of one it isn't told any more."""
    farm.stop_process(farm.master)
    farm.start_master(faults=f"juggler.sealed=kill:{SEALED}")
    master, load = farm.master, loads.Load(farm, "--rate", RATE, *loads.MIXED, name="sealing")
    master.expected_end = True
    load.wait_built(20)
    holder = hold_rows(farm)
    farm.wait("the master's death", lambda: not master.running(), 60)
    check("sealing.killed", master.popen.returncode == -signal.SIGKILL, master.popen.returncode)
    load.process.kill()
    farm.forget(load.process)
    server = postgres(farm)
    server.kill(signal.SIGQUIT)  # with the session that holds the rows
    farm.forget(server)
    farm.stop_process(holder)
    farm.start_postgres()
    farm.restart_master()
    try:
        farm.wait("an empty staging folder", lambda: not farm.staged(), 60)
        farm.wait("the wheels that were promised", lambda: not missing_wheels(farm, load), 60)
        wrong = record_differences(farm, load)
        check("sealing.what was promised is recorded once", not wrong, wrong)
    except farms.Failure as error:
        check("sealing.what was promised is recorded once", False, f"{error}: {missing_wheels(farm, load)[:5]}")


def restart_driver(farm, name):
    done = subprocess.run([farm.program("piw-ctl"), "--admin-queue", farm.socket("admin"), "restart", "slave_driver"],
                          check=False, capture_output=True, text=True, timeout=60)
    check(f"{name}.the task begins anew", done.returncode == 0, done.stdout + done.stderr)


def test_restarted_while_sealed(farm):
    """The task that knows of the sealed builds begins anew and forgets them: they are recorded and put in place by this master."""
    load = loads.Load(farm, "--rate", RATE, *loads.MIXED, name="forgotten")
    load.wait_built(20)
    kill(farm)
    load.process.kill()
    farm.forget(load.process)
    restart_driver(farm, "forgotten")
    farm.start_postgres()
    try:
        farm.wait("the wheels that were promised", lambda: not missing_wheels(farm, load), 60)
        wrong = record_differences(farm, load)
        check("forgotten.what was promised is recorded once and in place", load.ended()[0] and not wrong, wrong)
    except farms.Failure as error:
        check("forgotten.what was promised is recorded once and in place", False, f"{error}: {missing_wheels(farm, load)[:5]}")
    check("forgotten.no other task has died", farm.master.running(), farm.master.text()[-300:])


def main():
    own_mounts()
    with farms.Farm() as farm:
        farm.task_options["slave_driver"] = {"seal-after": SEAL_AFTER}
        disk = small_disk(farm)
        try:
            loads.start(farm, 500, 20)
            test_outages(farm, disk)
            test_killed_while_sealed(farm)
            test_killed_behind_a_lock(farm)
            test_killed_while_sealing(farm)
            test_restarted_while_sealed(farm)
        except farms.Failure as error:
            check("the farm", False, error)
        if score.failures:
            farm.show_logs()
        check("stop", farm.stop_process(farm.master) == 0, farm.master.text()[-300:])
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
