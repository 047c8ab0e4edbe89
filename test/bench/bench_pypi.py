#!/usr/bin/python3
"""How fast PyPI's log of changes comes into the database: a log of a million events from the stand-in, read by the whole
master over XML-RPC, until the database has stored the last serial. Pages are held and descriptions can't be had meanwhile.
Beside it COPY of the same packages, names and versions, as a superuser, into the same tables and triggers.

test/bench/bench_pypi.py [tiny | small | medium]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO. Best of RUNS, in turn.
"""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import farm as farms  # pylint: disable=wrong-import-position

VERSIONS = 4  # of each package; with the package itself that many events and one more
AIM = 50000  # events a second
SCALES = {"": (200000, 2), "medium": (60000, 2), "small": (20000, 2), "tiny": (2000, 1)}  # packages, runs
FIRST_SERIAL = 20000001  # where the stand-in begins
FIRST_TIME = 1600000000


def line(name, value, unit, limit=None):
    compared = f"{limit:.0f}\t{value / limit:.3f}" if limit else "\t"
    print(f"{name}\t{value:.0f}\t{unit}\t{compared}", flush=True)


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
    farm.wait("the last serial", lambda: reached(farm, last), 600)
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


def main():
    packages, runs = SCALES[sys.argv[1] if len(sys.argv) > 1 else ""]
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database(abis=["cp311"])
        last = write_log(farm.folder("pypi") / ".changelog", packages)
        events = packages * (VERSIONS + 1)
        farm.start_pypi()
        farm.task_options["the_secretary"] = {"hold": "1h"}
        farm.master_options = ["--pypi-json", "http://127.0.0.1:9/none"]
        folder = farm.folder("copy")
        best = [max(pair) for pair in zip(*((follow(farm, last, events), copy(farm, folder, packages, events))
                                            for _ in range(runs)))]
    line("pypi.events", best[0], "events/s", best[1])
    line("pypi.aim", best[0], "events/s", AIM)
    return 0


if __name__ == "__main__":
    sys.exit(main())
