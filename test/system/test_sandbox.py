#!/usr/bin/python3
"""Builds under bubblewrap: what hostile sources try, in every step of their build, and what comes of it; that the slave goes on, and
that all others are built as without. The master is played by hand.

TEST-TIMEOUT: 900
"""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading

import farm as farms
import score
import test_slave

BWRAP = "/usr/bin/bwrap"

# A backend whose every hook calls step(), and that makes a wheel then.
BACKEND = '''
import base64, hashlib, os, sys, zipfile

@CODE@

def get_requires_for_build_wheel(config_settings=None):
    step("requires")
    return @LATE@

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    step("metadata")
    info = "@STEM@.dist-info"
    os.mkdir(os.path.join(metadata_directory, info))
    with open(os.path.join(metadata_directory, info, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\\nName: @NAME@\\nVersion: 1.0\\n")
    return info

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    step("wheel")
    info = "@STEM@.dist-info"
    files = {f"{info}/METADATA": "Metadata-Version: 2.1\\nName: @NAME@\\nVersion: 1.0\\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
             "@MODULE@.py": "value = 5\\n"}
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\\n"
    with zipfile.ZipFile(os.path.join(wheel_directory, "@STEM@-py3-none-any.whl"), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return "@STEM@-py3-none-any.whl"
'''

# Each thing that must not be possible is called what it is called in the log when it was.
INTRUDER = '''
import glob, signal, socket

def attempt(name, what):
    try:
        what()
        print("BREACH", name, flush=True)
    except Exception:
        pass

def write(path):
    with open(path, "w") as file:
        file.write("hostile")

def connect(family, address):
    with socket.socket(family) as one:
        one.settimeout(3)
        one.connect(address)

def see(found):
    if not found:
        raise OSError

def step(name):
    for path in glob.glob("@SLAVE@/piw-build-*"):  # first: this takes the log's lines before with it
        attempt(f"{name} writes the log", lambda: write(path + "/log/pip"))
        attempt(f"{name} puts a wheel", lambda: write(path + "/wheels/evil-1.0-py3-none-any.whl"))
        attempt(f"{name} writes in pip's home", lambda: write(path + "/own/.gitconfig"))
    for path in ("@VICTIM@/written", "/usr/lib/piw-written", "/etc/piw-written", "/piw-written"):
        attempt(f"{name} writes {path}", lambda: write(path))
    try:
        write("@SLAVE@/written")  # where /tmp is the build's own, a path below it is too: the test looks from outside
    except OSError:
        pass
    for path in ("@SECRET@", "@CONFIG@", "@ETC@"):
        attempt(f"{name} reads {path}", lambda: see(open(path).read()))
    attempt(f"{name} connects", lambda: connect(socket.AF_INET, ("127.0.0.1", @PORT@)))
    attempt(f"{name} connects to the index", lambda: connect(socket.AF_INET, ("127.0.0.1", @INDEX@)))
    attempt(f"{name} connects to a socket file", lambda: connect(socket.AF_UNIX, "@SOCKET@"))
    attempt(f"{name} connects to a socket without a file", lambda: connect(socket.AF_UNIX, "\\0@ABSTRACT@"))
    attempt(f"{name} sees the slave", lambda: see(b"piw-slave" in open("/proc/@PID@/cmdline", "rb").read()))
    attempt(f"{name} signals it", lambda: os.kill(@PID@, 0))
    print("TRIED", name, flush=True)
'''
LEGACY = '''
import os, sys
@CODE@
step("setup.py " + sys.argv[1])
from setuptools import setup
setup(name="@NAME@", version="1.0", py_modules=[])
'''
FORKS = '''
import time

def step(name):
    if name != "wheel":
        return
    count = 0
    while True:
        try:
            if os.fork() == 0:
                os.setsid()
                time.sleep(600)
                os._exit(0)
        except OSError:
            break
        count += 1
        if count > 5000:
            break
    print("FORKED", count, flush=True)
    os._exit(3)
'''
EATS = '''
import time

def step(name):
    if name != "wheel":
        return
    for _ in range(4):
        if os.fork() == 0:
            break
    held = [bytearray(b"x" * (1 << 20)) for _ in range(@EACH@)]
    print("HELD", len(held), flush=True)
    time.sleep(600)
'''
STAYS = '''
import subprocess, time

def step(name):
    if name != "wheel":
        return
    for _ in range(3):
        subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
                          "@TOKEN@"], start_new_session=True)
    print("STAYS", flush=True)
    @THEN@
'''
USES = '''
def step(name):
    import piwtest_tool
    assert piwtest_tool.value == 5
    if name in ("wheel", "metadata"):
        import piwtest_late
        assert piwtest_late.value == 5
'''
REPORTS = '''
def step(name):
    print(name, "in", os.getcwd(), "home", os.environ["HOME"], flush=True)
'''


