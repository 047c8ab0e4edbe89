#!/usr/bin/python3
"""No query that the running master repeats reads downloads, builds, files or versions whole: EXPLAIN of every statement that the
master's sessions run, those inside of functions and triggers too (auto_explain); and a filled database's own counters of rows
read, before and after a master has worked, and after each question that tasks ask of the database.

TEST-TIMEOUT: 420
"""

import json
import re
import sys

import farm as farms
import score
from score import check
from wire import Builder

BIG = ("downloads", "builds", "files", "versions")
PACKAGES, VERSIONS = 2000, 15
FILL = f"""
INSERT INTO build_abis VALUES ('cp39'), ('cp311');
INSERT INTO packages SELECT 'p' || p FROM generate_series(1, {PACKAGES}) p;
INSERT INTO package_names SELECT 'p' || p, 'P' || p, '2020-01-01' FROM generate_series(1, {PACKAGES}) p;
INSERT INTO versions SELECT 'p' || p, v, timestamp '2020-01-01' + (p * 31 + v) * interval '1 hour'
    FROM generate_series(1, {PACKAGES}) p, generate_series(1, {VERSIONS}) v;
INSERT INTO builds (package, version, built_by, built_at, duration, abi_tag)
    SELECT 'p' || p, v, 1, timestamp '2024-01-01' + p * interval '1 minute', '1 s', 'cp39'
    FROM generate_series(1, {PACKAGES}) p, generate_series(1, {VERSIONS - 3}) v;
INSERT INTO files SELECT package || '-' || version || '-cp39-cp39-any.whl', build_id, 10, repeat('a', 64), package, version, 'cp39',
    'cp39', 'any', NULL FROM builds;
INSERT INTO dependencies SELECT filename, 'apt', 'libc6' FROM files;
INSERT INTO downloads SELECT 'p' || 1 + n % {PACKAGES} || '-1-cp39-cp39-any.whl', '192.0.2.1', (now() AT TIME ZONE 'UTC') -
    n * interval '1 minute' FROM generate_series(1, 60000) n;
ANALYZE;
"""
# Rows read from the tables themselves, and from each of their indexes.
COUNTERS = """SELECT relname, seq_scan, seq_tup_read, (SELECT coalesce(sum(i.idx_tup_read), 0) FROM pg_stat_user_indexes i
    WHERE i.relid = t.relid) FROM pg_stat_user_tables t WHERE schemaname = 'public' ORDER BY 1"""
