#!/usr/bin/python3
"""Downloads by the machines of each view: which one's a download is, counts as they happen and of what was before, and what they
decide.

TEST-TIMEOUT: 120
"""

import json
import subprocess
import sys

import farm as farms
import score
from score import check, equal
from test_logs import line, logger
from test_views_queue import add, says, waits

COMMON, ARM, TRIXIE, BOARDS = "bookworm-amd64", "bookworm-armhf", "trixie-armhf", "boards"
VIEWS = {COMMON: {"abi": "cp311", "platform": "linux_x86_64", "os_name": "debian", "os_version": "12"},
         ARM: {"abi": "cp311", "platform": "linux_armv7l, linux_armv6l", "os_name": "debian, raspbian", "os_version": "12", "popular": "3"},
         TRIXIE: {"abi": "cp313", "platform": "linux_armv7l", "os_version": "13", "popular": "2"}}
PURE = "liked-1.0-py3-none-any.whl"
PI = ("armv7l", "Raspbian GNU/Linux", "12", "CPython", "3.11.2")
TRIXIES = ("armv7l", "Debian GNU/Linux", "13", "CPython", "3.13.5")


def download(farm, *rows):
    """Rows of (file, machine, how long ago), as another program would write them."""
    farm.psql("INSERT INTO downloads (filename, accessed_by, accessed_at, arch, distro_name, distro_version, py_name, py_version) VALUES "
              + ", ".join("('{}', '192.0.2.1', now() AT TIME ZONE 'UTC' - interval '{}', {})".format(
                  name, ago, ", ".join("NULL" if fact is None else f"'{fact}'" for fact in machine)) for name, machine, ago in rows))


def counted(farm):
    """All that can be counted has been."""
    while farm.value("SELECT piw.drain(500)") == "t":
        pass
    return {(view, package): int(recent) for view, package, recent in farm.rows("SELECT view, package, recent FROM piw.view_downloads")}


def by_days(farm):
    return {(view, package): int(amount) for view, package, amount in farm.rows(
        "SELECT view, package, sum(downloads) FROM piw.view_download_days GROUP BY 1, 2 HAVING sum(downloads) > 0")}


def sane(farm, name):
    equal(f"{name}.check-queue", farm.rows("SELECT * FROM piw.check_queue()") + farm.rows("SELECT * FROM piw.check_totals()"), [])


def test_whose(farm):
    """The rule for slaves, as far as installers tell what it asks for."""
    for name, file, machine, view in (
            ("a Pi", "x-1-cp311-cp311-linux_armv7l.whl", PI, ARM),
            ("its 64-bit kernel", "x-1-cp311-cp311-linux_armv7l.whl", ("aarch64", *PI[1:]), ARM),
            ("an older Pi", "x-1-py3-none-any.whl", ("armv6l", *PI[1:]), ARM),
            ("a pure one on a kernel of no view", "x-1-py3-none-any.whl", ("aarch64", *PI[1:]), None),
            ("a compressed set", "x-1-cp311-cp311-linux_armv6l.linux_armv7l.whl", PI, ARM),
            ("any case", "x-1-py3-none-any.whl", ("armv7l", "DEBIAN", "12.5", "cpython", "3.11"), ARM),
            ("no number of a version", "x-1-py3-none-any.whl", ("armv7l", "Debian GNU/Linux", "121", "CPython", "3.11.2"), None),
            ("another system", "x-1-py3-none-any.whl", ("armv7l", "Ubuntu", "12", "CPython", "3.11.2"), None),
            ("no system", "x-1-py3-none-any.whl", ("armv7l", None, None, "CPython", "3.11.2"), None),
            ("another Python", "x-1-py3-none-any.whl", ("armv7l", "Debian", "12", "CPython", "3.1"), None),
            ("no Python", "x-1-py3-none-any.whl", ("armv7l", "Debian", "12", "CPython", None), None),
            ("PyPy", "x-1-py3-none-any.whl", ("armv7l", "Debian", "12", "PyPy", "7.3.11"), None),
            ("any system of a version", "x-1-py3-none-any.whl", ("armv7l", "Raspbian", "13", None, "3.13.0rc1"), TRIXIE),
            ("the common view's", "x-1-py3-none-any.whl", ("x86_64", "Debian GNU/Linux", "12", "CPython", "3.11.2"), COMMON),
            ("of a version its number counts", "x-1-py3-none-any.whl", ("x86_64", "Debian", "12 (x)", "CPython", "3.11|.*"), COMMON),
            ("what isn't like a version", "x-1-py3-none-any.whl", ("x86_64", "Debian", "12", "CPython", ".*"), None),
            ("no wheel's name", "x", PI, None)):
        facts = ", ".join("NULL" if fact is None else f"'{fact}'" for fact in machine)
        equal(f"whose.{name}", farm.value(f"SELECT coalesce(piw.download_view('{file}', {facts}), 'none')"), view or "none")
    equal("whose.PyPy's ABI", farm.value("SELECT 'pypy310_pp73' ~ piw.download_abi('PyPy', '7.3.11')"), "t")
    equal("whose.a machine's word", farm.rows(
        f"BEGIN; UPDATE piw.views SET machines = '{{armv6l}}' WHERE view = '{ARM}'; "
        "SELECT piw.download_view('x-1-py3-none-any.whl', 'armv7l', 'Debian', '12', 'CPython', '3.11.2'), "
        "piw.download_view('x-1-py3-none-any.whl', 'armv6l', 'Debian', '12', 'CPython', '3.11.2'); ROLLBACK")[0], ["", ARM])


