#!/usr/bin/python3
"""A whole farm with the_scribe in a process of its own: packages are published while that process crashes, hangs and is
killed; the pages are written all the same, nothing else of the master notices, and nothing is left behind."""

import os
import pathlib
import signal
import sys

import farm as farms
import score
from score import check


def children(pid):
    """Processes of the master that hold souls: {task: pid}."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
            words = (path / "cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError, IndexError):
            continue
        if parent == pid and words[0] == b"piw-soul":
            found[words[1].decode()] = int(path.name)
    return found


def published(farm, package):
    page = farm.www / "simple" / package / "index.html"
    return page.exists() and ".whl" in page.read_text(encoding="utf-8")


def hit(farm, number):
    """A signal to the scribe's process; wait until another one is there."""
    scribe = farm.wait("the process of the_scribe", lambda: children(farm.master.pid).get("the_scribe"))
    start = len(farm.master.text())
    os.kill(scribe, number)
    farm.wait("another process of the_scribe",
              lambda: children(farm.master.pid).get("the_scribe", scribe) != scribe, timeout=60)
    return farm.wait_log(farm.master, "the_scribe: failed: .*", start=start).group(0)


def run(farm):
    farm.task_options["the_scribe"] = {"isolate": "process"}
    farm.start(slaves=1, web=False)
    found = children(farm.master.pid)
    check("the scribe is in a process", list(found) == ["the_scribe"], found)
    fds = sorted(os.listdir(f"/proc/{found['the_scribe']}/fd"), key=int) if os.geteuid() == 0 else []
    outside = [target for fd in fds for target in [os.readlink(f"/proc/{found['the_scribe']}/fd/{fd}")]
               if "socket:" in target]
    check("it has one socket", len(outside) <= 1, outside)

    farm.add_samples("piwdemo-pure")
    farm.wait("the first package on its page", lambda: published(farm, "piwdemo-pure"), timeout=90)
    check("pages are written by the process", True)

    farm.add_samples("piwdemo-cext")
    said = [hit(farm, number) for number in (signal.SIGSEGV, signal.SIGKILL)]
    check("the log says how it ended", all("its process" in line for line in said), said)
    farm.wait("the second package on its page", lambda: published(farm, "piwdemo-cext"), timeout=90)
    check("pages are written after crashes", True)
    index = farm.www / "simple" / "index.html"
    farm.wait("the root list with both", lambda: all(name in index.read_text(encoding="utf-8")
                                                     for name in ("piwdemo-pure", "piwdemo-cext")))  # it comes after the pages
    check("the root list has both", True)

    others = [line for line in farm.master.text().splitlines()
              if "failed:" in line and "the_scribe" not in line]
    check("nobody else failed", not others and farm.master.running(), others)

    code = farm.stop_process(farm.slaves[0])
    check("the slave ends in order", code == 0, code)
    scribe = children(farm.master.pid).get("the_scribe")
    code = farm.stop_process(farm.master)
    check("the master ends in order", code == 0, code)
    check("no process is left", scribe is not None and not pathlib.Path(f"/proc/{scribe}").exists(), scribe)


def main():
    try:
        with farms.Farm() as farm:
            run(farm)
    except farms.Failure as error:
        check("farm", False, error)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
