#!/usr/bin/python3
"""file_juggler begins anew alone while a slave and an importer are sending: it knows nothing of their files. They say HELLO after five
seconds of silence, as stock programs do, and their files begin anew: they used to be ignored for ever.

TEST-TIMEOUT: 180
"""

import concurrent.futures
import contextlib
import hashlib
import sys
import time

import client
import farm as farms
import score
import wheels
import wire
from score import check, equal
from test_import import Importer

ABI, SIZE = "cp311", 6 << 20
AGAIN_S, BOUND_S = 5, 15 * farms.PATIENCE  # of silence, after which HELLO is said again; until DONE is heard


class Sender:
    """Sends one file as a stock program does."""

    def __init__(self, farm, number, data):
        self.number, self.data = number, data
        self.peer = client.Connection(farm.socket("file"), "DEALER")

    def hello(self):
        self.peer.send(b"HELLO", str(self.number).encode())

    def answer(self, frames):
        offset, length = int(frames[1]), int(frames[2])
        self.peer.send(b"CHUNK", frames[1], self.data[offset:offset + length])
        return length

    def send_half(self):
        self.hello()
        sent = 0
        while sent < len(self.data) // 2:
            frames = self.peer.receive()
            if frames is None or frames[0] != b"FETCH":
                raise farms.Failure(f"half of a file was sent, and this came: {frames}")
            sent += self.answer(frames)

    def go_on(self):
        """Until DONE comes, or the bound is over: the seconds that it took; None: it didn't come."""
        began = time.monotonic()
        while time.monotonic() - began < 2 * BOUND_S:
            frames = self.peer.receive(AGAIN_S / farms.PATIENCE)
            if frames == [b"DONE"]:
                return time.monotonic() - began
            if frames is None:
                self.hello()
            else:
                self.answer(frames)
        return None

    def close(self):
        self.peer.close()


def make(farm, package):
    """A version to build or import, and its wheel: name and bytes."""
    farm.psql(f"SELECT add_new_package('{package}');"
              f"SELECT add_new_package_version('{package}', '1.0', TIMESTAMP '2024-03-01 12:00:00')")
    name = f"{package}-1.0-py3-none-any.whl"
    return name, wheels.make(name, SIZE)


def file_state(name, data):
    tag, version, *_, py, abi, platform = name.removesuffix(".whl").split("-")
    return [name, len(data), wheels.sha256(data), tag, version, py, abi, platform, None, {}, "/simple"]


def asked(farm, package, name, data):
    """A slave that was asked for its wheel."""
    slave = wire.Builder(farm.dir / "s" / "slave", package, ABI)
    said = farm.wait("a build", lambda: (lambda said: said if said[0] == "BUILD" else None)(slave.idle()))
    equal("slave.its build", said, ["BUILD", [package, "1.0"]])
    said = slave.say("BUILT", [True, ("tag", 2001, [0, 1, 0]), "built\n", [file_state(name, data)]])
    equal("slave.is asked for its file", said, ["SEND", name])
    return slave


def check_published(farm, package, name, data):
    path = farm.www / "simple" / package / name
    farm.wait(f"{name} in its place", path.exists)
    equal(f"{package}.its bytes", hashlib.sha256(path.read_bytes()).hexdigest(), wheels.sha256(data))
    equal(f"{package}.builds", farm.value(f"SELECT count(*) FROM builds WHERE package = '{package}' AND status"), "1")


def test_begun_anew(farm):
    built = make(farm, "piwbuilt")
    slave = asked(farm, "piwbuilt", *built)
    brought = make(farm, "piwbrought")
    importer = Importer(farm, "piwbrought", "1.0", dict([brought]))
    equal("importer.is asked for its file", importer.begin(), f"SEND {brought[0]}")
    senders = [Sender(farm, slave.id, built[1]), Sender(farm, 0, brought[1])]
    for sender in senders:
        sender.send_half()
    farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), "restart", "file_juggler"])
    with contextlib.closing(client.Connection(farm.socket("file"), "DEALER")) as stranger:
        stranger.send(b"HELLO", b"424242")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            seconds = list(pool.map(Sender.go_on, senders))
        check("a stranger gets nothing", stranger.received.empty())
    for name, took in zip(("slave", "importer"), seconds):
        check(f"{name}.DONE comes in time", took is not None and took < BOUND_S, f"{took}")
    if None in seconds:
        raise farms.Failure("a file was forgotten")
    equal("slave.its build is over", slave.say("SENT"), "DONE")
    equal("importer.its import is over", importer.say("SENT"), "DONE IMPORT")
    for package, wheel in (("piwbuilt", built), ("piwbrought", brought)):
        check_published(farm, package, *wheel)
    farm.wait("an empty staging folder", lambda: not farm.staged())
    for peer in (*senders, slave, importer):
        peer.close()


def main():
    with farms.Farm() as farm:
        try:
            farm.prepare()
            farm.start_postgres()
            farm.create_database(abis=[ABI])
            farm.start_pypi()
            farm.start_master()
            test_begun_anew(farm)
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
