#!/usr/bin/python3
"""What the writer calls for each build is planned once a session, also when that was while the tables were empty; and what
a build costs doesn't grow with its group or with the tables. The same of what is worked off in slices.

TEST-TIMEOUT: 300
"""

import re
import sys

import cluster
import farm as farms
import score
from score import check

PACKAGES, VERSIONS, OLD = 1500, 20, 20000
KINDS = ("attempts", "failures", "builds", "ends", "drain", "mark")
ROWS_MAX = 60  # read for a build; a table read whole has thousands
BLOCKS_MAX = 60  # read for a key
GROWTH_MAX = 3  # of the processor time of a build, in a group of 500 beside one of 100

SCHEMA = f"""
INSERT INTO build_abis VALUES ('cp39'), ('cp311');
INSERT INTO packages SELECT 'p' || p FROM generate_series(1, {PACKAGES}) p;
INSERT INTO versions SELECT 'p' || p, v FROM generate_series(1, 4) p, generate_series(1, {VERSIONS}) v;
SELECT piw.drain();
"""
# No statistics, and nothing else, tell the session that its tables have grown.
FILL = f"""
INSERT INTO versions SELECT 'p' || p, v, timestamp '2020-01-01' + (p * 31 + v) * interval '1 hour'
    FROM generate_series(5, {PACKAGES}) p, generate_series(1, {VERSIONS}) v;
INSERT INTO builds (build_id, package, version, built_by, built_at, duration, abi_tag)
    SELECT 1000000 + n, 'p' || 5 + n % 1400, 1 + n % 7, 1, timestamp '2024-01-01' + n * interval '1 minute', '1 s', 'cp39'
    FROM generate_series(1, {OLD}) n;
INSERT INTO files SELECT package || '-' || version || '-' || build_id || '.whl', build_id, 10, repeat('a', 64), package, version, 'cp39',
    'cp39', 'any', NULL FROM builds WHERE build_id > 1000000;
INSERT INTO piw.attempts (slave_id, package, version, abi_tag)
    SELECT 100000 + n, 'p' || 5 + n % 1400, 1 + n % {VERSIONS}, 'cp39' FROM generate_series(1, {OLD}) n;
SELECT piw.drain(100000);
"""
ARRAYS = "$1::integer[], $1::integer[], $2::text[], $3::text[], $4::text[]"
PREPARE = f"""
PREPARE attempts AS SELECT piw.begin_attempts($1::integer[], $2::text[], $3::text[], $4::text[]);
PREPARE ends AS SELECT piw.end_attempts($1::integer[], $2::text[], $3::text[], $4::text[], $4::text[]);
PREPARE failures AS SELECT piw.record_failures({ARRAYS}, $5::bigint[]);
PREPARE builds AS SELECT piw.record_builds({ARRAYS}, $6::boolean[], $5::bigint[], $7::integer[], $8::text[], $5::integer[],
    $9::text[], $2::text[], $3::text[], $4::text[], $4::text[], $4::text[], $2::text[], $4::text[], $9::text[], $7::integer[], $10::text[],
    $2::text[]);
PREPARE mark AS SELECT piw.mark_commit(0, 1);
PREPARE drain AS SELECT piw.drain();
SELECT pg_backend_pid() AS pid \\gset
\\setenv PID :pid
"""
READ = "SELECT 'read', sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables;\n"
TIME = "\\! echo time \"$(cut -d' ' -f1 /proc/$PID/schedstat)\"\n"
PLANNED = """SELECT 'planned', coalesce(sum(plans), 0), coalesce(string_agg(plans || ' ' || left(query, 60), ', ') FILTER (WHERE plans > 0), '')
FROM pg_stat_statements WHERE NOT toplevel;
"""


def array(values):
    return "'{" + ",".join(map(str, values)) + "}'"


