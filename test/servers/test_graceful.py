#!/usr/bin/python3
"""The ways to serve a site and to tell the master of it: its own web server, nginx and Apache with the examples as they stand, and
Apache as the manual of the stock programs shows it. Each answers alike what they have in common, and gets 5,000 numbered requests
across three graceful restarts; what was served and isn't recorded afterwards is lost.

TEST-NEEDS: plain
"""

import gzip
import http.client
import os
import pathlib
import re
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "system"))
os.environ.setdefault("B", str(ROOT / "build" / "plain"))
# pylint: disable=wrong-import-position
import farm as farms
import forms
import score
import test_apache
import webs
from score import check, equal
from visitor import JSON, PIP, get

REQUESTS, THREADS, RESTARTS = 5000, 4, 3
LATEST = "application/vnd.pypi.simple.latest+json"
LOG = gzip.compress(b"a line of a build's log\n" * 100)
# Section 2.4 of the manual (piwheels 0.23), without TLS.
MANUAL = """<VirtualHost *:80>
    ServerName www.example.org
    ServerAlias example.org
    ServerAdmin webmaster@example.org
    DocumentRoot /var/www/piwheels
    ErrorLog ${APACHE_LOG_DIR}/apache-error.log
    CustomLog ${APACHE_LOG_DIR}/access.log combined
    CustomLog "|/usr/local/bin/piw-logger --drop" combined
    <Directory /var/www/piwheels>
        Options -Indexes +FollowSymlinks
        AllowOverride None
        Require all granted
        <IfModule mod_rewrite.c>
            RewriteEngine On
            RewriteRule ^project/?$ /packages.html [L,R=301]
            RewriteRule ^p/(.*)/?$ /project/$1 [L,R=301]
        </IfModule>
        <IfModule mod_headers.c>
            Header set Access-Control-Allow-Origin "*"
        </IfModule>
        ErrorDocument 404 /404.html
        DirectoryIndex index.html
    </Directory>
    <Directory /var/www/piwheels/logs/>
        Options +MultiViews
        MultiviewsMatch Any
        RemoveType .gz
        AddEncoding gzip .gz
        <IfModule mod_filter.c>
            FilterDeclare gzip CONTENT_SET
            FilterProvider gzip INFLATE "! req('Accept-Encoding') =~ /gzip/"
            FilterChain gzip
        </IfModule>
    </Directory>
</VirtualHost>
"""


class Farm(farms.Farm):
    @property
    def site(self):
        return self.www


def logger(farm):
    return f"{farm.program('piw-logger')} -c {farm.configuration()} --log-queue {farm.socket('log')}"


# --- The ways -------------------------------------------------------------------------------------------------------

class Own:
    name, alike, examples = "own", True, True

    def __init__(self, farm):
        self.farm = farm
        self.port = farm.own_web()

    def reload(self):
        farm = self.farm
        farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), "reload", "web_server"])

    def stop(self):
        pass


class Nginx(webs.Nginx):
    """With the logger that packaging/systemd starts, of which only paths and queue are others."""
    name, alike, examples = "nginx", True, True

    def __init__(self, farm):
        super().__init__(farm)
        command = re.search(r"^#\s+(find .*)$", self.site, re.MULTILINE)[1].replace("/var/www", str(farm.www))
        farm.run(["/bin/sh", "-c", command.replace("/etc/nginx/piwheels-aliases", f"{farm.dir}/aliases")])
        self.log.touch()
        self.log.chmod(0o666)
        self.start()
        unit = (ROOT / "packaging" / "systemd" / "piwheels-logger.service").read_text(encoding="utf-8")
        command = re.search(r"ExecStart=/bin/sh -c '(.*)'", unit)[1]
        command = command.replace("/var/log/nginx/access.log", str(self.log)).replace("/usr/bin/piw-logger", logger(farm))
        self.tail = farm.start_process("nginx-logger", ["/bin/sh", "-c", command])
        # It begins at the end of the log: what is asked for before it reads is lost, as docs/web-logs.md says.
        farm.wait("the logger", lambda: farm.value("SELECT count(*) > 0 FROM downloads WHERE filename = 'begun.whl'") == "t"
                  or not get(self.port, "/simple/load/begun.whl", User_Agent=PIP).body)

    def stop(self):
        self.farm.stop_process(self.process)
        self.farm.stop_process(self.tail)