def test_before(farm):
    """What was downloaded before there were views counts, in the window."""
    equal("before.nothing is counted without views", farm.rows("SELECT * FROM piw.view_counts") + farm.rows(
        "SELECT * FROM piw.view_download_notes"), [])
    farm.views = {name: dict(options) for name, options in VIEWS.items()}
    farm.stop_process(farm.master)
    farm.start_master()
    farm.wait("the counts", lambda: farm.value("SELECT count(*) FROM piw.view_counts c, piw.download_window w WHERE c.since > w.since") == "0")
    equal("before.of the last 30 days", counted(farm), {(ARM, "liked"): 2, (TRIXIE, "liked"): 1})
    equal("before.by days, too", by_days(farm), {(ARM, "liked"): 2, (TRIXIE, "liked"): 1})
    equal("before.not enough", waits(farm, "liked"), ["cp311"])
    says(farm, "before.why says how many", "why", "liked", "1.0",
         has=[f"{ARM}: not built: popular: 2 of 3 downloads by such machines in 30 days",
              f"{TRIXIE}: not built: popular: 1 of 2 downloads by such machines in 30 days"])
    sane(farm, "before")


def test_come(farm):
    """A download brings the package into its view's queue, and no other's."""
    download(farm, *[(PURE, ("x86_64", "Debian GNU/Linux", "12", "CPython", "3.11.2"), "1 minute")] * 5,
             ("other-1.0-py3-none-any.whl", PI, "1 minute"))
    equal("come.others' don't count", counted(farm), {(ARM, "liked"): 2, (TRIXIE, "liked"): 1, (ARM, "other"): 1})
    equal("come.still not enough", waits(farm, "liked"), ["cp311"])
    agent = "pip/23.0.1 " + json.dumps({"cpu": "aarch64", "distro": {"name": PI[1], "version": "12"}, "python": "3.11.2",
                                        "implementation": {"name": "CPython", "version": "3.11.2"}})
    now = farm.value("SELECT to_char(now() AT TIME ZONE 'UTC', 'DD/Mon/YYYY:HH24:MI:SS +0000')")
    logger(farm, text=line(f"/{ARM}/simple/liked/liked-1.0-cp311-cp311-linux_armv7l.whl", agent=agent, when=now)
           + line(f"/{ARM}/simple/liked/", agent=agent, when=now))
    check("come.one more, from the view's index", farm.wait("the queue", lambda: waits(farm, "liked") == [ARM, "cp311"]))
    equal("come.and whom pip asked for", farm.rows("SELECT package, arch FROM searches"), [["liked", "aarch64"]])
    equal("come.it has been counted once", counted(farm)[ARM, "liked"], 3)
    sane(farm, "come")
    farm.psql("DELETE FROM downloads WHERE arch = 'aarch64'; SELECT piw.drain(500); SELECT piw.drain(500)")
    check("come.an entry that goes takes it away", farm.wait("the queue", lambda: waits(farm, "liked") == ["cp311"]))
    sane(farm, "gone")


