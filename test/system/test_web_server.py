#!/usr/bin/python3
"""The embedded web server over a farm's site: forms of pages, ranges, conditions, redirects and build logs; what is never served;
what it tells lumberjack; clients that are slow, silent or too many; swaps, in which nobody is refused or cut."""

import gzip
import os
import re
import sys
import threading
import time

import farm as farms
import forms
import machine
import score
from score import check, equal
from visitor import JSON, PIP, Raw, get

HTML = "text/html; charset=utf-8"
WHEEL = "/simple/load/load-1-py3-none-any.whl"
LOG = gzip.compress(b"a line of a build's log\n" * 4000)
LARGE = 24 << 20  # more than the kernel holds for a client that doesn't read


def make_site(farm):
    """What the master itself wouldn't write, beside what it does."""
    def write(path, data):
        place = farm.www / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    write("simple/load/index.html", b"<!DOCTYPE html>a page")
    write("simple/load/index.v1.json", b'{"form": "json"}')
    write("simple/old/index.html", b"<!DOCTYPE html>of a writer without JSON")
    write("simple/load/load-1-py3-none-any.whl", bytes(range(256)) * 400)
    write("simple/load/load-1-py3-none-any.whl.metadata", b"Name: load\n")
    write("simple/load/large-1-py3-none-any.whl", b"w" * LARGE)
    write("simple/load/empty-1-py3-none-any.whl", b"")
    write("project/load/index.html", b"<!DOCTYPE html>a project")
    write("project/load/json/index.json", b"{}")
    write("logs/0000/0000/0001.txt.gz", LOG)
    write("logs/0000/0000/0001.html.gz", LOG)
    forms.make_view(write)
    write(".quarantine/bad.whl", b"hidden")
    write("simple/load/.hidden.whl", b"hidden")
    (farm.www / "project" / "Load").symlink_to("load")
    (farm.www / "out").symlink_to("/etc")
    (farm.www / "out.html").symlink_to("/etc/hostname")
    (farm.www / "inside.html").symlink_to("simple/load/index.html")
    os.mkfifo(farm.www / "fifo.html")
    for folder, folders, files in os.walk(farm.www):
        for name in (*folders, *files):
            if not os.path.islink(path := os.path.join(folder, name)):
                farm.own(path)


# --- What it answers ------------------------------------------------------------------------------------------------

def test_forms(port):
    """Of an index page, by Accept."""
    v1_html, latest = "application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.latest+json"
    for accept, wanted in (
            (None, HTML), ("*/*", HTML), ("text/html", HTML), (JSON, JSON), (latest, JSON), (v1_html, v1_html),
            (f"{JSON}, {v1_html}; q=0.1, text/html; q=0.01", JSON), (f"{latest}, text/html;q=0.5", JSON),
            (f"text/html, {JSON};q=0.5", HTML), (f"text/html;q=0.2,{JSON};q=0.5", JSON), (f"{JSON};q=0, */*", HTML),
            ("application/*", v1_html), (f"{JSON}, */*;q=0.1", JSON), ("TEXT/HTML", HTML), (f"a/b;x=\",{JSON}\", text/html", HTML),
            ("text/plain", 406), (f"{JSON};q=0", 406), ("text/html;q=0", 406), ("text/html;q=0, */*", v1_html)):
        answer = get(port, "/simple/load/", **({"Accept": accept} if accept else {}))
        equal(f"forms.{accept}", answer.status if wanted == 406 else answer.header("Content-Type"), wanted)
        equal(f"forms.{accept}.vary", answer.header("Vary"), "Accept")
    equal("forms.JSON that isn't written", get(port, "/simple/old/", Accept=f"{JSON}, text/html;q=0.1").header("Content-Type"), HTML)
    equal("forms.JSON alone that isn't written", get(port, "/simple/old/", Accept=JSON).status, 406)
    tags = {get(port, "/simple/load/", Accept=accept).header("ETag") for accept in (JSON, "text/html")}
    equal("forms.each has its own ETag", len(tags), 2)

    def ask(path, **headers):
        answer = get(port, path, **headers)
        return answer.status, answer.headers
    forms.check_weights("forms", ask)
    forms.check_view("forms", ask)


