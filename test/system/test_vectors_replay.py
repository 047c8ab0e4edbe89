#!/usr/bin/python3
"""The conversations recorded from stock clients, played against a master of ours with a real database: every answer, what
monitors see, and in the end the rows and the site's files are those that the stock master left behind."""

import sys

import farm as farms
import recording
import replay as replays

SLAVES = ("slave-build-success", "slave-build-failure", "slave-skip", "slave-kill", "slave-sleep-master-paused", "two-slaves",
          "monitor")
failures = 0


def paused_one(replay):
    """Stock ignores SLEEP of one slave."""
    replay.deviate(40, ["SLEEP", True], "SLEEP of one id pauses that slave (SPEC §4)")


PREPARE = {"slave-sleep-master-paused": paused_one}


def check(name, good, why=""):
    global failures
    if good:
        print(f"ok {name}", flush=True)
    else:
        failures += 1
        print(f"not ok {name} - {str(why)[:900]}", flush=True)
    return good


def sql_text(value):
    return "'" + str(value).replace("'", "''") + "'"


class Story:
    """The recordings in the order in which they were made, on one database."""

    def __init__(self, farm):
        self.farm = farm
        self.after = recording.load_json("db-after.json")
        self.store = replays.Store()
        self.builders = {}  # our slave number: the recorded one

    def table(self, name):
        found = self.after[name]
        return [dict(zip(found["columns"], row)) for row in found["rows"]]

    def seed(self, messages):
        """Of what wants a build only the versions that the recording's BUILD answers name, as PyPI's events had made them."""
        for _, _, package, version in self.farm.rows("SELECT * FROM builds_pending"):
            self.farm.psql(f"SELECT delete_version({sql_text(package)}, {sql_text(version)})")
        wanted = {tuple(m.data) for m in messages if m.queue == "slave" and m.word == "BUILD"}
        for package, version in sorted(wanted):
            self.add_package(package)
            row, = (r for r in self.table("versions") if (r["package"], r["version"]) == (package, version))
            self.farm.psql(f"SELECT add_new_package_version({sql_text(package)}, {sql_text(version)}, {sql_text(row['released'])})")

    def add_package(self, package):
        row, = (r for r in self.table("packages") if r["package"] == package)
        new = self.farm.value(f"SELECT add_new_package({sql_text(package)}, '', {sql_text(row['description'])})")
        if new == "t":
            for name in (r for r in self.table("package_names") if r["package"] == package):
                self.farm.psql(f"SELECT add_package_name({sql_text(package)}, {sql_text(name['name'])}, {sql_text(name['seen'])})")

    def log_records(self):
        """What logger.jsonl left in the database, for the figures of the recordings made after it."""
        for row in self.table("downloads"):
            values = ", ".join("NULL" if value is None else sql_text(value) for value in row.values())
            self.farm.psql(f"INSERT INTO downloads VALUES ({values})")

    def play(self, name, prepare=None):
        """One recording, on a master of its own as it was recorded."""
        farm = self.farm
        replay = replays.Replay(farm, name, self.store)
        if prepare:
            prepare(replay)
        self.seed(replay.messages)
        farm.start_master()
        status = replays.Status(farm)
        try:
            said = status.begin(farm)
            replay.before_quit = lambda: self.finish_monitor(replay, status)
            replay.run()
            if farm.master.running():
                status.drain(farm)
            check(f"{name}.answers", True)
            problems = replays.compare_status(replay, self.before_last_hello(status.messages))
            check(f"{name}.status", not problems, problems[:1])
            problems = replays.compare_master(replay, said)
            check(f"{name}.figures", not problems, problems[:1])
            self.builders.update({ours: theirs for theirs, ours in replay.numbers.items()})
        except replays.Difference as error:
            check(f"{name}.answers", False, error)
        finally:
            replay.close()
            status.close()
        if replay.messages[-1].word == "QUIT":
            farm.wait("the end of the master after QUIT", lambda: not farm.master.running(), alive=False)
        check(f"{name}.master", farm.stop_process(farm.master) == 0, farm.master.popen.returncode)

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
        print(f"skip recordings - they are not in {recording.FOLDER} (PIW_VECTORS names another folder)")
        return 0
    with farms.Farm() as farm:
        try:
            farm.prepare()
            farm.start_postgres()
            farm.create_database(abis=["cp311"])
            farm.master_options = ["--pypi-simple", replays.PYPI_SIMPLE, "--pypi-xmlrpc", "http://127.0.0.1:9/pypi"]
            story = Story(farm)
            for name in sys.argv[1:] or SLAVES:
                story.play(name, PREPARE.get(name))
                if name == "slave-build-success":
                    story.log_records()
        except (farms.Failure, OSError, KeyError, ValueError) as error:
            check("the recordings", False, f"{type(error).__name__}: {error}")
        if failures:
            farm.show_logs()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
