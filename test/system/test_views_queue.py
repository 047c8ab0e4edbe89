#!/usr/bin/python3
"""Views, the farm's kinds of machine: which one a slave is of, what waits for each, what a build for one does for the others,
what a view doesn't want. A new view is filled while the farm works; without views, all is as it was before the first.

TEST-TIMEOUT: 120
"""

import datetime
import shutil
import subprocess
import sys

import client
import farm as farms
import score
import wheels
import wire
from score import check, equal
from test_metrics import promtool, Shown

COMMON, ARM, TRIXIE = "bookworm-amd64", "bookworm-arm64", "trixie-amd64"
VIEWS = {COMMON: {"abi": "cp311", "platform": "linux_x86_64", "os_name": "debian", "os_version": "12"},
         ARM: {"abi": "cp311", "platform": "linux_aarch64", "os_name": "debian, raspbian", "os_version": "12"},
         TRIXIE: {"abi": "cp313", "platform": "linux_x86_64", "os_version": "13"}}
LIKED = "liked"
GB = 1 << 30
HASH = "0" * 64


class Slave:
    """One of stock's, of any machine."""

    def __init__(self, farm, label, abi, platform, os_name="Debian GNU/Linux", os_version="12 (bookworm)"):
        self.asker = client.Asker(farm.socket("slave"))
        minutes = datetime.timedelta(minutes=5)
        answer = self.asker.ask(["HELLO", [minutes, minutes, "311", abi, platform, label, os_name, os_version, "", ""]])
        if answer[0] != "ACK":
            raise farms.Failure(f"the answer to HELLO is {answer}")
        self.number = answer[1][0]

    def idle(self):
        """(package, version), or None."""
        now = datetime.datetime.now(datetime.timezone.utc)
        answer = self.asker.ask(["IDLE", [now, 200 * GB, 100 * GB, 8 * GB, 4 * GB, 0, 0, 1.0, 40.0]])
        return tuple(answer[1]) if answer[0] == "BUILD" else None

    def next(self, farm):
        return farm.wait("a build to be given out", self.idle)

    def fails(self):
        self.asker.ask(["BUILT", [False, datetime.timedelta(seconds=1), "error: it is broken", []]])

    def close(self):
        self.asker.tell(wire.cbor_encode("BYE"))
        self.asker.close()


def ctl(farm, *words):
    return farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), *words],
                    check=False)


def says(farm, name, *words, has=(), lacks=()):
    done = ctl(farm, *words)
    said = done.stdout + done.stderr
    check(name, all(text in said for text in has) and not any(text in said for text in lacks), said)


def add(farm, package, *versions):
    farm.psql(f"INSERT INTO packages (package) VALUES ('{package}') ON CONFLICT DO NOTHING; "
              + "".join(f"INSERT INTO versions (package, version) VALUES ('{package}', '{v}'); " for v in versions)
              + "SELECT piw.drain(); NOTIFY piw_queue")


def waits(farm, package, version="1.0"):
    return [row[0] for row in farm.rows(
        f"SELECT abi_tag FROM piw.queue WHERE package = '{package}' AND version = '{version}' ORDER BY 1")]


def offer(farm, wheel):
    """PyPI has it."""
    (farm.folder("elsewhere") / wheel).write_bytes(wheels.make(wheel))
    farm.add_sdist(farm.dir / "elsewhere" / wheel)


def record(farm, number, queue, package, tags, version="1.0", digest=HASH):
    """A build that came to a wheel of these tags, as the master records it. The names that stay as they were."""
    py, abi, platform = tags
    name = f"{package}-{version}-{py}-{abi}-{platform}.whl"
    return farm.rows(
        f"SELECT r.recorded, r.why, r.kept FROM piw.record_builds('{{{number}}}', '{{1}}', '{{{package}}}', '{{{version}}}', "
        f"'{{{queue}}}', '{{true}}', '{{1000000}}', '{{1}}', '{{{name}}}', '{{100}}', '{{{digest}}}', '{{{package}}}', "
        f"'{{{version}}}', '{{{py}}}', '{{{abi}}}', '{{{platform}}}', '{{NULL}}', ARRAY[''], '{{NULL}}', '{{1}}', '{{apt}}', "
        "'{libc6}') r; SELECT piw.drain(); NOTIFY piw_queue")[0]


