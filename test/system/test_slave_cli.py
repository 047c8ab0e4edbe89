#!/usr/bin/python3
"""Bad input to piw-slave and piw-pypi: one clear line on stderr and the right exit code; and what piw-pypi answers to
requests that no follower should make."""

import http.client
import re
import subprocess
import sys
import urllib.parse
import xmlrpc.client

import farm as farms
import score
from score import check


def refused(farm, name, program, args, code, words):
    done = farm.run([farm.program(program), *args], timeout=20, check=False)
    lines = done.stderr.strip().splitlines()
    check(name, done.returncode == code and len(lines) == 1 and lines[0].startswith(f"{program}: ") and
          re.search(words, lines[0]), f"exit {done.returncode}, stderr {done.stderr!r}")


def test_command_lines(farm):
    conf = ["-c", str(farm.configuration())]
    nowhere = ["--slave-queue", farm.socket("no"), "--file-queue", farm.socket("no2")]
    for name, args, code, words in (
            ("unknown option", ["--foo"], 2, "--foo"),
            ("operand", ["x"], 2, "x"),
            ("codec", ["--codec", "json"], 2, "json.*msgpack|cbor"),
            ("timeout", ["-t", "soon"], 2, "soon"),
            ("negative timeout", ["-t", "-5s"], 2, "-5s"),
            ("zero timeout", ["-t", "0s"], 2, "0s"),
            ("folder", ["-d", "/nowhere/at/all"], 1, "/nowhere/at/all"),
            ("file for folder", ["-d", "/etc/passwd"], 1, "/etc/passwd"),
            ("slave queue", ["--slave-queue", "foo"], 1, "foo.*address"),
            ("file queue", ["--file-queue", "foo"], 1, "foo.*address"),
            ("broken address", ["--slave-queue", "tcp://host:port", "--file-queue", farm.socket("f")], 1, "tcp://host:port"),
            ("no interpreter", ["--python", "/nowhere/python3"], 1, "/nowhere/python3"),
            ("wrong interpreter", ["--python", "/bin/true"], 1, "/bin/true"),
            ("label", ["-L", "x" * 256], 1, "label"),
            ("no master", ["-m", ""], 1, "--master names no host"),
            ("configuration", ["-c", "/nowhere.conf"], 1, "/nowhere.conf")):
        refused(farm, f"slave.{name}", "piw-slave", [*([] if name == "configuration" else conf),
                                                    *([] if "queue" in name or "address" in name else nowhere), *args], code, words)
    for name, args, code, words in (
            ("unknown option", ["--foo"], 2, "--foo"),
            ("port", ["--port", "70000"], 2, "70000"),
            ("address", ["--listen", "example"], 1, "example"),
            ("folder", ["--dir", "/nowhere"], 1, "/nowhere"),
            ("file for folder", ["--dir", "/etc/passwd"], 1, "/etc/passwd")):
        refused(farm, f"pypi.{name}", "piw-pypi", [*conf, *args], code, words)
    for program in ("piw-slave", "piw-pypi"):
        done = farm.run([farm.program(program), "--help"])
        check(f"{program}.help", done.stdout.lower().startswith("usage") or program in done.stdout.splitlines()[0], done.stdout)
        done = farm.run([farm.program(program), "--version"])
        check(f"{program}.version", re.fullmatch(rf"{program} \S+\n", done.stdout), done.stdout)


def test_root(farm):
    """The tests' own user may be anyone: in a namespace of its own it is root."""
    done = subprocess.run(["unshare", "--user", "--map-root-user", "--", farm.program("piw-slave"), "-c", farm.configuration(), "-d",
                           farm.dir / "tmp"], check=False, capture_output=True, text=True, timeout=20)
    check("slave.refuses root", done.returncode == 1 and done.stderr.startswith("piw-slave: refuses to run as root"), done.stderr)


def test_kept_log(farm):
    """A log of events that was tampered with stops the program; a good one keeps its serials over a restart."""
    folder = farm.folder("kept")
    (folder / ".changelog").write_text("20000001\tx\n")
    refused(farm, "pypi.damaged log", "piw-pypi", ["-c", str(farm.configuration()), "--port", "0", "--dir", folder], 1,
            r"\.changelog:1")


