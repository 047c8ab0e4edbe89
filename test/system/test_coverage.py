#!/usr/bin/python3
"""Which ABIs a wheel does for: those whose installers would take it. Tags times ABIs through the database's functions, with
python3-packaging, pip's own rule, as the judge of what it knows; then a table through a farm: what `piw-ctl why` says of it,
and what a slave of each ABI is given. And a farm by the book: without an ABI, and how it gets one."""

import itertools
import re
import sys

import farm as farms
import score
from score import check
import wire
from cluster import Cluster, SqlError

try:
    from packaging import tags as judge
except ImportError:
    judge = None

# In the order in which they are built for.
ABIS = ["cp39", "cp311", "cp313", "cp313t", "cp315", "cp315t", "pypy310_pp73"]
CPYTHON = {abi: (3, int(re.search(r"\d+", abi)[0][1:])) for abi in ABIS if abi.startswith("cp")}
ALL = set(ABIS)

# Built for; interpreter and ABI tag of the wheel; which ABIs need no build of their own. Written down by hand: what installers
# later than Debian's know (free-threaded interpreters, abi3t, CPython 3.15) stands here alone.
TABLE = [
    ("cp39", "py3-none", ALL),
    ("cp39", "py2.py3-none", ALL),
    ("cp39", "py2-none", {"cp39"}),
    ("cp311", "py310-none", ALL - {"cp39"}),
    ("cp313", "py313-none", {"cp313", "cp313t", "cp315", "cp315t"}),
    ("cp311", "cp311-none", {"cp311"}),
    ("cp313", "cp313-none", {"cp313", "cp313t"}),
    ("cp39", "cp39.cp311-none", {"cp39", "cp311"}),
    ("cp39", "cp39-cp39", {"cp39"}),
    ("cp39", "cp39.cp311-cp39.cp311", {"cp39", "cp311"}),
    ("cp39", "cp36-abi3", {"cp39", "cp311", "cp313", "cp315"}),
    ("cp311", "cp36-abi3", {"cp311", "cp313", "cp315"}),
    ("cp39", "cp311-abi3", {"cp39", "cp311", "cp313", "cp315"}),
    ("cp39", "py3-abi3", {"cp39"}),
    ("cp313t", "cp313-cp313t", {"cp313t"}),
    ("cp313t", "cp313-cp313.cp313t", {"cp313", "cp313t"}),
    ("cp315", "cp315-abi3.abi3t", {"cp315", "cp315t"}),
    ("cp315t", "cp315-abi3.abi3t", {"cp315", "cp315t"}),
    ("cp315t", "cp315-abi3t", {"cp315t"}),
    ("cp313", "cp313-abi3", {"cp313", "cp315"}),
    ("pypy310_pp73", "pp310-none", {"pypy310_pp73"}),
    ("pypy310_pp73", "pp3-none", {"pypy310_pp73"}),
    ("pypy310_pp73", "pp310-pypy310_pp73", {"pypy310_pp73"}),
    ("pypy310_pp73", "py3-none", ALL),
]
BUILDERS = ["cp39", "cp311", "cp313t", "cp315", "pypy310_pp73"]
INTERPRETERS = ["py3", "py2.py3", "py2", "py31", "py310", "py313", "cp36", "cp39", "cp311", "cp313", "cp315", "cp3", "cp39.cp313",
                "pp310", "pp39", "pp3", "py27.cp311"]
TAGS = ["none", "abi3", "cp311", "cp313t", "cp39.cp313", "pypy310_pp73", "none.abi3"]


