#!/usr/bin/python3
"""A stranger's task, from an empty folder, by the clock: with what make install leaves and piw-new-task alone it is built, tested, loaded
into a farm that runs, given another option, replaced by a version that knows more, crashed, and gone back from, within ten minutes. Then
what piw-new-task and the folder refuse, each in one line; and the same folder with a checkout instead of an installation.

TEST-TIMEOUT: 900
TEST-NEEDS: plain
"""

import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import farm as farms  # pylint: disable=wrong-import-position
import score  # pylint: disable=wrong-import-position
from score import check, equal  # pylint: disable=wrong-import-position
from stranger import Stranger  # pylint: disable=wrong-import-position

TEN_MINUTES_S = 600
ORDER = """static int on_order(piw_task *task, piw_msg *msg)
{
    const soul *self = piw_soul(task);
    const orders_ORDER *order = orders_ORDER_of(msg);
    orders_ORDER_reply *body;
    piw_msg *answer = orders_ORDER_reply_new(&body);
    piw_msg_list(answer, &body->lines, 1);
    body->lines.at[0] = piw_msg_printf(answer, "%s: %lld pauses, %u arguments", order->word.s, (long long)self->pauses, order->args.count);
    int rc = piw_reply(task, msg, &answer);
    piw_msg_free(&answer);
    return rc;
}

"""
FILES = {".gitignore", "Makefile", "README.md", "moon.c", "proto/moon.piw", "test/probe.c", "test/run"}


def succeeds(stranger, commands, name=None):
    done = stranger.run(commands)
    if not check(name or commands, done.returncode == 0, done.stdout):
        raise farms.Failure("the stranger can't go on")
    return done.stdout


def says_why(stranger, commands, words, code=None, name=None):
    """It fails with one line that has these words; make's own last line doesn't count."""
    done = stranger.run(commands)
    lines = [line for line in done.stdout.splitlines() if line and not re.match(r"make: \*\*\* \[.*\] Error 1$", line)]
    check(name or commands, done.returncode == (code or done.returncode) and done.returncode != 0 and len(lines) == 1 and
          re.search(words, lines[0]), f"{done.returncode} {done.stdout}")


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def said(stranger, words, timeout=60):
    """The master says this after what it said last."""
    found = stranger.farm.wait_log(stranger.master, words, timeout, stranger.seen)
    stranger.seen += found.end()
    return found


def pauses(stranger, times):
    succeeds(stranger, "piw-ctl pause; piw-ctl wake; " * times, f"{times} pauses")


# --- The way of the task ---------------------------------------------------------------------------------------------------------------

def make_and_load(stranger):
    out = succeeds(stranger, "piw-new-task moon; cd moon")
    check("it says what it made", out.startswith("made moon: ") and "\nnext: cd moon" in out, out)
    equal("it makes", files_below(stranger.cwd), FILES)
    check("nothing is left to fill in", not any("@name@" in (stranger.cwd / name).read_text("utf-8").lower() for name in FILES))
    succeeds(stranger, "make CFLAGS='-O2 -Wconversion -Wshadow -Wstrict-prototypes -Werror'")
    out = succeeds(stranger, "make test")
    check("make test says ok", out.splitlines()[-1].startswith("ok moon: "), out)
    succeeds(stranger, "make clean")
    equal("what make clean leaves", files_below(stranger.cwd), FILES)
    succeeds(stranger, "make install")
    stranger.configuration("[task:moon]\nevery = 1h\n")
    succeeds(stranger, "piw-master --check-config")
    succeeds(stranger, "piw-ctl reread")
    said(stranger, r"master\.moon: ready$")


def see_it_fail(stranger):
    """The test of the folder runs the handlers: with one that does nothing it fails, and says why."""
    stranger.edit("moon.c", "self->pauses++;", ";")
    done = stranger.run("make test")
    check("a handler that does nothing fails the test", done.returncode != 0 and
          "the farm was paused 3 times, but the answer is 0" in done.stdout and "not ok moon" in done.stdout, done.stdout)
    stranger.edit("moon.c", "        ;\n", "        self->pauses++;\n")
    succeeds(stranger, "make test", "make test, mended")


