#!/usr/bin/python3
"""Web logs on their way from piw-logger through the log queue into the five tables: formats, a pipe that never ends,
--drop; the database away, killed, and the task swapped under load, with exact counts afterwards; bad and hostile entries.

TEST-TIMEOUT: 400
"""

import contextlib
import gzip
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import threading
import time

import farm as farms
import score
from score import check, equal

HELD_LOOKS = 20  # at the pipe, a twentieth of a second apart
TABLES = ("downloads", "searches", "project_page_hits", "project_json_downloads", "web_page_hits")
PIP = json.dumps({"ci": None, "cpu": "armv7l", "distro": {"id": "bookworm", "name": "Raspbian GNU/Linux", "version": "12"},
                  "implementation": {"name": "CPython", "version": "3.11.2"}, "installer": {"name": "pip", "version": "23.0.1"},
                  "python": "3.11.2", "setuptools_version": "66.1.1", "system": {"name": "Linux", "release": "6.1.21-v7+"}},
                 separators=(",", ":"))


def line(path, agent="Mozilla/5.0 (X11; Linux)", host="192.0.2.9", when="01/Mar/2024:12:34:59 +0000", status=200):
    quoted = agent.replace("\\", "\\\\").replace('"', '\\"')
    return f'{host} - - [{when}] "GET {path} HTTP/1.1" {status} 99 "-" "{quoted}"\n'


def wheel(number):
    return f"load-{number}-py3-none-any.whl"


class Pipe:
    """piw-logger at the end of a pipe that stays open, as Apache starts it."""

    def __init__(self, farm, name, *options, queue=None):
        self.log = farm.dir / "log" / f"{name}.log"
        with open(self.log, "ab") as out:
            # pylint: disable-next=consider-using-with
            self.popen = subprocess.Popen(
                [*farm.drop, farm.program("piw-logger"), "-c", farm.configuration(), "-v", "--log-queue",
                 queue or farm.socket("log"), *options], env=farm.env, cwd=farm.dir, stdin=subprocess.PIPE, stdout=out,
                stderr=subprocess.STDOUT, start_new_session=True)

    def write(self, text):
        self.popen.stdin.write(text.encode("utf-8", "surrogateescape"))
        self.popen.stdin.flush()

    def end(self, timeout=60):
        self.popen.stdin.close()
        return self.popen.wait(timeout * farms.PATIENCE)

    def text(self):
        return self.log.read_text("utf-8", "replace")

    def rss(self):
        with open(f"/proc/{self.popen.pid}/status", encoding="ascii") as file:
            return next(int(row.split()[1]) for row in file if row.startswith("VmRSS")) // 1024


def logger(farm, *args, text=None, queue=None, check_code=True):
    """piw-logger over files, to its end."""
    done = subprocess.run([*farm.drop, farm.program("piw-logger"), "-c", farm.configuration(), "-v", "--log-queue",
                           queue or farm.socket("log"), *map(str, args)], env=farm.env, cwd=farm.dir, capture_output=True,
                          input=text.encode("utf-8", "surrogateescape") if text is not None else b"", timeout=120, check=False)
    if check_code and done.returncode != 0:
        raise farms.Failure(f"piw-logger ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace')}")
    return done


def count(farm, table="downloads", where="true"):
    return int(farm.value(f"SELECT count(*) FROM {table} WHERE {where}"))


def wait_count(farm, wanted, table="downloads", where="true", timeout=60):
    """Until there are as many; then, that no more come with what is still on its way."""
    return farm.wait(f"{wanted} rows in {table}", lambda: count(farm, table, where) >= wanted, timeout) \
        and count(farm, table, where)


def empty(farm):
    farm.psql("; ".join(f"DELETE FROM {table}" for table in TABLES))


# --- What is stored -----------------------------------------------------------------------------------------------

