#!/usr/bin/python3
"""An operator's day with piw-ctl: looks into a running farm, changes its tasks, pauses it, watches messages; offers it
plugins that must be refused; changes the configuration and sends SIGHUP. The master is never stopped in between."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

import farm as farms
import score
from score import check

TASKS = ("admin", "the_oracle", "seraph", "the_architect", "file_juggler", "the_scribe", "the_secretary", "slave_driver",
         "big_brother", "cloud_gazer")
COLUMNS = ["TASK", "STATE", "PLUGIN", "VERSION", "FILE", "INST", "IMAGES", "RESTARTS", "MAILBOX", "MSG/S", "P50", "P99",
           "UP"]

# A task that could take the place of the_scribe, with one fault of each kind.
STUB = r"""
#include "piw/plugin.h"
#include "db.piw.h"
#include "the_scribe.piw.h"
#include "web.piw.h"
#ifdef WRONG_ABI
#undef PIW_ABI
#define PIW_ABI 99
#endif

void piw_no_such_function(void);

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)task, (void)why, (void)state;
#ifdef MISSING_SYMBOL
    piw_no_such_function();
#endif
#ifdef FAILING_START
    return piw_err_set(err, PIW_EREFUSED, "the stub never starts");
#endif
#ifdef FAILING_LOAD
    if (state != NULL)
        return piw_err_set(err, PIW_EREFUSED, "the stub can't read what was saved");
#endif
#ifdef NEVER_READY
    return PIW_EAGAIN;
#endif
    (void)err;
    return 0;
}

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)task, (void)err;
    scribe_state *body;
    *state = scribe_state_new(&body);
    return 0;
}

static int on_any(piw_task *task, piw_msg *msg)
{
    return piw_refuse(task, msg, PIW_EREFUSED, "the stub writes nothing");
}

static int on_soon(piw_task *task, piw_msg *msg)
{
    (void)task, (void)msg;
    return 0;
}

static const piw_handler handlers[] = {
    {&scribe_protocol_def, SCRIBE_PROJECT, on_any}, {&scribe_protocol_def, SCRIBE_BOTH, on_any},
    {&scribe_protocol_def, SCRIBE_HOME, on_any}, {&scribe_protocol_def, SCRIBE_SEARCH, on_any},
    {&scribe_protocol_def, SCRIBE_BULK, on_any}, {&scribe_protocol_def, SCRIBE_SOON, on_soon},
#ifndef MISSING_HANDLER
    {&scribe_protocol_def, SCRIBE_DELPKG, on_any},
#endif
    PIW_HANDLERS_END};
static const piw_service serves[] = {{"scribe", &scribe_protocol_def}, PIW_SERVICES_END};

PIW_PLUGIN(stub, .version = VERSION, .summary = "a stub", .serves = serves, .state_protocol = &the_scribe_protocol_def,
           .state_message = SCRIBE_STATE, .start = start, .save = save, .handlers = handlers);
"""


class Ctl:
    """piw-ctl as the master's own user."""

    def __init__(self, farm):
        self.farm = farm

    def args(self, *words):
        return [self.farm.program("piw-ctl"), "-c", self.farm.configuration(), "--admin-queue",
                self.farm.socket("admin"), *words]

    def run(self, *words, timeout=60):
        return self.farm.run(self.args(*words), check=False, timeout=timeout)

    def json(self, *words):
        done = self.run("--json", *words)
        if done.returncode != 0:
            raise farms.Failure(f"piw-ctl {' '.join(words)}: {done.stderr}")
        return json.loads(done.stdout)

    def good(self, name, *words, says=""):
        done = self.run(*words)
        return check(name, done.returncode == 0 and re.search(says, done.stdout) and not done.stderr,
                     f"{done.returncode} {done.stdout} {done.stderr}")

    def refused(self, name, *words, says, code=1):
        done = self.run(*words)
        lines = done.stderr.splitlines()
        return check(name, done.returncode == code and len(lines) == 1 and re.search(says, lines[0]),
                     f"{done.returncode} {done.stdout} {done.stderr}")

    def task(self, name):
        return {row["task"]: row for row in self.json("list")["tasks"]}[name]


