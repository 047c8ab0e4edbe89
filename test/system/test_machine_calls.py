#!/usr/bin/python3
"""The master's calls to the kernel that open, write, sync, rename, make or change what lies below the site fail once each, with an
error of the disk and with a full one (which takes half of what is written first): those of one build's whole way, from its first
piece to its pages, with a small wheel and with a large one, and of one that fails. Each time the build comes to its end, and the site is whole and agrees with the database.

TEST-TIMEOUT: 600
"""

import collections
import contextlib
import errno
import itertools
import struct
import sys

import machine
import score
from machine import farms, loads
from score import check

OFF, LIST, FAIL = range(3)
KEY = 512
BUILDS = {"small": ("good",), "large": ("good", "--file-size", "80K"), "failed": ("failed", "--fail-percent", "100")}  # how each ends, and a load of it
LISTS = 2
TURNS = 5  # what is synced and noted twice a second may fall together for a build, and then comes once instead of twice
# What says that a build is on its way, and has to go in the end. (Other files that can't be removed are thrown away later, or stay.)
MARK = "unlink /.staging/#"
# What a full disk refuses. (What is only read or has its mode changed needs no room.)
NEEDS_ROOM = ("write ", "pwrite ", "fsync ", "fdatasync ", "syncfs ", "rename ", "link ", "mkdir ", "open /.staging")


class FailingFarm(farms.Farm):
    """Its master is started with test/preload/calls.c, which this tells what to do."""

    def __init__(self):
        super().__init__()
        self.library = self.calls = self.list = None
        self.task_options["the_secretary"] = {"hold": "100ms"}
        self.site = str(self.www).encode()

    def prepare(self):
        super().prepare()
        self.library = machine.preload(self, "calls")
        self.calls, self.list = self.dir / "calls", self.dir / "calls.list"
        self.list.touch()
        self.list.chmod(0o666)
        self.calls.write_bytes(bytes(16 + 2 * KEY))
        self.calls.chmod(0o666)
        self.tell(OFF)

    def start_process(self, name, args, **more):
        if name == "master":
            more["env"] = {**more.get("env", {}), "LD_PRELOAD": str(self.library), "PIW_CALLS": str(self.calls)}
        return super().start_process(name, args, **more)

    def tell(self, mode, key="", passes=0, error=0):
        with open(self.calls, "r+b", buffering=0) as file:
            file.write(struct.pack("=i", OFF))
            file.seek(4)
            file.write(struct.pack("=iii", error, passes, 0) + key.encode().ljust(KEY, b"\0") + self.site.ljust(KEY, b"\0"))
            file.seek(0)
            file.write(struct.pack("=i", mode))

    def failed(self):
        return struct.unpack("=i", self.calls.read_bytes()[12:16])[0]


def one_build(farm, name, how):
    """One more version is built, or fails, and is answered."""
    load = loads.Load(farm, "--slaves", "1", "--builds", "1", *BUILDS[how][1:], name=name)
    load.finish(120)
    builds, _ = load.ended()
    return load, builds


def way_of_a_build(farm, name, how):
    """The calls of one build, in their order: [(key, how many of this key came before)]."""
    left = machine.settled(farm)
    check(f"calls.{how}: to begin with all is well", not left, left[:5])
    begin = len(farm.list.read_text())
    farm.tell(LIST)
    one_build(farm, name, how)
    machine.settled(farm)
    farm.tell(OFF)
    before, found = collections.Counter(), []
    for key in farm.list.read_text()[begin:].splitlines():
        found.append((key, before[key]))
        before[key] += 1
    return [(key, passes) for key, passes in found if key == MARK or not key.startswith("unlink ")]


def fail(farm, name, how, key, passes, error):
    """Whether the call came and failed, and what isn't as it must be since."""
    farm.tell(FAIL, key, passes, error)
    load, builds = one_build(farm, name, how)
    wrong = machine.settled(farm, 90)
    with contextlib.suppress(farms.Failure):
        farm.wait("a call that comes once a second", farm.failed, 2)
    failed = farm.failed()
    farm.tell(OFF)
    if [told for told, _ in builds.values()] != [BUILDS[how][0]]:
        wrong += [f"the build was not answered: {builds}", *load.complaints()[-3:]]
    return failed, wrong


def test_calls(farm, how, kinds):
    one_build(farm, f"warm-{how}", how)
    farm.wait("pages of the present form", lambda: farm.pages_form() == "all")
    lists = [way_of_a_build(farm, f"listed-{how}-{number}", how) for number in range(LISTS)]
    calls = list(dict.fromkeys(itertools.chain(*lists)))
    always = set(lists[0]).intersection(*lists[1:])
    seen = {key.split()[0] for key, _ in calls}
    check(f"calls.{how}: {', '.join(kinds)} are seen", set(kinds) <= seen, seen)
    cases = [(call, errno.EIO) for call in calls] + [(call, errno.ENOSPC) for call in calls if call[0].startswith(NEEDS_ROOM)]
    for number, ((key, passes), error) in enumerate(cases):
        failed, wrong = 0, []
        for turn in range(TURNS):
            failed, wrong = fail(farm, f"{how}-{number}-{turn}", how, key, passes, error)
            if failed or wrong:
                break
        what = f"calls.{how}: {errno.errorcode[error]} of {key}, {passes + 1}"
        if failed or wrong or (key, passes) in always:
            check(what, failed > 0 and not wrong, wrong or "it didn't come")
        else:
            score.skip(what, f"it came in one of {LISTS} builds, and in none of {TURNS} since")
    print(f"# {how}: {len(calls)} calls of one build, {len(cases)} failures")
    machine.check_farm(farm, f"calls.{how}")


def main():
    with FailingFarm() as farm:
        try:
            loads.start(farm, 200, 20)
            test_calls(farm, "small", ("open", "write", "fsync", "rename", "link", "unlink"))
            test_calls(farm, "large", ("open", "write", "pwrite", "fsync", "rename"))
            test_calls(farm, "failed", ("open", "write", "rename"))
        except (farms.Failure, OSError) as problem:
            check("the farm", False, f"{type(problem).__name__}: {problem}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
