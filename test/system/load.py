"""A farm under load: thousands of versions in the database, simulated slaves that build them, tasks that are swapped
meanwhile; and what must be true of the database and the disk afterwards. Used by tests and benches.
"""

import contextlib
import hashlib
import os
import shutil

import farm as farms

ABI = "cp311"
# Each is swapped between its own file and another: the_scribe with the writer that makes JSON too, the others with a
# file that differs from theirs by a few bytes at the end, which the loader takes for another plugin.
MIXED = ("--also", "1x80K", "--also", "2x4K")  # builds with a larger wheel, and with two, as often as those with one of 4 KB
LARGE = 48 << 10  # bytes: what is larger is kept in a folder until its row is committed, also when it is its build's only wheel
SWAPPED = {"the_scribe": "scribe_html.so", "slave_driver": "slave_driver_too.so", "file_juggler": "file_juggler_too.so"}


def fill(farm, packages, versions, name="load"):
    """So many packages appear, each with so many versions; their names begin with `name`."""
    farm.psql(f"INSERT INTO packages (package) SELECT '{name}-' || n FROM generate_series(1, {packages}) n;"
              f"INSERT INTO package_names (package, name) SELECT '{name}-' || n, '{name}-' || n "
              f"FROM generate_series(1, {packages}) n;"
              f"INSERT INTO versions (package, version, released) SELECT '{name}-' || n, '1.' || v, "
              f"'2024-01-01'::timestamp + v * interval '1 hour' FROM generate_series(1, {packages}) n, "
              f"generate_series(0, {versions} - 1) v")


def plugin_files(farm):
    """The other file of each task that is swapped."""
    plugins = farm.dir / "inst" / "plugins"
    for task, other in SWAPPED.items():
        if not (plugins / other).exists():
            shutil.copyfile(plugins / f"{task}.so", plugins / other)
            with open(plugins / other, "ab") as file:
                file.write(b"the same once more\n")
            (plugins / other).chmod(0o755)


def start(farm, packages, versions, faults=None):
    farm.prepare()
    plugin_files(farm)
    farm.start_postgres()
    farm.create_database(abis=[ABI])
    fill(farm, packages, versions)
    farm.start_pypi()
    farm.start_master(faults)


class Load:
    """piw-loadgen against the farm's master."""

    def __init__(self, farm, *options, swaps=0, tasks=SWAPPED, name="load"):
        self.farm = farm
        self.journal = farm.dir / "log" / f"{name}.journal"
        args = [farm.program("piw-loadgen"), "--slave-queue", farm.socket("slave"), "--file-queue", farm.socket("file"),
                "--admin-queue", farm.socket("admin"), "--abi", ABI, "--journal", self.journal, *options]
        if swaps:
            args += ["--swaps", str(swaps)]
            args += [word for task in tasks for word in ("--swap", f"{task}={task}.so,{SWAPPED[task]}")]
        self.process = farm.start_process(name, args)
        self.process.expected_end = True

    def finish(self, timeout):
        """Wait for its end; its figures, by name."""
        self.farm.wait("the end of the load", lambda: not self.process.running(), timeout)
        self.farm.forget(self.process)
        return self.figures()

    def built(self):
        """How many builds have ended so far."""
        return self.journal.read_bytes().count(b"\n") if self.journal.exists() else 0

    def wait_built(self, count, timeout=60):
        """Until so many builds have ended, or the load itself."""
        self.farm.wait(f"{count} builds", lambda: self.built() >= count or not self.process.running(), timeout)

    def figures(self):
        found = {}
        for line in self.process.text().splitlines():
            name, tab, value = line.partition("\t")
            if tab:
                found[name] = float(value)
        return found

    def complaints(self):
        return [line for line in self.process.text().splitlines() if "\t" not in line]

    def ended(self):
        """The builds that were answered DONE: {(package, version): (how, {file: hash})}, and those that were twice."""
        builds, twice = {}, []
        for line in self.journal.read_text("utf-8").splitlines():
            package, version, how, *files = line.split("\t")
            if (package, version) in builds:
                twice.append((package, version))
            builds[package, version] = (how, dict(file.split("=") for file in files))
        return builds, twice


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def left_over(farm, timeout, *looks):
    """Until none of `looks`, one after the other, finds anything, for nothing is on its way any more; what is found in the end."""
    left = []

    def none():
        left[:] = next((found for look in looks if (found := look())), [])
        return not left
    with contextlib.suppress(farms.Failure):
        farm.wait("nothing to be on its way", none, timeout)
    return left


