#!/usr/bin/python3
"""Slaves that mean harm beside honest ones, on one farm: whatever they do, the honest ones build on at their rate, and builds,
records and memory that the others took are given back.

TEST-TIMEOUT: 1200
"""

import contextlib
import sys
import threading

import farm as farms
import intruders
import score
from score import check

VERSIONS = 60000
GIVEN_BACK_S = 60
SLOWER = 0.9  # the share of their rate that honest slaves must keep

ROUNDS = 1000  # of HELLO, IDLE, hang up
CONNECTIONS = 17000  # that close after HELLO: more than PIW_LIMIT_PEERS
AT_A_TIME = 100
DROPPERS, DROPS = 4, 8000  # connections, and how often, at least, they say HELLO again over the build that they were given
ROUNDS_S = 120
GROWN_KB = 32 << 10  # what may stay of those in the allocator's hands


class House:
    """The farm, its honest slaves, and how many builds a second they do while nobody disturbs them."""

    def __init__(self, farm):
        self.farm = farm
        self.port = intruders.start(farm, VERSIONS)
        self.honest = intruders.Honest(farm, self.port)
        self.before = self.honest.since(self.honest.mark())

    def build_on(self, name, rate):
        check(f"{name}.honest slaves build on", rate >= SLOWER * self.before,
              f"{self.before:.1f} builds/s before, {rate:.1f} meanwhile")

    def build_again(self):
        """As fast as before, soon: other programs may have the machine just now."""
        return self.honest.since(self.honest.mark()) >= SLOWER * self.before


def running(farm):
    return int(farm.value("SELECT count(*) FROM piw.attempts WHERE state = 'running'"))


def hang_up_again_and_again(port):
    """How many builds and how many SLEEPs that brought."""
    builds = sleeps = 0
    for number in range(ROUNDS):
        thief = intruders.Intruder(port)
        thief.say(intruders.hello(f"hoard{number}"))
        if thief.hear(b"ACK"):
            thief.say(intruders.idle())
            got = thief.hear(b"BUILD", b"SLEEP")
            builds += got == b"BUILD"
            sleeps += got == b"SLEEP"
        thief.close()
    return builds, sleeps


def hoard(house):
    """HELLO, IDLE, hang up, and again: nobody holds more builds so than he keeps connections."""
    mark = house.honest.mark()
    builds, sleeps = hang_up_again_and_again(house.port)
    rate = house.honest.since(mark)
    print(f"# {ROUNDS} rounds: {builds} builds, {sleeps} times SLEEP; honest slaves built {house.before:.1f} a second before, "
          f"{rate:.1f} meanwhile", flush=True)
    check("hoard.all were answered", builds + sleeps == ROUNDS, f"{builds} BUILD and {sleeps} SLEEP in {ROUNDS} rounds")
    check("hoard.few builds are held", builds <= ROUNDS // 10, f"{builds} builds were given to who hung up at once")
    house.build_on("hoard", rate)
    house.farm.wait("what was held to be given back", lambda: running(house.farm) <= 10, GIVEN_BACK_S)
    check("hoard.all is given back", True)
    house.farm.wait("honest slaves at their rate", house.build_again)
    check("hoard.all is as before", True)


def drop_again_and_again(port, over, got):
    """HELLO, IDLE, HELLO, … on one connection; `got` is what IDLE brought."""
    with contextlib.closing(intruders.Intruder(port)) as dropper:
        while not over.is_set():
            dropper.say(intruders.hello("dropper"))
            dropper.hear(b"ACK")
            dropper.say(intruders.idle())
            got.append(dropper.hear(b"BUILD", b"SLEEP"))


def drop(house):
    """Who leaves what he was given, over and over, is given less: else the farm does little but give out and take back."""
    over, got, mark = threading.Event(), [], house.honest.mark()
    droppers = [threading.Thread(target=drop_again_and_again, args=(house.port, over, got)) for _ in range(DROPPERS)]
    for dropper in droppers:
        dropper.start()
    try:
        house.farm.wait("rounds", lambda: len(got) >= DROPS or not any(dropper.is_alive() for dropper in droppers), ROUNDS_S)
        house.farm.wait("honest slaves at their rate beside them", house.build_again, ROUNDS_S)
    finally:
        over.set()
        for dropper in droppers:
            dropper.join()
    rate, builds = house.honest.since(mark), got.count(b"BUILD")
    print(f"# {len(got)} rounds: {builds} builds, {got.count(b'SLEEP')} times SLEEP; honest slaves built {house.before:.1f} a second "
          f"before, {rate:.1f} meanwhile", flush=True)
    check("drop.all were answered", len(got) >= DROPS and None not in got, got[-4:])
    check("drop.few builds are given", builds <= len(got) // 10, builds)
    check("drop.honest slaves build on", True)
    house.farm.wait("what was dropped to be given back", lambda: running(house.farm) <= 10, GIVEN_BACK_S)
    house.farm.wait("honest slaves at their rate", house.build_again)
    check("drop.all is as before", True)


def come_and_go(port):
    """How many of them were answered."""
    answered = 0
    for first in range(0, CONNECTIONS, AT_A_TIME):
        visitors = [intruders.Intruder(port) for n in range(AT_A_TIME)]
        for number, visitor in enumerate(visitors):
            visitor.say(intruders.hello(f"visitor{first + number}"))
        for visitor in visitors:
            answered += visitor.hear(b"ACK", timeout=5 * farms.PATIENCE) is not None
            visitor.close()
    return answered


def newcomer(port, source):
    visitor = intruders.Intruder(port, source)
    visitor.say(intruders.hello("newcomer"))
    answer = visitor.hear(b"ACK", timeout=5 * farms.PATIENCE)
    visitor.close()
    return answer


def lockout(house):
    """More connections that close after HELLO than the master remembers slaves: newcomers are let in, and no record of those
    stays, and neither does the memory."""
    before_kb = intruders.memory_kb(house.farm)
    mark = house.honest.mark()
    answered = come_and_go(house.port)
    rate, full_kb = house.honest.since(mark), intruders.memory_kb(house.farm)
    check("lockout.all were answered", answered == CONNECTIONS, f"{answered} of {CONNECTIONS}")
    for name, source in (("a newcomer of the same address", "127.0.0.2"), ("a newcomer of another", "127.0.0.3")):
        check(f"lockout.{name} is let in", newcomer(house.port, source) is not None)
    house.build_on("lockout", rate)
    house.farm.wait("the memory to return", lambda: intruders.memory_kb(house.farm) - before_kb <= GROWN_KB, GIVEN_BACK_S)
    check("lockout.all is given back", True)
    print(f"# {CONNECTIONS} connections: {before_kb} KB before, {full_kb} then, {intruders.memory_kb(house.farm)} afterwards; "
          f"honest slaves built {house.before:.1f} a second before, {rate:.1f} meanwhile", flush=True)


def unharmed(house):
    """What the honest slaves and the master say of it all in the end."""
    figures = house.honest.stop()
    said = house.honest.load.process.text()[-500:]
    check("no honest slave was told to sleep", figures.get("answers_sleep", 0) == 0, said)
    check("honest slaves saw nothing wrong", figures.get("violations") == 0, said)
    check("the master runs", house.farm.master.running())


def main():
    with farms.Farm() as farm:
        return score.run([hoard, drop, lockout, unharmed], House(farm))


if __name__ == "__main__":
    sys.exit(main())