def sane(farm, name):
    equal(f"{name}: what waits is what is wanted", farm.rows("SELECT * FROM piw.check_queue() UNION ALL SELECT t.abi_tag, '', "
                                                             "has::text, wants::text FROM piw.check_totals() t"), [])


def test_before(farm):
    """A farm without views has its first versions."""
    add(farm, "early", "1.0")
    equal("before.one queue", waits(farm, "early"), ["cp311"])


def test_fit(farm, slaves):
    farm.wait("the refill", lambda: farm.value("SELECT count(*) FROM piw.refills") == "0")
    equal("fit.the first views are filled with what is there", waits(farm, "early"), [ARM, "cp311", TRIXIE])
    slaves[COMMON] = Slave(farm, "common", "cp311", "linux_x86_64")
    slaves[ARM] = Slave(farm, "arm", "cp311", "linux_aarch64", "Raspbian GNU/Linux", "12.5 (bookworm)")
    slaves[TRIXIE] = Slave(farm, "trixie", "cp313", "linux_x86_64", "debian", "13 (trixie)")
    none = Slave(farm, "bullseye", "cp311", "linux_x86_64", "Debian GNU/Linux", "11 (bullseye)")
    equal("fit.no view has no work", none.idle(), None)
    says(farm, "fit.and is listed as such", "slaves", has=["VIEW", "none", ARM, TRIXIE, COMMON])
    for view in VIEWS:
        equal(f"fit.{view} has work", slaves[view].next(farm), ("early", "1.0"))
    equal("fit.each by its queue", farm.wait("the attempts", lambda: (
        found := farm.rows("SELECT abi_tag FROM piw.attempts WHERE state = 'running' ORDER BY 1")) and len(found) == 3 and found),
          [[ARM], ["cp311"], [TRIXIE]])
    return none


def test_figures(farm, shown):
    """Prometheus is told the view beside the ABI; what stock's monitors see goes by the queue's name."""
    for view, options in VIEWS.items():
        shown.comes(f"figures.{view}", "piwheels_slaves", 1, abi=options["abi"], view=view, state="building")
        shown.comes(f"figures.{view}'s queue", "piwheels_queue_builds", 0, abi=options["abi"], view=view)
    shown.comes("figures.one that fits none", "piwheels_slaves", 1, abi="cp311", view="none", state="idle")
    said = shown.get()[1]
    equal("figures.the form", promtool("check", "metrics", text=said) if shutil.which("promtool") else "", "")
    equal("figures.no sample is without a view", [line for line in said.splitlines() if 'abi="' in line and 'view="' not in line], [])


def test_failures(farm, slaves):
    """A build that failed stands for its own view alone."""
    slaves[ARM].fails()
    farm.wait("the build", lambda: farm.value("SELECT count(*) FROM piw.view_builds") == "1")
    equal("failures.not among stock's", farm.value("SELECT count(*) FROM builds"), "0")
    slaves[COMMON].fails()
    farm.wait("the build", lambda: farm.value("SELECT count(*) FROM builds WHERE abi_tag = 'cp311'") == "1")
    slaves[TRIXIE].fails()
    farm.wait("the queue", lambda: not waits(farm, "early"))
    says(farm, "failures.the newest builds", "builds", has=[ARM, TRIXIE, "cp311", "early"])
    says(farm, "failures.tried again", "retry", "early", has=["failed builds deleted: 3"])
    farm.wait("the queue", lambda: len(waits(farm, "early")) == 3)
    sane(farm, "failures")


