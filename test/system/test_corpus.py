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

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path("build") / "fuzz"
CPUS = len(os.sched_getaffinity(0))


def main():
    env = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS")) and key not in ("B", "VARIANT")}
    made = subprocess.run(["make", "-s", f"-j{CPUS}", "VARIANT=fuzz", f"B={BUILD}", "fuzz-programs"], cwd=ROOT, env=env, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if made.returncode != 0:
        print(f"not ok the targets are built - {made.stdout[-3000:]}")
        return 1
    failed = 0
    for source in sorted((ROOT / "test" / "fuzz").glob("fuzz_*.c")):
        name = source.stem.removeprefix("fuzz_")
        with tempfile.TemporaryDirectory() as folder:
            with zipfile.ZipFile(ROOT / "test" / "fuzz" / "corpus" / f"{name}.zip") as archive:
                archive.extractall(folder)
                count = len(archive.namelist())
            done = subprocess.run([ROOT / BUILD / "fuzz" / name, "-runs=0", "-timeout=60", "-rss_limit_mb=2048",
                                   f"-artifact_prefix={folder}/", folder], cwd=ROOT, stdin=subprocess.DEVNULL, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", timeout=600, check=False)
        good = done.returncode == 0 and count > 0
        failed += not good
        print(f"ok {name} ({count} inputs)" if good else f"not ok {name} ({count} inputs) - {done.stdout[-3000:]}", flush=True)
    return 1 if failed else 0


sys.exit(main())
