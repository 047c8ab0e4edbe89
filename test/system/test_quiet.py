#!/usr/bin/python3
"""PyPI's name, PyPI, the database and the master are away while they are tried for again and again: master and slave say so once
when it begins, and once when it is over, with how long it was.

TEST-TIMEOUT: 300
"""

import collections
import http.server
import re
import socket
import sys
import threading

import farm as farms
import score
from score import check

PYPI_TRIES, DATABASE_TRIES = 3, 20


def said(text, pattern):
    return [line for line in text.splitlines() if re.search(pattern, line)]


def check_quiet(name, text):
    """Figures don't make a line another one; several tasks may speak of the same."""
    lines = collections.Counter(re.sub(r"\d+", "N", line) for line in text.splitlines() if re.match(r"(warning|error): ", line))
    often = {line: count for line, count in lines.items() if count > 1}
    check(f"{name}.nothing is said at every try", not often, often)


class Unavailable(http.server.BaseHTTPRequestHandler):
    """What stands in PyPI's place, and counts."""
    tries = 0

    def do_POST(self):  # pylint: disable=invalid-name
        type(self).tries += 1
        self.send_error(503)

    do_GET = do_POST

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


def test_name(farm, url):
    farm.pypi_url = "http://no-such-host.invalid:1"
    master = farm.start_master()
    farm.wait_log(master, r"PyPI's log at .*no-such-host\.invalid.* can't be read.*(?i:resolve)")
    check_quiet("name", master.text())
    farm.stop_process(master)
    farm.pypi_url = url


def test_pypi(farm, pypi):
    port = int(farm.pypi_url.rsplit(":", 1)[1])
    master = farm.master
    start = len(master.text())
    farm.stop_process(pypi)
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Unavailable) as instead:
        threading.Thread(target=instead.serve_forever, daemon=True).start()
        farm.wait(f"{PYPI_TRIES} tries", lambda: Unavailable.tries >= PYPI_TRIES, 120)
        instead.shutdown()
    text = master.text()[start:]
    check("pypi.one line", len(said(text, "PyPI's log at .* can't be read, trying again in")) == 1, text)
    farm.start_process("pypi2", [farm.program("piw-pypi"), "-c", farm.configuration(), "--port", str(port), "--dir", farm.dir / "pypi"])
    farm.wait_log(master, r"^warning: master.cloud_gazer: PyPI's log is read again, after \d+ \w+$", 120, start)
    check_quiet("pypi", master.text()[start:])


def count_tries(path, wanted, reached):
    """In PostgreSQL's place: hangs up on whoever comes."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o777)
        listener.listen(20)
        for _ in range(wanted):
            listener.accept()[0].close()
    path.unlink()
    reached.set()


def test_database(farm):
    master = farm.master
    start = len(master.text())
    farm.stop_process(next(process for process in farm.processes if process.name == "postgres"))
    farm.wait_log(master, "the database connection is lost", start=start)
    reached = threading.Event()
    threading.Thread(target=count_tries, args=(farm.dir / "s" / ".s.PGSQL.5432", DATABASE_TRIES, reached), daemon=True).start()
    farm.wait(f"{DATABASE_TRIES} tries", reached.is_set, 120)
    farm.start_postgres()
    farm.wait_log(master, r"the database is there, after \d+ \w+$", start=start)
    text = master.text()[start:]
    check("database.one line", len(said(text, "the database connection is lost|waiting for the database")) == 1, text)
    check_quiet("database", text)


def test_master(farm, slave):
    """Of a slave that has worked for it."""
    farm.wait("the slave to be known", lambda: f": {slave.name} at " in farm.master.text())
    start = len(slave.text())
    farm.stop_process(farm.master)
    farm.wait_log(slave, "can't reach the master", start=start)
    farm.start_master()
    farm.wait_log(slave, r"the master at \S+ answers, after \d+ \w+$", start=start)
    check("master.one line of each kind", [len(said(slave.text()[start:], words)) for words in ("can't reach", "answers, after")] ==
          [1, 1], slave.text()[start:])


def main():
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database()
        farm.add_samples()
        pypi = farm.start_pypi()
        test_name(farm, farm.pypi_url)
        farm.start_master()
        farm.wait("the follower to be at the end", lambda: farm.value("SELECT count(*) FROM piw.queue") != "0")
        slave = farm.start_slave()
        test_database(farm)
        test_master(farm, slave)
        test_pypi(farm, pypi)
        for complaint in farm.complaints:
            check("stops in order", False, complaint)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
