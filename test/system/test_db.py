#!/usr/bin/python3
"""The database: its catalog, the build queue, and the functions that write. A private PostgreSQL."""

import json
import os
import pathlib
import random
import re
import subprocess
import sys
import threading
import time

from cluster import Cluster, SqlError
import score

VECTORS = pathlib.Path(os.environ.get("PIW_VECTORS") or pathlib.Path(__file__).resolve().parents[3] / "shared" / "vectors")
HASHES = {name: name * 64 for name in "abcdef"}


def same(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, not {wanted!r}")


def refused(action, pattern, what):
    try:
        action()
    except SqlError as error:
        if not re.search(pattern, str(error)):
            raise AssertionError(f"{what}: refused with {error}") from error
        return
    raise AssertionError(f"{what}: not refused")


# --- Catalog ---------------------------------------------------------------------------------------------------------------

CATALOG = {
    "columns": """SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        coalesce(pg_get_expr(d.adbin, d.adrelid), '') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0""",
    "constraints": """SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace""",
    "indexes": """SELECT tablename, replace(indexdef, ' ON public.', ' ON ') FROM pg_indexes
        WHERE schemaname = 'public'""",
    "functions: ": """SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ')', pg_get_function_result(p.oid),
        l.lanname, p.proisstrict, p.prosecdef, array_to_string(p.proconfig, ',') FROM pg_proc p
        JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace = 'public'::regnamespace""",
    "grants": """SELECT c.relname, string_agg(x.privilege_type, ', ' ORDER BY 1) FROM pg_class c
        CROSS JOIN aclexplode(c.relacl) x WHERE c.relnamespace = 'public'::regnamespace AND x.grantee = 'piwheels'::regrole
        GROUP BY 1 UNION ALL SELECT p.proname, string_agg(x.privilege_type, ', ') FROM pg_proc p
        CROSS JOIN aclexplode(p.proacl) x WHERE p.pronamespace = 'public'::regnamespace
        AND x.grantee = 'piwheels'::regrole GROUP BY p.oid, 1""",
    "functions that PUBLIC": """SELECT p.proname FROM pg_proc p CROSS JOIN aclexplode(p.proacl) x
        WHERE p.pronamespace IN ('public'::regnamespace, 'piw'::regnamespace) AND x.grantee = 0""",
    "configuration row": "SELECT * FROM configuration",
}


def catalog(cluster):
    file = VECTORS / "schema-0.23.txt"
    if not file.exists():
        return f"{file} isn't there"
    wanted, section = {}, None
    for line in file.read_text("utf-8").splitlines():
        if line.startswith("# "):
            section = wanted.setdefault(line[2:], set())
        elif line:
            section.add(line.rstrip())
    cluster.create("catalog")
    for name, query in CATALOG.items():
        lines = next(lines for title, lines in wanted.items() if title.startswith(name))
        got = {" | ".join(cell or "" for cell in row).rstrip() for row in cluster.rows("catalog", query)}
        same((sorted(got - lines), sorted(lines - got)), ([], []), f"{name}: too many, missing")
    return None


# --- The build queue -------------------------------------------------------------------------------------------------------

def settle(cluster, database, slice_size=7):
    deadline = time.monotonic() + 60
    while cluster.value(database, f"SELECT piw.drain({slice_size})") == "t":
        if time.monotonic() > deadline:
            raise AssertionError("a refill doesn't end")


def queue(cluster, database):
    return {(row[0], row[1]): row[2] for row in cluster.rows(database, "SELECT package, version, abi_tag FROM piw.queue")}


def build(number, package, version, abi, files=(), status=True):
    text = (f"INSERT INTO builds VALUES ({number}, '{package}', '{version}', 1, now() + {number} * interval '1 second', "
            f"'1 second', {status}, '{abi}');\n")
    for tag in files:
        py = "py3" if tag == "none" else "cp39" if tag == "abi3" else tag
        text += (f"INSERT INTO files VALUES ('{package}-{version}-{number}-{tag}.whl', {number}, 10, '{HASHES['a']}', "
                 f"'{package}', '{version}', '{py}', '{tag}', 'any', NULL);\n")
    return text


def queue_rules(cluster):
    cluster.create("rules")
    text = "INSERT INTO build_abis VALUES ('cp311', ''), ('cp39', ''), ('cp310', ''), ('cp38', 'too old');\n"
    for package in ("new", "fail", "pure", "low", "stable", "tagged", "nofiles"):
        text += f"INSERT INTO packages VALUES ('{package}'); INSERT INTO versions VALUES ('{package}', '1');\n"
    text += "INSERT INTO packages VALUES ('skipped', 'no'); INSERT INTO versions VALUES ('skipped', '1');\n"
    text += "INSERT INTO versions VALUES ('new', '2', DEFAULT, 'binary only');\n"
    text += build(1, "fail", "1", "cp39", status=False) + build(2, "pure", "1", "cp310", ["none"])
    text += build(3, "low", "1", "cp311", ["cp311"]) + build(4, "stable", "1", "cp310", ["abi3"])
    text += build(5, "tagged", "1", "cp39", ["cp310"]) + build(6, "nofiles", "1", "cp39")
    cluster.sql("rules", text)
    settle(cluster, "rules")
    wanted = {("new", "1"): "cp39", ("fail", "1"): "cp310", ("low", "1"): "cp39", ("stable", "1"): "cp39",
              ("tagged", "1"): "cp311", ("nofiles", "1"): "cp310"}
    same(queue(cluster, "rules"), wanted, "the queue")
    cluster.sql("rules", "UPDATE packages SET skip = '' WHERE package = 'skipped';"
                         "UPDATE versions SET skip = 'x' WHERE package = 'low'; DELETE FROM builds WHERE build_id = 1;"
                         "UPDATE build_abis SET skip = 'x' WHERE abi_tag = 'cp39'")
    same(cluster.rows("rules", "SELECT * FROM piw.queue_head('cp39', 'oldest', 10)"), [], "a skipped ABI's head, at once")
    settle(cluster, "rules")
    wanted = {("new", "1"): "cp310", ("fail", "1"): "cp310", ("tagged", "1"): "cp311", ("nofiles", "1"): "cp310",
              ("skipped", "1"): "cp310"}
    same(queue(cluster, "rules"), wanted, "the queue after changes")
    same(cluster.rows("rules", "SELECT abi_tag, pending FROM piw.queue_state()"),
         [("cp38", "0"), ("cp39", "0"), ("cp310", "4"), ("cp311", "1")], "the totals")
    cluster.sql("rules", "INSERT INTO versions SELECT 'new', 'bulk' || n FROM generate_series(1, 2500) n; SELECT piw.drain()")
    same(cluster.value("rules", "SELECT count(*) FROM piw.queue"), "5", "what a large statement touched waits its turn")
    settle(cluster, "rules", 1000)
    same(cluster.value("rules", "SELECT count(*) FROM piw.queue"), "2505", "after a large statement")


def interpreter(tag):
    match = re.fullmatch(r"cp(\d)(\d*)(t?)", tag)
    return int(match[1]), int(match[2] or 0), match[3]


def does_for(abi, builder, py, tags):
    """Does a file of a build for `builder` do for this ABI? (test_coverage.py compares with an installer's own list.)"""
    version, free_threaded = interpreter(abi)[:2], interpreter(abi)[2] == "t"
    if abi in tags.split("."):
        return True
    for part in py.split("."):
        minor = int(part[3:] or 0)
        if "none" in tags.split(".") and (part == "py3" or (part[:2] == "py" and (3, minor) <= version) or
                                          (part[:2] == "cp" and (3, minor) == version)):
            return True
        if "abi3" in tags.split(".") and part[:2] == "cp" and not free_threaded and \
                max((3, minor), interpreter(builder)[:2], (3, 2)) <= version and max(minor, interpreter(builder)[1]) >= 2:
            return True
    return False


def wanted_queue(state):
    """The definition, from the tables themselves, in the plainest way."""
    abis = sorted((row[0] for row in state["build_abis"] if row[1] == ""), key=interpreter)
    skipped = {row[0] for row in state["packages"] if row[1] != ""}
    files = {}
    for number, py, tag in state["files"]:
        files.setdefault(number, []).append((py, tag))
    result = {}
    for package, version, skip in state["versions"]:
        if skip or package in skipped:
            continue
        covered = set()
        for number, owner, its, abi in state["builds"]:
            if (owner, its) != (package, version):
                continue
            covered.add(abi)
            for py, tags in files.get(number, []):
                covered.update(a for a in abis if does_for(a, abi, py, tags))
        lowest = next((abi for abi in abis if abi not in covered), None)
        if lowest:
            result[(package, version)] = lowest
    return result


STATE = {
    "build_abis": "SELECT abi_tag, skip FROM build_abis", "packages": "SELECT package, skip FROM packages",
    "versions": "SELECT package, version, skip FROM versions",
    "builds": "SELECT build_id, package, version, abi_tag FROM builds", "files": "SELECT build_id, py_version_tag, abi_tag FROM files",
}
TOTALS = """SELECT (SELECT count(*) FROM files), (SELECT coalesce(sum(filesize), 0) FROM files
        WHERE platform_tag <> 'linux_armv6l'), (SELECT count(DISTINCT package_tag) FROM files),
    (SELECT coalesce(sum(extract(epoch FROM duration) * 1000000), 0)::bigint FROM builds
        WHERE duration < interval '1 week'), (SELECT count(*) FROM downloads), (SELECT count(*) FROM versions)"""
KEPT_TOTALS = """SELECT files_count, builds_size, packages_built, builds_time_us, downloads_all,
    (SELECT count(*) FROM piw.ages) FROM piw.totals"""


# Downloads of long ago, of the first days that count as recent, of today.
DAYS = ["timestamp '2024-01-01'", "(now() AT TIME ZONE 'UTC')::date - interval '31 days'",
        "(now() AT TIME ZONE 'UTC')::date - interval '30 days'", "(now() AT TIME ZONE 'UTC')::date"]
BY_PACKAGE = """SELECT replace(lower(split_part(filename, '-', 1)), '.', '-'), count(*) FILTER (WHERE accessed_at >=
    (now() AT TIME ZONE 'UTC')::date - 30), count(*) FROM downloads GROUP BY 1 ORDER BY 1"""
KEPT_BY_PACKAGE = "SELECT package, recent, ever FROM piw.package_downloads WHERE ever <> 0 ORDER BY 1"
BY_FILE = """SELECT filename, count(*) FILTER (WHERE accessed_at >= (now() AT TIME ZONE 'UTC')::date - 30), count(*)
    FROM downloads GROUP BY 1 ORDER BY 1"""
KEPT_BY_FILE = "SELECT filename, recent, ever FROM piw.file_downloads WHERE ever <> 0 ORDER BY 1"


def random_change(rng, number):
    """One statement that something or somebody may make."""
    package, version = f"p{rng.randrange(12)}", str(rng.randrange(4))
    abi = rng.choice(["cp39", "cp310", "cp311", "cp313", "cp313t"])
    py = rng.choice(["py3", "py2.py3", "py310", "cp39", "cp311", "cp313", "cp39.cp310"])
    file_abi = rng.choice(["none", "none", "abi3", "abi3.abi3t", "cp39.cp310", abi, abi])
    platform = rng.choice(["any", "linux_armv6l", "linux_armv7l"])
    choices = [
        f"INSERT INTO packages VALUES ('{package}') ON CONFLICT DO NOTHING",
        f"INSERT INTO versions SELECT '{package}', '{version}', timestamp '2020-01-01' + {rng.randrange(99)} * "
        f"interval '1 day' FROM packages WHERE package = '{package}' ON CONFLICT DO NOTHING",
        f"INSERT INTO builds SELECT {number}, '{package}', '{version}', 0, timestamp '2020-01-01' + {number} * interval "
        f"'1 s', {rng.choice([1, 700000])} * interval '1 s', {rng.choice(['true', 'false'])}, '{abi}' FROM versions "
        f"WHERE package = '{package}' AND version = '{version}'",
        f"INSERT INTO files SELECT 'f{rng.randrange(40)}', build_id, {rng.randrange(1, 99)}, '{HASHES['b']}', package, "
        f"version, '{py}', '{file_abi}', '{platform}', NULL FROM builds WHERE package = "
        f"'{package}' ORDER BY random() LIMIT 1 ON CONFLICT (filename) DO UPDATE SET build_id = excluded.build_id, "
        f"py_version_tag = excluded.py_version_tag, abi_tag = excluded.abi_tag, filesize = excluded.filesize, package_tag = excluded.package_tag, "
        f"platform_tag = excluded.platform_tag",
        f"INSERT INTO downloads SELECT 'P.{rng.randrange(12)}-1-py3-none-any.whl', '192.0.2.1', {rng.choice(DAYS)} + n * "
        f"interval '10 min' FROM generate_series(1, {rng.randrange(20)}) n",
        f"DELETE FROM downloads WHERE filename = 'P.{rng.randrange(12)}-1-py3-none-any.whl' AND accessed_at > {rng.choice(DAYS)}",
        f"INSERT INTO build_abis VALUES ('{abi}') ON CONFLICT DO NOTHING",
        f"UPDATE versions SET skip = '{rng.choice(['', 'x'])}', released = released + interval '1 hour' "
        f"WHERE version = '{version}' AND package >= '{package}'",
        f"UPDATE versions SET version = version || '.{number}' WHERE package = '{package}' AND NOT EXISTS "
        f"(SELECT FROM builds WHERE package = '{package}')",
        f"UPDATE packages SET skip = '{rng.choice(['', 'x'])}' WHERE package = '{package}'",
        f"DELETE FROM files WHERE filename = 'f{rng.randrange(40)}'",
        f"DELETE FROM builds WHERE package = '{package}' AND version = '{version}'",
    ]
    rare = [
        f"DELETE FROM versions WHERE package = '{package}' AND version = '{version}'",
        f"DELETE FROM packages WHERE package = '{package}'",
        f"DELETE FROM build_abis WHERE abi_tag = '{abi}'",
        f"UPDATE build_abis SET skip = '{rng.choice(['', 'x'])}' WHERE abi_tag = '{abi}'",
        "DELETE FROM downloads WHERE accessed_at < timestamp '2024-01-01 01:00'",
        f"UPDATE build_abis SET abi_tag = 'cp3{number % 30}' WHERE abi_tag = '{abi}' AND NOT EXISTS "
        f"(SELECT FROM build_abis WHERE abi_tag = 'cp3{number % 30}')",
        "TRUNCATE files, dependencies", "TRUNCATE downloads",
        rng.choice(["TRUNCATE builds CASCADE", "TRUNCATE versions CASCADE", "TRUNCATE packages CASCADE",
                    "TRUNCATE build_abis CASCADE"]),
    ]
    return rng.choice(rare if rng.random() < 0.06 else choices)


def queue_random(cluster):
    seed = int(os.environ.get("PIW_SEED") or random.randrange(1 << 30))
    print(f"# seed {seed}")
    rng = random.Random(seed)
    cluster.create("chance")
    number = 0
    for step in range(12):
        statements = []
        for _ in range(80):
            number += 1
            statements.append(random_change(rng, number))
            if rng.random() < 0.1:
                statements.append("SELECT piw.drain(3)")
        cluster.sql("chance", ";\n".join(statements) + ";\n")
        settle(cluster, "chance")
        state = {name: cluster.rows("chance", query) for name, query in STATE.items()}
        same(queue(cluster, "chance"), wanted_queue(state), f"step {step}")
        same(cluster.rows("chance", "SELECT * FROM piw.check_queue()"), [], f"step {step}: check_queue")
        same(cluster.rows("chance", KEPT_TOTALS), cluster.rows("chance", TOTALS), f"step {step}: totals")
        same(cluster.rows("chance", KEPT_BY_PACKAGE), cluster.rows("chance", BY_PACKAGE), f"step {step}: downloads")
        same(cluster.rows("chance", KEPT_BY_FILE), cluster.rows("chance", BY_FILE), f"step {step}: downloads of files")
        same(cluster.rows("chance", "SELECT * FROM piw.check_totals()"), [], f"step {step}: check_totals")
        counted = cluster.rows("chance", "SELECT abi_tag, count(*) FROM piw.queue GROUP BY 1 ORDER BY 1")
        kept = cluster.rows("chance", "SELECT abi_tag, pending FROM piw.queue_totals WHERE pending <> 0 ORDER BY 1")
        same(kept, counted, f"step {step}: pending")


def repairing(cluster):
    cluster.create("broken")
    cluster.sql("broken", "INSERT INTO build_abis VALUES ('cp39'), ('cp311'); INSERT INTO packages SELECT 'p' || n FROM "
                          "generate_series(1, 9) n; INSERT INTO versions SELECT package, '1' FROM packages;" +
                build(1, "p2", "1", "cp39"))

    def check(*args):
        done = cluster.initdb("broken", "--check-queue", *args, check=False)
        return done.returncode, (done.stdout + done.stderr).strip()

    good = (0, "the build queue is as its definition says")
    same(check(), good, "a queue that has not been filled yet")
    damages = [("UPDATE piw.queue SET abi_tag = 'cp27' WHERE package IN ('p1', 'p2')", 2),
               ("DELETE FROM piw.queue WHERE package = 'p3'", 1), ("DELETE FROM piw.ages WHERE package IN ('p4', 'p5')", 2),
               ("UPDATE piw.queue SET popularity = 7 WHERE package = 'p6'", 1),
               ("INSERT INTO piw.queue VALUES ('nosuch', '1', 'cp39', '2020-01-01')", 1),
               ("UPDATE piw.queue_totals SET pending = pending + 5 WHERE abi_tag = 'cp39'", 1)]
    for damage, rows in damages:
        cluster.sql("broken", damage)
        code, said = check()
        if code != 1 or not re.match(r"piw-initdb: \d+ rows? of the build queue .*--repair", said) or "\n" in said:
            raise AssertionError(f"{damage}: {code} {said}")
        code, said = check("--repair")
        if code != 0 or not re.match(f"{rows} rows? of the build queue w", said) or "\n" in said:
            raise AssertionError(f"repair of {damage}: {code} {said}")
        same(check(), good, f"after the repair of {damage}")
        same(cluster.value("broken", "SELECT count(*) FROM piw.queue"), "9", f"rows after {damage}")


def lost_triggers(cluster):
    """Triggers that are off or gone are a fault of the queue, before a change has made it wrong too; afterwards all fire."""
    cluster.create("deaf")
    change = "INSERT INTO packages VALUES ('{0}'); INSERT INTO versions VALUES ('{0}', '1')"
    cluster.sql("deaf", "INSERT INTO build_abis VALUES ('cp39')")
    number = 0
    for damage, lost in (("ALTER TABLE versions DISABLE TRIGGER USER", 5), ("DROP TRIGGER piw_insert ON versions", 1),
                         ("ALTER TABLE versions ENABLE REPLICA TRIGGER piw_insert", 1)):
        cluster.sql("deaf", damage)
        cluster.sql("deaf", change.format(f"p{number}"))
        done = cluster.initdb("deaf", "--check-queue", check=False)
        if done.returncode != 1 or not re.search(rf": {lost} of the triggers .* gone or off: use .*--repair\n$", done.stderr):
            raise AssertionError(f"{damage}: {done.returncode} {done.stderr!r}")
        said = cluster.initdb("deaf", "--check-queue", "--repair").stdout
        same(f"{lost} of the triggers" in said and "in place again" in said, True, f"the repair says {said!r}")
        cluster.sql("deaf", change.format(f"q{number}"))
        settle(cluster, "deaf")
        number += 1
        same(cluster.value("deaf", "SELECT count(*) FROM piw.queue"), str(2 * number), f"rows after {damage}")
        same(cluster.initdb("deaf", "--check-queue", check=False).returncode, 0, f"after the repair of {damage}")


def notification(cluster):
    cluster.create("told")
    out = cluster.sql("told", "LISTEN piw_queue;\nBEGIN; INSERT INTO packages VALUES ('p');\nINSERT INTO versions VALUES "
                              "('p', '1'), ('p', '2');\nDELETE FROM versions WHERE version = '2'; COMMIT;\nSELECT 1;\n")
    same(out.count("Asynchronous notification"), 1, "notifications of one transaction")


# --- Writing -----------------------------------------------------------------------------------------------------------------

def array(values, kind):
    def element(value):
        return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"
    return f"ARRAY[{', '.join(map(element, values))}]::{kind}[]"


def record(cluster, database, builds, user="piwheels"):
    """builds: (id, slave, package, version, abi, status, [(filename, hash, abi_tag, [dependencies])])."""
    files = [(position, *file) for position, one in enumerate(builds, 1) for file in one[6]]
    deps = [(position, *dep) for position, file in enumerate(files, 1) for dep in file[4]]
    args = [array([b[0] for b in builds], "int"), array([b[1] for b in builds], "int"),
            *(array([b[i] for b in builds], "text") for i in (2, 3, 4)), array([b[5] for b in builds], "bool"),
            array([1500000] * len(builds), "bigint"), array([f[0] for f in files], "int"),
            array([f[1] for f in files], "text"), array([100] * len(files), "int"),
            array([HASHES.get(f[2], f[2]) for f in files], "text"),
            *(array([text] * len(files), "text") for text in ("tag", "1", "py3")), array([f[3] for f in files], "text"),
            array(["any"] * len(files), "text"), array([None] * len(files), "text"),
            array(["/simple"] * len(files), "text"), array([HASHES["f"]] * len(files), "text"),
            array([d[0] for d in deps], "int"), array([d[1] for d in deps], "text"), array([d[2] for d in deps], "text")]
    rows = cluster.rows(database, f"SELECT recorded, why, array_to_string(kept, ' ') FROM piw.record_builds("
                                  f"{', '.join(args)}) ORDER BY ord", user=user)
    return [(row[0] == "t", row[1], row[2]) for row in rows]


GONE, KNOWN = "the version is unknown or has been removed", "a build of this number is recorded already"


def recording(cluster):
    cluster.create("recording")
    db = "recording"
    cluster.sql(db, "INSERT INTO build_abis VALUES ('cp39'), ('cp311'); INSERT INTO packages VALUES ('a'), ('b');"
                    "INSERT INTO versions VALUES ('a', '1'), ('a', '2'), ('b', '1');"
                    "SELECT piw.begin_attempts('{1,2}', '{a,b}', '{1,1}', '{cp39,cp39}');"
                    "SELECT piw.begin_attempts('{1}', '{a}', '{2}', '{cp39}')")
    same(record(cluster, db, [
        (1, 1, "a", "1", "cp39", True, [("a1.whl", "a", "none", [("apt", "x"), ("apt", "x"), ("pip", "y"), ("", "z")])]),
        (2, 1, "a", "2", "cp39", False, []),
        (3, 1, "a", "nosuch", "cp39", True, [("gone.whl", "a", "none", [])]),
        (1, 1, "a", "1", "cp39", True, [("twice.whl", "a", "none", [])]),
        (4, 2, "b", "1", "cp39", True, [("b1.whl", "a", "cp39", []), ("b2.whl", "b", "cp39", [])]),
        (5, 2, "b", "1", "cp311", True, [("b1.whl", "c", "cp39", []), ("b2.whl", "b", "cp39", [("pip", "new")])]),
    ]), [(True, "", ""), (True, "", ""), (False, GONE, ""), (False, KNOWN, ""), (True, "", ""), (True, "", "b1.whl")],
        "answers")
    same(cluster.rows(db, "SELECT filename, build_id, left(filehash, 1) FROM files ORDER BY 1"),
         [("a1.whl", "1", "a"), ("b1.whl", "4", "a"), ("b2.whl", "5", "b")], "files")
    same(cluster.rows(db, "SELECT filename, tool, dependency FROM dependencies ORDER BY 1, 2, 3"),
         [("a1.whl", "", "z"), ("a1.whl", "apt", "x"), ("a1.whl", "pip", "y"), ("b2.whl", "pip", "new")], "dependencies")
    same(cluster.rows(db, "SELECT build_id, status, duration FROM builds ORDER BY 1"),
         [("1", "t", "00:00:01.5"), ("2", "f", "00:00:01.5"), ("4", "t", "00:00:01.5"), ("5", "t", "00:00:01.5")], "builds")
    same(cluster.rows(db, "SELECT package, version, state, build_id FROM piw.attempts ORDER BY attempt_id"),
         [("a", "1", "ended", None), ("b", "1", "built", "4"), ("a", "2", "failed", "2")], "attempts")
    same(cluster.rows(db, "SELECT filename, package, left(metadata_hash, 1) FROM piw.file_facts ORDER BY 1"),
         [("a1.whl", "a", "f"), ("b1.whl", "b", "f"), ("b2.whl", "b", "f")], "facts")
    cluster.sql(db, "SELECT piw.drain()")
    same(queue(cluster, db), {("a", "2"): "cp311"}, "queue")

    same(record(cluster, db, [(6, 3, "b", "1", "cp311", True, [("b1.whl", "d", "cp39", [])])]),
         [(True, "", "b1.whl")], "other bytes from a slave")
    same(record(cluster, db, [(7, 0, "b", "1", "cp311", True, [("b1.whl", "e", "cp39", [])])]), [(True, "", "")],
         "other bytes from an operator")
    same(cluster.rows(db, "SELECT build_id, left(filehash, 1) FROM files WHERE filename = 'b1.whl'"), [("7", "e")],
         "the operator's file")
    same(record(cluster, db, [(8, 0, "a", "1", "cp39", True, []), (9, 0, "a", "1", "cp311", True, []),
                              (10, 0, "a", "1", "cp39", False, [])]), [(True, "", "")] * 3, "one builder, one moment")

    before = cluster.rows(db, "SELECT count(*) FROM builds")
    bad = [(n, 5, "a", "1", "cp39", True, [(f"g{n}.whl", "a" if n != 23 else "a" * 99, "none", [])]) for n in range(20, 26)]
    refused(lambda: record(cluster, db, bad), "too long", "a bad row in the middle of a group")
    same(cluster.rows(db, "SELECT count(*) FROM builds"), before, "after the refusal")
    same(record(cluster, db, [one for one in bad if one[0] != 23]), [(True, "", "")] * 5, "the rest of the group")


def removals(cluster):
    cluster.create("removing")
    db = "removing"
    cluster.sql(db, "INSERT INTO packages VALUES ('a-b'), ('c'); INSERT INTO versions VALUES ('a-b', '1'), ('c', '1');")
    record(cluster, db, [(1, 1, "a-b", "1", "cp39", True, [("w1.whl", "a", "none", []), ("w2.whl", "a", "none", [])])])
    cluster.sql(db, build(2, "c", "1", "cp39", ["cp39"]) +
                "UPDATE files SET package_tag = 'C.._D' WHERE build_id = 2; DELETE FROM packages")
    same(cluster.rows(db, "SELECT package, filename FROM piw.removals ORDER BY 2"),
         [("c-d", "c-1-2-cp39.whl"), ("a-b", "w1.whl"), ("a-b", "w2.whl")], "what is to be removed")
    same(cluster.rows(db, "SELECT filename FROM piw.file_facts"), [], "facts of removed files")
    same(cluster.rows(db, "SELECT * FROM piw.removals_due('1 hour', 10)"), [], "due too early")
    cluster.sql(db, "INSERT INTO packages VALUES ('a-b'); INSERT INTO versions VALUES ('a-b', '1')")
    record(cluster, db, [(3, 1, "a-b", "1", "cp39", True, [("w2.whl", "b", "none", [])])])
    same(cluster.rows(db, "SELECT filename FROM piw.removals_due('0', 10) ORDER BY 1", user="piwheels"),
         [("c-1-2-cp39.whl",), ("w1.whl",)], "due after a re-publication")
    cluster.sql(db, "SELECT piw.removals_done('{w1.whl}')", user="piwheels")
    same(cluster.rows(db, "SELECT filename FROM piw.removals"), [("c-1-2-cp39.whl",)], "left")


def reserving(cluster):
    cluster.create("numbers")
    first = int(cluster.value("numbers", "SELECT piw.reserve('build', 100)", user="piwheels"))
    second = int(cluster.value("numbers", "SELECT piw.reserve('build', 1)", user="piwheels"))
    same(second >= first + 100, True, "blocks apart")
    cluster.sql("numbers", "INSERT INTO packages VALUES ('a'); INSERT INTO versions VALUES ('a', '1')")
    stock = int(cluster.value("numbers", "SELECT log_build_failure('a', '1', 1, '1 s', 'cp39')"))
    same(stock > second, True, "stock's number is another")
    same(int(cluster.value("numbers", "SELECT piw.reserve('slave', 5)")), 1, "slave numbers")
    same(int(cluster.value("numbers", "SELECT piw.reserve('slave', 5)")), 6, "slave numbers go on")
    for call in ("'other', 1", "'slave', 0", "'slave', NULL", "'slave', 100001", "NULL, 1"):
        refused(lambda text=call: cluster.sql("numbers", f"SELECT piw.reserve({text})"), "numbers", call)


def apply(cluster, database, events, serial, development="false"):
    """events: (package, name, version, seconds, action, serial)."""
    columns = [array([e[i] for e in events], "text") for i in (0, 1, 2)]
    columns.append(array([f"2024-01-01 00:00:{e[3]:02}" for e in events], "timestamp"))
    columns += [array([e[4] for e in events], "text"), array([e[5] for e in events], "bigint")]
    return cluster.rows(database, f"SELECT package, version, change FROM piw.apply_pypi_events({', '.join(columns)}, "
                                  f"{serial}, {development})", user="piwheels")


def following(cluster):
    cluster.create("pypi")
    db = "pypi"
    cluster.sql(db, "INSERT INTO build_abis VALUES ('cp39')")
    start = 1000000
    same(apply(cluster, db, [
        ("foo-bar", "Foo.Bar", None, 1, "create", start + 1), ("foo-bar", "Foo.Bar", "1.0", 2, "binary", start + 2),
        ("foo-bar", "foo_bar", "2.0", 3, "source", start + 3), ("foo-bar", "foo_bar", "2.0", 9, "binary", start + 4),
        ("baz", "baz", "1", 5, "source", start + 5), ("baz", "baz", "1", 6, "yank", start + 6),
    ], start + 6), [("baz", None, "new_package"), ("foo-bar", None, "new_package"), ("baz", "1", "yanked")], "new")
    same(cluster.rows(db, "SELECT version, released, skip FROM versions WHERE package = 'foo-bar' ORDER BY 1"),
         [("1.0", "2024-01-01 00:00:02", "binary only"), ("2.0", "2024-01-01 00:00:03", "")], "versions")
    same(cluster.rows(db, "SELECT name, seen FROM package_names WHERE package = 'foo-bar' ORDER BY 1"),
         [("Foo.Bar", "2024-01-01 00:00:02"), ("foo-bar", "1970-01-01 00:00:00"), ("foo_bar", "2024-01-01 00:00:09")],
         "names")
    same(json.loads(cluster.value(db, "SELECT get_project_data('foo-bar')"))["name"], "foo_bar", "the display name")
    same(cluster.value(db, "SELECT get_pypi_serial()"), str(start + 6), "the serial")

    same(apply(cluster, db, [("foo-bar", "foo_bar", "1.0", 20, "source", start + 7),
                             ("foo-bar", "foo_bar", "3.0", 21, "binary", start + 8),
                             ("foo-bar", "foo_bar", "3.0", 22, "source", start + 9)], start + 9),
         [("foo-bar", None, "new_version"), ("foo-bar", "1.0", "enabled")], "a source arrives")
    remove = [("foo-bar", "foo_bar", "2.0", 30, "remove", start + 10), ("baz", "baz", None, 31, "remove", start + 11),
              ("nosuch", "nosuch", None, 32, "remove", start + 12), ("baz", "Baz", None, 33, "create", start + 13),
              ("baz", "Baz", "1", 34, "source", start + 14), ("baz", "Baz", "1", 35, "yank", start + 15),
              ("baz", "Baz", "1", 36, "unyank", start + 16)]
    same(apply(cluster, db, remove, start + 16),
         [("baz", None, "deleted"), ("foo-bar", "2.0", "deleted"), ("baz", None, "new_package")],
         "removed and made again")
    same(cluster.rows(db, "SELECT version, yanked, released FROM versions WHERE package = 'baz'"),
         [("1", "f", "2024-01-01 00:00:34")], "the new one")
    record(cluster, db, [(1, 1, "baz", "1", "cp39", True, [("baz.whl", "a", "none", [])])])
    same(apply(cluster, db, remove, start + 16), [], "a replay")
    same(cluster.value(db, "SELECT count(*) FROM files"), "1", "wheels after the replay")
    same(apply(cluster, db, [("baz", "baz", None, 0, "remove", start - 1990)], start + 16), [], "an event too old")
    apply(cluster, db, [], start + 5000)
    same(cluster.rows(db, "SELECT * FROM piw.applied_serials"), [], "serials that need not be kept")
    same(apply(cluster, db, [("dev", "dev", "1", 40, "source", start + 5001)], start, "true"),
         [("dev", None, "new_package")], "in development mode")
    same(cluster.rows(db, "SELECT skip FROM packages WHERE package = 'dev'"), [("development mode",)], "its skip")
    same(cluster.value(db, "SELECT get_pypi_serial()"), str(start + 5000), "the serial doesn't go back")
    same(apply(cluster, db, [("x" * 201, "x", None, 1, "create", start + 5002), ("ok", "ok", "", 1, "source", start + 5003)],
               start + 5003), [], "names that can't be")
    cluster.sql(db, "SELECT piw.drain()")
    same(queue(cluster, db), {("foo-bar", "1.0"): "cp39", ("foo-bar", "3.0"): "cp39"}, "the queue")
    cluster.sql(db, "SELECT piw.describe('{ok,baz,baz}', ARRAY['x', 'first', repeat('d', 300)])", user="piwheels")
    same(cluster.value(db, "SELECT length(description) FROM packages WHERE package = 'baz'"), "200", "a description")


def new_beside_known(cluster):
    """Versions of packages that are new, and of some that are known, in one batch; also of one that goes and comes again in it."""
    db, start = "beside", 1000000
    cluster.create(db)
    cluster.sql(db, "INSERT INTO packages VALUES ('known'), ('leaves');"
                    "INSERT INTO versions VALUES ('known', '1', '2020-01-01', ''), ('known', '2', '2020-01-01', 'binary only'), "
                    "('leaves', '1', '2020-01-01', '')")
    events = [("new", "new", "1", "source"), ("known", "known", "1", "binary"), ("known", "known", "2", "source"),
              ("known", "known", "3", "binary"), ("leaves", "leaves", None, "remove"), ("leaves", "leaves", "1", "binary"),
              ("leaves", "leaves", "2", "source"), ("new", "new", "1", "source"), ("new", "new", "2", "binary")]
    same(apply(cluster, db, [(p, n, v, at, action, start + at) for at, (p, n, v, action) in enumerate(events, 1)], start + 9),
         [("new", None, "new_package"), ("known", None, "new_version"), ("known", "2", "enabled"), ("leaves", None, "deleted"),
          ("leaves", None, "new_package")], "new beside known")
    same(cluster.rows(db, "SELECT package, version, extract(second FROM released)::int, skip FROM versions ORDER BY 1, 2"),
         [("known", "1", "0", ""), ("known", "2", "0", ""), ("known", "3", "4", "binary only"), ("leaves", "1", "6", "binary only"),
          ("leaves", "2", "7", ""), ("new", "1", "1", ""), ("new", "2", "9", "binary only")], "versions of both")
    same(cluster.rows(db, "SELECT * FROM piw.more_sources"), [("new", "1", "1")], "a second source of a new one")


def adding_at_once(cluster):
    """Somebody else adds a version between the follower's look at it and its own insert."""
    db, start = "at_once", 1000000
    cluster.create(db)
    cluster.sql(db, "INSERT INTO packages VALUES ('p')")
    command = [*cluster.drop, str(cluster.bin / "psql"), "-XAtq", "-U", "postgres", "-d", db]
    with subprocess.Popen(command, env=cluster.env, cwd=cluster.dir, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as other:
        print("BEGIN; INSERT INTO versions VALUES ('p', '1', '2020-01-01', 'binary only'); SELECT 'in';", file=other.stdin,
              flush=True)
        same(other.stdout.readline(), "in\n", "the other's version")
        changes = []
        follower = threading.Thread(target=lambda: changes.extend(apply(cluster, db, [
            ("p", "p", "1", 1, "source", start + 1), ("p", "p", "2", 2, "source", start + 2)], start + 2)))
        follower.start()
        until = time.monotonic() + 60
        while cluster.value(db, "SELECT count(*) FROM pg_locks WHERE NOT granted") == "0":
            if time.monotonic() > until:
                raise AssertionError("the follower does not wait for the other's transaction")
        print("COMMIT;", file=other.stdin, flush=True)
        other.stdin.close()
        follower.join()
    same(changes, [("p", None, "new_version"), ("p", "1", "enabled")], "both")
    same(cluster.rows(db, "SELECT version, skip FROM versions ORDER BY 1"), [("1", ""), ("2", "")], "versions")


def stock_functions(cluster):
    cluster.create("stock")
    cluster.sql("stock", """
        SELECT add_new_package('p'), add_new_package_version('p', '1', '2020-01-01'), add_new_package_version('p', '2');
        SELECT add_package_name('p', 'P', '2024-01-01'), set_package_description('p', 'words');
        INSERT INTO build_abis VALUES ('cp311'), ('cp39'); INSERT INTO preinstalled_apt_packages VALUES ('cp311', 'libc6');
        SELECT log_build_success('p', '1', 1, '2 s', 'cp311',
            ARRAY[('f.whl', 0, 7, repeat('a', 64), 'p', '1', 'cp311', 'cp311', 'any', NULL, '/simple')]::files[],
            ARRAY[('f.whl', 'apt', 'libc6'), ('f.whl', 'apt', 'libx'), ('f.whl', 'pip', 'q')]::dependencies[]);
        SELECT log_build_failure('p', '2', 1, '2 s', 'cp311');
        SELECT log_download('f.whl', '192.0.2.1', now() AT TIME ZONE 'UTC'), log_search('p', '::1', '2024-01-01', 'x');
        SELECT log_project('p', '::1', '2024-01-01', 'a'), log_json('p', '::1', '2024-01-01', 'a');
        SELECT log_page('home', '::1', '2024-01-01', 'a'), yank_version('p', '2');
        SELECT save_rewrites_pending(ARRAY[('p', '2024-01-01', 'BOTH')]::rewrites_pending[]);
        SELECT save_rewrites_pending(ARRAY[('p', '2024-01-02', 'BOTH'), ('q', '2024-01-01', 'PROJECT')]
                                     ::rewrites_pending[]);""", user="postgres")
    same(cluster.rows("stock", "SELECT * FROM get_build_queue(10)", user="piwheels"),
         [("cp39", "p", "1"), ("cp39", "p", "2")], "get_build_queue")
    same(cluster.rows("stock", "SELECT package, command FROM load_rewrites_pending()"), [("q", "PROJECT"), ("p", "BOTH")],
         "load_rewrites_pending")
    data = json.loads(cluster.value("stock", "SELECT get_project_data('p')", user="piwheels"))
    one = data["releases"]["1"]
    same((data["name"], data["description"], data["releases"]["2"]["yanked"]), ("P", "words", True), "get_project_data")
    same((one["files"]["f.whl"]["apt_dependencies"], one["files"]["f.whl"]["pip_dependencies"], one["abis"]["cp311"]["status"],
          one["abis"]["cp39"], data["releases"]["2"]["abis"]["cp311"]["status"]),
         (["libx"], ["q"], "success", {"status": "pending", "build_id": None}, "fail"), "its release")
    same(cluster.value("stock", "SELECT get_project_data('nosuch')"), None, "unknown package")
    same(cluster.rows("stock", "SELECT * FROM get_statistics()"), [("00:00:04", "7", "1", "1", "1", "1", "1")],
         "get_statistics")
    same(cluster.rows("stock", "SELECT * FROM get_search_index()"), [("p", "1", "1")], "get_search_index")
    same(sorted(cluster.rows("stock", "SELECT * FROM get_builds_last_hour()")), [("cp311", "2"), ("cp39", "0")],
         "get_builds_last_hour")
    cluster.sql("stock", "SELECT set_pypi_serial(5)")
    refused(lambda: cluster.sql("stock", "SELECT set_pypi_serial(4)"), "serial", "a smaller serial")
    refused(lambda: cluster.sql("stock", "SELECT log_build_success('p', '1', 1, '1 s', 'cp39', '{}', '{}')"), "no files",
            "a success without files")
    cluster.sql("stock", "SELECT skip_package('p', 'deleted'), delete_build('p', '1'), delete_version('p', '2')")
    same(cluster.rows("stock", "SELECT package_marked_deleted('p'), test_package('p'), test_package_version('p', '2'), "
                               "(SELECT count(*) FROM get_package_files('p'))"), [("t", "t", "f", "0")], "deleting")


TESTS = [catalog, queue_rules, queue_random, repairing, lost_triggers, notification,
         recording, removals, reserving, following, new_beside_known, adding_at_once, stock_functions]


def main():
    with Cluster() as cluster:
        return score.run_silent(TESTS, cluster)


if __name__ == "__main__":
    sys.exit(main())
