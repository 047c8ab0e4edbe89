#!/usr/bin/python3
"""Apache with the example of packaging/apache, its access log piped to piw-logger: each line of it has its row, of long
downloads over reloads too; what a reload, Ctrl+C and a second signal do to piw-logger; what Apache says of index pages in both
forms and of build logs, packed and unpacked.

TEST-TIMEOUT: 300
"""

import gzip
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import farm as farms
import forms
import score
from score import check, equal

APACHE = "/usr/sbin/apache2"
MODULES = "/usr/lib/apache2/modules"
EXAMPLE = farms.ROOT / "packaging" / "apache" / "piwheels.conf"
# What Debian's apache2.conf has around a site.
FRAME = """ServerRoot {dir}
ServerName localhost
PidFile {dir}/s/apache.pid
DefaultRuntimeDir {dir}/s
Listen 127.0.0.1:{port}
User nobody
Group nogroup
{modules}
TypesConfig /etc/mime.types
ErrorLog {dir}/log/apache-error.log
StartServers 1
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
Define APACHE_LOG_DIR {dir}/log
<Directory />
    Require all denied
</Directory>
{example}
"""
LOADED = ("mpm_event", "authz_core", "mime", "env", "rewrite", "headers", "filter", "deflate", "dir", "alias")
AGENT = 'pip/25.1 {"cpu":"armv7l","installer":{"name":"pip","version":"25.1"}}'
JSON = "application/vnd.pypi.simple.v1+json"
LONG = 16 << 20  # more than the kernel holds for a client that doesn't read


class Apache:
    def __init__(self, farm):
        self.farm = farm
        self.port = 0
        self.process = None

    def text(self):
        """The example, of which only address, folder and the logger's place and queue are others."""
        farm = self.farm
        text = EXAMPLE.read_text(encoding="utf-8")
        logger = f"{farm.program('piw-logger')} -c {farm.configuration()} --log-queue {farm.socket('log')}"
        for pattern, new, times in ((r"<VirtualHost \*:80>", f"<VirtualHost 127.0.0.1:{self.port}>", 1),
                                    (r"/var/www", str(farm.site), 3), (r"/usr/bin/piw-logger", logger, 1)):
            text, count = re.subn(pattern, new, text)
            if count != times:
                raise farms.Failure(f"the example has {count} times {pattern}")
        return text

    def start(self):
        farm = self.farm
        modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)
        for _ in range(5):
            self.port = farms.free_port()
            conf = farm.dir / "apache.conf"
            conf.write_text(FRAME.format(dir=farm.dir, port=self.port, modules=modules, example=self.text()), encoding="utf-8")
            self.process = farm.start_process("apache", [APACHE, "-f", conf, "-D", "FOREGROUND"])
            if farm.wait("Apache", lambda: "gone" if not self.process.running() else farms.connects(self.port),
                         alive=False) != "gone":
                return
            farm.forget(self.process)
        raise farms.Failure("Apache finds no free port, or doesn't like the example")

    def log(self, name):
        path = self.farm.dir / "log" / name
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def lines(self, part):
        """Of the access log, what was answered in full."""
        return [line for line in self.log("access.log").splitlines() if part in line and '" 200 ' in line]

    def loggers(self):
        """Process ids of the piw-loggers that it started, also of those that it has let go."""
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"piw-logger") and str(self.farm.socket("log")).encode() in words:
                found.append(int(name))
        return found

    def reload(self):
        """What `systemctl reload apache2` and logrotate do; returns when the new workers are there."""
        said = r"resuming normal operations"
        before = len(re.findall(said, self.log("apache-error.log")))
        self.process.popen.send_signal(signal.SIGUSR1)
        self.farm.wait("the reload", lambda: len(re.findall(said, self.log("apache-error.log"))) > before)

    def get(self, path, method="GET", **headers):
        return get(self.port, path, method, **headers)


