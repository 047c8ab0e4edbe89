#!/usr/bin/python3
"""A build is recorded and the master killed before all of it lies in its place; then PyPI quarantines its package, before another
master starts; also when the build was sealed. The wheel comes to lie out of reach, with METADATA beside it, and when the quarantine
ends it is in its place and on its pages. Nor is one at its address again, of which the database was told that it is out of reach,
after the machine has gone down.

TEST-TIMEOUT: 300
"""

import contextlib
import hashlib
import pathlib
import sys

import crash
import farm as farms
import score
from score import check, equal
from test_leftovers import LeftFarm, add, naming, wheel

VERSION = "1.0"


def away(farm, package):
    return farm.www / ".quarantine" / package / wheel(farm, package, VERSION).name


def metadata_of(path):
    return pathlib.Path(f"{path}.metadata")


def quarantine(farm, package):
    farm.psql(f"SELECT piw.hide('{{{package}}}', NULL, '{{0}}', 'event')")


def is_away(farm, package):
    return farm.value(f"SELECT bool_and(away) FROM piw.withheld WHERE package = '{package}'") == "t"


def killed_at(farm, fault, package):
    farm.stop_process(farm.master)
    farm.start_master(faults=f"{fault}=kill")
    add(farm, package, VERSION)
    master = farm.master
    master.expected_end = True
    farm.wait("the master's death", lambda: not master.running())
    equal(f"{package}.recorded", farm.value(f"SELECT count(*) FROM builds WHERE package = '{package}' AND status"), "1")


def check_hidden(farm, name, package):
    place = wheel(farm, package, VERSION)
    farm.wait(f"{name}: out of reach", lambda: is_away(farm, package) and not farm.staged())
    check(f"{name}.lies out of reach", away(farm, package).is_file() and not place.exists())
    check(f"{name}.with METADATA", metadata_of(away(farm, package)).is_file() and not metadata_of(place).exists())
    check(f"{name}.is on no page", not naming(farm, package, VERSION))


def check_shown(farm, name, package):
    """When its quarantine ends."""
    place = wheel(farm, package, VERSION)
    farm.psql(f"SELECT piw.show('{{{package}}}', NULL)")
    farm.wait(f"{name}: the database to know", lambda: not farm.rows(f"SELECT 1 FROM piw.withheld WHERE package = '{package}'"))
    farm.wait(f"{name}: on its pages", lambda: len(naming(farm, package, VERSION)) >= 3)
    digest = farm.value(f"SELECT filehash FROM files WHERE filename = '{place.name}'")
    check(f"{name}.has its bytes", place.is_file() and hashlib.sha256(place.read_bytes()).hexdigest() == digest)
    check(f"{name}.and METADATA", metadata_of(place).is_file())
    check(f"{name}.nothing is left out of reach", not away(farm, package).parent.exists())


def test_kills(farm):
    for fault in ("driver.committed", "juggler.rename", "juggler.metadata"):
        package = f"piwtest-{fault.replace('.', '-')}"
        killed_at(farm, fault, package)
        quarantine(farm, package)
        farm.restart_master()
        check_hidden(farm, fault, package)
        check_shown(farm, fault, package)


def test_namesake(farm):
    """Something of its name lies out of reach already, which the database knows: it is another's, and this one takes its place."""
    package = "piwtest-namesake"
    killed_at(farm, "driver.committed", package)
    quarantine(farm, package)
    farm.psql("UPDATE piw.withheld SET away = true")
    for path in (away(farm, package).parent.parent, away(farm, package).parent):
        path.mkdir(exist_ok=True)
        farm.own(path)
    for path in (away(farm, package), metadata_of(away(farm, package))):
        path.write_bytes(b"another's")
        farm.own(path)
    farm.restart_master()
    check_hidden(farm, "namesake", package)
    check_shown(farm, "namesake", package)


