#!/usr/bin/python3
"""Slaves and strangers that break the rules, against a whole master: names with paths in them, wrong types, wrong order, floods
of frames, recorded bad messages. The master answers nothing or DIE or DONE, writes nothing outside its site, stays
small, and an honest slave beside them is answered at once."""

import contextlib
import json
import os
import pathlib
import random
import select
import socket
import struct
import sys
import time

import farm as farms
import score
import wire
from score import check

HASH = "0" * 64
AT_ONCE_S = 5 * farms.PATIENCE
QUIET_S = 0.3  # how long to look that nothing comes
SEED = 20240229


# --- A slave by hand -------------------------------------------------------------------------------------------------


class Raw(bytes):
    """CBOR as it is to be sent."""


def encode(value):
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, dict):
        pairs = b"".join(encode(key) + encode(item) for key, item in value.items())
        return bytes([0xa0 + len(value)]) + pairs
    if isinstance(value, list):
        return bytes([0x98, len(value)]) + b"".join(map(encode, value)) if len(value) > 23 else \
            bytes([0x80 + len(value)]) + b"".join(map(encode, value))
    return wire.cbor_encode(value)


def duration(seconds):
    return Raw(b"\xd9\x07\xd1" + wire.cbor_encode([0, seconds, 0]))


NOW = Raw(b"\xc0" + wire.cbor_encode("2024-02-29T12:00:00Z"))
STATS = [NOW, 10**10, 10**9, 10**9, 10**8, 0, 0, 0.5, 40.0]


def wheel(filename, size=200, digest=HASH, package="honest", version="1.0", tags=("py3", "none", "any"), location="/simple",
          dependencies=None):
    return [filename, size, digest, package, version, *tags, None, dependencies or {}, location]


class Stranger(wire.Framed):
    """One connection to a queue of the master, as a socket of any kind."""

    def __init__(self, address, kind="REQ"):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(address.removeprefix("ipc://"))
        ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind.encode()
        self.socket.sendall(wire.GREETING + bytes([4, len(ready)]) + ready)
        self._exactly(64)
        self._frame()

    @staticmethod
    def frame(flags, body):
        return (bytes([flags, len(body)]) if len(body) < 256 else bytes([flags | 2]) + struct.pack(">Q", len(body))) + body

    def send(self, *frames):
        self.socket.sendall(b"".join(self.frame(1 if n + 1 < len(frames) else 0, f) for n, f in enumerate(frames)))

    def receive(self, timeout=30):
        """One message's frames, or None when none comes in time."""
        frames = []
        while True:
            if not frames and not select.select([self.socket], [], [], timeout)[0]:
                return None
            flags, body = self._frame()
            if flags & 4:
                if body.startswith(b"\x04PING"):
                    self.socket.sendall(self.frame(4, b"\x04PONG" + body[7:]))
                continue
            frames.append(body)
            if not flags & 1:
                return frames

    def close(self):
        self.socket.close()


class Slave(Stranger):
    def tell(self, word, *data):
        self.send(b"", wire.cbor_encode(word) if not data else b"\x82" + wire.cbor_encode(word) + encode(list(data)))

    def answer(self, timeout=30 * farms.PATIENCE):
        """"WORD", ["WORD", data], or None."""
        frames = self.receive(timeout)
        return wire.cbor_decode(frames[1]) if frames else None

    def ask(self, word, *data):
        self.tell(word, *data)
        return self.answer()

    def hello(self, abi, label):
        return self.ask("HELLO", duration(10800), duration(300), "311", abi, "linux_x86_64", label, "Debian", "12", "", "")

    def idle(self):
        return self.ask("IDLE", *STATS)

    def get_build(self, farm, abi, label):
        """From HELLO to BUILD; the version to be built."""
        self.hello(abi, label)
        answer = farm.wait("a build to do", lambda: (lambda a: a if a[0] == "BUILD" else None)(self.idle()))
        return answer[1]


def word(answer):
    return answer if isinstance(answer, str) or answer is None else answer[0]


# --- The farm --------------------------------------------------------------------------------------------------------


def add_versions(farm, package, count):
    """Versions that want a build, as PyPI's events would have made them."""
    farm.psql(f"SELECT add_new_package('{package}')")
    for number in range(count):
        farm.psql(f"SELECT add_new_package_version('{package}', '1.{number}', TIMESTAMP '2024-01-01 00:00:{number:02}')")


