#!/usr/bin/python3
"""PyPI followed by its list of projects and their documents (follow = json), and the log's follower comparing itself with
that list: what comes, changes and goes; kill -9 in the middle; lists that are none.

TEST-TIMEOUT: 180
"""

import contextlib
import http.server
import json
import sys
import threading
import urllib.request

import farm as farms
import score
check, equal = score.check, score.equal

MANY = 150
NAMES = ("alpha", "Beta.X")


def versions(farm, package):
    """{version: (skip, yanked)}"""
    rows = farm.rows(f"SELECT version, skip, yanked FROM versions WHERE package = '{package}'")
    return {version: (skip, yanked) for version, skip, yanked in rows}


def has(farm, package):
    return farm.value(f"SELECT count(*) FROM packages WHERE package = '{package}'") == "1"


def add(farm, *words):
    done = farm.run([farm.program("piw-add"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "-y", *words],
                    check=False)
    equal(f"piw-add {' '.join(words)}", done.returncode, 0)


def begin(farm, follow):
    farm.task_options["cloud_gazer"] = {"poll-dev-mode": "200ms", "compare": "1s"}
    farm.master_options = ["--dev-mode", "--follow", follow]


def test_first(farm):
    for name in NAMES:
        farms.make_sdist(farm.folder("pypi"), name, "1.0", {})
    farms.make_sdist(farm.dir / "pypi", "alpha", "2.0", {})
    for number in range(MANY):
        farms.make_sdist(farm.dir / "pypi", f"many-{number}", "1.0", {})
    farm.start_pypi()
    begin(farm, "json")
    farm.task_options["cloud_gazer"]["compare"] = "1d"
    farm.start_master()
    farm.wait("some projects", lambda: int(farm.value("SELECT count(*) FROM packages")) > 5)
    farm.master.kill()
    farm.restart_master()
    farm.wait("all projects", lambda: int(farm.value("SELECT count(*) FROM packages WHERE package LIKE 'many-%'")) == MANY)
    # The index has two projects more that are wheels only.
    farm.wait("their versions", lambda: farm.value("SELECT count(*) FROM versions WHERE skip = ''") == str(MANY + 3))
    equal("alpha", versions(farm, "alpha"), {"1.0": ("", "f"), "2.0": ("", "f")})
    equal("name", farm.value("SELECT name FROM package_names WHERE package = 'beta-x' ORDER BY seen DESC, name LIMIT 1"), "Beta.X")
    farm.wait("the serial", lambda: int(farm.value("SELECT pypi_serial FROM configuration")) > 20000000 + MANY)
    check("released", farm.value("SELECT released < now() AT TIME ZONE 'UTC' + interval '1 day' AND released > '2020-01-01' "
                                 "FROM versions WHERE package = 'beta-x'") == "t")


def test_changes(farm):
    farms.make_sdist(farm.dir / "pypi", "alpha", "3.0", {})
    farm.wait("a new version", lambda: "3.0" in versions(farm, "alpha"))
    farm.add_event("yank alpha 1.0 too old")
    farm.wait("a yanked version", lambda: versions(farm, "alpha")["1.0"] == ("", "t"))
    farm.add_event("unyank alpha 1.0")
    farm.wait("an unyanked version", lambda: versions(farm, "alpha")["1.0"] == ("", "f"))
    farm.add_event("remove alpha 2.0")
    farm.wait("a removed version", lambda: "2.0" not in versions(farm, "alpha"))
    add(farm, "alpha", "9.9")
    add(farm, "mine")
    farm.add_event("remove Beta.X")
    farm.wait("a removed project", lambda: not has(farm, "beta-x"))
    farms.make_sdist(farm.dir / "pypi", "alpha", "4.0", {})
    farm.wait("another version", lambda: "4.0" in versions(farm, "alpha"))
    equal("what the operator added stays", ("9.9" in versions(farm, "alpha"), has(farm, "mine")), (True, True))
    unchanged = farm.dir / "log" / "pypi.log"
    start = len(unchanged.read_text())
    farm.wait("a list that did not change", lambda: "not changed since" in unchanged.read_text()[start:])


def test_compare(farm):
    """With the log as driver: a package that was missed, and one that PyPI has no more."""
    farm.stop_process(farm.master)
    farm.psql("DELETE FROM packages WHERE package = 'many-7'; DELETE FROM piw.pypi_projects WHERE package = 'many-7'; "
              "INSERT INTO packages (package) VALUES ('vanished'); INSERT INTO piw.pypi_projects VALUES ('vanished')")
    begin(farm, "xmlrpc")
    farm.start_master()
    farm.wait("the missed package", lambda: "1.0" in versions(farm, "many-7"))
    farm.wait("the end of one that has gone", lambda: not has(farm, "vanished"))
    farm.wait_log(farm.master, r"mended what was missed, by PyPI's list: 1 packages and 1 versions added, 1 deleted")
    farm.wait_log(farm.master, r"PyPI's list of \d+ projects has nothing that was missed")
    equal("what the operator added stays here too", ("9.9" in versions(farm, "alpha"), has(farm, "mine")), (True, True))
    check("the removed one stays away", not has(farm, "beta-x"))


class Index(http.server.BaseHTTPRequestHandler):
    """Answers with what the test wants: (status, body) for the list, and for documents."""
    listing = document = 404, b""

    def do_GET(self):  # pylint: disable=invalid-name
        status, body = type(self).document if self.path.endswith("/json") else type(self).listing
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass


@contextlib.contextmanager
def index():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()


def contents(farm):
    return farm.rows("SELECT (SELECT count(*) FROM packages), (SELECT count(*) FROM versions), pypi_serial FROM configuration")


def follow(farm, url):
    """A master whose index is that."""
    farm.stop_process(farm.master)
    begin(farm, "json")
    farm.master_options += ["--pypi-simple", url, "--pypi-json", url]
    farm.start_master()


def test_bad_lists(farm):
    few = json.dumps({"meta": {"_last-serial": 30000000}, "projects": [{"name": "alpha", "_last-serial": 1}]}).encode()
    bad = [
        ("text", 200, b"<html>busy</html>", "is no JSON"),
        ("cut off", 200, few[:-5], "is no JSON"),
        ("no projects", 200, b'{"meta": {"_last-serial": 3}}', "lacks its projects"),
        ("no serial", 200, b'{"meta": {}, "projects": []}', "lacks meta._last-serial"),
        ("a serial that is missing", 200, b'{"meta": {"_last-serial": 3}, "projects": [{"name": "alpha"}]}',
         "project alpha has no _last-serial"),
        ("deep", 200, b'{"meta": ' + b"[" * 100000, "nested more than 32 deep"),
        ("a serial beyond belief", 200, b'{"meta": {"_last-serial": 4611686018427387904}, "projects": []}',
         "has the serial 4611686018427387904, which can't be"),
        ("not now", 503, b"", "HTTP status 503"),
        ("lost projects", 200, few, "isn't compared with what is here: it had"),
        ("empty", 200, b'{"meta": {"_last-serial": 3}, "projects": []}', "isn't compared with what is here: it had"),
    ]
    before = contents(farm)
    with index() as url:
        for name, status, body, says in bad:
            Index.listing = status, body
            follow(farm, url)
            check(f"bad.{name}", farm.wait_log(farm.master, says))
        equal("bad.nothing done", contents(farm), before)


def test_bad_documents(farm):
    """Of a project that has changed, as the list says."""
    asked = urllib.request.Request(f"{farm.pypi_url}/simple/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=30) as answer:
        listing = json.load(answer)
    before = versions(farm, "alpha")
    with index() as url:
        for status, body, says in ((200, b"{}", "has not its name in it"), (403, b"no", "HTTP status 403"), (404, b"", None)):
            listing["meta"]["_last-serial"] += 1
            next(each for each in listing["projects"] if each["name"] == "alpha")["_last-serial"] = listing["meta"]["_last-serial"]
            Index.listing, Index.document = (200, json.dumps(listing).encode()), (status, body)
            follow(farm, url)
            if says:
                farm.wait_log(farm.master, rf"project alpha is left out until it changes again: .*{says}")
                equal(f"bad.{status} changes nothing", versions(farm, "alpha"), before)
        farm.wait("a project without releases", lambda: list(versions(farm, "alpha")) == ["9.9"])
        check("bad.it is still there", has(farm, "alpha"))


def main():
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database()
        return score.run([test_first, test_changes, test_compare, test_bad_lists, test_bad_documents], farm)


if __name__ == "__main__":
    sys.exit(main())