class Apache(test_apache.Apache):
    name, alike, examples = "apache", True, True

    def __init__(self, farm):
        super().__init__(farm)
        self.start()

    def stop(self):
        self.farm.stop_process(self.process)
        self.farm.wait("its loggers to end", lambda: not self.loggers())


class Manual(Apache):
    name, alike, examples = "manual", False, False

    def text(self):
        text = MANUAL
        for old, new in (("<VirtualHost *:80>", f"<VirtualHost 127.0.0.1:{self.port}>"), ("/var/www/piwheels", str(self.farm.site)),
                         ("/usr/local/bin/piw-logger", logger(self.farm))):
            text = text.replace(old, new)
        return text


# --- What they answer alike --------------------------------------------------------------------------------------------

def location(answer):
    return re.sub(r"^http://[^/]*", "", answer.header("Location")) if answer.status == 301 else answer.status


def common(way):
    name, port = way.name, way.port
    equal(f"{name}.project", location(get(port, "/project/")), "/packages.html")
    equal(f"{name}.p", location(get(port, "/p/load")), "/project/load")
    equal(f"{name}.a wheel", get(port, "/simple/load/begun.whl").body, b"w" * 100)
    equal(f"{name}.everybody may read", get(port, "/simple/load/").header("Access-Control-Allow-Origin"), "*")
    equal(f"{name}.no listing", get(port, "/logs/0000/").status in (403, 404), True)
    equal(f"{name}.404", (get(port, "/nothing").status, get(port, "/nothing").body == get(port, "/404.html").body), (404, True))
    equal(f"{name}.an alias", get(port, "/project/Load/", User_Agent="x").status in (200, 301), True)
    packed = get(port, "/logs/0000/0000/0001.txt", Accept_Encoding="gzip")
    equal(f"{name}.a log packed", (packed.header("Content-Encoding"), packed.body), ("gzip", LOG))
    equal(f"{name}.a log", get(port, "/logs/0000/0000/0001.txt").body, gzip.decompress(LOG))


def examples(way):
    name, port = way.name, way.port
    for accept, wanted in ((JSON, JSON), (LATEST, JSON), ("*/*", "text/html"), (f"text/html, {LATEST};q=0.5", "text/html"),
                           (f"{LATEST};q=0, */*", "text/html")):
        answer = get(port, "/simple/load/", Accept=accept)
        equal(f"{name}.{accept}", (answer.header("Content-Type").split(";")[0], answer.header("Vary"), answer.header("Cache-Control")),
              (wanted, "Accept", "no-cache"))

    def ask(path, **headers):
        answer = get(port, path, **headers)
        return answer.status, answer.headers
    forms.check_weights(name, ask)
    forms.check_view(name, ask, lambda headers: re.sub(r"^http://[^/]*", "", headers["Location"] or ""))
    for accepted in ("gzip;q=0", "br, gzip; q=0.0", "identity"):
        answer = get(port, "/logs/0000/0000/0001.txt", Accept_Encoding=accepted)
        equal(f"{name}.a log for {accepted}", (answer.header("Content-Encoding"), answer.body == gzip.decompress(LOG)), ("", True))
    for path in ("/.farm", "/.staging/", "/%2efarm"):
        equal(f"{name}.hidden {path}", get(port, path).status, 404)
    spellings = {"/simple/Load/": "/simple/load/", "/project/LOAD/": "/project/load/", "/simple/a__b/": "/simple/a-b/",
                 "/simple/Load/begun.whl": "/simple/load/begun.whl", "/project/Load/json/": "/project/load/json/"}
    if name != "nginx":  # it knows those that are links
        spellings.update({"/simple/X..Y_.-z/": "/simple/x-y-z/", "/simple/Never-Heard.Of/": "/simple/never-heard-of/"})
    for spelling, canonical in spellings.items():
        equal(f"{name}.{spelling}", location(get(port, spelling)), canonical)
    for path in ("/simple/load/", "/simple/a-b/", "/simple/index.html", "/simple/load/index.html", "/project/load/"):
        equal(f"{name}.{path} is its name", get(port, path).status, 200)
    for path in ("/p/x%0d%0aX-Y:%20z", "/simple/Load/%0d%0aX-Y:%20z", "/project/Load%0d%0aX-Y:%20z/"):
        equal(f"{name}.no header out of {path}", get(port, path).headers["X-Y"], None)


