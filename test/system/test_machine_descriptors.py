#!/usr/bin/python3
"""The master may have few descriptors, and whoever can reach it opens connections: the farm goes on, as those get none of what
its own work needs; the log says so. Its limit falls to 64 while it works, and it is started with 64: the log says that, too.

TEST-TIMEOUT: 240
"""

import contextlib
import os
import signal
import socket
import sys

import machine
import score
from machine import farms, loads
from score import check
from wire import GREETING

LIMIT = 256
STRANGERS = 400


class NarrowFarm(farms.Farm):
    """Slaves come over TCP; the master's limit is its own."""

    limit = LIMIT

    def __init__(self):
        super().__init__()
        self.ports = {name: farms.free_port() for name in ("slave", "file")}

    def socket(self, name):
        return f"tcp://127.0.0.1:{self.ports[name]}" if name in self.ports else super().socket(name)

    def master_args(self):
        return ["prlimit", f"--nofile={self.limit}:{self.limit}", *super().master_args()]

    def ctl(self, *words):
        return self.run([self.program("piw-ctl"), "--admin-queue", self.socket("admin"), *words], check=False)


def open_many(farm, stack):
    """Connections that say nothing, or begin to shake hands and stay; how many are still open in the end is the master's choice."""
    for number in range(STRANGERS):
        peer = stack.enter_context(socket.socket())
        peer.settimeout(10)
        with contextlib.suppress(OSError):
            peer.connect(("127.0.0.1", farm.ports["slave" if number % 2 else "file"]))
            if number % 3 == 0:
                peer.sendall(GREETING)


def open_now(farm):
    return len(os.listdir(f"/proc/{farm.master.pid}/fd"))


def test_strangers(farm):
    load = loads.Load(farm, "--slaves", "10", "--rate", "40", "--builds", "600", *loads.MIXED)
    load.wait_built(20)
    start = len(farm.master.text())
    with contextlib.ExitStack() as stack:
        open_many(farm, stack)
        try:
            farm.wait_log(farm.master, r"descriptors: \d+ connections refused", 30, start)
            check("descriptors.the log says who isn't let in, and why", True)
        except farms.Failure as error:
            check("descriptors.the log says who isn't let in, and why", False, error)
        most = open_now(farm)
        check("descriptors.some are kept", most < LIMIT - 32, f"{most} of {LIMIT} are in use")
        before = load.built()
        load.wait_built(before + 60, 60)
        check("descriptors.builds go on", load.process.running() or load.built() >= 600, load.complaints()[-3:])
        done = farm.ctl("list")
        check("descriptors.the local queues answer", done.returncode == 0, done.stdout + done.stderr)
        farm.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'piwheels'")
        load.wait_built(before + 120, 60)
        check("descriptors.the database can be reached anew", load.built() >= before + 120 or not load.process.running(),
              load.complaints()[-3:])
    figures = load.finish(120)
    check("descriptors.no slave has a complaint", figures.get("violations") == 0, load.complaints()[-5:])
    again = loads.Load(farm, "--slaves", "5", "--builds", "20", name="again")
    figures = again.finish(60)
    check("descriptors.when they have gone new slaves come in", figures.get("builds") == 20, figures)
    machine.check_farm(farm, "descriptors")


def set_limit(farm, soft):
    farm.run(["prlimit", "--pid", farm.master.pid, f"--nofile={soft}:{LIMIT}"])


def test_falling(farm):
    """Below what is open already: nothing can be opened any more. The master says so, and works on when the limit is back."""
    load = loads.Load(farm, "--slaves", "10", "--rate", "40", "--builds", "200", *loads.MIXED, name="falling")
    load.wait_built(20)
    start = len(farm.master.text())
    set_limit(farm, 64)
    try:
        farm.wait_log(farm.master, r"descriptors: \d+ of the 64 ", 5, start)
        check("descriptors.a limit of 64 is in the log within 5 s", True)
    except farms.Failure as error:
        check("descriptors.a limit of 64 is in the log within 5 s", False, error)
    for _ in range(20):  # a local queue that can't accept
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(farm.socket("import").removeprefix("ipc://"))
    farm.wait_log(farm.master, r"descriptors: \d+ connections refused", 70, start)
    set_limit(farm, LIMIT)
    farm.wait_log(farm.master, r"descriptors: there are enough again", 30, start)
    check("descriptors.the master has lived through it", farm.master.running(), farm.master.popen.returncode)
    figures = load.finish(180)
    check("descriptors.its builds end", figures.get("builds") == 200, (figures, load.complaints()[-3:]))
    machine.check_farm(farm, "falling", 180)


def test_started_with_64(farm):
    farm.stop_process(farm.master)
    farm.limit = 64
    with contextlib.suppress(farms.Failure):
        farm.start_master()
    farm.master.expected_end = True
    try:
        farm.wait("the line", lambda: "this process may have 64 at most" in farm.master.text(), 5, alive=False)
        check("descriptors.started with 64 the log says so within 5 s", True)
    except farms.Failure as error:
        check("descriptors.started with 64 the log says so within 5 s", False, f"{error}: {farm.master.text()[-500:]}")
    farm.master.kill(signal.SIGKILL)
    farm.forget(farm.master)


def main():
    with NarrowFarm() as farm:
        try:
            loads.start(farm, 200, 20)
            for test in (test_strangers, test_falling, test_started_with_64):
                test(farm)
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
