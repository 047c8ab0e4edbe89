#!/usr/bin/python3
"""In which order versions are given out: oldest, newest, popular, an operator's first, and that nothing waits for ever.
A private PostgreSQL; then a master, whose piw-ctl is asked."""

import subprocess
import sys

import farm as farms
from cluster import Cluster, SqlError
import score
from wire import Builder

ABIS = "INSERT INTO build_abis VALUES ('cp39'), ('cp311');"


def same(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, not {wanted!r}")


def drain(cluster, database):
    for _ in range(1000):
        if cluster.value(database, "SELECT piw.drain(100)") == "f":
            return
    raise AssertionError("draining doesn't end")


def head(cluster, database, order, limit=100, phase=0, abi="cp39"):
    """Packages, as the master's role reads them."""
    return [row[0] for row in cluster.rows(
        database, f"SELECT package FROM piw.queue_head('{abi}', '{order}', {limit}, {phase})", user="piwheels")]


def downloads(package, count, days_ago=1):
    return (f"INSERT INTO downloads SELECT '{package}-1-py3-none-any.whl', '::1', (now() AT TIME ZONE 'UTC') - interval "
            f"'{days_ago} days' FROM generate_series(1, {count});")


def orders(cluster):
    cluster.create("orders")
    cluster.sql("orders", ABIS + "INSERT INTO packages SELECT 'p' || n FROM generate_series(0, 9) n;"
                "INSERT INTO versions SELECT 'p' || n, '1', date '2020-01-01' + (n * 7) % 10 FROM generate_series(0, 9) n;" +
                downloads("p5", 60) + downloads("P8", 39) + downloads("p0", 3) + downloads("p7", 500, days_ago=40))
    drain(cluster, "orders")
    oldest = ["p0", "p3", "p6", "p9", "p2", "p5", "p8", "p1", "p4", "p7"]
    same(head(cluster, "orders", "oldest"), oldest, "oldest")
    same(head(cluster, "orders", "oldest", 3, 5), oldest[:3], "the head of it, whatever the phase")
    # Newest first, but each eighth place is for the oldest.
    same(head(cluster, "orders", "newest"), ["p7", "p4", "p1", "p8", "p5", "p2", "p9", "p0", "p6", "p3"], "newest")
    same(head(cluster, "orders", "newest", phase=7), ["p0", "p7", "p4", "p1", "p8", "p5", "p2", "p9", "p3", "p6"],
         "newest, in another phase")
    same(head(cluster, "orders", "popular"), ["p5", "p8", "p0", "p7", "p4", "p1", "p2", "p9", "p6", "p3"], "popular")
    cluster.sql("orders", downloads("p3", 200) + "DELETE FROM downloads WHERE filename LIKE 'p5-%'")
    drain(cluster, "orders")
    same(head(cluster, "orders", "popular", 3), ["p3", "p8", "p0"], "popular, after downloads came and went")
    cluster.sql("orders", "DELETE FROM downloads WHERE accessed_at > now() - interval '31 days'; UPDATE piw.download_window "
                          "SET since = since - 30;" + downloads("p6", 100, days_ago=31) + downloads("p9", 20, days_ago=30))
    cluster.sql("orders", "SELECT piw.fold_downloads(100)")
    same(cluster.rows("orders", "SELECT package, recent, ever FROM piw.package_downloads WHERE ever > 0 ORDER BY 1"),
         [("p6", "100", "100"), ("p7", "0", "500"), ("p9", "20", "20")], "before the window moves on")
    drain(cluster, "orders")
    same(cluster.rows("orders", "SELECT package, recent, ever FROM piw.package_downloads WHERE ever > 0 ORDER BY 1"),
         [("p6", "0", "100"), ("p7", "0", "500"), ("p9", "20", "20")], "once it has")
    same(cluster.rows("orders", "SELECT filename, recent, ever FROM piw.file_downloads WHERE filename ~ '^p[69]' AND ever > 0 ORDER BY 1"),
         [(f"{name}-1-py3-none-any.whl", *counts) for name, counts in (("p6", ("0", "100")), ("p9", ("20", "20")))],
         "of each file, too")
    same(cluster.rows("orders", "SELECT filename FROM piw.file_days WHERE downloads > 0"), [("p9-1-py3-none-any.whl",)], "days of files that are left")
    same(head(cluster, "orders", "popular", 2), ["p9", "p7"], "popular then")
    same(cluster.initdb("orders", "--check-queue").returncode, 0, "--check-queue")
    try:
        head(cluster, "orders", "tallest")
    except SqlError as error:
        same("there is no order tallest" in str(error), True, "what is said of an unknown order")
    else:
        raise AssertionError("an unknown order is taken")


def nothing_waits_for_ever(cluster):
    """Each build is taken from the head's front, and something newer comes each time: still the oldest has its turn."""
    cluster.create("ageing")
    cluster.sql("ageing", ABIS + "INSERT INTO packages VALUES ('old'); INSERT INTO versions VALUES ('old', '1', '2000-01-01')")
    script = """DO $$
        DECLARE taken varchar;
        BEGIN
            FOR n IN 1..400 LOOP
                INSERT INTO packages VALUES ('new' || n);
                INSERT INTO versions VALUES ('new' || n, '1', timestamp '2020-01-01' + n * interval '1 day');
                PERFORM piw.drain();
                SELECT h.package INTO taken FROM piw.queue_head('cp39', 'newest', 3) h LIMIT 1;
                IF taken = 'old' THEN
                    RETURN;
                END IF;
                DELETE FROM versions WHERE package = taken;
            END LOOP;
            RAISE EXCEPTION 'the old version was never given out';
        END $$"""
    cluster.sql("ageing", script)


def first(cluster):
    cluster.create("first")
    cluster.sql("first", ABIS + "INSERT INTO packages VALUES ('a', ''), ('b', ''), ('c', ''), ('d', ''), ('no', 'because');"
                "INSERT INTO versions SELECT p, v, date '2020-01-01' + ascii(p) FROM unnest('{a,b,c,d}'::text[]) p, "
                "unnest('{1,2}'::text[]) v")
    drain(cluster, "first")
    same(head(cluster, "first", "oldest"), list("aabbccdd"), "before")
    put = "SELECT known, reason, waiting FROM piw.put_first('{}')"
    before = cluster.value("first", "SELECT changes FROM piw.queue_totals WHERE abi_tag = 'cp39'")
    same(cluster.rows("first", put.format("d"), user="piwheels"), [("t", "", "2")], "d")
    same(cluster.rows("first", put.format("c"), user="piwheels"), [("t", "", "2")], "c")
    after = cluster.value("first", "SELECT changes FROM piw.queue_totals WHERE abi_tag = 'cp39'")
    same(int(after) > int(before), True, "readers are told")
    for order in ("oldest", "newest", "popular"):
        same(head(cluster, "first", order)[:4], list("ddcc"), f"the first, {order}")
    same(cluster.rows("first", put.format("no")), [("t", "because", "0")], "a package that is skipped")
    same(cluster.rows("first", put.format("nosuch")), [("f", None, "0")], "an unknown one")
    cluster.sql("first", "SELECT log_build_failure('d', '1', 1, '1 s', 'cp39'), log_build_failure('d', '2', 1, '1 s', 'cp39');"
                         "SELECT piw.drain()")
    same((head(cluster, "first", "oldest")[0], head(cluster, "first", "oldest", abi="cp311")), ("c", ["d", "d"]),
         "it is first for the next ABI too")
    cluster.sql("first", "SELECT log_build_failure('d', '1', 1, '1 s', 'cp311'), log_build_failure('d', '2', 1, '1 s', 'cp311');"
                         "INSERT INTO versions VALUES ('d', '3', '2024-01-01'); SELECT piw.drain(); DELETE FROM versions WHERE "
                         "package = 'd'; SELECT piw.drain()")
    same(cluster.rows("first", "SELECT package FROM piw.firsts"), [("c",)], "when nothing of it waits any more")
    cluster.sql("first", "INSERT INTO versions VALUES ('d', '4', '2024-01-01'); SELECT piw.drain()")
    same(head(cluster, "first", "oldest"), list("ccaabbd"), "and it comes back")


def from_both_ends(cluster):
    """A new ABI's oldest and newest versions are there after the first slice, the rest after more."""
    cluster.create("ends")
    cluster.sql("ends", "INSERT INTO packages SELECT 'p' || n FROM generate_series(1, 500) n; INSERT INTO versions SELECT 'p' || n, "
                        "'1', date '2000-01-01' + n FROM generate_series(1, 500) n;")
    drain(cluster, "ends")
    cluster.sql("ends", ABIS + "SELECT piw.drain(20)")
    same(head(cluster, "ends", "oldest", 10), [f"p{n}" for n in range(1, 11)], "the oldest")
    same(head(cluster, "ends", "newest", 3), ["p500", "p499", "p498"], "the newest")
    same(cluster.value("ends", "SELECT count(*) FROM piw.queue"), "20", "after one slice")
    drain(cluster, "ends")
    same(cluster.value("ends", "SELECT count(*) FROM piw.queue"), "500", "after all")
    same(cluster.rows("ends", "SELECT * FROM piw.refills"), [], "what is left to do")
    cluster.sql("ends", "UPDATE build_abis SET skip = 'x' WHERE abi_tag = 'cp39'")
    same(cluster.rows("ends", "SELECT abi_tag FROM piw.refills"), [("cp39",)], "an ABI that is skipped touches its own queue")
    drain(cluster, "ends")
    same(cluster.rows("ends", "SELECT abi_tag, pending FROM piw.queue_state()"), [("cp39", "0"), ("cp311", "500")], "then")


def large_statements(cluster):
    """What a large statement takes away isn't given out, though its keys are worked off in slices."""
    cluster.create("large")
    cluster.sql("large", ABIS + "INSERT INTO packages SELECT 'p' || n FROM generate_series(1, 3000) n; INSERT INTO versions "
                "SELECT 'p' || n, '1', date '2000-01-01' + n FROM generate_series(1, 3000) n;")
    drain(cluster, "large")
    for change, gone in (("UPDATE packages SET skip = 'x' WHERE package NOT IN ('p5', 'p9')", True),
                         ("UPDATE packages SET skip = ''", False),
                         ("DELETE FROM packages WHERE package NOT IN ('p5', 'p9')", True)):
        cluster.sql("large", change + "; SELECT piw.drain()")
        same(cluster.value("large", "SELECT count(*) > 2000 FROM piw.dirty_later"), "t", f"{change}: noted for later")
        if gone:
            same(head(cluster, "large", "oldest"), ["p5", "p9"], f"{change}: the head at once")
        drain(cluster, "large")
        same(len(head(cluster, "large", "oldest", 5000)), 2 if gone else 3000, f"{change}: the head then")


def ctl(farm, *words):
    done = subprocess.run([*farm.drop, farm.program("piw-ctl"), "-c", "/dev/null", "--admin-queue", farm.socket("admin"), *words],
                          env=farm.env, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def through_piw_ctl(_cluster):
    """A master that builds the newest first; piw-ctl first; what a slave is given."""
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database(["cp39"])
        farm.psql("INSERT INTO packages SELECT 'p' || n FROM generate_series(1, 30) n; INSERT INTO versions SELECT 'p' || n, '1', "
                  "date '2020-01-01' + n FROM generate_series(1, 30) n; INSERT INTO packages VALUES ('odd-name', 'because')")
        farm.site_options["order"] = "newest"
        farm.start_master()
        same(ctl(farm, "first", "P_3"), (1, "piw-ctl: package p-3 is unknown"), "an unknown package")
        same(ctl(farm, "first", "Odd.Name"), (1, "piw-ctl: package odd-name is not built: because"), "a skipped package")
        same(ctl(farm, "first", "p3"), (0, "package p3 is built first: 1 of its versions wait"), "piw-ctl first")
        code, said = ctl(farm, "first", "x" * 1001)
        same((code, "longer than any name" in said), (2, True), "a name too long")
        slave = Builder(farm.dir / "s" / "slave", "one", abi="cp39")
        # The queue is read once more after piw-ctl has its answer: a slave may be given what is newest until then.
        given = [farm.wait("a build", lambda: next_build(slave), 10)]
        while given[-1] != ["BUILD", ["p3", "1"]] and len(given) < 4:
            slave.fail()
            given.append(farm.wait("a build", lambda: next_build(slave), 10))
        same(given[-1], ["BUILD", ["p3", "1"]], f"what a slave is given first: {given}")
        same(slave.fail(), "DONE", "the answer to a failed build")
        newest = next(f"p{number}" for number in range(30, 0, -1) if ["BUILD", [f"p{number}", "1"]] not in given)
        given = farm.wait("another build", lambda: next_build(slave), 10)
        same(given[1][0] in (newest, "p1"), True, f"what it is given then: {given}")
        slave.close()


def next_build(slave):
    """What the slave is given now, or None."""
    answer = slave.idle()
    return answer if answer[0] == "BUILD" else None


TESTS = [orders, nothing_waits_for_ever, first, from_both_ends, large_statements, through_piw_ctl]


def main():
    with Cluster() as cluster:
        return score.run_silent(TESTS, cluster)


if __name__ == "__main__":
    sys.exit(main())
