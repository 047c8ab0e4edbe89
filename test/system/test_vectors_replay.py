#!/usr/bin/python3
"""The conversations recorded from stock clients, played against a master of ours with a real database: every answer, what
monitors see, and in the end the rows and the site's files are those that the stock master left behind.

TEST-TIMEOUT: 400
"""

import contextlib
import gzip
import sys

import aftermath
import farm as farms
import recording
import replay as replays
import score

SLAVES = ("slave-build-success", "logger", "slave-build-failure", "slave-skip", "slave-kill", "slave-sleep-master-paused",
          "two-slaves", "monitor")
TOOLS = ("add", "import", "remove", "rebuild", "import-armv7l")
LOG_TABLES = ("downloads", "searches", "project_page_hits", "project_json_downloads", "web_page_hits")
BASE_URL = "https://wheels.test"
BY_HAND = {"gold-imp", "goldimp", "upper-case-pkg"}  # packages that the recorded tools made, not PyPI
check, equal = score.check, score.equal


def refused(replay, index, words):
    """Answered ERROR with a sentence instead of DONE."""
    def look(_, message, answer):
        if replays.word_of(answer) != "ERROR" or words not in answer[1]:
            raise replays.Difference(f"{message}: got {answer!r}, wanted ERROR with \"{words}\"")
    replay.answers[index] = look


def bad_names(replay):
    """Empty names and aliases of another name are answered ERROR; stock takes them."""
    for peer, words in ((31, "no name"), (32, "totally-different")):
        answer, = [m for m in replay.messages if m.peer == peer and not m.to_master]
        refused(replay, answer.index, words)


def bad_transfers(replay):
    """The last importer's file is damaged on its way, then not sent at all: after five bad transfers ERROR, where
    stock says SEND for ever and stops to fetch."""
    last = [m for m in replay.messages if m.queue == "file" and m.word == "HELLO"][-2:]
    replay.instead[last[0].index] = replays.damaged_transfer
    replay.instead[last[1].index] = lambda _, message: None
    asker = lambda: replay.askers["import", 14]

    def until_error(_, message, answer):
        if answer != message.value:
            raise replays.Difference(f"{message}: got {answer!r}")
        answers = [asker().ask("SENT") for _ in range(3)]
        if answers[:2] != [message.value] * 2 or replays.word_of(answers[2]) != "ERROR":
            raise replays.Difference(f"{message}: got {answers!r}, wanted SEND twice, then ERROR")
    replay.answers[replay.messages[-1].index] = until_error


def canonical(replay):
    """Names are canonicalised (docs/wire.md#imports): Gold.Pure is known."""
    replay.messages[11].value = ["DONE", "REBUILD"]


def paused_one(replay):
    """Stock ignores SLEEP of one slave."""
    replay.deviate(40, ["SLEEP", True], "SLEEP of one id pauses that slave")


PREPARE = {"slave-sleep-master-paused": paused_one, "add": bad_names, "import": bad_transfers, "rebuild": canonical}


def same(pair):
    return pair[0] == pair[1]


def sql_text(value):
    return "'" + str(value).replace("'", "''") + "'"


