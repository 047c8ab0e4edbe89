#!/usr/bin/python3
"""A crowd of slaves is asked for files, as many as the master may have descriptors for, and sends nothing: the master keeps what its own
work needs, honest slaves build on, and a file of which a piece came before all of that is received all the same.

TEST-TIMEOUT: 300
TEST-LOAD: heavy
"""

import contextlib
import os
import socket
import sys
import time

import intruders
import machine
import score
import test_machine_descriptors as narrow
import wheels
import wire
from machine import farms, loads
from score import check

LIMIT = 720  # descriptors, of which connections get so many that their files would take the rest
CROWD = 400  # more than that
SOURCE = "127.0.0.2"
SIZE = 3 << 20  # several pieces
SLOWER = 0.9


def decoded(slave, word):
    """The answer of which this is the word."""
    head = b"\x82" + wire.cbor_encode(word)
    return wire.cbor_decode(slave.heard[slave.heard.rindex(head):])[1]


class Idler:
    """A slave that is asked for a wheel it says it has built."""

    def __init__(self, port, label):
        self.slave = intruders.Intruder(port, SOURCE)
        self.slave.say(intruders.hello(label))
        self.welcome = self.slave.hear(b"ACK", timeout=5 * farms.PATIENCE) is not None
        self.data = self.name = self.package = None

    def takes(self):
        self.slave.say(intruders.idle())
        if self.slave.hear(b"BUILD", b"SLEEP") != b"BUILD":
            raise farms.Failure("there is nothing to be built")
        self.package, version = decoded(self.slave, "BUILD")
        self.name = f"{self.package.replace('-', '_')}-{version}-py3-none-any.whl"

    def reports(self, data=None):
        """It built a wheel, of which it need not have more than the name; True: it is asked for it."""
        self.data = data
        state = [self.name, len(data or bytes(SIZE)), wheels.sha256(data or b""), *self.name.removesuffix(".whl").split("-"), None, {},
                 "/simple"]
        self.slave.say(intruders.request("BUILT", [True, ("tag", 2001, [0, 1, 0]), "fine", [state]]))
        return self.slave.hear(b"SEND", b"DONE") == b"SEND"


class Sender:
    """Its connection to the file queue."""

    def __init__(self, port, number, data):
        self.data = data
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(SOURCE, 0))
        self.peer = wire.Peer(self.socket, 30, kind=b"DEALER")
        self.number = b"%d" % number

    def answers(self):
        """One thing that is asked; False: it was DONE."""
        word, *numbers = self.peer.receive()
        if word == b"DONE":
            return False
        offset, length = map(int, numbers)
        self.peer.send(b"CHUNK", numbers[0], self.data[offset:offset + length])
        return True

    def says_hello(self):
        self.peer.send(b"HELLO", self.number)


def come(farm, stack):
    """As many as the master lets in; of those the first, which has built a wheel."""
    first = Idler(farm.ports["slave"], "first")
    stack.enter_context(contextlib.closing(first.slave))
    first.takes()
    check("transfers.the first is asked for its file", first.reports(wheels.make(first.name, SIZE)))
    sender = Sender(farm.ports["file"], first_number(farm), first.data)
    stack.enter_context(contextlib.closing(sender.socket))
    sender.says_hello()
    check("transfers.a piece of it comes", sender.answers())
    crowd = []
    with contextlib.suppress(OSError):
        while len(crowd) < CROWD and (not crowd or crowd[-1].welcome):
            crowd.append(Idler(farm.ports["slave"], f"idler{len(crowd)}"))
            stack.enter_context(contextlib.closing(crowd[-1].slave))
    return first, sender, [one for one in crowd if one.welcome]


def first_number(farm):
    return int(farm.wait_log(farm.master, r"slave (\d+): first at").group(1))


def asked_for(crowd):
    """How many of them are asked for their files."""
    asked = 0
    for one in crowd:
        one.takes()
        asked += one.reports()
    return asked


def ends_well(farm, first, sender):
    sender.says_hello()
    while sender.answers():
        pass
    first.slave.say(intruders.frames(b"", wire.cbor_encode("SENT")))
    check("transfers.what was begun before is taken", first.slave.hear(b"DONE", b"SEND") == b"DONE")
    path = farm.www / "simple" / first.package / first.name
    farm.wait("its wheel", lambda: path.exists() and path.read_bytes() == first.data)


def test_crowd(farm):
    honest = loads.Load(farm, "--slaves", "10", "--rate", "20", "--busy", "0", "--patience", "10m")
    honest.wait_built(40)

    def rate():
        """Builds of six seconds."""
        before, until = honest.built(), time.monotonic() + 6
        farm.wait("the time", lambda: time.monotonic() >= until)
        return honest.built() - before
    with contextlib.ExitStack() as stack:
        first, sender, crowd = come(farm, stack)
        before = rate()
        asked = asked_for(crowd)
        during = rate()
        used = len(os.listdir(f"/proc/{farm.master.pid}/fd"))
        print(f"# {len(crowd)} slaves, {asked} asked for files, {used} of {LIMIT} descriptors; {before} builds before, {during} then",
              flush=True)
        check("transfers.all are asked for their files", asked == len(crowd) > LIMIT // 3 + 32, f"{asked} of {len(crowd)}")
        check("transfers.descriptors are left", used < LIMIT - 16, f"{used} of {LIMIT}")
        check("transfers.honest slaves build on", during >= SLOWER * before, f"{before} builds before, {during} then")
        ends_well(farm, first, sender)
    running = "SELECT count(*) FROM piw.attempts WHERE state = 'running'"
    farm.wait("builds to be given back", lambda: int(farm.value(running)) <= 10)
    farm.stop_process(honest.process)
    check("transfers.honest slaves saw nothing wrong", honest.figures().get("violations") == 0, honest.complaints()[-3:])
    said = [line for line in farm.master.text().splitlines() if "Too many open files" in line]
    check("transfers.nothing couldn't be opened", not said, said[:3])
    machine.check_farm(farm, "transfers")


def main():
    with narrow.NarrowFarm() as farm:
        farm.limit = LIMIT
        try:
            loads.start(farm, 500, 20)
            test_crowd(farm)
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