def kinds(farm):
    agent = f"pip/23.0.1 {PIP}"
    lines = [line("/simple/gold-pure/Gold.Pure-1.0-py3-none-any.whl", agent, "192.0.2.7", "01/Mar/2024:12:34:56 +0000"),
             line("/simple/gold-pure/Gold.Pure-1.0-py3-none-any.whl", "Wget/1.21", "2001:db8::1", "01/Mar/2024:13:34:57 +0100"),
             line("/simple/Gold.Pure/", agent, "192.0.2.8"), line("/project/goldcext/"),
             line("/project/goldcext/", "Googlebot/2.1 (+http://x)"), line("/project/goldcext/json/index.json", "curl/7.88.1"),
             line("/"), line("/faq.html", "AhrefsBot/7.0"), line("/simple/", agent), line("/faq.html", status=404)]
    path = farm.dir / "tmp" / "access.log"
    packed = farm.dir / "tmp" / "access.log.1.gz"
    path.write_text("".join(lines[:5]), encoding="utf-8")
    packed.write_bytes(gzip.compress("".join(lines[5:]).encode()))
    done = logger(farm, path, "-", packed, text=line("/stats.html"))
    check("kinds.sum is said", b"11 lines: 9 entries sent, 0 dropped, 0 lines could not be read" in done.stderr, done.stderr)
    for table, wanted in zip(TABLES, (2, 1, 2, 1, 3)):  # each is stored by itself, in no certain order
        wait_count(farm, wanted, table)
    facts = ["armv7l", "Raspbian GNU/Linux", "12", "Linux", "6.1.21-v7+", "CPython", "3.11.2", "pip", "23.0.1", "66.1.1"]
    equal("kinds.downloads", farm.rows("SELECT * FROM downloads ORDER BY accessed_at"), [
        ["Gold.Pure-1.0-py3-none-any.whl", "192.0.2.7", "2024-03-01 12:34:56", *facts],
        ["Gold.Pure-1.0-py3-none-any.whl", "2001:db8::1", "2024-03-01 12:34:57", "", "", "", "", "", "CPython", "", "", "", ""]])
    equal("kinds.searches", farm.rows("SELECT * FROM searches"), [["gold-pure", "192.0.2.8", "2024-03-01 12:34:59", *facts]])
    when = "2024-03-01 12:34:59"
    equal("kinds.project pages", farm.rows("SELECT * FROM project_page_hits ORDER BY user_agent"),
          [["goldcext", "192.0.2.9", when, "googlebot", "t"], ["goldcext", "192.0.2.9", when, "mozilla", "f"]])
    equal("kinds.json", farm.rows("SELECT * FROM project_json_downloads"), [["goldcext", "192.0.2.9", when, "curl"]])
    equal("kinds.pages", farm.rows("SELECT page, user_agent, bot FROM web_page_hits ORDER BY 1"),
          [["faq", "ahrefsbot", "t"], ["home", "mozilla", "f"], ["stats", "mozilla", "f"]])
    farm.wait("the total of downloads", lambda: farm.value("SELECT downloads_all FROM piw.statistics()") == "2", 30)
    check("kinds.the total is current", True)
    empty(farm)


def formats(farm):
    vhost = 'wheels.example.org:443 192.0.2.1 - - [01/Mar/2024:12:34:56 +0000] "GET / HTTP/2.0" 200 7 "-" "A \\"b\\"/1"\n'
    wanted = r'%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"'
    logger(farm, "--format", wanted, "--codec", "cbor", text=vhost + "no such line\n" + vhost)
    wait_count(farm, 2, "web_page_hits", "user_agent = 'a \"b\"'")
    check("formats.an Apache LogFormat", True)
    done = logger(farm, "--format=common", text=line("/").rsplit(' "-"', 1)[0] + "\n")
    check("formats.common says what it lacks", b"has no user agent" in done.stderr and b"1 lines: 0 entries" in done.stderr,
          done.stderr)
    done = logger(farm, "--format", "%h %Y", check_code=False)
    check("formats.a bad one is bad usage", done.returncode == 2 and b"%Y: no such directive" in done.stderr, done.stderr)
    done = logger(farm, "/nowhere/a.log", "-", text=line("/"), check_code=False)
    check("formats.a missing file is said, the others are read", done.returncode == 1 and
          b"/nowhere/a.log can't be read: No such file" in done.stderr and b"1 entries sent" in done.stderr, done.stderr)
    wait_count(farm, 3, "web_page_hits")
    empty(farm)


