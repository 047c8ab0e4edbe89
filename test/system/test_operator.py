#!/usr/bin/python3
"""What an operator asks piw-ctl of the farm: its slaves and what they do, commands to one of them, the newest builds and those
to come, what waits, a build's log with its error first, why a package is as it is; names that were meant; all of it as JSON.

TEST-TIMEOUT: 240
"""

import json
import re
import signal
import sys

import farm as farms
import score
from score import check, equal
from test_causes import Slave, ctl

HELLO_LABEL = "an\tna\x1b[2J"


def says(farm, name, pattern, *words):
    done = ctl(farm, *words)
    check(name, done.returncode == 0 and re.search(pattern, done.stdout, re.M), done.stdout + done.stderr)


def refuses(farm, name, pattern, code, *words):
    done = ctl(farm, *words)
    check(name, done.returncode == code and len(done.stderr.splitlines()) == 1 and re.search(pattern, done.stderr),
          f"{done.returncode} {done.stdout}{done.stderr}")


def document(farm, *words):
    done = ctl(farm, "--json", *words)
    if done.returncode != 0:
        raise farms.Failure(f"piw-ctl {' '.join(words)}: {done.stderr}")
    return json.loads(done.stdout)


def row_of(farm, number):
    return {row["slave"]: row for row in document(farm, "slaves")["slaves"]}[number]


def test_slaves(farm):
    """Each state as the conversation goes; a label that would break a table or a terminal is shown as text."""
    one = Slave(farm, HELLO_LABEL)
    row = row_of(farm, one.number)
    equal("slaves.label", row["label"], "an?na?[2J")
    check("slaves.row", row["abi"] == farm.abi() and row["state"] == "idle" and row["package"] is None and row["silent"] >= 0, row)
    table = ctl(farm, "slaves").stdout.splitlines()
    check("slaves.table", table[0].split()[:4] == ["SLAVE", "LABEL", "ABI", "PLATFORM"] and len({len(table[0].split("STATE")[0])} | {
        line.index("idle") for line in table if "idle" in line}) == 1, table)
    farm.psql("INSERT INTO packages (package) VALUES ('handmade'); INSERT INTO versions (package, version) VALUES "
              "('handmade', '1.0'), ('handmade', '2.0'); SELECT piw.drain(); NOTIFY piw_queue")
    queue = farm.wait("the queue", lambda: (lambda rows: rows if len(rows) == 2 else None)(
        document(farm, "queue", farm.abi())["builds"]))
    equal("queue.an ABI's", [(row["place"], row["package"], row["version"]) for row in queue],
          [(1, "handmade", "1.0"), (2, "handmade", "2.0")])
    equal("slave.builds", one.next(farm), ("handmade", "1.0"))
    row = row_of(farm, one.number)
    check("slaves.builds", (row["state"], row["package"], row["version"]) == ("builds", "handmade", "1.0"), row)
    queue = {row["abi"]: row for row in document(farm, "queue")["abis"]}
    equal("queue.all", {key: queue[farm.abi()][key] for key in ("waiting", "building", "resting", "slaves")},
          {"waiting": 1, "building": 1, "resting": 0, "slaves": 1})
    return one


def test_commands(farm, one):
    """To one slave, by number or label; skip ends in BUSY's answer, sleep and kill in IDLE's."""
    says(farm, "skip", rf"^slave {one.number} \(an\?na.*\) throws away what it builds$", "skip", str(one.number))
    equal("slaves.skips", row_of(farm, one.number)["state"], "skips")
    equal("skip.does", one.asker.ask(["BUSY", one.stats()]), "DONE")
    check("why.skipped", farm.wait("why", lambda: re.search(r"rests until \S+, for its build was thrown away",
                                                              ctl(farm, "why", "handmade", "1.0").stdout)))
    refuses(farm, "skip.nothing", "builds nothing that could be skipped", 1, "skip", str(one.number))
    two = Slave(farm, "twin")
    says(farm, "sleep.by label", rf"^slave {two.number} \(twin\) gets no more work", "sleep", "twin")
    equal("slaves.asleep", row_of(farm, two.number)["state"], "asleep")
    check("sleep.does", two.idle() is None)
    says(farm, "wake", "gets work again", "wake", str(two.number))
    equal("slaves.idle again", row_of(farm, two.number)["state"], "idle")
    three = Slave(farm, "twin")
    refuses(farm, "kill.two labels", f"several slaves are called 'twin', such as {two.number} and {three.number}|{three.number} and "
            f"{two.number}", 1, "kill", "twin")
    refuses(farm, "kill.nobody", "no slave here has the number or label 'nobody'", 1, "kill", "nobody")
    refuses(farm, "kill.nearly", r"no slave here has the number or label 'twinn': .*; did you mean twin\?", 1, "kill", "twinn")
    refuses(farm, "skip.known", r"^(?!.*did you mean).*several slaves", 1, "skip", "twin")
    says(farm, "kill", rf"^slave {two.number} \(twin\) ends", "kill", str(two.number))
    equal("kill.does", two.asker.ask(["IDLE", two.stats()]), "DIE")
    says(farm, "wake.the farm", "", "wake")
    three.close()
    return two