# --- Looking ---------------------------------------------------------------------------------------------------------


def test_look(farm, ctl):
    rows = {row["task"]: row for row in ctl.json("list")["tasks"]}
    check("list.all", all(name in rows for name in TASKS), sorted(rows))
    check("list.running", all(row["state"] == "running" for row in rows.values()), rows)
    check("list.figures", rows["the_oracle"]["instances"] == 4 and rows["the_oracle"]["handled"] > 0 and
          rows["the_oracle"]["p99_us"] >= rows["the_oracle"]["p50_us"] > 0, rows["the_oracle"])
    table = ctl.run("list").stdout.splitlines()
    check("list.table", table[0].split() == COLUMNS and
          len({line.index("running") for line in table if "running" in line}) == 1, table)
    info = ctl.json("info", "the_secretary")
    check("info.services", info["serves"] == [{"name": "web", "protocol": "web"}] and
          {"name": "scribe", "protocol": "scribe", "by": "the_scribe"} in info["uses"], info)
    check("info.messages", "web.PROJECT" in info["messages"], info["messages"])
    hold = [option for option in info["options"] if option["name"] == "hold"]
    check("info.options", hold and hold[0]["value"] == "1s" and "piwheels.conf:" in hold[0]["origin"], info["options"])
    queues = ctl.json("info", "big_brother")["queues"]
    check("info.queues", {"name": "status", "protocol": "status", "address": farm.socket("status")[:64]} in queues, queues)
    ctl.good("info.table", "info", "the_scribe", says=r"serves +scribe\n")
    limits = {limit["name"]: limit for limit in ctl.json("limits")["limits"]}
    check("limits", limits["MAILBOX_HIGH"]["value"] == "4096" and limits["MAILBOX_HIGH"]["reason"], limits)
    settings = {setting["name"]: setting for setting in ctl.json("config")["settings"]}
    check("config", settings["output-path"] == {"name": "output-path", "value": str(farm.www), "origin": "command line"} and
          settings["site.name"]["origin"] == "default", settings)
    check("config.tasks", settings["task:the_scribe.absent"]["value"] == "wait" and
          re.search(r"piwheels\.conf:\d+$", settings["task:the_scribe.absent"]["origin"]) and
          settings["task:the_scribe.plugin"] == {"name": "task:the_scribe.plugin", "value": "the_scribe.so",
                                                 "origin": "default"} and
          settings["task:the_secretary.hold"]["value"] == "1s" and settings["task:the_oracle.instances"]["value"] == "4",
          {name: value for name, value in settings.items() if name.startswith("task:")})
    lines = ctl.json("dump")["lines"]
    check("dump.all", any(line.startswith("the_oracle.0: ") for line in lines), lines[:5])
    lines = ctl.json("dump", "big_brother")["lines"]
    check("dump.one", lines and all(line.startswith("big_brother: ") for line in lines), lines[:5])


