#!/usr/bin/python3
"""The fuzz targets over the inputs that are kept in test/fuzz/corpus/: none of them breaks anything, and each target has some. They
are built with clang, sanitized.

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


def main():
    env = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS")) and key not in ("B", "VARIANT")}
    made = subprocess.run(["make", "-s", f"-j{CPUS}", "VARIANT=fuzz", f"B={BUILD}", "fuzz-programs"], cwd=ROOT, env=env, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if made.returncode != 0:
        score.check("the targets are built", False, made.stdout)
        return score.code()
    for source in sorted((ROOT / "test" / "fuzz").glob("fuzz_*.c")):
        name = source.stem.removeprefix("fuzz_")
        with tempfile.TemporaryDirectory() as folder:
            with zipfile.ZipFile(ROOT / "test" / "fuzz" / "corpus" / f"{name}.zip") as archive:
                archive.extractall(folder)
                count = len(archive.namelist())
            done = subprocess.run([ROOT / BUILD / "fuzz" / name, "-runs=0", "-timeout=60", "-rss_limit_mb=2048",
                                   f"-artifact_prefix={folder}/", folder], cwd=ROOT, stdin=subprocess.DEVNULL, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", timeout=600, check=False)
        score.check(f"{name} ({count} inputs)", done.returncode == 0 and count > 0, done.stdout)
    return score.code()


sys.exit(main())