# --- What they lose ----------------------------------------------------------------------------------------------------

class Visits:
    """REQUESTS numbered ones, each on a connection of its own."""

    def __init__(self, way):
        self.way = way
        self.next, self.lock = 0, threading.Lock()
        self.served, self.failed = set(), {}

    def one(self):
        with self.lock:
            number = self.next
            self.next += 1
        if number >= REQUESTS:
            return False
        try:
            status = get(self.way.port, f"/simple/load/{self.way.name}-{number}.whl", User_Agent=PIP).status
        except (OSError, http.client.HTTPException) as error:
            status = type(error).__name__
        with self.lock:
            if status == 200:
                self.served.add(number)
            else:
                self.failed[number] = status
        return True

    def many(self):
        while self.one():
            pass


def lost(farm, way):
    visits = Visits(way)
    threads = [threading.Thread(target=visits.many) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for restart in range(1, RESTARTS + 1):
        farm.wait("requests", lambda n=restart: visits.next >= n * REQUESTS // (RESTARTS + 1))
        way.reload()
    for thread in threads:
        thread.join()
    where = f"FROM downloads WHERE filename LIKE '{way.name}-%'"
    try:
        farm.wait("the records", lambda: int(farm.value(f"SELECT count(DISTINCT filename) {where}")) >= len(visits.served), 30)
    except farms.Failure:
        pass
    recorded = {int(re.search(r"\d+", name)[0]) for (name,) in farm.rows(f"SELECT filename {where}")}
    rows = int(farm.value(f"SELECT count(*) {where}"))
    print(f"# {way.name}: {REQUESTS} requests, {RESTARTS} graceful restarts: {len(visits.failed)} failed, {len(visits.served - recorded)} "
          f"served and not recorded, {rows - len(recorded)} recorded twice")
    equal(f"{way.name}.none is lost", sorted(visits.served - recorded)[:10], [])
    equal(f"{way.name}.none is recorded twice", rows, len(recorded))
    # A worker of Apache that ends may close a connection that it hasn't read from; the others never do.
    check(f"{way.name}.none fails", not visits.failed or isinstance(way, Apache) and len(visits.failed) < REQUESTS // 100, visits.failed)


def make_site(farm):
    def write(path, data):
        place = farm.www / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return place
    wheel = write("simple/load/begun.whl", b"w" * 100)
    for way in (Own, Nginx, Apache, Manual):
        for number in range(REQUESTS):
            os.link(wheel, wheel.with_name(f"{way.name}-{number}.whl"))
    for name in ("load", "a-b"):
        write(f"simple/{name}/index.html", b"<!DOCTYPE html>")
        write(f"simple/{name}/index.v1.json", b"{}")
        write(f"project/{name}/index.html", b"<!DOCTYPE html>")
    write("project/load/json/index.json", b"{}")
    forms.make_view(write)
    for alias, name in (("Load", "load"), ("LOAD", "load"), ("a__b", "a-b")):
        (farm.www / "project" / alias).symlink_to(name)
    write("logs/0000/0000/0001.txt.gz", LOG)
    for folder, folders, files in os.walk(farm.www):
        for name in (*folders, *files):
            if not os.path.islink(os.path.join(folder, name)):
                farm.own(os.path.join(folder, name))


def main():
    test_apache.LOADED = (*test_apache.LOADED, "negotiation")
    with Farm() as farm:
        farm.task_options["web_server"] = {"listen": "127.0.0.1:0"}
        farm.prepare()
        make_site(farm)
        farm.start_postgres()
        farm.create_database(abis=["cp311"])
        farm.start_pypi()
        farm.start_master()
        for kind in (Own, Nginx, Apache, Manual):
            if issubclass(kind, Apache) and not os.access(test_apache.APACHE, os.X_OK):
                score.skip(kind.name, "Apache isn't installed (apt package apache2-bin)")
                continue
            way = kind(farm)
            common(way)
            if way.examples:
                examples(way)
            lost(farm, way)
            way.stop()
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