# What tasks ask (proto/db.piw), as the_oracle and the_architect say it.
QUESTIONS = {
    "STATISTICS": "SELECT * FROM piw.statistics(); SELECT * FROM piw.queue_state() q LEFT JOIN piw.builds_last_hour() h "
                  "ON h.abi_tag = q.abi_tag",
    "SITE_FIGURES": "SELECT * FROM piw.site_days(); SELECT * FROM piw.last_builds(20); SELECT * FROM piw.most_downloaded(60)",
    "a project's history": "SELECT * FROM piw.project_histories('{p76,p77}')",
    "QUEUE_AGES": "SELECT * FROM piw.queue_ages()",
    "SEARCH_INDEX": "SELECT * FROM piw.search_index('', 100000)",
    "PACKAGES": "SELECT package FROM packages WHERE package > 'p5'::varchar AND skip NOT IN ('deleted', 'quarantined') ORDER BY package LIMIT 100",
    "project's ABIs": "SELECT * FROM piw.project_abis('p77')",
    "stock's project data": "SELECT get_project_data('p77')",
    "heads": "SELECT h.* FROM unnest('{oldest,newest,popular}'::text[]) o, piw.queue_head('cp311', o, 100) h",
    "BUILDS_KNOWN": "SELECT build_id FROM builds WHERE build_id = ANY ('{1,2,3}'::bigint[])",
    "a page of root": "SELECT package FROM packages WHERE package > 'a'::varchar ORDER BY package LIMIT 10",
    "PYPI_APPLY": "SELECT * FROM piw.apply_pypi_events('{new,p5,p6}', '{New,p5,p6}', '{1,99,NULL}', "
                  "'{2024-01-01,2024-01-01,2024-01-01}', '{source,source,remove}', '{1000001,1000002,1000003}', 1000003, false)",
    "PYPI_PROJECTS": "SELECT * FROM piw.apply_projects('{p11,p12}', '{p11,P.12}', '{1,1,2}', '{1,98,1}', "
                     "'{2024-01-01,2024-01-01,2024-01-01}', '{t,t,f}', '{f,t,f}', 1000004, false, false)",
    "PYPI_COMPARE": "SELECT * FROM piw.compare_projects('{p11,p12,p14,q1}', '{1,2,3,4}', '', 'r', 4)",
    "quarantine": "SELECT * FROM piw.apply_pypi_events('{p20,p21,p22}', '{p20,p21,p22}', '{NULL,5,6}', "
                  "'{2024-01-01,2024-01-01,2024-01-01}', '{quarantine,quarantine,unsource}', '{1000006,1000007,1000008}', 1000008, "
                  "false); SELECT * FROM piw.withheld_due('', 10); SELECT piw.withheld_done('{x.whl}', '{p20-1-cp39-cp39-any.whl}'); "
                  "SELECT * FROM piw.apply_pypi_events('{p20}', '{p20}', '{NULL}', '{2024-01-01}', '{clear}', '{1000009}', 1000009, "
                  "false)",
    "RECENT_BUILDS": "SELECT b.build_id, (SELECT string_agg(f.filename, ' ') FROM files f WHERE f.build_id = b.build_id) FROM builds b "
                     "WHERE b.build_id < 5000 ORDER BY b.build_id DESC LIMIT 20",
    "a package's recent builds": "SELECT b.build_id, (SELECT string_agg(f.filename, ' ') FROM files f WHERE f.build_id = b.build_id) "
                                 "FROM builds b WHERE b.build_id < 9000 AND b.package = 'p77' ORDER BY b.build_id DESC LIMIT 100",
    "METADATA_DUE": "SELECT * FROM piw.metadata_due(8); SELECT piw.metadata_made('{p30-1-cp39-cp39-any.whl}', array[repeat('a', 64)], 'p6')",
    "NEEDS_DUE": "SELECT * FROM piw.needs_due(20); SELECT piw.needs_read('{p30-1-cp39-cp39-any.whl}', array[repeat('a', 64)], '{libc.so.6}', 'p6')",
    "PYPI_FACTS": "SELECT piw.keep_facts('p30', 'archived', 'why', '{1,2}', '{one,two}')",
    "OFFERS_DUE": "SELECT * FROM piw.offers_due('oldest', 20, -1, NULL, true); SELECT piw.hold_offers(60), piw.know_offers('p30', 0), "
                  "piw.keep_pypi_wheels('p30', '{1}', '{py3-none-any}', '{1}', 0)",
    "REMOVALS_DUE": "SELECT * FROM piw.removals_due('0', 10)",
    "a package's skip": "SELECT skip_package('p9', 'x'), skip_package('p9', ''), delete_build('p8', '1'), yank_version('p8', '2')",
    "a download": "SELECT log_download('p1-1-cp39-cp39-any.whl', '::1', now() AT TIME ZONE 'UTC')",
    "put_first": "SELECT * FROM piw.put_first('p1')",
    "LOGBUILD": "SELECT * FROM piw.record_builds(ARRAY[piw.reserve('build', 1)]::int[], '{7}', '{p40}', '{14}', '{cp311}', '{t}', "
                "'{1000000}', '{1}', '{p40-14-cp311-cp311-any.whl}', '{10}', ARRAY[repeat('b', 64)], '{p40}', '{14}', '{cp311}', "
                "'{cp311}', '{any}', '{NULL}', '{simple}', '{NULL}', '{1}', '{apt}', '{libc6}')",
    "ATTEMPTS": "SELECT piw.begin_attempts('{7}', '{p41}', '{14}', '{cp311}'), "
                "piw.fail_attempt(7, 'p41', '14', 'cp311', 'network', 'the end of its log')",
    "RETRY": "SELECT * FROM piw.retry('p41', NULL)",
    "WHY": "SELECT * FROM piw.why_abis('p41', '14'); SELECT * FROM piw.why_attempts('p41', '14', 20)",
    "DESCRIBE": "SELECT piw.describe('{p1,p2}', '{words,more words}')",
    "rewrites": "SELECT piw.save_rewrites('{p1,p2}', '{2024-01-01,2024-01-01}', '{BOTH,BOTH}'), piw.removals_done('{p1.whl}'); "
                "SELECT * FROM piw.load_rewrites()",
    "web logs": "SELECT piw.log_downloads(1, 1, '{p1-1-cp39-cp39-any.whl}', '{::1}', '{2024-01-01}', '{x}', '{x}', '{x}', '{x}', '{x}', "
                "'{x}', '{x}', '{pip}', '{x}', '{x}'), piw.log_searches(1, 2, '{p1}', '{::1}', '{2024-01-01}', '{x}', '{x}', '{x}', "
                "'{x}', '{x}', '{x}', '{x}', '{pip}', '{x}', '{x}'), piw.log_projects(1, 3, '{p1}', '{::1}', '{2024-01-01}', '{x}'), "
                "piw.log_jsons(1, 4, '{p1}', '{::1}', '{2024-01-01}', '{x}'), "
                "piw.log_pages(1, 5, '{home}', '{::1}', '{2024-01-01}', '{x}'); SELECT * FROM piw.statistics()",
    "what operators ask": "SELECT piw.add_package('mine', 'Mine', 'words', '', false, '{}'), piw.add_version('p43', 'p43', '77', '', "
                          "false, '2024-01-01', false, false, '{}'), piw.remove_version('p44', '2', false, '', false), "
                          "piw.remove_version('p44', '3', true, '', false), piw.remove_package('p45', false, '')",
    "draining": "SELECT piw.drain(100); SELECT piw.drain()",
    "removing": "SELECT delete_version('p7', '1'), delete_package('p3'); SELECT piw.drain()",
}
# Rows of one package, of a head and of an hour are what each may read.
ROWS_MAX = 3000