def test_bad_input(farm, ctl):
    ctl.refused("bad.command", "frobnicate", says="there is no command", code=2)
    ctl.refused("bad.operands", "replace", "the_scribe", says="the command is: replace TASK FILE", code=2)
    ctl.refused("bad.switch", "debug", "the_scribe", "maybe", says="neither on nor off", code=2)
    ctl.refused("bad.long", "info", "x" * 65, says="at most 64", code=2)
    ctl.refused("bad.option", "restart", "the_scribe", "--fresh", says="--fresh belongs to replace", code=2)
    ctl.refused("bad.match", "list", "--match", "x", says="--match belongs to trace", code=2)
    ctl.refused("bad.empty", "info", "", says="a name is empty", code=2)
    for command in ("info", "enable", "disable", "reload", "restart", "hold", "release", "dump", "trace"):
        ctl.refused(f"bad.task.{command}", command, "the_butler", says="there is no task the_butler")
    ctl.refused("ask.task", "ask", "the_architct", "first", "x", says="no task the_architct; did you mean the_architect")
    ctl.refused("ask.no_commands", "ask", "the_scribe", "first", "x", says="task the_scribe takes no commands")
    ctl.refused("ask.word", "ask", "the_architect", "dance", "x", says="the_architect takes no command 'dance'")
    ctl.refused("ask.as_it_is", "ask", "the_architect", "first", "a b", "c", says="the command is: first PACKAGE")
    ctl.refused("ask.operands", "ask", "the_architect", says="the command is: ask TASK WORD", code=2)
    ctl.refused("ask.long", "ask", "the_architect", "x" * 65, says="longer than any word", code=2)
    ctl.refused("bad.self", "restart", "admin", says="task admin can't change itself")
    done = farm.run([farm.program("piw-ctl"), "--admin-queue", farm.socket("nobody"), "list"], check=False)
    check("bad.no_master", done.returncode == 1 and "no master listens at" in done.stderr, done.stderr)
    done = ctl.run("top")
    check("bad.top_without_terminal", done.returncode == 2 and "needs a terminal" in done.stderr, done.stderr)


def test_other_user(farm, ctl):
    mode = os.stat(farm.dir / "s" / "admin").st_mode & 0o777
    check("other_user.socket_mode", mode == 0o600, oct(mode))
    if os.geteuid() != 0:
        score.skip("other_user.refused", "not root")
        return
    stranger = ["setpriv", "--reuid", "daemon", "--regid", "daemon", "--clear-groups", "--"]
    done = subprocess.run([*stranger, *map(str, ctl.args("list"))], capture_output=True, text=True, timeout=60, check=False,
                          env=farm.env, cwd="/")
    check("other_user.refused", done.returncode == 1 and "only root and the user that the master runs as" in done.stderr, done.stderr)
    done = subprocess.run([*map(str, ctl.args("list"))], capture_output=True, text=True, timeout=60, check=False,
                          env=farm.env, cwd="/")
    check("other_user.root", done.returncode == 0 and "the_scribe" in done.stdout, done.stderr)


# --- Changing --------------------------------------------------------------------------------------------------------


def test_swap(farm, ctl):
    json_writer = (farm.dir / "inst" / "plugins" / "scribe_html.so").exists()
    if json_writer:
        ctl.good("replace", "replace", "the_scribe", "scribe_html.so", says="replaced by scribe_html.so, version .* pause was")
        row = ctl.task("the_scribe")
        check("replace.row", row["file"] == "scribe_html.so" and row["plugin"] == "scribe_html" and row["swaps"] == 1 and
              row["images"] == 2 and row["state"] == "running", row)
        settings = {setting["name"]: setting for setting in ctl.json("config")["settings"]}
        check("replace.config", settings["task:the_scribe.plugin"]["value"] == "scribe_html.so" and
              settings["task:the_scribe.plugin"]["origin"] == "piw-ctl", settings["task:the_scribe.plugin"])
        ctl.good("replace.back", "replace", "the_scribe", "the_scribe.so")
        check("replace.images", ctl.task("the_scribe")["images"] == 2, ctl.task("the_scribe"))
        ctl.good("replace.fresh", "replace", "the_scribe", "scribe_html.so", "--fresh", says="began anew")
        ctl.good("replace.fresh_back", "replace", "the_scribe", "the_scribe.so", "--fresh")
    else:
        score.skip("replace", "there is no second writer")
    for task in ("slave_driver", "the_oracle", "file_juggler", "seraph", "cloud_gazer", "big_brother", "the_secretary",
                 "the_architect"):
        swaps = ctl.task(task)["swaps"]
        ctl.good(f"reload.{task}", "reload", task, says="reloaded")
        row = ctl.task(task)
        check(f"reload.{task}.row", row["swaps"] == swaps + row["instances"] and row["images"] == 1, row)
    restarts = ctl.task("the_scribe")["restarts"]
    ctl.good("restart", "restart", "the_scribe", says="restarted")
    row = ctl.task("the_scribe")
    check("restart.row", row["restarts"] == restarts + 1 and row["state"] == "running", row)


