#!/usr/bin/python3
"""The pages that people read, in Debian's Chromium: search by keyboard, from there to a project and to a log; charts; both schemes,
360, 768 and 1440 pixels wide; on paper; nothing that axe-core finds wrong; no request to another site; search over 700,000 names with what
it costs. By nginx, and by the master's own web server where it is built. First those of a farm with kinds of machine.

playwright-core and axe-core come from the npm registry, at the versions of package.json, into build/browser; without them, or
without Chromium, the test is skipped. Pictures of every page stay in build/browser/shots. By hand, names of servers (nginx, web_server)
leave the others out; how pages look, which is the same with each, is looked at with the first.

TEST-TIMEOUT: 1500
TEST-NEEDS: plain
"""

import gzip
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "test" / "system")]
os.environ.setdefault("B", str(ROOT / "build" / "plain"))
import farm as farms  # pylint: disable=wrong-import-position
import names  # pylint: disable=wrong-import-position

KEPT = ROOT / "build" / "browser"
HERE = pathlib.Path(__file__).resolve().parent
CHROMIUM = "/usr/bin/chromium"
COUNT = 700000
POPULAR = 30000
BOUNDS = {"ms": 50, "bytes": 3000000, "again": 200000}
ERROR = "src/mod8.c:3:10: fatal error: Python.h: No such file or directory"
LOG = ("Collecting gold==1.1\n" + "".join(f"  gcc -c src/mod{n}.c -o build/mod{n}.o -Wall -fPIC -I/usr/include/python3.11\n" for n in range(9)) +
       f"  {ERROR}\n      3 | #include <Python.h>\n  compilation terminated.\n  error: command 'gcc' failed with exit code 1\n"
       "\u202ehtml.<script>alert(1)</script>\n")
LONG = "a-name-as-long-as-somebody-may-publish-it-" * 3 + "since-no-rule-is-against-it"
# A package with every kind of version, some others, and sixty days.
FILL = """
INSERT INTO packages (package, skip, description) VALUES
    ('gold', '', 'Golden <script>alert(1)</script> things'), ('plated', '', 'A long description, ' || repeat('with-a-very-long-word', 8)),
    ('binary', 'binary only', ''), ('LONG', '', repeat('Longer', 30)), ('nothing', '', '');
INSERT INTO package_names VALUES ('gold', 'Gold', '2020-01-01');
INSERT INTO versions (package, version, released, yanked, skip) VALUES
    ('gold', '1.0', '2024-01-01', true, ''), ('gold', '1.1', '2024-02-01', false, ''), ('gold', '1.2rc1', '2024-03-01', false, ''),
    ('gold', '1.2', '2024-03-02', false, ''), ('gold', '1.3', '2024-03-03', false, 'broken by "hand"'), ('plated', '1', '2024-01-01', false, ''),
    ('LONG', '2024.12.31.post1.dev20241231235959+with.a.local.version.label', '2024-01-01', false, '');
INSERT INTO builds (package, version, built_by, built_at, duration, status, abi_tag) VALUES
    ('gold', '1.0', 1, '2024-01-02', '90 s', true, 'cp311'), ('gold', '1.0', 1, '2024-01-03', '2 h', true, 'cp313'),
    ('gold', '1.1', 1, '2024-02-02', '9 s', false, 'cp311'), ('gold', '1.2rc1', 1, '2024-03-04', '9 s', true, 'cp311'),
    ('LONG', '2024.12.31.post1.dev20241231235959+with.a.local.version.label', 1, now() AT TIME ZONE 'UTC', '123456 s', true, 'cp311');
INSERT INTO files SELECT replace(package, '-', '_') || '-' || version || '-' || abi_tag || '-' || abi_tag || '-linux_armv7l.whl', build_id, 1234567,
    repeat('ab', 32), package, version, abi_tag, abi_tag, 'linux_armv7l', '>=3.9,<4' FROM builds WHERE status;
INSERT INTO dependencies SELECT filename, 'apt', d FROM files, unnest('{libc6,libgold-with-a-long-name-1}'::text[]) d;
INSERT INTO downloads (filename, accessed_by, accessed_at, arch, distro_name, distro_version, py_version)
    SELECT f.filename, '192.0.2.1', now() AT TIME ZONE 'UTC' - n * interval '5 hours', 'armv7l', 'Debian GNU/Linux', '12', '3.11.2'
    FROM files f, generate_series(1, 200) n;
INSERT INTO piw.attempts (slave_id, package, version, abi_tag, state, cause, ended, next_try) SELECT 1, 'gold', '1.2', 'cp311',
    'transient', 'no space left on device', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC' + interval '1 hour';
INSERT INTO piw.days SELECT current_date - d, k, CASE k WHEN 'cause' THEN 'no space left on device' ELSE 'cp311' END, 100 + 37 * d % 50
    FROM generate_series(1, 58) d, unnest('{built,failed,cause}'::text[]) k;
SELECT piw.drain();
""".replace("LONG", LONG)


