#!/usr/bin/python3
"""A farm that builds for several ABIs gets its first views, one for each: every machine goes on to get work, nothing that was built is built
again, and without views all is as it was.

TEST-TIMEOUT: 120
"""

import json
import subprocess
import sys

import farm as farms
import score
from score import check, equal
from test_views_queue import add, ctl, record, sane, says, Slave, waits

OLD, NEW = "bullseye-armhf", "bookworm-armhf"
VIEWS = {NEW: {"abi": "cp311", "platform": "linux_armv7l", "os_version": "12"},
         OLD: {"abi": "cp39", "platform": "linux_armv7l", "os_version": "11"}}
PLATFORM = "linux_armv7l"


def restart(farm, views):
    farm.stop_process(farm.master)
    farm.views = views
    farm.start_master()
    farm.wait("the refill", lambda: farm.value("SELECT count(*) FROM piw.refills") == "0")


def test_before(farm):
    """Both ABIs have a wheel of the first version; the lowest one comes first of what is new."""
    add(farm, "both", "1.0")
    for number, abi in ((1001, "cp39"), (1002, "cp311")):
        record(farm, number, abi, "both", (abi, abi, PLATFORM))
    add(farm, "stable", "1.0")
    record(farm, 1003, "cp39", "stable", ("cp36", "abi3", PLATFORM))
    add(farm, "early", "1.0")
    equal("before.built", waits(farm, "both"), [])
    equal("before.the lowest first", waits(farm, "early"), ["cp39"])


def test_views(farm):
    restart(farm, VIEWS)
    equal("views.each kind waits for what is new", waits(farm, "early"), [OLD, "cp311"])
    equal("views.the common one has what it had", [row for row in farm.rows("SELECT package, abi_tag FROM piw.queue ORDER BY 1, 2")
                                                   if row[1] not in VIEWS and row[0] != "early"], [])
    equal("views.nothing waits for an ABI alone", farm.rows("SELECT package FROM piw.queue WHERE abi_tag = 'cp39'"), [])
    sane(farm, "views")
    slaves = [Slave(farm, "new", "cp311", PLATFORM), Slave(farm, "old", "cp39", PLATFORM, os_version="11 (bullseye)")]
    equal("views.the common view's slave has work", slaves[0].next(farm), ("early", "1.0"))
    farm.wait("the other one's queue", lambda: waits(farm, "early"))
    got = slaves[1].next(farm)
    check("views.and the other one's", got in (("early", "1.0"), ("both", "1.0"), ("stable", "1.0")), got)
    for slave in slaves:
        slave.close()
    says(farm, "views.why", "why", "early", "1.0", has=["cp39: not built: the common view is for cp311"])
    says(farm, "views.abi list", "abi", "list", has=["skipped: the common view is for cp311"])
    farm.wait("the project's page", lambda: (farm.www / "project/both/json/index.json").exists() and NEW in (
        farm.www / "project/both/json/index.json").read_text("utf-8"))
    page = json.loads((farm.www / "project/both/json/index.json").read_text("utf-8"))["releases"]["1.0"]
    equal("views.both wheels are on their page", sorted(page["files"]), [f"both-1.0-{abi}-{abi}-{PLATFORM}.whl" for abi in ("cp311", "cp39")])


def test_commands(farm):
    done = ctl(farm, "abi", "add", "cp313")
    check("commands.another ABI needs a view", done.returncode != 0 and "when a section [view:NAME] has abi = cp313" in done.stderr, done)
    done = ctl(farm, "--force", "abi", "remove", "cp311")
    check("commands.the common one's stays", done.returncode != 0 and "the common view builds for cp311" in done.stderr, done)
    equal("commands.nothing has changed", farm.rows("SELECT abi_tag FROM build_abis ORDER BY 1"), [["cp311"], ["cp39"]])


def test_back(farm):
    restart(farm, {})
    equal("back.the lowest first", waits(farm, "early"), ["cp39"])
    equal("back.nothing else", farm.rows("SELECT package FROM piw.queue WHERE package <> 'early'"), [])
    sane(farm, "back")


def main():
    with farms.Farm() as farm:
        try:
            farm.task_options["cloud_gazer"]["offers-rate"] = "0"  # nobody is asked what PyPI offers
            farm.prepare()
            farm.start_postgres()
            farm.create_database(abis=["cp39", "cp311"])
            farm.start_pypi()
            farm.start_master()
            for test in (test_before, test_views, test_commands, test_back):
                test(farm)
        except (farms.Failure, subprocess.SubprocessError, OSError) as error:
            check("the farm", False, error)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
