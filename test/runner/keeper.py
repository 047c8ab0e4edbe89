#!/usr/bin/python3
"""keeper.py FD BOUND COMMAND… — runs one test program to its end or for BOUND seconds, then ends whatever it left running.

One keeper per program, so that each finds its own remains though many programs run side by side: the orphans of a program,
whatever session they made, become children of its keeper. On FD it says, as JSON, how the program ended (`code`, null if it
hung), what was `left` running and how many seconds of processor (`cpu`) all of it took. Told to stop, it ends the program too.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
ENDING_S = 20  # for remains to die of SIGKILL


def children():
    """Process ids and names whose parent is this process."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                    name, rest = file.read().rsplit(")", 1)
            except OSError:
                continue
            if rest.split()[1] == str(os.getpid()):
                found.append((int(entry), name.split("(", 1)[1]))
    return found


def end_leftovers(group):
    """Ends what is left of the program's process group (None: not known), then children until there are none. Returns their
    names."""
    if group is not None:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
    names = []
    deadline = time.monotonic() + ENDING_S
    while time.monotonic() < deadline:
        left = children()
        if not left:
            break
        for pid, name in left:
            try:
                done, _ = os.waitpid(pid, os.WNOHANG)
                if done == 0:
                    names.append(name)
                    os.kill(pid, signal.SIGKILL)
                    # It ends at once, and its own children come to us next; or before it, for the first process of a namespace
                    # ends last.
                    while os.waitpid(-1, 0)[0] != pid:
                        pass
            except (ChildProcessError, ProcessLookupError):
                pass
    return names


def stop(*_):
    """Whoever is told to stop twice still ends its programs."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def main():
    report, bound, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        print("note: orphans of tests can't be found here", flush=True)
    said = {"code": None, "left": [], "cpu": 0.0, "error": None}
    process = None
    try:  # the program may run before Popen() has returned, and the signal may come then
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has it ignored, and so would the tests
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)  # no test outlives the runner
        # pylint: disable-next=consider-using-with
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        said["code"] = process.wait(bound)
    except OSError as error:
        said["error"] = str(error)
    except subprocess.TimeoutExpired:
        pass
    finally:  # also when told to stop; from here on nothing interrupts the ending
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        said["left"] = end_leftovers(process.pid if process else None)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        said["cpu"] = used.ru_utime + used.ru_stime
    os.write(report, json.dumps(said).encode())


main()
