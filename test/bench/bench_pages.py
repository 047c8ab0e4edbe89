#!/usr/bin/python3
"""What the pages of packages cost.

pages: packages a second whose pages are written for the first time (simple index and project page in all forms), each with ten
versions; beside it what a bare set query for them, and then writing and renaming files of the same bytes one after the other,
could do.
pages_1000_versions: how much more processor time of master and PostgreSQL the pages of a package with 1,000 versions take than
those of one with 100, each beyond one with none; beside it 11.
pages_views_5: how much of it each of four views beside the common one adds to the pages of a package with 1,000 versions, in each of which every version
has a wheel of its own, in figures of what the first of them adds alone; beside it 1.5.
pages_new_package, pages_new_in_root: in an index of 100,000 packages, from asking for a new one's pages until they are there, and
until the root list has it; beside them 0.15 s and 5 s.

test/bench/bench_pages.py [tiny | small] [--against BUILD]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO.
"""

import subprocess
import sys
import time

import bench_growth
import rig

# Packages of a window, windows, versions of the large package, packages of the large index.
SCALES = {"": (2000, 5, 1000, 100000), "small": (1000, 3, 1000, 20000), "tiny": (60, 1, 100, 500)}
VERSIONS = 10
AT_ONCE = 32  # packages of one set query
TIMES = 7     # that the pages of one package are written
GROWTH, VIEWS_GROWTH, NEW_S, ROOT_S = 11, 1.5, 0.15, 5
# Kinds of machine: ABI, platform. The first is the common view.
KINDS = {"kind-1": ("cp311", "linux_x86_64"), "kind-2": ("cp311", "linux_aarch64"), "kind-3": ("cp39", "linux_x86_64"),
         "kind-4": ("cp39", "linux_aarch64"), "kind-5": ("cp313", "linux_x86_64")}
PATIENCE_S = 900
FILL = ("SET session_replication_role = replica; SET synchronous_commit = off;"
        "INSERT INTO packages (package, description) SELECT '{0}' || n, 'what it is' FROM generate_series(1, {1}) n;"
        "INSERT INTO package_names (package, name) SELECT '{0}' || n, '{0}' || n FROM generate_series(1, {1}) n;"
        "INSERT INTO versions (package, version, released) SELECT '{0}' || n, '1.' || v, timestamp '2024-01-01' + v * interval '1 h' "
        "FROM generate_series(1, {1}) n, generate_series(1, {2}) v;"
        "WITH b AS (INSERT INTO builds (package, version, built_by, built_at, duration, abi_tag, status) SELECT '{0}' || n, '1.' || v, 1, "
        "'2024-01-01'::timestamp, '30 s', 'cp311', true FROM generate_series(1, {1}) n, generate_series(1, {2}) v "
        "RETURNING build_id, package, version), "
        "f AS (INSERT INTO files (filename, build_id, filesize, filehash, package_tag, package_version_tag, py_version_tag, abi_tag, "
        "platform_tag, requires_python, location) SELECT replace(package, '-', '_') || '-' || version || '-py3-none-any.whl', build_id, "
        "1000, repeat('a', 64), replace(package, '-', '_'), version, 'py3', 'none', 'any', '>=3.7', '/simple' FROM b RETURNING filename) "
        "INSERT INTO dependencies (filename, tool, dependency) SELECT filename, tool, 'needed' FROM f, (VALUES ('apt'), ('pip')) t (tool)")
# A wheel of each version of a package for a view.
FILL_VIEW = ("WITH b AS (INSERT INTO piw.view_builds (build_id, view, package, version, built_by, built_at, duration, status) "
             "SELECT {place} * 1000000 + row_number() OVER (), '{view}', package, version, 1, '2024-01-01', '30 s', true "
             "FROM versions WHERE package = '{package}' RETURNING *) "
             "INSERT INTO piw.view_files (view, filename, build_id, filesize, filehash, package_tag, package_version_tag, py_version_tag, "
             "abi_tag, platform_tag, uploaded) SELECT view, replace(package, '-', '_') || '-' || version || '-{abi}-{abi}-{platform}.whl', "
             "build_id, 1000, repeat('b', 64), replace(package, '-', '_'), version, '{abi}', '{abi}', '{platform}', built_at FROM b")