class Builds:
    """Statements that record groups of builds, each of a version of its own."""

    def __init__(self):
        self.number = 0

    def group(self, kind, count):
        numbers = range(self.number, self.number + count)
        self.number += count if kind in ("failures", "builds") else 0
        packages = array(f"p{1 + n // VERSIONS}" for n in numbers)
        versions, abis = array(1 + n % VERSIONS for n in numbers), array(["cp39"] * count)
        if kind in ("drain", "mark"):
            return f"EXECUTE {kind};\n"
        first = f"{array(numbers)}, {packages}, {versions}, {abis}"
        if kind in ("attempts", "ends"):
            return f"EXECUTE {kind}({first});\n"
        durations = array([1000000] * count)
        if kind == "failures":
            return f"EXECUTE failures({first}, {durations});\n"
        names = array(f"new-{n}.whl" for n in numbers)
        return (f"EXECUTE builds({first}, {durations}, {array('t' * count)}, {array(range(1, count + 1))}, {names}, "
                f"{array(f'{n:064d}' for n in numbers)}, {array(['apt'] * count)});\n")


def session(farm, text):
    """What one session prints, as tuples of words."""
    path = farm.dir / "tmp" / "session.sql"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    done = farm.run([cluster.tools() / "psql", "-XAtq", "-F", " ", "-v", "ON_ERROR_STOP=1", "-h", farm.dir / "s", "-U", "postgres",
                     "-d", "piwheels", "-f", path], timeout=200)
    return [line.split(" ", 2) for line in done.stdout.splitlines()]


def told(lines, word):
    return [line[1] for line in lines if line[0] == word]


# What is noted by the ten thousand, after its tables' statistics and the session's plans were made without a row.
SLICE = 500
SLICES = {
    "drain_later": "INSERT INTO piw.dirty_later (package, version) SELECT v.package, v.version FROM versions v LIMIT 20000;",
    "fold_downloads": "INSERT INTO piw.download_notes (package, filename, day, amount) SELECT 'p' || n % 9000, 'f' || n % 18000, "
                      "current_date, 20 FROM generate_series(1, 20000) n;",
    "shift_window": "UPDATE piw.download_window SET since = '2020-01-01'; "
                    "INSERT INTO piw.download_days SELECT '2020-01-01', 'p' || n, 1 FROM generate_series(1, 20000) n;",
    "shift_files": "INSERT INTO piw.file_days SELECT '2020-01-01', 'f' || n, 1 FROM generate_series(1, 20000) n;",
    "spread_popularity": "INSERT INTO piw.popularity_due SELECT 'p' || n FROM generate_series(1, 20000) n ON CONFLICT DO NOTHING;",
}


DAY = {"shift_files": "'2020-01-01', "}  # what it takes beside


def check_slices(farm):
    text = "DELETE FROM piw.popularity_due;\nDELETE FROM piw.download_days;\nDELETE FROM piw.file_days;\n"
    text += "UPDATE piw.download_window SET since = now()::date;\nVACUUM ANALYZE;\n"
    for name, fill in SLICES.items():
        call = f"SELECT piw.{name}({DAY.get(name, '')}{SLICE});\n"
        text += call * 7 + f"{fill}\nBEGIN;\n{READ}{call}{READ}COMMIT;\n"
    read = [int(value) for value in told(session(farm, text), "read")]
    for name, before, after in zip(SLICES, read[::2], read[1::2]):
        check(f"rows that a slice of {name} reads", after - before <= ROWS_MAX * SLICE, f"{after - before} for {SLICE}")


