#!/usr/bin/python3
"""A hundred simulated slaves build one small wheel, a larger one, or two, and send as fast as they can while either side is killed with kill -9: the master at each
step of a build's way into the site, the database's processes again and again. What a slave was told DONE is recorded
once and on the site, whole; what is recorded is on the site; nothing else is.

TEST-TIMEOUT: 420
TEST-LOAD: heavy
"""

import os
import signal
import sys

import load as loads
from load import farms
import score
from score import check

SLAVES = 100
# The master's steps, and at which passage it dies there. A group of the writer holds many builds.
POINTS = {"driver.built": 150, "juggler.log": 150, "juggler.staged": 150, "juggler.ready": 150, "juggler.sync": 60, "juggler.place": 150,
          "oracle.before_commit": 60, "oracle.unsent": 60, "oracle.unanswered": 60, "oracle.after_commit": 60, "driver.committed": 150,
          "juggler.rename": 150, "juggler.metadata": 150}
CUTS, BUILDS = (2, 800) if farms.SANITIZED else (3, 1800)  # of the database's processes, in a load of so many builds


seen = {}  # files that have been read, as they were then


def is_new(path):
    """Whether it isn't the very file that was looked at before."""
    found = path.stat() if path.exists() else None
    now = found and (found.st_ino, found.st_size, found.st_mtime_ns)
    if now and seen.get(path) == now:
        return False
    seen[path] = now
    return True


def wheels_on_site(farm):
    return {path.name for path in (farm.www / "simple").rglob("*.whl")}


def check_site(farm, name, ended):
    """Database and disk against each other, and against what slaves were told, whoever died."""
    left = loads.left_over(farm, 60, lambda: loads.staged(farm), lambda: loads.unplaced(farm), lambda: missing_logs(farm))
    check(f"{name}.nothing is on its way for ever", not left, left[:10])
    rows = farm.rows("SELECT package, version, bool_and(status), count(*) FROM builds GROUP BY 1, 2")
    twice = [row for row in rows if row[3] != "1"]
    check(f"{name}.no version is recorded twice", not twice, twice[:10])
    recorded = {(package, version): status for package, version, status, _ in rows}
    lost = [build for build, (how, _) in ended.items() if recorded.get(build) != ("t" if how == "good" else "f")]
    check(f"{name}.all {len(ended)} builds that were answered are recorded", not lost, lost[:10])
    files = {row[0]: row[1:] for row in farm.rows("SELECT filename, b.package, filehash FROM files JOIN builds b USING (build_id)")}
    sent = {wheel: digest for _, wheels in ended.values() for wheel, digest in wheels.items()}
    wrong = [wheel for wheel, digest in sent.items() if wheel not in files or files[wheel][1] != digest]
    check(f"{name}.their files have rows", not wrong, wrong[:10])
    wrong = [text for wheel, row in files.items() if is_new(farm.www / "simple" / row[0] / wheel)
             for text in loads.wheel_differences(farm, wheel, row[1], row)]
    check(f"{name}.each of {len(files)} files is on the site, whole", not wrong, wrong[:10])
    stray = wheels_on_site(farm) - files.keys()
    check(f"{name}.nothing else is", not stray, sorted(stray)[:10])
    missing = missing_logs(farm)
    check(f"{name}.each build has its log", not missing, missing[:10])
    pages = {(row[0], ""): ("good", {wheel: "" for wheel, of in files.items() if of[0] == row[0]})
             for row in farm.rows("SELECT DISTINCT b.package FROM files JOIN builds b USING (build_id)")}
    try:
        farm.wait("the pages", lambda: not loads.unlisted(farm, pages), 60)
        check(f"{name}.each file is on its page", True)
    except farms.Failure:
        check(f"{name}.each file is on its page", False, loads.unlisted(farm, pages)[:10])


def log_of(farm, build_id):
    number = f"{build_id:012}"
    return farm.www / "logs" / number[:4] / number[4:8] / f"{number[8:]}.txt.gz"


def missing_logs(farm):
    return [row[0] for row in farm.rows("SELECT build_id FROM builds") if not log_of(farm, int(row[0])).exists()]


def test_master(farm):
    """Master and slaves die together; a new master has nobody to ask."""
    ended = {}
    for point in list(POINTS)[::3 if farms.SANITIZED else 1]:
        passage = POINTS[point]
        farm.stop_process(farm.master)
        farm.start_master(faults=f"{point}=kill:{passage}")
        load = loads.Load(farm, "--slaves", str(SLAVES), "--fail-percent", "20", *loads.MIXED, name=f"load-{point}")
        master = farm.master
        master.expected_end = True
        farm.wait("the master's death", lambda m=master: not m.running(), 90)
        check(f"{point}.killed", master.popen.returncode == -signal.SIGKILL, master.popen.returncode)
        load.process.kill()
        farm.forget(load.process)
        builds, twice = load.ended()
        check(f"{point}.no version is handed out again", not twice and not builds.keys() & ended.keys(), twice[:10])
        ended.update(builds)
        farm.restart_master()
        left = [path for path in (farm.www / ".staging" / "tmp").iterdir() if path.name.split("-")[0] == str(master.pid)]
        check(f"{point}.nothing of what it was writing is left, nor where", not left, left[:10])
        check_site(farm, point, ended)


def writer(farm):
    """The server process that writes builds at this moment."""
    found = farm.rows("SELECT pid FROM pg_stat_activity WHERE usename = 'piwheels' AND query ~* 'record_|begin|commit' "
                      "ORDER BY state = 'active' DESC, query_start DESC LIMIT 1")
    return int(found[0][0]) if found else None


def server_answers(farm):
    try:
        return farm.value("SELECT 1") == "1"
    except farms.Failure:
        return False


def test_database(farm):
    """Of a killed process the server makes a new start, with all connections cut. No slave notices."""
    load = loads.Load(farm, "--slaves", str(SLAVES), "--fail-percent", "20", *loads.MIXED, "--builds", str(BUILDS),
                      name="load-cuts")
    cuts = 0
    while cuts < CUTS and load.process.running():
        load.wait_built((cuts + 1) * 250)
        pid = server_answers(farm) and writer(farm)
        if pid:
            # The server's processes belong to the same user as ours; as root nothing is in the way either.
            os.kill(pid, signal.SIGKILL)
            cuts += 1
            farm.wait("the server", lambda: server_answers(farm), 60)
    check("cuts.the writer was killed", cuts > 0, cuts)
    figures = load.finish(180)
    check("cuts.no slave has a complaint", load.process.popen.returncode == 0 and figures.get("violations") == 0,
          load.complaints()[-5:])
    check("cuts.all builds end", figures.get("builds") == BUILDS, figures.get("builds"))
    ended, twice = load.ended()
    check("cuts.no version is built twice", not twice, twice[:10])
    loads.wait_recorded(farm, len(ended))
    check_site(farm, "cuts", ended)
    check("cuts.builds of each kind", not loads.missing_kinds(farm), loads.missing_kinds(farm))


def main():
    with farms.Farm() as farm:
        try:
            loads.start(farm, 1000, 20)
            test_database(farm)
            test_master(farm)
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
