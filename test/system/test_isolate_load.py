#!/usr/bin/python3
"""the_scribe in a process of its own while fifty simulated slaves build and transfer as fast as they can: the process is
killed by SIGSEGV and SIGKILL, and a writer whose handler never ends takes its place. Who asks for pages gets an error and
asks again, the process is made anew, and no slave notices; in the end everything is recorded once and on its page. At last
the process is killed until the master gives up: the task is critical.

TEST-TIMEOUT: 200
TEST-LOAD: heavy
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import load as loads
from load import farms
import score
from score import check

WRITER = "scribe_endless.so"
GIVES_UP = 5  # failures in a minute
# A sanitizer has its own handler, once the process has come so far.
SEGV = "(ended with code 99|was ended by signal 11)" if farms.SANITIZED else "was ended by signal 11"


def soul(farm):
    """The process of the_scribe, or None."""
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
            words = (path / "cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError, IndexError):
            continue
        if parent == farm.master.pid and words[:2] == [b"piw-soul", b"the_scribe"]:
            return int(path.name)
    return None


def half_written(farm, path):
    """Was it left by a process of the_scribe that was killed? Such files go when the master starts the next time."""
    return path.parent.name == "tmp" and int(path.name.split("-")[0]) not in (farm.master.pid, soul(farm))


def ctl_args(farm, *words):
    return [farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), *words]


def ctl(farm, *words):
    return farm.run(ctl_args(farm, *words)).stdout


def kill(farm, number):
    """A signal to the process; wait until another one is there."""
    old = farm.wait("a process of the_scribe", lambda: soul(farm))
    start = len(farm.master.text())
    os.kill(old, number)
    said = farm.wait_log(farm.master, r"the_scribe: failed: (.*)", start=start).group(1)
    farm.wait("another process of the_scribe", lambda: soul(farm) not in (None, old))
    return said


def crash(farm, load):
    built = load.built()
    said = [kill(farm, number) for number in (signal.SIGSEGV, signal.SIGKILL)]
    check("crash.the log says how it ended", re.search(SEGV, said[0]) and "signal 9" in said[1], said)
    load.wait_built(built + 50)
    check("crash.builds go on", load.process.running(), load.complaints())


def loop(farm, load):
    """A writer that never comes back."""
    start = len(farm.master.text())
    trace = farm.start_process("trace", ctl_args(farm, "trace", "the_secretary", "--match", "error:"),
                               stop_signal=signal.SIGINT)
    ctl(farm, "replace", "the_scribe", WRITER)
    farm.wait_log(farm.master, r"the_scribe: failed: its handler of (PROJECT|BOTH) has been running for more than", start=start)
    check("loop.the message is named", True)
    built = load.built()
    farm.wait_log(trace, r"(PROJECT|BOTH)_reply error: task the_scribe failed: its handler of")
    check("loop.who asked gets an error", farm.stop_process(trace) == 0, trace.text()[-300:])
    farm.wait("another process of the_scribe", lambda: soul(farm))
    load.wait_built(built + 50)
    check("loop.builds go on", load.process.running(), load.complaints())
    # Its process is in that loop again, or will be soon: another writer is taken all the same.
    ctl(farm, "replace", "the_scribe", "the_scribe.so")
    rows = ctl(farm, "list")
    check("loop.the old writer is back", re.search(r"the_scribe +running +the_scribe ", rows), rows)


def end(farm, load):
    load.process.popen.send_signal(signal.SIGTERM)
    figures = load.finish(120)
    check("load.no slave has a complaint", load.process.popen.returncode == 0 and figures.get("violations") == 0,
          load.complaints() or f"exit {load.process.popen.returncode}")
    check("load.every request has its answer", 0 < figures.get("requests", 0) == figures.get("answers"),
          f"{figures.get('requests')} and {figures.get('answers')}")
    builds, twice = load.ended()
    loads.wait_recorded(farm, len(builds), look=lambda: [path for path in farm.staged() if not half_written(farm, path)])
    wrong = loads.differences(farm, builds)
    check(f"load.each of {len(builds)} builds is recorded once, its files whole", not wrong and not twice, wrong or twice)
    try:
        farm.wait("the pages", lambda: not loads.unlisted(farm, builds), 90)
        check("load.every file is on its page", True)
    except farms.Failure:
        check("load.every file is on its page", False, loads.unlisted(farm, builds))
    others = [line for line in farm.master.text().splitlines() if re.search(r"error: master\.(?!the_scribe)\S+: failed:", line)]
    check("load.nobody else failed", not others and farm.master.running(), others)


def give_up(farm):
    """Killed again and again, faster than is forgiven."""
    master, start = farm.master, len(farm.master.text())
    farm.forget(master)
    until, killed = time.monotonic() + 60 * farms.PATIENCE, None
    while master.running() and time.monotonic() < until:
        process = soul(farm)
        if process not in (None, killed):
            try:
                os.kill(process, signal.SIGSEGV)
                killed = process
            except ProcessLookupError:
                pass
        time.sleep(0.05)
    try:
        code = master.popen.wait(30 * farms.PATIENCE)
    except subprocess.TimeoutExpired:
        code = None
    text = master.text()[start:]
    check("give up.exit 1", code == 1, code)
    check("give up.the reason", re.search(rf"task the_scribe failed {GIVES_UP} times in 60 s, the last time because: its "
                                          rf"process {SEGV}", text), text[-600:])
    pauses = [int(ms) for ms in re.findall(r"the_scribe: starts again in (\d+) ms", text)]
    check("give up.back-off", pauses == sorted(pauses) and pauses and pauses[0] >= 1000 and pauses[-1] >= 2 * pauses[0], pauses)


def run(farm):
    farm.task_options["the_scribe"] = {"isolate": "process"}
    farm.prepare()
    shutil.copyfile(farms.BUILD / "test" / "plugins" / WRITER, farm.dir / "inst" / "plugins" / WRITER)
    (farm.dir / "inst" / "plugins" / WRITER).chmod(0o755)
    farm.start_postgres()
    farm.create_database(abis=[loads.ABI])
    loads.fill(farm, 2000, 20)
    farm.start_pypi()
    farm.start_master()
    load = loads.Load(farm, "--fail-percent", "20", "--rate", "400", *loads.MIXED)
    load.wait_built(50)
    crash(farm, load)
    loop(farm, load)
    end(farm, load)
    # Which forgives the failures so far.
    ctl(farm, "restart", "the_scribe")
    give_up(farm)
    farm.start_master()
    farm.wait("the end of what killed processes were writing", lambda: not farm.staged())
    check("restart.nothing half-written stays", farm.stop_process(farm.master) == 0, farm.master.popen.returncode)


def main():
    with farms.Farm() as farm:
        try:
            run(farm)
        except (farms.Failure, subprocess.SubprocessError) as error:
            check("farm", False, error)
        if score.failures:
            farm.show_logs()
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