def check_empty_queue(farm):
    """Looked up by an index that merely has package and version, each key would read all of it."""
    keys = 100
    text = "TRUNCATE piw.queue;\nVACUUM ANALYZE piw.queue;\n" + "INSERT INTO piw.dirty VALUES ('p1', '1');\nSELECT piw.drain();\n" * 7
    text += "INSERT INTO piw.dirty SELECT package, version FROM versions;\nSELECT piw.drain();\n"
    text += f"INSERT INTO piw.dirty SELECT package, version FROM versions LIMIT {keys};\n"
    text += "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) SELECT piw.drain();\n"
    blocks = re.findall(r"shared hit=(\d+)", "\n".join(" ".join(line) for line in session(farm, text)))
    check("blocks read for keys of a queue that was empty", blocks and int(blocks[-1]) <= BLOCKS_MAX * keys, f"{blocks} for {keys}")


def check_downloads(farm):
    """A thousand downloads of two kinds of machine: the words that they are counted by are made for each kind, not for each row."""
    text = ("SET track_functions = 'all';\nINSERT INTO downloads (filename, accessed_by, accessed_at, arch, distro_name, distro_version, "
            "py_version) SELECT 'f' || n, '192.0.2.1', piw.utc_now(), 'armv7l', 'Debian', '12', '3.' || 11 + n % 2 "
            "FROM generate_series(1, 1000) n;\nSELECT pg_stat_force_next_flush();\nSELECT 'made', sum(calls) FROM pg_stat_user_functions "
            "WHERE schemaname = 'piw' AND funcname IN ('python_word', 'arch_word', 'distro_word');\n")
    made = told(session(farm, text), "made")
    check("words of a thousand downloads", made and 0 < int(made[0] or 0) <= 6, made)


def main():
    with farms.Farm() as farm:
        farm.postgres_options = ["shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track=all",
                                 "pg_stat_statements.track_planning=on", "autovacuum=off"]
        farm.prepare()
        farm.start_postgres()
        farm.psql("CREATE EXTENSION pg_stat_statements", database="piwheels")
        farm.psql(SCHEMA)
        builds = Builds()
        rounds = "".join(builds.group(kind, count) for _ in range(7) for kind in KINDS for count in (1, 2))
        text = PREPARE + rounds + FILL + "".join(builds.group(kind, 2) for kind in KINDS) + "SELECT pg_stat_statements_reset();\n"
        for kind in KINDS:
            text += "BEGIN;\n" + READ + builds.group(kind, 10) + READ + "COMMIT;\n"
        text += "".join(builds.group(kind, 1) for _ in range(5) for kind in KINDS) + PLANNED
        for kind in ("failures", "builds"):
            for count in (100, 500):
                text += TIME + "".join(builds.group(kind, count) for _ in range(500 // count)) + TIME
        lines = session(farm, text)
        read = [int(value) for value in told(lines, "read")]
        for kind, before, after in zip(KINDS, read[::2], read[1::2]):
            check(f"rows that {kind} reads", after - before <= ROWS_MAX * 10, f"{after - before} for 10 builds")
        planned = [line for line in lines if line[0] == "planned"][0]
        check("nothing is planned at each call", planned[1] == "0", planned)
        # What keeps the planner from reading a small table whole makes it think that this is dear: it would have such a plan compiled
        # at each call, for half a second.
        compiled = farm.rows("SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'piw'::regnamespace AND 'jit=off' <> ALL (p.proconfig) "
                             "AND EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c LIKE 'enable_%=off')")
        check("nothing is compiled at each call", compiled == [], compiled)
        times = [int(value) for value in told(lines, "time")]
        for kind, (begin, small, again, large) in zip(("failures", "builds"), (times[:4], times[4:])):
            check(f"{kind} in a large group", large - again <= GROWTH_MAX * (small - begin),
                  f"{(large - again) / 500e3:.0f} us a build beside {(small - begin) / 500e3:.0f}")
        check_slices(farm)
        check_empty_queue(farm)
        check_downloads(farm)
        farm.psql("ANALYZE")
        check("the queue is right", farm.rows("SELECT * FROM piw.check_queue()") == [], farm.rows("SELECT * FROM piw.check_queue()"))
    return score.code()


if __name__ == "__main__":
    sys.exit(score.run([main]))
