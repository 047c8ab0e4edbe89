#!/usr/bin/python3
"""piw-audit on a farm that works: each kind of damage is planted, found by its name, and mended; an audit that is killed goes on
where it was; nothing is found that isn't wrong, however busy the farm is. And: an output folder that vanishes isn't made
anew, and what is no name in a path comes in from nowhere.

TEST-TIMEOUT: 600
TEST-LOAD: heavy
"""

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import load
import score

farms = load.farms
check, equal = score.check, score.equal

PACKAGES, VERSIONS = 30, 4
# What the master writes each minute, asked or not; and what is there again once another finding of its kind was mended.
OFTEN = {("home", "404.html"), ("home", "site.css"), ("home", "faq.html"), ("root", "simple/index.html"), ("search", "packages.json")}


class Audit:
    """One run."""

    def __init__(self, farm, *options, settle="200ms", patience="1s", timeout=120):
        self.farm = farm
        self.args = [farm.program("piw-audit"), "-c", farm.configuration(), "-d", farm.dsn(), "-o", farm.www, "--import-queue",
                     farm.socket("import"), "--settle", settle, "--patience", patience, *options]
        self.timeout = timeout

    def run(self):
        """What it did; of what the farm had to do long ago it has done all."""
        return self.farm.run(self.args, timeout=self.timeout, check=False)

    def json(self):
        """(exit code, {(kind, path): finding})"""
        done = self.farm.run([*self.args, "--json"], timeout=self.timeout, check=False)
        try:
            found = json.loads(done.stdout)
        except ValueError as why:
            raise farms.Failure(f"{why}: {done.stdout[:300]} {done.stderr[-500:]}") from why
        return done.returncode, {(one["kind"], one["path"]): one for one in found["findings"]}


def built(farm):
    """Wheels that are in place: [(package, version, file, build)] in order."""
    return farm.rows("SELECT b.package, b.version, f.filename, b.build_id FROM builds b JOIN files f USING (build_id) "
                     "ORDER BY f.filename")


def settle(farm):
    """Until the farm has nothing to do: all is written that was asked for."""
    farm.wait("pages that are written", lambda: farm.value(
        "SELECT (SELECT count(*) FROM rewrites_pending) + (SELECT count(*) FROM piw.pages_due "
        "WHERE noted > piw.utc_now() - interval '5 s')") == "0")


