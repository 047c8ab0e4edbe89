#!/usr/bin/python3
"""What PyPI quarantines is hidden at once, and whole: not offered, not listed, not fetched, not built; nothing of it is deleted,
and when the quarantine ends it is back as it was, without a build. By the log's events and by the list, in every order, with
kill -9 in between.

TEST-TIMEOUT: 400
"""

import hashlib
import itertools
import json
import pathlib
import sys
import time

import farm as farms
from cluster import Cluster, SqlError
import score
from test_faults import BACKEND, KINDS, PYPROJECT
check, equal = score.check, score.equal

ACCEPT = {"Accept": "application/vnd.pypi.simple.v1+json"}


# --- The database alone -----------------------------------------------------------------------------------------------

def text_array(values):
    return "ARRAY[" + ", ".join("NULL" if value is None else f"'{value}'" for value in values) + "]::text[]"


def apply(events, serial):
    """SQL that applies (package, version, action) events, whose serials end with `serial`; what changed is its rows."""
    serials = range(serial - len(events) + 1, serial + 1)
    moments = ", ".join(f"'2026-01-01 00:00:00'::timestamp + {number % 100000} * interval '1 second'" for number in serials)
    return (f"SELECT package, version, change FROM piw.apply_pypi_events({text_array([e[0] for e in events])}, "
            f"{text_array([e[0] for e in events])}, {text_array([e[1] for e in events])}, ARRAY[{moments}]::timestamp[], "
            f"{text_array([e[2] for e in events])}, ARRAY[{', '.join(map(str, serials))}]::bigint[], {serial}, false);")


def begin(cluster, database):
    """p 1 is built, with a wheel; p 2 waits; p 3 is somebody's word; q isn't concerned."""
    cluster.create(database)
    cluster.sql(database, """
        INSERT INTO build_abis VALUES ('cp311');
        INSERT INTO packages VALUES ('p'), ('q');
        INSERT INTO versions VALUES ('p', '1'), ('p', '2'), ('p', '3'), ('q', '1');
        UPDATE versions SET skip = 'too large' WHERE version = '3';
        INSERT INTO builds (build_id, package, version, built_by, duration, abi_tag) VALUES (1, 'p', '1', 1, '1 s', 'cp311');
        INSERT INTO files VALUES ('p-1-py3-none-any.whl', 1, 10, repeat('a', 64), 'p', '1', 'py3', 'none', 'any');
        UPDATE configuration SET pypi_serial = 1000000;
        SELECT piw.drain();""")


def state(cluster, database):
    """Skips, the queue, and how much is stored."""
    cluster.sql(database, "SELECT piw.drain()")
    return (cluster.rows(database, "SELECT package, skip FROM packages ORDER BY 1"),
            cluster.rows(database, "SELECT package, version, skip FROM versions ORDER BY 1, 2"),
            cluster.rows(database, "SELECT package, version FROM piw.queue ORDER BY 1, 2"),
            cluster.rows(database, "SELECT (SELECT count(*) FROM builds), (SELECT count(*) FROM files)"))


FREE = ([("p", ""), ("q", "")], [("p", "1", ""), ("p", "2", ""), ("p", "3", "too large"), ("q", "1", "")],
        [("p", "2"), ("q", "1")], [("1", "1")])


def hidden(project, release):
    """The state with the project, or release 2 of it, hidden."""
    mark = "quarantined"
    return ([("p", mark if project else ""), ("q", "")],
            [("p", "1", ""), ("p", "2", mark if release else ""), ("p", "3", "too large"), ("q", "1", "")],
            [("q", "1")] if project or release else FREE[2], FREE[3])


def test_orders(cluster):
    """Every order of the four events, in one batch, one by one, and again."""
    begin(cluster, "orders")
    events = [("p", None, "quarantine"), ("p", None, "clear"), ("p", "2", "quarantine"), ("p", "2", "clear")]
    serial, wrong = 2000000, []
    for order in itertools.permutations(events):
        wanted = hidden(*(
            [event[2] for event in order if event[1] == version][-1] == "quarantine" for version in (None, "2")))
        for batches in ([list(order)], [[event] for event in order]):
            cluster.sql("orders", "DELETE FROM piw.applied_serials; UPDATE configuration SET pypi_serial = 1000000")
            script = ""
            for batch in batches:
                serial += len(batch)
                script += apply(batch, serial) * 2
            cluster.sql("orders", script)
            got = state(cluster, "orders")
            if got != wanted:
                wrong.append((order, got))
            cluster.sql("orders", apply([("p", None, "clear"), ("p", "2", "clear")], serial := serial + 2))
            if state(cluster, "orders") != FREE:
                wrong.append((order, "cleared", state(cluster, "orders")))
    equal("every order of the events", wrong, [])
    equal("nothing is remembered", cluster.rows("orders", "SELECT package FROM piw.quarantines"), [])