def stub(farm, name, *defines, version="1", proto=None):
    """A plugin made of STUB in the plugin folder."""
    source = farm.dir / "tmp" / "stub.c"
    source.write_text(STUB, encoding="utf-8")
    target = farm.dir / "inst" / "plugins" / name
    extra = ["-I", str(proto), str(proto / "web.piw.c"), "-Wl,-z,muldefs"] if proto else []
    done = subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-fPIC", "-fvisibility=hidden", "-shared",
                           f'-DVERSION="{version}"', *[f"-D{define}" for define in defines], *extra,
                           "-I", f"{farms.ROOT}/core", "-I", f"{farms.BUILD}/gen", "-o", f"{target}.new", str(source),
                           f"{farms.BUILD}/lib/libproto.a", "-Wl,--exclude-libs,ALL", "-L", f"{farms.BUILD}/lib", "-lpiw"],
                          capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise farms.Failure(f"the stub {name} can't be compiled: {done.stderr}")
    os.chmod(f"{target}.new", 0o755)
    os.replace(f"{target}.new", target)
    return target


def other_schema(farm):
    """Generated code of a service scribe that has the same messages, but one of another shape."""
    source, target = farm.folder("proto"), farm.folder("gen")
    for path in (farms.ROOT / "proto").glob("*.piw"):
        text = path.read_text("utf-8")
        if path.name == "web.piw":
            text = text.replace("call HOME    () -> ()", "call HOME    (much: int) -> ()")
        (source / path.name).write_text(text, "utf-8")
    env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    for name in ("web.piw", "common.piw"):
        subprocess.run([farms.BUILD / "bin" / "piw-idl", "--import", source, "--out", target, source / name], check=True,
                       timeout=60, env=env, stdout=subprocess.DEVNULL)
    return target


def test_refused(farm, ctl):
    plugins = farm.dir / "inst" / "plugins"
    stub(farm, "wrong_abi.so", "WRONG_ABI")
    stub(farm, "missing_symbol.so", "MISSING_SYMBOL")
    stub(farm, "failing_start.so", "FAILING_START")
    stub(farm, "failing_load.so", "FAILING_LOAD")
    stub(farm, "never_ready.so", "NEVER_READY")
    stub(farm, "missing_handler.so", "MISSING_HANDLER")
    stub(farm, "wrong_schema.so", proto=other_schema(farm))
    (plugins / "text.so").write_text("This is no plugin.\n", encoding="utf-8")
    shutil.copy(plugins / "the_secretary.so", plugins / "writable.so")
    (plugins / "writable.so").chmod(0o777)
    for path in (plugins / "text.so",):
        path.chmod(0o644)
    handled = ctl.task("the_scribe")
    for name, says in (("wrong_abi.so", "built for runtime interface 99"), ("missing_symbol.so", "piw_no_such_function"),
                       ("failing_start.so", "the stub never starts"), ("failing_load.so", "can't read what was saved"),
                       ("never_ready.so", "not ready within 10000 ms"), ("missing_handler.so", "no handler for DELPKG"),
                       ("wrong_schema.so", "other types"), ("text.so", "text.so"), ("none.so", "is not there"),
                       ("/etc/passwd", "outside the plugin folders"), ("the_secretary.so", "the service web is served by"),
                       ("writable.so", "others can write")):
        ctl.refused(f"refused.{name.strip('/').replace('/', '_')}", "replace", "the_scribe", name, says=says)
    row = ctl.task("the_scribe")
    check("refused.old_goes_on", row["state"] == "running" and row["file"] == "the_scribe.so" and
          row["restarts"] == handled["restarts"] and row["swaps"] == handled["swaps"], row)
    ctl.refused("refused.fresh", "replace", "the_scribe", "failing_start.so", "--fresh", says="the stub never starts")
    ctl.refused("refused.fresh_never_ready", "replace", "the_scribe", "never_ready.so", "--fresh", says="not ready within")
    row = ctl.task("the_scribe")
    check("refused.fresh_goes_back", row["state"] == "running" and row["plugin"] == "the_scribe", row)
    # The same file with other bytes is another image.
    stub(farm, "stub.so", version="1")
    ctl.good("reload.first", "replace", "the_scribe", "stub.so", says="version 1;")
    stub(farm, "stub.so", version="2")
    ctl.good("reload.changed", "reload", "the_scribe", says="version 2;")
    ctl.good("reload.back", "replace", "the_scribe", "the_scribe.so")


