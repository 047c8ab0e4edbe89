#!/usr/bin/python3
"""Each header compiles alone, with gcc and with clang, as a plugin's author would include it first."""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
GENERATED = pathlib.Path(os.environ.get("B", ROOT / "build" / "plain")) / "gen"
CPP = ["-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c++", "-"]
FLAGS = ["-std=gnu17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c", "-"]


def headers():
    # piw/*.h are what plugins see; runtime.h is the host's side.
    yield from sorted((ROOT / "core" / "piw").glob("*.h"))
    yield from sorted(path for path in (ROOT / "core").glob("*/*.h") if path.parent.name != "piw")


def check(compiler, header):
    name = header.relative_to(ROOT / "core")
    # Twice: the second must be guarded.
    source = f'#include "{name}"\n#include "{name}"\n'
    defines = [] if name.parts[0] == "piw" else ["-D_GNU_SOURCE", '-DPIW_PREFIX="/usr/local"']
    done = subprocess.run([compiler, *defines, f"-I{ROOT}/core", f"-I{GENERATED}", *FLAGS], input=source, text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if "error" in line] or done.stdout.splitlines()
        return lines[0] if lines else "it does not compile"
    return None


def check_cpp():
    """None, or what g++ says: what a plugin's author sees, the farm's protocols among it, can be used from C++."""
    names = [f"piw/{path.name}" for path in sorted((ROOT / "core" / "piw").glob("*.h"))]
    names += [path.name for path in sorted(GENERATED.glob("*.piw.h"))]
    source = "".join(f'#include "{name}"\n' for name in names)
    done = subprocess.run(["g++", f"-I{ROOT}/core", f"-I{GENERATED}", *CPP], input=source, text=True, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = [line for line in done.stdout.splitlines() if "error" in line] or ["it does not compile"]
    return lines[0] if done.returncode != 0 else None


def main():
    why = check_cpp() if shutil.which("g++") else None
    print("skip headers_from_cpp - g++ is not installed" if shutil.which("g++") is None
          else f"not ok headers_from_cpp - {why}" if why else "ok headers_from_cpp")
    failed = why is not None
    for compiler in ("gcc", "clang"):
        if shutil.which(compiler) is None:
            print(f"skip headers_alone_{compiler} - {compiler} is not installed")
            continue
        for header in headers():
            why = check(compiler, header)
            name = f"{header.relative_to(ROOT)}_alone_{compiler}"
            print(f"not ok {name} - {why}" if why else f"ok {name}")
            failed = failed or why is not None
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
