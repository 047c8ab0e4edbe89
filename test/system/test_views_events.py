#!/usr/bin/python3
"""A plugin of a stranger's sees views in events and messages: which view a slave is of, in whose store a build's wheels are, where wheels
come and go.

TEST-TIMEOUT: 120
"""

import os
import re
import subprocess
import sys

import farm as farms
import score
from score import check, equal
from test_import import Importer, make, Office
from test_views_queue import Slave

COMMON, OTHER = "elsewhere", "bookworm-armhf"
PACKAGE = "goldimp"
SOURCE = """/* Says what it hears of views. */
#include "db.piw.h"
#include "events.piw.h"
#include "piw/plugin.h"

static piw_continuation_fn on_recent;

/* null and empty are two things. */
static const char *name(piw_text view)
{
    return view.s == NULL ? "(null)" : view.len == 0 ? "(none)" : view.s;
}

static int on_build(piw_task *task, piw_msg *msg)
{
    const build_done *build = build_done_of(msg);
    piw_info("heard build_done %s of %s for %s", build->package.s, build->abi_tag.s, name(build->view));
    db_RECENT_BUILDS *body;
    piw_msg *call = db_RECENT_BUILDS_new(&body);
    body->limit = 1;
    int rc = piw_call(task, &call, PIW_ON(recent), 0, 0);
    piw_msg_free(&call);
    return rc;
}

static int on_recent(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)task, (void)key;
    if (piw_msg_error(reply) == 0 && db_RECENT_BUILDS_reply_of(reply)->builds.count > 0)
        piw_info("heard RECENT_BUILDS of %s", db_RECENT_BUILDS_reply_of(reply)->builds.at[0].abi_tag.s);
    return 0;
}

static int on_published(piw_task *task, piw_msg *msg)
{
    (void)task;
    piw_info("heard wheel_published %s for %s", wheel_published_of(msg)->files.at[0].s, name(wheel_published_of(msg)->view));
    return 0;
}

static int on_removed(piw_task *task, piw_msg *msg)
{
    (void)task;
    piw_info("heard wheel_removed %s for %s", wheel_removed_of(msg)->files.at[0].s, name(wheel_removed_of(msg)->view));
    return 0;
}

static int on_came(piw_task *task, piw_msg *msg)
{
    (void)task;
    piw_info("heard slave_came %s of %s for %s", slave_came_of(msg)->label.s, slave_came_of(msg)->abi_tag.s, name(slave_came_of(msg)->view));
    return 0;
}

static int on_lost(piw_task *task, piw_msg *msg)
{
    (void)task;
    piw_info("heard slave_lost %s for %s", slave_lost_of(msg)->label.s, name(slave_lost_of(msg)->view));
    return 0;
}

static int on_over(piw_task *task, piw_msg *msg)
{
    (void)task;
    piw_info("heard attempt_over %s of %s", attempt_over_of(msg)->package.s, attempt_over_of(msg)->abi_tag.s);
    return 0;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)task, (void)why, (void)state, (void)err;
    return 0;
}

static const piw_service uses[] = {{"db", &db_protocol_def}, PIW_SERVICES_END};
static const piw_event heard[] = {{&events_protocol_def, BUILD_DONE}, {&events_protocol_def, WHEEL_PUBLISHED},
    {&events_protocol_def, WHEEL_REMOVED}, {&events_protocol_def, SLAVE_CAME}, {&events_protocol_def, SLAVE_LOST},
    {&events_protocol_def, ATTEMPT_OVER}, PIW_EVENTS_END};
static const piw_handler handlers[] = {{&events_protocol_def, BUILD_DONE, on_build}, {&events_protocol_def, WHEEL_PUBLISHED, on_published},
    {&events_protocol_def, WHEEL_REMOVED, on_removed}, {&events_protocol_def, SLAVE_CAME, on_came},
    {&events_protocol_def, SLAVE_LOST, on_lost}, {&events_protocol_def, ATTEMPT_OVER, on_over}, PIW_HANDLERS_END};
static const piw_continuation continuations[] = {PIW_CONTINUATION(recent), PIW_CONTINUATIONS_END};
PIW_PLUGIN(listener, .version = "1", .summary = "says what it hears of views", .uses = uses, .subscribes = heard, .start = start,
           .handlers = handlers, .continuations = continuations);
"""