def staged(farm):
    """What is staged, but for pages that this master is just writing."""
    return [path for path in farm.staged() if path.parent.name != "tmp" or path.name.split("-")[0] != str(farm.master.pid)]


def missing(farm, ended):
    """Wheels that were answered DONE, and metadata, that aren't in their place (yet)."""
    return [path for _, wheels in ended.values() for name in wheels
            for path in places(farm, name.split("-")[0].replace("_", "-"), name) if not path.exists()]


def unplaced(farm):
    """The same of what the database has rows of."""
    return [path for name, package in farm.rows("SELECT filename, package FROM files JOIN builds USING (build_id)")
            for path in places(farm, package, name) if not path.exists()]


def places(farm, package, name):
    """Where a wheel and its metadata are published."""
    folder = farm.www / "simple" / package
    return folder / name, folder / f"{name}.metadata"


def differences(farm, ended):
    """Where database and disk aren't what the slaves were told, once what was on its way has come: sentences."""
    left_over(farm, 60, lambda: missing(farm, ended))
    found = []
    rows = farm.rows("SELECT package, version, status, count(*) FROM builds GROUP BY 1, 2, 3")
    recorded = {}
    for package, version, status, count in rows:
        if count != "1" or (package, version) in recorded:
            found.append(f"{package} {version} is recorded more than once")
        recorded[package, version] = status
    files = {name: (package, digest) for name, package, digest in farm.rows(
        "SELECT f.filename, b.package, f.filehash FROM files f JOIN builds b USING (build_id)")}
    for (package, version), (how, wheels) in ended.items():
        status = recorded.pop((package, version), None)
        if status != ("t" if how == "good" else "f"):
            found.append(f"{package} {version}: {how}, but recorded is {status}")
        for name, digest in wheels.items():
            found += wheel_differences(farm, name, digest, files.pop(name, None))
    found += [f"{package} {version} is recorded, but no slave was told DONE" for package, version in recorded]
    found += [f"{name} has a row, but no slave sent it" for name in files]
    return found


def wheel_differences(farm, name, digest, row):
    if row is None:
        return [f"{name} was sent, but has no row"]
    path = farm.www / "simple" / row[0] / name
    if row[1] != digest:
        return [f"{name}: the row has the hash {row[1]}, the slave sent {digest}"]
    if not path.exists() or not os.access(f"{path}.metadata", os.R_OK):
        return [f"{path}: the wheel or its metadata isn't there"]
    return [] if sha256(path) == digest else [f"{path}: the bytes are not those that were sent"]


def unlisted(farm, ended):
    """Wheels that are not on their package's page."""
    pages, missing = {}, []
    for (package, _), (_, wheels) in ended.items():
        if wheels and package not in pages:
            page = farm.www / "simple" / package / "index.html"
            pages[package] = page.read_text("utf-8") if page.exists() else ""
        missing += [name for name in wheels if f">{name}<" not in pages[package]]
    return missing


def missing_kinds(farm):
    """What the builds of a load that is MIXED should be, and none is."""
    found = {("several wheels" if int(count) > 1 else "one large wheel" if int(size) > LARGE else "one small wheel")
             for count, size in farm.rows("SELECT count(*), max(filesize) FROM files GROUP BY build_id")}
    return {"one small wheel", "one large wheel", "several wheels"} - found


def wait_recorded(farm, count, timeout=60, look=None):
    """Until the database has so many builds and nothing is on its way into it; `look` is in place of farm.staged."""
    farm.wait(f"{count} recorded builds", lambda: int(farm.value("SELECT count(*) FROM builds")) >= count, timeout)
    farm.wait("an empty staging folder", lambda: not (look or farm.staged)(), timeout)


__all__ = ["ABI", "MIXED", "SWAPPED", "Load", "differences", "farms", "left_over", "missing", "missing_kinds", "staged", "start", "unlisted", "unplaced", "wait_recorded"]
