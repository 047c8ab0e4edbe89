#!/usr/bin/python3
"""Bad input to piw-master: one clear line on stderr and the right exit code for each case, as root and as somebody else;
what --help, --version, --check-config and --print-config say."""

import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import score
from score import report

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("B", ROOT / "build" / "plain")).resolve()
BOUND_S = 60
AS_ROOT = os.geteuid() == 0
DROP = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"] if AS_ROOT else []


def reachable_build(folder):
    """The build as the unprivileged user may run it: a copy when it lies where only its owner may look."""
    program = BUILD / "bin" / "piw-master"
    if subprocess.run([*DROP, "test", "-x", program], check=False, timeout=BOUND_S).returncode == 0:
        return BUILD
    copy = pathlib.Path(folder) / "build"
    for part in ("bin", "lib", "plugins"):
        if (BUILD / part).is_dir():
            shutil.copytree(BUILD / part, copy / part)
    return copy


class Place:
    """A folder that the unprivileged user owns, with configuration files written as wanted."""

    def __init__(self, folder, build):
        self.folder = pathlib.Path(folder)
        self.program = build / "bin" / "piw-master"
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("PIW_", "NOTIFY", "JOURNAL"))}
        self.env["HOME"] = str(self.folder)

    def write(self, name, text):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o644)
        return str(path)

    def run(self, *args, drop=True):
        done = subprocess.run([*(DROP if drop else []), str(self.program), *args], env=self.env, cwd=self.folder,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BOUND_S, check=False)
        return done.returncode, done.stdout, done.stderr


def expect(place, name, args, code, line, drop=True, config=""):
    """One line, as the pattern `line` says (CONF stands for the configuration file), and this exit code."""
    conf = place.write("test.conf", config)
    try:
        got, out, err = place.run("-c", conf, *args, drop=drop)
    except subprocess.TimeoutExpired:
        report(name, f"did not end within {BOUND_S} s")
        return
    pattern = "piw-master: " + line.replace("CONF", re.escape(conf)) + "\n"
    if got != code:
        report(name, f"exit code {got}, expected {code}: {err.strip()!r}")
    elif out != "":
        report(name, f"stdout: {out!r}")
    elif not re.fullmatch(pattern, err):
        report(name, f"stderr {err!r}, expected {pattern!r}")
    else:
        report(name)