def obsolete_date(date, form):
    """The same moment as servers wrote it once, which RFC 9110 has all understand."""
    return time.strftime(form, time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT"))


def test_conditions(port):
    whole = get(port, WHEEL)
    tag, date = whole.header("ETag"), whole.header("Last-Modified")
    equal("whole", (whole.status, len(whole.body), whole.header("Content-Type"), whole.header("Cache-Control"),
                    whole.header("Access-Control-Allow-Origin"), whole.header("Accept-Ranges")),
          (200, 102400, "application/zip", "no-cache", "*", "bytes"))
    head = get(port, WHEEL, "HEAD")
    equal("head", (head.status, head.body, head.header("Content-Length"), head.header("ETag")), (200, b"", "102400", tag))
    for headers, wanted in (
            ({"If_None_Match": tag}, 304), ({"If_None_Match": f'"x", W/{tag}'}, 304), ({"If_None_Match": '"x"'}, 200),
            ({"If_None_Match": "*"}, 304), ({"If_Modified_Since": date}, 304),
            ({"If_Modified_Since": "Sun, 06 Nov 1994 08:49:37 GMT"}, 200), ({"If_Modified_Since": "yesterday"}, 200),
            ({"If_Modified_Since": obsolete_date(date, "%A, %d-%b-%y %H:%M:%S GMT")}, 304),
            ({"If_Modified_Since": obsolete_date(date, "%a %b %e %H:%M:%S %Y")}, 304),
            ({"If_Modified_Since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 200), ({"If_Modified_Since": "Sun Nov  6 08:49:37 1994"}, 200),
            ({"If_None_Match": '"x"', "If_Modified_Since": date}, 200), ({"If_Match": '"x"'}, 412), ({"If_Match": tag}, 200),
            ({"If_Unmodified_Since": "Sun, 06 Nov 1994 08:49:37 GMT"}, 412)):
        equal(f"conditions.{headers}".replace(tag, "TAG").replace(date, "DATE"), get(port, WHEEL, **headers).status, wanted)
    fresh = get(port, WHEEL, If_None_Match=tag)
    equal("conditions.304 says what a cache needs", (fresh.body, fresh.header("ETag"), fresh.header("Cache-Control")),
          (b"", tag, "no-cache"))
    for asked, status, range_, body in (
            ("bytes=0-9", 206, "bytes 0-9/102400", whole.body[:10]), ("bytes=102390-", 206, "bytes 102390-102399/102400", whole.body[-10:]),
            ("bytes=-10", 206, "bytes 102390-102399/102400", whole.body[-10:]),
            ("bytes=-999999", 206, "bytes 0-102399/102400", whole.body), ("bytes=5-999999", 206, "bytes 5-102399/102400", whole.body[5:]),
            ("bytes=102400-", 416, "bytes */102400", b""), ("bytes=-0", 416, "bytes */102400", b""), ("bytes=9-5", 200, "", whole.body),
            ("bytes=0-1,5-6", 200, "", whole.body), ("bytes=" + "0-0," * 500 + "1-1", 200, "", whole.body),
            ("bytes=x", 200, "", whole.body), ("lines=1-2", 200, "", whole.body),
            ("bytes=0-99999999999999999999999", 206, "bytes 0-102399/102400", whole.body)):
        answer = get(port, WHEEL, Range=asked)
        check(f"range.{asked[:40]}", (answer.status, answer.header("Content-Range"), answer.body) == (status, range_, body), answer)
    for if_range, status in ((tag, 206), (date, 206), ('"x"', 200), (f"W/{tag}", 200), ("Sun, 06 Nov 1994 08:49:37 GMT", 200)):
        equal(f"range.If-Range {if_range}".replace(tag, "TAG").replace(date, "DATE"),
              get(port, WHEEL, Range="bytes=0-9", If_Range=if_range).status, status)
    equal("range.of nothing", get(port, "/simple/load/empty-1-py3-none-any.whl", Range="bytes=0-9").status, 416)
    equal("empty", get(port, "/simple/load/empty-1-py3-none-any.whl").status, 200)


def test_redirects(port):
    for path, wanted in (
            ("/project", "/packages.html"), ("/project/", "/packages.html"), ("/p/load", "/project/load"), ("/p/Load/", "/project/Load/"),
            ("/simple", "/simple/"), ("/simple/load", "/simple/load/"), ("/simple/Load", "/simple/load/"),
            ("/simple/LOAD/", "/simple/load/"), ("/simple/a.b__c/", "/simple/a-b-c/"),
            (f"{WHEEL.replace('load/', 'Load/')}", WHEEL), ("/project/Load/", "/project/load/"), ("/project/Load", "/project/load/"),
            ("/project/Load/json/", "/project/load/json/"), ("/project/load", "/project/load/"), ("/p/%C3%A4%0D%0Ax", None),
            ("/p/%C3%A4", "/project/%C3%A4"), ("http://elsewhere/simple/Load/", "/simple/load/")):
        answer = get(port, path)
        equal(f"redirect.{path}", answer.header("Location") if answer.status == 301 else None, wanted)


def test_logs(port):
    path, plain = "/logs/0000/0000/0001.txt", gzip.decompress(LOG)
    packed = get(port, path, Accept_Encoding="br, gzip;q=0.5")
    equal("log.packed", (packed.status, packed.body, packed.header("Content-Encoding"), packed.header("Vary"), packed.header("Content-Type")),
          (200, LOG, "gzip", "Accept-Encoding", "text/plain; charset=utf-8"))
    equal("log.packed.304", get(port, path, Accept_Encoding="gzip", If_None_Match=packed.header("ETag")).status, 304)
    for accepted in (None, "br", "gzip;q=0"):
        answer = get(port, path, **({"Accept_Encoding": accepted} if accepted else {}), Range="bytes=0-9")
        equal(f"log.unpacked.{accepted}", (answer.status, answer.body == plain, answer.header("Content-Encoding"),
                                           answer.header("ETag"), answer.header("Accept-Ranges"), answer.header("Vary")),
              (200, True, "", "", "", "Accept-Encoding"))


    page = get(port, "/logs/0000/0000/0001.html", Accept_Encoding="gzip")
    equal("log.page", (page.status, page.body, page.header("Content-Encoding"), page.header("Content-Type")),
          (200, LOG, "gzip", "text/html; charset=utf-8"))


def test_hidden(port):
    """Never served, however it is spelt; nor does anything lead out of the site."""
    missing = get(port, "/404.html").body
    for path in ("/.farm", "/.staging/", "/.quarantine/bad.whl", "/.pages", "/%2efarm", "/%2Efarm", "/simple/../.farm",
                 "/simple/%2e%2e/.farm", "/simple/..%2f.farm", "/simple/..%2F..%2F..%2Fetc/passwd", "/../../etc/passwd", "//etc/passwd",
                 "/simple//load/", "/simple/load/.hidden.whl", "/out/passwd", "/out", "/out.html", "/simple/load/index.html%00.whl", "/fifo.html",
                 "/simple/load/%", "/simple/load/%4", "/simple/load/%zz", "/a" * 2000, "/x\\..\\.farm", "/simple/load/./index.html",
                 "/simple/load/index.html/", "/simple/load/index.html/x"):
        answer = get(port, path)
        check(f"hidden.{path[:50]}", answer.status == 404 and answer.body == missing, answer.status)
    equal("a link that stays inside", get(port, "/inside.html").body, b"<!DOCTYPE html>a page")
    equal("no listing", get(port, "/logs/0000/").status, 404)


def test_requests(port):
    """What isn't a plain GET."""
    for method, status in (("POST", 405), ("PUT", 405), ("DELETE", 405), ("OPTIONS", 405), ("CONNECT", 405), ("BREW", 405)):
        equal(f"request.{method}", get(port, WHEEL, method).status, status)
    # What follows a body that nobody reads must not be taken for a request.
    raw = Raw(port).send("GET /simple/load/ HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\nGET /404.html HTTP/1.1\r\nHost: x\r\n\r\n")
    got = raw.all()
    equal("request.a body", (got.split(b" ")[1], got.count(b"HTTP/1.1 ")), (b"400", 1))
    got = Raw(port).send("GET /simple/load/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").all()
    equal("request.a body in pieces", got.split(b" ")[1], b"400")
    smuggled = "GET /404.html HTTP/1.1\r\nHost: x\r\n\r\n"
    for name, fields in (("two lengths", f"Content-Length: 0\r\nContent-Length: {len(smuggled)}\r\n"), ("two hosts", "Host: y\r\n"),
                         ("a blank before the colon", f"Content-Length : {len(smuggled)}\r\n"),
                         ("a tab before the colon", "Transfer-Encoding\t: chunked\r\n")):
        got = Raw(port).send(f"GET /simple/load/ HTTP/1.1\r\nHost: x\r\n{fields}\r\n{smuggled}").all()
        equal(f"request.{name}", (got.split(b" ")[1], got.count(b"HTTP/1.1 ")), (b"400", 1))
    for name, path, fields, status in (
            ("Accept", "/simple/load/", "Accept: text/plain\r\nAccept: text/html\r\n", b"200"),
            ("If-None-Match", WHEEL, "If-None-Match: \"x\"\r\nif-none-match: *\r\n", b"304"),
            ("Range, of which only one is possible", WHEEL, "Range: bytes=0-1\r\nRange: bytes=2-3\r\n", b"200")):
        got = Raw(port).send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n").all()
        equal(f"request.twice {name}", got.split(b" ")[1], status)
    equal("request.no Host", Raw(port).send("GET / HTTP/1.1\r\n\r\n").answer().status, 400)
    got = Raw(port).send("GET / HTTP/1.1\r\nHost: x\r\n" + "".join(f"X-{n}: {'y' * 100}\r\n" for n in range(400)) + "\r\n").all()
    check("request.a head too large", got.split(b" ")[1] in (b"413", b"431"), got[:200])
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60) + b"\r\n\r\n", b"\0" * 500 + b"\r\n\r\n", b"\r\n" * 50 + b"x y z\r\n\r\n"):
        got = Raw(port).send(garbage).all()
        check("request.garbage ends the connection", b" 200 " not in got, got[:100])
    raw = Raw(port)
    equal("request.one after another", [raw.ask("/simple/load/").answer().status for _ in range(3)], [200] * 3)
    got = Raw(port).send("GET /simple/load/ HTTP/1.1\r\nHost: x\r\n\r\n" * 2 + "GET / HTTP/1.0\r\n\r\n").all()
    equal("request.three at once", got.count(b"HTTP/1.1 200 "), 3)


# --- What it tells --------------------------------------------------------------------------------------------------

def test_hits(farm, port):
    """As the log of another server would: GETs that were answered with 200, by the same rules."""
    before = [int(farm.value(f"SELECT count(*) FROM {table}")) for table in TABLES]
    get(port, WHEEL, User_Agent=PIP)
    get(port, WHEEL, "HEAD", User_Agent=PIP)
    get(port, WHEEL, User_Agent=PIP, Range="bytes=0-9")
    get(port, WHEEL + ".metadata", User_Agent=PIP)
    get(port, "/simple/load/", User_Agent=PIP)
    get(port, "/simple/load/", User_Agent="curl/8")
    get(port, "/project/load/json/", User_Agent="curl/8")
    get(port, "/project/load/", User_Agent="curl/8")
    get(port, "/project/Load/", User_Agent="curl/8")
    get(port, "/404.html", User_Agent="curl/8")
    get(port, "/missing.html", User_Agent="curl/8")
    get(port, WHEEL)
    wanted = [1, 1, 1, 1, 1]

    def counted():
        return [int(farm.value(f"SELECT count(*) FROM {table}")) - was for table, was in zip(TABLES, before)]
    try:
        farm.wait("the hits", lambda: sum(counted()) >= sum(wanted))
    except farms.Failure:
        pass
    equal("hits", counted(), wanted)
    equal("hits.who", farm.rows("SELECT filename, host(accessed_by), arch, installer_name FROM downloads")[-1],
          ["load-1-py3-none-any.whl", "127.0.0.1", "armv7l", "pip"])


TABLES = ("downloads", "searches", "project_json_downloads", "project_page_hits", "web_page_hits")


# --- Swaps ----------------------------------------------------------------------------------------------------------

def ctl(farm, *words):
    return farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), *words], timeout=60)


