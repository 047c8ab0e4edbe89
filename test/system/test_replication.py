#!/usr/bin/python3
"""Logical replication of all tables, as for a move to a newer PostgreSQL (docs/database.md#a-copy-that-follows): the farm works as without it, the
copy is the same in the end, row by row, and the farm goes on there.
"""

import signal
import sys

import cluster
import farm as farms
import load as loads
import machine
import score
from score import check

BUILDS = 60
TABLES_MIN = 50
SLAVES = ("--slaves", "10", "--fail-percent", "30", "--rate", "40")
SEQUENCES = """SELECT format('SELECT setval(%L, %s)', format('%I.%I', schemaname, sequencename), last_value) FROM pg_sequences
WHERE schemaname IN ('public', 'piw') AND last_value IS NOT NULL"""
TABLES = """SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN ('public', 'piw') ORDER BY 1"""


def publish(farm):
    """Of all tables: the queue goes on."""
    farm.psql("CREATE PUBLICATION everything FOR ALL TABLES")
    loads.fill(farm, 200, 4)
    farm.wait("the queue", lambda: farm.value("SELECT count(*) FROM piw.queue") == "800")


def start_copy(farm):
    """A database of the same tables, which follows the farm's."""
    farm.psql("CREATE DATABASE copy TEMPLATE template0", database="postgres")
    dumped = farm.run([cluster.tools() / "pg_dump", "--schema-only", "--no-publications", "-h", farm.dir / "s", "-U", "postgres", "piwheels"])
    (farm.dir / "schema.sql").write_text(dumped.stdout, encoding="utf-8")
    farm.run([cluster.tools() / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", farm.dir / "s", "-U", "postgres", "-d", "copy",
              "-f", farm.dir / "schema.sql"])
    # In one cluster the slot has to be there before: a subscription that makes it waits for its own transaction.
    farm.psql("SELECT pg_create_logical_replication_slot('copy', 'pgoutput')")
    farm.psql(f"CREATE SUBSCRIPTION copy CONNECTION 'host={farm.dir}/s dbname=piwheels user=postgres' PUBLICATION everything "
              "WITH (create_slot = false, slot_name = 'copy')", database="copy")
    farm.wait("the first copy", lambda: farm.psql("SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'", database="copy") == [["0"]])


def contents(farm, database):
    return {table: sorted(map(tuple, farm.psql(f"TABLE {table}", database=database))) for (table,) in farm.psql(TABLES, database=database)}


def build(farm, name):
    load = loads.Load(farm, *SLAVES, name=name)
    load.wait_built(BUILDS)
    load.process.popen.send_signal(signal.SIGTERM)
    load.finish(60)
    return load.ended()[0]


def follow(farm):
    ended = build(farm, "load-1")
    loads.wait_recorded(farm, len(ended))
    machine.check_farm(farm, "replicated")
    farm.stop_process(farm.master)
    farm.psql("INSERT INTO piw.pypi_projects VALUES ('the-last')")
    farm.wait("the copy", lambda: farm.psql("SELECT package FROM piw.pypi_projects WHERE package = 'the-last'", database="copy"))
    ours, copy = contents(farm, "piwheels"), contents(farm, "copy")
    differ = [table for table, rows in ours.items() if copy.get(table) != rows]
    check(f"the copy is the same in all {len(ours)} tables", len(ours) > TABLES_MIN and not differ, differ)
    return ended


def move(farm, ended):
    """The farm goes on with the copy."""
    farm.psql("DROP SUBSCRIPTION copy", database="copy")
    for (statement,) in farm.psql(SEQUENCES):
        farm.psql(statement, database="copy")
    farm.psql("ALTER DATABASE piwheels RENAME TO old", database="postgres")
    farm.psql("ALTER DATABASE copy RENAME TO piwheels", database="postgres")
    farm.start_master()
    ended = ended | build(farm, "load-2")
    loads.wait_recorded(farm, len(ended))
    machine.check_farm(farm, "moved")


def main():
    with farms.Farm() as farm:
        farm.dir.chmod(0o755)
        farm.postgres_options = ["wal_level=logical"]
        try:
            farm.prepare()
            farm.start_postgres()
            farm.create_database(abis=[loads.ABI])
            farm.start_pypi()
            farm.start_master()
            publish(farm)
            start_copy(farm)
            move(farm, follow(farm))
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
