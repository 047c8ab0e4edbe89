#!/usr/bin/python3
"""piw-slave against a master played by hand, in the stock encoding: its words and their shapes, a build that succeeds, one
that fails, transfers with odd requests and silence, SKIP, SIGTERM, timeouts, commands no master should give, and a master
that comes back. Nothing that a build started may outlive it.

TEST-TIMEOUT: 420
"""

import hashlib
import json
import os
import pathlib
import re
import select
import signal
import sys
import time

import farm as farms
import score
import wire
from score import check, equal

VECTORS = pathlib.Path(os.environ.get("PIW_VECTORS") or farms.ROOT / "test" / "vectors")
RECORDED = VECTORS / "slave-build-success.jsonl"
SHARED = farms.ROOT.parent / "shared" / "vectors" / "slave-build-success.jsonl"

# setup.py of a package that never comes to its end, and starts a process that leaves its group and its parent behind.
SLOW_SETUP = '''
import os, subprocess, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open(os.path.join("@MARK@", "escaped"), "w") as f:
            f.write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
with open(os.path.join("@MARK@", "env"), "w") as f:
    f.write(os.environ.get("PIWHEELS_BUILD", "") + " " + str(os.isatty(0)) + " " + repr(sys.stdin.read()))
with open(os.path.join("@MARK@", "slow"), "w") as f:
    f.write(str(os.getpid()))
time.sleep(600)
'''


# A build backend that does something odd in each version.
ODD_BACKEND = '''
import base64, hashlib, os, sys, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    version = "@VERSION@"
    if version == "1.0":
        for _ in range(300):
            sys.stdout.buffer.write(b"\\xff\\xfe\\x07 noise " * 8000 + b"\\n")
        sys.exit(1)
    if version == "2.0":
        os.kill(os.getppid(), 9)
        os.kill(os.getpid(), 9)
    platform = "any" if version == "3.0" else "x" * 150
    filename = f"piwtest_odd-{version}-py3-none-{platform}.whl"
    info = f"piwtest_odd-{version}.dist-info"
    files = {f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: piwtest-odd\\nVersion: {version}\\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n"}
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},\\n" if version == "4.0" else f"{path},,\\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\\n"
    with zipfile.ZipFile(os.path.join(wheel_directory, filename), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return filename
'''
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class World:
    """The stand-in for PyPI, and sockets where a master's would be."""

    def __init__(self, farm, *options):
        self.farm = farm
        self.options = options  # of every slave
        self.queue = wire.Listener(farm.dir / "s" / "slave")
        self.files = wire.Listener(farm.dir / "s" / "file")
        self.mark = farm.folder("mark")

    def slave(self, name, *options, codec="cbor", **more):
        """A new slave that has been told its number: (process, conversation)."""
        process = self.farm.start_slave(name, "--codec", codec, *self.options, *options, **more)
        slave = wire.Slave(self.queue.accept())
        if codec == "cbor":
            word, _ = slave.receive()
            if word != "HELLO":
                raise farms.Failure(f"first word {word}")
            slave.answer("ACK", 7, f"{self.farm.pypi_url}/simple")
        return process, slave

    def build(self, slave, package, version):
        """Give a command and see it through to BUILT."""
        word, _ = slave.receive()
        if word != "IDLE":
            raise farms.Failure(f"{word} where IDLE was to come")
        word, data = slave.ask("BUILD", package, version)
        while word == "BUSY":
            word, data = slave.ask("CONT", timeout=120)
        if word != "BUILT":
            raise farms.Failure(f"{word} where BUILT was to come")
        return data

    def start_slow(self, slave):
        """Give the slave the build that doesn't end and wait until it runs; BUSY waits for its answer then."""
        slave.receive()
        word, _ = slave.ask("BUILD", "piwtest-slow", "1.0")
        while not ((self.mark / "slow").exists() and (self.mark / "escaped").exists()):
            if word != "BUSY":
                raise farms.Failure(f"{word} while the slow build began")
            word, _ = slave.ask("CONT")
        pids = [int((self.mark / name).read_text()) for name in ("slow", "escaped")]
        for name in ("slow", "escaped"):
            (self.mark / name).unlink()
        return pids