def memory_kb(farm):
    status = pathlib.Path(f"/proc/{farm.master.pid}/status").read_text("ascii")
    return int(status.split("VmRSS:")[1].split()[0])


def site_files(farm):
    return sorted(str(path.relative_to(farm.dir)) for path in farm.below(farm.dir) if path.is_file() and "evil" in path.name)


def assert_honest(farm, name, abi):
    """Somebody new is served, at once."""
    begun = time.monotonic()
    slave = Slave(farm.socket("slave"))
    answer = slave.hello(abi, "honest")
    slave.tell("BYE")
    slave.close()
    took = time.monotonic() - begun
    return check(name, word(answer) == "ACK" and took < AT_ONCE_S and farm.master.running(), f"{answer} after {took:.2f} s")


# --- What they do ----------------------------------------------------------------------------------------------------


def bad_builts(abi):
    """BUILT messages that are a slave's lie: (name, what it says after status, duration, log)."""
    good = ("honest-1.0-py3-none-any.whl",)
    return [
        ("climbing_name", [wheel("../evil-1.0-py3-none-any.whl")]),
        ("absolute_name", [wheel("/tmp/evil-1.0-py3-none-any.whl")]),
        ("hidden_name", [wheel(".evil-1.0-py3-none-any.whl")]),
        ("control_character", [wheel("hon\nest-1.0-py3-none-any.whl")]),
        ("no_wheel_name", [wheel("evil.txt")]),
        ("other_package", [wheel("evil-1.0-py3-none-any.whl")]),
        ("other_tags", [wheel(*good, tags=("cp39", abi, "linux_x86_64"))]),
        ("no_bytes", [wheel(*good, size=0)]),
        ("negative_size", [wheel(*good, size=-1)]),
        ("too_many_bytes", [wheel(*good, size=2**31)]),
        ("short_hash", [wheel(*good, digest="abc")]),
        ("no_hash", [wheel(*good, digest="/" * 64)]),
        ("other_location", [wheel(*good, location="/etc")]),
        ("unknown_dependency_key", [wheel(*good, dependencies={"rm": ["x"]})]),
        ("doubled_name", [wheel(*good), wheel(*good)]),
        ("wrong_types", [1, 2, 3]),
        ("too_few_fields", [["a", 1]]),
        ("bignum", [wheel(*good, size=Raw(b"\xc2\x49" + b"\xff" * 9))]),
        ("endless_list", Raw(b"\x9b" + b"\xff" * 8)),
    ]


def lying_slaves(farm, abi):
    """Each lie is a failed build, answered DONE, and nothing is written."""
    for name, files in bad_builts(abi):
        slave = Slave(farm.socket("slave"))
        try:
            version = slave.get_build(farm, abi, f"liar {name}")[1]
            answer = slave.ask("BUILT", True, duration(1), "log\n", files)
            recorded = farm.wait(f"the failed build {name}", lambda v=version: farm.psql(
                f"SELECT status FROM builds WHERE package = 'honest' AND version = '{v}'"), timeout=20)
            check(f"lie_{name}", word(answer) == "DONE" and recorded[0][0] == "f", f"{answer} {recorded}")
        except (farms.Failure, ConnectionError, OSError) as error:
            check(f"lie_{name}", False, error)
        slave.close()
    check("nothing_was_written", site_files(farm) == [], site_files(farm))


def wrong_order(farm, abi):
    slave = Slave(farm.socket("slave"))
    slave.tell("IDLE", *STATS)
    check("first_word_must_be_hello", slave.answer(QUIET_S) is None)
    slave.close()
    slave = Slave(farm.socket("slave"))
    number = slave.hello(abi, "disorder")[1][0]
    check("hello_again_keeps_the_number", slave.hello(abi, "disorder")[1][0] == number)
    check("sent_without_send_is_death", word(slave.ask("SENT")) == "DIE")
    slave.close()
    slave = Slave(farm.socket("slave"))
    slave.hello(abi, "disorder 2")
    check("built_without_build_is_death", word(slave.ask("BUILT", False, duration(1), "log\n", [])) == "DIE")
    slave.close()
    slave = Slave(farm.socket("slave"))
    slave.get_build(farm, abi, "disorder 3")
    check("idle_in_a_build_is_death", word(slave.idle()) == "DIE")
    slave.close()


