#!/usr/bin/python3
"""test/run itself, over a small tree with programs of its own: what runs side by side and what doesn't, whose output and whose
remains are whose, what is selected, and that nothing outlives it.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import score
from score import check

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOUND_S = 120
GROUPS = """    Suite("har", "", 1, 60, "test/har", default=("test_short",)),
    Suite("soak", "", 1, 60, "test/soak", default=()),
)
WALL_MINUTES"""

# Waits for what another program writes, a bounded time; notes that it runs.
HEAD = '''
import os, pathlib, subprocess, sys, time
MEET = pathlib.Path("@MEET@")
def wait(name):
    until = time.monotonic() + 60
    while not (MEET / name).exists():
        if time.monotonic() > until:
            print("not ok waiting for", name); sys.exit(1)
        time.sleep(0.01)
def note(name): (MEET / name).write_text(str(os.getpid()))
'''
# Two that meet, in turns: neither ends without the other.
MEETS = '''
for step in range(20):
    print("line of @SELF@", step, flush=True)
    note(f"@SELF@.{step}"); wait(f"@OTHER@.{step}")
note("@SELF@." + os.environ["PIW_TMP"].replace("/", "_"))
print("ok met")
'''
# Leaves a process in a session of its own, whose parent has gone.
LEAVES = '''
code = "import ctypes, os, time; ctypes.CDLL(None).prctl(15, b'@SELF@', 0, 0, 0); open('@MEET@/@SELF@.left', 'w').close(); time.sleep(600)"
subprocess.run([sys.executable, "-c", "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True)", code])
wait("@SELF@.left"); wait("@OTHER@.left")
print("ok left")
'''
ALONE = '''
"""TEST-LOAD: alone"""
run = pathlib.Path("@MEET@/running")
print("not ok company" if any(run.iterdir()) else "ok alone", *run.iterdir())
'''
COMPANY = '''
(MEET / "running" / "@SELF@").touch(); time.sleep(0.2); (MEET / "running" / "@SELF@").unlink()
print("ok here")
'''
HANGS = '''
note("hangs.pid")
code = "import os, time; open('@MEET@/child.pid', 'w').write(str(os.getpid())); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
wait("child.pid"); note("hangs.ready"); time.sleep(600)
'''
PLAIN = 'print("ok @SELF@")\n'
# Fails once.
UNSTEADY = '''
print("ok now" if (MEET / "@SELF@.once").exists() else "not ok the first time - @OTHER@")
note("@SELF@.once")
'''
# For a keeper: it is told to stop as soon as its program runs, before it knows so.
AT_ONCE = '''
import os, pathlib, signal, subprocess, time
begin = subprocess.Popen.__init__
def begin_and_stop(self, *words, **more):
    begin(self, *words, **more)
    until = time.monotonic() + 60
    while not pathlib.Path("@READY@").exists() and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
subprocess.Popen.__init__ = begin_and_stop
'''


class Tree:
    """What test/run needs of a repository."""

    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        self.meet = self.dir / "meet"
        for name in ("test/unit", "test/system", "test/har", "test/soak", "meet/running"):
            (self.dir / name).mkdir(parents=True)
        for name in ("meet", "meet/running", "."):
            (self.dir / name).chmod(0o777)
        shutil.copytree(ROOT / "test" / "runner", self.dir / "test" / "runner")
        text = (ROOT / "test" / "run").read_text("utf-8")
        (self.dir / "test" / "run").write_text(re.sub(r"(?m)^\)\nWALL_MINUTES", GROUPS, text), "utf-8")
        (self.dir / "Makefile").write_text("all unit-programs:\n\t@true\n", "utf-8")

    def add(self, name, body, other="", folder="system"):
        text = HEAD + body
        for word, value in (("SELF", name), ("OTHER", other), ("MEET", self.meet)):
            text = text.replace(f"@{word}@", str(value))
        (self.dir / "test" / folder / f"test_{name}.py").write_text(text, "utf-8")

    def command(self, *words):
        return [sys.executable, str(self.dir / "test" / "run"), *words]

    def environment(self, jobs):
        return {**os.environ, "JOBS": str(jobs), "TEST_BUILD": str(self.dir / "build")}

    def run(self, *words, jobs=4):
        return subprocess.run(self.command(*words), env=self.environment(jobs), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=BOUND_S, check=False)


def blocks(said):
    """What is shown of each program: {name: its lines}."""
    return {match[1]: match[2] for match in re.finditer(r"(?ms)^== system plain (\w+)$\n(.*?)^== system plain \1: ", said)}


def side_by_side(tree):
    tree.add("meet_a", MEETS, "meet_b")
    tree.add("meet_b", MEETS, "meet_a")
    done = tree.run("meet")
    check("side by side.they meet", done.returncode == 0 and done.stdout.endswith("\n2 passed, 0 failed, 0 skipped\n"), done.stdout)
    for name in ("meet_a", "meet_b"):
        wanted = "".join(f"  line of {name} {step}\n" for step in range(20)) + "  ok met\n"
        check(f"side by side.output of {name}", blocks(done.stdout).get(f"test_{name}") == wanted, done.stdout)
    folders = {path.name.split(".", 1)[1] for path in tree.meet.glob("meet_?._tmp_piw-*")}
    check("side by side.folders", len(folders) == 2 and not any(os.path.exists(f.replace("_tmp_", "/tmp/")) for f in folders), folders)
    table = re.search(r"(?m)^one by one +[\d.]+ min +\d+ min +[\d.]+ min\nside by side +[\d.]+ min$", done.stdout)
    check("side by side.table", table, done.stdout)


def remains(tree):
    tree.add("leave_a", LEAVES, "leave_b")
    tree.add("leave_b", LEAVES, "leave_a")
    said = blocks(tree.run("leave").stdout)
    for name in ("leave_a", "leave_b"):
        check(f"remains.of {name}", f"  note: left running and ended: {name}\n" in said.get(f"test_{name}", ""), said)


def company(tree):
    tree.add("alone", ALONE)
    for number in range(6):
        tree.add(f"many_{number}", COMPANY)
    done = tree.run("alone", "many")
    check("alone.nothing beside it", done.returncode == 0 and "  ok alone\n" in done.stdout, done.stdout)
    done = tree.run("alone", "many", jobs=1)
    order = re.findall(r"(?m)^== system plain (\w+)$", done.stdout)
    check("one at a time.in order", order == sorted(order) and len(order) == 7, order)


def listed(tree):
    """docs/testing.md names what there is; so does --list."""
    text = (ROOT / "docs" / "testing.md").read_text("utf-8")
    suites = (ROOT / "test" / "run").read_text("utf-8")
    for name, variant in re.findall(r'Suite\("(\w+)", "(\w*)"', suites):
        row = rf"(?m)^\| {name} \| ({variant or '-'}|each) \|"
        check(f"docs.{name} {variant or '-'}", re.search(row, text), "docs/testing.md has no such row")
    sanitized = re.search(r"(?s)SANITIZED = \((.*?)\)", suites)[1]
    for name in re.findall(r'"(.*?)"', sanitized):
        check(f"docs.sanitized {name}", f"`{name}`" in text)
    done = tree.run("--list")
    got = re.findall(r"(?m)^(\w+) +(\S+) +(yes|no) +test_(charm|long|hours) ", done.stdout)
    check("list", got == [("system", "plain", "yes", "charm"), ("system", "asan", "no", "charm"), ("har", "-", "no", "long"),
                          ("soak", "-", "no", "hours")], done.stdout)


def selection(tree):
    tree.add("charm", PLAIN)
    tree.add("short", PLAIN, folder="har")
    tree.add("long", PLAIN, folder="har")
    tree.add("hours", PLAIN, folder="soak")
    for words, wanted in ((("har",), ["long", "short"]), (("char",), ["charm"]), (("soak",), ["hours"]), (("test_long",), ["long"]),
                          (("ong",), []), (("tsan", "soak"), ["hours"]), (("charm", "soak"), ["charm", "hours"])):
        done = tree.run(*words, jobs=1)
        got = re.findall(r"(?m)^  ok (\w+)$", done.stdout)
        check(f"selection.{' '.join(words)}", got == wanted and done.returncode == (0 if wanted else 2), done.stdout)
    for path in (tree.dir / "test" / "system").glob("test_*.py"):
        path.unlink()
    tree.add("charm", PLAIN)
    done = tree.run(jobs=1)
    got = re.findall(r"(?m)^  ok (\w+)$", done.stdout)
    check("selection.default", got == ["charm", "short"], done.stdout)  # sanitized, test_charm isn't one of the default


def unsteady(tree):
    """In a default run what fails beside others has a second try, alone; what fails for good, or with a race, hasn't."""
    said = {}
    for name, body, why in (("once", UNSTEADY, "late"), ("race", UNSTEADY, "WARNING: ThreadSanitizer: data race"),
                            ("never", 'print("not ok ever")\n', "")):
        tree.add(name, body, why)
        done = tree.run(jobs=4)
        (tree.dir / "test" / "system" / f"test_{name}.py").unlink()
        said[name] = (done.returncode, done.stdout.splitlines()[-2:])
    check("unsteady.passes alone", said["once"] == (0, ["UNSTEADY system plain test_once: not ok the first time - late",
                                                        "3 passed, 0 failed, 0 skipped"]), said["once"])
    for name, line in (("race", "not ok the first time - WARNING: ThreadSanitizer: data race"), ("never", "not ok ever")):
        check(f"unsteady.{name} fails", said[name] == (1, [f"FAILED system plain test_{name}: {line}",
                                                           "2 passed, 1 failed, 0 skipped"]), said[name])
    tree.add("once", UNSTEADY, "late")
    (tree.meet / "once.once").unlink()
    done = tree.run("once", "charm")
    check("unsteady.only in the default run", done.returncode == 1 and "1 passed, 1 failed" in done.stdout, done.stdout)
    (tree.dir / "test" / "system" / "test_once.py").unlink()


