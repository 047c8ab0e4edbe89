#!/usr/bin/python3
"""What PyPI offers is known before a view that doesn't want it gets anything to build: of an adopted farm's packages too, the first
to be built first, once, through restarts; and what happens while PyPI can't be reached.

TEST-TIMEOUT: 120
"""

import re
import subprocess
import sys

import cluster
import farm as farms
import score
import wheels
from score import check, equal
from test_views_queue import add, says, Slave, waits

COMMON, PICKY, TRUSTING = "bookworm-amd64", "picky-amd64", "trusting-amd64"
VIEWS = {COMMON: {"abi": "cp311", "platform": "linux_x86_64", "os_version": "12"},
         PICKY: {"abi": "cp311", "platform": "linux_x86_64", "os_version": "13", "skip_pypi_wheels": "yes",
                 "libraries": "libc.so.6 GLIBC_2.36 GLIBC_2.4"},
         TRUSTING: {"abi": "cp311", "platform": "linux_x86_64", "os_version": "14", "pure_from_pypi": "yes"}}
# What PyPI has of each package beside its source, in the order of their releases; those that a picky view builds all the same.
OFFERS = {"aged": ["py3-none-any"], "brisk": ["cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"],
          "coming": ["cp311-cp311-manylinux_2_39_x86_64"], "dotted": ["cp311-cp311-musllinux_1_2_x86_64"], "early": [],
          "fixed": ["cp39-abi3-manylinux1_x86_64"], "gone": ["py3-none-any"], "higher": ["py2.py3-none-any"],
          "idle": ["cp311-cp311-manylinux_2_17_aarch64"]}
BUILT = ["coming", "dotted", "early", "gone", "higher", "idle"]
SERVES = (  # tags, releases of Python, of which ABI, whether for its machines, whether for any
    ("cp311-cp311-linux_armv7l", None, "cp311", True, False), ("cp311-cp311-linux_armv6l", None, "cp311", False, False),
    ("cp311-cp311-manylinux_2_36_armv7l", None, "cp311", True, False), ("cp311-cp311-manylinux_2_37_armv7l", None, "cp311", False, False),
    ("cp311-cp311-manylinux_2_39_aarch64.manylinux_2_17_armv7l", None, "cp311", True, False),
    ("cp311-cp311-manylinux_2_16_armv7l", None, "cp311", False, False), ("cp311-cp311-manylinux2010_armv7l", None, "cp311", False, False),
    ("cp311-cp311-manylinux_2_5_armv7l.manylinux1_armv7l", None, "cp311", False, False),
    ("cp311-cp311-manylinux2014_armv7l", None, "cp311", True, False), ("cp311-cp311-musllinux_1_1_armv7l", None, "cp311", False, False),
    ("cp37-abi3-manylinux_2_17_armv7l", None, "cp311", True, False), ("cp312-abi3-manylinux_2_17_armv7l", None, "cp311", False, False),
    ("cp37-abi3-manylinux_2_17_armv7l", None, "cp313t", False, False), ("cp310-cp310-manylinux_2_17_armv7l", None, "cp311", False, False),
    ("cp311-none-manylinux_2_17_armv7l", None, "cp311", True, False), ("py3-none-manylinux_2_17_armv7l", None, "cp311", True, False),
    ("cp311-cp311-macosx_11_0_arm64", None, "cp311", False, False), ("py2.py3-none-any", None, "cp311", False, True),
    ("py2-none-any", None, "cp311", False, False), ("py3-none-any", 1 << 12, "cp311", False, False),
    ("py3-none-any", 1 << 11, "cp311", False, True), ("cp311-cp311-manylinux_2_17_armv7l", 1 << 12, "cp311", False, False))


def asked(farm, start=0):
    """Whose pages of the Simple API were asked for, in their order."""
    text = (farm.dir / "log" / "pypi.log").read_text()[start:]
    return re.findall(r"GET /simple/([^/\s]+)/", text)


def mark(farm):
    return len((farm.dir / "log" / "pypi.log").read_text())


