#!/usr/bin/python3
"""The two writers of the index behind nginx, set up as packaging/nginx/piwheels.conf says: every way to ask for a page,
what the example promises for the rest of the site, and that pip takes JSON pages from the one writer and HTML pages of the
other."""

import gzip
import http.client
import json
import os
import re
import subprocess
import sys

import farm as farms
import forms
import score
import webs
from score import check, equal

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
PIP = f"{JSON}, {HTML}; q=0.1, text/html; q=0.01"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
# What is asked for, and whether it means JSON.
ASKED = {
    "pip": (PIP, True), "uv": (f"{JSON}, {HTML};q=0.2, text/html;q=0.01", True), "json alone": (JSON, True),
    "upper case": (JSON.upper(), True), "json at the end": (f"text/html;q=0.5, {JSON}", True),
    "a little json": (f"{JSON};q=0.5", True), "equal shares": (f"text/html, {JSON}", True),
    "browser": (BROWSER, False), "anything": ("*/*", False), "html alone": ("text/html", False), "nothing": (None, False),
    "html of v1": (HTML, False), "no json": (f"{JSON};q=0, text/html", False), "no json at all": (f"{JSON}; q=0.000", False),
    "json after html": (f"text/html, {JSON};q=0.9", False), "another version": ("application/vnd.pypi.simple.v2+json", False),
    "plain json": ("application/json", False), "longer name": (JSON + "x", False),
}