def needed(tree):
    """A program of a group without a variant gets the build that it names."""
    tree.add("builds", '"""TEST-NEEDS: plain"""\n' + PLAIN, folder="har")
    for words, wanted in (("har", True), ("test_builds", True), ("test_long", False)):
        done = tree.run(words, jobs=2)
        check(f"build for {words}", ("== build plain: " in done.stdout) == wanted and done.returncode == 0, done.stdout)


def stopped(tree):
    tree.add("hangs", HANGS)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for path in tree.meet.glob("*.*"):
            path.unlink()
        with subprocess.Popen(tree.command("hangs"), env=tree.environment(2), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              start_new_session=True) as runner:
            until = time.monotonic() + BOUND_S
            while not (tree.meet / "hangs.ready").exists() and time.monotonic() < until:
                time.sleep(0.02)
            runner.send_signal(number)
            runner.wait(BOUND_S)
        pids = [int((tree.meet / name).read_text()) for name in ("hangs.pid", "child.pid")]
        while any(os.path.exists(f"/proc/{pid}") for pid in pids) and time.monotonic() < until:
            time.sleep(0.02)
        check(f"{number.name}.nothing outlives it", not any(os.path.exists(f"/proc/{pid}") for pid in pids), pids)


def stopped_at_once(tree):
    """A signal that comes while the keeper starts its program."""
    for path in tree.meet.glob("*.*"):
        path.unlink()
    (tree.dir / "sitecustomize.py").write_text(AT_ONCE.replace("@READY@", str(tree.meet / "hangs.ready")), "utf-8")
    report, far = os.pipe()
    keeper = [sys.executable, str(tree.dir / "test" / "runner" / "keeper.py"), str(far), str(BOUND_S), sys.executable, "-I",
              str(tree.dir / "test" / "system" / "test_hangs.py")]
    done = subprocess.run(keeper, env={**os.environ, "PYTHONPATH": str(tree.dir)}, pass_fds=(far,), stdin=subprocess.DEVNULL,
                          timeout=BOUND_S, check=False)
    os.close(report)
    os.close(far)
    pids = [int((tree.meet / name).read_text()) for name in ("hangs.pid", "child.pid")]
    check("SIGTERM at the start.nothing outlives it", done.returncode == 143 and not any(os.path.exists(f"/proc/{pid}") for pid in pids),
          (done.returncode, pids))


def main():
    with tempfile.TemporaryDirectory(prefix="piw-", dir="/tmp") as folder:
        tree = Tree(folder)
        for test in (side_by_side, remains, company, selection, unsteady, listed, needed, stopped, stopped_at_once):
            test(tree)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