def change_an_option(stranger):
    pauses(stranger, 2)
    stranger.configuration("[task:moon]\nevery = 200ms\n")
    out = succeeds(stranger, "piw-ctl reread")
    check("the option is new", "task moon: has new options" in out, out)
    said(stranger, r"master\.moon: 2 pauses so far$")
    says_why(stranger, "piw-ctl ask moon pauses", "task moon takes no commands")


def bump_the_state(stranger):
    """Version 2.0 also counts how often the farm went on, and takes commands; the count of 1.0 goes over, and back."""
    stranger.edit("moon.c", '#include "events.piw.h" /* the farm\'s own protocols are installed */\n',
                  '#include "events.piw.h"\n#include "orders.piw.h"\n')
    stranger.edit("moon.c", "/* The timer that start sets. */\n", ORDER)
    stranger.edit("moon.c", '&moon_pauses_protocol_def}, PIW_SERVICES_END', '&moon_pauses_protocol_def}, {"moon", &orders_protocol_def}, PIW_SERVICES_END')
    stranger.edit("moon.c", "    PIW_HANDLERS_END,\n", "    {&orders_protocol_def, ORDERS_ORDER, on_order},\n    PIW_HANDLERS_END,\n")
    stranger.edit("proto/moon.piw", "moon_state (pauses: int)", "moon_state (pauses: int, wakes: int optional)")
    stranger.edit("moon.c", "    int64_t pauses;\n", "    int64_t pauses, wakes;\n")
    stranger.edit("moon.c", "        self->pauses++;\n", "        self->pauses++;\n    else\n        self->wakes++;\n")
    stranger.edit("moon.c", "    if (state != NULL)\n        self->pauses = moon_state_of(state)->pauses;\n",
                  "    if (state != NULL) {\n        const int64_t *wakes = moon_state_of(state)->wakes;\n"
                  "        self->pauses = moon_state_of(state)->pauses;\n        self->wakes = wakes != NULL ? *wakes : 0;\n    }\n")
    stranger.edit("moon.c", "moon_state_make(self->pauses)", "moon_state_make(self->pauses, &self->wakes)")
    stranger.edit("moon.c", 'piw_info("%lld pauses so far", (long long)self->pauses)',
                  'piw_info("%lld pauses and %lld wakes", (long long)self->pauses, (long long)self->wakes)')
    stranger.edit("moon.c", '.version = "1.0"', '.version = "2.0"')
    succeeds(stranger, 'cp "$(pkg-config --variable=plugindir piwheels)/moon.so" "$(pkg-config --variable=plugindir piwheels)/moon-1.so"')
    succeeds(stranger, "make test install", "make test install, with a larger state")
    out = succeeds(stranger, "piw-ctl reload moon")
    check("2.0 has taken over", "version 2.0" in out, out)
    said(stranger, r"master\.moon: 2 pauses and 0 wakes$")
    pauses(stranger, 1)
    said(stranger, r"master\.moon: 3 pauses and 1 wakes$")
    equal("it takes commands", succeeds(stranger, "piw-ctl ask moon how are you"), "how: 3 pauses, 2 arguments")
    succeeds(stranger, "piw-ctl replace moon moon-1.so")
    said(stranger, r"master\.moon: 3 pauses so far$")
    says_why(stranger, "piw-ctl ask moon how", "task moon takes no commands", 1, "it takes none any more")
    succeeds(stranger, "piw-ctl replace moon moon.so")
    said(stranger, r"master\.moon: 3 pauses and 0 wakes$")