def same(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, not {wanted!r}")


# --- The judge ---------------------------------------------------------------------------------------------------------------

def taken(abi):
    """What packaging says that an installer on this ABI takes, for any platform. Debian's doesn't know yet that free-threaded
    interpreters take no abi3."""
    if abi in CPYTHON:
        found = {*judge.cpython_tags(CPYTHON[abi], [abi], ["any"]),
                 *judge.compatible_tags(CPYTHON[abi], "cp3" + str(CPYTHON[abi][1]), ["any"])}
    else:
        found = {*judge.generic_tags("pp310", [abi], ["any"]), *judge.compatible_tags((3, 10), "pp3", ["any"])}
    return {(tag.interpreter, tag.abi) for tag in found if tag.abi != "abi3" or not abi.endswith("t")}


def judged(builder, interpreters, tags):
    """ABIs that a build needs no other for: its own, those of its wheel's ABI tags, and those whose installers take the wheel;
    with a stable ABI no older ones than its own."""
    found = {builder}
    for abi in ABIS:
        for interpreter, tag in itertools.product(interpreters.split("."), tags.split(".")):
            if tag == "abi3" and builder in CPYTHON and re.fullmatch(r"cp3\d+", interpreter):
                interpreter = f"cp3{max(int(interpreter[3:]), CPYTHON[builder][1])}"
            if tag == abi or (interpreter, tag) in TAKEN[abi]:
                found.add(abi)
    return found


TAKEN = {abi: taken(abi) for abi in ABIS} if judge else {}


# --- The database's functions -----------------------------------------------------------------------------------------------

def rows_of(cases):
    """A package for each builder, a version for each wheel; released a day after the one before."""
    text = []
    for number, (package, version, builder, interpreters, tags) in enumerate(cases, 1):
        text.append(f"""
            INSERT INTO packages VALUES ('{package}') ON CONFLICT DO NOTHING;
            INSERT INTO versions VALUES ('{package}', '{version}', timestamp '2020-01-01' + {number} * interval '1 hour');
            INSERT INTO builds VALUES ({number}, '{package}', '{version}', 1, '2024-01-01', '1 s', true, '{builder}');
            INSERT INTO files VALUES ('{package}-{version}-{interpreters}-{tags}-any.whl', {number}, 10, repeat('a', 64),
                '{package}', '{version}', '{interpreters}', '{tags}', 'any', NULL);""")
    return "".join(text) + "SELECT setval('builds_build_id_seq', 100000);"


def settle(cluster):
    for _ in range(100):
        if cluster.value("tags", "SELECT piw.drain(1000)") == "f":
            return
    raise AssertionError("draining doesn't end")


def database(cluster, cases):
    """Every case: what the pages and `why` show, what stands in the queue, and what --check-queue computes in its own way."""
    cluster.create("tags")
    cluster.sql("tags", rows_of([case[:5] for case in cases]) + "INSERT INTO build_abis VALUES " +
                ", ".join(f"('{abi}')" for abi in reversed(ABIS)))
    settle(cluster)
    shown = {}
    for package in {case[0] for case in cases}:
        for version, abi, status in cluster.rows("tags", f"SELECT version, abi_tag, status FROM piw.project_abis('{package}')"):
            if status == "success":
                shown.setdefault((package, version), set()).add(abi)
    queue = {row[:2]: row[2] for row in cluster.rows("tags", "SELECT package, version, abi_tag FROM piw.queue")}
    for package, version, *wheel, covered in cases:
        same(sorted(shown.get((package, version), ())), sorted(covered), f"{wheel}: built for, as pages say")
        lowest = next((abi for abi in ABIS if abi not in covered), None)
        same(queue.get((package, version)), lowest, f"{wheel}: what it waits for")
    same(cluster.rows("tags", "SELECT * FROM piw.check_queue()"), [], "the queue, computed anew")


def by_hand(cluster):
    database(cluster, [(f"p{number}", "1", builder, *wheel.split("-"), covered)
                       for number, (builder, wheel, covered) in enumerate(TABLE)])
    cluster.sql("postgres", "DROP DATABASE tags")


def by_judge(cluster):
    cases = [(builder.replace("_", "-"), f"{interpreters}+{tags}", builder, interpreters, tags, judged(builder, interpreters, tags))
             for builder in BUILDERS for interpreters in INTERPRETERS for tags in TAGS]
    database(cluster, cases)
    print(f"# {len(cases)} wheels, {len(ABIS)} ABIs")


def table_by_judge(_cluster):
    """The judge agrees with the table wherever it knows what the table speaks of."""
    known = 0
    for builder, wheel, covered in TABLE:
        if "abi3t" not in wheel:
            same(sorted(judged(builder, *wheel.split("-"))), sorted(covered), f"{builder} {wheel}")
            known += 1
    print(f"# {known} of {len(TABLE)} rows are known to packaging")


# --- A farm --------------------------------------------------------------------------------------------------------------------

def ctl(farm, *words, good=True):
    done = farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), *words],
                    check=False)
    if (done.returncode == 0) != good:
        raise farms.Failure(f"piw-ctl {' '.join(words)}: {done.returncode} {done.stderr}{done.stdout}")
    return done.stdout if good else done.stderr


