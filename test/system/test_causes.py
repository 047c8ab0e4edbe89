#!/usr/bin/python3
"""Whose fault a failed build was: what packages print is no sign; a slave's own figures are; what only the log says is believed
once more, elsewhere; when all slaves fail alike nothing is final. What piw-ctl says of it (why, retry).

TEST-TIMEOUT: 240
"""

import datetime
import re
import subprocess
import sys
import time

import client
import farm as farms
import score
import wire
from score import check

ABI = "cp311"
PACKAGE = "piwtest-full"
OUTAGE_S, OUTAGE_LEAST = 10, 6  # what is ten minutes, and failures within them
GB = 1 << 30
# What pip 23.0.1 (Debian 12) ends its log with; what a package printed is indented.
STAMP = "2026-11-29T21:25:27,747 "
FAILED = (f"{STAMP}ERROR: Failed building wheel for x\n{STAMP}Failed to build x\n"
          f"{STAMP}ERROR: Failed to build one or more wheels\n")
PRINTED = f"{STAMP}  No space left on device\n" + f"{STAMP}  more of it\n" * 180 + f"{STAMP}  SyntaxError: broken\n" + FAILED
RETRYING = (f"{STAMP}WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(\"Failed to establish a "
            "new connection: [Errno -3] Temporary failure in name resolution\")': /simple/x/\n")
EXTRA_INDEX = (RETRYING + f"{STAMP}Could not fetch URL https://extra.example/simple/x/: connection error: Temporary failure in name "
               f"resolution - skipping\n{STAMP}  x.c:1:2: error: #error not here\n" + FAILED)


def no_source(package, version):
    return f"{STAMP}ERROR: No matching distribution found for {package}=={version}\n"


class Slave:
    """One of stock's, whose builds come to what the test says."""

    def __init__(self, farm, label):
        self.asker = client.Asker(farm.socket("slave"))
        self.free = 100 * GB
        minutes = datetime.timedelta(minutes=5)
        hello = [minutes, minutes, "311", ABI, "linux_x86_64", label, "Debian", "12", "", ""]
        self.number = self.asker.ask(["HELLO", hello])[1][0]

    def stats(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        return [now, 200 * GB, self.free, 8 * GB, 4 * GB, 0, 0, 1.0, 40.0]

    def idle(self):
        """(package, version), or None."""
        answer = self.asker.ask(["IDLE", self.stats()])
        return tuple(answer[1]) if answer[0] == "BUILD" else None

    def next(self, farm):
        return farm.wait("a build to be given out", self.idle)

    def fails(self, log):
        self.asker.ask(["BUSY", self.stats()])
        answer = self.asker.ask(["BUILT", [False, datetime.timedelta(seconds=1), log, []]])
        if answer not in ("DONE", ("DONE", None)) and answer[0] != "DONE":
            raise farms.Failure(f"the answer to BUILT is {answer}")

    def close(self):
        self.asker.tell(wire.cbor_encode("BYE"))
        self.asker.close()


def ctl(farm, *words):
    return farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), *words],
                    check=False)


def says(farm, name, pattern, *words):
    done = ctl(farm, *words)
    check(name, done.returncode == 0 and re.search(pattern, done.stdout, re.M), done.stdout + done.stderr)


def refuses(farm, name, pattern, code, *words):
    done = ctl(farm, *words)
    check(name, done.returncode == code and len(done.stderr.splitlines()) == 1 and re.search(pattern, done.stderr),
          f"{done.returncode} {done.stdout}{done.stderr}")


def tries(farm, package=PACKAGE):
    return farm.rows("SELECT slave_id, state, cause FROM piw.attempts "
                     f"WHERE package = '{package}' AND state <> 'running' ORDER BY attempt_id")


def add(farm, *packages):
    farm.psql("".join(f"INSERT INTO packages (package) VALUES ('{name}'); INSERT INTO versions (package, version) "
                      f"VALUES ('{name}', '1.0'); " for name in packages) + "SELECT piw.drain(); NOTIFY piw_queue")


def failed_builds(farm):
    return farm.rows("SELECT package FROM builds WHERE NOT status ORDER BY 1")


def test_forged(farm):
    """What packages print makes no slave guilty."""
    one, other = Slave(farm, "one"), Slave(farm, "other")
    add(farm, *(f"forger{n}" for n in range(5)))
    for n in range(5):
        one.next(farm)
        one.fails(PRINTED)
        farm.wait("the build", lambda n=n: len(failed_builds(farm)) == n + 1)
    check("forged.five are final", len(farm.rows("SELECT 1 FROM piw.attempts WHERE state = 'transient'")) == 0)
    add(farm, "skipping")
    check("forged.the slave goes on", one.next(farm) == ("skipping", "1.0"))
    one.fails(EXTRA_INDEX)
    farm.wait("the build", lambda: len(failed_builds(farm)) == 6)
    check("forged.a skipped index is no sign", ["skipping"] in failed_builds(farm), failed_builds(farm))
    one.close()
    other.close()


