#!/usr/bin/python3
"""The build queue at size: how long a new version takes to be offered, what recording a build costs, what is read for it and
how much memory it takes; beside the full computation over the same tables in the same run.

test/bench/bench_queue.py [tiny|small|medium]: 500, 25,000, 100,000 packages; 500,000 without. Ten versions each, three ABIs,
six versions of ten built. Then, but for the largest, whose queues of five would take half an hour to fill, the same of a farm of
one view and of one of five: `views_5` is what the figures of a view have grown to, at most, in figures of one view's. Lines
NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO.
"""

import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import farm as farms  # pylint: disable=wrong-import-position
from wire import Builder  # pylint: disable=wrong-import-position

SCALES = {"tiny": 500, "small": 25000, "medium": 100000, "": 500000}
VERSIONS, BUILT, ABIS = 10, 6, ("cp39", "cp311", "cp313")
OFFERS = 50
GROUP, GROUPS_MAX = 100, 50  # builds recorded: in each transaction, transactions
VIEW_SESSIONS = 3  # for a view, of a fifth of these transactions each; the middle one counts
SLICE, FILLING_S = 20000, 60
VIEWS_RATIO, OFFERED_MS = 1.5, 1000
# Kinds of machine: ABI, platform. The first is the common view.
KINDS = {"kind-1": ("cp39", "linux_x86_64"), "kind-2": ("cp39", "linux_aarch64"), "kind-3": ("cp311", "linux_x86_64"),
         "kind-4": ("cp311", "linux_aarch64"), "kind-5": ("cp313", "linux_x86_64")}
PATIENCE_S = 7200
# Wheels of every second package are for all interpreters; the others' for one each.
FILL = (
    "INSERT INTO build_abis SELECT unnest('{{cp39,cp311,cp313}}'::text[])",
    "INSERT INTO packages SELECT 'package-' || p FROM generate_series(1, {packages}) p",
    "INSERT INTO versions SELECT 'package-' || p, v || '.0', timestamp '2015-01-01' + (p * 7919::bigint % 100000 + v * 1000) * "
    "interval '37 minutes' FROM generate_series(1, {packages}) p, generate_series(1, {versions}) v",
    "INSERT INTO builds (package, version, built_by, built_at, duration, abi_tag) SELECT 'package-' || p, v || '.0', 1, "
    "timestamp '2020-01-01' + a * interval '1 day', '30 s', (ARRAY['cp39', 'cp311', 'cp313'])[a] FROM "
    "generate_series(1, {packages}) p, generate_series(1, {built}) v, generate_series(1, CASE WHEN p % 2 = 0 THEN 1 ELSE 3 END) a",
    "INSERT INTO files SELECT replace(package, '-', '_') || '-' || version || '-' || abi_tag || '-' || build_id || '.whl', build_id, "
    "10000, repeat('a', 64), replace(package, '-', '_'), version, abi_tag, CASE WHEN right(package, 1)::int % 2 = 0 THEN 'none' "
    "ELSE abi_tag END, 'any', NULL FROM builds",
    "ANALYZE",
)
RECORD = """DO $$
DECLARE first integer; taken record;
BEGIN
    SELECT piw.reserve('build', {group}) INTO first;
    SELECT array_agg(h.package::text) AS packages, array_agg(h.version::text) AS versions INTO taken
    FROM piw.queue_head('{queue}', 'oldest', {group}) h;
    PERFORM piw.record_builds((SELECT array_agg(first + i) FROM generate_series(0, {group} - 1) i), array_fill(7, ARRAY[{group}]),
        taken.packages, taken.versions, array_fill('{queue}'::text, ARRAY[{group}]), array_fill(false, ARRAY[{group}]),
        array_fill(1000000::bigint, ARRAY[{group}]), '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}',
        '{{}}', '{{}}', '{{}}', '{{}}', '{{}}');
    PERFORM piw.drain();
END $$;
"""
READ = """SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_user_tables"""


def line(name, value, unit, limit=None):
    compared = f"{limit:.3f}\t{value / limit:.6f}" if limit else "\t"
    print(f"queue.{name}\t{value:.3f}\t{unit}\t{compared}", flush=True)


