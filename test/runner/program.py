"""One program of a test run: started through its keeper, its output collected, its results judged."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEEPER = pathlib.Path(__file__).with_name("keeper.py")
PYTHON = "/usr/bin/python3"
OUTPUT_MAX = 8 << 20  # bytes of one program's output that are looked at
ENDING_S = 60  # for the keeper, beyond its program's bound
WHY_LINES = 25  # of the output of a program that died, in the summary
REPORTS = 3  # of sanitizers, in the summary of one program
REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error: ")


class Outcome:
    """What a program said."""

    def __init__(self):
        self.passed = 0
        self.skipped = 0
        self.failures = []  # one text each


class Run:
    """A command that runs, or ran. Its lines are shown as they come when nothing runs beside it."""

    def __init__(self, command, env, bound, live=False):
        self.bound, self.live = bound, live
        self.lines, self.code, self.left, self.cpu, self.error = [], None, [], 0.0, None
        self.began, self.seconds = time.monotonic(), 0.0
        self.report, far = os.pipe()
        try:
            # pylint: disable-next=consider-using-with
            self.keeper = subprocess.Popen(
                [PYTHON, str(KEEPER), str(far), str(bound), *map(str, command)], cwd=ROOT, env=env, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, pass_fds=(far,))
        except OSError:
            os.close(self.report)
            raise
        finally:
            os.close(far)

    def stop(self):
        if self.keeper.poll() is None:
            self.keeper.terminate()

    def _read(self):
        size = 0
        for line in self.keeper.stdout:
            text = line.decode("utf-8", "replace")
            size += len(line)
            if size < OUTPUT_MAX:
                self.lines.append(text.rstrip("\n"))
                if self.live:
                    sys.stdout.write("  " + text)
                    sys.stdout.flush()

    def finish(self):
        """Waits for the end."""
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        try:
            self.keeper.wait(self.bound + ENDING_S)
        except subprocess.TimeoutExpired:
            self.keeper.kill()
            self.keeper.wait()
        reader.join(20)
        self.seconds = time.monotonic() - self.began
        with os.fdopen(self.report, "rb") as file:
            os.set_blocking(file.fileno(), False)
            said = file.read()
        if said:
            said = json.loads(said)
            self.code, self.left, self.cpu, self.error = said["code"], said["left"], said["cpu"], said["error"]
        return self


def judge(lines, code, bound):
    outcome = Outcome()
    planned = None
    for number, line in enumerate(lines):
        skip = re.match(r"skip\b|ok\b.*# *skip\b", line, re.IGNORECASE)
        plan = re.match(r"1\.\.(\d+)\s*$", line)
        if skip:
            outcome.skipped += 1
        elif re.match(r"ok\b", line):
            outcome.passed += 1
        elif re.match(r"not ok\b", line):
            # Lines that follow and are no result of their own explain it.
            why = [line]
            for more in lines[number + 1:number + 1 + WHY_LINES]:
                if re.match(r"(not ok|ok|skip)\b|1\.\.\d+\s*$", more):
                    break
                why.append(more)
            outcome.failures.append("\n".join(why))
        elif plan:
            planned = int(plan.group(1))
    total = outcome.passed + outcome.skipped + len(outcome.failures)
    end = None
    if code is None:
        end = f"did not end within {bound} s"
    elif code < 0:
        end = f"died of {signal.Signals(-code).name}"
    elif code != 0 and not outcome.failures:
        end = f"exit code {code}, though no test failed"
    elif total == 0:
        end = "printed no result"
    elif planned is not None and total < planned:
        end = f"printed {total} results of {planned}"
    if end:
        outcome.failures.append("\n".join([end] + lines[-WHY_LINES:]))
    if outcome.failures:
        # Check prints its results at the end, far from what a sanitizer said of them.
        known = "\n".join(outcome.failures)
        found = [number for number, line in enumerate(lines) if REPORT.search(line) and line not in known][:REPORTS]
        for number in found:
            outcome.failures[-1] += "\n" + "\n".join(lines[number:number + WHY_LINES // 2])
    return outcome
