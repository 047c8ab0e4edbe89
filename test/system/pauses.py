"""The master, the database or all slaves are stopped (SIGSTOP) while a farm builds, and go on later."""

import os
import signal

import machine
from machine import check, loads

BUILDS = 60  # that end after each pause


def tree(pid):
    """A process and its children."""
    children = [int(child) for task in os.listdir(f"/proc/{pid}/task")
                for child in open(f"/proc/{pid}/task/{task}/children", encoding="ascii").read().split()]
    return [pid, *children]


def stop(process, meanwhile):
    pids = tree(process.pid)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    meanwhile()
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)


def ended_well(farm, load):
    """What the slaves were told is recorded, once."""
    ended, twice = load.ended()
    recorded = {(package, version): (status, count) for package, version, status, count in farm.rows(
        "SELECT package, version, bool_and(status), count(*) FROM builds GROUP BY 1, 2")}
    wrong = [(build, how, recorded.get(build)) for build, (how, _) in ended.items()
             if recorded.get(build) != ("t" if how == "good" else "f", "1")]
    return twice + wrong


def check_all(farm, name, meanwhile):
    """Each in turn; `meanwhile` lets five minutes pass."""
    postgres = next(process for process in farm.processes if process.name == "postgres")
    stopped = []
    for what, process in (("the master", farm.master), ("the database", postgres), ("all slaves", None)):
        load = loads.Load(farm, "--slaves", "10", "--rate", "40", "--patience", "20m", *loads.MIXED, name=f"load{len(stopped)}")
        load.wait_built(20)
        start = len(farm.master.text())
        stop(process or load.process, meanwhile)
        after = loads.Load(farm, "--slaves", "10", "--builds", str(BUILDS), name=f"after{len(stopped)}")
        figures = after.finish(120)
        check(f"{name}.{what} stopped for five minutes: builds go on", figures.get("builds") == BUILDS,
              (figures, after.complaints()[-3:]))
        if process is farm.master:
            text = farm.master.text()[start:]
            check(f"{name}.no slave is blamed for the master's pause", "silent for longer" not in text and "stood still" in text,
                  text[-500:])
        load.process.popen.send_signal(signal.SIGTERM)
        farm.wait("the end of the load", lambda one=load: not one.process.running(), 120)
        farm.forget(load.process)
        stopped += [load, after]
    machine.settled(farm, 60)
    wrong = [text for load in stopped for text in ended_well(farm, load)]
    check(f"{name}.what slaves were told is recorded once", not wrong, wrong[:10])
