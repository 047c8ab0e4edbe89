#!/usr/bin/python3
"""test/bench/run itself, over a small tree with benches of its own: one bench or all, at what scale, against which revision; what it
can't do it says in words.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import score
from score import check

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOUND_S = 120
# One that compares, and one that doesn't and is to fail where that is said.
COMPARES = '''import argparse
parser = argparse.ArgumentParser()
parser.add_argument("scale", nargs="?", default="")
parser.add_argument("--against")
args = parser.parse_args()
print(f"compares\\t1\\t{args.scale or 'full'}\\t{open(args.against + '/made').read().strip() if args.against else ''}\\t")
'''
ALONE = '''import os, sys
print(f"alone\\t1\\t{' '.join(sys.argv[1:]) or 'full'}\\t\\t")
sys.exit(os.environ.get("FAILS") == "1")
'''
MAKEFILE = "all bench-programs: build/plain/made\nbuild/plain/made: word\n\t@mkdir -p build/plain && cp word build/plain/made\n"


class Tree:
    """A clone with one commit, whose word is `before`."""

    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        benches = self.dir / "test" / "bench"
        benches.mkdir(parents=True)
        shutil.copy(ROOT / "test" / "bench" / "run", benches / "run")
        (benches / "bench_compares.py").write_text(COMPARES, "utf-8")
        (benches / "bench_alone.py").write_text(ALONE, "utf-8")
        (self.dir / "Makefile").write_text(MAKEFILE, "utf-8")
        (self.dir / "word").write_text("before\n", "utf-8")
        self.git("init", "-q")
        self.git("add", ".")
        self.git("-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-q", "-m", "one")
        (self.dir / "word").write_text("now\n", "utf-8")

    def git(self, *words):
        subprocess.run(["git", "-C", self.dir, *words], timeout=BOUND_S, check=True)

    def run(self, *words, **env):
        """Its exit code, the lines it printed and what it said."""
        plain = {name: value for name, value in os.environ.items() if name not in ("B", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        done = subprocess.run([self.dir / "test" / "bench" / "run", *words], env={**plain, **env}, capture_output=True, text=True,
                              timeout=BOUND_S, check=False)
        return done.returncode, [line.split("\t")[0] + " " + line.split("\t")[2] for line in done.stdout.splitlines()], done


def runs(tree):
    for words, wanted in (((), ["alone full", "compares full"]), (("",), ["alone full", "compares full"]), (("", "tiny"), ["alone tiny", "compares tiny"]),
                          (("alone",), ["alone full"]), (("compares", "small"), ["compares small"])):
        code, lines, _ = tree.run(*words)
        check(f"runs.{' '.join(words) or 'all'}{len(words)}", code == 0 and lines == wanted, (code, lines))
    code, lines, _ = tree.run("", "tiny", FAILS="1")
    check("runs.one that fails is told of, and stops no other", code == 1 and lines == ["alone tiny", "compares tiny"], (code, lines))


def against(tree):
    for words, wanted in ((("compares", "tiny"), ["compares tiny"]), (("", "tiny"), ["compares tiny"]), ((), ["compares full"])):
        code, lines, done = tree.run("--against", "HEAD", *words)
        check(f"against.{' '.join(words) or 'all'}: those that compare, with that revision's build",
              code == 0 and lines == wanted and "\tbefore\t" in done.stdout, (code, lines, done.stderr))


def refused(tree):
    for words, code, why in ((("nonesuch",), 2, 'there is no bench "nonesuch"; there are: alone compares'),
                             (("alone", "huge"), 2, 'there is no scale "huge"'), (("", "huge"), 2, 'there is no scale "huge"'),
                             (("--against", "HEAD", "alone"), 2, "alone is measured against no revision"),
                             (("--against",), 2, "--against REV NAME"),
                             (("--against", "0123abc", "compares"), 1, "this clone has no revision 0123abc"),
                             (("--against", "--all", "compares"), 1, "this clone has no revision --all")):
        found, _, done = tree.run(*words)
        check(f"refused.{' '.join(words)}", found == code and why in done.stderr and not done.stdout, (found, done.stderr, done.stdout))


    tools = tree.dir / "tools"
    tools.mkdir()
    for name in ("sh", "dirname", "basename", "sort", "grep", "tr", "sed", "env"):
        (tools / name).symlink_to(shutil.which(name))
    found, _, done = tree.run("--against", "HEAD", "compares", PATH=str(tools))
    check("refused.without git", found == 1 and "needs git" in done.stderr, (found, done.stderr))


def main():
    if shutil.which("git") is None:
        score.skip("bench_run", "git isn't installed")
        return score.code()
    with tempfile.TemporaryDirectory(prefix="piw-", dir="/tmp") as folder:
        tree = Tree(folder)
        for test in (runs, against, refused):
            test(tree)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