class Server:
    """psql on a farm's database, as long as it takes."""

    def __init__(self, farm):
        self.farm = farm

    def sql(self, text, user="postgres"):
        done = self.farm.run(["/usr/bin/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.farm.dir / "s", "-U", user, "-d", "piwheels",
                              *(word for part in ([text] if isinstance(text, str) else text) for word in ("-c", part))],
                             timeout=PATIENCE_S)
        return done.stdout.strip().splitlines()

    def value(self, text):
        return float(self.sql(text)[0])

    def read(self):
        """Rows read so far by sessions that have ended."""
        until = time.monotonic() + 30
        while time.monotonic() < until and self.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'piwheels'") > 0:
            time.sleep(0.05)
        return self.value(READ)

    def timed(self, text):
        """Seconds, rows read, bytes of temporary files, and the most memory of its own that the server process had, in MB."""
        read, temporary = self.read(), self.value("SELECT temp_bytes FROM pg_stat_database WHERE datname = 'piwheels'")
        memory = Memory(self.farm)
        begin = time.monotonic()
        self.sql(text, "piwheels")
        seconds = time.monotonic() - begin
        memory.stop()
        temporary = self.value("SELECT temp_bytes FROM pg_stat_database WHERE datname = 'piwheels'") - temporary
        return seconds, self.read() - read, temporary, memory.most_mb


class Memory:
    """Watches the anonymous memory of the server processes that serve piwheels."""

    def __init__(self, farm):
        self.most_mb, self.going = 0, True
        self.postgres = next(process.pid for process in farm.processes if process.name == "postgres")
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while self.going:
            for path in pathlib.Path(f"/proc/{self.postgres}/task/{self.postgres}").glob("children"):
                for pid in path.read_text().split():
                    self.most_mb = max(self.most_mb, anonymous_mb(pid))
            time.sleep(0.02)

    def stop(self):
        self.going = False
        self.thread.join()


def anonymous_mb(pid):
    try:
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
        if b"piwheels piwheels" not in words:
            return 0
        for text in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if text.startswith("RssAnon"):
                return int(text.split()[1]) / 1024
    except OSError:
        pass
    return 0


def fill(farm, server, packages):
    farm.create_database([])
    server.sql("DELETE FROM build_abis; DROP SCHEMA piw CASCADE")
    # Nobody's keys are wrong here: without checks of each row it takes a third of the time.
    for statement in FILL:
        server.sql(["SET session_replication_role = replica", "SET synchronous_commit = off",
                    statement.format(packages=packages, versions=VERSIONS, built=BUILT)])


def adopt(farm, server, versions):
    begin = time.monotonic()
    farm.run([farm.program("piw-initdb"), "-c", "/dev/null", "-d", farm.dsn("postgres"), "-u", "piwheels", "-y"], timeout=PATIENCE_S)
    line("adopt", time.monotonic() - begin, "s")
    # As the_architect does it, for a while; the rest at once, as only a superuser can.
    begin, looked, more = time.monotonic(), 0, True
    while more and time.monotonic() - begin < FILLING_S:
        more = server.sql(f"SELECT piw.drain({SLICE})")[-1] == "t"
        looked += SLICE
    line("first_filling", min(looked, versions) / (time.monotonic() - begin), "versions/s")
    server.sql("INSERT INTO piw.queue SELECT * FROM piw.full_queue() ON CONFLICT DO NOTHING; DELETE FROM piw.refills; "
               "SELECT piw.recount_queue()")
    line("pending", server.value("SELECT sum(pending) FROM piw.queue_totals"), "versions")
    server.sql("VACUUM ANALYZE")


def idle_until_given(slave, wanted):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        answer = slave.idle()
        if answer[0] == "BUILD":
            if wanted and answer[1][0] != wanted:
                raise farms.Failure(f"{answer[1][0]} was given out before {wanted}")
            return time.monotonic()
        time.sleep(0.002)
    raise farms.Failure("nothing was offered within a minute")