def test_swaps(farm, port):
    """Nobody who connects is refused, and what is under way ends well, over one swap after another."""
    down = Raw(port, receive_buffer=4096).ask("/simple/load/large-1-py3-none-any.whl", "Connection: close")
    got = len(down.socket.recv(1000))
    kept = Raw(port)
    equal("swap.a connection before", kept.ask("/simple/load/").answer().status, 200)
    stop, wrong, served = threading.Event(), [], [0] * 3

    def visit(thread):
        while not stop.is_set():
            try:
                answer = get(port, "/simple/load/")
                if answer.status != 200:
                    wrong.append(answer.status)
                served[thread] += 1
            except OSError as error:
                wrong.append(repr(error))

    threads = [threading.Thread(target=visit, args=(n,)) for n in range(len(served))]
    for thread in threads:
        thread.start()
    for _ in range(5):
        before = sum(served)
        farm.wait("visits", lambda: sum(served) >= before + 20)  # pylint: disable=cell-var-from-loop
        ctl(farm, "reload", "web_server")
    stop.set()
    for thread in threads:
        thread.join()
    equal("swap.nobody is refused", wrong, [])
    answer = kept.ask("/simple/load/").answer()
    equal("swap.a kept connection is answered, and ended", (answer.status, answer.header("Connection").lower()), (200, "close"))
    got += len(down.all())
    check("swap.a download goes on", got > LARGE, got)
    farm.wait("the old ones to go, but for one that hardly reads", lambda: connections(farm) <= 1)
    ctl(farm, "reread")
    equal("swap.and after all that", get(port, "/simple/load/").status, 200)