def build(farm):
    folder = farm.folder("listener")
    (folder / "listener.c").write_text(SOURCE, "utf-8")
    target = farm.dir / "inst" / "plugins" / "listener.so"
    generated = [farms.BUILD / "gen" / f"{name}.piw.c" for name in ("common", "db", "events")]
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-D_TIME_BITS=64", "-fPIC", "-fvisibility=hidden",
                    "-shared", "-I", farms.BUILD / "gen", "-I", f"{farms.ROOT}/core", "-o", target, folder / "listener.c", *generated,
                    "-L", f"{farms.BUILD}/lib", "-lpiw"], check=True, timeout=120, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    target.chmod(0o755)


def heard(farm, said):
    check(said, farm.wait_log(farm.master, f"heard {re.escape(said)}$", timeout=20))


def test_slaves(farm):
    fits = Slave(farm, "fits", "cp311", "linux_armv7l")
    common = Slave(farm, "common", "cp39", "linux_x86_64")
    none = Slave(farm, "fits-none", "cp311", "linux_riscv64")
    for said in (f"fits of cp311 for {OTHER}", f"common of cp39 for {COMMON}", "fits-none of cp311 for (none)"):
        heard(farm, f"slave_came {said}")
    none.asker.close()
    heard(farm, "slave_lost fits-none for (none)")
    for slave, queue in ((fits, OTHER), (common, "cp39")):
        equal(f"work of {queue}", slave.next(farm), (PACKAGE, "1.0"))
        slave.fails()
        heard(farm, f"attempt_over {PACKAGE} of {queue}")
        heard(farm, f"build_done {PACKAGE} of {queue} for " + (OTHER if queue == OTHER else "(null)"))
        slave.close()


def test_wheels(farm, office):
    own, pure = f"{PACKAGE}-2.0-cp311-cp311-linux_armv7l.whl", f"{PACKAGE}-3.0-py3-none-any.whl"
    for name, version, queue, view in ((own, "2.0", OTHER, OTHER), (pure, "3.0", "cp39", "(null)")):
        equal(f"import of {version}", Importer(farm, PACKAGE, version, make(name), abi=OTHER if queue == OTHER else "cp39").run(), "DONE IMPORT")
        heard(farm, f"build_done {PACKAGE} of {queue} for {view}")
        heard(farm, f"RECENT_BUILDS of {queue}")
        check(f"wheel_published {name}", farm.wait_log(farm.master, f"heard wheel_published {PACKAGE}-{version}-.* for {re.escape(view)}$"))
        office.remver(PACKAGE, version)
        check(f"wheel_removed {name}", farm.wait_log(farm.master, f"heard wheel_removed {PACKAGE}-{version}-.* for {re.escape(view)}$"))


def main():
    with farms.Farm() as farm:
        try:
            farm.site_options["linger"] = "0s"
            farm.task_options["file_juggler"] = {"removals-every": "200ms"}
            farm.task_options["cloud_gazer"]["offers-rate"] = "0"  # there is no PyPI to be asked
            farm.task_options["listener"] = {}
            farm.views = {COMMON: {"abi": "cp39", "platform": "linux_x86_64"}, OTHER: {"abi": "cp311", "platform": "linux_armv7l"}}
            farm.prepare()
            build(farm)
            farm.start_postgres()
            farm.create_database(abis=["cp39"])
            farm.start_master()
            office = Office(farm)
            office.addpkg(PACKAGE)
            for version in ("1.0", "2.0", "3.0"):
                office.addver(PACKAGE, version, skip="" if version == "1.0" else "not built here")
            test_slaves(farm)
            test_wheels(farm, office)
        except (farms.Failure, subprocess.SubprocessError, OSError) as error:
            check("the farm", False, error)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