def test_meanwhile(cluster):
    """What operators, stock programs and PyPI do while it lasts."""
    begin(cluster, "meanwhile")
    run = lambda text: cluster.rows("meanwhile", text)  # noqa: E731
    serial = 3000000

    def event(*events):
        nonlocal serial
        serial += len(events)
        return run(apply(list(events), serial))

    equal("what hiding says", event(("p", None, "quarantine"), ("p", "2", "quarantine")),
          [("p", None, "hidden"), ("p", "2", "hidden")])
    equal("stock's view of what is to be built", run("SELECT package FROM builds_pending"), [("q",)])
    run("SELECT skip_package('p', 'ours'), skip_package_version('p', '2', 'binary only')")
    equal("another reason waits", state(cluster, "meanwhile"), hidden(True, True))
    equal("it is what comes back", (event(("p", None, "clear"), ("p", "2", "clear")), state(cluster, "meanwhile")[:2]),
          ([("p", None, "shown"), ("p", "2", "shown")],
           ([("p", "ours"), ("q", "")],
            [("p", "1", ""), ("p", "2", "binary only"), ("p", "3", "too large"), ("q", "1", "")])))
    event(("p", None, "quarantine"), ("p", "2", "quarantine"))
    run("SELECT piw.add_package('p', 'p', '', '', true, '{}')")
    equal("--unskip waits", run("SELECT skip FROM packages WHERE package = 'p'"), [("quarantined",)])
    event(("p", "2", "source"), ("p", "4", "source"), ("p", None, "clear"), ("p", "2", "clear"))
    equal("what came meanwhile is there", state(cluster, "meanwhile")[1:3],
          ([("p", "1", ""), ("p", "2", ""), ("p", "3", "too large"), ("p", "4", ""), ("q", "1", "")],
           [("p", "2"), ("p", "4"), ("q", "1")]))

    event(("new", None, "quarantine"), ("q", "9", "quarantine"))
    event(("new", None, "create"), ("new", "1", "source"), ("q", "9", "source"))
    equal("known before it is here", run("SELECT skip FROM packages WHERE package = 'new' UNION ALL "
                                         "SELECT skip FROM versions WHERE version = '9'"),
          [("quarantined",), ("quarantined",)])
    event(("new", None, "clear"), ("q", "9", "clear"))
    equal("and then free", run("SELECT package FROM packages WHERE package = 'new' AND skip = '' UNION ALL "
                               "SELECT package FROM versions WHERE version = '9' AND skip = ''"), [("new",), ("q",)])

    recorded = run("SELECT piw.hide('{p}', NULL, '{0}', 'event'); SELECT recorded, why FROM piw.record_builds('{77}', '{1}', "
                   "'{p}', '{2}', '{cp311}', '{t}', '{1}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', "
                   "'{}', '{}', '{}', '{}')")
    equal("a build that ends too late", recorded[-1], ("f", "it is quarantined by PyPI"))
    equal("its wheel is to be taken away", run("SELECT * FROM piw.withheld_due('', 10)"), [("p", "p-1-py3-none-any.whl", "t")])
    run("SELECT piw.withheld_done('{p-1-py3-none-any.whl}', '{}')")
    equal("and then it is", run("SELECT * FROM piw.withheld_due('', 10)"), [])
    equal("also if its row went and came again on the way",
          run("DELETE FROM piw.withheld; SELECT piw.withheld_done('{p-1-py3-none-any.whl}', '{}'); SELECT * FROM piw.withheld")[-1],
          ("p-1-py3-none-any.whl", "p", "t"))
    event(("p", None, "remove"))
    equal("removed while it lasts", (run("SELECT package FROM packages"), run("SELECT package FROM piw.quarantines"),
                                     run("SELECT filename FROM piw.withheld"), run("SELECT filename FROM piw.removals")),
          ([("q",), ("new",)], [], [], [("p-1-py3-none-any.whl",)]))
    equal("its end is of no concern then", event(("p", None, "clear")), [])
    run("INSERT INTO piw.withheld VALUES ('p-1-py3-none-any.whl', 'p')")
    equal("what was noted while it was removed is never brought back", run("SELECT * FROM piw.withheld_due('', 10)"), [])
    run("SELECT piw.removals_done('{p-1-py3-none-any.whl}')")
    equal("and goes with it", run("SELECT * FROM piw.withheld"), [])