def test_builds(farm, slave):
    """A build that is followed as it comes, and its log."""
    follower = farm.start_process("follow", [farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue",
                                             farm.socket("admin"), "--json", "builds", "--follow"])
    equal("slave.builds again", slave.next(farm), ("handmade", "2.0"))
    says(farm, "why.package while it is built", rf"^2\.0: {farm.abi()} is being built by slave {slave.number}$", "why", "handmade")
    says(farm, "why.while it is built", rf"^{farm.abi()}: slave {slave.number} is building it$", "why", "handmade", "2.0")
    slave.fails("Collecting handmade\n" + "  word\n" * 50 + "  handmade.c:3:10: fatal error: nothing.h: No such file\n"
                "  error: command 'gcc' failed with exit code 1\n" + "  more\n" * 30)
    found = farm.wait("the build", lambda: re.search(r'\{"build":(\d+),.*"package":"handmade","version":"2.0".*"result":"failed"',
                                                     follower.text()))
    number = int(found.group(1))
    follower.kill(signal.SIGINT)
    equal("follow.ends", follower.popen.returncode, 0)
    farm.forget(follower)
    newest = document(farm, "builds", "1")["builds"]
    check("builds", len(newest) == 1 and newest[0]["build"] == number and newest[0]["slave"] == slave.number and
          newest[0]["seconds"] == 1.0, newest)
    says(farm, "builds.table", rf"(?m)^BUILD +ENDED .*\n(.*\n)* *{number} .* handmade  2.0 .* failed", "builds")
    log = farm.wait("the log", lambda: (lambda done: done if done.returncode == 0 else None)(ctl(farm, "log", str(number))))
    lines = log.stdout.splitlines()
    check("log.error first", lines[0].startswith("--- what looks like the error: lines 49 to") and "fatal error" in lines[4] and
          any(line.startswith("--- the whole log: ") for line in lines) and "Collecting handmade" in lines, lines[:20])
    whole = document(farm, "log", str(number))
    check("log.json", whole["build"] == number and whole["error_line"] == 49 and whole["log"][0] == "Collecting handmade" and
          "fatal error" in whole["error"][3], whole)
    says(farm, "why.package", rf"^2\.0: {farm.abi()} failed \(build {number}\)\n1\.0: {farm.abi()} rests until \S+Z$", "why", "handmade")
    refuses(farm, "log.unknown", "build 999999 has no log", 1, "log", "999999")
    refuses(farm, "log.no number", "'x' is no build's number", 2, "log", "x")
    return number


def test_meant(farm):
    for name, meant, code, *words in (("a task", "the_scribe", 1, "info", "the_scrbe"), ("a part", "the_scribe", 1, "info", "scribe"),
                                      ("swapped", "slave_driver", 1, "restart", "slave_dirver"),
                                      ("a command", "slaves", 2, "slavs"), ("another", "queue", 2, "qeue")):
        refuses(farm, f"meant.{name}", rf"did you mean {meant}\?", code, *words)
    refuses(farm, "meant.nothing like it", r"^(?!.*did you mean).*$", 1, "info", "zzzzzz")
    refuses(farm, "queue.unknown", f"the farm doesn't build for 'cp12', but for {farm.abi()}", 1, "queue", "cp12")
    refuses(farm, "follow.elsewhere", "--follow belongs to builds", 2, "list", "--follow")


def test_away(farm):
    """What takes the database says so without it; what doesn't goes on."""
    says(farm, "away.disabled", "", "disable", "seraph", "--force")
    for words in (("builds",), ("why", "handmade"), ("why", "handmade", "1.0"), ("retry", "handmade"), ("abi", "list")):
        refuses(farm, f"away.{' '.join(words)}", r"the database can't be asked now \(.*\): see piw-ctl list", 1, *words)
    check("away.queue", document(farm, "queue")["abis"] and document(farm, "slaves")["slaves"])
    says(farm, "away.enabled", "", "enable", "seraph")
    farm.wait("the database to be asked again", lambda: ctl(farm, "builds").returncode == 0)


