#!/usr/bin/python3
"""piw-monitor on a terminal, before a real master with simulated slaves: what it shows at several sizes and without
colour, what its keys and the mouse do, a master that is killed and comes again, and the end of everything.

TEST-TIMEOUT: 300
"""

import os
import re
import signal
import stat
import sys
import time

import farm as farms
import load as loads
import screen
import wire

failures = 0
ABIS = ("cp39", "cp311")


def check(name, good, why=""):
    global failures
    if good:
        print(f"ok {name}", flush=True)
    else:
        failures += 1
        text = str(why)
        print(f"not ok {name} - {text[:200]}", flush=True)
        for line in text.splitlines():
            print(f"# {line}", flush=True)
    return good


def args(farm, *more):
    return [farm.program("piw-monitor"), "-c", farm.configuration(), "--status-queue", farm.socket("status"),
            "--control-queue", farm.socket("control"), *more]


def terminal(farm, *more, rows=24, columns=80, kind="xterm-256color", **env):
    return screen.Terminal([*farm.drop, *args(farm, *more)], {**farm.env, "TERM": kind, **env}, rows, columns,
                           farms.PATIENCE)


def shows(name, monitor, pattern, timeout=20, gone=False):
    found = monitor.wait(pattern, timeout, gone)
    check(name, found is not None, monitor.text())
    return found


def builder(farm, label, abi="cp311", **more):
    return wire.Builder(farm.dir / "s" / "slave", label, abi, **more)


def until(ask, wanted, times=400):
    """Say it again and again: commands come to the master on another way. The answer, or None."""
    for _ in range(times * farms.PATIENCE):
        answer = ask()
        if wanted(answer):
            return answer
        time.sleep(0.01)
    return None


# --- Without a terminal ----------------------------------------------------------------------------------------------


def test_start(farm):
    done = farm.run(args(farm), check=False)
    check("start.no_terminal", done.returncode == 2 and re.fullmatch(r"piw-monitor: .*terminal.*\n", done.stderr) and
          not done.stdout, f"{done.returncode} {done.stderr}")
    done = farm.run([farm.program("piw-monitor"), "--help"])
    check("start.help", "--status-queue" in done.stdout and "--control-queue" in done.stdout and "--codec" in done.stdout,
          done.stdout)
    done = farm.run(args(farm, "--frobnicate"), check=False)
    check("start.bad_option", done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr)
    for kind in ("no-such-terminal", "dumb"):
        with terminal(farm, kind=kind) as monitor:
            code = monitor.end()
            check(f"start.{kind}", code == 2 and monitor.text().strip().startswith("piw-monitor: ") and "TERM" in
                  monitor.text(), f"{code} {monitor.text()}")
    with terminal(farm, "--status-queue", "nowhere") as monitor:
        check("start.bad_address", monitor.end() == 1 and "it is not an address" in " ".join(monitor.lines()),
              monitor.text())


def test_files(farm):
    for name in ("status", "control"):
        mode = os.stat(farm.dir / "s" / name).st_mode
        check(f"files.{name}", mode & stat.S_IWGRP, oct(mode))


# --- Looking ---------------------------------------------------------------------------------------------------------


def test_figures(monitor, slaves):
    shows("figures.master", monitor, r"^ \S+, up \S+, .* 2 slaves *$")
    shows("figures.pending", monitor, r"^ Pending +[1-9]\d* +\S")
    shows("figures.machine", monitor, r" Memory +\d+% +\S+ +\S+ free")
    shows("figures.groups", monitor, r"cp39  \d+ pending, \d+ built in the last hour .* 1 slave ")
    cp39, cp311 = monitor.find("cp39  "), monitor.find("cp311  ")
    check("figures.order", cp39 and cp311 and cp39 < cp311, monitor.text())
    shows("figures.building", monitor, r"► +\d+ pi-311 +builds load-\d+ 1\.0 +\S+s")
    slaves["39"].busy(disk_free=10 ** 9, temp=85.0)
    shows("figures.warning", monitor, r"!.* pi-39 .* 99! .* 85!")
    slaves["39"].busy()
    shows("figures.no_warning", monitor, r"99!", gone=True)