def seal(farm, package):
    """A build is sealed, and its master killed, while the database can't take it."""
    lock = "SELECT 1 FROM pg_locks WHERE granted AND mode = 'ShareLock' AND relation = 'builds'::regclass"
    holder = farm.start_process("holder", ["/usr/bin/psql", "-X", "-h", farm.dir / "s", "-U", "postgres", "-d", "piwheels", "-c",
                                           "BEGIN; LOCK TABLE builds IN SHARE MODE; SELECT pg_sleep(600)"])
    holder.expected_end = True
    farm.wait("the lock", lambda: farm.rows(lock))
    before = farm.master.text().count(" is sealed: ")
    add(farm, package, VERSION)
    farm.wait("a sealed build", lambda: farm.master.text().count(" is sealed: ") > before)
    farm.master.expected_end = True
    farm.master.kill()
    # What it had sent, and its commit with it, would be done as soon as the lock is free.
    sessions = "FROM pg_stat_activity WHERE usename = 'piwheels'"
    farm.psql(f"SELECT pg_terminate_backend(pid) {sessions}")
    farm.wait("the end of its sessions", lambda: farm.value(f"SELECT count(*) {sessions}") == "0", alive=False)
    farm.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()")
    farm.stop_process(holder)
    equal(f"{package}.not recorded", farm.value(f"SELECT count(*) FROM builds WHERE package = '{package}'"), "0")
    check(f"{package}.staged", farm.staged())


def test_sealed(farm):
    """The next master records it, and is killed before it is in its place."""
    package = "piwtest-sealed"
    seal(farm, package)
    farm.stop_process(farm.master)
    with contextlib.suppress(farms.Failure):  # it may die before it says that it is ready
        farm.start_master(faults="juggler.rename=kill")
    master = farm.master
    master.expected_end = True
    farm.wait("the next master's death", lambda: not master.running())
    equal("sealed.recorded", farm.value(f"SELECT count(*) FROM builds WHERE package = '{package}' AND status"), "1")
    quarantine(farm, package)
    farm.restart_master()
    check_hidden(farm, "sealed", package)
    check_shown(farm, "sealed", package)


def test_sealed_in_vain(farm):
    """It is quarantined before it is recorded: nothing comes of it, and it is to be built when the quarantine ends."""
    package = "piwtest-sealed-late"
    seal(farm, package)
    quarantine(farm, package)
    farm.restart_master()
    farm.wait("nothing that is staged", lambda: not farm.staged())
    place = wheel(farm, package, VERSION)
    check("sealed late.nothing came of it", not place.exists() and not away(farm, package).exists() and not naming(farm, package, VERSION))
    equal("sealed late.no row", farm.value(f"SELECT count(*) FROM builds WHERE package = '{package}'"), "0")
    farm.psql(f"SELECT piw.show('{{{package}}}', NULL)")
    farm.wait("sealed late: it waits to be built", lambda: farm.rows(f"SELECT 1 FROM piw.queue WHERE package = '{package}'"))
    check("sealed late.it is to be built again", True)


def test_crash(farm):
    """A look is cut off between the names and their sync; the next one finds the wheel where it belongs, and tells the database."""
    package = "piwtest-crash"
    add(farm, package, VERSION)
    farm.wait("a wheel on its pages", lambda: len(naming(farm, package, VERSION)) >= 3)
    farm.stop_process(farm.master)
    recording = crash.Recording(farm, "looks")
    farm.start_master(faults="juggler.withheld=error", env=recording.env())
    quarantine(farm, package)
    farm.wait("the database to know", lambda: is_away(farm, package))
    farm.master.kill()
    recording.crash(lambda first, last: first, lambda: False)
    check("crash.not at its address", not wheel(farm, package, VERSION).exists() and not metadata_of(wheel(farm, package, VERSION)).exists())
    check("crash.not lost", away(farm, package).is_file())
    farm.restart_master()
    check_shown(farm, "crash", package)


def main():
    with LeftFarm("small") as farm:
        farm.task_options["file_juggler"] = {"removals-every": "500ms"}
        farm.task_options["slave_driver"] = {"seal-after": "2s"}
        try:
            farm.start(web=False)
            for test in (test_kills, test_namesake, test_sealed, test_sealed_in_vain):
                test(farm)
            if not farms.SANITIZED:  # a sanitizer's library wants to be loaded before the recorder
                test_crash(farm)
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
