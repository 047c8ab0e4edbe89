#!/usr/bin/python3
"""Peers that want more than their share, beside honest slaves on one farm: the largest logs, messages that never end, answers that
are never read, connections that are never finished, one that says it is two hundred, files of others. The honest ones build on at
their rate; memory stays below a figure while it goes on, and is given back afterwards.

The rates meanwhile and just after are compared with that of just before, so that a busy machine doesn't decide; where it did all the same the
pair is measured again.

TEST-TIMEOUT: 900
TEST-LOAD: heavy
TEST-NEEDS: plain
"""

# pylint: disable=wrong-import-position

import contextlib
import os
import pathlib
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import farm as farms
import intruders
import load
import score
import wire
from score import check

VERSIONS = 60000
GIVEN_BACK_S = 60
SLOWER = 0.9  # the share of their rate that honest slaves must keep
PAIRS = 3
WINDOW_S = 6
STAYS_KB = 32 << 10  # what may stay in the allocator's hands
MIB = 1 << 20

LOG = 64 * MIB - 4096
HALF_OPEN = 10000
LIARS = 200
DEAF = 100


class House:
    """The farm with its honest slaves: some whose builds fail, one whose builds are wheels."""

    def __init__(self, farm):
        self.farm = farm
        self.port = intruders.start(farm, VERSIONS)
        self.honest = intruders.Honest(farm, self.port)

    def share(self, window):
        """The rate while `window` runs, or just after it if that is less, by the one just before."""
        before = self.honest.since(self.honest.mark())
        mark = self.honest.mark()
        window()
        during = self.honest.since(mark)
        after = self.honest.since(self.honest.mark())
        print(f"# {before:.1f} builds a second before, {during:.1f} meanwhile, {after:.1f} afterwards", flush=True)
        return min(during, after) / before

    def memory_back(self, before_kb):
        self.farm.wait("the memory to return", lambda: intruders.memory_kb(self.farm) - before_kb <= STAYS_KB, GIVEN_BACK_S)


class Watch(threading.Thread):
    """The most memory that the master had."""

    def __init__(self, farm):
        super().__init__(daemon=True)
        self.farm, self.most_kb, self.over = farm, 0, threading.Event()

    def run(self):
        while not self.over.wait(0.05):
            self.most_kb = max(self.most_kb, intruders.memory_kb(self.farm))


def try_attack(house, name, attack, grown_kb):
    """`attack(until)` goes on until then; it may be called more than once."""
    before_kb = intruders.memory_kb(house.farm)
    watch = Watch(house.farm)
    watch.start()
    share = 0
    for _ in range(PAIRS):
        share = max(share, house.share(lambda: attack(time.monotonic() + WINDOW_S * farms.PATIENCE)))
        if share >= SLOWER:
            break
    watch.over.set()
    watch.join()
    check(f"{name}.honest slaves build on", share >= SLOWER, f"at {share:.2f} of their rate")
    check(f"{name}.memory is bounded", watch.most_kb - before_kb <= grown_kb, f"{before_kb} KB before, {watch.most_kb} then")
    try:
        house.memory_back(before_kb)
        check(f"{name}.memory is given back", True)
    except farms.Failure as error:
        check(f"{name}.memory is given back", False, error)
    print(f"# {name}: {share:.2f} of the rate; {before_kb} KB before, {watch.most_kb} at most, "
          f"{intruders.memory_kb(house.farm)} afterwards", flush=True)


# --- the attacks ---------------------------------------------------------------------------------------------------