def try_one_that_errs(stranger):
    """On trial it is found out, and the state is kept."""
    text = (stranger.cwd / "moon.c").read_text("utf-8")
    stranger.edit("moon.c", "(long long)self->pauses, (long long)self->wakes);\n    return 0;",
                  "(long long)self->pauses, (long long)self->wakes);\n    return PIW_EIO;")
    stranger.edit("moon.c", '.version = "2.0"', '.version = "2.1"')
    succeeds(stranger, 'make; install -m 644 build/moon.so "$(pkg-config --variable=plugindir piwheels)/moon-bad.so"', "one that errs")
    done = stranger.run("piw-ctl replace moon moon-bad.so --watch 2m")
    check("it goes back, and says why", done.returncode == 1 and "moon went back to moon.so, its state kept" in done.stdout and
          "handlers ended with an error" in done.stdout, done.stdout)
    said(stranger, r"version 2\.0")
    said(stranger, r"master\.moon: 3 pauses and 0 wakes$")
    stranger.write("moon.c", text)


def make_it_crash(stranger):
    """In a process of its own; the master goes on, and the task is started again."""
    stranger.configuration("[task:moon]\nevery = 200ms\nisolate = process\n")
    succeeds(stranger, "piw-ctl reread")
    stranger.edit("moon.c", "    if (event->paused)\n", "    if (event->paused && event->why.s[0] != '\\0')\n        *(volatile char *)0 = 1;\n"
                  "    if (event->paused)\n")
    succeeds(stranger, "make install; piw-ctl reload moon", "one that crashes")
    pauses(stranger, 1)
    said(stranger, r"error: master\.moon: failed: its process was ended by signal 11")
    said(stranger, r"master\.moon: ready$")
    said(stranger, r"master\.moon: 0 pauses and")
    stranger.farm.wait("a restart in its figures", lambda: re.search(r", [1-9]\d* restarts", stranger.run("piw-ctl info moon").stdout))
    check("the master goes on", stranger.master.running())


# --- What is refused -------------------------------------------------------------------------------------------------------------------

def bad_names(stranger):
    for name, words in (("Moon", "a-z"), ("9moon", "letter first"), ("_moon", "letter first"), ("mo-on", "a-z"), ("../moon", "a-z"),
                        ("''", "1 to 40"), ("a" * 41, "1 to 40"), ("int", "word of C"), ("mo__on", "reserved"), ("moon_", "reserved"),
                        ("piw_moon", "reserved"), ("'mo\non'", "a-z"), ("probe", "taken")):
        says_why(stranger, f"piw-new-task {name}", f"^piw-new-task: .*{words}", 2, f"refuses {name!r}")
    # Whatever this tree has, and so a master may have.
    names = {path.name for folder in ("actors", "plugins") for path in (farms.ROOT / folder).iterdir()
             if path.is_dir() and list(path.glob("*.c"))} - {"shared"}
    names |= {path.stem for path in (farms.ROOT / "proto").glob("*.piw")}
    for path in (farms.ROOT / "proto").glob("*.piw"):
        names |= set(re.findall(r"(?m)^(?:service|queue) (\w+)", path.read_text("utf-8")))
        # The new task's state would be a second type of that name.
        names |= set(re.findall(r"(?m)^[a-z]+ (\w+)_state\b", path.read_text("utf-8")))
    passed = [name for name in sorted(names) if stranger.run(f"piw-new-task {name}").returncode != 2]
    check("refuses the names of what there is", not passed and len(names) > 30, f"{passed} of {len(names)}")
    equal("nothing was made of them", [path.name for path in stranger.cwd.iterdir()], ["moon"])


def bad_places(stranger):
    before = {path: path.stat().st_mtime_ns for path in sorted((stranger.cwd / "moon").rglob("*"))}
    says_why(stranger, "piw-new-task moon", "there is a moon already", 1)
    equal("what is there stays", {path: path.stat().st_mtime_ns for path in sorted((stranger.cwd / "moon").rglob("*"))}, before)
    succeeds(stranger, "mkdir empty; touch stone; ln -s nowhere link", "an empty folder, a file, a link that leads nowhere")
    for name in ("empty", "stone", "link"):
        says_why(stranger, f"piw-new-task {name}", f"there is a {name} already", 1)
    says_why(stranger, "piw-new-task sun --dir nowhere", "can't make a folder in nowhere: No such file", 1)
    says_why(stranger, "mkdir -m 555 closed; piw-new-task sun --dir closed", "can't make a folder in closed: Permission denied", 1)
    # A disk that is full while the folder is filled: nothing of it stays.
    says_why(stranger, "ulimit -f 1; trap '' XFSZ; piw-new-task sun --dir empty", "can't write .*: File too large", 1, "refuses a full disk")
    equal("nothing of it stays", list((stranger.cwd / "empty").iterdir()), [])
    out = succeeds(stranger, "umask 027; piw-new-task sun --dir empty")
    check("--dir", out.startswith("made empty/sun: ") and (stranger.cwd / "empty" / "sun").stat().st_mode & 0o777 == 0o750 and
          (stranger.cwd / "empty/sun/test/run").stat().st_mode & 0o777 == 0o750, out)
    succeeds(stranger, "cd empty/sun; make test", "make test of another")


