#!/usr/bin/python3
"""How long a slave that waits for a master has to wait, from the start of the master's process to BUILD, with 100,000 and
500,000 packages, of two versions each, that wait. Beside it a bare ROUTER's process, and the 0.3 s that a start may take
more.

test/bench/bench_start.py [tiny | small] [--against BUILD]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO.
"""

import sys
import time

import rig

SCALES = {"": ((100000, 500000), 7), "small": ((100000,), 5), "tiny": ((1000,), 1)}  # packages; starts
ALLOWED_S = 0.3
VERSIONS = 2
PATIENCE_S = 900
# As the queue has them when it has been filled: keys, ages and notes are what a full computation would make.
FILL = ("SET session_replication_role = replica; SET synchronous_commit = off;"
        "INSERT INTO packages (package) SELECT 'start-' || n FROM generate_series({first}, {last}) n;"
        "INSERT INTO package_names (package, name) SELECT 'start-' || n, 'start-' || n FROM generate_series({first}, {last}) n;"
        "INSERT INTO versions (package, version, released) SELECT 'start-' || n, '1.' || v, timestamp '2015-01-01' + "
        "n * interval '5 minutes' FROM generate_series({first}, {last}) n, generate_series(1, {versions}) v;"
        "INSERT INTO piw.ages (released, package, version) SELECT released, package, version FROM versions ON CONFLICT DO NOTHING;"
        "INSERT INTO piw.queue SELECT * FROM piw.full_queue() ON CONFLICT DO NOTHING;"
        "SELECT piw.recount_queue()")


def fill(side, first, last):
    side.stop_process(side.master)
    side.run([rig.farms.cluster.tools() / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", side.dir / "s", "-U", "postgres", "-d",
              "piwheels", "-c", FILL.format(first=first, last=last, versions=VERSIONS)], timeout=PATIENCE_S)
    side.run([rig.farms.cluster.tools() / "psql", "-XAtq", "-h", side.dir / "s", "-U", "postgres", "-d", "piwheels", "-c",
              "VACUUM ANALYZE"], timeout=PATIENCE_S)
    side.psql("CHECKPOINT")


def first_build(slave_queue, side, start):
    """From `start` to a waiting slave's BUILD, in seconds. One that is there before the master asks again each millisecond."""
    with side.meanwhile("--slaves", 1, "--builds", 1, "--fail-percent", "100", "--poll", "1ms", "--wait", "60s",
                        slave_queue=slave_queue) as found:
        time.sleep(0.3)  # the slave's process has started
        began = time.monotonic()
        start()
    return found[0].figures["first_build_at_s"] - began, found[0]


def started(side):
    taken, window = first_build(side.socket("slave"), side, side.start_master)
    side.stop_process(side.master)
    return taken, window


def bare_started(side):
    bare = []
    taken, _ = first_build(side.socket("bare-slave"), side, lambda: bare.append(rig.Bare(side)))
    bare[0].__exit__()
    return taken


def starts(found, packages, count):
    bare = []

    def limit(_quiet):
        bare.append(bare_started(found[0]))
        return bare[-1] + ALLOWED_S

    taken = rig.Turns(f"start_first_build_{packages}", "s", found)
    taken.take(count, started, limit)
    rig.line("start_bare", rig.middle(bare), "s")
    taken.report(better=lambda ours, theirs: theirs / max(ours, rig.TINY))


def main():
    args = rig.arguments(__doc__, SCALES)
    sizes, count = SCALES[args.scale]
    with rig.sides(args.against) as found:
        filled = 0
        for packages in sizes:
            for side in found:
                fill(side, filled + 1, packages)
            filled = packages
            starts(found, packages, count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
