#!/usr/bin/python3
"""How the work grows with the size of a farm: at three sizes, each ten times the one before, the processor time that master and
PostgreSQL spend together, for
slaves: a failed build by each of so many that are connected;
packages: a start until READY, with so many of which a version waits;
versions: so many that come at once, until the queue has them;
files: the pages of a package that has so many;
pending_pages: a start that finds so many pages to be written, until all are.

Each is drawn into build/bench/growth/NAME.svg. The exit code is 1 where one grows worse than n log n, from the second size to the
third. `make bench PLOT=1` runs it.

test/bench/bench_growth.py [tiny | small]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO.
"""

import sys

import plot
import rig

# The first of three sizes, and how often each is measured: the least counts, for what a machine does besides only adds to it.
SCALES = {"": ({"slaves": 10, "packages": 5000, "versions": 2000, "files": 100, "pending_pages": 100}, 1),
          "small": ({"slaves": 10, "packages": 500, "versions": 500, "files": 30, "pending_pages": 20}, 3),
          "tiny": ({"slaves": 2, "packages": 20, "versions": 200, "files": 5, "pending_pages": 5}, 3)}
SIZES = 3
WORSE = 1.25  # times n log n: what measuring may be off
QUICK = "SET session_replication_role = replica; SET synchronous_commit = off;"
PAGES_S = 600
# Within the server, where looking costs little.
NOTED = ("DO $$ BEGIN WHILE EXISTS (SELECT FROM piw.dirty) OR EXISTS (SELECT FROM piw.dirty_later) OR EXISTS (SELECT FROM piw.refills) "
         "LOOP PERFORM pg_sleep(0.05); END LOOP; END $$")


class Meter:
    """Processor time of a farm's master and server, in milliseconds."""

    def __init__(self, side):
        self.side = side
        self.began = self.now()

    def now(self):
        total = self.side.postgres_ns()
        if self.side.master is not None and self.side.master.running():
            total += rig.cpu_ns(self.side.master.pid)
        return total / 1e6

    def spent(self):
        return self.now() - self.began


def slaves(side, size, _turn):
    """Each has one build in the end; many more are counted, since that is little."""
    side.supply(2)
    window = side.load(*rig.window_options(size, 2), "--fail-percent", "100")
    return (window.cpu_us["master"] + window.cpu_us["PostgreSQL"]) / 1000 * size


def restarted(side, until):
    """From a start with a database that is as it is, to `until`. The master that ran is gone, and its time with it."""
    meter = Meter(side)
    side.start_master()
    until()
    return meter.spent()


def packages(side, size, _turn):
    side.stop_process(side.master)
    side.psql(f"{QUICK} TRUNCATE packages CASCADE; TRUNCATE piw.queue, piw.ages, piw.dirty, piw.refills;"
              f"INSERT INTO packages (package) SELECT 'grown-' || n FROM generate_series(1, {size}) n;"
              f"INSERT INTO package_names (package, name) SELECT 'grown-' || n, 'grown-' || n FROM generate_series(1, {size}) n;"
              f"INSERT INTO versions (package, version, released) SELECT 'grown-' || n, '1.0', '2024-01-01'::timestamp FROM "
              f"generate_series(1, {size}) n;"
              "INSERT INTO piw.ages (released, package, version) SELECT released, package, version FROM versions;"
              "INSERT INTO piw.queue SELECT * FROM piw.full_queue(); SELECT piw.recount_queue()")
    side.psql("VACUUM ANALYZE")
    return restarted(side, lambda: None)


def versions(side, size, turn):
    each, name = 10, f"many-{size}-{turn}"
    side.settle()  # what came before is on the disk
    meter = Meter(side)
    series = f"generate_series(1, {size // each}) n"
    side.psql(f"INSERT INTO packages (package) SELECT '{name}-' || n FROM {series};"
              f"INSERT INTO versions (package, version, released) SELECT '{name}-' || n, '1.' || v, '2024-01-01'::timestamp FROM "
              f"{series}, generate_series(1, {each}) v")
    side.psql(NOTED)
    return meter.spent()