def picky(farm):
    return Slave(farm, "picky", "cp311", "linux_x86_64", "Debian GNU/Linux", "13 (trixie)")


def trusting(farm):
    return Slave(farm, "trusting", "cp311", "linux_x86_64", "Debian GNU/Linux", "14 (forky)")


def restart(farm, **options):
    farm.stop_process(farm.master)
    farm.task_options["cloud_gazer"].update({key.replace("_", "-"): value for key, value in options.items()})
    farm.start_master()


def given(farm, slave, until):
    """All that the slave is given to build, up to `until`; each fails."""
    found = []
    while until not in found:
        found.append(slave.next(farm)[0])
        slave.fails()
    slave.close()
    return found


def offer(farm, package, tags, **more):
    name = f"{package}-1.0-{tags}.whl"
    (farm.folder("elsewhere") / name).write_bytes(wheels.make(name, **more))
    farm.add_sdist(farm.dir / "elsewhere" / name)


def test_tags(farm):
    has = "libc.so.6 GLIBC_2.4 GLIBC_2.36".replace(" ", ",")
    for tags, pythons, abi, own, pure in SERVES:
        row = farm.rows(f"SELECT piw.pypi_serves('{{{tags}}}', ARRAY[{'NULL' if pythons is None else pythons}]::bigint[], '{abi}', "
                        f"'{{linux_armv7l}}', piw.glibc_of('{{{has}}}'), p) FROM unnest('{{f,t}}'::boolean[]) AS p (p)")
        equal(f"tags.{tags} {pythons} for {abi}", [value == "t" for [value] in row], [own, pure])
    oldest = [farm.value(f"SELECT array_to_string(array_agg(t), ' ') FROM unnest('{{manylinux_2_4,manylinux1,manylinux_2_5,manylinux2010,"
                         "manylinux_2_16,manylinux2014,manylinux_2_17,manylinux_2_36,manylinux_2_37}'::text[]) AS t (t) "
                         f"WHERE piw.platform_fits(t || '_{machine}', '{{linux_{machine}}}', 2036)") for machine in ("x86_64", "i686", "aarch64")]
    of_all = "manylinux2014 manylinux_2_17 manylinux_2_36"
    equal("tags.the oldest that are asked for", oldest, 2 * [f"manylinux1 manylinux_2_5 manylinux2010 manylinux_2_16 {of_all}"] + [of_all])
    equal("tags.any glibc where it isn't known", farm.value(
        "SELECT piw.pypi_serves('{cp311-cp311-manylinux_2_39_armv7l}', '{}', 'cp311', '{linux_armv7l}', piw.glibc_of('{libc.so.6}'), false)"),
          "t")


def test_before(farm):
    """The farm has followed PyPI for long, without a view."""
    for package, offers in OFFERS.items():
        farms.make_sdist(farm.folder("pypi"), package, "1.0", {})
        for tags in offers:
            offer(farm, package, tags, **({"requires_python": ">=3.12,!=3.12.0"} if package == "higher" else {}))
    farm.start_pypi()
    farm.start_master()
    farm.wait("its packages", lambda: farm.value("SELECT count(*) FROM versions WHERE skip = ''") == str(len(OFFERS)))
    farm.add_event("yank gone 1.0 it is broken")
    farm.wait("the yank", lambda: farm.value("SELECT yanked FROM versions WHERE package = 'gone'") == "t")
    farm.wait("their pages", lambda: set(OFFERS) <= set(asked(farm)) and farm.value("SELECT count(*) FROM piw.yank_reasons") == "1")
    for number, package in enumerate(OFFERS):
        farm.psql(f"UPDATE versions SET released = timestamp '2020-01-01' + {number} * interval '1 day' WHERE package = '{package}'")
    equal("before.nothing of it is known", farm.value("SELECT count(*) FROM piw.pypi_wheels, piw.pypi_known"), "0")