def counters(farm):
    """They are complete once the sessions that read have ended."""
    farm.wait("the end of the master's sessions",
              lambda: farm.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'piwheels'") == "0", alive=False)
    return {row[0]: tuple(map(int, row[1:])) for row in farm.psql(COUNTERS)}


def scanned(before, after):
    """What is wrong about the difference, as one text."""
    wrong = []
    for table in BIG:
        scans, rows, by_index = (b - a for a, b in zip(before[table], after[table]))
        if rows > 0:
            wrong.append(f"{table} was scanned {scans} times, {rows} rows")
        if by_index > ROWS_MAX:
            wrong.append(f"{by_index} rows of {table} were read by index")
    return ", ".join(wrong)


class Plans:
    """What the server's log has of the plans of the master's role."""

    def __init__(self, farm):
        self.log, self.read, self.count = farm.dir / "log" / "postgres.log", 0, 0
        for setting in ("session_preload_libraries = auto_explain", "auto_explain.log_min_duration = 0",
                        "auto_explain.log_nested_statements = on", "auto_explain.log_format = json"):
            farm.psql(f"LOAD 'auto_explain'; ALTER ROLE piwheels SET {setting}")

    def scans(self):
        """The statements since the last look that read one of the tables whole."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            file.seek(self.read)
            text = file.read()
            self.read = file.tell()
        found = set()
        for plan in re.findall(r"plan:\n((?:\t.*\n)+)", text):
            explained = json.loads(plan)
            self.count += 1
            for what in self.whole(explained["Plan"], False):
                found.add(f"{what}: {' '.join(explained['Query Text'].split())[:300]}")
        return sorted(found)

    def whole(self, node, limited, table=None):
        """A scan without a condition on an index, unless it ends with the first rows."""
        table = node.get("Relation Name", table)
        kind = node["Node Type"]
        limited = kind == "Limit" or (limited and kind not in ("Sort", "Incremental Sort", "Aggregate", "Hash", "SetOp"))
        bare = kind in ("Index Scan", "Index Only Scan", "Bitmap Index Scan") and "Index Cond" not in node and not limited
        if table in BIG and (kind == "Seq Scan" or bare):
            yield f"{kind} of {table}"
        for below in node.get("Plans", ()):
            yield from self.whole(below, limited, table if kind == "Bitmap Heap Scan" else None)


def fill(farm):
    farm.create_database(["cp39"])
    farm.psql("ALTER SYSTEM SET autovacuum = off")
    farm.psql("SELECT pg_reload_conf()")
    farm.psql("DROP SCHEMA piw CASCADE")
    farm.psql("DELETE FROM build_abis")
    farm.psql(FILL)
    farm.run([farm.program("piw-initdb"), "-c", "/dev/null", "-d", farm.dsn("postgres"), "-u", "piwheels", "-y"])
    # The pass over adopted wheels takes a while, and there is none on the site.
    farm.psql("UPDATE piw.metadata_pass SET done = true")


def work(farm):
    """A dozen builds by three slaves, pages, statistics, what an operator does."""
    slaves = [Builder(farm.dir / "s" / "slave", f"slave{n}", abi="cp311") for n in range(3)]
    built = 0
    for _ in range(8):
        for slave in slaves:
            if farm.wait("a build", lambda s=slave: s.idle()[0] == "BUILD", 20):
                slave.fail()
                built += 1
    for slave in slaves:
        slave.bye()
        slave.close()
    farm.psql("SELECT skip_package('p33', 'x'), yank_version('p34', '1')")
    farm.wait("a project page", lambda: any((farm.www / "project").glob("p*/index.html")), 30)
    farm.wait("the statistics", lambda: farm.value("SELECT last_value FROM piw.slave_numbers") is not None)
    return built


def main():
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        fill(farm)
        plans = Plans(farm)
        farm.start_master()
        farm.wait("the queue", lambda: farm.value("SELECT count(*) FROM piw.refills") == "0", 60)
        farm.wait("pages of all packages, which the new site hasn't", lambda: farm.pages_form() == "all", 120)
        farm.stop_process(farm.master)
        before = counters(farm)
        farm.start_master()
        built = work(farm)
        # Statistics come every ten seconds, whole heads as well: one round of each.
        started = farm.value("SELECT extract(epoch FROM min(backend_start)) FROM pg_stat_activity WHERE usename = 'piwheels'")
        farm.wait("a round of everything", lambda: float(farm.value("SELECT extract(epoch FROM now())")) - float(started) > 22, 40)
        farm.stop_process(farm.master)
        check(f"a master that works ({built} builds)", not scanned(before, counters(farm)), scanned(before, counters(farm)))
        found = plans.scans()
        check(f"the plans of {plans.count} statements", plans.count > 100 and not found, found)
        farm.psql("UPDATE piw.metadata_pass SET done = false, after = 'p5'; UPDATE piw.needs_pass SET done = false, after = 'p5'")
        for name, question in QUESTIONS.items():
            before = counters(farm)
            farm.psql(question, user="piwheels")
            after = counters(farm)
            found = plans.scans()
            check(name, not scanned(before, after) and not found, f"{scanned(before, after)} {found}")
        # Counters and plans do tell.
        before = counters(farm)
        farm.psql("SELECT count(*) FROM versions; SELECT get_initial_statistics()", user="piwheels")
        found = scanned(before, counters(farm))
        check("a scan is seen", "versions was scanned" in found or "of versions were read" in found, found)
        found = plans.scans()
        check("the plan of a scan is seen", any(re.match("(Seq|Index Only) Scan of versions", line) for line in found), found)
    return score.code()


if __name__ == "__main__":
    sys.exit(score.run([main]))