def pages_of(side, names):
    return all((side.www / "simple" / name / "index.html").exists() for name in names)


def write_pages(side, prefix, count):
    """The master is stopped and finds that the pages of these packages are due."""
    side.psql(f"INSERT INTO rewrites_pending (package, added_at, command) SELECT '{prefix}-' || n, '2024-01-01', 'BOTH' "
              f"FROM generate_series(1, {count}) n ON CONFLICT DO NOTHING")
    names = [f"{prefix}-{n}" for n in range(1, count + 1)]
    return restarted(side, lambda: side.wait("the pages", lambda: pages_of(side, names), PAGES_S))


def add_built(side, prefix, count, files):
    """So many packages of one version, with so many files each."""
    side.psql(f"{QUICK} CREATE TEMP TABLE added AS SELECT '{prefix}-' || n AS name FROM generate_series(1, {count}) n;"
              "INSERT INTO packages (package) SELECT name FROM added;"
              "INSERT INTO package_names (package, name) SELECT name, name FROM added;"
              "INSERT INTO versions (package, version, released) SELECT name, '1.0', '2024-01-01'::timestamp FROM added;"
              "INSERT INTO builds (package, version, built_by, built_at, duration, abi_tag, status) SELECT name, '1.0', 1, "
              f"'2024-01-01'::timestamp, '30 s', '{rig.ABI}', true FROM added;"
              "INSERT INTO files (filename, build_id, filesize, filehash, package_tag, package_version_tag, py_version_tag, abi_tag, "
              "platform_tag, location) SELECT replace(b.package, '-', '_') || '-1.0-' || lpad(f::text, 6, '0') || "
              f"'-{rig.ABI}-{rig.ABI}-linux_armv7l.whl', b.build_id, 1000, repeat('a', 64), replace(b.package, '-', '_'), '1.0', '{rig.ABI}', "
              f"'{rig.ABI}', 'linux_armv7l', '/simple' FROM builds b JOIN added ON added.name = b.package, generate_series(1, {files}) f; ")


def files(side, size, turn):
    side.stop_process(side.master)
    add_built(side, f"full-{size}-{turn}", 1, size)
    return write_pages(side, f"full-{size}-{turn}", 1)


def pending_pages(side, size, turn):
    side.stop_process(side.master)
    add_built(side, f"due-{size}-{turn}", size, 2)
    return write_pages(side, f"due-{size}-{turn}", size)


KINDS = {"slaves": slaves, "versions": versions, "files": files, "pending_pages": pending_pages, "packages": packages}


def grow(side, name, first, rounds):
    """Whether it grew as it may."""
    sizes = [first * 10**step for step in range(SIZES)]
    values = [min(KINDS[name](side, size, turn) for turn in range(rounds)) for size in sizes]
    allowed = plot.n_log_n(sizes[1:], values[1:])[-1]
    for size, value in zip(sizes[:-1], values):
        rig.line(f"growth_{name}_{size}", value, "ms of CPU")
    rig.line(f"growth_{name}_{sizes[-1]}", values[-1], "ms of CPU", allowed)
    folder = rig.farms.ROOT / "build" / "bench" / "growth"
    folder.mkdir(parents=True, exist_ok=True)
    plot.draw(folder / f"{name}.svg", f"CPU of master and PostgreSQL by {name.replace('_', ' ')}", name.replace("_", " "), "ms", sizes, values)
    if values[-1] > WORSE * allowed:
        rig.say(f"growth_{name}: from {sizes[1]} to {sizes[2]} it grows worse than n log n")
    return values[-1] <= WORSE * allowed


def main():
    args = rig.arguments(__doc__, SCALES)
    firsts, rounds = SCALES[args.scale]
    # Pages are what is measured here, so they don't wait.
    with rig.sides(None, {"the_secretary": {"hold": "1s"}, "cloud_gazer": {"poll": "10m"}}) as found:
        sound = [grow(found[0], name, firsts[name], rounds) for name in KINDS]
    return 0 if all(sound) else 1


if __name__ == "__main__":
    sys.exit(main())
