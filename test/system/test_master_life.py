#!/usr/bin/python3
"""The life of piw-master: what it waits for, what it says to systemd and when, how it ends, databases it must refuse, how its
sockets are made, and who may connect to them."""

import os
import re
import select
import signal
import socket
import stat
import sys

import farm as farms
import score
from score import check
from test_hostile import Stranger

RUN_S = 60  # for a master that is to end by itself


class Systemd:
    """Starts the master and keeps what it is told."""

    def __init__(self, farm):
        self.farm, self.told = farm, []
        path = farm.dir / "s" / "systemd"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        path.chmod(0o666)
        self.path = path

    def __enter__(self):
        self.master = self.farm.start_process(
            "master", self.farm.master_args(), env={"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": "1000000"}, stop_s=40)
        return self

    def __exit__(self, *_):
        if self.master in self.farm.processes:
            self.farm.stop_process(self.master)
        self.socket.close()
        self.path.unlink()

    def hears(self, start):
        """How often it was told something that begins so."""
        while select.select([self.socket], [], [], 0)[0]:
            self.told += self.socket.recv(4096).decode().splitlines()
        return sum(1 for line in self.told if line.startswith(start))

    def wait(self, start, times=1):
        self.farm.wait(f"{start} from the master", lambda: self.hears(start) >= times)


def check_waits(farm, postgres):
    """A database that is away is waited for, and meanwhile the master can be stopped."""
    farm.stop_process(postgres)
    with Systemd(farm) as systemd:
        farm.wait_log(systemd.master, "waiting for the database")
        check("waits.not ready", not systemd.hears("READY=1"), systemd.told)
        check("waits.stops in order", farm.stop_process(systemd.master) == 0, systemd.master.text())
    begun = len(systemd.master.text())
    with Systemd(farm) as systemd:
        farm.wait_log(systemd.master, "waiting for the database", start=begun)
        farm.start_postgres()
        systemd.wait("READY=1")
        check("waits.then ready", True)


def mode(farm, name):
    return stat.S_IMODE(os.stat(farm.dir / "s" / name).st_mode)


def check_sockets(farm):
    for name in ("status", "control"):
        check(f"sockets.{name} for the group", mode(farm, name) & 0o020, oct(mode(farm, name)))
    check("sockets.admin for its owner", mode(farm, "admin") & 0o077 == 0, oct(mode(farm, "admin")))


def check_limit(pid):
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        words = next(line for line in file if line.startswith("Max open files")).split()
    check("file limit is raised", words[3] == words[4], words)


def check_ends(farm):
    """Each order to stop is followed in order, and systemd knows."""
    control = farm.socket("control")
    for name, order in (("SIGTERM", lambda pid: os.kill(pid, signal.SIGTERM)), ("SIGINT", lambda pid: os.kill(pid, signal.SIGINT)),
                        ("QUIT", lambda pid: Stranger(control, "PUSH").send(b"\x64QUIT"))):
        with Systemd(farm) as systemd:
            systemd.wait("WATCHDOG=1", 2)
            check(f"{name}.ready before", systemd.told.index("READY=1") < systemd.told.index("WATCHDOG=1"), systemd.told)
            if name == "SIGTERM":
                check_sockets(farm)
                check_limit(systemd.master.pid)
            systemd.master.expected_end = True
            order(systemd.master.pid)
            farm.wait("the end", lambda s=systemd: not s.master.running())
            check(f"{name}.exit code", systemd.master.popen.returncode == 0, systemd.master.text())
            check(f"{name}.stopping", systemd.hears("STOPPING=1") == 1 and systemd.hears("EXTEND_TIMEOUT_USEC=") >= 1, systemd.told)