def missing_parts(stranger):
    """A machine that lacks something is told what, by make, in one line."""
    tools = stranger.farm.folder("tools")
    for name in ("sh", "make", "env", "cat", "mkdir", "id", "rm", "mktemp", "cp", "pkg-config"):
        (tools / name).symlink_to(shutil.which(name))
    says_why(stranger, f"PATH={tools}; make", r"the compiler cc isn't installed", name="no compiler")
    (tools / "pkg-config").unlink()
    says_why(stranger, f"PATH={tools}; make", r"pkg-config isn't installed", name="no pkg-config")
    says_why(stranger, "PKG_CONFIG_PATH=/nowhere make", r"pkg-config knows no piwheels: install libpiw-dev")
    says_why(stranger, "make PIWHEELS=/nowhere", r"no piwheels is built in /nowhere: run make there")
    succeeds(stranger, "PKG_CONFIG_PATH=/nowhere make clean", "make clean needs nothing")
    master = stranger.prefix / "bin" / "piw-master"
    master.rename(f"{master}.away")
    says_why(stranger, "make -s 2>/dev/null; make -s test", r"make test needs .*/piw-master", name="no piw-master")
    pathlib.Path(f"{master}.away").rename(master)


def with_a_checkout(stranger):
    """Nothing is installed; and as root, whose master takes off its rights."""
    folder = stranger.farm.dir / "checkout-task"
    folder.mkdir()
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    source = farms.BUILD.parents[1]
    if not (source / "core" / "piw").is_dir():
        score.skip("with a checkout", "the build is elsewhere")
        return

    def do(*words, cwd):
        return subprocess.run(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=120, check=False)
    done = do(farms.BUILD / "bin" / "piw-new-task", "sun", cwd=folder)
    check("a checkout's piw-new-task", done.returncode == 0, done.stdout)
    done = do("make", f"PIWHEELS={source}", "test", cwd=folder / "sun")
    if "nobody may run" in done.stdout:
        score.skip("a checkout's make test", "only root may look into the checkout")
        return
    check("a checkout's make test", done.returncode == 0 and "\nok sun: " in done.stdout, done.stdout)


def run(farm):
    farm.prepare()
    stranger = Stranger(farm)
    stranger.install()
    farm.start_postgres()
    farm.create_database()
    farm.start_pypi()
    stranger.configure()
    stranger.start_master()
    said(stranger, r"master\.the_architect: ready$")
    top = stranger.cwd
    began = time.monotonic()
    make_and_load(stranger)
    see_it_fail(stranger)
    change_an_option(stranger)
    bump_the_state(stranger)
    try_one_that_errs(stranger)
    make_it_crash(stranger)
    took_s = time.monotonic() - began
    print(f"# from an empty folder to here: {took_s:.0f} s", flush=True)
    check("within ten minutes", took_s < TEN_MINUTES_S, f"{took_s:.0f} s")
    equal("the master ends", farm.stop_process(stranger.master), 0)
    stranger.cwd = top
    bad_names(stranger)
    bad_places(stranger)
    stranger.cwd = top / "empty" / "sun"
    check("the other task has its own name", "sun_pauses_COUNT" in (stranger.cwd / "sun.c").read_text("utf-8"))
    missing_parts(stranger)
    with_a_checkout(stranger)


def main():
    with farms.Farm() as farm:
        try:
            run(farm)
        except (farms.Failure, OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
            check("the task", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
