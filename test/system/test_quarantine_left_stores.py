#!/usr/bin/python3
"""As test_quarantine_left, of what operators import: builds of several wheels, one of which has a second name that is a link, in the
common store and in a view's. What is quarantined before it is in its place never comes to its address, whenever masters are killed.

TEST-TIMEOUT: 300
"""

import contextlib
import subprocess
import sys

import farm as farms
import score
from score import check, equal
from test_import import Importer, make, Office
import wheels

COMMON, VIEW = "elsewhere", "bookworm-armhf"
ABIS = {COMMON: "cp39", VIEW: "cp311"}
VERSION = "1.0"
FAULTS = ("juggler.rename=kill", "juggler.rename=kill:2", "juggler.metadata=kill")


class Build:
    """A build of a package of its own: two wheels, and a third name."""

    def __init__(self, farm, store, package):
        self.farm, self.store, self.package = farm, store, package
        stem = f"{package}-{VERSION}-{ABIS[store]}"
        self.sent = {**make(f"{stem}-{ABIS[store]}-linux_armv7l.whl"), **make(f"{stem}-none-any.whl")}
        v7 = f"{stem}-{ABIS[store]}-linux_armv7l.whl"
        self.wanted = {**self.sent, v7.replace("armv7l", "armv6l"): self.sent[v7]}
        home = farm.www if store == COMMON else farm.www / store
        self.places = home / "simple" / package
        self.away = home / ".quarantine" / package
        self.table = "piw.withheld" if store == COMMON else "piw.view_withheld"
        office = Office(farm)
        office.addpkg(package)
        office.addver(package, VERSION)

    def bring(self):
        """Until the master dies."""
        with contextlib.closing(Importer(self.farm, self.package, VERSION, self.sent, abi=ABIS[COMMON] if self.store == COMMON else VIEW)) as importer:
            said = importer.begin()
            for last in [False] * (len(self.sent) - 1) + [True]:
                importer.transfer(self.sent[said.removeprefix("SEND ")])
                importer.tell("SENT")
                said = "" if last else importer.hear()
            wait_killed(self.farm)
        table = "builds" if self.store == COMMON else "piw.view_builds"
        equal(f"{self.package}.recorded", self.farm.value(f"SELECT count(*) FROM {table} WHERE package = '{self.package}'"), "1")

    def quarantine(self):
        self.farm.psql(f"SELECT piw.hide('{{{self.package}}}', NULL, '{{0}}', 'event')")

    def show(self):
        self.farm.psql(f"SELECT piw.show('{{{self.package}}}', NULL)")

    def known_away(self):
        return self.farm.rows(f"SELECT filename FROM {self.table} WHERE package = '{self.package}' AND away ORDER BY 1")

    def pages(self):
        """What its pages say."""
        return "".join(path.read_text("utf-8") for path in self.places.glob("index.*"))

    def check_hidden(self, name):
        names = sorted(self.wanted)
        self.farm.wait(f"{name}: out of reach", lambda: not self.farm.staged() and self.known_away() == [[one] for one in names])
        equal(f"{name}.nothing is at its address", [path.name for path in self.places.glob("*.whl*")], [])
        equal(f"{name}.it lies out of reach, with METADATA", sorted(path.name for path in self.away.glob("*")),
              sorted([*names, *(f"{one}.metadata" for one in names)]))
        check(f"{name}.is on no page", not any(one in self.pages() for one in names))

    def check_shown(self, name):
        self.farm.wait(f"{name}: the database to know", lambda: not self.farm.rows(
            f"SELECT 1 FROM {self.table} WHERE package = '{self.package}'"))
        digests = {one: wheels.sha256(data) for one, data in self.wanted.items()}
        self.farm.wait(f"{name}: on its pages", lambda: all(f"{one}#sha256={digest}" in self.pages() for one, digest in digests.items()))
        equal(f"{name}.has its bytes", {path.name: wheels.sha256(path.read_bytes()) for path in self.places.glob("*.whl")}, digests)
        equal(f"{name}.the second name is a link", [path.name for path in self.places.glob("*.whl") if path.is_symlink()],
              [one for one in digests if "armv6l" in one])
        equal(f"{name}.and METADATA", sorted(path.name for path in self.places.glob("*.metadata")), sorted(f"{one}.metadata" for one in digests))
        check(f"{name}.nothing is left out of reach", not self.away.exists())


def wait_killed(farm):
    master = farm.master
    master.expected_end = True
    farm.wait("the master's death", lambda: not master.running())


def test_kills(farm, store):
    for number, fault in enumerate(FAULTS):
        name = f"{store}.{fault}"
        build = Build(farm, store, f"gold{store[0]}{number}")
        farm.stop_process(farm.master)
        farm.start_master(faults=fault)
        build.bring()
        build.quarantine()
        farm.restart_master()
        build.check_hidden(name)
        build.show()
        build.check_shown(name)


def test_killed_again(farm, store):
    """Another master is killed between the first wheel and the second: the one is staged, the other out of reach."""
    name = f"{store}.again"
    build = Build(farm, store, f"gold{store[0]}again")
    farm.stop_process(farm.master)
    farm.start_master(faults="juggler.rename=kill")
    build.bring()
    build.quarantine()
    farm.stop_process(farm.master)
    with contextlib.suppress(farms.Failure):  # it may die before it says that it is ready
        farm.start_master(faults="juggler.rename=kill:2")
    wait_killed(farm)
    equal(f"{name}.nothing is at its address", [path.name for path in build.places.glob("*.whl*")], [])
    equal(f"{name}.one has come out of reach", len([*build.away.glob("*.whl")]), 1)
    farm.restart_master()
    build.check_hidden(name)
    build.show()
    build.check_shown(name)


def test_apart(farm, store):
    """The wheel is in its place and its second name staged, and no look helps: the link has its METADATA all the same."""
    name = f"{store}.apart"
    build = Build(farm, store, f"gold{store[0]}apart")
    farm.stop_process(farm.master)
    farm.start_master(faults="juggler.rename=kill")
    build.bring()
    [staged] = (farm.www / ".staging").glob("*/*armv7l.whl")
    build.places.mkdir(parents=True, exist_ok=True)
    staged.rename(build.places / staged.name)
    for path in (build.places.parent, build.places):
        farm.own(path)
    build.quarantine()
    farm.restart_master(faults="juggler.withhold=error/1")
    build.check_hidden(name)
    farm.stop_process(farm.master)
    farm.start_master()
    build.show()
    build.check_shown(name)


def main():
    with farms.Farm() as farm:
        try:
            farm.task_options["file_juggler"] = {"removals-every": "500ms"}
            farm.views = {view: {"abi": abi, "platform": "linux_armv7l, linux_armv6l"} for view, abi in ABIS.items()}
            farm.prepare()
            farm.start_postgres()
            farm.create_database(abis=["cp39"])
            farm.start_master()
            for store in ABIS:
                for test in (test_kills, test_killed_again, test_apart):
                    test(farm, store)
        except (farms.Failure, subprocess.SubprocessError, OSError, KeyError) as error:
            check("the farm", False, repr(error))
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