# --- Clients that are a burden ---------------------------------------------------------------------------------------

class Burdens:
    """They come at the beginning, and what has become of them is looked at in the end."""

    def __init__(self, port):
        self.slow = Raw(port, receive_buffer=4096).ask("/simple/load/large-1-py3-none-any.whl")
        self.dribble = Raw(port).send("GET / HTTP/1.1\r\n")
        self.silent = Raw(port)
        self.idle = Raw(port)
        self.idle.ask("/simple/load/").answer()
        self.begun = time.monotonic()

    def look(self, farm):
        def dribbled():
            try:
                self.dribble.send("X-A: b\r\n")
            except OSError:
                return True
            return self.dribble.ended()
        farm.wait("a head that never ends to be cut", dribbled)
        check("burden.a head that never ends", True)
        farm.wait("one that says nothing to be cut", self.silent.ended)
        check("burden.one that says nothing", True)
        farm.wait("an idle one to be cut", self.idle.ended)
        check("burden.one that is idle", True)

        def trickled():
            if self.slow.reset():
                return True
            self.slow.socket.recv(1)
            return False
        farm.wait("a reader that takes a byte now and then to be cut", trickled)
        check("burden.a reader that hardly reads", True)


def test_crowd(farm, port):
    """As many connections as there may be: another one comes in when one of them has been idle."""
    crowd = [Raw(port) for _ in range(100)]
    equal("crowd.one more is served", get(port, "/simple/load/").status, 200)
    check("crowd.for which others went", sum(raw.ended() for raw in crowd) > 0)
    for raw in crowd:
        raw.close()