def test_schema(cluster):
    """Without schema piw it stays hidden; a new one goes on with it."""
    begin(cluster, "schema")
    cluster.sql("schema", apply([("p", None, "quarantine"), ("q", "1", "quarantine")], 2000002))
    cluster.sql("schema", "DROP SCHEMA piw CASCADE; SELECT skip_package('q', 'x'), skip_package('q', '')")
    equal("a stock database builds nothing of it", cluster.rows("schema", "SELECT * FROM builds_pending"), [])
    cluster.initdb("schema", "-y")
    equal("its files are out of reach again", cluster.rows("schema", "SELECT * FROM piw.withheld_due('', 10)"),
          [("p", "p-1-py3-none-any.whl", "t")])
    cluster.sql("schema", apply([("p", None, "clear"), ("q", "1", "clear")], 2000004))
    equal("adopted and cleared", state(cluster, "schema"), FREE)


def test_sources(cluster):
    """`remove file` of the last source."""
    begin(cluster, "sources")
    serial = 4000000

    def event(*events):
        nonlocal serial
        serial += len(events)
        cluster.sql("sources", apply(list(events), serial))
        return cluster.rows("sources", "SELECT version, skip FROM versions WHERE package = 'p' AND version <> '3' ORDER BY 1")

    equal("built", event(("p", "1", "unsource")), [("1", ""), ("2", "")])
    equal("not built", event(("p", "2", "unsource")), [("1", ""), ("2", "binary only")])
    equal("a new one", event(("p", "2", "source"), ("p", "2", "source")), [("1", ""), ("2", "")])
    equal("one of two", event(("p", "2", "unsource")), [("1", ""), ("2", "")])
    equal("the other", event(("p", "2", "unsource")), [("1", ""), ("2", "binary only")])


def test_lists(cluster):
    """The list before and after the events."""
    begin(cluster, "lists")
    compare = "SELECT package, change FROM piw.compare_projects({}, {}::bigint[], '', NULL, {}) ORDER BY 1, 2"
    cluster.sql("lists", "INSERT INTO piw.pypi_projects VALUES ('p'), ('q')")
    run = lambda text: cluster.rows("lists", text)  # noqa: E731
    both, one = compare.format("'{p,q}'", "'{11,12}'", 2), compare.format("'{q}'", "'{12}'", 1)
    equal("both are listed", run(both), [])
    equal("one has left", run(one), [("p", "hidden"), ("p", "left")])
    equal("it is still away", run(one), [("p", "left")])
    equal("hidden", state(cluster, "lists"), hidden(True, False))
    equal("then its event", run(apply([("p", None, "quarantine")], 2000001)), [])
    equal("an older list", run(both), [])
    newer = compare.format("'{p,q}'", "'{2000002,12}'", 2)
    equal("a list that knows of its end", run(newer), [("p", "shown")])
    equal("then its event", run(apply([("p", None, "clear")], 2000002)), [])
    equal("as before", state(cluster, "lists"), FREE)
    run(one)
    equal("the page says that it is there", run("SELECT package, change FROM piw.apply_project_pages('{}', '{p}')"),
          [("p", "shown")])
    run(one)
    run("SELECT piw.apply_project_pages('{q}', '{}')")
    equal("who didn't leave isn't deleted", state(cluster, "lists"), hidden(True, False))
    equal("there is no page", run("SELECT package, change FROM piw.apply_project_pages('{p}', '{}')"), [("p", "deleted")])
    equal("deleted", run("SELECT package FROM packages"), [("q",)])


# --- The whole farm ----------------------------------------------------------------------------------------------------

PACKAGE = "piwdemo-pure"
LISTS = [("/packages.json", f'"{PACKAGE}"'), ("/sitemap1.xml", f"/project/{PACKAGE}<")]
HIDDEN_S = 1  # after the event's turn, the latest


def wheels(farm):
    return sorted(path.name for path in (farm.www / "simple" / PACKAGE).glob("*.whl"))


def stored(farm):
    return farm.rows("SELECT (SELECT array_agg(build_id ORDER BY 1) FROM builds), (SELECT array_agg(filename || filehash) FROM files)")


def page(farm, path, headers=None):
    status, _, body = farm.get(path, headers)
    return status, body.decode()


