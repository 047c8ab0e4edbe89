#!/usr/bin/python3
"""What recording a build costs the database: the_oracle's writer on one connection, durable, with 1, 10, 100 and 500 builds under way
(bench_record.c); how many statements are planned for a build, how many transactions are committed, how often the server's
log is synced. Failed builds, and such with a wheel. The queue is kept up to date by the_architect meanwhile, which counts too.

test/bench/bench_record.py [tiny|small]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO. The limit of the first is as many
builds as this folder takes fdatasyncs a second.
"""

import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import farm as farms  # pylint: disable=wrong-import-position

PACKAGES, VERSIONS = 10000, 10
WINDOWS = (1, 10, 100, 500)
BOUND_S = 900
SYNCS = 200
# Plans are counted in runs of their own, for counting takes time too.
COUNTED = 0.25
FILL = (
    f"INSERT INTO packages SELECT 'package-' || p FROM generate_series(1, {PACKAGES}) p",
    f"INSERT INTO versions SELECT 'package-' || p, v || '.0', timestamp '2015-01-01' + (p * 7919::bigint % 100000 + v * 1000) * "
    f"interval '37 minutes' FROM generate_series(1, {PACKAGES}) p, generate_series(1, {VERSIONS}) v",
    "VACUUM ANALYZE",
)
DONE = """SELECT xact_commit, (SELECT wal_sync FROM pg_stat_wal),
    (SELECT coalesce(sum(plans), 0) FROM pg_stat_statements s WHERE s.dbid = d.datid)
    FROM pg_stat_database d WHERE datname = 'piwheels'"""


def line(name, value, unit, limit=None):
    compared = f"{limit:.3f}\t{value / limit:.3f}" if limit else "\t"
    print(f"record.{name}\t{value:.3f}\t{unit}\t{compared}", flush=True)


def sync_s(folder):
    """Seconds that an fdatasync of a page takes."""
    path = folder / "synced"
    with open(path, "wb", buffering=0) as file:
        times = []
        for number in range(SYNCS):
            os.pwrite(file.fileno(), bytes(8192), number * 8192 % 81920)
            began = time.monotonic()
            os.fdatasync(file.fileno())
            times.append(time.monotonic() - began)
    path.unlink()
    return sorted(times)[SYNCS // 2]


def settled(farm):
    """The master's sessions have ended, so that all is counted."""
    farm.wait("the end of the sessions", lambda: farm.value(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'piwheels'") == "0", alive=False)
    return [int(cell) for cell in farm.psql(DONE, database="postgres")[0]]


class Recorder:
    def __init__(self, farm):
        self.farm, self.first = farm, 1000

    def run(self, count, window, kind):
        """Seconds, and what the server did meanwhile for a build, but for start and end: commits, syncs, plans."""
        before = settled(self.farm)
        self.once(1, 1, kind)
        began = settled(self.farm)
        seconds = self.once(count, window, kind)
        after = settled(self.farm)
        return seconds, [max(c - b - (b - a), 0) / (count - 1) for a, b, c in zip(before, began, after)]

    def once(self, count, window, kind):
        done = self.farm.run([self.farm.dir / "bench" / "bench_record", self.farm.dsn(), self.farm.dir / "inst" / "plugins", self.first, count,
                              window, kind], timeout=BOUND_S)
        self.first += count
        return float(done.stdout.split()[-1])


def install(farm):
    """The bench where an unprivileged user reaches it, with the tests' library."""
    for part in ("bench", "test/lib"):
        (farm.dir / part).mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", f"{farms.BUILD / part}/.", str(farm.dir / part)], check=True)
    subprocess.run(["chmod", "-R", "a+rX", str(farm.dir / "bench"), str(farm.dir / "test")], check=True)


def main():
    scale = sys.argv[1] if len(sys.argv) > 1 else ""
    times = {"tiny": 1, "small": 4}.get(scale, 20)
    with farms.Farm(durable=True) as farm:
        farm.postgres_options = ["shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track=all"]
        farm.prepare()
        install(farm)
        farm.start_postgres()
        farm.create_database(["cp39", "cp311"])
        farm.psql("CREATE EXTENSION pg_stat_statements", database="postgres")
        for statement in FILL:
            farm.psql(statement)
        farm.wait("the queue", lambda: farm.psql("SELECT piw.drain(20000)") == [["f"]], 120)
        farm.psql("VACUUM ANALYZE")
        recorder = Recorder(farm)
        for kind in ("fail", "wheels"):
            for window in WINDOWS:
                count = times * (50 if window == 1 else 100) + window
                limit = 1 / sync_s(farm.dir) if window == 1 else None
                seconds, (commits, syncs, _) = recorder.run(count, window, kind)
                line(f"{kind}_{window}", count / seconds, "builds/s", limit)
                line(f"{kind}_{window}_commits", commits, "commits/build")
                line(f"{kind}_{window}_syncs", syncs, "syncs/build")
        farm.psql("ALTER ROLE piwheels SET pg_stat_statements.track_planning = on")
        for kind in ("fail", "wheels"):
            for window in WINDOWS:
                count = int(times * 100 * COUNTED) + window
                line(f"{kind}_{window}_plans", recorder.run(count, window, kind)[1][2], "plans/build")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except farms.Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        sys.exit(1)
