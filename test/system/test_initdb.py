#!/usr/bin/python3
"""piw-initdb: what it refuses, creates, adopts, upgrades, and how to go back to stock. A private PostgreSQL."""

import json
import os
import re
import subprocess
import sys

import screen
from cluster import ROOT, Cluster
import score

# What a database of an earlier version holds: test/schema/piw-1.sql belongs to it. With MORE_ROWS the later ones.
ROWS = """SELECT nextval('builds_build_id_seq'); INSERT INTO build_abis VALUES ('cp39'), ('cp311');
INSERT INTO packages VALUES ('flask', '', 'words'), ('numpy', '', ''), ('skipped', 'no', '');
INSERT INTO versions VALUES ('flask', '1.0', '2020-01-01'), ('flask', '2.0', '2021-01-01'), ('numpy', '1.0', '2019-01-01'),
    ('skipped', '1', '2018-01-01'), ('numpy', '2.0', '2022-01-01');
INSERT INTO package_names VALUES ('flask', 'Flask', '2020-01-01');
INSERT INTO builds VALUES (1, 'numpy', '1.0', 1, '2024-01-01', '5 s', true, 'cp39');
INSERT INTO files VALUES ('numpy-1.0-cp39-cp39-linux_armv7l.whl', 1, 1000, repeat('a', 64), 'numpy', '1.0', 'cp39', 'cp39',
    'linux_armv7l', NULL);
INSERT INTO dependencies VALUES ('numpy-1.0-cp39-cp39-linux_armv7l.whl', 'apt', 'libc6');
INSERT INTO downloads SELECT 'numpy-1.0-cp39-cp39-linux_armv7l.whl', '192.0.2.1', '2024-01-01' FROM generate_series(1, 3);
"""
MORE_ROWS = """INSERT INTO build_abis VALUES ('cp313t');
INSERT INTO packages VALUES ('own', '', ''), ('stable', '', '');
INSERT INTO versions VALUES ('own', '1.0', '2020-02-01'), ('stable', '1.0', '2020-03-01');
INSERT INTO builds VALUES (2, 'own', '1.0', 1, '2024-01-02', '5 s', true, 'cp39'),
    (3, 'stable', '1.0', 1, '2024-01-03', '5 s', true, 'cp39');
INSERT INTO files VALUES ('own-1.0-cp39-none-any.whl', 2, 1000, repeat('b', 64), 'own', '1.0', 'cp39', 'none', 'any', NULL),
    ('stable-1.0-cp39-abi3-linux_armv7l.whl', 3, 1000, repeat('c', 64), 'stable', '1.0', 'cp39', 'abi3', 'linux_armv7l', NULL);
"""
QUEUE = [("flask", "1.0", "cp39"), ("flask", "2.0", "cp39"), ("numpy", "1.0", "cp311"), ("numpy", "2.0", "cp39")]
# All that schema piw consists of, but for the rows.
SHAPE = {
    "columns": """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
        pg_get_expr(d.adbin, d.adrelid) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'piw'::regnamespace AND c.relkind IN ('r', 'v', 'c') AND NOT a.attisdropped""",
    "constraints": """SELECT conrelid::regclass, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'piw'::regnamespace""",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'piw'",
    "functions": "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'piw'::regnamespace",
    "triggers": "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "grants": """SELECT c.relname, x.grantee::regrole, x.privilege_type FROM pg_class c CROSS JOIN aclexplode(c.relacl) x
        WHERE c.relnamespace = 'piw'::regnamespace UNION ALL SELECT p.oid::regprocedure::text, x.grantee::regrole,
        x.privilege_type FROM pg_proc p CROSS JOIN aclexplode(p.proacl) x WHERE p.pronamespace = 'piw'::regnamespace""",
    "identities": "SELECT relname, relreplident FROM pg_class WHERE relnamespace = 'piw'::regnamespace AND relkind = 'r'",
    "version": "SELECT version FROM piw.configuration",
}


def same(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, not {wanted!r}")


def dump(cluster, database, *options):
    """What pg_dump writes, without what differs from run to run."""
    text = cluster.run([cluster.bin / "pg_dump", "-U", "postgres", "-d", database, *options]).stdout
    return [line for line in text.splitlines() if not re.match(r"--|\\(un)?restrict |$", line)]


def stock(cluster, database):
    """A stock database of release 0.23 with a few rows, as if ours had never been there."""
    cluster.create(database)
    cluster.sql(database, "DROP SCHEMA piw CASCADE;" + ROWS)


def shape(cluster, database):
    """Without casts and brackets, which a dump writes in its own way."""
    def plain(cell):
        return re.sub(r"::(text|character varying)|[()\[\]]", "", cell or "")
    return {name: sorted(tuple(map(plain, row)) for row in cluster.rows(database, query))
            for name, query in SHAPE.items()}


def like_new(cluster, database):
    """An upgraded schema is what a new one is."""
    if not cluster.rows("postgres", "SELECT 1 FROM pg_database WHERE datname = 'fresh'"):
        cluster.create("fresh")
    upgraded = shape(cluster, database)
    for name, lines in shape(cluster, "fresh").items():
        same(upgraded[name], lines, f"{name} of an upgraded schema and of a new one")


def drain(cluster, database):
    for _ in range(100):
        if cluster.value(database, "SELECT piw.drain(100)") == "f":
            return
    raise AssertionError("draining doesn't end")


def queue(cluster, database):
    return cluster.rows(database, "SELECT package, version, abi_tag FROM piw.queue ORDER BY 1, 2")


def refuses(cluster):
    def expect(database, args, code, pattern, **more):
        done = cluster.initdb(database, *args, check=False, **more)
        if done.returncode != code or not re.fullmatch(f"piw-initdb: {pattern}\n", done.stderr):
            raise AssertionError(f"{args}: {done.returncode} {done.stderr!r}")

    cluster.sql("postgres", "CREATE DATABASE empty; CREATE DATABASE old; CREATE ROLE other LOGIN")
    if not cluster.rows("postgres", "SELECT 1 FROM pg_roles WHERE rolname = 'piwheels'"):
        cluster.sql("postgres", "CREATE ROLE piwheels LOGIN")
    expect("nosuch", ["-y"], 1, '.*"nosuch" does not exist.*')
    expect("empty", ["-y", "-u", "piwheels2"], 1, "user piwheels2 does not exist.*")
    expect("empty", ["-y", "-u", "postgres"], 1, "user postgres is a superuser.*")
    expect("empty", ["-y"], 1, "user piwheels is not a superuser.*", user="piwheels")
    expect("empty", [], 1, "no answer: .*")
    expect("empty", ["--repair"], 2, "--repair goes with --check-queue.*")
    expect("empty", ["--abi", "none"], 2, "--abi 'none' is no ABI tag of an interpreter, .*")
    expect("empty", ["--abi", "CP311"], 2, "--abi 'CP311' is no ABI tag .*")
    expect("empty", ["--check-queue"], 1, "database empty has no schema piw yet.*")
    same(cluster.initdb("empty", check=False, stdin="n\n").returncode, 2, "exit code of no")
    cluster.initdb("empty", "--dry-run")
    same(cluster.rows("empty", "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"), [],
         "after no and a dry run")
    cluster.sql("old", "CREATE TABLE configuration (id int, version text); INSERT INTO configuration VALUES (1, '0.21')")
    for version, pattern in (("0.21", ".* has version 0.21, older than 0.22: run the piw-initdb of the stock release 0.23.*"),
                             ("0.24", ".*newer than.*"), ("1.0", ".*newer than.*"), ("x", ".*'x', which is unknown")):
        cluster.sql("old", f"UPDATE configuration SET version = '{version}'")
        expect("old", ["-y"], 1, pattern)
    cluster.sql("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'; CREATE DATABASE foreign1;"
                            "CREATE DATABASE foreign2")
    expect("latin", ["-y"], 1, "database latin is encoded in LATIN1, UTF8 is needed: .*")
    cluster.sql("foreign1", "CREATE TABLE packages (x int)")
    expect("foreign1", ["-y"], 1, "database foreign1 holds a table packages of something else: .*")
    more = "user piwheels may do more than read and call functions, it"
    for give, take, pattern in (
            ("GRANT postgres TO piwheels", "REVOKE postgres FROM piwheels", f"{more} is a member of role postgres: REVOKE postgres FROM .*"),
            ("CREATE ROLE team; GRANT pg_execute_server_program TO team; GRANT team TO piwheels", "DROP ROLE team",
             f"{more} is a member of role pg_execute_server_program: .*"),
            ("ALTER DATABASE empty OWNER TO piwheels", "ALTER DATABASE empty OWNER TO postgres", f"{more} owns the database: ALTER .*"),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION f() OWNER TO piwheels", "DROP FUNCTION f()",
             rf"{more} owns f\(\): ALTER ROUTINE f\(\) OWNER TO postgres"),
            ("CREATE TABLE mine (); ALTER TABLE mine OWNER TO piwheels", "DROP TABLE mine", f"{more} owns mine: ALTER TABLE .*"),
            ("CREATE TABLE lent (); GRANT SELECT, DELETE ON lent TO piwheels", "DROP TABLE lent",
             f"{more} has DELETE on lent: REVOKE DELETE ON lent FROM piwheels"),
            ("CREATE TABLE lent (); GRANT INSERT ON lent TO PUBLIC", "DROP TABLE lent",
             f"{more} has INSERT on lent: REVOKE INSERT ON lent FROM PUBLIC")):
        cluster.sql("empty", give)
        expect("empty", ["-y"], 1, pattern)
        cluster.sql("empty", take)
    same("the farm has no ABI: piw-initdb --abi cp311" in cluster.initdb("empty", "-y").stdout, True, "the word about ABIs")
    same("Build for cp311, cp39 in database empty?" in cluster.initdb("empty", "--abi", "cp311", "--abi", "cp39", stdin="y\n").stdout,
         True, "ABIs of a database that is there")
    same(cluster.rows("empty", "SELECT * FROM build_abis ORDER BY 1"), [("cp311", ""), ("cp39", "")], "its ABIs")
    same("up to date" in cluster.initdb("empty", "--abi", "cp39").stdout, True, "the same ABI again")
    same("up to date" in cluster.initdb("empty", "-y").stdout, True, "a second run")
    expect("empty", ["-y", "-u", "other"], 1, "user other may not use the tables in database empty, .* --user")
    cluster.sql("empty", "UPDATE piw.configuration SET version = 99")
    expect("empty", ["-y"], 1, "schema piw is of version 99, this program knows 1 to .*")
    cluster.sql("empty", "DROP SCHEMA piw CASCADE; CREATE SCHEMA piw")
    expect("empty", ["-y"], 1, "database empty holds a schema piw of something else: .*")


def adopts(cluster):
    stock(cluster, "adopted")
    before = dump(cluster, "adopted")
    said = cluster.initdb("adopted", "--dry-run").stdout
    for words in ("about to count, by the server's estimate: builds", "counting downloads", "triggers on stock tables",
                  "dry run: database adopted is as it was"):
        same(words in said, True, f"a dry run says: {words}")
    same(dump(cluster, "adopted"), before, "after a dry run")
    asked = cluster.initdb("adopted", stdin="\n").stdout
    same("Add schema piw to the stock database adopted, for user piwheels? [Y/n]" in asked, True, "the question")
    with_piw = dump(cluster, "adopted", "--exclude-schema=piw")
    same([line for line in with_piw if not line.startswith("CREATE TRIGGER piw_")], before, "what isn't ours, once adopted")
    cluster.create("created")
    same(shape(cluster, "adopted"), shape(cluster, "created"), "an adopted schema and a created one")
    drain(cluster, "adopted")
    same(queue(cluster, "adopted"), QUEUE, "its queue")
    same(cluster.rows("adopted", "SELECT files_count, builds_size, packages_built, downloads_all FROM piw.totals"),
         [("1", "1000", "1", "3")], "its totals")
    same(cluster.rows("adopted", "SELECT * FROM piw.search_index('', 10)", user="piwheels"),
         [("flask", "0", "0"), ("numpy", "0", "3"), ("skipped", "0", "0")], "its search index")
    cluster.sql("adopted", "DROP SCHEMA piw CASCADE")
    same(dump(cluster, "adopted"), before, "the way back")
    cluster.sql("adopted", "SELECT log_build_failure('flask', '1.0', 1, '1 s', 'cp39'); DELETE FROM versions;"
                           "TRUNCATE packages CASCADE", user="postgres")


def goes_back_after_work(cluster):
    """What the farm did stays; nothing else does."""
    stock(cluster, "worked")
    work = ("SELECT add_new_package('new'), add_new_package_version('new', '1', '2024-01-01');"
            "SELECT log_build_failure('new', '1', 1, '1 s', 'cp39'); DELETE FROM versions WHERE package = 'skipped';"
            "UPDATE builds SET built_at = '2024-01-01' WHERE package = 'new';"
            "UPDATE packages SET skip = 'x' WHERE package = 'flask'; TRUNCATE downloads;")
    stock(cluster, "without")
    cluster.sql("without", work)
    cluster.initdb("worked", "-y")
    cluster.sql("worked", work)
    drain(cluster, "worked")
    cluster.sql("worked", "DROP SCHEMA piw CASCADE")
    same(sorted(dump(cluster, "worked")), sorted(dump(cluster, "without")), "stock after work, with and without us")


def upgrades_stock_22(cluster):
    stock(cluster, "release22")
    cluster.sql("release22", "DROP FUNCTION get_project_data(text);"
                             "CREATE FUNCTION get_project_data(its_name text) RETURNS json LANGUAGE sql AS $$ SELECT "
                             "'{}'::json $$; UPDATE configuration SET version = '0.22'")
    stock(cluster, "release23")
    said = cluster.initdb("release22", "--dry-run").stdout
    same("upgrading the stock schema from 0.22 to 0.23" in said, True, "what a dry run says")
    same(cluster.value("release22", "SELECT version FROM configuration"), "0.22", "the version after a dry run")
    asked = cluster.initdb("release22", stdin="y\n").stdout
    same("Upgrade it from release 0.22 to 0.23, and add schema piw" in asked, True, "the question")
    data = json.loads(cluster.value("release22", "SELECT get_project_data('numpy')", user="piwheels"))
    same(data["releases"]["1.0"]["abis"]["cp39"]["status"], "success", "its get_project_data")
    cluster.sql("release22", "DROP SCHEMA piw CASCADE")
    same(sorted(dump(cluster, "release22")), sorted(dump(cluster, "release23")), "the stock schema, upgraded and created")


def upgrades_version_2(cluster):
    """Versions whose builds do for fewer ABIs than was thought come back into the queue: said first, then asked."""
    stock(cluster, "version2")
    cluster.sql("version2", MORE_ROWS + (ROOT / "test" / "schema" / "piw-2.sql").read_text("utf-8"))
    before = dump(cluster, "version2")
    for options in (["--dry-run"], []):
        done = cluster.initdb("version2", *options, stdin="n\n", check=False)
        same((done.returncode, "2 versions come back into the build queue with the upgrade" in done.stdout),
             (2 if not options else 0, True), f"what {options or 'no'} says")
        same(dump(cluster, "version2"), before, f"after {options or 'no'}")
    same(cluster.initdb("version2", check=False).returncode, 1, "the end of input as an answer")
    asked = cluster.initdb("version2", stdin="\n").stdout
    same(bool(re.search(r"from version 2 to \d+, and bring 2 versions back into its build queue\? \[Y/n\]", asked)), True,
         f"the question: {asked}")
    like_new(cluster, "version2")
    same(queue(cluster, "version2"), QUEUE, "its queue at once")
    drain(cluster, "version2")
    same(queue(cluster, "version2"), QUEUE + [("own", "1.0", "cp311"), ("stable", "1.0", "cp313t")], "its queue, filled")
    same(cluster.initdb("version2", "--check-queue").returncode, 0, "--check-queue")
    same("up to date" in cluster.initdb("version2", "-y").stdout, True, "a second run")


def upgrades_version_3(cluster):
    """A farm with views, one with a rule by downloads: what is counted then is counted by its machines."""
    stock(cluster, "version3")
    cluster.sql("version3", MORE_ROWS + (ROOT / "test" / "schema" / "piw-3.sql").read_text("utf-8"))
    before = cluster.rows("version3", "SELECT view, place, abi_tag, platforms, libraries, common, popular FROM piw.views ORDER BY 2")
    waited = queue(cluster, "version3")
    same("upgrading schema piw from version 3 to 4" in cluster.initdb("version3", "-y").stdout, True, "what it says")
    like_new(cluster, "version3")
    same(cluster.rows("version3", "SELECT view, place, abi_tag, platforms, libraries, common, popular FROM piw.views ORDER BY 2"), before,
         "its views")
    same((queue(cluster, "version3"), len(before)), (waited, 2), "its queue")
    same(cluster.initdb("version3", "--check-queue").returncode, 0, "--check-queue")
    cluster.sql("version3", "INSERT INTO downloads (filename, accessed_by, accessed_at, arch, distro_name, distro_version, py_version) SELECT "
                "'numpy-1.0-py3-none-any.whl', '192.0.2.1', now() AT TIME ZONE 'UTC' - interval '1 day', 'aarch64', 'Debian', '13', '3.13' "
                "FROM generate_series(1, 5)")
    drain(cluster, "version3")
    same(cluster.rows("version3", "SELECT view, package, recent FROM piw.view_downloads"), [("trixie", "numpy", "5")], "its counts at once")
    cluster.sql("version3", "SELECT piw.set_views('{cp39view,trixie}', '{cp39,cp313}', '{linux_armv7l,linux_aarch64}', "
                "ARRAY['', 'GLIBC_2.41'], '{t,f}', '{f,t}', '{f,f}', '{0,0}', '{0,5}', '{t,f}', ARRAY['', 'debian'], ARRAY['', '13'], "
                "ARRAY['', ''])")
    drain(cluster, "version3")
    same(cluster.rows("version3", "SELECT view, package, recent FROM piw.view_downloads"), [("trixie", "numpy", "5")], "its counts by view")
    same([row for row in queue(cluster, "version3") if row[2] == "trixie"], [("numpy", "1.0", "trixie"), ("numpy", "2.0", "trixie")],
         "what waits by them")
    same(cluster.initdb("version3", "--check-queue").returncode, 0, "--check-queue then")
    same("up to date" in cluster.initdb("version3", "-y").stdout, True, "a second run")


def upgrades_version_4(cluster):
    """A farm with views: what its names mean is kept from now on."""
    stock(cluster, "version4")
    cluster.sql("version4", MORE_ROWS + (ROOT / "test" / "schema" / "piw-4.sql").read_text("utf-8"))
    views, waited = cluster.rows("version4", "SELECT * FROM piw.views ORDER BY place"), queue(cluster, "version4")
    same("upgrading schema piw from version 4 to 5" in cluster.initdb("version4", "-y").stdout, True, "what it says")
    like_new(cluster, "version4")
    same((cluster.rows("version4", "SELECT * FROM piw.views ORDER BY place"), len(views)), (views, 2), "its views")
    same((queue(cluster, "version4"), [row[2] for row in waited if row[2] not in ("cp39", "trixie")]), (waited, ["cp311", "cp311", "cp313t"]),
         "its queue at once")
    same(cluster.initdb("version4", "--check-queue").returncode, 0, "--check-queue")
    drain(cluster, "version4")
    same(queue(cluster, "version4"), [row for row in waited if row[2] in ("cp39", "trixie")], "its queue: no view builds for other ABIs")
    same(cluster.initdb("version4", "--check-queue").returncode, 0, "--check-queue then")
    same("up to date" in cluster.initdb("version4", "-y").stdout, True, "a second run")


def upgrades_version_5(cluster):
    """A farm with views: what PyPI has under a name that no installer there asks for counts no more."""
    stock(cluster, "version5")
    cluster.sql("version5", MORE_ROWS + (ROOT / "test" / "schema" / "piw-5.sql").read_text("utf-8"))
    views, waited = cluster.rows("version5", "SELECT * FROM piw.views ORDER BY place"), queue(cluster, "version5")
    same("upgrading schema piw from version 5 to 6" in cluster.initdb("version5", "-y").stdout, True, "what it says")
    like_new(cluster, "version5")
    same((cluster.rows("version5", "SELECT * FROM piw.views ORDER BY place"), len(views)), (views, 2), "its views")
    same((queue(cluster, "version5"), ("flask", "1.0", "trixie") in waited), (waited, False), "its queue at once")
    drain(cluster, "version5")
    same(sorted(queue(cluster, "version5")), sorted(waited + [("flask", "1.0", "trixie")]), "its queue, filled")
    same(cluster.initdb("version5", "--check-queue").returncode, 0, "--check-queue")
    same("up to date" in cluster.initdb("version5", "-y").stdout, True, "a second run")


def upgrades_ours(cluster):
    fixture = (ROOT / "test" / "schema" / "piw-1.sql").read_text("utf-8")
    stock(cluster, "version1")
    cluster.sql("version1", fixture)
    before = dump(cluster, "version1")
    said = cluster.initdb("version1", "--dry-run").stdout
    same("upgrading schema piw from version 1 to 2" in said, True, "what a dry run says")
    same(dump(cluster, "version1"), before, "after a dry run")

    blocked = cluster.dsn("version1", "piwheels") + "&application_name=piw-master"
    with subprocess.Popen([*cluster.drop, "psql", "-XAtq", blocked], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=cluster.env, text=True) as master:
        master.stdin.write("SELECT 1;\n")
        master.stdin.flush()
        master.stdout.readline()
        done = cluster.initdb("version1", "-y", check=False)
        master.stdin.close()
    same((done.returncode, "a master is connected to database version1" in done.stderr), (1, True), "with a master connected")
    asked = cluster.initdb("version1", stdin="y\n").stdout
    same(bool(re.search(r"Upgrade schema piw in database version1 from version 1 to \d+\?", asked)), True, "the question")
    like_new(cluster, "version1")
    drain(cluster, "version1")
    same(queue(cluster, "version1"), QUEUE, "its queue")
    same(cluster.rows("version1", "SELECT package, version, state FROM piw.attempts ORDER BY 1"),
         [("flask", "1.0", "running"), ("numpy", "1.0", "running")], "its attempts")
    same(cluster.rows("version1", "SELECT package, recent, ever FROM piw.package_downloads"), [("numpy", "0", "3")],
         "its downloads by package")
    same(cluster.rows("version1", "SELECT filename, recent, ever FROM piw.file_downloads"),
         [("numpy-1.0-cp39-cp39-linux_armv7l.whl", "0", "3")], "and by file")
    same(cluster.initdb("version1", "--check-queue").returncode, 0, "--check-queue")
    same("up to date" in cluster.initdb("version1", "-y").stdout, True, "a second run")


def shows_progress(cluster):
    """A step that takes long says so, on a terminal each second: here it waits for somebody's transaction."""
    stock(cluster, "slow")
    with subprocess.Popen([*cluster.drop, "psql", "-XAtq", "-U", "postgres", "-d", "slow"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, env=cluster.env, text=True) as holder:
        holder.stdin.write("BEGIN; LOCK downloads IN ROW EXCLUSIVE MODE; SELECT 1;\n")
        holder.stdin.flush()
        holder.stdout.readline()
        cluster.initdb("postgres", "--version")  # installs it
        args = [*cluster.drop, cluster.dir / "inst" / "bin" / "piw-initdb", "-c", "/dev/null", "-d", cluster.dsn("slow", "postgres"), "-y"]
        with screen.Terminal(args, {**cluster.env, "TERM": "xterm"}, 24, 100) as terminal:
            same(bool(terminal.wait(r"^  [1-9]\d* s so far")), True, f"progress on a terminal: {terminal.text()}")
            holder.stdin.close()
            same(terminal.end(), 0, "its end")
            text = terminal.text()
    same("database slow is ready" in text and "so far" not in text, True, f"what stays on the screen: {text}")
    told = cluster.run([cluster.bin / "psql", "-X", "-d", "slow", "-c", "SET client_min_messages = notice",
                        "-c", "SELECT piw.recount_versions()"]).stderr
    parts = [int(part) for part in re.findall(r"(\d+) % done", told)]
    same((len(parts), parts == sorted(parts), parts[-1:]), (3, True, [100]), "the parts of a count: no more than packages")


def names_the_versions_alike(_cluster):
    header = (ROOT / "actors" / "shared" / "schema_version.h").read_text("utf-8")
    tables = (ROOT / "schema" / "piw.sql").read_text("utf-8")
    program = re.search(r"PIW_SCHEMA_VERSION = (\d+)", header)[1]
    same(re.search(r"INTO piw.configuration \(version\) VALUES \((\d+)\)", tables)[1], program, "schema/piw.sql")
    for step in range(1, int(program)):
        same((ROOT / "schema" / "upgrade" / f"{step}-{step + 1}.sql").exists(), True, f"a step from version {step}")


TESTS = [refuses, adopts, goes_back_after_work, upgrades_stock_22, upgrades_ours, upgrades_version_2, upgrades_version_3, upgrades_version_4,
         upgrades_version_5, shows_progress, names_the_versions_alike]


def main():
    os.umask(0o022)
    with Cluster() as cluster:
        return score.run_silent(TESTS, cluster)


if __name__ == "__main__":
    sys.exit(main())