class Missing(Exception):
    """What this machine hasn't: the reason of a skip."""


def have(command, package):
    if shutil.which(command):
        return
    if os.geteuid() == 0:
        subprocess.run(["apt-get", "-qq", "-y", "-o", "DPkg::Lock::Timeout=300", "--no-install-recommends", "install", package],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600, check=False)
    if not shutil.which(command):
        raise Missing(f"{command} isn't installed (Debian package {package})")


def install():
    have("chromium", "chromium")
    have("node", "nodejs")
    have("npm", "npm")
    KEPT.mkdir(parents=True, exist_ok=True)
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    for name, version in wanted.items():
        here = KEPT / "node_modules" / name / "package.json"
        if not here.exists() or json.loads(here.read_text())["version"] != version:
            break
    else:
        return
    shutil.copyfile(HERE / "package.json", KEPT / "package.json")
    done = subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"], cwd=KEPT,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise Missing(f"npm can't install what the test needs: {done.stderr.strip()[-300:]}")


def write_logs(farm):
    for (number,) in farm.rows("SELECT build_id FROM builds"):
        text = f"{int(number):012}"
        path = farm.www / "logs" / text[:4] / text[4:8] / f"{text[8:]}.txt.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(LOG.encode(), mtime=0))
    for path in (farm.www, *farm.below(farm.www)):
        farm.own(path)


def fill_names(farm):
    """So many packages as PyPI has, of which some are downloaded. Their pages would take an hour, and nobody looks at them."""
    all_names = names.names(COUNT)
    path = farm.dir / "tmp" / "names"
    path.write_text("".join(f"{name}\n" for name in all_names), encoding="ascii")
    path.chmod(0o644)
    farm.psql(f"CREATE TEMPORARY TABLE n (package text); COPY n FROM '{path}'; "
              "INSERT INTO packages (package) SELECT package FROM n ON CONFLICT DO NOTHING; "
              "INSERT INTO piw.package_downloads (package, recent, ever) "
              f"SELECT package, 1 + (hashtext(package) & 1023), 5000 FROM n ORDER BY hashtext(package) LIMIT {POPULAR} ON CONFLICT DO NOTHING")
    return all_names


def wrong(source, name):
    """The name with one letter wrong, missing, too many, or two exchanged."""
    place, letter = source.randrange(len(name)), source.choice("abcdefghijklmnopqrstuvwxyz")
    typed = source.choice((name[:place] + letter + name[place + 1:], name[:place] + name[place + 1:], name[:place] + letter + name[place:],
                           name[:place] + name[place + 1:place + 2] + name[place:place + 1] + name[place + 2:]))
    return typed


def typos(all_names, count):
    """Of long names, whose neighbours are few: what is meant is among the best."""
    source = random.Random(7)
    made = []
    while len(made) < count:
        meant = source.choice(all_names)
        typed = wrong(source, meant)
        if len(meant) >= 12 and typed != meant and typed[:1].isalnum() and typed[-1:].isalnum() and "--" not in typed:
            made.append((typed, meant))
    return made


def servers(farm):
    yield "nginx", farm.web_url
    if farm.own_url:
        yield "web_server", farm.own_url


def pages(farm):
    failed = farm.value("SELECT lpad(build_id::text, 12, '0') FROM builds WHERE NOT status")
    log = f"/logs/{failed[:4]}/{failed[4:8]}/{failed[8:]}.html"
    return {"home": "/", "packages": "/packages.html", "stats": "/stats.html", "faq": "/faq.html", "json": "/json.html", "404": "/nothing/here",
            "project": "/project/gold/", "long": f"/project/{LONG}/", "nothing": "/project/nothing/", "plated": "/project/plated/",
            "binary": "/project/binary/", "log": log}