def test_coverage(farm):
    """What a wheel of one view does for the others."""
    add(farm, "pure", "1.0")
    record(farm, 1001, "cp311", "pure", ("py3", "none", "any"))
    equal("coverage.a pure wheel does for all", waits(farm, "pure"), [])
    add(farm, "other", "1.0")
    record(farm, 1002, TRIXIE, "other", ("py3", "none", "any"))
    equal("coverage.but the common index has its own", waits(farm, "other"), ["cp311"])
    add(farm, "native", "1.0")
    record(farm, 1003, "cp311", "native", ("cp311", "cp311", "linux_x86_64"))
    equal("coverage.another ABI, another platform", waits(farm, "native"), [ARM, TRIXIE])
    add(farm, "stable", "1.0")
    record(farm, 1004, "cp311", "stable", ("cp311", "abi3", "linux_x86_64"))
    equal("coverage.its libraries aren't known", waits(farm, "stable"), [ARM, TRIXIE])
    farm.psql("INSERT INTO piw.file_needs VALUES ('', 'stable-1.0-cp311-abi3-linux_x86_64.whl', '{libc.so.6,GLIBC_2.36}'); "
              f"INSERT INTO piw.view_has VALUES ('{TRIXIE}', 'libc.so.6'); "
              "SELECT piw.note('{stable}', '{1.0}'); SELECT piw.drain()")
    equal("coverage.a symbol version isn't there", waits(farm, "stable"), [ARM, TRIXIE])
    farm.psql(f"INSERT INTO piw.view_has VALUES ('{TRIXIE}', 'GLIBC_2.36'); SELECT piw.note('{{stable}}', '{{1.0}}'); "
              "SELECT piw.drain()")
    equal("coverage.all that it needs is there", waits(farm, "stable"), [ARM])
    equal("coverage.what the operator says stands for what slaves showed", farm.rows(
        f"BEGIN; UPDATE piw.views SET libraries = '{{libssl.so.3}}' WHERE view = '{TRIXIE}'; SELECT piw.view_words('{TRIXIE}'); "
        "ROLLBACK")[0], ["{libssl.so.3}"])
    sane(farm, "coverage")


def test_older(farm):
    """A wheel from before there were views: what it may cover waits until it is read."""
    tags, name = ("cp311", "abi3", "linux_x86_64"), "older-1.0-cp311-abi3-linux_x86_64.whl"
    farm.wait("the end of the first pass", lambda: farm.value("SELECT done FROM piw.needs_pass") == "t")
    farm.psql("UPDATE piw.needs_pass SET done = false, after = 'nothing-before'")
    add(farm, "older", "1.0")
    record(farm, 1030, "cp311", "older", tags)
    equal("older.not built too soon", waits(farm, "older"), [ARM])
    sane(farm, "older")

    def read(needs):
        farm.psql("UPDATE piw.needs_pass SET done = false, after = 'nothing-before'; DELETE FROM piw.file_needs WHERE filename = "
                  f"'{name}'")
        equal("older.due", farm.rows("SELECT filename, upto FROM piw.needs_due(20) WHERE filename = '" + name + "' OR filename IS NULL"),
              [[name, ""], ["", ""]])
        farm.psql(f"SELECT piw.needs_read('{{{name}}}', '{{{HASH}}}', ARRAY[{needs}]::text[], NULL); SELECT piw.drain()")
    read("'GLIBC_2.36 libc.so.6'")
    equal("older.it has all", waits(farm, "older"), [ARM])
    read("'GLIBC_2.99'")
    equal("older.a version isn't there", waits(farm, "older"), [ARM, TRIXIE])
    read("NULL")
    equal("older.nobody knows", waits(farm, "older"), [ARM, TRIXIE])
    sane(farm, "older read")