def recorded(word):
    """The first recorded message of a kind, decoded."""
    source = RECORDED if RECORDED.exists() else SHARED
    if not source.exists():
        return None
    with open(source, encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            if record["queue"] == "slave" and record["dir"] == "to_master":
                message = wire.cbor_decode(bytes.fromhex(record["frames"][0]))
                if message == word or (isinstance(message, list) and message[0] == word):
                    return message
    return None


def compare_shape(name, word, data):
    message = recorded(word)
    if message is None:
        print(f"skip {name} - no recordings of the stock programs at hand")
        return
    equal(name, wire.shape(data), wire.shape(message[1]))


def test_words(world):
    world.farm.start_slave("words", "--codec", "cbor")
    slave = wire.Slave(world.queue.accept())
    word, hello = slave.receive()
    equal("hello.word", word, "HELLO")
    compare_shape("hello.shape", "HELLO", hello)
    equal("hello.ten fields", len(hello), 10)
    equal("hello.durations", hello[:2], [("tag", 2001, [0, 600, 0]), ("tag", 2001, [0, 300, 0])])
    equal("hello.abi", hello[3], world.farm.abi())
    equal("hello.label", hello[5], "words")
    word, stats = slave.ask("ACK", 7, f"{world.farm.pypi_url}/simple")
    equal("idle.word", word, "IDLE")
    compare_shape("idle.shape", "IDLE", stats)
    check("idle.figures", stats[1] > stats[2] > 0 and stats[3] > stats[4] > 0, stats)
    equal("sleep.idle again", slave.ask("SLEEP", False)[0], "IDLE")
    process = world.farm.processes[-1]
    equal("die.bye", slave.ask("DIE")[0], "BYE")
    world.farm.wait("the slave's end", lambda: not process.running(), alive=False)
    equal("die.exit", world.farm.stop_process(process), 0)


def test_native_hello(world):
    process, slave = world.slave("native", codec="msgpack")
    payload = slave.peer.receive()[1]
    check("native.version", payload[:1] == b"\x92" and payload.endswith(b"\xa40.23"), payload)
    world.farm.stop_process(process)


def fetch(files, *request):
    files.send(b"FETCH", *(str(number).encode() for number in request))


def test_success(world):
    process, slave = world.slave("good")
    status, duration, log, files = world.build(slave, "piwdemo-cext", "0.3")
    equal("built.status", status, True)
    check("built.duration", duration[1] == 2001 and duration[2][0] == 0, duration)
    check("built.log", "piwdemo_cext.c" in log and "Successfully built piwdemo-cext" in log, log[-500:])
    equal("built.files", len(files), 1)
    compare_shape("built.file shape", "BUILT", [status, duration, log, [[*files[0][:9], {}, files[0][10]]]])
    (name, size, digest, package, version, py, abi, platform, requires, depends, location), = files
    abi_tag = world.farm.abi()
    check("file.name", name.startswith(f"piwdemo_cext-0.3-{abi_tag}-{abi_tag}-linux_"), name)
    equal("file.tags", (package, version, py, abi, location), ("piwdemo_cext", "0.3", abi_tag, abi_tag, "/simple"))
    check("file.platform", platform.startswith("linux_"), platform)
    equal("file.requires_python", requires, ">=3.7,<4")
    equal("file.dependencies", depends, {"apt": ["libc6", "zlib1g"], "pip": [], "": []})
    slave.answer("SEND", name)
    peer = world.files.accept()
    equal("transfer.hello", peer.receive(), [b"HELLO", b"7"])
    equal("transfer.hello again after 5 s of silence", peer.receive(60), [b"HELLO", b"7"])
    fetch(peer, 10 ** 12, 10)
    fetch(peer, -5, 10)
    peer.send(b"NONSENSE", b"x")
    half = size // 2
    fetch(peer, half, 1 << 20)
    fetch(peer, 0, half)
    chunks = {}
    for _ in range(2):
        word, offset, data = peer.receive()
        chunks[int(offset)] = data
    equal("transfer.pieces", sorted(chunks), [0, half])
    content = chunks[0] + chunks[half]
    equal("transfer.content", (len(content), hashlib.sha256(content).hexdigest()), (size, digest))
    peer.send(b"DONE")
    equal("transfer.sent", slave.receive()[0], "SENT")
    slave.answer("SEND", name)
    peer = world.files.accept()
    equal("transfer.second time", peer.receive(), [b"HELLO", b"7"])
    peer.send(b"DONE")
    equal("transfer.sent again", slave.receive()[0], "SENT")
    equal("done.idle", slave.ask("DONE")[0], "IDLE")
    equal("done.folder removed", os.listdir(world.farm.dir / "good"), [])

    status, _, log, files = world_pure(slave)
    equal("pure.dependencies", files[0][9], {"apt": [], "pip": ["piwdemo-cext"], "": []})
    equal("pure.tags", files[0][3:8], ["Piwdemo.Pure", "1.1", "py3", "none", "any"])
    # A name that this build didn't make, with a path in it: the slave turns away and begins anew.
    slave.answer("SEND", "../../../../etc/passwd")
    anew = wire.Slave(world.queue.accept())
    equal("unknown file.new hello", anew.receive()[0], "HELLO")
    world.farm.stop_process(process)


def world_pure(slave):
    word, data = slave.ask("BUILD", "piwdemo-pure", "1.1")
    while word == "BUSY":
        word, data = slave.ask("CONT")
    return data


def test_failure(world):
    process, slave = world.slave("bad")
    status, _, log, files = world.build(slave, "piwdemo-broken", "2.0")
    equal("failure.status", (status, files), (False, []))
    check("failure.log", "piwdemo-broken is meant to fail" in log, log[-500:])
    slave.answer("DONE")
    for name, package, version in (("option", "--help", "1.0"), ("path", "../x", "1.0"), ("marker", "pip", "1.0; x"),
                                   ("address", "pip", "1.0 @ file:///etc/passwd"), ("empty", "pip", ""),
                                   ("missing", "piwtest-absent", "9")):
        status, _, log, files = world.build(slave, package, version)
        check(f"odd order.{name}", status is False and files == [] and log != "", (status, log))
        slave.answer("DONE")
    world.farm.stop_process(process)

    process, slave = world.slave("index")
    slave.receive()
    slave.raw(b"\xff\xff not a message")
    slave = wire.Slave(world.queue.accept())
    equal("garbage.hello again", slave.receive(15)[0], "HELLO")
    slave.answer("ACK", 8, "file:///etc/")
    status, _, log, _ = world.build(slave, "piwdemo-pure", "1.0")
    check("odd index.refused", status is False and "no http address" in log, log)
    world.farm.stop_process(process)


def test_odd_builds(world):
    process, slave = world.slave("odd")
    for version, words in (("1.0", r"bytes left out"), ("2.0", "killed by signal 9"), ("3.0", "RECORD"),
                           ("4.0", "platform_tag")):
        status, _, log, files = world.build(slave, "piwtest-odd", version)
        check(f"odd build.{version}", status is False and files == [] and re.search(words, log), (status, log[-300:]))
        check(f"odd build.{version}.log bounded", len(log) < 20 << 20, len(log))
        slave.answer("DONE")
    equal("odd builds.folder removed", world.build(slave, "piwdemo-broken", "2.0")[0], False)
    slave.answer("DONE")
    slave.receive()
    equal("odd builds.nothing left", os.listdir(world.farm.dir / "odd"), [])
    world.farm.stop_process(process)


def test_skip(world):
    process, slave = world.slave("skip")
    pids = world.start_slow(slave)
    equal("build.environment", (world.mark / "env").read_text(), "1 False ''")
    equal("skip.idle", slave.ask("DONE")[0], "IDLE")
    check("skip.processes gone", all(map(gone, pids)), pids)
    equal("skip.folder removed", os.listdir(world.farm.dir / "skip"), [])

    word, _ = slave.ask("SLEEP", False)
    equal("skip.goes on", word, "IDLE")
    world.farm.stop_process(process)


def test_stop(world):
    process, slave = world.slave("stop")
    pids = world.start_slow(slave)
    process.popen.send_signal(signal.SIGTERM)
    equal("stop.bye", slave.ask("CONT")[0], "BYE")
    world.farm.wait("the slave's end", lambda: not process.running(), alive=False)
    equal("stop.exit", world.farm.stop_process(process), 0)
    check("stop.processes gone", all(map(gone, pids)), pids)
    equal("stop.folder removed", os.listdir(world.farm.dir / "stop"), [])


def test_timeout(world):
    process, slave = world.slave("late", timeout="3s")
    begun = time.monotonic()
    status, _, log, _ = world.build(slave, "piwtest-slow", "1.0")
    check("timeout.failed", status is False and "longer than the 3 seconds allowed" in log, log[-300:])
    check("timeout.soon", time.monotonic() - begun < 8 * farms.PATIENCE, time.monotonic() - begun)
    pid = int((world.mark / "escaped").read_text()) if (world.mark / "escaped").exists() else 0
    check("timeout.processes gone", gone(pid), pid)
    for name in ("slow", "escaped"):
        (world.mark / name).unlink(missing_ok=True)
    world.farm.stop_process(process)

    process, slave = world.slave("small", "--memory", "40M")
    status, _, log, _ = world.build(slave, "piwdemo-cext", "0.3")
    check("memory.failed", status is False and log != "", log[-300:])
    world.farm.stop_process(process)


def speaks_again(world):
    """The slave that says HELLO to a master that is there again, and the frames. The old connection may come back first, without
    a word or with what was on its way when the master went: the slave makes a new one and speaks there."""
    slave = wire.Slave(world.queue.accept())
    while True:
        ready = select.select([slave.peer.socket, world.queue.socket], [], [], 60 * farms.PATIENCE)[0]
        if not ready:
            raise farms.Failure("the slave doesn't come back")
        if slave.peer.socket in ready:
            try:
                frames = slave.peer.receive(1)
                if b"HELLO" in frames[1]:
                    return slave, frames
                continue
            except TimeoutError:  # a heartbeat
                continue
            except ConnectionError:
                pass
        slave = wire.Slave(world.queue.accept())


def test_restart(world):
    process, slave = world.slave("again")
    pids = world.start_slow(slave)
    world.queue.close()
    slave.peer.close()
    world.queue = wire.Listener(world.farm.dir / "s" / "slave")
    begun = time.monotonic()
    _, frames = speaks_again(world)
    check("restart.hello", b"HELLO" in frames[1], frames)
    check("restart.at once", time.monotonic() - begun < 10 * farms.PATIENCE, time.monotonic() - begun)
    check("restart.build given up", all(map(gone, pids)), pids)
    world.farm.stop_process(process)


def native(word, *data):
    """An answer in MessagePack: small numbers and texts are all that is needed."""
    text = lambda t: bytes([0xd9, len(t)]) + t.encode()
    if not data:
        return bytes([0xa0 | len(word)]) + word.encode()
    items = b"".join(bytes([item]) if isinstance(item, int) else text(item) for item in data)
    return b"\x92" + bytes([0xa0 | len(word)]) + word.encode() + bytes([0x90 | len(data)]) + items


def test_claim(world):
    """The master is restarted during a build: the slave says HELLO with its old number and the build, which goes on."""
    world.queue.close()  # no connection of another slave waits there
    world.queue = wire.Listener(world.farm.dir / "s" / "slave")
    process, slave = world.slave("claim", codec="msgpack")
    hear = lambda: slave.peer.receive(20)[1]
    check("claim.none at first", b"HELLO" in hear(), "")
    slave.raw(native("ACK", 7, f"{world.farm.pypi_url}/simple"))
    check("claim.idle", b"IDLE" in hear(), "")
    slave.raw(native("BUILD", "piwtest-slow", "1.0"))
    while not ((world.mark / "slow").exists() and (world.mark / "escaped").exists()):
        check("claim.busy", b"BUSY" in hear(), "")
        slave.raw(native("CONT"))
    pids = [int((world.mark / name).read_text()) for name in ("slow", "escaped")]
    for name in ("slow", "escaped"):
        (world.mark / name).unlink()
    world.queue.close()
    slave.peer.close()
    world.queue = wire.Listener(world.farm.dir / "s" / "slave")
    slave, (_, hello) = speaks_again(world)
    check("claim.hello", b"HELLO" in hello and b"\xa40.23\x94\x07\xacpiwtest-slow\xa31.0" in hello, hello)
    check("claim.build goes on", not any(map(gone, pids)), pids)
    slave.raw(native("ACK", 9, f"{world.farm.pypi_url}/simple"))
    check("claim.goes on busy", b"BUSY" in hear(), "")
    check("claim.build still goes on", not any(map(gone, pids)), pids)
    slave.raw(native("DONE"))
    check("claim.idle again", b"IDLE" in hear(), "")
    check("claim.processes gone", all(map(gone, pids)), pids)
    world.farm.stop_process(process)


def main():
    with farms.Farm() as farm:
        farm.prepare()
        farm.add_samples()
        world = World(farm, "--sandbox", "no")  # what is built here tells of itself in a folder of the test
        farms.make_sdist(farm.dir / "pypi", "piwtest-slow", "1.0", {"setup.py": SLOW_SETUP.replace("@MARK@", str(world.mark))})
        for version in ("1.0", "2.0", "3.0", "4.0"):
            farms.make_sdist(farm.dir / "pypi", "piwtest-odd", version,
                             {"pyproject.toml": PYPROJECT, "backend.py": ODD_BACKEND.replace("@VERSION@", version)})
        farm.start_pypi()
        wanted = sys.argv[1:]
        for test in (test_words, test_native_hello, test_success, test_failure, test_odd_builds, test_skip, test_stop, test_timeout,
                     test_restart, test_claim):
            if wanted and test.__name__ not in wanted:
                continue
            try:
                test(world)
            except (farms.Failure, OSError, ValueError) as error:
                check(test.__name__, False, f"{type(error).__name__}: {error}")
                farm.show_logs()
                for process in list(farm.processes):
                    if process.name != "pypi":
                        farm.stop_process(process)
        for complaint in farm.complaints:
            check("stops in order", False, complaint)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
