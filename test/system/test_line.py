#!/usr/bin/python3
"""The whole line on real input: PyPI (its stand-in) announces, the master queues, a slave builds, wheels are received,
checked and published, and pip installs them from our index. Then what changes later: a new version, a yank, a removal.

TEST-TIMEOUT: 420
"""

import contextlib
import gzip
import hashlib
import html.parser
import json
import os
import stat
import sys
import tempfile
import urllib.parse
import zipfile

import farm as farms
import score
from score import check, equal

SAMPLES = {"piwdemo-broken": ("2.0", False), "piwdemo-cext": ("0.3", True)}


class Links(html.parser.HTMLParser):
    """The anchors of a page: {text: attributes}."""

    def __init__(self, text):
        super().__init__()
        self.found, self.meta, self._open = {}, {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self._open = dict(attrs)
        elif tag == "meta":
            self.meta.update({dict(attrs).get("name"): dict(attrs).get("content")})

    def handle_data(self, data):
        if self._open is not None:
            self.found[data] = self._open
            self._open = None


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def metadata_of(path):
    with zipfile.ZipFile(path) as wheel:
        name, = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
        return wheel.read(name)


class Line:
    """The farm and the versions that are expected of it: {(package, version): should succeed}."""

    def __init__(self, farm, real):
        self.farm = farm
        self.expected = {(name, version): good for name, (version, good) in SAMPLES.items()}
        self.expected.update({("piwdemo-pure", "1.0"): True, ("piwdemo-pure", "1.1"): True})
        for name in real:
            self.expected[(name.lower(), {"MarkupSafe": "2.1.2", "netifaces": "0.11.0"}[name])] = True

    def files(self, package=None):
        where = f"WHERE b.package = '{package}'" if package else ""
        return self.farm.rows("SELECT b.package, b.version, f.filename, f.filesize, f.filehash, f.abi_tag, f.platform_tag, "
                              f"f.requires_python, f.location FROM files f JOIN builds b USING (build_id) {where} "
                              "ORDER BY filename")

    def built(self):
        return len(self.farm.rows("SELECT 1 FROM builds")) >= len(self.expected)

    def page(self, package):
        path = self.farm.www / "simple" / package / "index.html"
        return Links(path.read_text("utf-8")) if path.exists() else None

    def page_lists(self, package, filenames):
        page = self.page(package)
        return page if page is not None and set(page.found) == set(filenames) else None

    # --- Checks ---------------------------------------------------------------------------------------------------

    def check_rows(self):
        farm, abi = self.farm, self.farm.abi()
        builds = farm.rows("SELECT package, version, status, abi_tag, duration > '0s', built_by > 0, "
                           "built_at > now() AT TIME ZONE 'UTC' - interval '10 minutes' FROM builds")
        equal("rows.builds", {(b[0], b[1]): b[2] for b in builds},
              {key: "t" if good else "f" for key, good in self.expected.items()})
        equal("rows.one build a version", len(builds), len(self.expected))
        check("rows.build facts", all(b[3:] == [abi, "t", "t", "t"] for b in builds), builds)
        files = self.files()
        equal("rows.files", sorted((f[0], f[1]) for f in files), sorted(k for k, good in self.expected.items() if good))
        check("rows.location", all(f[8] == "/simple" for f in files), files)
        equal("rows.tags", {f[0]: f[5] for f in files if f[0].startswith("piwdemo")},
              {"piwdemo-cext": abi, "piwdemo-pure": "none"})
        equal("rows.requires_python", {f[7] for f in files if f[0] == "piwdemo-cext"}, {">=3.7,<4"})
        depends = farm.rows("SELECT b.package, d.tool, d.dependency FROM dependencies d JOIN files f USING (filename) "
                            "JOIN builds b USING (build_id) WHERE b.package LIKE 'piwdemo-%' ORDER BY 1, 2, 3")
        equal("rows.dependencies", sorted(map(tuple, {tuple(d) for d in depends})),
              [("piwdemo-cext", "apt", "libc6"), ("piwdemo-cext", "apt", "zlib1g"), ("piwdemo-pure", "pip", "piwdemo-cext")])
        names = farm.rows("SELECT name FROM package_names WHERE package = 'piwdemo-pure' ORDER BY seen DESC")
        equal("rows.names", [n[0] for n in names], ["Piwdemo.Pure", "piwdemo-pure"])
        summaries = dict(farm.wait("descriptions", lambda: [
            row for rows in [farm.rows("SELECT package, description FROM packages WHERE package LIKE 'piwdemo-%'")]
            if all(r[1] for r in rows) for row in rows]))
        equal("rows.description", summaries["piwdemo-cext"], "A C extension that squeezes bytes with zlib <fast & small>")
        check("rows.serial", int(farm.value("SELECT pypi_serial FROM configuration")) >= 20000001)
        equal("rows.nothing left to do", farm.rows("SELECT * FROM builds_pending"), [])

    def check_site(self):
        farm = self.farm
        for package in sorted({key[0] for key in self.expected}):
            files = self.files(package)
            page = farm.wait(f"index of {package}", lambda p=package, f=files: self.page_lists(p, [row[2] for row in f])) \
                if files else None
            if page is not None:
                self.check_index(package, files, page)
        root = farm.wait("the root list", lambda: self.root_with({p for (p, _), good in self.expected.items() if good}))
        equal("site.root links", {a["href"] for a in root.found.values()}, {f"{p}/" for p in
                                                                           {a["href"].rstrip("/") for a in root.found.values()}})
        check("site.repository version", root.meta.get("pypi:repository-version") == "1.4", root.meta)
        with contextlib.suppress(farms.Failure):
            farm.wait("an empty staging folder", lambda: not farm.staged(), 30)  # but for a page that is just being written
        equal("site.nothing staged", farm.staged(), [])
        link = farm.www / "project" / "Piwdemo.Pure"
        check("site.alias", link.is_symlink() and os.readlink(link).rstrip("/") == "piwdemo-pure",
              os.readlink(link) if link.is_symlink() else "no link")
        # Written when the farm began, and again some minutes after a change unless somebody asks.
        farm.run([farm.program("piw-rebuild"), "--import-queue", farm.socket("import"), "-y", "search"])
        farm.wait("the search index", lambda: {"piwdemo-cext", "piwdemo-pure"} <= {
            row[0] for row in json.loads((farm.www / "packages.json").read_text())})
        check("site.packages.json", True)

    def root_with(self, packages):
        path = self.farm.www / "simple" / "index.html"
        if not path.exists():
            return None
        page = Links(path.read_text("utf-8"))
        return page if packages <= {a["href"].rstrip("/") for a in page.found.values()} else None

    def check_index(self, package, files, page):
        versions_seen = [name.split("-")[1] for name in page.found]
        check(f"index.{package}.newest first", versions_seen == sorted(versions_seen, reverse=True), versions_seen)
        for _, _, filename, size, digest, _, _, requires, _ in files:
            path = self.farm.www / "simple" / package / filename
            data = path.read_bytes()
            attributes = page.found[filename]
            equal(f"index.{filename}.href", attributes["href"], f"{urllib.parse.quote(filename)}#sha256={digest}")
            equal(f"index.{filename}.bytes", (len(data), sha256(data)), (int(size), digest))
            equal(f"index.{filename}.mode", stat.S_IMODE(path.stat().st_mode), 0o644)
            equal(f"index.{filename}.requires", attributes.get("data-requires-python"), requires or None)
            metadata = (self.farm.www / "simple" / package / f"{filename}.metadata").read_bytes()
            check(f"index.{filename}.metadata", metadata == metadata_of(path), metadata[:200])
            equal(f"index.{filename}.core metadata",
                  (attributes.get("data-core-metadata"), attributes.get("data-dist-info-metadata")),
                  (f"sha256={sha256(metadata)}", None))

    def check_project(self):
        farm = self.farm
        path = farm.www / "project" / "piwdemo-cext" / "json" / "index.json"
        farm.wait("project JSON", lambda: path.exists() and "filehash" in path.read_text())
        data = json.loads(path.read_text())
        equal("json.package", (data.get("package"), data.get("summary")),
              ("piwdemo-cext", "A C extension that squeezes bytes with zlib <fast & small>"))
        release = data["releases"]["0.3"]
        row, = self.files("piwdemo-cext")
        file = release["files"][row[2]]
        equal("json.file", (file["filehash"], file["filesize"], file["builder_abi"], file["requires_python"]),
              (row[4], int(row[3]), farm.abi(), ">=3.7,<4"))
        equal("json.apt", file["apt_dependencies"], ["libc6", "zlib1g"])
        broken = farm.www / "project" / "piwdemo-broken" / "json" / "index.json"
        farm.wait("JSON of the failed one", broken.exists)
        check("json.failed", json.loads(broken.read_text())["releases"]["2.0"]["files"] == {}, broken.read_text())
        for package in ("piwdemo-cext", "piwdemo-broken"):
            status, headers, body = farm.get(f"/project/{package}/")
            check(f"page.{package}", status == 200 and headers["Content-Type"].startswith("text/html") and
                  package.encode() in body, (status, headers, body[:200]))
        check("page.escaped", b"zlib &lt;fast &amp; small&gt;" in farm.get("/project/piwdemo-cext/")[2])

    def check_logs(self):
        farm = self.farm
        for build_id, package, status in farm.rows("SELECT build_id, package, status FROM builds ORDER BY build_id"):
            number = f"{int(build_id):012}"
            inside = f"logs/{number[:4]}/{number[4:8]}/{number[8:]}.txt"
            path = farm.www / f"{inside}.gz"
            with contextlib.suppress(farms.Failure):
                farm.wait(f"log of {package}", path.exists, 10)
            if not check(f"log.{package}.exists", path.exists(), path):
                continue
            text = gzip.decompress(path.read_bytes()).decode()
            check(f"log.{package}.words", ("Successfully built" in text) == (status == "t"), text[-300:])
            if package == "piwdemo-broken":
                check("log.piwdemo-broken.cause", "piwdemo-broken is meant to fail" in text, text[-600:])
                page = farm.get(f"/project/{package}/")[2].decode()
                check("log.piwdemo-broken.linked", inside in page or inside.replace(".txt", ".html") in page, page[:400])
            code, headers, body = farm.get("/" + inside)
            check(f"log.{package}.unpacked", code == 200 and body.decode() == text, (code, headers))

    def check_pip(self, real):
        farm = self.farm
        with tempfile.TemporaryDirectory(dir=farm.dir / "tmp") as target:
            os.chmod(target, 0o777)
            farm.pip_install(target, "piwdemo_pure==1.1")
            check("pip.both", os.path.isdir(f"{target}/piwdemo_pure") and any(
                name.startswith("piwdemo_cext.") for name in os.listdir(target)), os.listdir(target))
            said = farm.run([farms.PYTHON, "-c", "import piwdemo_pure as p, piwdemo_cext as c; "
                             "print(p.__version__, c.__version__, p.saved(bytes(1000)) > 900)"],
                            env={"PYTHONPATH": target}).stdout
            equal("pip.import", said, "1.1 0.3 True\n")
        programs = {"MarkupSafe": "import markupsafe._speedups, markupsafe; print(markupsafe.escape('<'))",
                    "netifaces": "import netifaces; print('lo' in netifaces.interfaces())"}
        wanted = {"MarkupSafe": "&lt;\n", "netifaces": "True\n"}
        for name in ("MarkupSafe", "netifaces"):
            if name not in real:
                score.skip(f"pip.{name}", "its source archive is not at hand")
                continue
            with tempfile.TemporaryDirectory(dir=farm.dir / "tmp") as target:
                os.chmod(target, 0o777)
                farm.pip_install(target, name)
                equal(f"pip.{name}", farm.run([farms.PYTHON, "-c", programs[name]], env={"PYTHONPATH": target}).stdout,
                      wanted[name])
        done = farm.run([farms.PYTHON, "-m", "pip", "download", "--no-cache-dir", "--no-deps", "--index-url",
                         f"{farm.web_url}/simple/", "-d", farm.dir / "tmp", "piwdemo-broken"], check=False)
        check("pip.failed package isn't there", done.returncode != 0, done.stdout)

    def check_later(self):
        farm = self.farm
        farm.add_samples("piwdemo-pure", versions=["1.2"])
        farm.wait("1.2 on its index", lambda: self.page_lists("piwdemo-pure", [f[2] for f in self.files("piwdemo-pure")])
                  if len(self.files("piwdemo-pure")) == 3 else None)
        check("later.new version", True)
        farm.add_event("yank Piwdemo.Pure 1.0 too old")
        old, = (f[2] for f in self.files("piwdemo-pure") if f[1] == "1.0")
        farm.wait("the yank on the index", lambda: "data-yanked" in self.page("piwdemo-pure").found[old])
        equal("later.yanked row", farm.value("SELECT yanked FROM versions WHERE package = 'piwdemo-pure' AND version = '1.0'"),
              "t")
        farm.add_event("unyank Piwdemo.Pure 1.0")
        farm.wait("the unyank on the index", lambda: "data-yanked" not in self.page("piwdemo-pure").found[old])
        check("later.unyanked", True)
        farm.add_event("remove Piwdemo.Pure 1.0")
        farm.wait("1.0 gone from the index", lambda: old not in self.page("piwdemo-pure").found)
        equal("later.removed files", [f[1] for f in self.files("piwdemo-pure")], ["1.1", "1.2"])
        farm.add_event("remove piwdemo-broken")
        farm.wait("the package gone from the database",
                  lambda: not farm.rows("SELECT 1 FROM versions WHERE package = 'piwdemo-broken'"))
        farm.wait("the page gone", lambda: farm.get("/project/piwdemo-broken/")[0] == 404)
        check("later.removed package", True)

    def builders(self):
        return [row[0] for row in self.farm.rows("SELECT DISTINCT built_by FROM builds ORDER BY 1")]

    def check_end(self):
        farm = self.farm
        # On a busy machine one may have built all before the other came. While it builds the one of two the other asks for work.
        for number in range(3, 8):
            if len(self.builders()) == 2:
                break
            more = [f"1.{number}", f"1.{number}.1"]
            farm.add_samples("piwdemo-pure", versions=more)
            farm.wait("two builds more", lambda new=more: farm.value(
                f"SELECT count(*) FROM builds WHERE package = 'piwdemo-pure' AND version IN ('{new[0]}', '{new[1]}')") == "2", 120)
        equal("end.both slaves built", self.builders(), ["1", "2"])
        for slave in list(farm.slaves):
            equal(f"end.{slave.name}", farm.stop_process(slave), 0)
            check(f"end.{slave.name} left nothing", os.listdir(farm.dir / slave.name) == [], os.listdir(farm.dir / slave.name))
        equal("end.master", farm.stop_process(farm.master), 0)
        text = farm.master.text()
        bad = [line for line in text.splitlines() if line.lower().startswith("error")]
        check("end.no errors in the master's log", not bad, bad[:5])


def main():
    with farms.Farm() as farm, tempfile.TemporaryDirectory() as downloads:
        try:
            real = farms.real_sdists() or farms.apt_sdists(downloads)
            for name in ("MarkupSafe", "netifaces"):
                if name not in real:
                    score.skip(f"build of {name}", "its source archive is neither in ../shared/sdists nor to be had from apt")
            farm.add_samples()
            for path in real.values():
                farm.add_sdist(path)
            line = Line(farm, real)
            farm.start()
            farm.start_slave("slave2", "--codec", "cbor")
            farm.wait("all builds", line.built, 150)
            for part in (line.check_rows, line.check_site, line.check_project, line.check_logs,
                         lambda: line.check_pip(real), line.check_later, line.check_end):
                part()
        except (farms.Failure, OSError, KeyError, ValueError) as error:
            check("the line", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