def test_names(farm):
    """A name has one meaning within a view; published bytes stay."""
    tags, name = ("cp311", "cp311", "linux_aarch64"), "twice-1.0-cp311-cp311-linux_aarch64.whl"
    add(farm, "twice", "1.0")
    equal("names.recorded", record(farm, 1010, ARM, "twice", tags), ["t", "", "{}"])
    equal("names.other bytes are not", record(farm, 1011, ARM, "twice", tags, digest="1" * 64), ["t", "", f"{{{name}}}"])
    equal("names.of another view are", record(farm, 1012, "cp311", "twice", tags, digest="2" * 64), ["t", "", "{}"])
    equal("names.two meanings", farm.rows(
        f"SELECT view, left(filehash, 1) FROM piw.view_files WHERE filename = '{name}' UNION ALL "
        f"SELECT '', left(filehash, 1) FROM files WHERE filename = '{name}' ORDER BY 1"), [["", "2"], [ARM, "0"]])
    # What the index leads to is its meaning, too.
    pure, light = ("py3", "none", "any"), "light-1.0-py3-none-any.whl"
    add(farm, "light", "1.0")
    leads = "SELECT view, home FROM piw.view_links('{light}') WHERE view = '" + ARM + "'"
    equal("names.a pure one", record(farm, 1014, TRIXIE, "light", pure), ["t", "", "{}"])
    equal("names.the index leads to it", farm.rows(leads), [[ARM, TRIXIE]])
    equal("names.an own one with other bytes is not", record(farm, 1015, ARM, "light", pure, digest="1" * 64), ["t", "", f"{{{light}}}"])
    equal("names.the common index has its own", record(farm, 1016, "cp311", "light", pure, digest="2" * 64), ["t", "", "{}"])
    equal("names.where the link leads stays", farm.rows(leads), [[ARM, TRIXIE]])
    equal("names.the same bytes are its own", record(farm, 1017, ARM, "light", pure)[2], "{}")
    equal("names.a number is recorded once", record(farm, 1010, ARM, "twice", tags)[:2],
          ["f", "a build of this number is recorded already"])
    equal("names.no such view", record(farm, 1013, "no-such", "twice", tags)[:2], ["f", "the farm has no such view any more"])


def test_removal(farm):
    farm.psql("DELETE FROM versions WHERE package = 'twice'; SELECT piw.drain()")
    equal("removal.its rows go with the version", farm.rows(
        "SELECT count(*) FROM piw.view_builds WHERE package = 'twice' UNION ALL SELECT count(*) FROM piw.view_files "
        "WHERE package_tag = 'twice'"), [["0"], ["0"]])
    equal("removal.and its bytes later", farm.rows("SELECT view, filename FROM piw.view_removals"),
          [[ARM, "twice-1.0-cp311-cp311-linux_aarch64.whl"]])


def test_policy(farm):
    add(farm, "rules", "1.0", "2.0rc1", "2.0", "3.0")
    equal("policy.a pre-release", waits(farm, "rules", "2.0rc1"), ["cp311", TRIXIE])
    equal("policy.the newest two", [waits(farm, "rules", v) for v in ("1.0", "2.0", "3.0")],
          [["cp311", TRIXIE], [ARM, "cp311", TRIXIE], [ARM, "cp311", TRIXIE]])
    add(farm, "rules", "4.0")
    equal("policy.a newer one takes its place", [waits(farm, "rules", v) for v in ("2.0", "3.0", "4.0")],
          [["cp311", TRIXIE], [ARM, "cp311", TRIXIE], [ARM, "cp311", TRIXIE]])
    for name in ("rules-4.0-cp313-cp313-manylinux_2_17_x86_64.whl", "rules-3.0-py3-none-any.whl"):
        offer(farm, name)
    # Nobody need be asking for its page just now, or it was read before they came: it is said until it counts. Whoever reads it later finds
    # the same.
    known = "SELECT piw.keep_pypi_wheels('rules', '{4.0,3.0}', '{cp313-cp313-manylinux_2_17_x86_64,py3-none-any}'); SELECT piw.drain()"
    check("policy.PyPI has a wheel for such machines",
          farm.wait("the queue", lambda: (farm.psql(known), waits(farm, "rules", "4.0") == [ARM, "cp311"])[1]))
    check("policy.PyPI has one for all", farm.wait("the queue", lambda: waits(farm, "rules", "3.0") == ["cp311"]))
    sane(farm, "policy")
    farm.psql("INSERT INTO piw.package_downloads VALUES ('liked', 400, 400)")
    add(farm, "liked", "1.0")
    equal("policy.not popular enough there", waits(farm, "liked"), [ARM, "cp311", TRIXIE])
    farm.psql(f"SELECT piw.count_view_downloads('{{{LIKED}}}', '{{liked}}', ARRAY[current_date], '{{200}}'); SELECT piw.drain(500)")
    check("policy.now it is", farm.wait("the queue", lambda: waits(farm, "liked") == [ARM, "cp311", LIKED, TRIXIE]))
    says(farm, "policy.why names the rule", "why", "rules", "2.0rc1", has=[f"{ARM}: not built: stable_only: it is a pre-release",
                                                                         f"{TRIXIE}: waits for a slave", "cp311: waits for a slave"])
    says(farm, "policy.and PyPI's wheel", "why", "rules", "4.0", has=["skip_pypi_wheels: PyPI has a wheel for this kind of machine"])
    says(farm, "policy.and what another view built", "why", "pure", "1.0",
         has=["cp311: built, build 1001", f"{ARM}: built, build 1001", f"{TRIXIE}: built, build 1001"])