def test_sizes(farm, monitor, slaves):
    for rows, columns in ((40, 120), (12, 40), (20, 60), (60, 200), (3, 20), (24, 80)):
        monitor.resize(rows, columns)
        good = monitor.wait(r"builds load-" if rows > 3 else r"^too small$")
        check(f"sizes.{columns}x{rows}", good is not None and not monitor.screen.unknown, monitor.text())
    with terminal(farm, kind="vt100") as plain:
        shows("plain.shown", plain, r"► +\d+ pi-311 +builds load-")
        slaves["39"].busy(temp=85.0)
        shows("plain.warning", plain, r"!.* pi-39 .* 85!")
        plain.send("q")
        check("plain.ends", plain.end() == 0, plain.text())
        check("plain.no_colour", not re.search(rb"\x1b\[[0-9;]*[34][0-7][;m]", plain.raw), plain.raw[-300:])
    with terminal(farm, NO_COLOR="1") as plain:
        shows("no_color.shown", plain, r"pi-311 +builds load-")
        check("no_color.none", not re.search(rb"\x1b\[[0-9;]*[34][0-7][;m]", plain.raw), plain.raw[-300:])
    with terminal(farm, LANG="C", LC_ALL="C") as plain:
        shows("ascii.shown", plain, r"> +\d+ pi-311 +builds load-")
        check("ascii.only", all(byte < 0x80 for byte in plain.raw))


def test_hostile(farm, monitor):
    evil = builder(farm, "\x1b[2J\x1b]0;owned\x07\u202egnp", "cp39")
    evil.idle()
    shows("hostile.escaped", monitor, r"\\x1b\[2J\\x1b")
    check("hostile.no_title", b"owned\x07" not in monitor.raw)
    wide = builder(farm, "日本語" * 80, "cp39")
    wide.idle()
    shows("hostile.wide", monitor, r"日本語日本語.*…")
    check("hostile.lines", all(screen_width(line) <= 80 for line in monitor.lines()), monitor.text())
    for slave in (evil, wide):
        slave.bye()
        slave.close()
    shows("hostile.left", monitor, r"4 slaves|2 ended")


def screen_width(line):
    return sum(2 if "\u3000" < character < "\uff00" else 1 for character in line)


# --- Ordering --------------------------------------------------------------------------------------------------------


def is_sleep(answer):
    return answer == ["SLEEP", True]


def is_free(answer):
    return answer[0] == "BUILD" or answer == ["SLEEP", False]


def fetch(slave):
    """IDLE; what it was building has failed before."""
    if slave.builds:
        slave.fail()
    return slave.idle()


def test_keys(monitor, slaves):
    slave = slaves["311"]
    monitor.send("\x1b[B" if b"\x1b[?1h" not in monitor.raw else "\x1bOB")
    shows("keys.down", monitor, r"^>..? +\d+ ")
    check("mouse.choose", monitor.choose("pi-311"), monitor.text())
    shows("keys.pane", monitor, r"Slave \d+ pi-311, cp311 on linux_x86_64")
    monitor.send("s")
    check("keys.skip", until(slave.busy, lambda answer: answer == "DONE"), monitor.text())
    shows("keys.skip_note", monitor, r"SKIP to slave \d+ pi-311")
    monitor.send("z")
    check("keys.sleep", until(lambda: fetch(slave), is_sleep))
    shows("keys.slept", monitor, r"pi-311 +paused")
    monitor.send("w")
    check("keys.wake", until(lambda: fetch(slave), is_free))
    monitor.send("p")
    check("keys.pause", until(lambda: fetch(slave), is_sleep))
    check("keys.pause_all", until(lambda: fetch(slaves["39"]), is_sleep))
    shows("keys.paused", monitor, r" paused, \d slaves *$")
    monitor.send("r")
    check("keys.resume", until(lambda: fetch(slave), is_free))


def test_mouse(monitor, slaves):
    slave = slaves["311"]
    monitor.click(*monitor.wait(r"Pause"))
    check("mouse.pause", until(lambda: fetch(slave), is_sleep))
    monitor.click(*monitor.wait(r"Resume"))
    check("mouse.resume", until(lambda: fetch(slave), is_free))
    # A button that nobody has, and half of a message: the screen goes on.
    for number, odd in enumerate(("\x1b[<66;11;11M", "\x1b[<0;11")):
        monitor.send(odd)
        up = monitor.lines()[0]
        check(f"mouse.odd{number}", monitor.wait(f"^{re.escape(up)}$", gone=True), monitor.text())
    monitor.send(";11M\x1b[<0;11;11m")
    for _ in range(4):
        monitor.click(10, 10, button=64)
    shows("mouse.wheel_up", monitor, r"^> +all slaves")
    monitor.click(10, 10, button=65)
    shows("mouse.wheel_down", monitor, r"^> +all slaves", gone=True)


