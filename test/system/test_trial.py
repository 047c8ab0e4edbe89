#!/usr/bin/python3
"""`piw-ctl replace … --watch`: a plugin that errs, fails or is slow goes again, and the one before goes on with what was
known; one that does well stays."""

import os
import re
import subprocess
import sys

import farm as farms
import score
from score import check

# Counts ten times a second and more, and keeps the count over a swap.
SOURCE = r"""
#include "counter.piw.h"
#include "piw/plugin.h"
#include <stdlib.h>
#include <unistd.h>

static int on_tick(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    int64_t *count = piw_soul(task);
    piw_task_note(task, "counted %lld by " BY, (long long)++*count);
#ifdef ERRS
    if (*count % 4 == 0)
        return PIW_EIO;
#endif
#ifdef FAILS
    if (*count % 8 == 0)
        piw_fail(task, "the counter is broken");
#endif
#ifdef SLOW
    usleep(5000);
#endif
    return 0;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why, (void)err;
    int64_t *count = piw_zalloc(sizeof(*count));
    *count = state != NULL ? counter_state_of(state)->count : 0;
    piw_soul_set(task, count);
    return piw_timer(task, PIW_ON(tick), 0, 10, 10);
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    free(piw_soul(task));
}

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    *state = counter_state_make(*(int64_t *)piw_soul(task));
    return 0;
}

static const piw_continuation continuations[] = {PIW_CONTINUATION(tick), PIW_CONTINUATIONS_END};
PIW_PLUGIN(counter, .version = "1", .summary = "counts", .state_protocol = &counter_protocol_def,
           .state_message = COUNTER_STATE, .start = start, .stop = stop, .save = save, .continuations = continuations);
"""


def build(farm, name, *defines):
    folder = farm.folder("counter")
    env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    (folder / "counter.piw").write_text("state counter_state (count: int)\n", "utf-8")
    (folder / "counter.c").write_text(SOURCE, "utf-8")
    subprocess.run([farms.BUILD / "bin" / "piw-idl", "--out", folder, folder / "counter.piw"], check=True, timeout=60, env=env,
                   stdout=subprocess.DEVNULL)
    target = farm.dir / "inst" / "plugins" / f"{name}.so"
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-D_TIME_BITS=64", "-fPIC", "-fvisibility=hidden",
                    "-shared", f'-DBY="{name}"', *[f"-D{define}" for define in defines], "-I", folder, "-I", f"{farms.ROOT}/core",
                    "-o", target, folder / "counter.c", folder / "counter.piw.c", "-L", f"{farms.BUILD}/lib", "-lpiw"],
                   check=True, timeout=120, env=env)
    target.chmod(0o755)


def ctl(farm, *words):
    return farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), *words], check=False,
                    timeout=120)


def counted(farm):
    """By which file, and how far."""
    found = re.search(r"counted (\d+) by (\w+)", ctl(farm, "info", "counter").stdout)
    return (found.group(2), int(found.group(1))) if found else (None, 0)


def test_goes_again(farm, name, why, kept=True):
    farm.wait("the good one to count", lambda: counted(farm)[0] == "counter_good" and counted(farm)[1] > 0)
    before = counted(farm)[1]
    done = ctl(farm, "replace", "counter", f"{name}.so", "--watch", "60s")
    check(f"{name}.says why", done.returncode == 1 and re.search(why, done.stderr) and "went back to counter_good.so" in done.stderr,
          f"{done.returncode} {done.stdout} {done.stderr}")
    farm.wait("the good one to go on", lambda: counted(farm)[0] == "counter_good")
    if kept:
        check(f"{name}.nothing is forgotten", counted(farm)[1] >= before, f"{counted(farm)}, before {before}")


def main():
    with farms.Farm() as farm:
        farm.prepare()
        build(farm, "counter_good")
        build(farm, "counter_better")
        build(farm, "counter_errs", "ERRS")
        build(farm, "counter_fails", "FAILS")
        build(farm, "counter_slow", "SLOW")
        farm.task_options["counter"] = {"plugin": "counter_good.so"}
        farm.start_postgres()
        farm.create_database()
        farm.folder("pypi")
        farm.start_pypi()
        farm.start_master()
        test_goes_again(farm, "counter_errs", r"handlers ended with an error")
        test_goes_again(farm, "counter_fails", r"which begins anew: it failed", kept=False)
        if not farms.SANITIZED:
            test_goes_again(farm, "counter_slow", r"its handlers take \d+ us at p99; those of the one before took \d+")
        before = counted(farm)[1]
        done = ctl(farm, "replace", "counter", "counter_better.so", "--watch", "2s")
        check("better.stays", done.returncode == 0 and "counter_better.so stays" in done.stdout, f"{done.stdout} {done.stderr}")
        check("better.counts on", counted(farm)[0] == "counter_better" and counted(farm)[1] > before, counted(farm))
        done = ctl(farm, "replace", "counter", "counter_good.so", "--watch", "2s", "--fresh")
        check("fresh.has no way back", done.returncode == 2 and "--fresh" in done.stderr, f"{done.returncode} {done.stderr}")
        done = ctl(farm, "restart", "counter", "--watch", "2s")
        check("watch.belongs to replace", done.returncode == 2 and "--watch belongs to replace" in done.stderr, done.stderr)
        check("stop", farm.stop_process(farm.master) == 0, farm.master.text()[-300:])
        if score.failures:
            farm.show_logs()
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