class Site:
    def __init__(self, farm):
        self.farm = farm
        self.port = 0

    def serve(self):
        self.port = webs.Nginx(self.farm).start().port
        self.farm.web_url = f"http://127.0.0.1:{self.port}"

    def get(self, path, accept=None, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {key.replace("_", "-"): value for key, value in headers.items()}
            if accept is not None:
                headers["Accept"] = accept
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def asked_for(self, start):
        """What nginx served since then: lines of its access log."""
        return (self.farm.dir / "log" / "nginx-access.log").read_text(encoding="utf-8")[start:]

    def log_end(self):
        return (self.farm.dir / "log" / "nginx-access.log").stat().st_size


def negotiate(site, name, path, has_json):
    """Every way to ask for one page."""
    tags = {}
    for case, (accept, wants_json) in ASKED.items():
        status, headers, body = site.get(path, accept)
        wanted = JSON if wants_json and has_json else "text/html; charset=utf-8"
        got = [headers[n] for n in ("Content-Type", "Vary", "Cache-Control", "Access-Control-Allow-Origin")]
        equal(f"{name}.{case}", (status, got), (200, [wanted, "Accept", "no-cache", "*"]))
        check(f"{name}.{case}.body", body.startswith(b"{" if wanted == JSON else b"<!DOCTYPE html>"), body[:60])
        tags.setdefault(wanted, set()).add(headers["ETag"])
    check(f"{name}.etags", all(len(t) == 1 and next(iter(t)).startswith('"') for t in tags.values()), tags)
    check(f"{name}.forms have their own etags", len(set.union(*tags.values())) == len(tags), tags)
    tag = next(iter(tags[JSON if has_json else "text/html; charset=utf-8"]))
    equal(f"{name}.unchanged", site.get(path, JSON, If_None_Match=tag)[0], 304)
    equal(f"{name}.head", site.get(path, JSON, "HEAD")[0::2], (200, b""))


def check_site(site, wheel):
    """The rest of what the example promises."""
    path = f"/simple/piwdemo-pure/{wheel}"
    status, headers, body = site.get(path)
    equal("wheel", (status, headers["Cache-Control"], headers["Accept-Ranges"], headers["ETag"][0]),
          (200, "no-cache", "bytes", '"'))
    status, headers, part = site.get(path, Range="bytes=2-5")
    equal("wheel.range", (status, part), (206, body[2:6]))
    equal("wheel.unchanged", site.get(path, If_None_Match=headers["ETag"])[0], 304)
    status, headers, metadata = site.get(path + ".metadata")
    equal("metadata", (status, headers["Cache-Control"]), (200, "no-cache"))
    check("metadata.bytes", b"Name: Piwdemo.Pure" in metadata, metadata[:100])
    for name, path in (("missing page", "/simple/no-such-package/"), ("working files", "/.staging/"), ("missing", "/none"),
                       ("missing wheel", "/simple/piwdemo-pure/no-1-py3-none-any.whl"), ("folder without page", "/logs/")):
        status, headers, body = site.get(path)
        check(f"404.{name}", status == 404 and b"Not found" in body and headers["Access-Control-Allow-Origin"] == "*",
              (status, body[:80], headers.items()))
    for path, target in (("/project", "/packages.html"), ("/project/", "/packages.html"),
                         ("/p/piwdemo-pure", "/project/piwdemo-pure"), ("/simple", "/simple/"),
                         ("/simple/piwdemo-pure", "/simple/piwdemo-pure/")):
        status, headers, _ = site.get(path)
        equal(f"redirect.{path}", (status, headers["Location"]), (301, target))
    status, headers, body = site.get("/project/piwdemo-pure/json/")
    equal("project json", (status, headers["Content-Type"], json.loads(body)["package"]),
          (200, "application/json", "piwdemo-pure"))
    log = site.farm.value("SELECT build_id FROM builds LIMIT 1")
    number = f"{int(log):012}"
    path = f"/logs/{number[:4]}/{number[4:8]}/{number[8:]}.txt"
    stored = (site.farm.www / f"{path[1:]}.gz").read_bytes()
    status, headers, body = site.get(path, Accept_Encoding="gzip")
    equal("log.compressed", (status, headers["Content-Encoding"], headers["Content-Type"], body),
          (200, "gzip", "text/plain; charset=utf-8", stored))
    check("log.compressed has a strong ETag", headers["ETag"].startswith('"'), headers.items())
    equal("log.compressed.304", site.get(path, Accept_Encoding="gzip", If_None_Match=headers["ETag"])[0], 304)
    status, headers, body = site.get(path)
    # What is unpacked as it is sent has no ranges, and other bytes than the ETag of the file is for.
    check("log.unpacked promises neither ranges nor a strong ETag",
          headers["Accept-Ranges"] is None and not (headers["ETag"] or "").startswith('"'), headers.items())
    equal("log.unpacked", (status, headers["Content-Encoding"], body), (200, None, gzip.decompress(stored)))


def read_json(site, path):
    return json.loads(site.get(path, JSON)[2])


def check_forms(site, wheel):
    """Both forms of a page say the same."""
    farm = site.farm
    page = read_json(site, "/simple/piwdemo-pure/")
    equal("json.head", (page["meta"], page["name"], page["versions"]), ({"api-version": "1.4"}, "piwdemo-pure", ["1.0"]))
    file, = page["files"]
    data = (farm.www / "simple" / "piwdemo-pure" / wheel).read_bytes()
    row, = farm.rows("SELECT filehash, filesize, requires_python FROM files")
    equal("json.file", (file["filename"], file["url"], file["hashes"], file["size"], file["requires-python"], file["yanked"]),
          (wheel, wheel, {"sha256": row[0]}, int(row[1]), row[2], False))
    equal("json.size", file["size"], len(data))
    check("json.upload-time", re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", file["upload-time"]), file)
    check("json.no older name", "dist-info-metadata" not in file, file)
    html = site.get("/simple/piwdemo-pure/", "text/html")[2].decode()
    check("json.core-metadata", f'data-core-metadata="sha256={file["core-metadata"]["sha256"]}"' in html, html)
    equal("json.root", read_json(site, "/simple/"), {"meta": {"api-version": "1.4"}, "projects": [{"name": "piwdemo-pure"}]})


def try_pip(site, name, page_type):
    """Debian's pip resolves our package by another spelling than its author's, and in which form it read the page. Later ones,
    and packages that need each other, are in test_debian_pip.py."""
    farm = site.farm
    done = farm.run([farms.PYTHON, "-m", "pip", "install", "-vvv", "--dry-run", "--ignore-installed", "--no-deps",
                     "--break-system-packages", "--no-cache-dir", "--index-url", f"{farm.web_url}/simple/", "piwdemo_pure"], timeout=100, check=False)
    good = done.returncode == 0 and re.search("Would install piwdemo[._-]pure", done.stdout, re.IGNORECASE)
    if not check(f"{name}.would install", good, done.stdout[-600:] + done.stderr[-300:]):
        return
    fetched = re.search(r"Fetched page \S+/piwdemo-pure/ as ([^\s;]+)", done.stdout)
    equal(f"{name}.page", fetched and fetched.group(1), page_type)


def index_lists(site, count):
    page = site.farm.www / "simple" / "piwdemo-pure" / "index.html"
    return page.exists() and page.read_text(encoding="utf-8").count("<a ") == count


def check_facts(site, farm):
    """What PyPI's page of the project says beside its versions is on ours: why it is yanked, and the project's status."""
    page = lambda: read_json(site, "/simple/piwdemo-pure/")  # noqa: E731
    html = lambda: site.get("/simple/piwdemo-pure/", "text/html")[2].decode()  # noqa: E731
    with (farm.folder("pypi") / "events.txt").open("a", encoding="utf-8") as events:
        events.write('status piwdemo-pure archived it <is> "done"\nyank piwdemo-pure 1.0 breaks <b>all</b> & "more"\n')
    farm.wait("the reason of the yank", lambda: page()["files"][0]["yanked"] == 'breaks <b>all</b> & "more"', 120)
    check("facts.yanked", 'data-yanked="breaks &lt;b&gt;all&lt;/b&gt; &amp; &quot;more&quot;"' in html(), html())
    equal("facts.status", page()["project-status"], {"status": "archived", "reason": 'it <is> "done"'})
    check("facts.status in HTML", '<meta name="pypi:project-status" content="archived">\n<meta name="pypi:project-status-reason"'
          ' content="it &lt;is&gt; &quot;done&quot;">' in html(), html())
    equal("facts.kept", farm.rows("SELECT version, reason FROM piw.yank_reasons"), [["1.0", 'breaks <b>all</b> & "more"']])
    with (farm.folder("pypi") / "events.txt").open("a", encoding="utf-8") as events:
        events.write("status piwdemo-pure active\nunyank piwdemo-pure 1.0\n")
    farm.wait("the end of both", lambda: "project-status" not in page(), 120)
    equal("facts.unyanked", page()["files"][0]["yanked"], False)


def check_unchanged(site, farm):
    """Pages that say the same as before aren't written, whoever asks for them."""
    names = [f"simple/piwdemo-pure/{name}" for name in ("index.html", "index.v1.json")] + ["simple/index.html", "simple/index.v1.json"]
    before = [(farm.www / name).stat() for name in names]
    tags = [site.get(f"/simple/piwdemo-pure/", accept)[1]["ETag"] for accept in (JSON, "text/html")]
    farm.run([farm.program("piw-rebuild"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "--yes", "index",
              "piwdemo-pure"])
    for name, old in zip(names, before):
        new = (farm.www / name).stat()
        equal(f"unchanged.{name}", (new.st_ino, new.st_mtime_ns), (old.st_ino, old.st_mtime_ns))
    equal("unchanged.etags", [site.get(f"/simple/piwdemo-pure/", accept)[1]["ETag"] for accept in (JSON, "text/html")], tags)


def forget_metadata(farm, wheel):
    """As in a tree and a database that were adopted: there is a wheel, and nothing is known of its METADATA."""
    path = farm.www / "simple" / "piwdemo-pure" / f"{wheel}.metadata"
    data = path.read_bytes()
    path.unlink()
    farm.psql("UPDATE piw.file_facts SET metadata_hash = NULL; UPDATE piw.metadata_pass SET done = false, after = ''")
    page = farm.www / "simple" / "piwdemo-pure" / "index.html"
    page.write_text(re.sub(' data-core-metadata="[^"]*"', "", page.read_text("utf-8")), "utf-8")
    return path, data


def run(site, farm):
    farm.add_samples("piwdemo-pure", versions=["1.0"])
    farm.start(web=False)
    site.serve()
    farm.wait("the package on its index", lambda: index_lists(site, 1), 120)
    farm.wait("the package on the root list", lambda: site.get("/simple/piwdemo-pure/", JSON)[1]["Content-Type"] == JSON and
              b"piwdemo-pure" in site.get("/simple/", JSON)[2])
    wheel, = (path.name for path in (farm.www / "simple" / "piwdemo-pure").glob("*.whl"))
    negotiate(site, "both forms", "/simple/piwdemo-pure/", True)
    negotiate(site, "both forms of the root", "/simple/", True)
    forms.check_weights("nginx", lambda path, **headers: site.get(path, **headers)[:2], "/simple/piwdemo-pure/")
    check_forms(site, wheel)
    check_site(site, wheel)
    try_pip(site, "json.pip", JSON)
    check_facts(site, farm)
    check_unchanged(site, farm)
    # The writer without JSON: JSON forms go as pages are written, HTML takes their place.
    farm.stop_process(farm.master)
    farm.task_options["the_scribe"] = {"plugin": "scribe_html.so"}
    metadata = forget_metadata(farm, wheel)
    farm.start_master()
    farm.wait("the metadata that an adopted tree lacks", lambda: metadata[0].exists() and metadata[0].read_bytes() == metadata[1], 60)
    farm.wait("its hash on the page", lambda: "data-core-metadata" in site.get("/simple/piwdemo-pure/", "text/html")[2].decode(), 60)
    farm.wait("the end of the pass", lambda: farm.value("SELECT done FROM piw.metadata_pass") == "t", 60)
    farm.add_samples("piwdemo-pure", versions=["1.1"])
    farm.wait("the new version on its index", lambda: index_lists(site, 2), 120)
    farm.wait("the root list without JSON", lambda: not (farm.www / "simple" / "index.v1.json").exists())
    check("html.no json is left", not list((farm.www / "simple").rglob("*.json")))
    negotiate(site, "html only", "/simple/piwdemo-pure/", False)
    negotiate(site, "html only at the root", "/simple/", False)
    try_pip(site, "html.pip", "text/html")
    for slave in list(farm.slaves):
        equal("end.slave", farm.stop_process(slave), 0)
    equal("end.master", farm.stop_process(farm.master), 0)


def main():
    if not os.access("/usr/sbin/nginx", os.X_OK):
        score.skip("index_json", "nginx isn't installed (apt package nginx-light)")
        return 0
    with farms.Farm() as farm:
        try:
            run(Site(farm), farm)
        except (farms.Failure, OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
            check("the two writers", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
