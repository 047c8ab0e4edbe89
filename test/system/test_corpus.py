#!/usr/bin/python3
"""The fuzz targets over the inputs that are kept in test/fuzz/corpus/, and over those that test/fuzz/seeds begins with: none of them
breaks anything, and each target has some of both. They are built with clang, sanitized.

TEST-TIMEOUT: 900
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import score

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path("build") / "fuzz"
CPUS = len(os.sched_getaffinity(0))


def try_inputs(name, first):
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(ROOT / "test" / "fuzz" / "corpus" / f"{name}.zip") as archive:
            archive.extractall(folder)
            count = len(archive.namelist())
        done = subprocess.run([ROOT / BUILD / "fuzz" / name, "-runs=0", "-timeout=60", "-rss_limit_mb=2048",
                               f"-artifact_prefix={folder}/", folder, first], cwd=ROOT, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", timeout=600, check=False)
    score.check(f"{name} ({count} inputs, {len(list(first.iterdir()))} first ones)", done.returncode == 0 and count > 0, done.stdout)


def main():
    env = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS")) and key not in ("B", "VARIANT")}
    made = subprocess.run(["make", "-s", f"-j{CPUS}", "VARIANT=fuzz", f"B={BUILD}", "fuzz-programs"], cwd=ROOT, env=env, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if made.returncode != 0:
        score.check("the targets are built", False, made.stdout)
        return score.code()
    with tempfile.TemporaryDirectory() as seeds:
        subprocess.run([ROOT / "test" / "fuzz" / "seeds", seeds], cwd=ROOT, stdin=subprocess.DEVNULL, check=True, timeout=120)
        for source in sorted((ROOT / "test" / "fuzz").glob("fuzz_*.c")):
            name = source.stem.removeprefix("fuzz_")
            first = pathlib.Path(seeds) / name
            if score.check(f"{name} has first inputs", first.is_dir(), "test/fuzz/seeds makes none"):
                try_inputs(name, first)
    return score.code()


sys.exit(main())