class Story:
    """The recordings in the order in which they were made, on one database."""

    def __init__(self, farm):
        self.farm = farm
        self.after = recording.load_json("db-after.json")
        self.store = replays.Store()
        self.abis = {"cp311"}
        self.builders = {}  # our slave number: the recorded one

    def table(self, name):
        found = self.after[name]
        return [dict(zip(found["columns"], row)) for row in found["rows"]]

    def call(self, function, *values):
        """A function of the database; what it returns."""
        row, = self.farm.rows(f"SELECT {function}({', '.join(map(sql_text, values))})")
        return row[0] if row else None

    def seed(self, messages):
        """Of what wants a build only the versions that the recording's BUILD answers name, as PyPI's events had made them."""
        for _, _, package, version in self.farm.rows("SELECT * FROM builds_pending"):
            self.call("delete_version", package, version)
        wanted = {tuple(m.data) for m in messages if m.queue == "slave" and m.word == "BUILD"}
        for package, version in sorted(wanted):
            self.add_package(package)
            row, = (r for r in self.table("versions") if (r["package"], r["version"]) == (package, version))
            self.call("add_new_package_version", package, version, row["released"])

    def seed_rest(self):
        """What else PyPI had announced, and the second ABI: from here on the recorded database had no slaves."""
        self.farm.psql("INSERT INTO build_abis (abi_tag) VALUES ('cp39')")
        self.abis.add("cp39")
        announced = {row["package"] for row in self.table("versions")} - BY_HAND
        for row in self.table("versions"):
            if row["package"] in announced:
                self.add_package(row["package"])
                self.call("add_new_package_version", row["package"], row["version"], row["released"], row["skip"])
                if row["yanked"]:
                    self.call("yank_version", row["package"], row["version"])
        self.farm.psql(f"SELECT set_pypi_serial({self.table('configuration')[0]['pypi_serial']})")

    def add_package(self, package):
        row, = (r for r in self.table("packages") if r["package"] == package)
        if self.call("add_new_package", package, "", row["description"]) == "t":
            for name in (r for r in self.table("package_names") if r["package"] == package):
                self.call("add_package_name", package, name["name"], name["seen"])

    def stored(self):
        """Until what the recorded logger sent is in the database: as many rows as it left there."""
        self.farm.wait("the log entries", lambda: all(
            self.farm.value(f"SELECT count(*) FROM {table}") == str(len(self.table(table))) for table in LOG_TABLES))

    def play(self, name, prepare=None):
        """One recording, on a master of its own as it was recorded."""
        farm = self.farm
        replay = replays.Replay(farm, name, self.store)
        if prepare:
            prepare(replay)
        if name not in TOOLS:
            self.seed(replay.messages)
        farm.start_master()
        status = replays.Status(farm)
        try:
            said = status.begin(farm)
            replay.settle = lambda: status.settle(farm, replay.told)
            replay.before_quit = lambda: self.finish_monitor(replay, status)
            replay.run()
            if name == "logger":
                self.stored()
            if replay.messages[-1].word != "QUIT":  # before that the stream was drained
                replay.settle()
                status.drain(farm)
            check(f"{name}.answers", True)
            problems = replays.compare_status(replay, self.before_last_hello(status.messages))
            check(f"{name}.status", not problems, problems[:1])
            problems = replays.compare_master(replay, said, self.abis)
            check(f"{name}.figures", not problems, problems[:1])
            self.builders.update({ours: theirs for theirs, ours in replay.numbers.items()})
        except replays.Difference as error:
            check(f"{name}.answers", False, error)
        finally:
            replay.close()
            status.close()
        with contextlib.suppress(farms.Failure):  # pages stay in the saved list until they are synced; what is held longer stays there
            farm.wait("pages on the disk", lambda: farm.value("SELECT count(*) FROM rewrites_pending") == "0", 8, alive=False)
        if replay.messages[-1].word == "QUIT":
            farm.wait("the end of the master after QUIT", lambda: not farm.master.running(), alive=False)
        check(f"{name}.master", farm.stop_process(farm.master) == 0, farm.master.popen.returncode)

    def compare_rows(self):
        """The database, table by table."""
        rows = aftermath.Rows(self.farm, self.store, self.builders)
        found = rows.compare()
        for table in rows.recorded:
            ours, theirs = found.get(table, ((), ()))
            check(f"rows.{table}", table not in found, f"ours alone: {ours}, recorded alone: {theirs}")
        equal("rows.order of names", *rows.name_orders())

    def compare_site(self):
        """The files, once all pages have been written."""
        site = aftermath.Site(self.farm, self.store, BASE_URL)
        pairs = {"root": site.root, "packages.json": site.packages_json, "aliases": site.aliases, "wheels": site.wheels}
        for name in ("sitemap.xml", "sitemap0.xml", "sitemap1.xml"):
            pairs[name] = lambda name=name: site.sitemap(name)
        for package in site.wanted_packages():
            pairs[f"{package}.json"] = lambda package=package: site.json_of(package)
            pairs[f"{package}.index"] = lambda package=package: site.links_of(package)
        for name, pair in pairs.items():
            with contextlib.suppress(farms.Failure, OSError):
                self.farm.wait(f"site.{name}", lambda pair=pair: same(pair()), timeout=10)
            try:
                equal(f"site.{name}", *pair())
            except OSError as error:
                check(f"site.{name}", False, error)
        check("site.newest first", all(list(ours["releases"]) == list(theirs["releases"]) for ours, theirs in
                                       map(site.json_of, site.wanted_packages())))
        equal("site.modes", site.modes(), [])
        equal("site.removed wheels", [p.name for p in self.farm.www.rglob("goldimp-1.1*")], [])
        self.compare_logs(site)

    @staticmethod
    def reported_logs():
        """{(package, version): what slaves and importers sent as the logs of its builds}."""
        logs = {}
        for name in SLAVES + TOOLS:
            building = {}
            for message in recording.load(name):
                if message.word == "BUILD":
                    building[message.peer] = tuple(message.data)
                elif message.to_master and message.word == "BUILT":
                    logs.setdefault(building[message.peer], []).append(message.data[2])
                elif message.to_master and message.word == "IMPORT":
                    logs.setdefault(tuple(message.data[1:3]), []).append(message.data[6])
        return logs

    def compare_logs(self, site):
        """Each build's log is what its slave or importer sent."""
        logs = self.reported_logs()
        for build_id, package, version in self.farm.rows("SELECT build_id, package, version FROM builds ORDER BY build_id"):
            check(f"site.log of {package} {version}", site.log(int(build_id)) in logs[package, version], build_id)
        broken = self.farm.value("SELECT build_id FROM builds WHERE package = 'goldbroken'")
        recorded = gzip.decompress((recording.FOLDER / "site/logs/0000/0000/0004.txt.gz").read_bytes()).decode()
        lines = list(zip(site.log(int(broken)).splitlines(), recorded.splitlines(), strict=True))
        # One line of path text in it was replaced by another.
        check("site.recorded log", sum(ours != theirs for ours, theirs in lines) <= 1, lines)

    def finish_monitor(self, replay, status):
        """STATS come every 10 s by themselves, and what was skipped or built is pending no more: the recorded figure."""
        recorded = [m for m in replay.messages if m.queue == "status" and m.word == "STATS"][-1].data
        wanted = replays.without_cp39(recorded[replays.PENDING])
        self.farm.wait(f"STATS with {wanted} pending builds", lambda: any(
            m[0] == "STATS" and m[1][replays.PENDING] == wanted for m in status.take()), timeout=30)
        status.drain(self.farm)

    @staticmethod
    def before_last_hello(messages):
        """Without what the last HELLO on the control queue called for."""
        last = max(n for n, message in enumerate(messages) if message[0] == "HELLO")
        return messages[:last]


def main():
    if not recording.there():
        score.skip("recordings", f"they are not in {recording.FOLDER} (PIW_VECTORS names another folder)")
        return 0
    with farms.Farm() as farm:
        try:
            farm.site_options = {"base-url": BASE_URL, "linger": "1s"}
            farm.task_options["file_juggler"] = {"removals-every": "1s"}
            farm.prepare()
            farm.start_postgres()
            farm.create_database(abis=["cp311"])
            farm.master_options = ["--pypi-simple", replays.PYPI_SIMPLE, "--pypi-xmlrpc", "http://127.0.0.1:9/pypi"]
            story = Story(farm)
            for name in sys.argv[1:] or SLAVES + TOOLS:
                if name == TOOLS[0]:
                    story.seed_rest()
                story.play(name, PREPARE.get(name))
            if not sys.argv[1:]:
                farm.start_master()
                story.compare_rows()
                story.compare_site()
                farm.stop_process(farm.master)
        except (farms.Failure, OSError, KeyError, ValueError) as error:
            check("the recordings", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