def test_kill(farm, monitor):
    slave = builder(farm, "pi-doomed", "cp39")
    slave.idle()
    check("kill.chosen", monitor.choose("pi-doomed"), monitor.text())
    monitor.send("k")
    shows("kill.asked", monitor, r"Kill slave \d+ pi-doomed\?")
    monitor.send("n")
    shows("kill.no", monitor, r"Kill slave", gone=True)
    monitor.send("k")
    shows("kill.asked_again", monitor, r"Kill slave \d+ pi-doomed\?")
    monitor.click(*monitor.wait(r" y  Yes"))
    shows("kill.noted", monitor, r"KILL to slave")
    slave.fail()
    check("kill.dies", until(lambda: fetch(slave), lambda answer: answer == "DIE"))
    shows("kill.ended", monitor, r"pi-doomed +ended")
    slave.bye()
    slave.close()


def test_lost(farm, monitor):
    slave = builder(farm, "pi-silent", "cp39", busy_timeout=3)
    slave.idle()
    shows("lost.silent", monitor, r"pi-silent +lost", timeout=30)
    slave.close()


def test_cbor(farm, slaves):
    with terminal(farm, "--codec", "cbor") as other:
        shows("cbor.shown", other, r"pi-311")
        other.send("p")
        check("cbor.pause", until(lambda: fetch(slaves["311"]), is_sleep))
        other.send("r")
        check("cbor.resume", until(lambda: fetch(slaves["311"]), is_free))
        check("cbor.sigterm", other.end(signal.SIGTERM) == 0)
        check("cbor.restored", other.restored() and other.raw.rstrip().endswith(b"\x1b[?1l\x1b>") and b"\x1b[?1049l" in
              other.raw, other.raw[-200:])


# --- Masters that go -------------------------------------------------------------------------------------------------


def test_restart(farm, monitor, slaves):
    farm.master.kill()
    shows("restart.gone", monitor, r"the master has gone")
    monitor.send("p")
    shows("restart.not_sent", monitor, r"SLEEP was not sent: no master listens")
    for slave in slaves.values():
        slave.close()
    farm.restart_master()
    shows("restart.said", monitor, r"the master was restarted|is there again", timeout=40)
    shows("restart.empty", monitor, r" 0 slaves *$")
    again = builder(farm, "pi-again")
    answer = again.idle()
    check("restart.not_paused", is_free(answer), answer)
    shows("restart.slave", monitor, r"pi-again")
    return again


def test_end(farm, monitor, slave):
    monitor.send("t")
    shows("end.asked", monitor, r"Terminate the master on ")
    monitor.send("n")
    shows("end.no", monitor, r"Terminate the master", gone=True)
    check("end.goes_on", slave.busy() in ("CONT", ["SLEEP", False]) and farm.master.running())
    monitor.send("t")
    shows("end.asked_again", monitor, r"Terminate the master on ")
    farm.master.expected_end = True
    monitor.send("y")
    code = farm.wait("the end of the master", lambda: [farm.master.popen.poll()] if not farm.master.running() else None)
    check("end.master", code == [0], code)
    shows("end.gone", monitor, r"the master has gone")
    began = time.monotonic()
    monitor.send("q")
    check("end.quit", monitor.end() == 0 and time.monotonic() - began < 5 * farms.PATIENCE, monitor.text())
    check("end.restored", monitor.restored() and b"\x1b[?1049l" in monitor.raw, monitor.raw[-200:])


def main():
    with farms.Farm() as farm:
        farm.prepare()
        test_start(farm)
        farm.start_postgres()
        farm.create_database(abis=ABIS)
        loads.fill(farm, 200, 1)
        farm.folder("pypi")
        farm.start_pypi()
        with terminal(farm) as monitor:
            shows("start.no_master", monitor, r"no master at ipc://.* yet")
            farm.start_master()
            test_files(farm)
            slaves = {"39": builder(farm, "pi-39", "cp39"), "311": builder(farm, "pi-311")}
            check("slaves", until(slaves["39"].idle, lambda answer: answer[0] == "BUILD"))
            # cp311 is offered what cp39 has built, or can't.
            slaves["39"].fail()
            until(slaves["39"].idle, lambda answer: answer[0] == "BUILD")
            check("slaves.both", until(slaves["311"].idle, lambda answer: answer[0] == "BUILD"))
            test_figures(monitor, slaves)
            test_sizes(farm, monitor, slaves)
            test_hostile(farm, monitor)
            test_keys(monitor, slaves)
            test_mouse(monitor, slaves)
            test_kill(farm, monitor)
            test_lost(farm, monitor)
            test_cbor(farm, slaves)
            again = test_restart(farm, monitor, slaves)
            test_end(farm, monitor, again)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