def test_pypi(farm):
    """What PyPI's page says of wheels."""
    offer(farm, "bothkinds-1.0-py3-none-any.whl")
    farms.make_sdist(farm.folder("pypi"), "bothkinds", "1.0", {"setup.py": "import setuptools; setuptools.setup()"})
    check("pypi.its wheels are known", farm.wait("the wheel on its page", lambda: farm.rows("SELECT version, tags FROM piw.pypi_wheels WHERE package = 'bothkinds'")
                                                 == [["1.0", "{py3-none-any}"]]))
    check("pypi.only the common view builds it", farm.wait("the queue", lambda: waits(farm, "bothkinds") == ["cp311"]))


def test_commands(farm):
    says(farm, "commands.list", "view", "list", has=["; the common view", ARM, TRIXIE, "cp313", "linux_aarch64"])
    farm.psql(f"DELETE FROM piw.queue WHERE abi_tag = '{TRIXIE}'; SELECT piw.recount_queue()")
    says(farm, "commands.fill", "view", "fill", TRIXIE, has=["all versions are looked at again"])
    farm.wait("the queue", lambda: not farm.rows("SELECT * FROM piw.check_queue()")
              and farm.value("SELECT count(*) FROM piw.refills") == "0")
    says(farm, "commands.fill unknown", "view", "fill", "nosuch", has=["the farm has no view nosuch"])
    says(farm, "commands.drop what is there", "view", "drop", TRIXIE, has=["take the section away"])
    says(farm, "commands.queues", "queue", has=["VIEW", COMMON, ARM, TRIXIE])
    for view in (COMMON, TRIXIE):
        says(farm, f"commands.queue {view}", "queue", view, has=["PLACE"], lacks=["doesn't build for"])
    says(farm, "commands.drop the common view", "view", "drop", COMMON, has=["is the common view"])
    says(farm, "commands.usage", "view", "fill", has=["the command is"])


def test_reread(farm):
    """Sections of views are what they were at the master's start, and a changed one is named."""
    kept, farm.views = farm.views, {name: dict(options) for name, options in farm.views.items() if name != LIKED}
    farm.views[TRIXIE]["newest"] = "5"
    farm.configuration()
    says(farm, "reread.what waits for the next start", "reread",
         has=[f"{key} in [view:{view}] takes effect when the master is restarted" for key, view in
              (("newest", TRIXIE), ("abi", LIKED), ("popular", LIKED))], lacks=[ARM, f"skip_pypi_wheels in [view:{TRIXIE}]"])
    says(farm, "reread.what is in force", "config", has=[f"view:{TRIXIE}.skip_pypi_wheels", f"view:{LIKED}.popular"],
         lacks=[f"view:{TRIXIE}.newest"])
    farm.views = kept
    farm.configuration()


def test_import(farm):
    """What was built elsewhere is for the view that is named."""
    add(farm, "brought", "1.0")
    names = ["brought-1.0-cp313-cp313-linux_x86_64.whl", "brought-1.0-cp311-cp311-linux_aarch64.whl"]
    for name in names:
        (farm.folder("elsewhere") / name).write_bytes(wheels.make(name))

    def bring(view, name):
        done = farm.run([farm.program("piw-import"), "-c", farm.configuration(), "-y", "--import-queue", farm.socket("import"),
                         "--file-queue", farm.socket("file"), "--view", view, farm.dir / "elsewhere" / name], check=False)
        return done.stdout + done.stderr
    check("import.is refused for another platform", "none of the platforms of view" in (said := bring(TRIXIE, names[1])), said)
    check("import.for no view", "the farm has no view nosuch" in (said := bring("nosuch", names[0])), said)
    check("import.for a view", "was imported" in (said := bring(TRIXIE, names[0])), said)
    equal("import.is recorded", farm.rows("SELECT b.view, b.built_by, f.filename FROM piw.view_builds b JOIN piw.view_files f "
                                          "USING (build_id) WHERE b.package = 'brought'"), [[TRIXIE, "0", names[0]]])
    check("import.does for its view", farm.wait("the queue", lambda: waits(farm, "brought") == [ARM, "cp311"]))