# All that pages show, in one statement.
SET_QUERY = ("PREPARE wanted (text[]) AS SELECT v.package, p.description, v.version, v.released, v.yanked, v.skip, b.build_id, b.abi_tag, "
             "b.status, f.*, x.metadata_hash, (SELECT string_agg(d.tool || d.dependency, ' ') FROM dependencies d "
             "WHERE d.filename = f.filename) FROM packages p JOIN versions v ON v.package = p.package "
             "LEFT JOIN builds b ON b.package = v.package AND b.version = v.version LEFT JOIN files f ON f.build_id = b.build_id "
             "LEFT JOIN piw.file_facts x ON x.filename = f.filename WHERE p.package = ANY ($1) ORDER BY v.package, v.version, f.filename;")


def sql(side, text):
    side.run([rig.farms.cluster.tools() / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", side.dir / "s", "-U", "postgres", "-d", "piwheels",
              "-c", text], timeout=PATIENCE_S)


def fill(side, prefix, packages, versions):
    sql(side, FILL.format(prefix, packages, versions))
    sql(side, "VACUUM ANALYZE")
    side.psql("CHECKPOINT")


def page_of(side, name):
    """The one that is written last."""
    return side.www / "project" / name / "json" / "index.json"


def forget_pages(side, names):
    """They are put out of the way. Were they removed, an ext4 without a journal would look past all their inodes for each file that is
    made within the next minutes, which is more work than the pages are."""
    old = side.folder(f"old-{time.monotonic_ns()}")
    for name in names:
        for folder in (side.www / "simple" / name, side.www / "project" / name):
            if folder.exists():
                folder.rename(old / f"{folder.parent.name}-{name}")


def write_all(side, names):
    """Packages a second, from the first page that is there to the last."""
    side.stop_process(side.master)
    forget_pages(side, names)
    listed = ", ".join(f"('{name}', '2024-01-01', 'BOTH')" for name in names)
    side.psql(f"INSERT INTO rewrites_pending (package, added_at, command) VALUES {listed} ON CONFLICT DO NOTHING")
    synced = rig.sync_ms(side.dir)
    side.start_master()
    done, began, first = 0, None, 0
    until = time.monotonic() + PATIENCE_S
    while done < len(names):
        if page_of(side, names[done]).exists():
            done += 1
            continue
        if done > 0 and began is None:
            began, first = time.monotonic(), done
        if time.monotonic() > until:
            raise rig.farms.Failure(f"the page of {names[done]} doesn't come")
        time.sleep(0.002)
    took = time.monotonic() - (began or time.monotonic() - rig.TINY)
    return (len(names) - first) / took, rig.Window({"builds_per_s": 0}, {}, synced, [])


def files_of(side, names):
    paths = []
    for name in names:
        paths += [side.www / "simple" / name / "index.html", side.www / "simple" / name / "index.v1.json",
                  side.www / "project" / name / "index.html", page_of(side, name)]
    return paths


def limit(side, names):
    """Packages a second of a set query and then the files, without anything between."""
    text = SET_QUERY
    for at in range(0, len(names), AT_ONCE):
        text += "EXECUTE wanted('{" + ",".join(names[at:at + AT_ONCE]) + "}');"
    script = side.folder("limit") / "set.sql"
    script.write_text(text, encoding="ascii")
    script.chmod(0o644)
    began = time.monotonic()
    side.run([rig.farms.cluster.tools() / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", side.dir / "s", "-U", "postgres", "-d", "piwheels", "-o",
              "/dev/null", "-f", script], timeout=PATIENCE_S)
    queried = time.monotonic() - began
    listed = "".join(f"{path}\n" for path in files_of(side, names))
    out = subprocess.run([rig.PROGRAMS / "bare_pages", side.folder("bare-pages")], input=listed, stdout=subprocess.PIPE, text=True,
                         timeout=PATIENCE_S, check=True).stdout
    return len(names) / (queried + float(out))


def rates(found, count, turns):
    names = [f"page-{number}" for number in range(1, count + 1)]
    for side in found:
        fill(side, "page-", count, VERSIONS)
    taken = rig.Turns("pages", "packages/s", found)
    taken.take(turns, lambda side: write_all(side, names), lambda _quiet: limit(found[0], names))
    taken.report()