def check_refused(farm, name, words, dsn=None, sql=None, undo=None):
    """Ends by itself, with exit code 1 and one line."""
    if sql:
        farm.psql(sql)
    args = farm.master_args()
    args.remove("-v")
    done = farm.run([*args, *(["-d", dsn] if dsn else [])], timeout=RUN_S, check=False)
    lines = [line for line in done.stderr.splitlines() if "WARNING" not in line]
    check(f"refused.{name}", done.returncode == 1 and len(lines) == 1 and lines[0].startswith("piw-master: ") and
          words in lines[0], (done.returncode, done.stderr))
    if undo:
        farm.psql(undo)


def check_databases(farm):
    check_refused(farm, "superuser", "superuser", dsn=farm.dsn("postgres"))
    check_refused(farm, "no such database", "does not exist", dsn=farm.dsn(database="nothing"))
    check_refused(farm, "no such role", "does not exist", dsn=farm.dsn(user="nobody_at_all"))
    check_refused(farm, "empty database", "run piw-initdb", dsn=farm.dsn(database="postgres"))
    check_refused(farm, "old version", "is of version 0.22", sql="UPDATE configuration SET version = '0.22'",
                  undo="UPDATE configuration SET version = '0.23'")
    check_refused(farm, "other version of ours", "schema piw of version 90", sql="UPDATE piw.configuration SET version = version + 900",
                  undo="UPDATE piw.configuration SET version = version - 900")
    check_refused(farm, "no privileges", "does not let piwheels", sql="REVOKE SELECT ON builds FROM piwheels",
                  undo="GRANT SELECT ON builds TO piwheels")
    check_refused(farm, "no function", "execute its functions", sql="REVOKE EXECUTE ON FUNCTION piw.drain FROM PUBLIC, piwheels",
                  undo="GRANT EXECUTE ON FUNCTION piw.drain TO piwheels")
    check_refused(farm, "a function is missing", "execute its functions", sql="ALTER FUNCTION piw.drain RENAME TO drained",
                  undo="ALTER FUNCTION piw.drained RENAME TO drain")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def check_networks(farm):
    """Over TCP: who is not in [auth] allow gets no connection, and both families are served."""
    port = farms.free_port()
    farm.master_options = ["--slave-queue", f"tcp://*:{port}"]
    text = farm.start_master() and farm.master.text()
    check("networks.all is said", "every network may connect" in text, text)
    for number, host in enumerate(["127.0.0.1", *(["[::1]"] if has_ipv6() else [])]):
        slave = farm.start_slave(f"family{number}", "--slave-queue", f"tcp://{host}:{port}")
        farm.wait_log(farm.master, f"family{number}")
        check(f"networks.{host}", farm.stop_process(slave) == 0, slave.text())
    farm.stop_process(farm.master)
    farm.sections = "[auth]\nallow = [192.0.2.0/24, 2001:db8::/32]\n"
    begun = len(farm.master.text())
    farm.start_master()
    slave = farm.start_slave("outside", "--slave-queue", f"tcp://127.0.0.1:{port}")
    farm.wait_log(farm.master, r"127\.0\.0\.1.*none of the networks", start=begun)
    check("networks.stranger is refused", "outside" not in farm.master.text()[begun:], farm.master.text()[begun:])
    check("networks.stranger stops", farm.stop_process(slave) == 0, slave.text())
    check("networks.master stops", farm.stop_process(farm.master) == 0, farm.master.text())


def check_first_questions(farm, postgres):
    """What slaves wait for at a start is asked in one transaction: each commit waits for the disk."""
    farm.psql("ALTER SYSTEM SET log_statement = 'all'")
    farm.psql("ALTER SYSTEM SET log_line_prefix = '%p '")
    farm.psql("SELECT pg_reload_conf()")
    begun = len(postgres.text())
    with Systemd(farm) as systemd:
        systemd.wait("READY=1")
        farm.wait("numbers from the database", lambda: postgres.text()[begun:].count("piw.reserve(") >= 2)
    said = [line.partition(" LOG:  ") for line in postgres.text()[begun:].splitlines() if " LOG:  " in line]
    writer = next(pid for pid, _, text in said if "piw.reserve(" in text)
    asked = [text for pid, _, text in said if pid == writer]
    last = max(i for i, text in enumerate(asked) if "piw.reserve(" in text)
    commits = sum(text.endswith("COMMIT") for text in asked[:last])
    check("first questions.one commit", commits <= 1, asked[:last])  # none; one where a busy machine took them in two
    check("first questions.nothing is void where nothing was under way", not any("void_attempts" in text for text in asked), asked)
    for name in ("log_statement", "log_line_prefix"):
        farm.psql(f"ALTER SYSTEM RESET {name}")
    farm.psql("SELECT pg_reload_conf()")