class Listener:
    """What a build must not reach; counts who came."""

    def __init__(self, family, address):
        self.socket = socket.socket(family)
        self.socket.bind(address)
        self.socket.listen(20)
        self.came = 0
        threading.Thread(target=self.count, daemon=True).start()

    def count(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.came += 1
            connection.close()


def running(token):
    """The processes with a word on their command line."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if token.encode() in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
        except OSError:
            pass
    return found


class Place:
    def __init__(self, farm):
        self.farm = farm
        self.world = test_slave.World(farm)
        self.count = 0

    def package(self, name, code, requires=(), late=(), legacy=False, **marks):
        """A source archive whose backend, or setup.py, does that."""
        stem = f"{name.replace('-', '_')}-1.0"
        marks = {"CODE": code, "NAME": name, "STEM": stem, "MODULE": name.replace("-", "_"), "LATE": repr(list(late)), **marks}
        text = LEGACY if legacy else BACKEND
        for _ in range(2):
            for mark, value in marks.items():
                text = text.replace(f"@{mark}@", str(value))
        listed = ", ".join(f'"{word}"' for word in requires)
        project = f'[build-system]\nrequires = [{listed}]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        farms.make_sdist(self.farm.folder("pypi"), name, "1.0",
                         {"setup.py": text} if legacy else {"pyproject.toml": project, "backend.py": text})
        return name

    def slave(self, *options, **more):
        self.count += 1
        return self.world.slave(f"slave{self.count}", *options, **more)

    def build(self, slave, name, version="1.0"):
        done = self.world.build(slave, name, version)
        slave.answer("DONE")
        return done

    def once(self, name, *options, **more):
        """A slave that builds that, and afterwards something ordinary; what came of the first."""
        process, slave = self.slave("--sandbox", "yes", *options, **more)
        done = self.build(slave, name)
        goes_on = self.build(slave, "piwtest-plain")
        score.check(f"{name}.the slave goes on", goes_on[0] is True, goes_on[2][-1500:])
        slave.receive()
        folder = self.farm.dir / process.name
        score.equal(f"{name}.nothing is left in the folder", os.listdir(folder), [])
        self.farm.stop_process(process)
        return done


def breaches(log):
    return sorted({line.split("BREACH ", 1)[1] for line in log.splitlines() if "BREACH " in line})


def intruder(place, name, slave_name, pid, legacy=False):
    farm = place.farm
    secret = farm.dir / "home" / ".ssh" / "id"
    return place.package(name, INTRUDER, legacy=legacy, VICTIM=farm.dir / "victim", SLAVE=farm.dir / slave_name, SECRET=secret,
                         CONFIG=farm.dir / "piwheels.conf", ETC="/etc/piwheels.conf", PORT=place.tcp.socket.getsockname()[1],
                         INDEX=farm.pypi_url.rsplit(":", 1)[1], SOCKET=farm.dir / "s" / "victim", ABSTRACT=f"piw-{os.getpid()}", PID=pid)


def test_intruder(place):
    """The same code finds all doors open without the sandbox, so that it is known to try."""
    farm = place.farm
    (farm.dir / "victim").mkdir()
    (farm.dir / "victim").chmod(0o777)
    farm.folder("home/.ssh", 0o700)
    secret = farm.dir / "home" / ".ssh" / "id"
    secret.write_text("a key\n")
    secret.chmod(0o600)
    farm.own(secret)
    place.tcp = Listener(socket.AF_INET, ("127.0.0.1", 0))
    place.file = Listener(socket.AF_UNIX, str(farm.dir / "s" / "victim"))
    (farm.dir / "s" / "victim").chmod(0o777)
    place.abstract = Listener(socket.AF_UNIX, f"\0piw-{os.getpid()}")
    for legacy in (False, True):
        kind = "setup-py" if legacy else "backend"
        process, slave = place.slave("--sandbox", "yes")
        done = place.build(slave, intruder(place, f"piwtest-intruder-{kind}", process.name, process.pid, legacy))
        tried = done[2].count("TRIED ")
        score.check(f"intruder {kind}.every step tried", tried >= 2, done[2][-2000:])
        score.equal(f"intruder {kind}.nothing succeeded", breaches(done[2]), [])
        score.equal(f"intruder {kind}.nobody came", (place.tcp.came, place.file.came, place.abstract.came), (0, 0, 0))
        score.equal(f"intruder {kind}.nothing was written", os.listdir(farm.dir / "victim"), [])
        score.check(f"intruder {kind}.nothing beside its folder", not (farm.dir / process.name / "written").exists())
        score.check(f"intruder {kind}.its own work is welcome", done[0] is True and len(done[3]) == 1, done[2][-1500:])
        farm.stop_process(process)
    process, slave = place.slave("--sandbox", "no")
    done = place.build(slave, intruder(place, "piwtest-intruder-free", process.name, process.pid))
    found = breaches(done[2])
    for what in ("connects", "connects to the index", "connects to a socket file", "connects to a socket without a file",
                 "signals it", "sees the slave", "writes the log", "puts a wheel", "writes in pip's home",
                 f"writes {farm.dir}/victim/written", f"reads {secret}", f"reads {farm.dir}/piwheels.conf"):
        score.check(f"without a sandbox.{what}", f"wheel {what}" in found, found)
    farm.stop_process(process)


def test_forks(place):
    name = place.package("piwtest-forks", FORKS)
    done = place.once(name, "--processes", "300")
    counts = [int(line.split("FORKED ")[1].split()[0]) for line in done[2].splitlines() if "FORKED " in line]
    score.check("forks.bounded", len(counts) == 1 and 100 < counts[0] < 300, (counts, done[2][-1500:]))
    score.equal("forks.failed", done[0], False)


def test_memory(place):
    name = place.package("piwtest-eats-all", EATS, EACH=150)
    done = place.once(name, "--build-memory", "400M")
    score.check("memory.of all its processes", done[0] is False and "it used more than 400 MB of memory" in done[2], done[2][-1500:])
    name = place.package("piwtest-eats", EATS, EACH=4000)
    done = place.once(name, "--memory", "600M")
    score.check("memory.of one process", done[0] is False and "MemoryError" in done[2], done[2][-1500:])


def test_time(place):
    token = f"piwtest-token-{os.getpid()}"
    name = place.package("piwtest-stays", STAYS, TOKEN=token, THEN="time.sleep(600)")
    done = place.once(name, timeout="30s")
    score.check("time.over", done[0] is False and "longer than the 30 seconds allowed" in done[2] and "STAYS" in done[2], done[2][-1500:])
    score.equal("time.nothing goes on", running(token), [])
    name = place.package("piwtest-leaves", STAYS, TOKEN=token, THEN="return")
    done = place.once(name)
    score.check("leaves.built", done[0] is True and "STAYS" in done[2], done[2][-1500:])
    score.equal("leaves.nothing goes on", running(token), [])


def test_stop(place):
    token = f"piwtest-stop-{os.getpid()}"
    name = place.package("piwtest-stop", STAYS, TOKEN=token, THEN="time.sleep(600)")
    process, slave = place.slave("--sandbox", "yes")
    slave.receive()
    word, _ = slave.ask("BUILD", name, "1.0")
    while not running(token):
        if word != "BUSY":
            raise farms.Failure(f"{word} while the build began")
        word, _ = slave.ask("CONT")
    process.popen.send_signal(signal.SIGTERM)
    score.equal("stop.bye", slave.ask("CONT")[0], "BYE")
    place.farm.wait("the slave's end", lambda: not process.running(), alive=False)
    score.equal("stop.nothing goes on", running(token), [])
    score.equal("stop.folder removed", os.listdir(place.farm.dir / process.name), [])
    place.farm.stop_process(process)


def told(done):
    """What a master is told of a build, but for bytes that differ from one build to the next."""
    status, _, _, files = done
    return status, [(file[0], *file[3:]) for file in files]


def test_same(place):
    """What is built without a sandbox is built in it, and told alike."""
    place.package("piwtest-tool", REPORTS)
    place.package("piwtest-late", REPORTS)
    place.package("piwtest-needs", USES, requires=["piwtest-tool"], late=["piwtest-late"])
    place.package("piwtest-legacy", "def step(name): pass", legacy=True)
    wanted = [("piwdemo-cext", "0.3"), ("piwdemo-pure", "1.1"), ("piwtest-needs", "1.0"), ("piwtest-legacy", "1.0"),
              ("piwdemo-broken", "2.0"), ("piwtest-absent", "9")]
    seen = {}
    for sandbox in ("no", "auto"):
        process, slave = place.slave("--sandbox", sandbox)
        for name, version in wanted:
            done = place.build(slave, name, version)
            seen[sandbox, name] = (told(done), done[2])
        place.farm.stop_process(process)
    for name, _ in wanted:
        good = name not in ("piwdemo-broken", "piwtest-absent")
        score.check(f"same.{name}", seen["auto", name][0] == seen["no", name][0] and seen["auto", name][0][0] is good,
                    f"{seen['auto', name][0]} {seen['no', name][0]} {seen['auto', name][1][-1500:]}")
    score.check("same.pip's last words", "No matching distribution found for piwtest-absent==9" in seen["auto", "piwtest-absent"][1])
    depends = dict(seen["auto", "piwdemo-cext"][0][1][0][7])
    score.equal("same.apt packages", depends.get("apt"), ["libc6", "zlib1g"])


def test_killed(place):
    """A signal in the build is told as one, by pip or by the slave."""
    name = place.package("piwtest-kills", "import os\ndef step(name):\n    os.kill(os.getpid(), 9)\n")
    done = place.once(name)
    score.check("killed.pip knows", done[0] is False and re.search("exit code: -9|exited with -9", done[2]), done[2][-1500:])


def test_environment(place):
    """An interpreter that lies below /tmp, in an environment of its own (venv)."""
    farm = place.farm
    python = farm.dir / "env" / "bin" / "python"
    farm.run([farms.PYTHON, "-m", "venv", "--without-pip", "--system-site-packages", python.parents[1]])
    process, slave = place.slave("--sandbox", "yes", python=python)
    done = place.build(slave, "piwtest-plain")
    score.check("environment.its pip builds", done[0] is True, done[2][-1500:])
    farm.stop_process(process)


def test_cannot(place):
    """Where no namespace can be had, as in many containers: a line says so, and builds go on in the old way; or, if they must be
    contained, the slave doesn't start."""
    farm = place.farm
    drop = farm.drop
    farm.drop = [*drop, BWRAP, "--unshare-user", "--disable-userns", "--dev-bind", "/", "/", "--"]
    try:
        process, slave = place.slave("--sandbox", "auto")
        text = farm.wait_log(process, r"warning.*builds are not contained: (.*)").group(1)
        score.check("cannot.says why", "bubblewrap can't contain anything here: bwrap: " in text, text)
        done = place.build(slave, "piwtest-plain")
        score.check("cannot.builds on", done[0] is True, done[2][-1500:])
        farm.stop_process(process)
        process = farm.start_slave("must", "--sandbox", "yes")
        process.expected_end = True
        farm.wait("its end", lambda: not process.running(), alive=False)
        score.check("cannot.must", "piw-slave: builds can't be contained, and sandbox = yes: " in process.text() and
                    farm.stop_process(process) == 1, process.text())
    finally:
        farm.drop = drop
    process, _ = place.slave("--sandbox", "auto")
    score.check("can.says so", farm.wait_log(process, r"builds are contained by bubblewrap") is not None)
    farm.stop_process(process)


def cannot(farm):
    """Why there is no sandbox on this machine; None: there is."""
    if not os.access(BWRAP, os.X_OK):
        return "bubblewrap isn't installed (apt package bubblewrap)"
    done = subprocess.run([*farm.drop, BWRAP, "--unshare-user", "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--proc",
                           "/proc", "--", "/bin/true"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"no namespaces here: {done.stderr.strip()}"


def main():
    with farms.Farm() as farm:
        why = cannot(farm)
        if why:
            score.skip("sandbox", why)
            return 0
        farm.prepare()
        farm.add_samples()
        place = Place(farm)
        place.package("piwtest-plain", "def step(name): pass")
        farm.start_pypi()
        score.run([test_same, test_intruder, test_forks, test_memory, test_time, test_stop, test_killed, test_environment, test_cannot], place)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
