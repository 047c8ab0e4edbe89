#!/usr/bin/python3
"""HELLO on connections that close at once, more of them than the master remembers slaves: newcomers are let in, honest
slaves build on at their rate, no record of them stays, and neither does the memory."""

import sys
import time

import farm as farms
import intruders

CONNECTIONS = 17000  # more than PIW_LIMIT_PEERS
AT_A_TIME = 100
RETURNED_S = 60
GROWN_KB = 32 << 10  # what may stay of it in the allocator's hands
failures = 0


def check(name, good, why=""):
    global failures
    failures += not good
    print(f"ok {name}" if good else f"not ok {name} - {why}", flush=True)
    return good


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


def main():
    with farms.Farm() as farm:
        port = intruders.start(farm, 60000)
        honest = intruders.Honest(farm, port)
        before, before_kb = honest.since(honest.mark()), intruders.memory_kb(farm)
        mark = honest.mark()
        answered = come_and_go(port)
        meanwhile, full_kb = honest.since(mark), intruders.memory_kb(farm)
        ended = time.monotonic()
        check("all_were_answered", answered == CONNECTIONS, f"{answered} of {CONNECTIONS}")
        for name, source in (("a_newcomer_of_the_same_address", "127.0.0.2"), ("a_newcomer_of_another", "127.0.0.3")):
            check(f"{name}_is_let_in", newcomer(port, source) is not None)
        check("honest_slaves_build_on", meanwhile >= 0.9 * before, f"{before:.1f} builds/s before, {meanwhile:.1f} meanwhile")
        farm.wait("the memory to return", lambda: intruders.memory_kb(farm) - before_kb <= GROWN_KB, RETURNED_S)
        check("all_is_given_back", time.monotonic() - ended <= RETURNED_S * farms.PATIENCE)
        print(f"# {CONNECTIONS} connections: {before_kb} KB before, {full_kb} then, {intruders.memory_kb(farm)} afterwards; "
              f"honest slaves built {before:.1f} a second before, {meanwhile:.1f} meanwhile", flush=True)
        figures = honest.stop()
        check("honest_slaves_saw_nothing_wrong", figures.get("violations") == 0, honest.load.process.text()[-500:])
        check("the_master_runs", farm.master.running())
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