def test_disable(farm, ctl):
    ctl.refused("disable.needed", "disable", "the_scribe", says=r"needed by the_secretary \(scribe\)")
    ctl.refused("disable.needed_by_many", "disable", "seraph", says=r"the_scribe \(db\)")
    ctl.good("disable.free", "disable", "cloud_gazer", says="is disabled")
    check("disable.row", ctl.task("cloud_gazer")["state"] == "disabled", ctl.task("cloud_gazer"))
    ctl.refused("disable.no_restart", "restart", "cloud_gazer", says="is disabled")
    ctl.good("enable", "enable", "cloud_gazer", says="is enabled")
    check("enable.row", ctl.task("cloud_gazer")["state"] == "running", ctl.task("cloud_gazer"))
    # absent = wait: what the scribe is asked meanwhile waits for it.
    ctl.good("absent.disable", "disable", "the_scribe", "--force")
    farm.add_samples("piwdemo-pure")
    page = farm.www / "project" / "piwdemo-pure" / "index.html"
    farm.wait("the package", lambda: farm.rows("SELECT 1 FROM packages WHERE package = 'piwdemo-pure'"))
    farm.wait("a request that waits for the scribe", lambda: ctl.task("the_scribe")["mailbox"] > 0)
    check("absent.waits", not page.exists(), "the page is there")
    ctl.good("absent.enable", "enable", "the_scribe")
    farm.wait("the page", page.exists)
    check("absent.written", True)


def test_hold(farm, ctl):
    ctl.good("hold", "hold", "the_secretary", says="on hold")
    check("hold.row", ctl.task("the_secretary")["state"] == "held", ctl.task("the_secretary"))
    handled = ctl.task("the_secretary")["handled"]
    farm.add_event("add_project piwtest-held")
    farm.wait("a message that waits", lambda: ctl.task("the_secretary")["mailbox"] > 0, timeout=90)
    check("hold.nothing_runs", ctl.task("the_secretary")["handled"] == handled, ctl.task("the_secretary"))
    ctl.good("hold.reload", "reload", "the_secretary", says="reloaded")
    check("hold.stays", ctl.task("the_secretary")["state"] == "held", ctl.task("the_secretary"))
    ctl.good("release", "release", "the_secretary", says="released")
    farm.wait("what waited is handled", lambda: ctl.task("the_secretary")["mailbox"] == 0 and
              ctl.task("the_secretary")["handled"] > handled)
    check("release.row", ctl.task("the_secretary")["state"] == "running", ctl.task("the_secretary"))


def test_pause(farm, ctl):
    """Those who rest while the farm is paused are told of it: their flight recorders say so."""
    def told():
        return sum(" farm_paused " in line for line in ctl.json("dump", "cloud_gazer")["lines"])

    before = told()
    ctl.good("pause", "pause", says="^the farm is paused: piw-ctl said pause$")
    farm.wait("cloud_gazer hears that the farm is paused", lambda: told() >= before + 1)
    ctl.good("pause.again", "pause", says="^the farm is paused")
    ctl.good("wake", "wake", says="^the farm goes on$")
    farm.wait("cloud_gazer hears that the farm goes on", lambda: told() >= before + 3)
    check("pause.told", True)
    # The master that answers the admin queue is paused, and no other: there is no second address to be mistaken about.
    ctl.good("pause.without_its_task", "disable", "big_brother", "--force")
    ctl.refused("pause.refused", "pause", says="big_brother is disabled")
    ctl.good("pause.with_its_task", "enable", "big_brother")