def test_late(farm):
    """Entries of hours that aren't counted yet, while they are: each counts once."""
    farm.stop_process(farm.master)
    farm.psql("UPDATE piw.view_counts SET since = date_trunc('hour', piw.utc_now()) - interval '5 hours'; "
              "DELETE FROM piw.view_download_days; DELETE FROM piw.view_downloads")
    download(farm, (PURE, PI, "4 hours"), (PURE, PI, "7 hours"))  # counted; not yet
    download(farm, ("other-1.0-py3-none-any.whl", TRIXIES, "8 hours"))
    equal("late.a note and the hour itself", counted(farm),
          {(ARM, "liked"): 4, (TRIXIE, "liked"): 1, (TRIXIE, "other"): 1})
    equal("late.by days, too", by_days(farm), counted(farm))
    equal("late.now it is", waits(farm, "liked"), [ARM, "cp311"])
    sane(farm, "late")


def test_window(farm):
    """Days that are no more among the last 30 go."""
    farm.psql("UPDATE piw.view_download_days SET day = day - 40; UPDATE piw.download_window SET since = since - 40")
    equal("window.nothing is left", (counted(farm), by_days(farm)), ({}, {}))
    equal("window.nor wanted", waits(farm, "liked"), ["cp311"])
    sane(farm, "window")


def test_anew(farm):
    """Other sections, a recount, a table that is emptied: all is counted anew, once."""
    farm.psql("UPDATE piw.view_counts SET stale = true")
    whole = {(ARM, "liked"): 4, (TRIXIE, "liked"): 1, (TRIXIE, "other"): 1, (ARM, "other"): 1}
    equal("anew.counted", (counted(farm), by_days(farm)), (whole, whole))
    equal("anew.wanted again", waits(farm, "liked"), [ARM, "cp311"])
    farm.psql("SELECT piw.recount()")
    equal("anew.a recount", counted(farm), whole)
    farm.views[ARM]["os_name"] = "debian"
    del farm.views[TRIXIE]["popular"]
    farm.start_master()
    farm.wait("the counts", lambda: farm.rows("SELECT view, stale FROM piw.view_counts") == [[ARM, "f"]])
    check("anew.another section", farm.wait("the counts", lambda: counted(farm) == {}), counted(farm))
    equal("anew.the queues", farm.wait("the queue", lambda: waits(farm, "liked") == ["cp311", TRIXIE]), True)
    sane(farm, "anew")
    farm.stop_process(farm.master)
    farm.views[ARM]["os_name"] = "raspbian"
    farm.start_master()
    farm.wait("the counts", lambda: counted(farm) == {(ARM, "liked"): 4, (ARM, "other"): 1})
    farm.psql("TRUNCATE downloads")
    check("anew.emptied", farm.wait("the counts", lambda: counted(farm) == {}), counted(farm))
    download(farm, *[(PURE, PI, "1 minute")] * 3)
    check("anew.and from then on", farm.wait("the queue", lambda: waits(farm, "liked") == [ARM, "cp311", TRIXIE]), counted(farm))
    farm.stop_process(farm.master)
    farm.views = {}
    farm.start_master()
    farm.wait("the end of counts", lambda: farm.rows("SELECT view FROM piw.view_counts UNION ALL SELECT view FROM piw.view_downloads") == [])
    download(farm, (PURE, PI, "1 minute"))
    equal("anew.without views nothing is noted", farm.rows("SELECT * FROM piw.view_download_notes"), [])


def main():
    with farms.Farm() as farm:
        try:
            farm.prepare()
            farm.start_postgres()
            farm.create_database(abis=["cp311"])
            farm.start_pypi()
            farm.start_master()
            add(farm, "liked", "1.0")
            download(farm, (PURE, PI, "2 days"), ("liked-1.0-cp311-cp311-linux_armv7l.whl", PI, "20 days"), (PURE, PI, "40 days"),
                     (PURE, TRIXIES, "2 days"), (PURE, ("armv7l", "Ubuntu", "22.04", "CPython", "3.10.1"), "2 days"))
            for test in (test_before, test_whose, test_come, test_late, test_window, test_anew):
                test(farm)
        except (farms.Failure, subprocess.SubprocessError) as error:
            check("the farm", False, error)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