HELP = re.escape(" (see piw-master --help)")
USAGE = (
    ("unknown option", ["--nosuch"], "unknown option --nosuch"),
    ("unknown short option", ["-z"], "unknown option -z"),
    ("ambiguous option", ["--pypi=x"], "option --pypi could be --pypi-xmlrpc, --pypi-simple, --pypi-json"),
    ("missing value", ["--dsn"], "option --dsn needs a value"),
    ("value of a switch", ["--dev-mode=yes"], "option --dev-mode takes no value"),
    ("operand", ["what"], "unexpected argument 'what'"),
    ("unknown follower", ["--follow", "rss"], r"option --follow: 'rss' is not one of xmlrpc\|json"),
    ("empty output path", ["-o", ""], "option --output-path: the path is empty"),
)
VALUES = (
    ("foreign database", ["-d", "mysql://u:secret@h/x"],
     r"dsn \(command line\) must begin with postgres:// or postgresql://"),
    ("queue without scheme", ["--slave-queue", "5555"],
     r"slave-queue \(command line\): '5555' must begin with ipc:// or tcp://"),
    ("queue without port", ["--slave-queue", "tcp://*"], r"slave-queue \(command line\): 'tcp://\*' must be tcp://HOST:PORT"),
    ("queue with a bad port", ["--file-queue", "tcp://*:99999"],
     r"file-queue \(command line\): 'tcp://\*:99999' must be tcp://HOST:PORT, the port at most 65535"),
    ("queue with an over-long path", ["--admin-queue", "ipc:///tmp/" + "x" * 110],
     r"admin-queue \(command line\): 'ipc:///tmp/x+' is longer than a socket's path may be"),
    ("two queues at one address", ["--slave-queue", "tcp://*:6000", "--file-queue", "tcp://*:6000"],
     r"file-queue \(command line\) and slave-queue have the same address 'tcp://\*:6000'"),
    ("inner service as a socket", ["--web-queue", "tcp://*:7000"],
     r"web-queue \(command line\): 'tcp://\*:7000' must begin with inproc:// or ipc://: it names a service inside the "
     "master"),
    ("inner service without a name", ["--fs-queue", "inproc://"], r"fs-queue \(command line\): 'inproc://' names no service"),
    ("two inner services of one name", ["--db-queue", "inproc://web"],
     r"db-queue \(command line\) and web-queue name the same service 'inproc://web'"),
    ("index that is no address", ["--pypi-xmlrpc", "nonsense"],
     r"pypi-xmlrpc \(command line\): 'nonsense' must be http://HOST/PATH or https://HOST/PATH"),
    ("index of another kind", ["--pypi-json", "ftp://pypi.org/x"],
     r"pypi-json \(command line\): 'ftp://pypi.org/x' must be http://HOST/PATH or https://HOST/PATH"),
    ("index without a host", ["--pypi-simple", "http://"],
     r"pypi-simple \(command line\): 'http://' must be http://HOST/PATH or https://HOST/PATH"),
    ("plugin folder missing", ["--plugin-dir", "/nowhere"], r"plugin-dir \(command line\): '/nowhere' is not a folder"),
)
FILES = (
    ("bad section", "[master\n", "CONF:1: '\\[master' is not a section such as \\[master\\]"),
    ("no key", "\n= 7\n", "CONF:2: there is no key before '='"),
    ("not UTF-8", b"dsn = \xff\n", "CONF:1: the line is not UTF-8 text"),
    ("bad switch", "[master]\ndev-mode = perhaps\n",
     r"CONF:2: dev-mode: 'perhaps' is not yes or no \(true, false, on, off, 1, 0\)"),
    ("text without value", "output-path\n", r"CONF:1: output-path: a value is missing \(output-path = PATH\)"),
    ("unknown key of the site", "[site]\nname = x\ncolor = red\n", r"CONF:3: unknown key 'color' in \[site\]"),
    ("bad value of the site", "[site]\nlinger = long\n",
     "CONF:2: linger: 'long' is not a duration such as 3h, 90m, 1h30m, 45s or 250ms"),
    ("unknown order", "[site]\norder = tallest\n", "CONF:2: order: 'tallest' is not one of oldest\\|newest\\|popular"),
    ("unknown key of auth", "[auth]\npassword = x\n", r"CONF:2: unknown key 'password' in \[auth\]"),
    ("curve without an address", "[auth]\nmethod = curve\n",
     "CONF:2: method: 'curve' needs addresses for who has a key: slave-queue-curve and file-queue-curve, or status-queue-curve"),
    ("invalid network", "[auth]\nallow = 127.0.0.1, 300.1.1.1/8\n",
     "CONF:2: allow: \"300.1.1.1/8\" is not a network; write 192.0.2.0/24, 2001:db8::/32 or all"),
    ("task without a name", "[task:]\nenabled = no\n",
     r"CONF:2: \[task:\]: a task's name is 1 to 40 lower case letters, digits and underscores"),
    ("task with a bad name", "[task:../x]\nenabled = no\n",
     r"CONF:2: \[task:\.\./x\]: a task's name is 1 to 40 lower case letters, digits and underscores"),
    ("task isolated oddly", "[task:the_scribe]\nisolate = vm\n", r"CONF:2: isolate: 'vm' is not one of thread\|process"),
    ("task with too many instances", "[task:the_scribe]\ninstances = 99\n",
     "CONF:2: instances: 99 is not between 1 and 16"),
    ("task with a bad switch", "[task:the_scribe]\n\nenabled = maybe\n",
     r"CONF:3: enabled: 'maybe' is not yes or no \(true, false, on, off, 1, 0\)"),
    ("task with a bad absence", "[task:the_scribe]\nabsent = ignore\n", r"CONF:2: absent: 'ignore' is not one of error\|wait"),
    ("task without file name", "[task:the_scribe]\nplugin =\n", "CONF:2: plugin: the file name is missing"),
)
# Known only once the plugins are loaded.
TASKS = (
    ("unknown option of a task", "[task:cloud_gazer]\nspeed = 7\n",
     r"task cloud_gazer: CONF:2: speed: cloud_gazer\.so has no such option; it has poll, .*compare, .*"),
    ("bad option of a task", "[task:cloud_gazer]\npoll = often\n",
     "task cloud_gazer: CONF:2: poll: 'often' is not a duration such as 3h, 90m, 1h30m, 45s or 250ms"),
    ("task with a queue in a process", "[task:slave_driver]\nisolate = process\n",
     r"task slave_driver: isolate = process is not possible for a task that serves an outer queue \(slave\)"),
    ("plugin missing", "[task:seraph]\nplugin = nosuch.so\n", r"task seraph: plugin nosuch\.so is not there: .*"),
    ("added task without plugin", "[task:extra]\nenabled = yes\n", r"task extra: plugin extra\.so is not there: .*"),
    ("plugin elsewhere", "[task:seraph]\nplugin = /bin/ls\n",
     "task seraph: plugin /bin/ls is refused: it lies outside the plugin folders"),
    ("needed task disabled", "[task:seraph]\nenabled = no\n", "task .* needs the service db, but task seraph, .*, is disabled"),
    ("two instances at one socket", "[task:slave_driver]\ninstances = 2\n",
     "task slave_driver serves an outer queue: only one instance of it is possible"),
)