def fetch(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.read()


def same_pages(farm):
    """Else how they look would have to be looked at with each server."""
    bases = [base for _, base in servers(farm)]
    files = {**pages(farm), "style": "/site.css", "script": "/search.js"}
    # Written again within the minute: one asked for before and one after that differ.
    farm.wait("the same pages from all servers", lambda: all(len({fetch(base + path) for base in bases}) == 1 for path in files.values()), 60)


def look(farm, name, base, paths, looks, search=None):
    shots = KEPT / "shots"
    shots.mkdir(parents=True, exist_ok=True)
    task = {"base": base, "name": name, "chromium": CHROMIUM, "modules": str(KEPT), "axe": str(KEPT / "node_modules/axe-core/axe.min.js"),
            "shots": str(shots), "bounds": BOUNDS, "pages": paths, "looks": looks, "search": search}
    path = farm.dir / "tmp" / f"{name}.json"
    path.write_text(json.dumps(task))
    done = subprocess.run(["node", HERE / "look.mjs", path], stdin=subprocess.DEVNULL, timeout=600, check=False)
    return done.returncode == 0


def search_of(farm, all_names):
    index = json.loads((farm.www / "search" / "index.json").read_text())
    downloaded = {row[0] for row in farm.rows("SELECT package FROM piw.package_downloads")}
    return {"known": "gold", "prefix": "gol", "error": ERROR, "count": index["count"], "files": len(index["pieces"]) + 2,
            "rare": next(n for n in all_names[400000:] if len(n) > 12 and n not in downloaded), "typos": typos(all_names, 40)}


def begin(farm):
    farm.prepare()
    farm.start_postgres()
    farm.create_database(["cp39", "cp311", "cp313"])
    farm.psql(FILL)
    write_logs(farm)
    farm.site_options = {"name": "Wheels", "base-url": "https://wheels.example.org", "notice": "Disks are changed on Sunday."}
    farm.own_url = None


def rebuild(farm, *what):
    farm.run([farm.program("piw-rebuild"), "-c", farm.configuration(), "--yes", "--import-queue", farm.socket("import"), *what])


def kinds():
    """What pages have besides on a farm of several kinds of machine."""
    with farms.Farm() as farm:
        begin(farm)
        farm.views = {"pi-bookworm": {"abi": "cp311", "platform": "linux_armv7l, linux_armv6l", "os_name": "debian, raspbian", "os_version": "12"},
                      "a-kind-with-a-name-of-32-letters": {"abi": "cp313", "platform": "linux_armv7l", "os_version": "13"}}
        farm.start_pypi()
        farm.start_master()
        farm.start_web()
        farm.wait("pages of all packages", lambda: farm.pages_form() == "all", 120)
        farm.wait("the refill", lambda: farm.value("SELECT count(*) FROM piw.refills") == "0", 60)
        farm.psql(f"""
            INSERT INTO piw.view_builds VALUES (900, '{list(farm.views)[1]}', 'gold', '1.2', 1, now(), '75 s', true);
            INSERT INTO piw.view_files SELECT view, 'gold-1.2-cp313-cp313-linux_armv7l.whl', build_id, 1234567, repeat('ab', 32), 'gold', '1.2',
                'cp313', 'cp313', 'linux_armv7l', NULL, '', NULL, now() FROM piw.view_builds""")
        for what in (("project", "gold"), ("home",)):
            rebuild(farm, *what)
        return look(farm, "kinds", farm.web_url, {"kinds-home": "/", "kinds-project": "/project/gold/"}, True)


def main():
    try:
        install()
    except Missing as why:
        print(f"skip browser - {why}")
        return 0
    good = kinds()
    with farms.Farm() as farm:
        begin(farm)
        if (farm.build / "plugins" / "web_server.so").exists():
            port = farms.free_port()
            farm.task_options["web_server"] = {"listen": f"127.0.0.1:{port}"}
            farm.own_url = f"http://127.0.0.1:{port}"
        farm.start_pypi()
        farm.start_master()
        farm.start_web()
        farm.wait("pages of all packages", lambda: farm.pages_form() == "all", 120)
        all_names = fill_names(farm)
        rebuild(farm, "search")
        farm.wait("the list of names", lambda: json.loads((farm.www / "search/index.json").read_text())["count"] > COUNT, 120)
        rebuild(farm, "home")
        farm.wait("the most downloaded", lambda: "gold" in (farm.www / "packages.html").read_text(), 60)
        same_pages(farm)
        wanted = sys.argv[1:] or [name for name, _ in servers(farm)]
        for name, base in servers(farm):
            if name in wanted:
                good = look(farm, name, base, pages(farm), name == wanted[0], search_of(farm, all_names)) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