def remove(farm, package, version):
    farm.run([farm.program("piw-remove"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "-y", "--builds",
              package, version], check=False)


# --- Under load ---------------------------------------------------------------------------------------------------------

def test_load(farm):
    """Slaves build, versions and packages are removed, quarantined and cleared, while one audit follows the other."""
    busy = load.Load(farm, "--slaves", "6", "--rate", "8", "--fail-percent", "20", "--also", "1x80K", "--builds", str(PACKAGES * VERSIONS))
    busy.wait_built(10)
    runs, number = [], 0
    while busy.process.running() or not runs:
        number += 1
        one, other = number % PACKAGES + 1, (number * 7) % PACKAGES + 1
        farm.add_event(f"quarantine load-{one}")
        remove(farm, f"load-{other}", "1.0")
        runs.append(Audit(farm, "--rate", "0", patience="10m").run())
        farm.add_event(f"clear load-{one}")
        if number > 40:
            break
    wrong = [run.stdout + run.stderr for run in runs if run.returncode != 0]
    check(f"nothing is found under load, in {len(runs)} runs", not wrong, "\n".join(wrong)[:3000])
    busy.finish(200)
    settle(farm)
    code, found = Audit(farm, "--rate", "0").json()
    equal("nothing is found afterwards", (code, found), (0, {}))


# --- Damage -------------------------------------------------------------------------------------------------------------

def gone(path):
    path.unlink()


def spoil(path):
    """Another byte, the same size."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xff
    write(path, bytes(data))


def cut(path):
    write(path, path.read_bytes()[:-7])


def write(path, data):
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    path.chmod(0o644)
    shutil.chown(path, "nobody", "nogroup") if os.geteuid() == 0 else None  # pylint: disable=expression-not-assigned


def log_path(build, kind="txt"):
    number = f"{int(build):012}"
    return f"logs/{number[:4]}/{number[4:8]}/{number[8:]}.{kind}.gz"


def age(path):
    """As if what it is made from had come after it."""
    os.utime(path, (1, 1))


def feed_without(path):
    """A feed of before the newest build of its package."""
    text = path.read_text("utf-8")
    write(path, re.sub(r"<entry>.*?</entry>\n", "", text, count=1, flags=re.DOTALL).encode())


def own_folders(farm):
    for path in (farm.www / "logs").rglob("*"):
        farm.own(path)


def plant(farm):
    """Each kind: {(kind, path): whether --fix mends it; "asked": it asks the master, which does it later}"""
    www, wheels, planted = farm.www, built(farm), {}

    def at(index, suffix=""):
        package, _, name, _ = wheels[index]
        return f"simple/{package}/{name}{suffix}"

    def damage(kind, path, how, mended=True):
        how(www / path)
        planted[kind, path] = mended

    last = [len(wheels) - 1 - n for n in range(6)]
    damage("wheel", at(0), gone, False)
    damage("wheel", at(1), cut, False)
    damage("hash", at(2), spoil, False)
    damage("mode", at(3), lambda path: path.chmod(0o600))
    damage("metadata", at(4, ".metadata"), gone)
    damage("metadata", at(5, ".metadata"), spoil)
    damage("orphan", f"simple/{wheels[6][0]}/stray-1.0-py3-none-any.whl", lambda path: write(path, b"nobody's"))
    damage("orphan", "simple/left-behind/index.html", lambda path: (path.parent.mkdir(), farm.own(path.parent), write(path, b"x")))
    damage("orphan", "project/left-behind", lambda path: (path.mkdir(), farm.own(path)))
    damage("log", log_path(wheels[8][3]), gone)
    damage("log", log_path(wheels[9][3]), cut)
    damage("log page", log_path(wheels[12][3], "html"), cut)
    damage("log page", log_path(wheels[13][3], "html"), age)
    damage("orphan", log_path(999900000001, "html"), lambda path: (path.parent.mkdir(parents=True), write(path, b"x"), own_folders(farm)))
    damage("feed", "feeds/new.atom", cut, False)
    damage("page", f"simple/{wheels[last[0]][0]}/index.html", cut)
    # A package of which a log is mended has its pages written, too: these are others.
    names = sorted({row[0] for row in wheels} - {wheels[last[0]][0]} - {row[0] for row in wheels[:14]})
    damage("page", f"project/{names[0]}/index.html", gone)
    damage("page", f"project/{names[1]}/json/index.json", cut)
    page = www / "simple" / names[2] / "index.html"
    damage("page", f"simple/{names[2]}/index.html", lambda path: write(path, page.read_bytes().replace(b"#sha256=", b"#sha256=0", 1)))
    farm.psql(f"INSERT INTO package_names (package, name) VALUES ('{names[3]}', '{names[3].upper()}')")
    planted["alias", f"project/{names[3].upper()}"] = True
    damage("feed", f"project/{names[4]}/feed.atom", cut, "asked")
    damage("feed", f"project/{names[5]}/feed.atom", feed_without, "asked")
    damage("page", f"project/{names[6]}/index.html", cut)
    damage("home", "site.css", cut, "asked")
    damage("home", "404.html", gone, "asked")
    damage("home", "faq.html", cut, "asked")
    damage("search", "packages.json", cut, "asked")
    piece = json.loads((www / "search" / "index.json").read_text())["pieces"][0][1]
    damage("search", f"search/{piece}", gone, "asked")
    damage("root", "simple/index.html", lambda path: write(path, path.read_bytes().replace(
        b"</body>", b'<a href="nobody-knows/">nobody-knows</a></body>')), "asked")
    damage("link", at(10), lambda path: (path.unlink(), path.symlink_to("../../index.html")), False)
    farm.psql(f"UPDATE piw.queue_totals SET pending = pending + 1 WHERE abi_tag = '{load.ABI}';"
              f"INSERT INTO piw.queue_totals (abi_tag, pending) VALUES ('{load.ABI}', 1) ON CONFLICT DO NOTHING")
    planted["queue", f"piw.queue_totals of {load.ABI}"] = False
    farm.psql("UPDATE piw.totals SET files_count = files_count + 1")
    planted["totals", "piw.totals.files_count"] = False
    return planted


def whole_feed(path, newest):
    text = path.read_text("utf-8")
    return text.endswith("</feed>\n") and f"#build-{newest}<" in text


def test_damage(farm):
    planted = plant(farm)
    started = Audit(farm, "--rate", "0").run()
    lines = {tuple(line.split(": ")[:2]) for line in started.stdout.splitlines()}
    for kind, path in planted:
        check(f"{kind} is found: {path}", (kind, path) in lines, started.stdout)
    equal("nothing else is found", sorted(lines - set(planted)), [])
    equal("its exit code", started.returncode, 1)
    code, found = Audit(farm, "--rate", "0", "--fix").json()
    lost = {key for key in set(planted) - OFTEN - set(found) if key[0] != "search" or not any(kind == "search" for kind, _ in found)}
    equal("--fix finds them too", (code, sorted(lost)), (1, []))
    for (kind, path), mended in planted.items():
        one = found.get((kind, path))
        if one is not None:
            words = "asked for" if mended == "asked" else "mended" if mended else "left"
            check(f"{kind} is {words}: {path}", one["done"] and (one["mended"], one.get("asked", False)) == (
                mended is True, mended == "asked"), one)
    settle(farm)
    left = sorted(key for key, mended in planted.items() if not mended)
    farm.wait("the root list", lambda: b"nobody-knows" not in (farm.www / "simple" / "index.html").read_bytes(), 90)
    again = [path for kind, path in planted if kind in ("home", "search")]
    farm.wait("home and lists", lambda: all((farm.www / path).exists() for path in again))
    farm.wait("a whole page", lambda: (farm.www / "faq.html").read_text("utf-8").endswith("<!-- end -->\n"), 90)
    for kind, path in planted:
        if kind == "feed" and path.startswith("project/"):
            newest = farm.value(f"SELECT max(build_id) FROM builds WHERE package = '{path.split('/')[1]}'")
            farm.wait(f"the whole {path}", lambda path=path, newest=newest: whole_feed(farm.www / path, newest))
    equal("what is mended is right", sorted(Audit(farm, "--rate", "0").json()[1]), left)
    aside = farm.www / ".audit" / "aside" / "simple" / built(farm)[6][0] / "stray-1.0-py3-none-any.whl"
    equal("what was nobody's is kept", aside.read_bytes(), b"nobody's")
    for kind in ("txt", "html"):
        with gzip.open(farm.www / log_path(built(farm)[8][3], kind), "rt") as log:
            check(f"a lost log says so: {kind}", "is lost" in log.read())
    check("a feed of the farm: what to do is said", "piw-ctl reload feed" in found["feed", "feeds/new.atom"]["done"])
    farm.run([farm.program("piw-ctl"), "--admin-queue", farm.socket("admin"), "reload", "feed"])
    farm.wait("the feed of the farm", lambda: whole_feed(farm.www / "feeds" / "new.atom", farm.value(
        "SELECT max(build_id) FROM builds JOIN files USING (build_id) WHERE status")))


def test_withheld(farm):
    """A quarantined wheel that can be fetched."""
    package, _, name, _ = built(farm)[-1]
    farm.add_event(f"quarantine {package}")
    farm.wait("wheels out of reach", lambda: farm.value(
        f"SELECT count(*) > 0 AND coalesce(bool_and(away), false) FROM piw.withheld WHERE package = '{package}'") == "t", timeout=90)
    away, place = farm.www / ".quarantine" / package / name, farm.www / "simple" / package / name
    write(place, away.read_bytes())
    found = Audit(farm, "--rate", "0", "--fix").json()[1]
    one = found.get(("exposed", f"simple/{package}/{name}"))
    check("a quarantined wheel that can be fetched", one is not None and one["mended"], found)
    check("is out of reach again", away.exists() and not place.exists())
    farm.add_event(f"clear {package}")
    farm.wait("its end", lambda: farm.value(f"SELECT count(*) FROM piw.withheld WHERE package = '{package}'") == "0", timeout=90)


# --- Killed and gone on -------------------------------------------------------------------------------------------------

def test_resume(farm):
    """kill -9 in the middle: the next one doesn't look again at what was looked at, and knows what was found."""
    state = farm.dir / "state"
    package, _, name, _ = built(farm)[0]  # its wheel is lost for good
    slow = Audit(farm, "--state", state, "--rate", "300K")
    run = farm.start_process("audit", slow.args)
    run.expected_end = True
    farm.wait("a finding and some packages", lambda: not run.running() or (
        state.exists() and '"found","wheel"' in state.read_text() and state.read_text().count('"at","packages"') > 3))
    check("it was still at work", run.running())
    run.kill(signal.SIGKILL)
    farm.forget(run)
    looked = [json.loads(line)[2] for line in state.read_text().splitlines() if line.startswith('["at","packages"')]
    with open(state, "a", encoding="utf-8") as file:
        file.write('["found","orphan","torn')
    again = farm.run([*Audit(farm, "--state", state, "--rate", "0").args, "-v"], check=False, timeout=120)
    check("it goes on there", f"packages behind {looked[-1]}" in again.stderr, again.stderr)
    check("and knows what was found", f"wheel: simple/{package}/{name}" in again.stdout, again.stdout)
    equal("its exit code", again.returncode, 1)
    equal("the next one begins anew", state.read_text(), "")
    check("a second one at a time is refused", two_at_once(farm))


def two_at_once(farm):
    run = farm.start_process("audit-long", Audit(farm, "--rate", "50K", settle="1h").args)
    run.expected_end = True
    farm.wait("its state", lambda: (farm.www / ".audit" / "state").exists() and
              (farm.www / ".audit" / "state").stat().st_size > 0)
    second = Audit(farm).run()
    run.kill(signal.SIGTERM)
    farm.forget(run)
    (farm.www / ".audit" / "state").unlink()
    return second.returncode == 2 and "another piw-audit" in second.stderr


def test_not_run(farm):
    """Exit code 2, with the reason."""
    for name, args, words in (("no database", ["-d", "postgres:///nothing?host=/nowhere"], "can't connect"),
                              ("no site", ["-o", str(farm.dir / "home")], "isn't this farm's site"),
                              ("no folder", ["-o", str(farm.dir / "nowhere")], "isn't there"),
                              ("a word too many", ["x"], "")):
        done = Audit(farm, *args).run()
        check(f"exit code 2: {name}", done.returncode == 2 and words in done.stderr, (done.returncode, done.stderr))


def test_terminal(farm):
    """A bar on a terminal, lines elsewhere, nothing with -q."""
    primary, secondary = os.openpty()
    with subprocess.Popen([*farm.drop, *map(str, Audit(farm, "--rate", "0").args)], env={**farm.env, "TERM": "xterm"}, cwd=farm.dir,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=secondary) as run:
        run.wait(120)
    os.close(secondary)
    seen = os.read(primary, 65536).decode()
    os.close(primary)
    check("a bar on a terminal", re.search(r"\r\[####.*\] 100 % done", seen), seen[:500])
    plain = Audit(farm, "--rate", "0").run().stderr
    check("lines elsewhere", plain.endswith("\n") and "\r" not in plain and f"of {PACKAGES} packages" in plain, plain)
    equal("nothing with -q", Audit(farm, "--rate", "0", "-q").run().stderr, "")


# --- The output folder vanishes -------------------------------------------------------------------------------------------

def paused(farm):
    return "paused" in farm.run([farm.program("piw-ctl"), "--admin-queue", farm.socket("admin"), "status"], check=False).stdout


def test_vanished(farm):
    """Renamed away, and an empty folder in its place; while slaves build."""
    www, elsewhere = farm.www, farm.dir / "elsewhere"
    mark = (www / ".farm").read_text().strip()
    equal("the database knows the mark", farm.value("SELECT mark FROM piw.site"), mark)
    farm.psql("INSERT INTO versions (package, version) SELECT 'load-' || n, '2.' || v FROM generate_series(1, 10) n, "
              "generate_series(1, 10) v")
    before = int(farm.value("SELECT count(*) FROM builds"))
    busy = load.Load(farm, "--slaves", "4", "--rate", "10", "--builds", "100", "--patience", "120s", name="vanish")
    busy.wait_built(20)
    start = len(farm.master.text())
    www.rename(elsewhere)
    farm.wait_log(farm.master, r"the output path \S+ is gone or empty.*the farm pauses", start=start)
    check("it isn't made anew", not www.exists())
    www.mkdir()
    farm.own(www)
    farm.wait("pages were asked for meanwhile", lambda: clerk_home(farm) is not None)
    equal("nor is an empty one filled", sorted(path.name for path in www.iterdir()), [])
    equal("piw-audit doesn't run there", Audit(farm).run().returncode, 2)
    done = busy.built()
    www.rmdir()
    elsewhere.rename(www)
    farm.wait_log(farm.master, r"is the farm's site again: the farm goes on", start=start)
    busy.wait_built(done + 5)
    busy.finish(200)
    load.wait_recorded(farm, before + 100)
    builds, twice = busy.ended()
    load.left_over(farm, 60, lambda: load.missing(farm, builds))
    equal("nothing is built twice", twice, [])
    lost = [name for _, files in builds.values() for name in files if not any(www.glob(f"simple/*/{name}"))]
    equal("nothing is lost", lost, [])


def clerk_home(farm):
    return farm.run([farm.program("piw-rebuild"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "-y", "home"],
                    check=False, timeout=130)


def test_vanished_at_start(farm):
    """A master that starts without its site says so, and goes on when the site is there."""
    farm.master.stop()
    elsewhere = farm.dir / "elsewhere"
    farm.www.rename(elsewhere)
    master = farm.restart_master()
    farm.wait_log(master, r"is gone or empty.*the farm pauses until the site is back")
    equal("nothing is written", sorted(path.name for path in farm.www.iterdir()), [])
    farm.www.rmdir()
    elsewhere.rename(farm.www)
    farm.wait_log(master, r"is the farm's site again: the farm goes on")
    (farm.www / ".farm").rename(farm.www / ".was")
    farm.wait_log(master, r"its mark .farm isn't there[\s\S]*its mark .farm isn't there")
    (farm.www / ".was").rename(farm.www / ".farm")
    farm.wait_log(master, r"site again[\s\S]*site again")


# --- What is no name in a path --------------------------------------------------------------------------------------------

def test_names(farm):
    """Rows that somebody put into the database: nothing of them is built or shown."""
    bad = [".", "..", "../../etc", ".hidden", "a/b", "1\x01"]
    rows = ", ".join(f"('load-1', E'{version.encode('unicode_escape').decode()}', '2000-01-01')" for version in bad)
    farm.psql(f"INSERT INTO packages VALUES ('..'), ('a/b'); INSERT INTO versions (package, version, released) VALUES {rows}, "
              "('..', '1.0', '2000-01-01'), ('a/b', '1.0', '2000-01-01');"
              "INSERT INTO build_abis VALUES ('../x')")
    master, start = farm.master, 0
    farm.wait_log(master, r"waits in the database, but is never built", start=start)
    farm.wait_log(master, r"is no ABI's tag", start=start)
    busy = load.Load(farm, "--slaves", "1", "--builds", "1", name="names")
    busy.finish(100)
    given = set(busy.ended()[0])
    check("a version that is a name is built", len(given) == 1 and not {version for _, version in given} & set(bad), given)
    refused = farm.run([farm.program("piw-add"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "-y",
                        "load-1", ".."], check=False)
    check("piw-add refuses it", refused.returncode == 2 and "can't be a version" in refused.stderr, refused.stderr)
    clerk_pages = farm.run([farm.program("piw-rebuild"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "-y",
                            "project", "load-1"], check=False)
    equal("pages are written", clerk_pages.returncode, 0)
    settle(farm)
    shown = (farm.www / "project" / "load-1" / "json" / "index.json").read_text()
    equal("and don't show it", [v for v in json.loads(shown)["releases"] if v in bad], [])
    found = Audit(farm, "--rate", "0").json()[1]
    names = {path for kind, path in found if kind == "name"}
    equal("piw-audit names them", names, {f"versions: load-1 {version}" for version in bad} | {"packages: ..", "packages: a/b",
                                                                                               "build_abis: ../x"})


def own_templates(farm):
    """An operator's pages, none of which ends as ours do."""
    folder = farm.dir / "templates"
    folder.mkdir()
    folder.chmod(0o755)
    for name, text in (("faq.html", "<h1>Asked often</h1>"), ("project.html", "<h1>{{name}}</h1>{{#releases}}<p>{{version}}</p>{{/releases}}"),
                       ("log.html", "<pre>{{#lines}}{{text}}\n{{/lines}}</pre>"), ("site.css", "body { margin: 0 } /* ours */")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o644)
    return folder


def main():
    with farms.Farm() as farm:
        farm.site_options["linger"] = "1s"
        farm.task_options["file_juggler"] = {"removals-every": "1s"}
        farm.task_options["cloud_gazer"] = {"poll": "200ms"}
        farm.task_options["feed"] = {"every": "100ms", "every-dev-mode": "100ms"}
        farm.site_options["templates"] = own_templates(farm)
        load.start(farm, PACKAGES, VERSIONS)
        return score.run([test_load, test_damage, test_withheld, test_resume, test_not_run, test_terminal, test_vanished,
                          test_vanished_at_start, test_names], farm)


if __name__ == "__main__":
    sys.exit(main())