def slave_of(farm, abi, label="a-slave"):
    return wire.Builder(farm.dir / "s" / "slave", label, abi)


def offered(farm, abi, count):
    """What slaves of this ABI are given: each of them one version, until there is no more."""
    slaves, got = [], []
    for number in range(count + 1):
        slave = slave_of(farm, abi, f"{abi}-{number}")
        slaves.append(slave)
        if number < count:
            answer = farm.wait(f"a build for {abi}", lambda s=slave: (lambda a: a if a[0] == "BUILD" else None)(s.idle()), 30)
            got.append(answer[1][0])
        else:
            same(slave.idle()[0], "SLEEP", f"the answer to one slave too many of {abi}")
    for slave in slaves:
        slave.bye()
        slave.close()
    return sorted(got)


def by_farm(farm):
    names = {f"p{number}": row for number, row in enumerate(TABLE)}
    farm.psql(rows_of([(package, "1", builder, *wheel.split("-")) for package, (builder, wheel, _) in names.items()]))
    farm.start_master()
    for package, (builder, wheel, covered) in names.items():
        said = ctl(farm, "why", package, "1")
        built = {abi for abi in ABIS if f"{abi}: built, build " in said}
        same(sorted(built), sorted(covered), f"piw-ctl why, {wheel} for {builder}: {said}")
        same(len(re.findall(r"^\S+: (?:waits for|is about to)", said, re.M)), len(ABIS) - len(covered), f"what waits: {said}")
    check("why says what a wheel does for", True)
    for abi in ABIS:
        ctl(farm, "abi", "skip", abi)
    for abi in ABIS:
        ctl(farm, "abi", "add", abi)
        wanted = sorted(package for package, (_, _, covered) in names.items() if abi not in covered)
        farm.wait(f"the queue of {abi}", lambda a=abi, w=wanted: farm.value("SELECT count(*) FROM piw.refills") == "0" and sorted(
            row[0] for row in farm.rows(f"SELECT package FROM piw.queue WHERE abi_tag = '{a}'")) == w, 30)
        same(offered(farm, abi, len(wanted)), wanted, f"what slaves of {abi} are given")
        ctl(farm, "abi", "skip", abi, "had its turn")
    check("slaves are given what no wheel does for", True)


def notes_of(farm):
    return ctl(farm, "list")


def without_an_abi(farm):
    """Nobody gets work, and everybody says why and what to do."""
    farm.psql("INSERT INTO packages VALUES ('flask'); INSERT INTO versions VALUES ('flask', '1.0', '2020-01-01')")
    start = len(farm.master.text())
    slave = slave_of(farm, "cp399", "the-new-pi")
    same(slave.idle()[0], "SLEEP", "a slave of an unknown ABI")
    farm.wait_log(farm.master, r"the-new-pi at \S+ builds for cp399, which the farm doesn't: it gets no work; "
                               r"piw-ctl abi add cp399", start=start)
    slave.idle()
    same(farm.master.text().count("builds for cp399, which the farm doesn't"), 1, "how often it is said of a slave")
    same("the farm builds for no ABI, so no slave gets work; piw-ctl abi add ABI" in farm.master.text(), True, "the master's log")
    farm.wait("why", lambda: "cp399: 1 slave builds for it, the farm doesn't; piw-ctl abi add cp399" in
              ctl(farm, "why", "flask", "1.0"))
    same("the farm builds for no ABI: piw-ctl abi add ABI" in ctl(farm, "why", "flask", "1.0"), True, "why")
    farm.wait("a note", lambda: "the farm builds for no ABI: piw-ctl abi add" in notes_of(farm))
    listed = ctl(farm, "abi", "list")
    same(("no ABI" in listed, "piw-ctl abi add cp399" in listed), (True, True), f"abi list: {listed}")
    ctl(farm, "abi", "add", "cp311")
    farm.wait("a note", lambda: "1 slave builds for what the farm doesn't: cp399; piw-ctl abi add cp399" in notes_of(farm))
    check("a slave of an unknown ABI is named, with the command", True)
    return slave


def list_of(farm):
    return {line.split()[0]: line.split(None, 4)[1:] for line in ctl(farm, "abi", "list").splitlines()[1:]}