def ask(url, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=20)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def test_requests(farm):
    farm.add_samples()
    pypi = farm.start_pypi()
    url = farm.pypi_url
    for name, method, path, status in (
            ("root", "GET", "/simple/", 200), ("unknown project", "GET", "/simple/nothing/", 404),
            ("traversal", "GET", "/files/../../../etc/passwd", 404), ("encoded", "GET", "/files/%2e%2e%2fevents.txt", 404),
            ("hidden", "GET", "/files/.changelog", 404), ("no file", "GET", "/files/", 404),
            ("alias", "GET", "/simple/PIWDEMO_Cext/", 200), ("head", "HEAD", "/simple/", 200),
            ("method", "DELETE", "/simple/", 405), ("about nothing", "GET", "/pypi/nothing/json", 404)):
        got = ask(url, method, path)[0]
        check(f"pypi.{name}", got == status, f"status {got}")
    status, content = ask(url, "POST", "/pypi", b"x" * 200000)
    check("pypi.long request", status == 413, (status, content[:100]))
    for name, body in (("empty call", b""), ("no call", b"<x/>"), ("unknown method", b"<methodName>x</methodName>"),
                       ("no number", b"<methodName>changelog_since_serial</methodName>"),
                       ("bad number", b"<methodName>changelog_since_serial</methodName><int>1x</int>")):
        status, content = ask(url, "POST", "/pypi", body)
        check(f"pypi.{name}", status == 200 and b"<fault>" in content, (status, content[:200]))
    server = xmlrpc.client.ServerProxy(f"{url}/pypi", allow_none=True)
    events = server.changelog_since_serial(0)
    check("pypi.order", [e[4] for e in events] == sorted({e[4] for e in events}), events)
    check("pypi.events", {e[3].split()[0] for e in events} == {"create", "add"}, events)
    check("pypi.window", events[-1][2] >= events[-2][2] + 300, events[-2:])
    check("pypi.last", server.changelog_last_serial() == events[-1][4], events[-1])
    farm.add_event("yank Piwdemo.Pure 1.0 too old")
    farm.add_event("remove piwdemo-broken")
    farm.add_event("nonsense")
    more = server.changelog_since_serial(events[-1][4])
    check("pypi.later events", [e[:2] + e[3:4] for e in more[:2]] ==
          [["Piwdemo.Pure", "1.0", "yank release"], ["piwdemo-broken", None, "remove project"]], more)
    check("pypi.yanked", b'data-yanked="too old"' in ask(url, "GET", "/simple/piwdemo-pure/")[1])
    check("pypi.removed", ask(url, "GET", "/simple/piwdemo-broken/")[0] == 404)
    farm.stop_process(pypi)
    farm.start_pypi()
    server = xmlrpc.client.ServerProxy(f"{farm.pypi_url}/pypi", allow_none=True)
    check("pypi.same serials after a restart", server.changelog_since_serial(0) == events + more)


def test_long_log(farm):
    """50,000 events at a time, which come in pieces, each once."""
    first, count = 20000001, 50123
    path = farm.folder("pypi") / ".changelog"
    path.write_text("".join(f"{first + n}\t{1600000000 + n}\tlong\t1.{n}\tadd source file x\t-\n" for n in range(count)))
    path.chmod(0o666)
    pypi = farm.start_pypi()
    server = xmlrpc.client.ServerProxy(f"{farm.pypi_url}/pypi", allow_none=True)
    for name, after, expected in (("first", 0, range(first, first + 50000)),
                                  ("rest", first + 49999, range(first + 50000, first + count))):
        serials = [event[4] for event in server.changelog_since_serial(after)]
        check(f"pypi.the {name} of a long log", serials[:len(expected)] == list(expected) and len(serials) <= 50000,
              (len(serials), serials[:1], serials[-1:]))
    farm.stop_process(pypi)


def main():
    with farms.Farm() as farm:
        farm.prepare()
        for test in (test_command_lines, test_root, test_kept_log, test_requests, test_long_log):
            try:
                test(farm)
            except (farms.Failure, OSError) as error:
                check(test.__name__, False, f"{type(error).__name__}: {error}")
                farm.show_logs()
        for complaint in farm.complaints:
            check("stops in order", False, complaint)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
