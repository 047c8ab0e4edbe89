#!/usr/bin/python3
"""Tasks are swapped a thousand times each (250 times with sanitizers, which see what is wrong in any of them) while fifty simulated slaves build one small wheel, a larger one, or two, and transfer as fast as they can, and the
database is away for a while: no slave notices, every build is recorded once, every file and page is right. Then the same
load while slave_driver's handler fails again and again.

TEST-TIMEOUT: 600
TEST-LOAD: alone
"""

import json
import re
import signal
import sys

import load as loads
from load import farms
import score
from score import check

SWAPS = 250 if farms.SANITIZED else 1000  # of each task
SWAPS_AWAY = 75 if farms.SANITIZED else 300  # of all tasks, while the database is away
FAILING_BUILDS = 200  # in the second run; a thousand failures are in test/unit/test_driver_failures.c
FAIL_EVERY = 10  # reports
FAILING_RATE = 100  # builds a second: more than 20 failures in one and the task would be restarted
BUILDS_BEFORE = 50  # the load runs before the database goes
PAUSE_MS = 10  # what a swap may cost, at p99
JOURNAL_MAX = 2500  # bytes for each of a second's builds, which they need twice, and some; all of them need a multiple
# What the master must never say of all this.
FAULTS = re.compile(r"dead letter|without an answer|can't take over|stuck|out of order|did not start|is restarted", re.I)


def check_load(name, load, figures):
    check(f"{name}.no slave has a complaint", load.process.popen.returncode == 0 and figures.get("violations") == 0,
          load.complaints() or f"exit {load.process.popen.returncode}")
    check(f"{name}.every request has its answer", figures.get("requests", 0) > 0 and
          figures["requests"] == figures["answers"], f"{figures.get('requests')} and {figures.get('answers')}")
    check(f"{name}.no file is asked for twice", figures.get("files_again") == 0 and figures.get("pieces_again") == 0,
          f"{figures.get('files_again')} files, {figures.get('pieces_again')} pieces")


def check_records(name, farm, *loads_done):
    """What the slaves were told is what the database and the disk have."""
    ended = {}
    for load in loads_done:
        builds, twice = load.ended()
        check(f"{name}.{load.process.name}: no version is built twice", not twice and not builds.keys() & ended.keys(),
              twice)
        ended.update(builds)
    try:
        loads.wait_recorded(farm, len(ended))
    except farms.Failure as error:
        check(f"{name}.all that was promised is recorded", False, error)
        return
    wrong = loads.differences(farm, ended)
    check(f"{name}.each of {len(ended)} builds is recorded once, its files whole", not wrong, wrong)
    try:
        farm.wait("the pages", lambda: not loads.unlisted(farm, ended), 60)
        check(f"{name}.every file is on its page", True)
    except farms.Failure:
        check(f"{name}.every file is on its page", False, loads.unlisted(farm, ended))


def swapped(farm):
    return farm.master.text().count(" is replaced by ")


def deferred(farm):
    done = farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), "--json",
                     "list"])
    return next(row["deferred"] for row in json.loads(done.stdout)["tasks"] if row["task"] == "slave_driver")


def test_swaps(farm):
    postgres = next(process for process in farm.processes if process.name == "postgres")
    load = loads.Load(farm, "--fail-percent", "20", *loads.MIXED, "--swap-every", "5ms", swaps=SWAPS)
    load.wait_built(BUILDS_BEFORE)
    postgres.kill(signal.SIGQUIT)  # as pg_ctl stop -m immediate
    farm.forget(postgres)
    # From then on each report that can't be recorded is a deferred request of slave_driver.
    farm.wait("requests that are deferred", lambda: deferred(farm) > 0)
    away = swapped(farm)
    farm.wait("swaps while the database is away", lambda: swapped(farm) >= away + SWAPS_AWAY, 60)
    check("swaps.requests are deferred all the while", deferred(farm) > 0, deferred(farm))
    farm.start_postgres()
    figures = load.finish(200)
    for task in loads.SWAPPED:
        check(f"swaps.{task} was swapped {SWAPS} times", figures.get(f"swaps_{task}") == SWAPS,
              figures.get(f"swaps_{task}"))
        pause = figures.get(f"pause_{task}_p99_us", 1e9) / 1000
        print(f"# {task}: pause p99 {pause:.3f} ms, max {figures.get(f'pause_{task}_max_us', 0) / 1000:.3f} ms")
        if not farms.SANITIZED:
            check(f"swaps.{task} pauses less than {PAUSE_MS} ms", pause < PAUSE_MS, f"{pause} ms at p99")
    print(f"# {figures.get('builds', 0):.0f} builds, {figures.get('transfers', 0):.0f} transfers, "
          f"{figures.get('seconds', 0):.1f} s")
    check_load("swaps", load, figures)
    return load, figures.get("builds", 0) / figures.get("seconds", 1)


def test_failures(farm, before):
    """Every so often the handler of BUILT fails; the queue gives it the report once more."""
    farm.stop_process(farm.master)
    # However far the first load came with what there was, this one has enough to build.
    loads.fill(farm, FAILING_BUILDS, 2, "failing")
    farm.start_master(faults=f"driver.built=error/{FAIL_EVERY}")
    load = loads.Load(farm, "--fail-percent", "50", "--builds", str(FAILING_BUILDS), "--rate",
                      str(FAILING_RATE), *loads.MIXED, name="failing")
    figures = load.finish(300)
    failed = farm.master.text().count("slave_driver: BUILT failed")
    check("failures.the handler failed", failed >= FAILING_BUILDS // FAIL_EVERY, failed)
    check("failures.all builds end", figures.get("builds") == FAILING_BUILDS, figures.get("builds"))
    check_load("failures", load, figures)
    check_records("failures", farm, before, load)


def main():
    with farms.Farm() as farm:
        loads.start(farm, 500, 60)  # more than is built while so many swaps take place
        if not (farm.dir / "s" / "admin").exists():
            score.skip("swap_load", "this master serves no admin queue")
            return 0
        load, rate = test_swaps(farm)
        check_records("swaps", farm, load)
        check("swaps.builds of each kind", not loads.missing_kinds(farm), loads.missing_kinds(farm))
        # Behind its records are zeros, more where much was open.
        size = sum(len(file.read_bytes().rstrip(b"\0")) for file in (farm.www / ".staging").glob("journal.*"))
        check("swaps.builds that are over leave the journal, however often file_juggler is swapped", size < JOURNAL_MAX * rate,
              f"{size} bytes, {rate:.0f} builds a second")
        print(f"# journal: {size} bytes, {rate:.0f} builds a second")
        said = [line for line in farm.master.text().splitlines() if FAULTS.search(line)]
        check("swaps.the master has nothing to regret", not said, said[:10])
        test_failures(farm, load)
        if score.failures:
            farm.show_logs()
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