def by_command(farm, slave):
    same(slave.idle()[0], "SLEEP", "before")
    same("the farm builds for cp399" in ctl(farm, "abi", "add", "cp399"), True, "abi add")
    farm.psql("UPDATE build_abis SET skip = 'x' WHERE abi_tag = 'cp311'")
    farm.wait("a build", lambda: slave.idle()[0] == "BUILD", 20)
    farm.wait("no note", lambda: "cp399" not in notes_of(farm))
    same("already" in ctl(farm, "abi", "add", "cp399"), True, "once more")
    same(slave.fail(), "DONE", "a failed build")
    farm.wait("the list", lambda: list_of(farm) == {"cp311": ["0", "0", "0", "skipped: x"], "cp399": ["0", "1", "1"]})
    check("an ABI that is added has work at once", True)
    same("cp399 has 1 builds" in ctl(farm, "abi", "remove", "cp399", good=False), True, "remove")
    same("no more: too new" in ctl(farm, "abi", "skip", "cp399", "too new"), True, "skip")
    farm.psql("INSERT INTO versions VALUES ('flask', '2.0', '2021-01-01')")
    same("cp399: not built: too new" in ctl(farm, "why", "flask", "2.0"), True, "why")
    same(slave.idle()[0], "SLEEP", "a skipped ABI")
    same("again" in ctl(farm, "abi", "add", "cp399"), True, "add")
    farm.wait("a build", lambda: slave.idle()[0] == "BUILD", 20)
    same("has forgotten cp399; 1 builds for it stay" in ctl(farm, "--force", "abi", "remove", "cp399"), True, "remove --force")
    same(farm.rows("SELECT abi_tag, status FROM builds"), [["cp399", "f"]], "the builds")
    farm.wait("its queue to go", lambda: "cp399" not in ctl(farm, "queue"))
    same("'cp399', but for cp311" in ctl(farm, "queue", "cp399", good=False), True, "queue")
    ctl(farm, "abi", "remove", "cp311")
    same(farm.rows("SELECT * FROM build_abis"), [], "the ABIs")
    for words, said in ((("remove", "cp311"), "doesn't build for cp311"), (("skip", "cp311"), "doesn't build for cp311"),
                        (("add", "none"), "'none' is no ABI tag of an interpreter"), (("add", "abi3"), "'abi3' is no ABI tag"),
                        (("add", "abi3t"), "'abi3t' is no ABI tag"), (("add", "3.11"), "'3.11' is no ABI tag"),
                        (("add", "CP311"), "'CP311' is no ABI tag"), (("add", "cp311;x"), "is no ABI tag"),
                        (("add", "_cp311"), "is no ABI tag"), (("add", "cp" + "3" * 99), "is no ABI tag"),
                        (("add", "cp311", "x"), "the command is"), (("add",), "the command is"), (("drop", "cp311"), "the command is"),
                        (("skip", "cp311", "x" * 101), "1 to 100 characters")):
        same(said in ctl(farm, "abi", *words, good=False), True, f"abi {words}")
    same(farm.rows("SELECT * FROM build_abis"), [], "the ABIs after refusals")
    for abi in ("graalpy312_graalpy250_312_native", "pypy310_pp73", "cp313t", "cp39"):
        ctl(farm, "abi", "add", abi)
    same(list(list_of(farm)), ["cp39", "cp313t", "pypy310_pp73", "graalpy312_graalpy250_312_native", "cp399:"],
         "their order, and the slave whose ABI is forgotten")
    check("ABIs are added, skipped and removed", True)


def on_farms():
    for name, abis, test in (("a farm of many ABIs", ABIS, by_farm), ("a farm by the book", [], None)):
        with farms.Farm() as farm:
            try:
                farm.prepare()
                farm.start_postgres()
                farm.create_database(abis)
                if test:
                    test(farm)
                else:
                    farm.start_master()
                    by_command(farm, without_an_abi(farm))
            except (AssertionError, farms.Failure) as error:
                check(name, False, error)
                farm.show_logs()


def main():
    with Cluster() as cluster:
        for test in (by_hand, table_by_judge, by_judge):
            name = {"by_hand": "the table, in the database", "table_by_judge": "the table, as packaging sees it",
                    "by_judge": "all tags, as packaging sees them, in the database"}[test.__name__]
            if judge is None and test is not by_hand:
                score.skip(name, "python3-packaging isn't installed")
                continue
            try:
                test(cluster)
                check(name, True)
            except (AssertionError, SqlError) as error:
                check(name, False, error)
    on_farms()
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