def hidden_on_site(farm, names, project):
    """What is wrong with the site while these wheels are quarantined, alone or with their project; nothing."""
    wrong = [name for name in names if farm.get(f"/simple/{PACKAGE}/{name}")[0] != 404]
    wrong += [name for name in names if farm.get(f"/simple/{PACKAGE}/{name}.metadata")[0] != 404]
    wrong += [name for name in names if farm.get(f"/.quarantine/{PACKAGE}/{name}")[0] != 404]
    for path in (f"/simple/{PACKAGE}/index.html", f"/simple/{PACKAGE}/index.v1.json", f"/project/{PACKAGE}/index.html",
                 f"/project/{PACKAGE}/json/index.json"):
        status, text = page(farm, path)
        if status == 200 and any(name in text for name in names):
            wrong.append(path)
    if project:
        if f'href="{PACKAGE}/"' in page(farm, "/simple/index.html")[1]:
            wrong.append("the root list")
        if 'content="quarantined"' not in page(farm, f"/simple/{PACKAGE}/index.html")[1]:
            wrong.append("project-status")
        wrong += [path for path, text in LISTS if text in page(farm, path)[1]]
    return wrong


def shown_on_site(farm, digests):
    for name, digest in digests.items():
        status, _, body = farm.get(f"/simple/{PACKAGE}/{name}")
        if status != 200 or hashlib.sha256(body).hexdigest() != digest:
            return False
        if name not in page(farm, f"/simple/{PACKAGE}/index.html")[1] or farm.get(f"/simple/{PACKAGE}/{name}.metadata")[0] != 200:
            return False
    return f'href="{PACKAGE}/"' in page(farm, "/simple/index.html")[1] and all(text in page(farm, path)[1] for path, text in LISTS)


def skips(farm):
    return farm.rows(f"SELECT skip FROM packages WHERE package = '{PACKAGE}' UNION ALL (SELECT skip FROM versions "
                     f"WHERE package = '{PACKAGE}' ORDER BY version)")


def starved_s(farm):
    """How long the master's threads and this program waited for a processor: not the farm's fault, on a busy machine."""
    delays = 0
    for process in (farm.master.popen.pid, "self"):
        for path in pathlib.Path(f"/proc/{process}/task").glob("*/schedstat"):
            try:
                delays += int(path.read_text(encoding="ascii").split()[1])
            except (FileNotFoundError, ProcessLookupError):
                pass  # the thread has ended
    return delays / 1e9


def go_round(farm, name, words, project, kill=None):  # pylint: disable=too-many-arguments
    """Quarantine and its end; with kill, the master dies in between and another one goes on."""
    part = "" if project else f"-{words.split()[1]}-"
    digests = {one: hashlib.sha256((farm.www / "simple" / PACKAGE / one).read_bytes()).hexdigest()
               for one in wheels(farm) if part in one}
    before, skip = stored(farm), skips(farm)
    for word in ("quarantine", "clear"):
        if kill:
            farm.stop_process(farm.master)
            farm.start_master(faults=kill)
            farm.add_event(f"{word} {words}")
            farm.wait(f"{name}: the end of the master", lambda: not farm.master.running(), alive=False)
            farm.restart_master()
        else:
            farm.add_event(f"{word} {words}")
        if word == "quarantine":
            farm.wait(f"{name}: the event's turn", lambda: ["quarantined"] in skips(farm))
            began, starved = time.monotonic(), starved_s(farm)
            farm.wait(f"{name}: hidden", lambda: not hidden_on_site(farm, digests, project))
            took, bound = time.monotonic() - began, HIDDEN_S * farms.PATIENCE + starved_s(farm) - starved
            check(f"{name}: hidden within a second of its turn", took <= bound, f"it took {took:.2f} s of {bound:.2f}")
            equal(f"{name}: nothing is deleted", stored(farm), before)
            equal(f"{name}: nothing waits to be built", farm.rows(f"SELECT * FROM piw.queue WHERE package = '{PACKAGE}'"), [])
        else:
            farm.wait(f"{name}: shown", lambda: shown_on_site(farm, digests))
    equal(f"{name}: as it was, without a build", (stored(farm), skips(farm)), (before, skip))