def rebuilt(side, name):
    """From asking for the pages of a package until they are on disk, in seconds: with a word that they didn't have."""
    sql(side, f"UPDATE packages SET description = 'at {time.monotonic()}' WHERE package = '{name}'")
    began = time.monotonic()
    side.run([side.program("piw-rebuild"), "-c", side.configuration(), "--import-queue", side.socket("import"), "--yes", "index", name],
             timeout=PATIENCE_S)
    return time.monotonic() - began


def spent(side, name):
    """Processor time of master and PostgreSQL, in ms, for the pages of a package: the middle one."""
    found = []
    for _ in range(2 * TIMES):
        meter = bench_growth.Meter(side)
        rebuilt(side, name)
        found.append(meter.spent())
    return rig.middle(found)


def growth(side, versions):
    few, many = versions // 10, versions
    for name, count in (("none-", 0), ("few-", few), ("many-", many)):
        fill(side, name, 1, count)
    nothing, small, large = (spent(side, name) for name in ("none-1", "few-1", "many-1"))
    rig.say(f"pages of {few} versions {small:.1f} ms of CPU, of {many} {large:.1f}, of none {nothing:.1f}")
    rig.line(f"pages_{many}_versions", (large - nothing) / max(small - nothing, 0.001), f"times {few}'s", GROWTH)


def views(side, versions):
    """The farm has the common view, one more, three more, none again."""
    name, found, filled = "views-1", [], 1
    fill(side, "views-", 1, versions)
    for count in (1, 2, 5):
        side.stop_process(side.master)
        side.views = {view: {"abi": abi, "platform": platform} for view, (abi, platform) in list(KINDS.items())[:count]}
        for place, (view, (abi, platform)) in list(enumerate(KINDS.items()))[filled:count]:
            sql(side, FILL_VIEW.format(place=place, view=view, package=name, abi=abi, platform=platform))
        filled = count
        sql(side, "VACUUM ANALYZE")
        side.start_master()
        rebuilt(side, name)
        # Of packages whose description was changed the pages are held for longer than this takes.
        side.wait("what the change of views asked for", lambda: side.value(
            "SELECT (SELECT count(*) FROM piw.refills) + (SELECT count(*) FROM rewrites_pending WHERE package LIKE 'page-%')") == "0", PATIENCE_S)
        found.append(spent(side, name))
    one, two, five = found
    side.stop_process(side.master)
    side.views = {}
    side.start_master()
    rig.say(f"pages of {versions} versions {one:.1f} ms of CPU with one view, {two:.1f} with two, {five:.1f} with five")
    rig.line("pages_views_5", (five - one) / 4 / max(two - one, 0.001), "times one view's", VIEWS_GROWTH)


def has_name(path, name):
    return path.exists() and f'href="{name}/"'.encode() in path.read_bytes()


def new_package(side, packages):
    side.stop_process(side.master)
    fill(side, "index-", packages, 0)
    side.start_master()
    root = side.www / "simple" / "index.html"
    side.wait("the root list", lambda: has_name(root, f"index-{packages}"), PATIENCE_S)
    own, listed = [], []
    for number in range(TIMES):
        name = f"new-{packages}-{number}"
        side.psql(f"INSERT INTO packages (package) VALUES ('{name}'); INSERT INTO package_names (package, name) VALUES ('{name}', '{name}')")
        began = time.monotonic()
        own.append(rebuilt(side, name))
        while not has_name(root, name):
            time.sleep(0.02)
        listed.append(time.monotonic() - began)
    rig.line("pages_new_package", rig.middle(own), "s", NEW_S)
    rig.line("pages_new_in_root", rig.middle(listed), "s", ROOT_S)


def main():
    args = rig.arguments(__doc__, SCALES)
    count, turns, versions, packages = SCALES[args.scale]
    with rig.sides(args.against) as found:
        rates(found, count, turns)
        growth(found[0], versions)
        views(found[0], versions)
        new_package(found[0], packages)
    return 0


if __name__ == "__main__":
    sys.exit(main())