def bad_records(farm):
    """Among good ones: each bad one goes alone."""
    farm.psql("ALTER TABLE downloads ADD CONSTRAINT none_of_these CHECK (filename <> 'poison.whl')")
    start = len(farm.master.text())
    lines = []
    for number in range(3000):
        lines.append(line(f"/simple/load/{wheel(number)}"))
        if number in (7, 1500, 1501):
            lines.append(line("/simple/load/poison.whl"))
        if number % 1000 == 500:
            lines.append(line(f"/simple/load/{wheel(number)}", host="client.example.org"))
    lines.append(line("/simple/load/" + "w" * 4000 + ".whl", "pip/1 " + json.dumps({"cpu": "é" * 300, "python": 3})))
    lines.append(line("/" + "p" * 300 + ".html", "A" * 300 + "/1"))
    logger(farm, "-", text="".join(lines))
    equal("bad entries.the good ones are stored", wait_count(farm, 3001), 3001)
    equal("bad entries.once each", count(farm, "(SELECT DISTINCT filename FROM downloads) d"), 3001)
    equal("bad entries.cut to the columns",
          farm.rows("SELECT length(filename), length(arch) FROM downloads WHERE filename LIKE 'www%'"), [["255", "100"]])
    wait_count(farm, 1, "web_page_hits")
    equal("bad entries.cut agents", farm.rows("SELECT length(page), user_agent FROM web_page_hits"), [["30", "a" * 200]])
    said = farm.wait_log(farm.master, r"a log entry is dropped: .*none_of_these.*", start=start).group(0)
    check("bad entries.the refused one is named", "poison.whl" in said, said)
    farm.wait_log(farm.master, r"a log entry is dropped: LOGDOWNLOAD of load-\d+\S+ by \"client.example.org\"", start=start)
    check("bad entries.an invalid host is named", True)
    farm.psql("ALTER TABLE downloads DROP CONSTRAINT none_of_these")
    empty(farm)


def hostile(farm):
    deep = '{"a":' * 5000
    bad = [line("/simple/a/a.whl", f"pip/1 {deep}"), "\0" * 3000 + "\n", "\udcff\udcfe\n", line("/faq.html", "\\x00\udcff\x01"),
           "x" * 200000 + "\n", line("/simple/a/" + "%00%ff%0a" + ".whl"), line("/project/" + "a" * 300 + "/"), "\n", '"\\',
           line("/project/../../etc/passwd/"), "\n"]
    start = len(farm.master.text())
    pipe = Pipe(farm, "hostile")
    pipe.write("".join(bad) + line("/simple/last/last.whl"))
    wait_count(farm, 1, "downloads", "filename = 'last.whl'")
    equal("hostile.code", pipe.end(), 0)
    equal("hostile.deep JSON is as if empty", farm.rows("SELECT py_name, arch FROM downloads WHERE filename = 'a.whl'"),
          [["CPython", ""]])
    equal("hostile.bad bytes are replaced", count(farm, "downloads", "filename = E'\\uFFFD\\uFFFD\\n.whl'"), 1)
    check("hostile.bad lines are counted", " 3 lines could not be read" in pipe.text(), pipe.text())
    check("hostile.nothing fails in the master", "failed" not in farm.master.text()[start:], farm.master.text()[start:])
    empty(farm)


# --- Pipes --------------------------------------------------------------------------------------------------------

def endless_pipe(farm):
    """Each line goes at once; the master's restart is survived."""
    pipe = Pipe(farm, "endless")
    for number in range(3):
        pipe.write(line(f"/simple/load/{wheel(number)}"))
        wait_count(farm, number + 1, timeout=10)
    equal("pipe.each line goes at once", count(farm), 3)
    farm.master.stop()
    for number in range(3, 103):
        pipe.write(line(f"/simple/load/{wheel(number)}"))
    farm.restart_master()
    equal("pipe.what was written without a master", wait_count(farm, 103), 103)
    farm.master.kill()
    farm.forget(farm.master)
    farm.start_master()
    before = count(farm)
    pipe.write(line("/simple/load/after.whl"))
    wait_count(farm, 1, where="filename = 'after.whl'")
    equal("pipe.after the master was killed", count(farm), before + 1)
    pipe.write(line("/simple/load/last.whl") + "192.0.2.9 - - [half a li")
    pipe.popen.send_signal(signal.SIGINT)
    equal("pipe.ends in order when told", pipe.popen.wait(30), 0)
    wait_count(farm, 1, where="filename = 'last.whl'")
    empty(farm)


