#!/usr/bin/python3
"""How fast PyPI's log of changes comes into the database: a log of a million events from the stand-in, read by the whole
master over XML-RPC, until the database has stored the last serial. Pages are held and descriptions can't be had meanwhile.
Beside it COPY of the same packages, names and versions, as a superuser, into the same tables and triggers.

test/bench/bench_pypi.py [tiny | small | medium] [--against BUILD]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO. The middle
of RUNS, in turn.
"""

import contextlib
import pathlib
import sys
import time

import rig

farms = rig.farms

VERSIONS = 4  # of each package; with the package itself that many events and one more
AIM = 50000  # events a second
SCALES = {"": (200000, 2), "medium": (60000, 2), "small": (20000, 2), "tiny": (2000, 1)}  # packages, runs
FIRST_SERIAL = 20000001  # where the stand-in begins
FIRST_TIME = 1600000000


def write_log(path, packages):
    """The stand-in's kept log: serial, time, name, version, action, source. Returns the last serial."""
    serial = FIRST_SERIAL
    with open(path, "w", encoding="utf-8") as file:
        for package in range(packages):
            name = f"bench-{package}"
            file.write(f"{serial}\t{FIRST_TIME + serial - FIRST_SERIAL}\t{name}\t\tcreate\t-\n")
            serial += 1
            for version in range(VERSIONS):
                file.write(f"{serial}\t{FIRST_TIME + serial - FIRST_SERIAL}\t{name}\t1.{version}\tadd source file x\t-\n")
                serial += 1
        file.write(f"{serial}\t{FIRST_TIME + serial - FIRST_SERIAL + 400}\tbench-0\t\tadd Owner clock\t-\n")
    path.chmod(0o644)
    return serial - 1


def empty(farm):
    farm.psql("TRUNCATE packages, rewrites_pending, piw.dirty, piw.dirty_later, piw.refills, piw.pages_due, "
              f"piw.applied_serials CASCADE; UPDATE configuration SET pypi_serial = {FIRST_SERIAL - 1}")
    farm.psql("VACUUM ANALYZE")


def reached(farm, last):
    """Looked at in the database, so that many looks are no load; for two seconds each time."""
    farm.psql("DO $$ BEGIN FOR look IN 1..100 LOOP "
              f"EXIT WHEN (SELECT pypi_serial FROM public.configuration) >= {last}; COMMIT; PERFORM pg_sleep(0.02); COMMIT; "
              "END LOOP; END $$")
    return int(farm.value("SELECT pypi_serial FROM configuration")) >= last


def follow(farm, last, events):
    empty(farm)
    began = time.monotonic()
    farm.start_master()
    while not reached(farm, last):  # one look after the other: farm.wait would rest as long as one lasts
        assert farm.master.running() and time.monotonic() - began < 600
    seconds = time.monotonic() - began
    assert farm.value("SELECT count(*) FROM versions") == str(events * VERSIONS // (VERSIONS + 1))
    farm.stop_process(farm.master)
    return events / seconds


def copy(farm, folder, packages, events):
    """The same rows, from files on the server."""
    empty(farm)
    with open(folder / "packages", "w", encoding="utf-8") as file:
        file.writelines(f"bench-{n}\n" for n in range(packages))
    with open(folder / "names", "w", encoding="utf-8") as file:
        file.writelines(f"bench-{n}\tbench-{n}\t2020-09-13 12:26:40\n" for n in range(packages))
    with open(folder / "versions", "w", encoding="utf-8") as file:
        file.writelines(f"bench-{n}\t1.{v}\t2020-09-13 12:26:40\n" for n in range(packages) for v in range(VERSIONS))
    began = time.monotonic()
    farm.psql(f"COPY packages (package) FROM '{folder}/packages'; "
              f"COPY package_names (package, name, seen) FROM '{folder}/names'; "
              f"COPY versions (package, version, released) FROM '{folder}/versions'")
    return events / (time.monotonic() - began)


class Run:
    """One master's run, or one COPY; nothing of it waits for the disk."""

    quiet = True

    def __init__(self, rate):
        self.rate = rate

    def __str__(self):
        return f"{self.rate:.0f} events/s"


def begin(farm, packages):
    farm.prepare()
    farm.start_postgres()
    farm.create_database([])
    farm.psql("INSERT INTO build_abis (abi_tag) VALUES ('cp311')")
    last = write_log(farm.folder("pypi") / ".changelog", packages)
    farm.start_pypi()
    farm.task_options["the_secretary"] = {"hold": "1h"}
    farm.master_options = ["--pypi-json", "http://127.0.0.1:9/none"]
    return last


def main():
    args = rig.arguments(__doc__, SCALES)
    packages, runs = SCALES[args.scale]
    events = packages * (VERSIONS + 1)
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(farms.Farm(build=build)) for build in (farms.BUILD, args.against) if build]
        for farm, name in zip(found, ("this", "that")):
            farm.name = name
        last = [begin(farm, packages) for farm in found][0]
        folder = found[0].folder("copy")

        def measure(farm):
            run = Run(follow(farm, last, events))
            return run.rate, run

        taken = rig.Turns("pypi", "events/s", found)
        taken.take(runs, measure, lambda _quiet: copy(found[0], folder, packages, events))
        rate = taken.report()
    rig.line("pypi_aim", rate, "events/s", AIM)
    return 0


if __name__ == "__main__":
    sys.exit(main())