def connections(farm):
    """Of all instances, as they say themselves."""
    return sum(map(int, re.findall(r"(\d+) connections, ", ctl(farm, "list").stdout)))


def listeners(port):
    """Sockets that listen at it."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        return sum(f":{port:04X} " in line.split(None, 2)[1] + " " and line.split()[3] == "0A" for line in file)


def test_site_away(farm, port):
    """Its file system isn't mounted for a moment."""
    away = farm.www.with_name("away")
    farm.www.rename(away)
    farm.wait("503", lambda: get(port, WHEEL).status == 503)
    away.rename(farm.www)
    farm.wait("200", lambda: get(port, WHEEL).status == 200)
    check("away", True)


def children(pid):
    """Command lines of its own processes, one behind the other."""
    lines = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
            for child in file.read().split():
                with open(f"/proc/{child}/cmdline", "rb") as command:
                    lines.append(command.read())
    return b" ".join(lines)


def test_isolated(farm, port):
    """In a process of its own, and disabled while it runs."""
    farm.stop_process(farm.master)
    farm.task_options["web_server"] = {"listen": f"127.0.0.1:{port}", "isolate": "process"}
    farm.start_master()
    farm.wait("it to listen", lambda: farms.connects(port))
    check("isolated.a process", b"piw-soul" in children(farm.master.pid), children(farm.master.pid))
    count = int(farm.value("SELECT count(*) FROM downloads"))
    equal("isolated.a wheel", get(port, WHEEL, User_Agent=PIP).status, 200)
    farm.wait("its hit", lambda: int(farm.value("SELECT count(*) FROM downloads")) > count)
    ctl(farm, "disable", "web_server")
    farm.wait("it to go", lambda: not farms.connects(port))
    check("isolated.disabled", True)


def main():
    with farms.Farm() as farm:
        port = farms.free_port()
        farm.task_options["web_server"] = {"listen": f"127.0.0.1:{port}", "instances": 2, "head-timeout": "2s", "idle-timeout": "4s",
                                           "connections": 24}
        farm.prepare()
        make_site(farm)
        farm.start_postgres()
        farm.create_database(abis=["cp311"])
        farm.start_pypi()
        # Whose runtime wants to be loaded first itself goes without.
        farm.start_master(env={} if farms.SANITIZED else {"LD_PRELOAD": str(machine.preload(farm, "microhttpd"))})
        burdens = Burdens(port)
        for test in (test_forms, test_conditions, test_redirects, test_logs, test_hidden, test_requests):
            test(port)
        test_hits(farm, port)
        test_swaps(farm, port)
        burdens.look(farm)
        test_crowd(farm, port)
        equal("two instances", listeners(port), 2)
        test_site_away(farm, port)
        test_isolated(farm, port)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
