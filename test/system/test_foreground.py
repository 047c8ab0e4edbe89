#!/usr/bin/python3
"""A master that runs on a terminal shows a bar of its tasks' long work on the last line, and its log above it; elsewhere there is
the log alone.

TEST-TIMEOUT: 60
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import farm as farms
import score
import screen
from score import check, equal

PLUGIN = pathlib.Path(farms.BUILD) / "test" / "plugins" / "counts.so"
BAR = r"^\[#{10,15} {10,15}\] counts: 50 % done, 6 of 12 sheep"


def args(farm, *options):
    return [*farm.drop, farm.program("piw-master"), "--no-farm", "-c", farm.dir / "sheep.conf", *options]


def test_a_bar_below_the_log(farm):
    with screen.Terminal(args(farm), {**farm.env, "TERM": "xterm"}, 24, 80, farms.PATIENCE) as master:
        check("terminal.a bar", master.wait(BAR), master.text())
        check("terminal.lines above it", master.wait(r"^warning: master\.counts: a black sheep$"), master.text())
        check("terminal.nothing but these", not [line for line in master.lines() if line and not re.match(f"{BAR}|warning: master", line)],
              master.text())
        check("terminal.drawn again", master.raw.count(b"50 % done") > 1 or master.wait(BAR), master.text())
        equal("terminal.ends in order", master.end(signal.SIGTERM), 0)
        check("terminal.and takes the bar away", master.find(r"% done") is None, master.text())


def test_none_wanted(farm):
    for name, options, term in (("quiet", ["--quiet"], "xterm"), ("dumb", [], "dumb")):
        with screen.Terminal(args(farm, "-l", farm.dir / "log" / name, *options), {**farm.env, "TERM": term}, 24, 80, farms.PATIENCE) as master:
            farm.wait(f"the log of {name}", lambda file=farm.dir / "log" / name: master.read(0.1) and file.exists()
                      and file.read_text("utf-8").count("sheep") > 20)
            equal(f"{name}.ends in order", master.end(signal.SIGTERM), 0)
            check(f"{name}.no bar", b"% done" not in master.raw and b"\x1b" not in master.raw, master.raw)


def test_no_terminal(farm):
    log = farm.dir / "log" / "file"
    with open(log, "wb") as to, subprocess.Popen(list(map(str, args(farm))), env=farm.env, stdin=subprocess.DEVNULL, stdout=to, stderr=to) as master:
        farm.wait("warnings", lambda: log.read_text("utf-8").count("sheep") > 20)
        master.terminate()
        equal("file.ends in order", master.wait(30), 0)
    check("file.lines alone", "% done" not in log.read_text("utf-8") and "\x1b" not in log.read_text("utf-8"), log.read_text("utf-8"))


def main():
    with farms.Farm() as farm:
        farm.prepare()
        folder = farm.folder("sheep")
        shutil.copy(PLUGIN, folder)
        farm.own(folder / PLUGIN.name)
        (farm.dir / "sheep.conf").write_text(f"[master]\noutput-path = {farm.www}\nadmin-queue = {farm.socket('admin')}\nplugin-dir = {folder}\n"
                                             "[task:counts]\n", "utf-8")
        os.chmod(farm.dir / "sheep.conf", 0o644)
        return score.run([test_a_bar_below_the_log, test_none_wanted, test_no_terminal], farm)


if __name__ == "__main__":
    sys.exit(main())