# --- Watching --------------------------------------------------------------------------------------------------------


def test_debug(farm, ctl):
    ctl.good("debug.on", "debug", "the_oracle", "on", says="is on")
    ctl.good("debug.off", "debug", "the_oracle", "off", says="is off")


def test_long(farm, ctl):
    """The oracle may block: while it does, list says in what, and goes back when it has ended."""
    # Servers that stand still; big_brother's next question to the database is the one that waits.
    pids = [int(pid) for pid, in farm.rows("SELECT pid FROM pg_stat_activity WHERE usename = 'piwheels'")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        farm.wait("a note about the handler that waits",
                  lambda: re.search(r"the_oracle\.\d has been in \w+ for \d+ s", ctl.task("the_oracle")["note"]))
        check("long.note", ctl.task("the_oracle")["state"] == "running", ctl.task("the_oracle"))
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    farm.wait("the oracle goes on", lambda: not ctl.task("the_oracle")["note"])
    check("long.goes_on", True)


def test_trace(farm, ctl):
    process = farm.start_process("trace", ctl.args("trace", "seraph"), stop_signal=signal.SIGINT)
    narrow = farm.start_process("narrow", ctl.args("--json", "trace", "the_oracle", "--match", "STATISTICS"),
                                stop_signal=signal.SIGINT)
    farm.wait_log(process, r"^\d\d:\d\d:\d\d\.\d{3} seraph -> the_oracle\.\d STATISTICS", timeout=60)
    farm.wait_log(process, r"seraph <- \S+ STATISTICS", timeout=60)
    check("trace.lines", True)
    farm.wait_log(narrow, r"STATISTICS", timeout=60)
    lines = [json.loads(line)["line"] for line in narrow.text().splitlines()]
    check("trace.match", lines and all("STATISTICS" in line for line in lines), lines)
    check("trace.ends", farm.stop_process(process) == 0, process.text()[-300:])
    check("trace.json_ends", farm.stop_process(narrow) == 0, narrow.text()[-300:])


def top(farm, ctl, name, rows, columns, last):
    """On a terminal of that size."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    with subprocess.Popen([*farm.drop, *map(str, ctl.args("top"))], stdin=follower, stdout=follower, stderr=follower,
                          env={**farm.env, "TERM": "xterm"}, start_new_session=True) as process:
        os.close(follower)
        screen, until = b"", time.monotonic() + 30 * farms.PATIENCE
        while b"\x1b[J" not in screen and time.monotonic() < until:
            if select.select([leader], [], [], 1)[0]:
                screen += os.read(leader, 65536)
        first = screen.split(b"\x1b[J")[0].split(b"\x1b[H")[-1].decode("utf-8", "replace")
        lines = [re.sub(r"\x1b\[[0-9;]*[mK]", "", line) for line in first.split("\r\n")]
        check(f"{name}.tasks", all(any(task in line for line in lines) for task in TASKS), lines)
        check(f"{name}.fits", len(lines) <= rows and all(len(line) < columns for line in lines), lines)
        check(f"{name}.columns", lines[1].split()[-1] == last and "(q ends)" in lines[0], lines)
        os.write(leader, b"q")
        while time.monotonic() < until and process.poll() is None:
            if select.select([leader], [], [], 0.1)[0]:
                try:
                    os.read(leader, 65536)
                except OSError:
                    break
        try:
            code = process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            code = None
        check(f"{name}.q_ends", code == 0, code)
    os.close(leader)


def test_top(farm, ctl):
    top(farm, ctl, "top.80x24", 24, 80, "UP")
    top(farm, ctl, "top.120x40", 40, 120, "FILE")


# --- The configuration again -----------------------------------------------------------------------------------------


def hup(farm, pattern):
    start = len(farm.master.text())
    farm.configuration()
    farm.master.popen.send_signal(signal.SIGHUP)
    return farm.wait_log(farm.master, pattern, start=start)


def reread(farm, ctl, name, *says):
    farm.configuration()
    done = ctl.run("reread")
    check(name, done.returncode == 0 and all(text in done.stdout for text in says), done.stdout + done.stderr)


def test_new_task(farm, ctl):
    """A task comes, goes and comes back, because its section does."""
    row = ctl.task("the_butler")
    check("new_task.runs", row["state"] == "running" and row["plugin"] == "hello", row)
    ctl.good("new_task.reload", "reload", "the_butler", says="reloaded")
    farm.wait("its rate", lambda: ctl.task("the_butler")["uptime_s"] >= 1)
    options = farm.task_options.pop("the_butler")
    reread(farm, ctl, "new_task.goes", "task the_butler: is no longer configured, disabled")
    check("new_task.gone", ctl.task("the_butler")["state"] == "disabled", ctl.task("the_butler"))
    reread(farm, ctl, "new_task.goes_once", "nothing changed about tasks")
    farm.task_options["the_butler"] = options
    reread(farm, ctl, "new_task.comes_back", "task the_butler: enabled")
    check("new_task.back", ctl.task("the_butler")["state"] == "running", ctl.task("the_butler"))
    # One that can't be a task changes nothing, whatever else is new.
    farm.task_options["the_cook"] = {"plugin": "hello.so"}
    farm.task_options["cloud_gazer"]["enabled"] = "no"
    farm.configuration()
    ctl.refused("new_task.refused", "reread", says="task the_cook: .*hello is served by task the_butler")
    check("new_task.refused_changes_nothing", "the_cook" not in ctl.run("list").stdout and
          ctl.task("cloud_gazer")["state"] == "running", ctl.run("list").stdout)
    farm.task_options["cloud_gazer"]["enabled"] = "yes"
    del farm.task_options["the_cook"]
    # What only its start finds out leaves it new, and not running. (The C library would take the port, less 65536.)
    farm.task_options["web_server"] = {"listen": "127.0.0.1:70000"}
    reread(farm, ctl, "new_task.not_started", 'task web_server: is new, but failed: "127.0.0.1:70000" is no address to listen at')
    check("new_task.not_running", ctl.task("web_server")["state"] != "running", ctl.task("web_server"))
    del farm.task_options["web_server"]
    del farm.task_options["the_butler"]
    reread(farm, ctl, "new_task.goes_again", "no longer configured")


def test_flags(farm, ctl):
    """Keys that are no options of the plugin."""
    writer = farm.task_options["the_scribe"]
    before = ctl.task("the_scribe")
    writer.update(isolate="process", critical="no")
    reread(farm, ctl, "flags.process", "task the_scribe: is not critical, began anew in a process of its own")
    row = ctl.task("the_scribe")
    check("flags.process_row", row["isolated"] and row["state"] == "running", row)
    del writer["isolate"], writer["critical"]
    absent = writer.pop("absent")
    reread(farm, ctl, "flags.thread", "task the_scribe: is critical, calls fail while it is disabled, began anew in a thread")
    row = ctl.task("the_scribe")
    check("flags.thread_row", not row["isolated"] and row["state"] == "running" and row["file"] == before["file"], row)
    writer["absent"] = absent
    reread(farm, ctl, "flags.absent", "task the_scribe: calls wait while it is disabled")
    farm.task_options["file_juggler"] = {"isolate": "process"}
    farm.configuration()
    ctl.refused("flags.refused", "reread", says="task file_juggler: isolate = process is not possible")
    del farm.task_options["file_juggler"]
    farm.task_options["the_secretary"]["instances"] = "2"
    reread(farm, ctl, "flags.instances", "its key instances takes effect when the master is restarted")
    del farm.task_options["the_secretary"]["instances"]
    farm.configuration()


def test_sighup(farm, ctl):
    hup(farm, "nothing changed about tasks")
    check("sighup.nothing", True)
    farm.task_options["the_secretary"]["hold"] = "2s"
    hup(farm, r"task the_secretary: has new options")
    options = {option["name"]: option for option in ctl.json("info", "the_secretary")["options"]}
    check("sighup.options", options["hold"]["value"] == "2s", options)
    farm.task_options["cloud_gazer"]["enabled"] = "no"
    hup(farm, r"task cloud_gazer: disabled")
    check("sighup.disabled", ctl.task("cloud_gazer")["state"] == "disabled", ctl.task("cloud_gazer"))
    # A bad file changes nothing, although the rest of it would: piw-ctl says it too.
    farm.task_options["cloud_gazer"]["enabled"] = "yes"
    farm.task_options["the_secretary"]["hold"] = "for ever"
    found = hup(farm, r"the configuration was not taken over: (.*)")
    check("sighup.bad", re.search(r"piwheels\.conf:\d+: hold: ", found.group(1)), found.group(1))
    check("sighup.bad_changes_nothing", ctl.task("cloud_gazer")["state"] == "disabled", ctl.task("cloud_gazer"))
    ctl.refused("reread.bad", "reread", says=r"piwheels\.conf:\d+: hold: ")
    farm.task_options["the_secretary"] = {"hold": "1s", "frobnicate": "1"}
    ctl.refused("reread.unknown_key", "reread", says=r"piwheels\.conf:\d+: frobnicate: ")
    farm.task_options["the_secretary"] = {"hold": "1s"}
    farm.task_options["the_butler"] = {"plugin": "hello.so"}
    done = ctl.run("reread")
    check("reread", done.returncode == 0 and "task cloud_gazer: enabled" in done.stdout and
          "task the_secretary: has new options" in done.stdout and "task the_butler: is new and runs" in done.stdout,
          done.stdout + done.stderr)
    test_new_task(farm, ctl)
    test_flags(farm, ctl)
    if (farm.dir / "inst" / "plugins" / "scribe_html.so").exists():
        farm.task_options["the_scribe"]["plugin"] = "scribe_html.so"
        hup(farm, r"task the_scribe: replaced by scribe_html\.so")
        check("sighup.plugin", ctl.task("the_scribe")["file"] == "scribe_html.so", ctl.task("the_scribe"))
        farm.task_options["the_scribe"]["plugin"] = "none.so"
        found = hup(farm, r"the configuration was not taken over: (.*)")
        check("sighup.bad_plugin", "none.so is not there" in found.group(1), found.group(1))
        check("sighup.bad_plugin_old", ctl.task("the_scribe")["file"] == "scribe_html.so", ctl.task("the_scribe"))
        del farm.task_options["the_scribe"]["plugin"]
    check("sighup.ready", all(row["state"] == "running" for row in ctl.json("list")["tasks"] if row["task"] in TASKS),
          ctl.run("list").stdout)


def main():
    with farms.Farm() as farm:
        farm.task_options["the_scribe"] = {"absent": "wait"}
        farm.prepare()
        farm.start_postgres()
        farm.create_database()
        farm.folder("pypi")
        farm.start_pypi()
        farm.start_master()
        ctl = Ctl(farm)
        for test in (test_look, test_bad_input, test_other_user, test_swap, test_refused, test_disable, test_hold,
                     test_pause, test_debug, test_long, test_trace, test_top, test_sighup):
            try:
                test(farm, ctl)
            except (farms.Failure, subprocess.SubprocessError, KeyError) as error:
                check(test.__name__, False, error)
        check("stop", farm.stop_process(farm.master) == 0, farm.master.text()[-300:])
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