def no_master(farm):
    """Nobody takes the entries: with --drop nothing waits, without it everything does."""
    nobody = farm.socket("nobody")
    pipe = Pipe(farm, "dropping", "--drop", queue=nobody)
    text = "".join(line(f"/simple/load/{wheel(number)}") for number in range(1000))
    began = time.monotonic()
    for _ in range(50):
        pipe.write(text)
    used = time.monotonic() - began
    check("drop.the web server is not held up", used < 20 * farms.PATIENCE, used)
    check("drop.memory is bounded", pipe.rss() < 60 or farms.SANITIZED, pipe.rss())
    equal("drop.code", pipe.end(20), 0)
    check("drop.it is said", "takes no entries" in pipe.text() and "50000 lines" in pipe.text(), pipe.text())
    waiting = Pipe(farm, "waiting", queue=nobody)
    waiting.write(text)
    waiting.popen.stdin.close()
    farm.wait("the logger to wait", lambda: "waiting for it" in waiting.text())
    check("wait.without --drop it waits", waiting.popen.poll() is None)
    waiting.popen.send_signal(signal.SIGTERM)
    check("wait.a signal ends it", waiting.popen.wait(30) == 1 and "are lost" in waiting.text(), waiting.text())


# --- Under load ---------------------------------------------------------------------------------------------------

def asleep(pid):
    """Whether none of a program's threads runs or waits for a processor."""
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(FileNotFoundError):  # a thread that has just ended
            if path.read_text("utf-8", "replace").rsplit(")", 1)[1].split()[0] not in "SI":
                return False
    return True


class Load(threading.Thread):
    """Lines through a pipe until told; how many were written."""

    def __init__(self, farm, name):
        super().__init__(daemon=True)
        self.farm = farm
        self.pipe = Pipe(farm, name)
        self.written = 0
        self.limit = None
        self.start()

    def run(self):
        while self.limit is None or self.written < self.limit:
            numbers = range(self.written, self.written + 100)
            self.pipe.write("".join(
                line(f"/simple/load/{wheel(n)}", f"pip/23.0.1 {PIP}") if n % 5 else line(f"/project/load-{n}/") for n in numbers))
            self.written += 100

    def wait_held(self):
        """Until master, ZeroMQ and logger hold as much as they may: the pipe is full, and whoever could empty it has nothing to
        do, look after look."""
        looks = [0]

        def held():
            full = not select.select([], [self.pipe.popen.stdin], [], 0)[1]
            looks[0] = looks[0] + 1 if full and asleep(self.pipe.popen.pid) and asleep(self.farm.master.pid) else 0
            return looks[0] >= HELD_LOOKS

        self.farm.wait("the pipe to stay full", held, 120)

    def finish(self, more):
        self.limit = self.written + more
        self.join(120 * farms.PATIENCE)
        return self.pipe.end(120)


def exact(farm, name, load):
    """Every entry that was written is there, once."""
    downloads, hits = load.written * 4 // 5, load.written // 5
    wait_count(farm, downloads, timeout=120)
    wait_count(farm, hits, "project_page_hits", timeout=120)
    got = (count(farm), count(farm, "(SELECT DISTINCT filename FROM downloads) d"), count(farm, "project_page_hits"),
           count(farm, "(SELECT DISTINCT package FROM project_page_hits) p"))
    equal(f"{name}.exact counts of {load.written}", got, (downloads, downloads, hits, hits))


