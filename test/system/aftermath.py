"""What the stock master left behind (db-after.json, site/) against what ours did, after the same conversations.

Each difference that must be stands in a list here, by name and with its reason; everything else must be equal.
"""

import gzip
import html.parser
import json
import re
import xml.etree.ElementTree

import recording

# Packages that are not there, because the master refuses them: an alias that isn't one of its name's spellings.
REFUSED = {"upper-case-pkg"}
# Rows that exist only because stock records an import before its transfer, which failed.
UNRECEIVED = ("goldimp", "3.0", "goldimp-3.0-py3-none-any.whl")
# Columns whose values are of the recording's moment or numbering: {table: {column: reason}}.
OF_THE_RUN = {
    "builds": {"build_id": "numbers are reserved in blocks", "built_at": "the time of the run"},
    "files": {"build_id": "compared as the build that it names"},
    "package_names": {"seen": "of names typed by the tools the time of the run; their order is compared"},
}
BASE = "https://www.piwheels.org"  # the recorded site's address; ours is its own
OTHER_PLACE = re.compile(r"/srv/pifs/tmp/\S+")


class Links(html.parser.HTMLParser):
    """The anchors of a page, in order: [(text, attributes)]."""

    def __init__(self, text):
        super().__init__()
        self.found, self.meta, self._open = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self._open = dict(attrs)
        elif tag == "meta":
            self.meta[dict(attrs).get("name")] = dict(attrs).get("content")

    def handle_data(self, data):
        if self._open is not None:
            self.found.append((data, self._open))
            self._open = None


class Rows:
    """The tables of both, in one form."""

    def __init__(self, farm, store, builders):
        self.farm, self.store, self.builders = farm, store, builders
        self.recorded = recording.load_json("db-after.json")

    def theirs(self, table):
        found = self.recorded[table]
        return [dict(zip(found["columns"], map(plain, row))) for row in found["rows"]]

    def ours(self, table):
        columns = self.recorded[table]["columns"]
        names = ", ".join(f"extract(epoch FROM {c})::float AS {c}" if c == "duration" else c for c in columns)
        return [{key: float(value) if key == "duration" else plain(value) for key, value in json.loads(row[0]).items()}
                for row in self.farm.rows(f"SELECT to_json(t) FROM (SELECT {names} FROM {table}) t")]

    @staticmethod
    def build_keys(builds):
        """{build_id: what the build is, however it is numbered}: the n-th of its version and ABI."""
        keys, seen = {}, {}
        for build in sorted(builds, key=lambda b: b["build_id"]):
            what = build["package"], build["version"], build["abi_tag"]
            seen[what] = seen.get(what, 0) + 1
            keys[build["build_id"]] = (*what, seen[what])
        return keys

    def compare(self):
        """{table: (ours, theirs)} as sorted lists, where they differ."""
        found = {}
        keys_theirs, keys_ours = self.build_keys(self.theirs("builds")), self.build_keys(self.ours("builds"))
        for table in self.recorded:
            wanted = [self.adjusted(table, row, keys_theirs) for row in self.theirs(table) if self.is_wanted(row)]
            got = [self.as_recorded(table, row, keys_ours) for row in self.ours(table)]
            wanted, got = sorted(map(text, wanted)), sorted(map(text, got))
            if wanted != got:
                found[table] = ([row for row in got if row not in wanted], [row for row in wanted if row not in got])
        return found

    @staticmethod
    def is_wanted(row):
        if row.get("package") in REFUSED or row.get("filename") == UNRECEIVED[2]:
            return False
        return "build_id" not in row or "duration" not in row or (row["package"], row["version"]) != UNRECEIVED[:2]

    def adjusted(self, table, row, keys):
        """A recorded row as it must be with our wheels."""
        row = dict(row)
        if table == "files":
            row["filesize"] = self.store.sizes[row["filehash"]]
            row["filehash"] = self.store.hashes[row["filehash"]]
        return self.without_run(table, row, keys)

    def as_recorded(self, table, row, keys):
        """A row of ours with the recorded numbers of slaves."""
        row = dict(row)
        if table == "builds":
            row["built_by"] = self.builders.get(row["built_by"], row["built_by"])
        return self.without_run(table, row, keys)

    @staticmethod
    def without_run(table, row, keys):
        if "build_id" in row:
            row["build"] = keys.get(row["build_id"])
        typed = table == "package_names" and row["package"] in ("gold-imp", "goldimp")
        return {key: value for key, value in row.items() if key not in OF_THE_RUN.get(table, {}) or
                (table == "package_names" and not typed)}

    def name_orders(self):
        """The spellings of each package that the tools added, by when they were seen: (ours, theirs)."""
        orders = []
        for rows in (self.ours("package_names"), self.theirs("package_names")):
            rows = sorted((row for row in rows if row["package"] in ("gold-imp", "goldimp")), key=lambda r: r["seen"])
            orders.append([row["name"] for row in rows])
        return orders


def plain(value):
    """Times and durations of both in one form."""
    if isinstance(value, dict) and "$interval_seconds" in value:
        return float(value["$interval_seconds"])
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?", value):
        return value.replace("T", " ")
    return value


