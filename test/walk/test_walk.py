#!/usr/bin/python3
"""A client walks the index over and over while versions are published, yanked, unyanked, removed, quarantined and cleared, and the
master is killed once: every link resolves and its bytes have the hash it names, FILE.metadata is the wheel's own, and HTML and JSON
say the same. A wheel that is quarantined may be gone a moment before its page: then the page must lose it.

TEST-TIMEOUT: 600
TEST-NEEDS: plain
"""

import hashlib
import html.parser
import io
import json
import pathlib
import random
import sys
import threading
import time
import urllib.parse
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import farm as farms  # pylint: disable=wrong-import-position
import score  # pylint: disable=wrong-import-position
from score import check, equal  # pylint: disable=wrong-import-position
import spellings  # pylint: disable=wrong-import-position

PACKAGES = ("MarkupSafe", "typing_extensions", "zope.interface", "PyYAML")
STEADY = "MarkupSafe"  # never quarantined: not one of its links may fail
STEPS = 40
AGREE_S = 60


class Anchors(html.parser.HTMLParser):
    """Links of an index page, with what they say, and its head."""

    def __init__(self, text):
        super().__init__()
        self.found, self.metas, self.links, self._open = {}, {}, [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self._open = dict(attrs)
        elif tag == "meta":
            values = dict(attrs)
            self.metas[values.get("name")] = values.get("content")
        elif tag == "link":
            self.links.append(dict(attrs))

    def handle_data(self, data):
        if self._open is not None:
            self.found[data] = self._open
            self._open = None


def said_by_html(text):
    """What a page says of its project and each file, in one form for both."""
    page = Anchors(text)
    files = {}
    for name, attributes in page.found.items():
        href, _, digest = attributes["href"].partition("#sha256=")
        yanked = attributes.get("data-yanked")
        files[name] = (urllib.parse.unquote(href), digest, attributes.get("data-requires-python"),
                       attributes.get("data-core-metadata", "=").split("=")[1], False if yanked is None else yanked or True)
    return page.metas.get("pypi:project-status"), files


def said_by_json(text):
    document = json.loads(text)
    files = {file["filename"]: (urllib.parse.unquote(file["url"]), file["hashes"]["sha256"], file.get("requires-python"),
                                file.get("core-metadata", {"sha256": ""})["sha256"], file["yanked"]) for file in document["files"]}
    return document.get("project-status", {}).get("status"), files


class Walker:
    """What is wrong is kept, since it walks in a thread of its own."""

    def __init__(self, farm):
        self.farm, self.over = farm, threading.Event()
        self.wrong, self.pages, self.links, self.rounds = [], 0, 0, 0
        self.good = set()  # wheels that were looked at: their bytes never change
        self.listed = set()  # all that was ever seen on a page

    def get(self, path):
        status, _, body = self.farm.get(path)
        return body if status == 200 else None

    def forms(self, package):
        """Both forms of a page, as they are at one moment: None when there is none. They are written one after the other, so that
        they may differ for a moment, and no longer."""
        until = time.monotonic() + AGREE_S
        while True:
            page, form = self.get(f"/simple/{package}/index.html"), self.get(f"/simple/{package}/index.v1.json")
            if page is not None and form is not None:
                html_says, json_says = said_by_html(page.decode()), said_by_json(form)
                if html_says == json_says:
                    return html_says
            elif page is None and form is None:
                return None
            else:
                html_says = json_says = "one of both isn't there"
            if time.monotonic() > until:
                self.wrong.append(f"{package}: HTML says {html_says}, JSON {json_says}")
                return None
            time.sleep(0.05)

    def look_at(self, package, name, said):
        href, digest, _, core, _ = said
        data, metadata = self.get(f"/simple/{package}/{href}"), self.get(f"/simple/{package}/{href}.metadata")
        self.links += 1
        if data is None or metadata is None:
            return False
        if hashlib.sha256(data).hexdigest() != digest:
            self.wrong.append(f"{name}: its hash isn't {digest}")
        with zipfile.ZipFile(io.BytesIO(data)) as wheel:
            own, = (wheel.read(each) for each in wheel.namelist() if each.endswith(".dist-info/METADATA"))
        if own != metadata or hashlib.sha256(metadata).hexdigest() != core:
            self.wrong.append(f"{name}.metadata isn't the wheel's")
        return True

    def walk_page(self, package):
        said = self.forms(package)
        if said is None:
            return
        self.pages += 1
        for name, about in said[1].items():
            self.listed.add(name)
            if self.look_at(package, name, about):
                continue
            if package == spellings.canonical(STEADY):
                self.wrong.append(f"{name} is on its page and not there")
                continue
            # Quarantined, or back and not yet: the page says so in a moment.
            until = time.monotonic() + AGREE_S
            while True:
                again = self.forms(package)
                if again is None or name not in again[1] or self.look_at(package, name, again[1][name]):
                    break
                if time.monotonic() > until:
                    self.wrong.append(f"{name} stays on its page and isn't there")
                    break
                time.sleep(0.05)

    def walk(self):
        root, form = self.get("/simple/index.html"), self.get("/simple/index.v1.json")
        names = set(Anchors(root.decode()).found) if root is not None else set()
        if form is not None:
            names |= {project["name"] for project in json.loads(form)["projects"]}
        for package in sorted(names):
            if self.get(f"/simple/{package}/index.html") is None:
                root = self.get("/simple/index.html")
                if root is not None and f'href="{package}/"' in root.decode() and self.get(f"/simple/{package}/index.html") is None:
                    self.wrong.append(f"the root list leads to {package}, which has no page")
            self.walk_page(package)
        self.rounds += 1

    def run(self):
        try:
            while not self.over.is_set():
                self.walk()
        except Exception as error:  # pylint: disable=broad-except  # it is told by whoever waits for the end
            self.wrong.append(f"{type(error).__name__}: {error}")


def storm(farm, walker, seed):
    """Steps of everything that can happen to a version, one after the other while the walker walks."""
    chance = random.Random(seed)
    versions = {name: 0 for name in PACKAGES}
    hidden = {}
    for step in range(STEPS):
        name = chance.choice(PACKAGES)
        version = f"1.{chance.randrange(versions[name])}" if versions[name] > 0 else None
        what = chance.choice(("add", "add", "yank", "unyank", "remove", "quarantine", "quarantine version", "clear"))
        if what == "add" or version is None:
            wheel = f"{spellings.module(name)}-1.{versions[name]}-py3-none-any.whl"
            spellings.add(farm, name, f"1.{versions[name]}")
            versions[name] += 1
            # Half of them are seen before anything else happens to them.
            if versions[name] % 2 == 0 and (name,) not in hidden:
                farm.wait(f"{wheel} on its page", lambda w=wheel: w in walker.listed or walker.wrong, 150)
        elif what == "yank":
            farm.add_event(f"yank {name} {version} because <of> step {step}")
        elif what == "unyank":
            farm.add_event(f"unyank {name} {version}")
        elif what == "remove":
            farm.add_event(f"remove {name} {version}")
        elif what == "clear":
            for key in list(hidden):
                farm.add_event(f"clear {' '.join(key)}")
                del hidden[key]
        elif name != STEADY:
            key = (name, version) if what == "quarantine version" else (name,)
            hidden[key] = True
            farm.add_event(f"quarantine {' '.join(key)}")
        if step == STEPS // 2:
            farm.master.kill()
            farm.forget(farm.master)
            farm.start_master()
        seen = walker.rounds
        farm.wait("the walker's next round", lambda: walker.rounds > seen or walker.wrong, 120)
        if walker.wrong:
            return
    for key in hidden:
        farm.add_event(f"clear {' '.join(key)}")


def in_database(farm, package):
    """The wheels that its pages should list, and whether and why each is yanked."""
    rows = farm.rows("SELECT f.filename, v.yanked, coalesce(y.reason, '') FROM files f JOIN builds b USING (build_id) "
                     "JOIN versions v USING (package, version) LEFT JOIN piw.yank_reasons y USING (package, version) "
                     f"WHERE package = '{package}'")
    return {name: (reason or True) if yanked == "t" else False for name, yanked, reason in rows}


def check_end(farm, walker):
    """When all is quiet the pages have what the database has, and why versions are yanked. Builds whose source wasn't found when
    it was removed may be tried again meanwhile."""
    farm.wait("the end of the storm", lambda: farm.value("SELECT NOT EXISTS (SELECT FROM piw.quarantines) AND NOT EXISTS "
                                                         "(SELECT FROM piw.withheld)") == "t", 120)
    for package in map(spellings.canonical, PACKAGES):
        def says(package=package):
            said = walker.forms(package)
            return {name: about[4] for name, about in said[1].items()} if said is not None else {}
        farm.wait(f"{package}'s page as the database has it", lambda p=package, s=says: s() == in_database(farm, p), 120)
        check(f"{package}: {len(says())} wheels on both pages", True)
    page = Anchors(walker.get("/simple/markupsafe/index.html").decode())
    alternate, = (link["href"] for link in page.links if link["rel"] == "alternate")
    check("the page for people is where the link leads", walker.get(f"/simple/markupsafe/{alternate}index.html") is not None, alternate)


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.SystemRandom().randrange(10**6)
    print(f"# seed {seed}", flush=True)
    with farms.Farm() as farm:
        try:
            farm.task_options["the_secretary"] = {"hold": "200ms"}
            farm.task_options["file_juggler"] = {"removals-every": "1s"}
            for name in PACKAGES:
                spellings.add(farm, name, "0.9")
            farm.start(slaves=2)
            farm.wait("the first wheels", lambda: len(list(farm.www.glob("simple/*/*.whl"))) == len(PACKAGES), 120)
            walker = Walker(farm)
            thread = threading.Thread(target=walker.run)
            thread.start()
            try:
                storm(farm, walker, seed)
            finally:
                walker.over.set()
                thread.join()
            equal("what the walker found wrong", walker.wrong, [])
            check(f"{walker.rounds} rounds, {walker.pages} pages, {walker.links} links, {len(walker.listed)} wheels",
                  walker.rounds >= STEPS and walker.links > STEPS)
            check_end(farm, walker)
            walker.walk()
            equal("and at the end", walker.wrong, [])
        except (farms.Failure, OSError, KeyError, ValueError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