def get(port, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, headers={key.replace("_", "-"): value for key, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


class Download:
    """A client that has begun to read a large wheel, and goes on when it is told."""

    def __init__(self, port, name):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(60 * farms.PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(f"GET /simple/load/{name} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {AGENT}\r\n"
                            "Connection: close\r\n\r\n".encode())
        self.got = len(self.socket.recv(1024))

    def finish(self):
        while piece := self.socket.recv(1 << 20):
            self.got += len(piece)
        self.socket.close()
        return self.got > LONG


def count(farm, where):
    return int(farm.value(f"SELECT count(*) FROM downloads WHERE filename LIKE '{where}'"))


def wait_rows(farm, where, wanted):
    """Until there are as many; the number there is in the end when that doesn't come."""
    try:
        farm.wait(f"{wanted} rows of {where}", lambda: count(farm, where) >= wanted, 20)
    except farms.Failure:
        pass
    return count(farm, where)


# --- The log over reloads -------------------------------------------------------------------------------------------

def long_downloads(farm, apache):
    """Over two reloads: the workers that serve them log when they have ended, into the pipe of a logger that was told to end."""
    first = apache.loggers()
    downloads = [Download(apache.port, f"long-{n}-py3-none-any.whl") for n in range(3)]
    apache.reload()
    downloads += [Download(apache.port, f"long-{n}-py3-none-any.whl") for n in range(3, 5)]
    apache.reload()
    check("long.each reload has a logger of its own", len(apache.loggers()) >= len(first) + 2, (first, apache.loggers()))
    check("long.all come whole", all(download.finish() for download in downloads))
    farm.wait("five lines", lambda: len(apache.lines("/long-")) == 5)
    equal("long.each line has its row", wait_rows(farm, "long-%", 5), 5)
    farm.wait("the old loggers to end", lambda: len(apache.loggers()) == len(first))
    check("long.loggers end with their workers", not set(first) & set(apache.loggers()), (first, apache.loggers()))


def short_requests(farm, apache):
    """While it is reloaded again and again."""
    served = [0] * 4
    stop = threading.Event()

    def ask(thread):
        while not stop.is_set():
            try:
                served[thread] += get(apache.port, "/simple/load/short-1-py3-none-any.whl", User_Agent=AGENT)[0] == 200
            except (OSError, http.client.HTTPException):
                pass  # a worker that ends may close a connection unread: then there is no line either

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(served))]
    for thread in threads:
        thread.start()
    for _ in range(6):
        before = sum(served)
        farm.wait("requests", lambda: sum(served) >= before + 50)  # pylint: disable=cell-var-from-loop
        apache.reload()
    stop.set()
    for thread in threads:
        thread.join()
    farm.wait("their lines", lambda: len(apache.lines("/short-")) >= sum(served))
    lines = len(apache.lines("/short-"))
    equal(f"short.each of {lines} lines has its row", wait_rows(farm, "short-%", lines), lines)


def unbuffered(farm, apache):
    """A line has its row while its worker lives."""
    apache.get("/simple/load/kinds-1-py3-none-any.whl.metadata", User_Agent=AGENT)
    apache.get("/simple/load/kinds-1-py3-none-any.whl", "HEAD", User_Agent=AGENT)
    apache.get("/simple/load/kinds-1-py3-none-any.whl", Range="bytes=0-9", User_Agent=AGENT)
    apache.get("/simple/load/single-1-py3-none-any.whl", User_Agent=AGENT)
    equal("unbuffered", wait_rows(farm, "single-%", 1), 1)
    apache.get("/simple/load/", User_Agent=AGENT)
    farm.wait("its search", lambda: farm.value("SELECT count(*) > 0 FROM searches") == "t")
    equal("metadata, HEAD and ranges are neither searches nor downloads", (farm.value("SELECT count(*) FROM searches"), count(farm, "kinds-%")), ("1", 0))


# --- Signals --------------------------------------------------------------------------------------------------------

class Pipe:
    """piw-logger at the end of a pipe that is held open."""

    def __init__(self, farm, name):
        self.farm = farm
        self.name = name
        # pylint: disable-next=consider-using-with
        self.popen = subprocess.Popen([*farm.drop, farm.program("piw-logger"), "-c", farm.configuration(), "--drop",
                                       "--log-queue", farm.socket("log")], env=farm.env, cwd=farm.dir, stdin=subprocess.PIPE,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def write(self, number):
        self.popen.stdin.write(f'fe80::1%eth0 - - [01/Mar/2024:12:34:59 +0000] "GET /simple/a/{self.name}-{number}.whl HTTP/1.1" '
                               f'200 9 "-" "x"\n'.encode())
        self.popen.stdin.flush()
        return wait_rows(self.farm, f"{self.name}-{number}.whl", 1)


def signals(farm):
    pipe = Pipe(farm, "term")
    pipe.write(1)
    pipe.popen.send_signal(signal.SIGHUP)
    pipe.popen.send_signal(signal.SIGTERM)
    equal("signals.it reads on after SIGTERM", [pipe.write(n) for n in (2, 3)], [1, 1])
    equal("signals.a zone is cut off", farm.value("SELECT DISTINCT host(accessed_by) FROM downloads WHERE filename LIKE 'term-%'"),
          "fe80::1")
    pipe.popen.stdin.close()
    equal("signals.and ends with its input", pipe.popen.wait(60 * farms.PATIENCE), 0)
    for name, which in (("twice", (signal.SIGTERM, signal.SIGTERM)), ("int", (signal.SIGINT,))):
        pipe = Pipe(farm, name)
        pipe.write(1)
        for number in which:
            pipe.popen.send_signal(number)
            if len(which) > 1 and pipe.popen.poll() is None:
                pipe.write(2)  # the first has been seen: two that wait are one
        equal(f"signals.{name} ends it", pipe.popen.wait(60 * farms.PATIENCE), 0)
        pipe.popen.stdin.close()


# --- What it answers ------------------------------------------------------------------------------------------------

def strong(headers):
    return bool(re.fullmatch(r'"[^"]+"', headers.get("ETag", "")))


def index_pages(apache):
    for name, path in (("root", "/simple/"), ("package", "/simple/load/")):
        tags = set()
        for form, accept, media in (("html", "text/html", "text/html; charset=utf-8"), ("json", JSON, JSON)):
            status, headers, _ = apache.get(path, Accept=accept)
            equal(f"{name}.{form}", (status, headers["Content-Type"].lower(), headers["Cache-Control"], headers["Vary"]),
                  (200, media, "no-cache", "Accept"))
            check(f"{name}.{form}.a strong ETag", strong(headers), headers.items())
            status, again, body = apache.get(path, Accept=accept, If_None_Match=headers["ETag"])
            equal(f"{name}.{form}.304", (status, body, again["ETag"], again["Cache-Control"], again["Vary"]),
                  (304, b"", headers["ETag"], "no-cache", "Accept"))
            tags.add(headers["ETag"])
        equal(f"{name}.each form has its own", len(tags), 2)

    def ask(path, **headers):
        return apache.get(path, **headers)[:2]
    forms.check_weights("apache", ask)
    forms.check_view("apache", ask, lambda headers: re.sub(r"^http://[^/]*", "", headers["Location"] or ""))


def build_logs(apache, packed):
    """Sent packed with what a cache needs, unpacked without a promise that isn't kept."""
    path = "/logs/0000/0000/0001.txt"
    status, headers, body = apache.get(path, Accept_Encoding="gzip")
    equal("log.packed", (status, headers["Content-Encoding"], body), (200, "gzip", packed))
    check("log.packed.a strong ETag", strong(headers) and headers["Vary"] == "Accept-Encoding", headers.items())
    equal("log.packed.304", apache.get(path, Accept_Encoding="gzip", If_None_Match=headers["ETag"])[0], 304)
    for accepted in ("gzip;q=0", "br, gzip; q=0.00", "gzip;q=0.5"):
        status, headers, body = apache.get(path, Accept_Encoding=accepted)
        coding, wanted = ("gzip", packed) if accepted.endswith("5") else (None, gzip.decompress(packed))
        equal(f"log.for {accepted}", (status, headers["Content-Encoding"], body == wanted), (200, coding, True))
    status, headers, body = apache.get(path)
    equal("log.unpacked", (status, headers["Content-Encoding"], body, headers["Vary"]),
          (200, None, gzip.decompress(packed), "Accept-Encoding"))
    check("log.unpacked.no ranges", headers["Accept-Ranges"] in (None, "none"), headers.items())
    check("log.unpacked.no strong ETag", not strong(headers), headers.items())
    equal("log.unpacked.a range is not taken", apache.get(path, Range="bytes=5-9")[::2],
          (200, gzip.decompress(packed)))


def make_site(farm):
    for number in range(5):
        farm.write_site(f"simple/load/long-{number}-py3-none-any.whl", b"w" * LONG)
    for kind in ("short", "single", "kinds"):
        farm.write_site(f"simple/load/{kind}-1-py3-none-any.whl", b"w" * 100)
    farm.write_site("simple/load/kinds-1-py3-none-any.whl.metadata", b"Name: load\n")
    for folder in ("simple/load", "simple"):
        farm.write_site(f"{folder}/index.html", b"<!DOCTYPE html>" + folder.encode())
        farm.write_site(f"{folder}/index.v1.json", b'{"form": "json"}')
    forms.make_view(farm.write_site)
    packed = gzip.compress(b"a line of a build's log\n" * 1000)
    farm.write_site("logs/0000/0000/0001.txt.gz", packed)
    return packed


class Farm(farms.Farm):
    """With a site of its own: the master would make another one of it."""

    @property
    def site(self):
        return self.dir / "site"

    def write_site(self, path, data):
        place = self.site / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        self.own(place)


def main():
    if not os.access(APACHE, os.X_OK):
        score.skip("apache", "it isn't installed (apt package apache2-bin)")
        return 0
    with Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database(abis=["cp311"])
        farm.start_pypi()
        farm.start_master()
        packed = make_site(farm)
        apache = Apache(farm)
        apache.start()
        unbuffered(farm, apache)
        long_downloads(farm, apache)
        short_requests(farm, apache)
        signals(farm)
        index_pages(apache)
        build_logs(apache, packed)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