def offers(farm, server, full_ms):
    """From the commit of an INSERT in psql to the answer BUILD."""
    farm.start_master()
    slave = Builder(farm.dir / "s" / "slave", "one", abi="cp39")
    idle_until_given(slave, None)
    times = []
    # One session, so that what starting psql takes is not measured.
    psql = subprocess.Popen([*farm.drop, "/usr/bin/psql", "-XAtq", "-h", farm.dir / "s", "-U", "postgres", "-d", "piwheels"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=farm.env, text=True)
    with psql:
        for number in range(OFFERS):
            name = f"fresh-{number}"
            slave.fail()
            psql.stdin.write(f"BEGIN; INSERT INTO packages VALUES ('{name}'); INSERT INTO versions VALUES ('{name}', '1', "
                             f"timestamp '2000-01-01' - {number} * interval '1 day'); COMMIT; SELECT 1;\n")
            psql.stdin.flush()
            psql.stdout.readline()
            begin = time.monotonic()
            # What is given out meanwhile was in the window already.
            while True:
                answer = slave.idle()
                if answer[0] == "BUILD" and answer[1][0] == name:
                    break
                if answer[0] == "BUILD":
                    slave.fail()
                time.sleep(0.002)
            times.append((time.monotonic() - begin) * 1000)
        psql.stdin.close()
    slave.fail()
    times.sort()
    line("offered_p50", times[len(times) // 2], "ms", full_ms)
    line("offered_p99", times[-1], "ms", full_ms)
    new_abi = Builder(farm.dir / "s" / "slave", "two", abi="cp314")
    begin = time.monotonic()
    server.sql("INSERT INTO build_abis VALUES ('cp314')")
    line("new_abi_offered", (idle_until_given(new_abi, None) - begin) * 1000, "ms", full_ms)
    status = pathlib.Path(f"/proc/{farm.master.pid}/status").read_text().splitlines()
    line("memory_master", next(int(text.split()[1]) for text in status if text.startswith("VmRSS")) / 1024, "MB")
    for one in (slave, new_abi):
        one.bye()
        one.close()
    farm.stop_process(farm.master)


def records(server, packages, full_rows, full_mb):
    groups = min(GROUPS_MAX, packages // GROUP)
    read, memory = server.read(), Memory(server.farm)
    begin = time.monotonic()
    server.sql([RECORD.format(group=GROUP, queue="cp39")] * groups, "piwheels")
    seconds = time.monotonic() - begin
    memory.stop()
    count = groups * GROUP
    line("build_recorded", seconds * 1e6 / count, "us/build")
    line("build_rows_read", (server.read() - read) / count, "rows/build", full_rows)
    line("memory_server", memory.most_mb, "MB", full_mb)


# --- Views ---------------------------------------------------------------------------------------------------------------


def have_views(farm, server, names):
    """The farm's views from now on, what waits for each of them, and nothing that is still to be looked at."""
    farm.views = {name: {"abi": KINDS[name][0], "platform": KINDS[name][1]} for name in names}
    count, first = len(names), ["true"] + ["false"] * (len(names) - 1)
    many = [",".join(words) for words in (names, (KINDS[n][0] for n in names), (KINDS[n][1] for n in names), ['""'] * count, first,
                                          ["false"] * count, ["false"] * count, ["0"] * count, ["0"] * count, first, *[['""'] * count] * 3)]
    server.sql("SELECT piw.set_views(" + ", ".join(f"'{{{words}}}'" for words in many) + ")", "piwheels")
    begin = time.monotonic()
    server.sql("DELETE FROM piw.queue q WHERE q.abi_tag IN (SELECT v.view FROM piw.views v)")
    server.sql("INSERT INTO piw.queue SELECT * FROM piw.full_view_queue() ON CONFLICT DO NOTHING; DELETE FROM piw.refills; "
               "SELECT piw.recount_queue()")
    line(f"views_{count}.full", (time.monotonic() - begin) * 1000, "ms")
    server.sql("VACUUM ANALYZE")


def view_records(server, queue, groups):
    """Microseconds to record a build. The first session also brings into memory what the others find there."""
    took = []
    for _ in range(VIEW_SESSIONS):
        begin = time.monotonic()
        server.sql([RECORD.format(group=GROUP, queue=queue)] * groups, "piwheels")
        took.append((time.monotonic() - begin) * 1e6 / (groups * GROUP))
    return sorted(took)[VIEW_SESSIONS // 2]


class Asker(threading.Thread):
    """A slave of a view that asks without a pause and whose builds fail: when it was given each package first."""

    def __init__(self, farm, name):
        super().__init__(daemon=True)
        self.slave = Builder(farm.dir / "s" / "slave", name, abi=KINDS[name][0], platform=KINDS[name][1])
        self.given, self.going = {}, True

    def run(self):
        while self.going:
            answer = self.slave.idle()
            if answer[0] == "BUILD":
                self.given.setdefault(answer[1][0], time.monotonic())
                self.slave.fail()
            time.sleep(0.002)
        self.slave.bye()
        self.slave.close()


def view_offers(farm, names):
    """For each view the times from the commit of an INSERT in psql to the answer BUILD of a slave of that view."""
    farm.start_master()
    askers = {name: Asker(farm, name) for name in names}
    times = {name: [] for name in names}
    psql = subprocess.Popen([*farm.drop, "/usr/bin/psql", "-XAtq", "-h", farm.dir / "s", "-U", "postgres", "-d", "piwheels"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=farm.env, text=True)
    for asker in askers.values():
        asker.start()
    with psql:
        for number in range(OFFERS):
            name = f"fresh-{len(names)}-{number}"
            psql.stdin.write(f"BEGIN; INSERT INTO packages VALUES ('{name}'); INSERT INTO versions VALUES ('{name}', '1', "
                             f"timestamp '1999-01-01' - {number} * interval '1 day'); COMMIT; SELECT 1;\n")
            psql.stdin.flush()
            psql.stdout.readline()
            begin = time.monotonic()
            while any(name not in asker.given for asker in askers.values()):
                if time.monotonic() - begin > 60 or not all(asker.is_alive() for asker in askers.values()):
                    raise farms.Failure(f"{name} was not offered to all within a minute")
                time.sleep(0.002)
            for view, asker in askers.items():
                times[view].append((asker.given[name] - begin) * 1000)
        psql.stdin.close()
    for asker in askers.values():
        asker.going = False
        asker.join()
    farm.stop_process(farm.master)
    return {name: sorted(found) for name, found in times.items()}


def view_figures(farm, server, count, groups):
    """The most of any view: microseconds to record a build, milliseconds to offer what is new."""
    names = list(KINDS)[:count]
    have_views(farm, server, names)
    recorded = max(view_records(server, KINDS[name][0] if n == 0 else name, groups) for n, name in enumerate(names))
    times = view_offers(farm, names)
    middle, worst = max(t[len(t) // 2] for t in times.values()), max(t[-1] for t in times.values())
    line(f"views_{count}.build_recorded", recorded, "us/build")
    line(f"views_{count}.offered_p50", middle, "ms")
    line(f"views_{count}.offered_p99", worst, "ms", OFFERED_MS)
    return recorded, middle


def views(farm, server, packages):
    groups = max(1, min(GROUPS_MAX, packages // GROUP) // 5)
    farm.task_options["cloud_gazer"]["offers-rate"] = "0"  # there is no PyPI to be asked what it offers
    one, five = (view_figures(farm, server, count, groups) for count in (1, 5))
    line("views_5", max(more / less for more, less in zip(five, one)), "times one view's", VIEWS_RATIO)


def main():
    scale = sys.argv[1] if len(sys.argv) > 1 else ""
    packages = SCALES[scale]
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        server = Server(farm)
        fill(farm, server, packages)
        adopt(farm, server, packages * VERSIONS)
        stock = server.timed("SELECT count(*) FROM get_build_queue(1000)")
        full = server.timed("SELECT 1 / (count(*) = 0)::integer FROM piw.check_queue()")
        line("full.stock", stock[0] * 1000, "ms")
        line("full.ours", full[0] * 1000, "ms")
        line("full.rows_read", stock[1], "rows")
        line("full.temporary", stock[2] / 1e6, "MB")
        line("full.memory", stock[3], "MB")
        records(server, packages, stock[1], stock[3])
        offers(farm, server, stock[0] * 1000)
        if scale:
            views(farm, server, packages)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except farms.Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        sys.exit(1)
