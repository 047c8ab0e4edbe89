#!/usr/bin/python3
"""A slave that can't resolve or reach its master, or reaches something else, says within five seconds which address that is, why
it doesn't work and what would help: once, however often it tries. It says when its master answers, and how long that took. A monitor
gets through once what it met is the right thing.

The time is measured by lines' own times in the slave's log, from its first to the complaint."""

import datetime
import re
import socket
import sys
import threading

import farm as farms
import score
import screen
from score import check

WITHIN_S = 5


def slave_of(farm, name, queue, *options):
    """Its log's first line stands there before it speaks to anybody."""
    log = farm.dir / "tmp" / f"{name}.log"
    process = farm.start_process(f"apart-{name}", [
        farm.program("piw-slave"), "-c", farm.configuration(), "-l", log, "--sandbox", "no", "--slave-queue", queue, "--file-queue",
        farm.socket("f"), "-d", farm.dir / "tmp", *options])
    return process, log


def seconds(line):
    return datetime.datetime.fromisoformat(line.split()[0].replace("Z", "+00:00")).timestamp()


def told(farm, name, queue, words, *options):
    """One complaint, in time, that names the address; no more, while it tries on."""
    slave, log = slave_of(farm, name, queue, *options)
    found = farm.wait_log(slave, r"^warning: (.*(?:can't reach the master|no answer yet|no message).*)", 60).group(1)
    lines = log.read_text().splitlines()
    at = next((i for i, line in enumerate(lines) if found in line), len(lines) - 1)
    took = seconds(lines[at]) - seconds(lines[0])
    check(f"{name}.says which and why", queue in found and re.search(words, found), found)
    check(f"{name}.within {WITHIN_S} s", took <= WITHIN_S * farms.PATIENCE, f"{took:.1f} s")
    return slave


def still_once(farm, slaves):
    """They have tried for longer by now."""
    for name, slave in slaves.items():
        text = [line for line in slave.text().splitlines() if "are not contained" not in line]
        check(f"{name}.once, and tries on", slave.running() and len(text) == 1, text)
        farm.stop_process(slave)


class Listener:
    """Something that isn't a master: it takes connections, and says nothing or what it is told to."""

    def __init__(self, says=None):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.socket.getsockname()[1]}"
        self.says, self.held = says, []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            if self.says is None:
                self.held.append(connection)
                continue
            connection.recv(10)
            connection.sendall(self.says)
            connection.close()


def test_nobody(farm):
    slaves = {}
    for name, queue, why in (("unknown name", "tcp://no-such-host.invalid:5555", r"no-such-host\.invalid: .*(not known|resolution)"),
                             ("nobody listens", f"tcp://127.0.0.1:{farms.free_port()}", "Connection refused"),
                             ("no such socket", farm.socket("nowhere"), "No such file or directory"),
                             ("silent port", Listener().address, "silent: another program"),
                             ("web server", Listener(b"HTTP/1.0 400 Bad Request\r\n\r\n").address, "ends it: a queue of another kind")):
        slaves[name] = told(farm, name, queue, why)
    return slaves


def test_wrong_queue(farm):
    """Each of the master's other queues, by mistake."""
    slaves = {}
    for queue, why in (("status", "a queue of another kind"), ("control", "a queue of another kind"), ("log", "a queue of another kind"),
                       ("file", "isn't its slave queue"), ("import", "isn't its slave queue|no message")):
        slaves[queue] = told(farm, f"{queue} queue", farm.socket(queue), why)
    return slaves


def test_away_and_back(farm):
    """A master that comes later: what was wrong is over, and that is said."""
    slave, _ = slave_of(farm, "early", farm.socket("slave"))
    farm.wait_log(slave, "can't reach the master", 60)
    farm.start_master()
    farm.wait_log(slave, r"^warning: the master at ipc://\S+ answers, after \d+ (second|minute)s?$", 60)
    check("early.one line of each kind", slave.text().count("can't reach") == 1 and slave.text().count("answers") == 1, slave.text())
    farm.stop_process(slave)


def test_monitor(farm):
    """It meets a queue that wants a key. Later the same address is one without."""
    ports = {queue: farms.free_port() for queue in ("status", "control")}
    keys = farm.dir / "keys"
    args = [*farm.drop, farm.program("piw-monitor"), "-c", farm.configuration()]
    for queue, port in ports.items():
        args += [f"--{queue}-queue", f"tcp://127.0.0.1:{port}"]
    farm.run([farm.program("piw-keys"), "-c", farm.configuration(), "--keys", keys, "make", "eye", "--for", "monitor", "-o", farm.dir / "eye.key"])
    usual = list(farm.master_options)
    farm.sections = f"[auth]\nmethod = curve\nkeys = {keys}\n"
    for queue, port in ports.items():
        farm.master_options += [f"--{queue}-queue-curve", f"tcp://127.0.0.1:{port}"]
    farm.start_master()
    with screen.Terminal(args, {**farm.env, "TERM": "xterm-256color"}, 24, 80, farms.PATIENCE) as monitor:
        check("monitor.says that a key is wanted", monitor.wait(r"queue: it speaks with keys alone"), monitor.text())
        farm.stop_process(farm.master)
        farm.sections = ""
        farm.master_options = usual + [word for queue, port in ports.items() for word in (f"--{queue}-queue", f"tcp://127.0.0.1:{port}")]
        farm.start_master()
        check("monitor.connects once none is", monitor.wait(r" 0 slaves *$", timeout=40), monitor.text())
    farm.stop_process(farm.master)
    farm.master_options = usual


def main():
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database()
        slaves = test_nobody(farm)
        test_away_and_back(farm)
        slaves.update(test_wrong_queue(farm))
        still_once(farm, slaves)
        farm.stop_process(farm.master)
        test_monitor(farm)
        for complaint in farm.complaints:
            check("stops in order", False, complaint)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