STREAMS = ("trace", "top")


def test_json(farm, slave, build):
    """Every command that there is answers one document on one line; and all stand in one table of the documents."""
    task = "lumberjack"
    asked = [("list",), ("info", task), ("disable", task), ("enable", task), ("restart", task), ("hold", task), ("release", task),
             ("reload", task), ("replace", task, f"{task}.so"), ("debug", task, "off"), ("dump",), ("dump", task), ("limits",),
             ("config",), ("reread",), ("pause",), ("wake",), ("slaves",), ("builds",), ("queue",), ("queue", farm.abi()),
             ("ask", "slave_driver", "slaves"), ("view", "list"), ("record", task, str(farm.dir / "tmp" / "recorded")),
             ("record", task, "--stop"), ("log", str(build)), ("why", "handmade"), ("why", "handmade", "1.0"), ("first", "handmade"), ("abi", "list"),
             ("retry", "handmade"), ("sleep", str(slave.number)), ("wake", str(slave.number))]
    for words in asked:
        done = ctl(farm, "--json", *words)
        try:
            good = done.returncode == 0 and len(done.stdout.splitlines()) == 1 and isinstance(json.loads(done.stdout), dict)
        except ValueError:
            good = False
        check(f"json.{' '.join(words)}", good and not done.stderr, f"{done.returncode} {done.stdout[:300]} {done.stderr}")
    equal("slave.builds once more", slave.next(farm)[0], "handmade")
    for words in (("skip", str(slave.number)), ("kill", str(slave.number))):
        done = document(farm, *words)
        check(f"json.{words[0]}", str(slave.number) in done["lines"][0], done)
    for words in ((STREAMS[0], "slave_driver"), (STREAMS[1],)):
        stream = farm.start_process(words[0], [farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue",
                                               farm.socket("admin"), "--json", *words])
        farm.wait(f"a line of {words[0]}", lambda stream=stream: ctl(farm, "slaves") and "\n" in stream.text())
        check(f"json.{words[0]}", isinstance(json.loads(stream.text().splitlines()[0]), dict), stream.text()[:300])
        stream.kill(signal.SIGINT)
        equal(f"json.{words[0]} ends", stream.popen.returncode, 0)
        farm.forget(stream)
    source = (farms.ROOT / "tools" / "piw-ctl" / "main.c").read_text("utf-8")
    known = set(re.findall(r'^    \{"(\w+)", \d+, \d+,', source, re.M))
    equal("json.all", {words[0] for words in asked} | {"skip", "kill", *STREAMS}, known)
    rows = re.findall(r"^\| (`.*?) \|", (farms.ROOT / "docs" / "operating.md").read_text("utf-8"), re.M)
    equal("docs.all", {span.split()[0] for row in rows for span in re.findall(r"`([^`]+)`", row)}, known)


def test_real_logs(farm):
    """What pip itself leaves: the package's error is shown, not what pip makes of it."""
    cases = {"raises": ({"setup.py": "raise KeyError('nothing here')\n"}, r"  KeyError: 'nothing here'$"),
             "requires": ({"setup.py": "", "pyproject.toml": "[build-system]\nrequires = ['no-such-thing-at-all']\n"},
                          r"  ERROR: Could not find a version that satisfies the requirement no-such-thing-at-all")}
    for name, (files, _) in cases.items():
        farms.make_sdist(farm.folder("pypi"), name, "1.0", files)
    slave = farm.start_slave()
    numbers = farm.wait("the builds", lambda: (lambda rows: rows if len(rows) == len(cases) else None)(
        {row["package"]: row["build"] for row in document(farm, "builds")["builds"] if row["package"] in cases}), timeout=120)
    for name, (_, error) in cases.items():
        log = farm.wait("its log", lambda name=name: (lambda done: done if done.returncode == 0 else None)(
            ctl(farm, "--json", "log", str(numbers[name]))))
        shown = json.loads(log.stdout)["error"]
        check(f"log.of pip.{name}", len(shown) > 3 and re.search(error, shown[3]), shown)
    farm.stop_process(slave)


def test_all(farm):
    one = test_slaves(farm)
    two = test_commands(farm, one)
    build = test_builds(farm, one)
    test_meant(farm)
    test_away(farm)
    test_json(farm, one, build)
    one.close()
    two.close()


def main():
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database()
        farm.start_pypi()
        farm.start_master()
        score.run([test_all, test_real_logs], farm)
        if score.failures:
            farm.show_logs()
    for complaint in farm.complaints:
        check("stops in order", False, complaint)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