def test_gone(farm):
    """Two views go: nothing waits for them, their builds stay until an operator says otherwise, and the common view is as it was."""
    record(farm, 1020, TRIXIE, "rules", ("cp313", "cp313", "linux_x86_64"), version="2.0")
    record(farm, 1021, ARM, "rules", ("cp311", "cp311", "linux_aarch64"), version="3.0")
    before = farm.rows("SELECT package, version FROM piw.queue WHERE abi_tag = 'cp311' ORDER BY 1, 2")
    farm.stop_process(farm.master)
    farm.views = {COMMON: VIEWS[COMMON]}
    farm.start_master()
    farm.wait("the queue", lambda: farm.rows("SELECT DISTINCT abi_tag FROM piw.queue") == [["cp311"]])
    equal("gone.the common view's queue stays", farm.rows("SELECT package, version FROM piw.queue ORDER BY 1, 2"), before)
    record(farm, 1022, LIKED, "rules", ("cp311", "cp311", "linux_armv7l"), version="3.0")
    equal("gone.a build for it is none for an ABI", farm.value("SELECT count(*) FROM builds WHERE build_id = 1022"), "0")
    says(farm, "gone.what is left is listed", "view", "list", has=[TRIXIE, "gone from the configuration"])
    says(farm, "gone.drop", "view", "drop", TRIXIE, has=["is deleted, in slices: "])
    farm.wait("its end", lambda: farm.value(f"SELECT count(*) FROM piw.view_builds WHERE view = '{TRIXIE}'") == "0")
    check("gone.its bytes follow", ["rules-2.0-cp313-cp313-linux_x86_64.whl"] in farm.rows(
        f"SELECT filename FROM piw.view_removals WHERE view = '{TRIXIE}'"))
    says(farm, "gone.once", "view", "drop", TRIXIE, has=[f"the farm has no view {TRIXIE}"])
    sane(farm, "gone")
    farm.stop_process(farm.master)
    farm.views = {ARM: VIEWS[ARM]}
    done = farm.run(farm.master_args(), check=False)
    check("gone.one with builds can't become the common one", done.returncode != 0 and "can't become the common one" in done.stderr,
          done.stderr)


def refused(farm, name, why, **views):
    """A configuration that the master doesn't take."""
    kept, farm.views = farm.views, {name: {"abi": "cp311", "platform": "linux_x86_64", **views} for name, views in views.items()}
    done = farm.run([*farm.master_args(), "--check-config"], check=False)
    farm.views = kept
    farm.configuration()
    check(f"refused.{name}", done.returncode != 0 and why in done.stderr, done.stdout + done.stderr)


def main():
    with farms.Farm() as farm:
        try:
            shown = Shown(farm)
            farm.task_options["metrics"] = {"listen": f"127.0.0.1:{shown.port}", "every": "200ms"}
            farm.prepare()
            farm.start_postgres()
            farm.create_database(abis=["cp311"])
            farm.start_pypi()
            farm.start_master()
            test_before(farm)
            farm.views = {name: dict(options) for name, options in VIEWS.items()}
            farm.views[ARM].update(stable_only="yes", newest="2")
            farm.views[TRIXIE].update(skip_pypi_wheels="yes")
            farm.views[LIKED] = {"abi": "cp311", "platform": "linux_armv7l", "popular": "200"}
            farm.stop_process(farm.master)
            farm.start_master()
            slaves = {}
            none = test_fit(farm, slaves)
            test_figures(farm, shown)
            none.close()
            test_failures(farm, slaves)
            for slave in slaves.values():
                slave.close()
            for test in (test_coverage, test_older, test_names, test_removal, test_policy, test_pypi, test_commands, test_reread, test_import):
                test(farm)
            refused(farm, "simple", "the site uses this name itself", simple={})
            refused(farm, "wrong", "unknown key 'abis'", wrong={"abis": "cp311"})
            test_gone(farm)
        except (farms.Failure, subprocess.SubprocessError) as error:
            check("the farm", False, error)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
