#!/usr/bin/python3
"""The first catching up with PyPI shows how far it is, on the log and in piw-ctl. Somebody's lock makes it last.

TEST-TIMEOUT: 120
"""

import json
import re
import sys
import time

import farm as farms
import score
import screen
check, equal = score.check, score.equal

LINE = r"(?:\d+ % done, )?(\d+) events applied, \d+ a second, (time left unknown|about \d+ h \d\d min left); at serial (\d+) of (unknown time|20\d\d-)"
LOG_S = 10  # between two lines of the log


def ctl(farm, *words):
    return [farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), *words]


def note(farm):
    rows = json.loads(farm.run(ctl(farm, "list", "--json")).stdout)["tasks"]
    return next(row["note"] for row in rows if row["task"] == "cloud_gazer")


def test_progress(farm):
    farm.add_samples()
    farm.start_pypi()
    holder = farm.start_process("holder", [
        "/usr/bin/psql", "-X", "-h", farm.dir / "s", "-U", "postgres", "-d", "piwheels", "-c",
        "BEGIN; LOCK TABLE versions IN SHARE MODE; SELECT pg_sleep(600)"])
    holder.expected_end = True
    held = "SELECT pid FROM pg_locks WHERE granted AND mode = 'ShareLock' AND relation = 'versions'::regclass"
    farm.wait("the lock", lambda: farm.value(held) != "")
    farm.start_master()
    began = time.monotonic()
    farm.wait("a note of cloud_gazer's", lambda: note(farm) != "")
    said = re.match(LINE, note(farm))
    check("note.says it", said and said[1] == "0" and int(said[3]) > 0, note(farm))
    with screen.Terminal([*farm.drop, *ctl(farm, "top")], {**farm.env, "TERM": "xterm"}, 24, 80, farms.PATIENCE) as top:
        check("top.shows it", top.wait(r"^cloud_gazer: (?:\[[# ]+\] \d+ % done, )?0 events applied, 0 a second, (time left unknown|about .* left)"),
              top.text())
        top.send("q")
        equal("top.ends", top.end(), 0)
    farm.wait("the next line of the log", lambda: time.monotonic() > began + LOG_S + 1, 2 * LOG_S)
    check("nothing applied", farm.value("SELECT count(*) FROM versions") == "0")
    farm.psql(f"SELECT pg_terminate_backend(({held}))")
    farm.stop_process(holder)
    line = farm.wait_log(farm.master, rf"cloud_gazer: catching up with PyPI: {LINE}")
    farm.wait_log(farm.master, r"PyPI's log is followed to its end: (\d+) events applied")
    check("log.says it", int(line[3]) > 0, line[0])
    farm.wait("the end of the note", lambda: note(farm) == "")
    check("versions.there", int(farm.value("SELECT count(*) FROM versions")) > 0)


def main():
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database()
        return score.run([test_progress], farm)


if __name__ == "__main__":
    sys.exit(main())