def largest_log():
    """A log that hardly compresses, as large as a message can be."""
    piece = os.urandom(MIB // 2).hex().encode()
    text = (piece * (LOG // len(piece) + 1))[:LOG]
    head = wire.cbor_encode(["BUILT", [False, ("tag", 2001, [0, 1, 0]), "", []]])
    empty = head.rindex(b"\x60\x80")
    return head[:empty] + b"\x7a" + LOG.to_bytes(4, "big") + text + b"\x80"


def logs(house):
    """Four slaves whose builds fail with a log of 64 MiB, again and again."""
    built = intruders.frames(b"", largest_log())
    said = []

    def report(until):
        with contextlib.closing(intruders.Intruder(house.port)) as slave:
            slave.say(intruders.hello("long-winded"))
            slave.hear(b"ACK")
            while time.monotonic() < until:
                slave.say(intruders.idle())
                if slave.hear(b"BUILD", b"SLEEP") == b"BUILD":
                    slave.say(built)
                    said.append(slave.hear(b"DONE", timeout=60 * farms.PATIENCE))

    def attack(until):
        slaves = [threading.Thread(target=report, args=(until,)) for _ in range(4)]
        for slave in slaves:
            slave.start()
        for slave in slaves:
            slave.join()

    try_attack(house, "logs", attack, 1200 << 10)
    check("logs.each was taken", said and None not in said, said)
    print(f"# {len(said)} logs of 64 MiB", flush=True)


def many_logs(house):
    """The same from four addresses, twelve at a time: more than the memory is to hold."""
    built = intruders.frames(b"", largest_log())
    said = []

    def report(until, source):
        while time.monotonic() < until:
            with contextlib.closing(intruders.Intruder(house.port, source)) as slave, contextlib.suppress(OSError):
                slave.say(intruders.hello("one-of-many"))
                slave.hear(b"ACK")
                slave.say(intruders.idle())
                if slave.hear(b"BUILD", b"SLEEP") == b"BUILD":
                    slave.say(built)
                    said.append(slave.hear(b"DONE", timeout=60 * farms.PATIENCE))

    def attack(until):
        slaves = [threading.Thread(target=report, args=(until, f"127.0.0.{10 + number % 4}")) for number in range(12)]
        for slave in slaves:
            slave.start()
        for slave in slaves:
            slave.join()

    try_attack(house, "many logs", attack, 1200 << 10)
    check("many logs.some were taken", said.count(b"DONE") >= 4, said)
    print(f"# {said.count(b'DONE')} of {len(said)} logs of 64 MiB", flush=True)


def endless(house):
    """Messages whose last frame never comes."""
    sent = []
    frame = b"\x03" + (65536).to_bytes(8, "big") + bytes(65536)

    def pour(until):
        with contextlib.closing(intruders.Intruder(house.port)) as peer, contextlib.suppress(OSError):
            peer.hear(b"READY")
            peer.socket.settimeout(10)
            while time.monotonic() < until:
                peer.socket.sendall(frame)
                sent.append(len(frame))

    def attack(until):
        while time.monotonic() < until:
            peers = [threading.Thread(target=pour, args=(until,)) for _ in range(4)]
            for peer in peers:
                peer.start()
            for peer in peers:
                peer.join()

    try_attack(house, "endless", attack, 400 << 10)
    print(f"# {sum(sent) // MIB} MiB of messages without an end", flush=True)


def deaf(house):
    """Peers that ask without end and read nothing."""
    asked = []

    def attack(until):
        with contextlib.ExitStack() as stack:
            peers = []
            for number in range(DEAF):
                peer = stack.enter_context(contextlib.closing(intruders.Intruder(house.port)))
                peer.hear(b"READY")
                peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                peer.socket.setblocking(False)
                peers.append((peer, intruders.hello(f"deaf{number}")))
            while time.monotonic() < until:
                for peer, words in peers:
                    with contextlib.suppress(BlockingIOError, ConnectionError):
                        asked.append(peer.socket.send(words))
                time.sleep(0.01)  # a pace, as they would take the whole processor

    try_attack(house, "deaf", attack, 200 << 10)
    print(f"# {len(asked)} requests whose answers nobody read", flush=True)


def half_open(house):
    """Connections that say nothing, or half a greeting, and stay."""
    opened = []

    def attack(until):
        with contextlib.ExitStack() as stack:
            for number in range(HALF_OPEN):
                peer = stack.enter_context(socket.socket())
                peer.settimeout(30)
                peer.bind((f"127.0.1.{number % 200 + 1}", 0))
                with contextlib.suppress(OSError):
                    peer.connect(("127.0.0.1", house.port))
                    opened.append(number)
                    if number % 2:
                        peer.sendall(wire.GREETING[:32])
            house.farm.wait("the time", lambda: time.monotonic() >= until, 60)

    try_attack(house, "half open", attack, 300 << 10)
    check("half open.so many were opened", len(opened) >= HALF_OPEN * 9 // 10, len(opened))


def gets_work(house):
    with contextlib.closing(intruders.Intruder(house.port)) as slave:
        slave.say(intruders.hello("another"))
        slave.hear(b"ACK")
        slave.say(intruders.idle())
        return slave.hear(b"BUILD", b"SLEEP") == b"BUILD"


def two_hundred(house):
    """One machine that says it is two hundred slaves: each of its connections gets a build, and lets it lie."""
    builds = []

    def attack(until):
        with contextlib.ExitStack() as stack:
            for number in range(LIARS):
                liar = stack.enter_context(contextlib.closing(intruders.Intruder(house.port)))
                liar.say(intruders.hello(f"one-of-many{number}"))
                liar.hear(b"ACK")
                liar.say(intruders.idle())
                builds.append(liar.hear(b"BUILD", b"SLEEP"))
            house.farm.wait("the time", lambda: time.monotonic() >= until, 60)

    try_attack(house, "two hundred", attack, 32 << 10)
    check("two hundred.they are slaves like others", builds.count(b"BUILD") >= LIARS * 9 // 10, builds.count(b"BUILD"))
    running = "SELECT count(*) FROM piw.attempts WHERE state = 'running'"
    house.farm.wait("their builds to be given back", lambda: int(house.farm.value(running)) <= 10, GIVEN_BACK_S)
    check("two hundred.their builds are given back", True)
    house.farm.wait("work for who comes from there next", lambda: gets_work(house), GIVEN_BACK_S)
    check("two hundred.who comes from there next gets work", True)


def others_files(house):
    """Slaves that send wheels, and somebody at their address who tries all numbers: as each of them, ever again."""
    sender = load.Load(house.farm, "--slave-queue", f"tcp://127.0.0.1:{house.port}", "--slaves", "4", "--rate", "10", "--busy", "0",
                       "--file-size", "256K", name="senders")
    sender.wait_built(10)
    tried = []

    def attack(until):
        path = house.farm.socket("file").removeprefix("ipc://")
        while time.monotonic() < until:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(path)
                peer = wire.Peer(connection, 30, kind=b"DEALER")
                for number in range(1, 200):
                    peer.send(b"HELLO", b"%d" % number)
                    peer.send(b"CHUNK", b"0", bytes(1024))
                    tried.append(number)

    try_attack(house, "others' files", attack, 64 << 10)
    house.farm.stop_process(sender.process)
    figures = sender.figures()
    # How many there were is the machine's matter; ten were before.
    check("others' files.each came through", figures.get("violations") == 0 == figures.get("given_up") and figures.get("builds", 0) >= 20 and
          figures["builds"] == figures["transfers"] == figures["answers_done"], figures)
    print(f"# {len(tried)} times somebody else's number; {figures.get('transfers'):.0f} transfers", flush=True)


def unharmed(house):
    figures = house.honest.stop()
    check("honest slaves saw nothing wrong", figures.get("violations") == 0, house.honest.load.process.text()[-500:])
    check("the master runs", house.farm.master.running())


def main():
    with farms.Farm() as farm:
        return score.run([others_files, two_hundred, half_open, deaf, endless, logs, many_logs, unharmed], House(farm))


if __name__ == "__main__":
    sys.exit(main())