def bad_input(place):
    for name, args, line in USAGE:
        expect(place, f"usage: {name}", args, 2, line + HELP)
    for name, args, line in VALUES:
        expect(place, f"value: {name}", args, 1, line)
    for name, text, line in FILES:
        expect(place, f"file: {name}", [], 1, line, config=text)
        expect(place, f"check: {name}", ["--check-config"], 1, line, config=text)
    for name, text, line in TASKS:
        expect(place, f"file: {name}", ["-o", str(place.folder / "site")], 1, line, config=text)
        expect(place, f"check: {name}", ["--check-config"], 1, line, config=text)
    expect(place, "file missing", ["-c", "/nowhere/piwheels.conf"], 1,
           "can't read the configuration file /nowhere/piwheels.conf: No such file or directory")
    expect(place, "file is a folder", ["-c", "/tmp"], 1, "can't read the configuration file /tmp: Is a directory")
    expect(place, "log file not writable", ["-l", "/nowhere/log"], 1,
           "can't write the log file /nowhere/log: No such file or directory")


def where_files_go(place):
    plain = place.write("plain", "x")
    expect(place, "output path without parent", ["-o", "/nowhere/at/all"], 1,
           "can't create the output path /nowhere/at/all: No such file or directory")
    expect(place, "output path is a file", ["-o", plain], 1, f"the output path {re.escape(plain)} is not a folder")
    expect(place, "output path not writable", ["-o", "/etc"], 1, "can't write in the output path /etc: Permission denied")
    shared = place.folder / "shared"
    shared.mkdir(mode=0o777, exist_ok=True)
    shared.chmod(0o777)
    held = os.open(shared, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    expect(place, "output path of another master", ["-o", str(shared)], 1,
           f"another piw-master works in the output path {re.escape(str(shared))}: stop it first")
    os.close(held)
    made = place.folder / "site"
    plugins = place.folder / "no-plugins"
    plugins.mkdir(exist_ok=True)
    expect(place, "no plugins there", ["-o", str(made), "--plugin-dir", str(plugins)], 1, r".*the_oracle\.so.*")
    report("output path is created", None if made.is_dir() else f"{made} was not made")


def as_root(place):
    if not AS_ROOT:
        score.skip("root is refused", "this is not root")
        return
    expect(place, "root is refused", [], 1, "refuses to run as root; .*", drop=False)
    expect(place, "root: bad usage comes first", ["--nosuch"], 2, "unknown option --nosuch" + HELP, drop=False)
    code, out, err = place.run("--help", drop=False)
    report("root may ask for help", None if (code, err) == (0, "") and out.startswith("usage:") else f"{code} {err!r}")


def home_of_another(place):
    if not AS_ROOT:
        score.skip("home of another user", "this is not root")
        return
    home = place.folder / "home"
    home.mkdir(mode=0o700)
    place.env["HOME"] = str(home)
    code, out, err = place.run("--check-config")
    place.env["HOME"] = str(place.folder)
    report("home of another user", None if (code, out, err) == (0, "", "") else f"{code} {out!r} {err!r}")


def full_output(place):
    for option in ("--help", "--version", "--print-config"):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([*DROP, str(place.program), option], env=place.env, cwd=place.folder, stdout=full,
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=BOUND_S, check=False)
        line = "piw-master: can't write to standard output: No space left on device\n"
        report(f"{option} into a full disk", None if (done.returncode, done.stderr) == (1, line)
               else f"{done.returncode} {done.stderr!r}")


def good_input(place):
    code, out, err = place.run("--help")
    wide = [line for line in out.splitlines() if len(line) > 100]
    report("help", None if (code, err, wide) == (0, "", []) and "--slave-queue ADDR" in out else f"{code} {err!r} {wide}")
    code, out, err = place.run("--version")
    report("version", None if (code, err) == (0, "") and re.fullmatch(r"piw-master [\d.]+\n", out) else f"{code} {out!r}")

    stock = place.write("stock.conf", "[master]\ndsn = postgresql+psycopg2://h/db ; said\n"
                                      "output-path: /tmp\n[slave]\ntimeout = nonsense\n[initdb]\nuser = x\n[sense]\nrotate = 90\n")
    code, out, err = place.run("-c", stock, "--check-config")
    report("stock file is accepted", None if (code, out, err) == (0, "", "") else f"{code} {out!r} {err!r}")
    other = place.write("other.conf", "[master]\nunknown-key = 1\n[slave]\nunknown-too = 1\n")
    code, out, err = place.run("-c", other, "--print-config")
    report("unknown key is ignored", None if (code, err) == (0, "") else f"{code} {err!r}")
    code, out, err = place.run("-c", other, "-v", "--print-config")
    report("unknown key is told at info level",
           None if code == 0 and f"{other}:2: key 'unknown-key' is unknown to piw-master and ignored" in err else repr(err))

    conf = place.write("own.conf", "[site]\nname = 'our wheels'\n[task:extra]\nplugin = e.so\nspeed = 7\n")
    code, out, err = place.run("-c", other, "-d", "postgresql://u:hunter2@h/db?password=hunter2&sslmode=require", "--print-config")
    report("print-config shows no password", None if code == 0 and "hunter2" not in out + err and
           "dsn = postgresql://u:***@h/db?password=***&sslmode=require" in out else f"{code} {out[:300]!r} {err!r}")
    code, out, err = place.run("-c", conf, "-v", "--dev-mode", "--slave-queue=tcp://*:6000", "--print-config")
    wanted = ("slave-queue = tcp://*:6000  # command line\n", "dev-mode = yes  # command line\n",
              "file-queue = tcp://*:5556  # default\n", f'name = "our wheels"  # {conf}:2\n', f"speed = 7  # {conf}:5\n",
              "# Tasks are loaded from:\n#   /")
    missing = [line for line in wanted if line not in out]
    report("values and where they come from", None if code == 0 and not missing else f"{code} {missing} {err!r}")
    printed = place.write("printed.conf", out)
    code, again, err = place.run("-c", printed, "--print-config")
    same = [line.split("  # ")[0] for line in again.splitlines()] == [line.split("  # ")[0] for line in out.splitlines()]
    report("printed configuration reads the same", None if code == 0 and same else f"{code} {err!r}")

    example = ROOT / "piwheels.conf.example"
    text = example.read_text(encoding="utf-8")
    uncommented = re.sub(r"(?m)^#(?=[a-z][a-z-]* =|\[)", "", text)
    uncommented = uncommented.replace("/var/log/", f"{place.folder}/")
    uncommented = uncommented.replace("/usr/local/lib/piwheels/plugins", str(place.program.parents[1] / "plugins"))
    code, out, err = place.run("-c", place.write("example.conf", uncommented), "-v", "--check-config")
    report("example file, all keys given", None if (code, err) == (0, "") else f"{code} {err!r}")


def strays(place):
    """What no program would read is named by --check-config, all of it, with file and line."""
    conf = place.write("strays.conf", "quiet = no\nimport-queue = ipc:///tmp/x\nnobodys = 1\n[master]\noutputpath = /x\ndsn = postgres:///x\n"
                                      "[mater]\noutput-path = /x\n[slave]\ntimout = 3h\nlabel = x\ndsn = postgres:///x\n[piw-logger]\n"
                                      "[Slave]\n[authe]\n[corner]\ncodec = cbor\nunread = 1\n[sense]\nanything = 1\n[monitor]\nyes\n")
    code, out, err = place.run("-c", conf, "--check-config")
    wanted = [f"piw-master: {conf}:{line}" for line in (
        "7: no program reads [mater]; is [master] meant?", "13: no program reads [piw-logger]; is [logger] meant?",
        "14: no program reads [Slave]; is [slave] meant?", "15: no program reads [authe]; is [auth] meant?",
        "3: unknown key 'nobodys': no program has it", "5: unknown key 'outputpath' in [master]; is output-path meant?",
        "10: unknown key 'timout' in [slave]; is timeout meant?", "12: unknown key 'dsn' in [slave]", "18: unknown key 'unread': no program has it",
        "22: unknown key 'yes' in [monitor]")]
    report("check: all strays at once", None if (code, out, err.splitlines()) == (1, "", wanted) else f"{code} {err}")
    code, _, err = place.run("-c", place.write("stray_and_bad.conf", "[mater]\n[site]\nnam = x\n"), "--check-config")
    report("check: strays hide no error", None if code == 1 and "[mater]" in err and "unknown key 'nam' in [site]" in err else f"{code} {err}")
    conf = place.write("view.conf", "[view:mine]\nplatfrom = x\n")
    for option in ("--check-config", "--print-config"):
        code, _, err = place.run("-c", conf, option)
        report(f"unknown key of a view, {option}",
               None if (code, err) == (1, f"piw-master: {conf}:2: unknown key 'platfrom' in [view:mine]\n") else f"{code} {err!r}")


def keys_of(program):
    """The keys that a program has in files: what its --help shows, without what its table keeps to the command line."""
    source = "".join(path.read_text(encoding="utf-8") for folder in (f"piw-{program}", "common")
                     for path in sorted((ROOT / "tools" / folder).glob("*.[ch]")))
    kept = {match.group(1) for match in re.finditer(r'\{\s*(?:\.short_name = )?[^{}]*?"([a-z-]+)"[^{}]*\.cli_only = true', source)}
    shown = subprocess.run([BUILD / "bin" / f"piw-{program}", "--help"], capture_output=True, text=True, timeout=BOUND_S, check=True).stdout
    core = {"help", "version", "configuration", "quiet", "verbose", "log-file"}
    return set(re.findall(r"(?m)^  .{0,6}--([a-z-]+)", shown)) - kept - core


def known_keys(place):
    """The master's list of the other programs' keys is theirs."""
    for program in ("slave", "initdb", "import", "add", "remove", "rebuild", "logger", "monitor", "ctl", "pypi", "loadgen", "master"):
        keys = sorted(keys_of(program))
        code, _, err = place.run("-c", place.write("keys.conf", f"[{program}]\n" + "".join(f"{key} = 1\n" for key in keys)), "--check-config")
        strays = re.findall(r"unknown key '([a-z-]+)'", err)
        report(f"check: keys of {program}", None if keys and not strays else f"{keys} {code} {err}")


def main():
    with tempfile.TemporaryDirectory(prefix="piw-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        build = reachable_build(folder)
        work = pathlib.Path(folder) / "work"
        work.mkdir()
        if AS_ROOT:
            shutil.chown(work, "nobody", "nogroup")
        place = Place(work, build)
        bad_input(place)
        where_files_go(place)
        as_root(place)
        full_output(place)
        good_input(place)
        strays(place)
        known_keys(place)
        home_of_another(place)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