def test_adopted(farm):
    start = mark(farm)
    add(farm, "mine", "1.0")
    farm.views = {name: dict(options) for name, options in VIEWS.items()}
    restart(farm, offers_rate=20, offers_at_once=1)
    equal("adopted.nothing that PyPI has is given out", given(farm, picky(farm), "idle"), ["mine", *BUILT])
    equal("adopted.another view doesn't mind", given(farm, trusting(farm), "idle"), ["mine", *OFFERS])
    equal("adopted.asked for in the order of the queue, once", asked(farm, start), ["mine", *OFFERS])
    says(farm, "adopted.why a wheel for it", "why", "brisk", "1.0",
         has=[f"{PICKY}: not built: skip_pypi_wheels: PyPI has a wheel for this kind of machine"])
    says(farm, "adopted.why one for any", "why", "aged", "1.0", has=[f"{PICKY}: not built: pure_from_pypi: PyPI has a wheel for any machine"])
    says(farm, "adopted.nothing is left to read", "view", "list", has=[PICKY], lacks=["still to be read"])
    equal("adopted.the queue is right", farm.rows("SELECT * FROM piw.check_queue()"), [])


def test_again(farm):
    """What is known stays so; what comes later is read before it is given out."""
    start = mark(farm)
    restart(farm)
    add(farm, "later", "1.0")
    equal("again.given out", given(farm, picky(farm), "later"), ["later"])
    equal("again.only what is new is read", asked(farm, start), ["later"])
    farm.psql("INSERT INTO versions (package, version, released) VALUES ('mine', '2.0', piw.utc_now())")
    equal("again.a new version", given(farm, picky(farm), "mine"), ["mine"])
    equal("again.is read anew", asked(farm, start), ["later", "mine"])
    farm.psql("UPDATE versions SET released = '2060-01-01' WHERE package = 'later'; SELECT piw.retry('later', NULL)")
    equal("again.one of a day to come", given(farm, picky(farm), "later"), ["later"])
    farm.psql("DELETE FROM piw.view_builds WHERE package = 'early'; SELECT piw.note('{early}', '{1.0}'); SELECT piw.drain()")
    offer(farm, "early", "py3-none-any")
    farm.add_event("say early 1.0 add py3 file early-1.0-py3-none-any.whl")
    farm.wait("the wheel", lambda: farm.rows("SELECT tags FROM piw.pypi_wheels WHERE package = 'early'"))
    check("again.a wheel that comes later", farm.wait("the queue", lambda: PICKY not in waits(farm, "early")))


def test_away(farm):
    """PyPI can't be reached."""
    farm.stop_process([one for one in farm.processes if one.name == "pypi"][0])
    add(farm, "remote", "1.0")
    equal("away.a view that doesn't mind gets it", given(farm, trusting(farm), "remote")[-1:], ["remote"])
    equal("away.the other waits", (slave := picky(farm)).idle(), None)
    slave.close()
    equal("away.though it stands in the queue", PICKY in waits(farm, "remote"), True)
    says(farm, "away.why", "why", "remote", "1.0", has=[f"{PICKY}: waits until it is known what PyPI offers"])
    says(farm, "away.how far it is", "view", "list", has=[f"{PICKY}: of 1 packages it is still to be read what PyPI offers"])
    restart(farm, offers_patience="2s")
    equal("away.for long", given(farm, picky(farm), "remote"), ["remote"])
    restart(farm, offers_rate=0)
    add(farm, "unasked", "1.0")
    equal("away.nothing waits when nothing is read", given(farm, picky(farm), "unasked"), ["unasked"])


PLANNED = ("SELECT coalesce(sum(plans), 0), coalesce(string_agg(plans || ' ' || left(query, 80), ', ') FILTER (WHERE plans > 0), '') "
           "FROM pg_stat_statements WHERE NOT toplevel")
READ = "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
MANY, HEAD, SLICE = 20000, 1000, 5000


