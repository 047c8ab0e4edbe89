#!/usr/bin/python3
"""What the master's database role may do: read, and execute the functions that are meant for it. Nothing that it puts in
the way of those functions has an effect. A private PostgreSQL."""

import re
import sys

from cluster import Cluster, SqlError
import score

DENIED = "permission denied|must be owner|must be superuser|cannot lock"
DATABASE = "rights"


def same(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, not {wanted!r}")


def as_master(cluster, text):
    return cluster.rows(DATABASE, text, user="piwheels")


def refused(cluster, statement, why=DENIED):
    try:
        as_master(cluster, statement)
    except SqlError as error:
        if not re.search(why, str(error)):
            raise AssertionError(f"{statement}: refused with {error}") from error
        return
    raise AssertionError(f"{statement}: not refused")


def relations(cluster, kinds):
    return cluster.rows(DATABASE, f"""SELECT c.oid::regclass, (SELECT quote_ident(a.attname) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum LIMIT 1), n.nspname
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'piw') AND c.relkind IN ({kinds}) ORDER BY 1""")


def tables(cluster):
    """Read, but nothing else: as the catalog says, and as the server does. A writing statement is refused before it looks at
    a row, so that the columns' own rules can't be what refuses it."""
    found = relations(cluster, "'r', 'v', 'm', 'p', 'f'")
    same(len(found) > 35, True, f"{len(found)} tables and views")
    for table, column, _ in found:
        as_master(cluster, f"SELECT * FROM {table} LIMIT 0")
        same(cluster.rows(DATABASE, f"SELECT p FROM unnest('{{INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}}'::text[]) p "
                                    f"WHERE has_table_privilege('piwheels', '{table}', p) OR CASE WHEN p IN ('INSERT', 'UPDATE', "
                                    f"'REFERENCES') THEN has_any_column_privilege('piwheels', '{table}', p) END"), [],
             f"privileges on {table}")
    view = [name for name, _, _ in relations(cluster, "'v'")]
    script = []
    for table, column, schema in found:
        script += [f"INSERT INTO {table} DEFAULT VALUES", f"INSERT INTO {table} SELECT * FROM {table}",
                   f"UPDATE {table} SET {column} = DEFAULT", f"DELETE FROM {table}", f"DELETE FROM {table} WHERE false",
                   f"TRUNCATE {table}", f"COPY {table} FROM STDIN", f"COPY {table} FROM '/etc/passwd'",
                   f"COPY {table} FROM PROGRAM 'true'", f"BEGIN; LOCK TABLE {table} IN ROW EXCLUSIVE MODE; ROLLBACK",
                   f"SELECT {column} FROM {table} FOR UPDATE", f"DROP {'VIEW' if table in view else 'TABLE'} {table} CASCADE",
                   f"ALTER TABLE {table} ADD COLUMN x int", f"ALTER TABLE {table} OWNER TO piwheels",
                   f"ALTER TABLE {table} RENAME TO x", f"ALTER TABLE {table} DISABLE TRIGGER ALL",
                   f"CREATE INDEX ON {table} ({column})", f"CREATE RULE r AS ON SELECT TO {table} DO INSTEAD NOTHING",
                   f"CREATE TRIGGER t AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION suppress_redundant_updates_trigger()",
                   f"COMMENT ON {'VIEW' if table in view else 'TABLE'} {table} IS 'x'",
                   f"CREATE POLICY p ON {table}", f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
                   f"CREATE TABLE {schema}.child () INHERITS ({table})"]
    all_refused(cluster, script, more="is a view|not a table|cannot (insert|delete|update|copy|truncate)|is not supported for views|"
                                      "cannot be updated|can't be|is not allowed with|cannot copy to view|do not support|is not an? ")


def all_refused(cluster, statements, more=""):
    """Many statements in one session: each must fail, for want of a privilege or (views) by its nature."""
    text = "".join(f"\\echo #{number}\n{statement};\n" + ("\\.\n" if statement.endswith("STDIN") else "")
                   for number, statement in enumerate(statements))
    done = cluster.run(["psql", "-XAt", "-U", "piwheels", "-d", DATABASE, "-f", "-"], stdin=f"\\o /dev/null\n{text}",
                       check=False)
    errors = {}
    for line in done.stderr.splitlines():
        found = re.match(r"psql:<stdin>:(\d+): ERROR:  (.*)", line)
        if found:
            errors[int(found[1])] = found[2]
    line = 1
    for number, statement in enumerate(statements):
        line += 2
        said = errors.get(line)
        if said is None:
            raise AssertionError(f"{statement}: not refused")
        if not re.search(f"{DENIED}|{more}" if more else DENIED, said):
            raise AssertionError(f"{statement}: refused with {said}")
        line += statement.endswith("STDIN")
        del number


def sequences(cluster):
    for name, _, _ in relations(cluster, "'S'"):
        for statement in (f"SELECT nextval('{name}')", f"SELECT setval('{name}', 1)", f"ALTER SEQUENCE {name} RESTART",
                          f"DROP SEQUENCE {name} CASCADE"):
            refused(cluster, statement)


def definitions(cluster):
    """DDL in both schemas and on the database."""
    statements = []
    for schema in ("public", "piw", "pg_catalog"):
        statements += [f"CREATE TABLE {schema}.t (a int)", f"CREATE VIEW {schema}.v AS SELECT 1", f"CREATE SEQUENCE {schema}.s",
                       f"CREATE TYPE {schema}.ty AS (a int)", f"CREATE DOMAIN {schema}.d AS int",
                       f"CREATE FUNCTION {schema}.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                       f"CREATE OPERATOR {schema}.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)"]
    statements += ["CREATE SCHEMA s", "DROP SCHEMA piw CASCADE", "DROP SCHEMA public CASCADE", "ALTER SCHEMA piw RENAME TO x",
                   "ALTER SCHEMA piw OWNER TO piwheels", "CREATE EXTENSION plpython3u", f"ALTER DATABASE {DATABASE} RENAME TO x",
                   f"ALTER DATABASE {DATABASE} SET search_path = pg_temp", "ALTER ROLE piwheels SUPERUSER", "CREATE ROLE x",
                   "GRANT postgres TO piwheels", "SET ROLE postgres", "SET SESSION AUTHORIZATION postgres",
                   "SET session_replication_role = replica", "ALTER SYSTEM SET fsync = off", "CREATE PUBLICATION p",
                   "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION piw.truncated()",
                   "ALTER DEFAULT PRIVILEGES IN SCHEMA piw GRANT ALL ON TABLES TO PUBLIC; SELECT pg_read_file('/etc/passwd')",
                   "COPY (SELECT 1) TO '/tmp/x'", "COPY (SELECT 1) TO PROGRAM 'true'"]
    all_refused(cluster, statements, more="must have|only superuser|not permitted|extension|Must be superuser|cannot set")
    # A GRANT of what one doesn't have only warns.
    acls = """SELECT relname, relacl FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'piw'::regnamespace)
        UNION ALL SELECT proname, proacl FROM pg_proc WHERE pronamespace IN ('public'::regnamespace, 'piw'::regnamespace)
        UNION ALL SELECT nspname, nspacl FROM pg_namespace UNION ALL SELECT datname, datacl FROM pg_database"""
    before = sorted(cluster.rows(DATABASE, acls))
    cluster.run(["psql", "-XAtq", "-U", "piwheels", "-d", DATABASE, "-f", "-"], check=False, stdin=f"""
        GRANT ALL ON ALL TABLES IN SCHEMA public, piw TO piwheels, PUBLIC; GRANT ALL ON SCHEMA piw, public TO PUBLIC;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA piw TO PUBLIC; GRANT ALL ON DATABASE {DATABASE} TO PUBLIC;""")
    same(sorted(cluster.rows(DATABASE, acls)), before, "privileges after an attempt to grant some")


def functions(cluster):
    """The inner ones are not for the role; each that is has its own search_path."""
    for call in ("piw.recompute('{}', '{}')", "piw.recount()", "piw.recount_versions()", "piw.repair_queue()", "piw.note('{a}', '{1}')",
                 "piw.note_refill(NULL)", "piw.note_downloads('{a}', '{2024-01-01}', '{1}')", "piw.fold_deltas()",
                 "piw.shift_window(1)", "piw.shift_files('2020-01-01', 1)", "piw.apply_removals('{}')", "piw.truncated()",
                 "piw.versions_changed()"):
        refused(cluster, f"SELECT {call}")
    definers = cluster.rows(DATABASE, """SELECT p.oid::regprocedure, n.nspname, array_to_string(p.proconfig, ';')
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prosecdef""")
    same(len(definers) > 60, True, f"{len(definers)} functions run as their owner")
    for function, schema, config in definers:
        wanted = "search_path=public, pg_temp" if schema == "public" else "search_path=piw, public, pg_temp"
        same(wanted in (config or "").split(";"), True, f"search_path of {function}: {config}")
    same(cluster.rows(DATABASE, """SELECT p.oid::regprocedure FROM pg_proc p WHERE p.prorettype = 'trigger'::regtype
        AND p.pronamespace = 'piw'::regnamespace AND NOT p.prosecdef"""), [], "triggers that run as whoever makes the change")
    same(cluster.rows(DATABASE, """SELECT p.oid::regprocedure FROM pg_proc p CROSS JOIN aclexplode(coalesce(p.proacl,
        acldefault('f', p.proowner))) x WHERE p.pronamespace IN ('public'::regnamespace, 'piw'::regnamespace)
        AND x.grantee = 0"""), [], "functions that PUBLIC may execute")
    cluster.sql("postgres", "CREATE ROLE stranger LOGIN")
    try:
        cluster.sql(DATABASE, "SELECT 1", user="stranger")
    except SqlError as error:
        same("permission denied for database" in str(error), True, f"what a stranger is told: {error}")
    else:
        raise AssertionError("a stranger gets in")


HASH = "a" * 64
WORK = f"""
SELECT public.add_new_package('p'), public.add_new_package_version('p', '1', '2024-01-01'), public.add_new_package_version('p', '2');
SELECT public.add_package_name('p', 'P', '2024-01-01'), public.set_package_description('p', 'words'), public.yank_version('p', '2');
SELECT public.log_build_success('p', '1', 1, '2 s', 'cp39',
    ARRAY[('p-1.whl', 0, 7, '{HASH}', 'p', '1', 'cp39', 'cp39', 'any', NULL, '/simple')]::public.files[],
    ARRAY[('p-1.whl', 'apt', 'libc6')]::public.dependencies[]);
SELECT public.log_download('p-1.whl', '::1', '2024-01-01'), public.log_search('p', '::1', '2024-01-01'),
    public.log_project('p', '::1', '2024-01-01', 'a'), public.log_json('p', '::1', '2024-01-01', 'a'),
    public.log_page('home', '::1', '2024-01-01', 'a'), public.set_pypi_serial(5);
SELECT public.save_rewrites_pending(ARRAY[('p', '2024-01-01', 'BOTH')]::public.rewrites_pending[]);
SELECT piw.begin_attempts('{{1}}', '{{p}}', '{{2}}', '{{cp39}}');
SELECT piw.record_builds('{{900}}', '{{1}}', '{{p}}', '{{2}}', '{{cp39}}', '{{t}}', '{{1000000}}', '{{1}}', '{{p-2.whl}}', '{{5}}',
    '{{{HASH}}}', '{{p}}', '{{2}}', '{{cp39}}', '{{cp39}}', '{{any}}', '{{NULL}}', '{{/simple}}', '{{{HASH}}}', '{{1}}', '{{apt}}',
    '{{libx}}');
SELECT package, version, change FROM piw.apply_pypi_events('{{q,q}}', '{{Q,Q}}', '{{NULL,1}}', '{{2024-01-01,2024-01-01}}',
    '{{create,source}}', '{{1000001,1000002}}', 1000002, false);
SELECT piw.describe('{{q}}', '{{text}}');
SELECT piw.drain(100), piw.drain(100), piw.drain(100);
SELECT known, waiting FROM piw.put_first('q');
SELECT * FROM piw.queue_head('cp39', 'popular', 10), piw.queue_state(), piw.statistics();
SELECT abi_tag FROM piw.queue_ages();
"""


def contents(cluster):
    """Every table's rows, without what depends on the moment."""
    result = {}
    for table, _, _ in relations(cluster, "'r'"):
        rows = cluster.rows(DATABASE, f"SELECT * FROM {table}")
        result[table] = sorted(tuple(re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+|^\d+$", "#", cell or "") for cell in row)
                               for row in rows)
    return result


def reset(cluster):
    cluster.sql(DATABASE, "TRUNCATE packages, build_abis, downloads, searches, project_page_hits, project_json_downloads, "
                          "web_page_hits, rewrites_pending CASCADE; UPDATE configuration SET pypi_serial = 0;"
                          "TRUNCATE piw.queue, piw.queue_totals, piw.attempts, piw.dirty, piw.deltas, piw.download_hours, "
                          "piw.download_days, piw.package_downloads, piw.file_days, piw.file_downloads, piw.popularity_due, "
                          "piw.download_notes, piw.refills, "
                          "piw.removals, piw.file_facts, piw.built_tags, piw.applied_serials, piw.pages_due, piw.firsts;"
                          "UPDATE piw.totals SET (files_count, builds_size, builds_time_us, packages_built, downloads_all) = "
                          "(0, 0, 0, 0, 0); INSERT INTO build_abis VALUES ('cp39'), ('cp311')")


def shadows(cluster):
    """The same work with and without temporary tables, types, functions and operators of the same names, ahead in the
    search_path: it does the same, and the temporary tables stay empty."""
    reset(cluster)
    cluster.sql(DATABASE, WORK, user="piwheels")
    wanted = contents(cluster)
    names = sorted({name.split(".")[-1] for name, _, _ in relations(cluster, "'r', 'v'")})
    lure = "".join(f"CREATE TEMP TABLE {name} AS SELECT * FROM {full} WITH NO DATA;\n"
                   for full, name in ((row[0], row[0].split(".")[-1]) for row in relations(cluster, "'r', 'v'"))
                   if names.count(name) == 1 and name != "configuration")
    lure += """CREATE TEMP TABLE configuration (id int, version text, pypi_serial bigint, caught text);
        CREATE TABLE pg_temp.caught (what text);
        CREATE FUNCTION pg_temp.catch(what text) RETURNS text LANGUAGE sql AS 'INSERT INTO pg_temp.caught VALUES ($1) RETURNING $1';
        CREATE FUNCTION pg_temp.canonical(name text) RETURNS text LANGUAGE sql AS $$ SELECT pg_temp.catch('canonical') $$;
        CREATE FUNCTION pg_temp.lower(name text) RETURNS text LANGUAGE sql AS $$ SELECT pg_temp.catch('lower') $$;
        CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_temp.catch('now'), NULL::timestamptz $$;
        """.replace("SELECT pg_temp.catch('now'), NULL::timestamptz", "INSERT INTO pg_temp.caught VALUES ('now') RETURNING NULL::timestamptz")
    lure += """CREATE FUNCTION pg_temp.drain(slice int) RETURNS boolean LANGUAGE sql AS $$ INSERT INTO pg_temp.caught VALUES ('drain') RETURNING true $$;
        CREATE FUNCTION pg_temp.count(anyelement) RETURNS bigint LANGUAGE sql AS $$ INSERT INTO pg_temp.caught VALUES ('count') RETURNING 1::bigint $$;
        CREATE FUNCTION pg_temp.same_text(text, text) RETURNS boolean LANGUAGE sql AS $$ INSERT INTO pg_temp.caught VALUES ('=') RETURNING true $$;
        CREATE OPERATOR pg_temp.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.same_text);
        CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (false);
        CREATE DOMAIN pg_temp.timestamp AS pg_catalog.timestamp CHECK (false);
        SET search_path = pg_temp, pg_catalog, public, piw;
        SET enable_indexscan = off; SET DateStyle = 'German'; SET IntervalStyle = 'sql_standard'; SET timezone = 'Asia/Tokyo';
        """
    look = "".join(f"SELECT '{name}' FROM pg_temp.{name};\n" for name in names + ["caught"])
    reset(cluster)
    caught = cluster.sql(DATABASE, f"{lure}\\o /dev/null\n{WORK}\\o\n{look}", user="piwheels")
    same(caught.strip(), "", "what was caught")
    for table, rows in contents(cluster).items():
        same(rows, wanted[table], f"rows of {table}")


TESTS = [tables, sequences, definitions, functions, shadows]


def main():
    with Cluster() as cluster:
        cluster.create(DATABASE)
        return score.run_silent(TESTS, cluster)


if __name__ == "__main__":
    sys.exit(main())