def database_away(farm, how):
    """Stopped in order or killed, away until everything on the way is full, and back."""
    postgres = next(p for p in farm.processes if p.name == "postgres")
    load = Load(farm, f"load-{how}")
    wait_count(farm, 1000)
    if how == "killed":
        subprocess.run(["pkill", "-KILL", "-P", str(postgres.pid)], check=False)
        postgres.kill()
        farm.forget(postgres)
    else:
        farm.stop_process(postgres)
    load.wait_held()
    check(f"database {how}.the writer is held", load.is_alive())
    with open(f"/proc/{farm.master.pid}/status", encoding="ascii") as file:
        rss = next(int(row.split()[1]) for row in file if row.startswith("VmRSS")) // 1024
    check(f"database {how}.the master's memory is bounded", rss < 200 or farms.SANITIZED, f"{rss} MB")
    if how == "killed":
        (farm.dir / "pg" / "postmaster.pid").unlink(missing_ok=True)
    farm.start_postgres()
    equal(f"database {how}.logger's code", load.finish(2000), 0)
    exact(farm, f"database {how}", load)
    empty(farm)


def commit_cut(farm):
    """A commit whose answer is lost, before it and after it: nothing is doubled and nothing missing."""
    for when in ("before", "after"):
        farm.master.stop()
        farm.restart_master(f"oracle.{when}_commit=error:3")
        load = Load(farm, f"load-{when}")
        wait_count(farm, 1000)
        equal(f"commit cut {when}.logger's code", load.finish(2000), 0)
        exact(farm, f"commit cut {when}", load)
        empty(farm)
    farm.master.stop()
    farm.restart_master()


def swaps(farm):
    """lumberjack and the_oracle are loaded anew again and again under load."""
    ctl = [farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin")]
    load = Load(farm, "load-swaps")
    wait_count(farm, 1000)
    for number in range(30):
        farm.run([*ctl, "reload", "lumberjack" if number % 3 else "the_oracle"])
    equal("swaps.logger's code", load.finish(1000), 0)
    exact(farm, "swaps", load)
    empty(farm)


def oracle_dies(farm):
    """The database's task as a process of its own is killed under load: batches whose fate is unknown are sent again."""
    farm.master.stop()
    farm.task_options["the_oracle"] = {"isolate": "process"}
    farm.restart_master()
    load = Load(farm, "load-oracle")
    wait_count(farm, 1000)
    killed = 0
    for _ in range(3):
        souls = farm.run(["pgrep", "-P", str(farm.master.pid)], check=False).stdout.split()
        for soul in souls:
            os.kill(int(soul), signal.SIGKILL)
            killed += 1
        before = count(farm)
        wait_count(farm, before + 1000)
    check("oracle killed.there was something to kill", killed > 0, killed)
    equal("oracle killed.logger's code", load.finish(1000), 0)
    exact(farm, "oracle killed", load)
    farm.master.stop()
    del farm.task_options["the_oracle"]
    farm.restart_master()
    empty(farm)


def orderly_stop(farm):
    """What the master has taken from a logger is stored, although it is told to stop at once."""
    text = "".join(line(f"/simple/load/{wheel(number)}") for number in range(20000))
    logger(farm, "-", text=text)
    equal("stop.code", farm.master.stop(), 0)
    lost = [line for line in farm.master.text().splitlines() if "are lost" in line or "given up" in line]
    check("stop.nothing is lost", not lost, lost)
    equal("stop.all is stored", count(farm), 20000)
    farm.restart_master()
    empty(farm)


def late_stop(farm):
    """So is what it took while the database was away, which is just back when the master is told to stop."""
    start = len(farm.master.text())
    farm.stop_process(next(p for p in farm.processes if p.name == "postgres"))
    logger(farm, "-", text="".join(line(f"/simple/load/{wheel(number)}") for number in range(2000)))
    farm.wait_log(farm.master, r"database connection is lost", start=start)
    farm.start_postgres()
    equal("late stop.code", farm.master.stop(), 0)
    lost = [line for line in farm.master.text()[start:].splitlines() if "are lost" in line or "given up" in line]
    check("late stop.nothing is lost", not lost, lost)
    equal("late stop.all is stored", count(farm), 2000)


def main():
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database(abis=["cp311"])
        farm.start_pypi()
        farm.start_master()
        if not (pathlib.Path(farm.dir) / "s" / "log").exists():
            check("the log queue is served", False)
            return 1
        for step in (kinds, formats, bad_records, hostile, endless_pipe, no_master, swaps):
            step(farm)
        for how in ("stopped", "killed"):
            database_away(farm, how)
        for step in (commit_cut, oracle_dies, orderly_stop, late_stop):
            step(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