def test_cost(farm):
    """Of a queue of many neither a look at its head nor a slice of the walk reads more than it must, nor plans anything anew."""
    farm.stop_process(farm.master)
    farm.psql(f"INSERT INTO packages SELECT 'many' || p FROM generate_series(1, {MANY}) p; INSERT INTO versions "
              f"SELECT 'many' || p, '1', timestamp '2000-01-01' + p * interval '1 h' FROM generate_series(1, {MANY}) p")
    while farm.value("SELECT piw.drain(5000)") == "t":
        pass
    farm.psql(f"INSERT INTO piw.pypi_known SELECT 'many' || p FROM generate_series(1, {MANY} - 1000) p; "
              "UPDATE piw.offers_hold SET until = 'infinity'")
    orders = ("oldest", "newest", "popular")
    calls = {"due": "SELECT (piw.offers_due('{order}', 20, -1, NULL, true)).done",
             "walk": f"SELECT (piw.offers_due('{{order}}', 20, (SELECT sum(t.changes)::bigint FROM piw.queue_totals t JOIN "
                     "piw.asking_queues() a ON a.queue = t.abi_tag), NULL, true)).done",
             "head": f"SELECT count(*) FROM piw.queue_head('{PICKY}', '{{order}}', {HEAD}, 0)",
             "known": "SELECT piw.know_offers('many5', 0)", "keep": "SELECT piw.keep_pypi_wheels('many6', '{{1}}', '{{py3-none-any}}', '{{1}}', 0)"}
    text = ["CREATE EXTENSION IF NOT EXISTS pg_stat_statements"]
    text += [call.format(order=order) for _ in range(7) for call in calls.values() for order in orders]
    text += ["SELECT pg_stat_statements_reset()", *(call.format(order=order) for call in calls.values() for order in orders)]
    measured = [(name, order) for name in calls for order in orders]
    script = ";\n".join(text) + ";\n"
    script += "".join(f"\\echo {name} {order}\nBEGIN;\n{READ};\n{calls[name].format(order=order)};\n{READ};\nROLLBACK;\n" for name, order in measured)
    script += f"\\echo planned\n{PLANNED};\n"
    path = farm.dir / "tmp" / "cost.sql"
    path.write_text(script, encoding="utf-8")
    path.chmod(0o644)
    said = farm.run([cluster.tools() / "psql", "-XAtq", "-F", " ", "-v", "ON_ERROR_STOP=1", "-h", farm.dir / "s", "-U", "postgres",
                     "-d", "piwheels", "-f", path], timeout=60).stdout.splitlines()
    most = {"due": 6 * HEAD + 3 * SLICE, "walk": 3 * SLICE, "head": 6 * HEAD, "known": 200, "keep": 200}
    for name, order in measured:
        at = said.index(f"{name} {order}")
        before, after = int(said[at + 1] or 0), int(said[at + 3] or 0)
        check(f"cost.rows that {name} reads, {order}", after - before <= most[name], f"{after - before}")
    planned = said[said.index("planned") + 1:]
    check("cost.nothing is planned at each call", planned[0].startswith("0"), planned)


def test_at_once(farm):
    """Of what PyPI has nothing is given out between the moment at which that is known and the next one at which notes are worked off."""
    given_out = [farm.value(f"SELECT count(*) FROM piw.queue_head('{PICKY}', 'newest', {HEAD}, 0) h WHERE h.package = '{package}'")
                 for package, offers in (("many19998", "'{1}', '{py3-none-any}', '{NULL}'"), ("many19999", "'{}', '{}', '{}'"))
                 if farm.psql(f"SELECT piw.keep_pypi_wheels('{package}', {offers})")]
    equal("at once.what PyPI has, and what it hasn't", given_out, ["0", "1"])
    farm.psql("SELECT piw.drain()")
    equal("at once.the queue is right", farm.rows("SELECT * FROM piw.check_queue()"), [])


def main():
    with farms.Farm() as farm:
        try:
            farm.postgres_options = ["shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track=all",
                                     "pg_stat_statements.track_planning=on"]
            farm.prepare()
            farm.start_postgres()
            farm.create_database(abis=["cp311"])
            test_tags(farm)
            test_before(farm)
            for test in (test_adopted, test_again, test_away, test_cost, test_at_once):
                test(farm)
        except (farms.Failure, subprocess.SubprocessError) as error:
            check("the farm", False, error)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
