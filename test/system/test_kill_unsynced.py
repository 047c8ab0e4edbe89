#!/usr/bin/python3
"""The machine goes down while fifty simulated slaves build one small wheel, a larger one, or two, and send as fast as they can. Whatever the master had not synced is gone,
or some of it; then a new master starts. Every DONE has its row, every row its files, every published file its right bytes. A
log may be lost for a second, and then is not there at all.

TEST-TIMEOUT: 420
TEST-LOAD: heavy
"""

import gzip
import random
import sys
import zipfile

import crash
import load as loads
from load import farms
import score
from score import check

SLAVES, BUILDS = 50, 200 if farms.SANITIZED else 400

# What is left of what wasn't synced: up to which step of names, and whether a write of bytes is.
LEFT = {
    "nothing": (lambda first, last, dice: first, lambda dice: False),
    "names": (lambda first, last, dice: last, lambda dice: False),
    "some": (lambda first, last, dice: dice.randint(first, last), lambda dice: dice.random() < 0.5),
    "most": (lambda first, last, dice: last, lambda dice: dice.random() < 0.9),
}


def is_whole(log):
    try:
        gzip.decompress(log.read_bytes())
        return log.stat().st_size > 0
    except (OSError, EOFError, ValueError):
        return False


def log_of(farm, build_id):
    number = f"{build_id:012}"
    return farm.www / "logs" / number[:4] / number[4:8] / f"{number[8:]}.txt.gz"


def metadata_differences(farm, wheel, package):
    path = farm.www / "simple" / package / wheel
    with zipfile.ZipFile(path) as archive:
        own, = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        own = archive.read(own)
    beside = path.with_name(f"{wheel}.metadata")
    return [] if beside.read_bytes() == own else [f"{beside} is not the wheel's own"]


def torn_logs(farm):
    """Those that are half there. (One whose build has no row may stay, whole.)"""
    return [str(log) for log in (farm.www / "logs").rglob("*.gz") if not is_whole(log)]


def check_site(farm, name, ended, synced):
    left = loads.left_over(farm, 90, lambda: loads.staged(farm), lambda: loads.unplaced(farm), lambda: torn_logs(farm))
    check(f"{name}.nothing is on its way for ever", not left, left[:10])
    recorded = {(row[0], row[1]): row[2] for row in farm.rows("SELECT package, version, status FROM builds")}
    lost = [build for build, (how, _) in ended.items() if recorded.get(build) != ("t" if how == "good" else "f")]
    check(f"{name}.each of {len(ended)} DONEs has its row", not lost, lost[:10])
    files = {row[0]: row[1:] for row in farm.rows("SELECT filename, b.package, filehash FROM files JOIN builds b USING (build_id)")}
    wrong = [text for wheel, row in files.items() for text in loads.wheel_differences(farm, wheel, row[1], row)]
    check(f"{name}.each row of {len(files)} files has its file, whole", not wrong, wrong[:10])
    wrong = [] if wrong else [text for wheel, row in files.items() for text in metadata_differences(farm, wheel, row[0])]
    check(f"{name}.and its metadata", not wrong, wrong[:10])
    torn = torn_logs(farm)
    check(f"{name}.each log is whole", not torn, torn[:10])
    rows = {log_of(farm, int(row[0])) for row in farm.rows("SELECT build_id FROM builds")}
    gone = [str(log) for log in rows if str(log) in synced and not log.exists()]
    check(f"{name}.logs that were synced are there", not gone, gone[:10])
    stray = {path.name for path in (farm.www / "simple").rglob("*.whl")} - files.keys()
    check(f"{name}.nothing is published without a row", not stray, sorted(stray)[:10])


def run(farm, name, ended, dice):
    farm.stop_process(farm.master)
    recording = crash.Recording(farm, name)
    farm.start_master(env=recording.env())
    load = loads.Load(farm, "--slaves", str(SLAVES), "--fail-percent", "30", *loads.MIXED, name=f"load-{name}")
    load.wait_built(BUILDS + dice.randint(0, 200), 120)
    farm.master.kill()
    farm.forget(farm.master)
    load.process.kill()
    farm.forget(load.process)
    builds, _ = load.ended()
    ended.update(builds)
    names, data = LEFT[name.split("-")[0]]
    steps = recording.crash(lambda first, last: names(first, last, dice), lambda: data(dice))
    check(f"{name}.there was much at once", len(builds) >= BUILDS, len(builds))
    farm.start_master()
    check_site(farm, name, ended, set(steps.synced()))


def main():
    seed = random.randrange(1 << 30)
    print(f"seed {seed}", flush=True)
    dice = random.Random(seed)
    with farms.Farm() as farm:
        try:
            loads.start(farm, 1500, 8)
            ended = {}
            for name in ("nothing", "names", "some-1", "some-2", "most"):
                run(farm, name, ended, dice)
            check("builds of each kind", not loads.missing_kinds(farm), loads.missing_kinds(farm))
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