def odd_logs(farm, abi):
    """A log that isn't UTF-8 is repaired, not refused; a very long one is taken."""
    for name, log in (("broken_utf8", Raw(b"\x66ab\xff\xc3(c")), ("long", "l" * (60 << 20))):
        slave = Slave(farm.socket("slave"))
        version = slave.get_build(farm, abi, f"log {name}")[1]
        answer = slave.ask("BUILT", False, duration(1), log, [])
        check(f"log_{name}", word(answer) == "DONE", answer)
        rows = farm.psql(f"SELECT status FROM builds WHERE package = 'honest' AND version = '{version}'")
        check(f"log_{name}_recorded", rows and rows[0][0] == "f", rows)
        slave.close()


def floods(farm, abi):
    """Garbage from many, and messages of very many frames; while it lasts an honest slave is answered."""
    before, random_bytes = memory_kb(farm), random.Random(SEED)
    strangers = [Stranger(farm.socket("slave" if n % 2 else "file"), "DEALER") for n in range(40)]
    for stranger in strangers:
        for _ in range(50):
            stranger.send(b"", random_bytes.randbytes(random_bytes.randrange(300)))
    assert_honest(farm, "honest_slave_beside_garbage", abi)
    piece = Stranger.frame(1, b"x") * 1000
    for stranger in strangers[:4]:
        with contextlib.suppress(OSError):  # the master ends it
            for _ in range(200):
                stranger.socket.sendall(piece)
            stranger.send(b"end")
    assert_honest(farm, "honest_slave_beside_endless_messages", abi)
    for stranger in strangers:
        stranger.close()
    grown = memory_kb(farm) - before
    check("memory_stays_bounded", grown < (600 << 10 if farms.SANITIZED else 200 << 10), f"{grown} KiB more")


def second_requests(farm, abi):
    """A peer that asks without waiting gets one answer at a time, and nobody's else."""
    slave = Slave(farm.socket("slave"), "DEALER")
    slave.hello(abi, "hasty")
    for _ in range(500):
        slave.tell("BUSY", *STATS)
    answers = int(word(slave.answer()) == "CONT")
    while (answer := slave.answer(QUIET_S)) is not None and answers <= 500:
        answers += word(answer) == "CONT"
    check("hasty_slave_gets_no_more_than_it_asked", 1 <= answers <= 500, answers)
    slave.close()


def recorded(farm, abi):
    """The client side of recorded bad conversations, byte for byte."""
    folder = pathlib.Path(os.environ.get("PIW_VECTORS") or farms.ROOT.parent / "shared" / "vectors")
    names = [folder / f"probe-bad-{name}.jsonl" for name in ("messages", "file-messages")]
    if not all(name.is_file() for name in names):
        print(f"skip recorded_bad_messages - they are not in {folder}", flush=True)
        return
    for name in names:
        peers = {}
        for line in name.read_text("utf-8").splitlines():
            message = json.loads(line)
            if message["dir"] != "to_master" or message["queue"] not in ("slave", "file"):
                continue
            router = message["queue"] == "slave"
            key = message["queue"], message["peer"]
            if key not in peers:
                peers[key] = Stranger(farm.socket(message["queue"]), "REQ" if router else "DEALER")
            frames = [bytes.fromhex(frame) if frame is not None else bytes(65536) for frame in message["frames"]]
            peers[key].send(*([b""] if router else []), *frames)
        for peer in peers.values():
            peer.close()
        assert_honest(farm, name.stem.replace("-", "_"), abi)


def main():
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database()
        add_versions(farm, "honest", 40)
        farm.start_pypi()
        farm.start_master()
        abi = farm.abi()
        assert_honest(farm, "honest_slave", abi)
        wrong_order(farm, abi)
        lying_slaves(farm, abi)
        odd_logs(farm, abi)
        second_requests(farm, abi)
        recorded(farm, abi)
        floods(farm, abi)
        log = farm.master.text()
        check("refusals_are_said", "refused" in log and "queue slave" in log)
        check("refusals_do_not_fill_the_log", log.count(" refused: ") < 400, log.count(" refused: "))
        check("master_stops_in_order", farm.stop_process(farm.master) == 0, farm.master.popen.returncode)
    sys.exit(score.code())


if __name__ == "__main__":
    main()