def test_figures(farm):
    """A slave with a full disk is found out by its own figures, once another slave has built what it failed at."""
    full, good = Slave(farm, "full"), Slave(farm, "good")
    full.free = 4096
    names = [f"wide{n}" for n in range(5)]
    add(farm, *names)
    for _ in names:
        full.next(farm)
        full.fails(PRINTED)
    found = farm.wait("the tries", lambda: (lambda rows: rows if len(rows) == 5 else None)(
        farm.rows("SELECT cause FROM piw.attempts WHERE package LIKE 'wide%' AND state = 'transient'")))
    check("figures.the disk was full", all(row == ["the disk was full"] for row in found), found)
    check("figures.nobody sleeps yet", "put to sleep" not in farm.master.text())
    for _ in names:
        good.next(farm)
        good.fails(FAILED)
    farm.wait_log(farm.master, r"\(full\) is put to sleep: its last 5 builds failed for its own sake")
    check("figures.it sleeps", full.asker.ask(["IDLE", full.stats()])[0] == "SLEEP" and full.idle() is None)
    full.close()
    good.close()


def test_alike(farm):
    """A source that isn't there: tried once more elsewhere, then it is the package's fault if that slave builds others."""
    one, other = Slave(farm, "one"), Slave(farm, "other")
    add(farm, PACKAGE)
    farm.wait("the build", lambda: one.idle() == (PACKAGE, "1.0"))
    one.fails(no_source(PACKAGE, "1.0"))
    farm.wait("the first try", lambda: len(tries(farm)) == 1)
    check("alike.the first isn't final", tries(farm)[0][1:] == ["transient", "the source was not to be found yet"], tries(farm))
    says(farm, "why.rests", rf"^{ABI}: rests; the next try is after \d\S+, rather by another slave than {one.number}$", "why",
         PACKAGE, "1.0")
    add(farm, "between")
    got = other.next(farm)
    if got == ("between", "1.0"):
        other.fails(FAILED)
        got = other.next(farm)
    check("alike.goes to another slave", got == (PACKAGE, "1.0"), got)
    other.fails(no_source(PACKAGE, "1.0"))
    farm.wait("the build", lambda: [PACKAGE] in failed_builds(farm))
    check("alike.the second is the package's own", [row[1] for row in tries(farm)].count("transient") == 1, tries(farm))
    says(farm, "retry.final", r"failed builds deleted: 1\b", "retry", PACKAGE)
    one.close()
    other.close()


def test_outage(farm):
    """The name server is away for what is ten minutes when a rest of a minute is one of a second."""
    slaves = [Slave(farm, f"outage{n}") for n in range(3)]
    before = failed_builds(farm)
    add(farm, *(f"away{n:02}" for n in range(30)))
    began, failed = time.monotonic(), 0
    while time.monotonic() - began < OUTAGE_S or (failed < OUTAGE_LEAST and time.monotonic() - began < 60 * farms.PATIENCE):
        for slave in slaves:
            got = slave.idle()
            if got:
                slave.fails(RETRYING + no_source(*got))
                failed += 1
    check("outage.it was one", failed >= OUTAGE_LEAST, failed)
    check("outage.no failure is final", failed_builds(farm) == before, failed_builds(farm))
    check("outage.the farm says that it rests", "fail alike (names could not be resolved): nothing is given out" in
          farm.master.text(), farm.master.text()[-800:])
    check("outage.no slave is put to sleep", "outage" not in " ".join(re.findall(r".*put to sleep", farm.master.text())))
    says(farm, "why.all fail alike", rf"^{ABI}: (waits|rests)", "why", "away00", "1.0")
    for slave in slaves:
        slave.close()


def test_refused(farm):
    refuses(farm, "why.unknown package", "package nobody is unknown", 1, "why", "nobody", "1.0")
    refuses(farm, "why.unknown version", rf"package {PACKAGE} is known, but no version 7 of it; there is 1.0", 1, "why", PACKAGE,
            "7")
    says(farm, "why.package", rf"^1.0: {ABI} ", "why", PACKAGE)
    refuses(farm, "why.operands", r"the command is: why PACKAGE \[VERSION\]", 2, "why")
    refuses(farm, "why.name", "can't be a package's name", 1, "why", "no/body", "1.0")
    refuses(farm, "retry.unknown", "package nobody is unknown", 1, "retry", "nobody")
    refuses(farm, "retry.unknown version", f"package {PACKAGE}, version 7 is unknown", 1, "retry", PACKAGE, "7")
    farm.psql("INSERT INTO packages (package, skip) VALUES ('skipped', 'too big'); "
              "INSERT INTO versions (package, version, skip) VALUES ('skipped', '1.0', 'binary only')")
    says(farm, "why.skipped", "^the package is not built: too big\nthe version is not built: binary only\n", "why", "skipped",
         "1.0")
    refuses(farm, "retry.nothing", "nothing of skipped 1.0 has failed", 1, "retry", "skipped", "1.0")


def main():
    with farms.Farm() as farm:
        try:
            farm.task_options["slave_driver"] = {"retry-after": "1s"}
            farm.prepare()
            farm.start_postgres()
            farm.create_database(abis=[ABI])
            farm.start_pypi()
            farm.start_master()
            for test in (test_forged, test_figures, test_alike, test_outage, test_refused):
                test(farm)
        except (farms.Failure, subprocess.SubprocessError) as error:
            check("the farm", False, error)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