def text(row):
    return json.dumps(row, sort_keys=True, ensure_ascii=False)


class Site:
    """The files of both."""

    def __init__(self, farm, store, base):
        self.www, self.store, self.base = farm.www, store, base
        self.tree = {entry["path"]: entry for entry in recording.load_json("site/tree.json")["entries"]}
        pages = [path for path in self.tree if re.fullmatch(r"project/[^/]+/json/index\.json", path)]
        self.packages = sorted(path.split("/")[1] for path in pages)

    def wanted_packages(self):
        return [package for package in self.packages if package not in REFUSED]

    def read(self, path):
        return (self.www / path).read_text("utf-8")

    @staticmethod
    def recorded_text(path):
        return (recording.FOLDER / "site" / path).read_text("utf-8")

    def json_of(self, package):
        """project/PKG/json/index.json: (ours, the recorded one with our wheels and address)."""
        path = f"project/{package}/json/index.json"
        wanted = json.loads(self.recorded_text(path))
        wanted["piwheels_url"] = wanted["piwheels_url"].replace(BASE, self.base)
        for release in wanted["releases"].values():
            release["files"].pop(UNRECEIVED[2], None)
            for file in release["files"].values():
                file["filesize"] = self.store.sizes[file["filehash"]]
                file["filehash"] = self.store.hashes[file["filehash"]]
        return json.loads(self.read(path)), wanted

    def links_of(self, package):
        """simple/PKG/index.html: (ours, recorded) as [(file, hash, requires-python, yanked)]; hrefs are relative in ours, and
        it has attributes that stock doesn't know."""
        wanted = []
        for name, attributes in Links(self.recorded_text(f"simple/{package}/index.html")).found:
            if name != UNRECEIVED[2]:
                digest = self.store.hashes[attributes["href"].rpartition("=")[2]]
                wanted.append((name, f"{name}#sha256={digest}", attributes.get("data-requires-python"),
                               attributes.get("data-yanked") is not None))
        path = self.www / "simple" / package / "index.html"
        found = Links(path.read_text("utf-8")).found if path.exists() else []
        ours = [(name, a["href"], a.get("data-requires-python"), a.get("data-yanked") is not None) for name, a in found]
        return ours, wanted

    def root(self):
        """simple/index.html: (ours, recorded) names with hrefs, which end in / in ours; their order is no one's."""
        wanted = sorted((name, f"{name}/") for name, _ in Links(self.recorded_text("simple/index.html")).found
                        if name not in REFUSED)
        return sorted((name, a["href"]) for name, a in Links(self.read("simple/index.html")).found), wanted

    def packages_json(self):
        wanted = sorted(row for row in json.loads(self.recorded_text("packages.json")) if row[0] not in REFUSED)
        return sorted(json.loads(self.read("packages.json"))), wanted

    def sitemap(self, name):
        """Addresses, in our site's name; without order, which is a set's in the recording."""
        def locations(source):
            return sorted(element.text.strip() for element in xml.etree.ElementTree.fromstring(source).iter()
                          if element.tag.endswith("}loc"))
        wanted = [address.replace(BASE, self.base) for address in locations(self.recorded_text(name).encode())]
        return locations(self.read(name).encode()), [a for a in wanted if a.rpartition("/")[2] not in REFUSED]

    def aliases(self):
        """project/ALIAS links: (ours, recorded)."""
        wanted = {path.split("/")[1]: entry["target"] for path, entry in self.tree.items()
                  if path.startswith("project/") and entry["type"] == "l" and entry["target"] not in REFUSED}
        return {path.name: str(path.readlink()) for path in (self.www / "project").iterdir() if path.is_symlink()}, wanted

    def wheels(self):
        """Wheels and links that belong to a row: (ours, recorded) as {path: hash or target}. Those of removed builds stay in
        stock; ours go, some time after their rows."""
        removed = {path for path in self.tree if "goldimp-1.1" in path}
        wanted = {path: entry["target"] or self.store.hashes[entry["sha256"]] for path, entry in self.tree.items()
                  if path.endswith(".whl") and path not in removed}
        found = {}
        for path in (self.www / "simple").rglob("*.whl"):
            name = str(path.relative_to(self.www))
            if name not in removed:
                found[name] = str(path.readlink()) if path.is_symlink() else self.store.hash_of(path.read_bytes())
        return found, wanted

    def modes(self):
        """Kinds and modes of what both have: paths that differ."""
        kind = {"f": lambda p: p.is_file() and not p.is_symlink(), "d": lambda p: p.is_dir() and not p.is_symlink(),
                "l": lambda p: p.is_symlink()}
        problems = []
        for path, entry in self.tree.items():
            ours = self.www / path
            if not ours.exists():
                continue
            mode = oct(ours.lstat().st_mode & 0o7777)
            if not kind[entry["type"]](ours) or mode != entry["mode"]:
                problems.append((path, mode, entry["mode"]))
        return problems

    def log(self, build_id):
        number = f"{build_id:012}"
        path = self.www / "logs" / number[:4] / number[4:8] / f"{number[8:]}.txt.gz"
        return gzip.decompress(path.read_bytes()).decode()