def add_version(farm, version, kind):
    """One more, with a wheel of this kind."""
    backend = BACKEND.replace("piwtest-quick", PACKAGE).replace("piwtest_quick", PACKAGE.replace("-", "_"))
    backend = backend.replace("@VERSION@", version).replace("@SIZE@", str(KINDS[kind])).replace("@GATE@", "")
    farms.make_sdist(farm.dir / "pypi", PACKAGE, version, {"pyproject.toml": PYPROJECT, "backend.py": backend})


def test_log(farm):
    farm.wait("wheels of all versions", lambda: len(wheels(farm)) == len(skips(farm)) - 1 > 1, 120)
    farm.wait("their page", lambda: all(name in page(farm, f"/simple/{PACKAGE}/index.html")[1] for name in wheels(farm)))
    farm.wait("the root list", lambda: f'href="{PACKAGE}/"' in page(farm, "/simple/index.html")[1])
    farm.run([farm.program("piw-rebuild"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "-y", "search"])
    farm.wait("the search index and the sitemap", lambda: all(text in page(farm, path)[1] for path, text in LISTS))
    version = farm.value(f"SELECT min(version) FROM versions WHERE package = '{PACKAGE}'")
    go_round(farm, "project", PACKAGE, True)
    go_round(farm, "release", f"{PACKAGE} {version}", False)
    go_round(farm, "kill before files", PACKAGE, True, "juggler.withhold=kill")
    go_round(farm, "kill before pages", PACKAGE, True, "gazer.spread=kill")
    status, text = page(farm, f"/simple/{PACKAGE}/index.v1.json")
    check("no status of PEP 792 in the end", status != 200 or "project-status" not in json.loads(text))


def test_unplaced(farm):
    """A build is recorded, and its wheel isn't in its place yet when its package is quarantined."""
    for version, kind in (("2.0", "small"), ("2.1", "large")):
        name, wheel = f"unplaced {kind}", f"{PACKAGE.replace('-', '_')}-{version}-py3-none-any.whl"
        farm.stop_process(farm.master)
        farm.start_master(faults="driver.committed=kill")
        add_version(farm, version, kind)
        farm.wait(f"{name}: the end of the master", lambda: not farm.master.running(), alive=False)
        digest = farm.value(f"SELECT filehash FROM files WHERE filename = '{wheel}'")
        check(f"{name}: recorded and not in its place", digest and wheel not in wheels(farm), digest)
        farm.add_event(f"quarantine {PACKAGE}")
        farm.restart_master()
        away = farm.www / ".quarantine" / PACKAGE / wheel
        farm.wait(f"{name}: out of reach", away.exists)
        farm.wait(f"{name}: hidden", lambda one=wheel: not hidden_on_site(farm, [one], True))
        farm.add_event(f"clear {PACKAGE}")
        farm.wait(f"{name}: shown", lambda one=wheel, has=digest: shown_on_site(farm, {one: has}))
        check(f"{name}: hidden, and then as it was recorded", True)


def test_import(farm):
    """An operator's import of what is quarantined is refused, with a sentence."""
    farm.wait("wheels to import", lambda: len(wheels(farm)) == len(skips(farm)) - 1 > 1, 120)
    wheel = farm.dir / wheels(farm)[0]
    wheel.write_bytes((farm.www / "simple" / PACKAGE / wheel.name).read_bytes())
    wheel.chmod(0o644)
    before = stored(farm)
    farm.add_event(f"quarantine {PACKAGE}")
    farm.wait("hidden for an import", lambda: not hidden_on_site(farm, [wheel.name], True))
    done = farm.run([farm.program("piw-import"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "--file-queue",
                     farm.socket("file"), "-y", "--abi", farm.abi(), wheel], check=False)
    check("an import", done.returncode == 1 and "quarantined by PyPI" in done.stderr, f"{done.returncode}: {done.stderr}")
    equal("nothing came of it", (stored(farm), hidden_on_site(farm, [wheel.name], True)), (before, []))
    farm.add_event(f"clear {PACKAGE}")
    farm.wait("shown after an import", lambda: wheel.name in page(farm, f"/simple/{PACKAGE}/index.html")[1] and
              len(wheels(farm)) == len(skips(farm)) - 1)


def test_running(farm):
    """A build under way is thrown away; when it is free again, it is built."""
    farms.make_sdist(farm.dir / "pypi", "slow-one", "1.0", {
        "setup.py": "import os, time\nwhile not os.path.exists('%s'): time.sleep(0.1)\n"
                    "from setuptools import setup\nsetup(name='slow-one', version='1.0')\n" % (farm.dir / "tmp" / "go")})
    running = "SELECT 1 FROM piw.attempts WHERE package = 'slow-one' AND state = 'running'"
    farm.wait("a build under way", lambda: farm.rows(running))
    farm.add_event("quarantine slow-one")
    farm.wait("its end", lambda: not farm.rows(running))
    equal("nothing was recorded", farm.rows("SELECT 1 FROM builds WHERE package = 'slow-one'"), [])
    (farm.dir / "tmp" / "go").touch()
    farm.add_event("clear slow-one")
    farm.wait("a build after all", lambda: farm.rows("SELECT 1 FROM builds WHERE package = 'slow-one' AND status"))


def test_built_again(farm):
    """Builds are removed while their wheels are out of reach, and made again before those bytes are due for removal."""
    farm.stop_process(farm.master)
    farm.site_options["linger"] = "1h"
    farm.restart_master()
    place, away = farm.www / "simple" / "slow-one", farm.www / ".quarantine" / "slow-one"
    farm.wait("a wheel in its place", lambda: [*place.glob("*.whl.metadata")])
    farm.add_event("quarantine slow-one")
    out = "SELECT coalesce(bool_and(away), false) FROM piw.withheld WHERE package = 'slow-one'"
    farm.wait("the wheel out of reach", lambda: farm.value(out) == "t")
    check("with its metadata", [*away.glob("*.whl.metadata")] and not [*place.glob("*.whl*")])
    farm.run([farm.program("piw-remove"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "-y", "--builds",
              "slow-one", "1.0"])
    farm.add_event("clear slow-one")
    farm.wait("it is built again", lambda: [*place.glob("*.whl.metadata")])
    equal("nothing of the former wheel is left", [*away.glob("*")], [])
    farm.stop_process(farm.master)
    farm.site_options["linger"] = 0
    farm.restart_master()


def test_actions(farm):
    """Actions with references in them; the fault's own seconds."""
    farm.add_event(f"say {PACKAGE} - project&#32;quarantined")
    farm.wait("an action with a reference", lambda: ["quarantined"] in skips(farm))
    farm.add_event(f"say {PACKAGE} - project quarantine&#x20;cleared")
    farm.wait("and its end", lambda: ["quarantined"] not in skips(farm))
    start = len(farm.master.text())
    farm.add_event("limit 15")
    farm.wait_log(farm.master, r"trying again in 1[2345] s: .*Limit may reset in \d+ seconds", start=start)


def test_list(farm):
    """follow = json: the list, the documents, the pages."""
    farm.stop_process(farm.master)
    farm.master_options = ["--follow", "json"]
    farm.start_master()
    farm.wait("shown to begin with", lambda: wheels(farm) and wheels(farm)[0] in page(farm, f"/simple/{PACKAGE}/index.html")[1])
    version = farm.value(f"SELECT min(version) FROM versions WHERE package = '{PACKAGE}'")
    go_round(farm, "json project", PACKAGE, True)
    go_round(farm, "json release", f"{PACKAGE} {version}", False)
    go_round(farm, "json kill", PACKAGE, True, "gazer.spread=kill")
    names = wheels(farm)
    farm.add_event(f"quarantine {PACKAGE}")
    farm.wait("hidden before its removal", lambda: not hidden_on_site(farm, names, True))
    farm.add_event(f"remove {PACKAGE}")
    farm.add_event("remove slow-one")
    farm.wait("what left the list and has no page", lambda: not farm.rows("SELECT 1 FROM packages WHERE package = 'slow-one'"))
    farm.wait("its files", lambda: not (farm.www / "simple" / "slow-one").exists())


def main():
    with Cluster() as cluster:
        for test in (test_orders, test_meanwhile, test_schema, test_sources, test_lists):
            if sys.argv[1:] and test.__name__ not in sys.argv[1:]:
                continue
            try:
                test(cluster)
            except SqlError as error:
                check(test.__name__, False, error)
    with farms.Farm() as farm:
        farm.slave_options = ["--sandbox", "no"]  # a build waits for a file of the test
        farm.task_options["cloud_gazer"] = {"poll": "200ms", "poll-list": "200ms"}
        farm.task_options["the_secretary"] = {"hold": "200ms"}
        farm.task_options["file_juggler"] = {"removals-every": "1s"}
        farm.site_options["linger"] = 0
        farm.add_samples(PACKAGE)
        add_version(farm, "1.2", "large")
        farm.start()
        return score.run([test_log, test_unplaced, test_import, test_running, test_built_again, test_actions, test_list], farm)


if __name__ == "__main__":
    sys.exit(main())
