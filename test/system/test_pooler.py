#!/usr/bin/python3
"""PgBouncer between the master and its server. With pool_mode = session a farm builds through it, over a restart of the server and a kill
of the master. With pool_mode = transaction the master has no session of its own, says so, and ends.

What isn't installed of it is fetched from Debian; without the network the test is skipped.
"""

import os
import signal
import subprocess
import sys

import farm as farms
import load as loads
import machine
import score
from score import check

PACKAGES = ("pgbouncer", "libevent-2.1-7", "libc-ares2")
BUILDS = 30
CONF = """[databases]
piwheels = host={dir}/s port=5432 dbname=piwheels
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = {dir}/{mode}
auth_type = trust
auth_file = {dir}/{mode}/users
pool_mode = {mode}
logfile = {dir}/{mode}/log
"""


def pgbouncer(farm):
    """(the program, its environment), or why there is none."""
    if os.access("/usr/sbin/pgbouncer", os.X_OK):
        return "/usr/sbin/pgbouncer", {}
    folder = farm.folder("pgbouncer")
    try:
        done = subprocess.run(["apt-get", "-qq", "download", *PACKAGES], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120, check=False)
        if done.returncode != 0:
            return None, f"neither installed nor to be fetched: {done.stderr.strip()[-200:]}"
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, folder], check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        return None, error
    folder.chmod(0o755)
    return folder / "usr/sbin/pgbouncer", {"LD_LIBRARY_PATH": ":".join(map(str, folder.glob("usr/lib/*-linux-*")))}


def start_pooler(farm, mode, program, env):
    folder = farm.folder(mode)
    (folder / "conf").write_text(CONF.format(dir=farm.dir, mode=mode), encoding="utf-8")
    (folder / "users").write_text('"piwheels" ""\n', encoding="utf-8")
    for name in ("conf", "users"):
        farm.own(folder / name)
    farm.start_process(f"pgbouncer-{mode}", [program, folder / "conf"], env=env)
    farm.wait("PgBouncer", (folder / ".s.PGSQL.6432").exists)
    farm.dsn = lambda user="piwheels", database="piwheels": f"postgres:///{database}?host={folder}&port=6432&user={user}"


def test_transaction(farm):
    master = farm.start_process("refused", farm.master_args())
    master.expected_end = True
    farm.wait("the master's end", lambda: not master.running())
    check("transaction: the master ends", master.popen.returncode == 1, master.popen.returncode)
    said = [line for line in master.text().splitlines() if "is behind a pooler" in line]
    check("transaction: and says why", said and "pool_mode = session" in said[0], master.text()[-500:])
    farm.forget(master)


def build(farm, name, between=None):
    """So many builds, and so many more after what is done between."""
    load = loads.Load(farm, "--slaves", "10", "--fail-percent", "30", "--rate", "40", name=name)
    load.wait_built(BUILDS)
    if between is not None:
        between()
        load.wait_built(load.built() + BUILDS, 90)
    return load


def restart_server(farm):
    farm.stop_process(next(process for process in farm.processes if process.name == "postgres"))
    farm.start_postgres()


def test_session(farm):
    ended = {}
    farm.start_master()
    load = build(farm, "load-1", lambda: restart_server(farm))
    farm.master.kill()
    load.process.kill()
    for process in (farm.master, load.process):
        farm.forget(process)
    ended.update(load.ended()[0])
    farm.start_master()
    load = build(farm, "load-2")
    load.process.popen.send_signal(signal.SIGTERM)
    load.finish(60)
    ended.update(load.ended()[0])
    loads.wait_recorded(farm, len(ended))
    rows = {(row[0], row[1]): row[2] for row in farm.rows("SELECT package, version, status FROM builds")}
    lost = [built for built, (how, _) in ended.items() if rows.get(built) != ("t" if how == "good" else "f")]
    check(f"session: each of {len(ended)} DONEs has its row", len(ended) >= 3 * BUILDS and not lost, lost[:5])
    machine.check_farm(farm, "session")


def main():
    with farms.Farm() as farm:
        farm.dir.chmod(0o755)
        program, more = pgbouncer(farm)
        if program is None:
            score.skip("pooler", more)
            return 0
        try:
            farm.prepare()
            farm.start_postgres()
            farm.create_database(abis=[loads.ABI])
            loads.fill(farm, 200, 4)
            farm.start_pypi()
            start_pooler(farm, "transaction", program, more)
            test_transaction(farm)
            start_pooler(farm, "session", program, more)
            test_session(farm)
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
