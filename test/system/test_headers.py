#!/usr/bin/python3
"""Each header compiles alone, with gcc and with clang, as a plugin's author would include it first; and what the headers are to
keep a plugin's author from doesn't compile."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import score

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


# A task with one continuation, which it asks to come back to by PIW_ON(…) and has in its list.
CONTINUATION = """#include "piw/plugin.h"
static piw_continuation_fn on_opened;
static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why, (void)state, (void)err;
    return piw_timer(task, PIW_ON(%s), 0, 10, 0);
}
static int on_opened(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)task, (void)reply, (void)key;
    return 0;
}
extern const char *const name;
const char *const name = PIW_ON(opened);
extern const piw_continuation continuations[];
const piw_continuation continuations[] = {%sPIW_CONTINUATIONS_END};
extern piw_start_fn *const begins;
piw_start_fn *const begins = start;
"""
CONTINUATIONS = {
    # what PIW_ON is given, what the list has, and what the compiler says of it (None: nothing)
    "right": ("opened", "PIW_CONTINUATION(opened), ", None),
    "typo_where_asked": ("openend", "PIW_CONTINUATION(opened), ", "on_openend"),
    "typo_in_list": ("opened", "PIW_CONTINUATION(openend), ", "on_openend"),
    "other_function": ("opened", "{PIW_ON(opened), start}, ", "start|invalid conversion|incompatible"),
}


def check_continuation(compiler, asked, listed, says):
    """None, or in what the compiler differs from what is expected of it."""
    # PIW_CONTINUATIONS_END leaves fields out, as do all lists' ends.
    flags = [*(CPP if compiler == "g++" else FLAGS), "-Wno-missing-field-initializers"]
    done = subprocess.run([compiler, f"-I{ROOT}/core", *flags], input=CONTINUATION % (asked, listed), text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if says is None:
        return done.stdout.splitlines()[0] if done.returncode != 0 else None
    if done.returncode == 0:
        return "it compiles"
    return None if re.search(says, done.stdout) else f"{compiler} says something else: {done.stdout.splitlines()[0]}"


def main():
    if shutil.which("g++"):
        score.report("headers_from_cpp", check_cpp())
    else:
        score.skip("headers_from_cpp", "g++ is not installed")
    for compiler in ("gcc", "g++", "clang"):
        for case, (asked, listed, says) in CONTINUATIONS.items():
            name = f"continuation_{case}_{compiler}"
            if shutil.which(compiler) is None:
                score.skip(name, f"{compiler} is not installed")
                continue
            score.report(name, check_continuation(compiler, asked, listed, says))
    for compiler in ("gcc", "clang"):
        if shutil.which(compiler) is None:
            score.skip(f"headers_alone_{compiler}", f"{compiler} is not installed")
            continue
        for header in headers():
            score.report(f"{header.relative_to(ROOT)}_alone_{compiler}", check(compiler, header))
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