def check_refused_plugin(farm, postgres):
    """Sessions are begun while plugins are still loaded. A master that is refused for a later one has only read."""
    farm.psql("ALTER SYSTEM SET log_statement = 'all'")
    farm.psql("ALTER SYSTEM SET log_line_prefix = '%a|'")
    farm.psql("SELECT pg_reload_conf()")
    farm.sections, begun = "[task:late]\nplugin = not-there.so\n", len(postgres.text())
    check_refused(farm, "later plugin", "plugin not-there.so is not there")
    farm.sections = ""
    said = [line.partition("|LOG:  ") for line in postgres.text()[begun:].splitlines() if line.startswith("piw-master")]
    asked = [(name.split()[1], text) for name, _, text in said if text.startswith(("execute", "statement"))]
    check("refused plugin.the writer's session was checked, no more",
          [text.partition("version FROM public.configuration")[1] != "" for name, text in asked if name != "queue"] == [True], asked)
    check("refused plugin.the queue is read in vain at most", all("count(h.package)" in text for name, text in asked if name == "queue"),
          asked)
    for name in ("log_statement", "log_line_prefix"):
        farm.psql(f"ALTER SYSTEM RESET {name}")
    farm.psql("SELECT pg_reload_conf()")


def check_first_window(farm, postgres):
    """For the first window slaves wait, so it is a short one; whoever finds nothing in it doesn't wait for long."""
    farm.psql("INSERT INTO packages (package) VALUES ('first-window');"
              "INSERT INTO package_names (package, name) VALUES ('first-window', 'first-window');"
              "INSERT INTO versions (package, version, released) SELECT 'first-window', '1.' || n, '2024-01-01' FROM generate_series(1, 300) n")
    farm.psql("ALTER SYSTEM SET log_min_duration_statement = 0")
    farm.psql("SELECT pg_reload_conf()")
    with Systemd(farm) as systemd:
        systemd.wait("READY=1")
        farm.wait("the queue", lambda: farm.value("SELECT count(*) FROM piw.queue WHERE package = 'first-window'") == "300")
    begun = len(postgres.text())
    with Systemd(farm):
        farm.run([farm.program("piw-loadgen"), "--slave-queue", farm.socket("slave"), "--file-queue", farm.socket("file"), "--abi",
                  farm.abi(), "--slaves", 150, "--builds", 150, "--fail-percent", 100, "--busy", 0, "--wait", "60s"])
    limits = re.findall(r"execute [^\n]*: SELECT package, version FROM piw\.queue_head\(.*\n.*DETAIL: .*\$3 = '(\d+)'", postgres.text()[begun:])
    check("first window.short, and then as wanted", limits[:1] == ["100"] and all(int(limit) >= 1000 for limit in limits[1:]) and
          len(limits) > 1, limits)
    built = farm.value("SELECT count(*) FROM builds WHERE package = 'first-window'")
    check("first window.each slave had a build", built == "150", built)
    farm.psql("ALTER SYSTEM RESET log_min_duration_statement")
    farm.psql("SELECT pg_reload_conf()")


def main():
    with farms.Farm() as farm:
        try:
            farm.prepare()
            postgres = farm.start_postgres()
            farm.create_database()
            farm.start_pypi()
            check_first_questions(farm, postgres)
            check_refused_plugin(farm, postgres)
            check_first_window(farm, postgres)
            check_waits(farm, postgres)
            check_ends(farm)
            check_databases(farm)
            check_networks(farm)
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
