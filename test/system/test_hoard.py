#!/usr/bin/python3
"""HELLO, IDLE, hang up, and again, a thousand times: nobody holds more builds so than he keeps connections, honest slaves
build on at their rate, and what was held is offered again within a minute."""

import sys
import time

import farm as farms
import intruders

ROUNDS = 1000
GIVEN_BACK_S = 60
failures = 0


def check(name, good, why=""):
    global failures
    failures += not good
    print(f"ok {name}" if good else f"not ok {name} - {why}", flush=True)
    return good


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


def main():
    with farms.Farm() as farm:
        port = intruders.start(farm, 30000)
        honest = intruders.Honest(farm, port)
        before = honest.since(honest.mark())
        mark = honest.mark()
        builds, sleeps = hang_up_again_and_again(port)
        meanwhile = honest.since(mark)
        ended = time.monotonic()
        print(f"# {ROUNDS} rounds: {builds} builds, {sleeps} times SLEEP; honest slaves built {before:.1f} a second before, "
              f"{meanwhile:.1f} meanwhile", flush=True)
        check("all_were_answered", builds + sleeps == ROUNDS, f"{builds} BUILD and {sleeps} SLEEP in {ROUNDS} rounds")
        check("few_builds_are_held", builds <= ROUNDS // 10, f"{builds} builds were given to who hung up at once")
        check("honest_slaves_build_on", meanwhile >= 0.9 * before, f"{before:.1f} builds/s before, {meanwhile:.1f} meanwhile")
        farm.wait("what was held to be given back", lambda: running(farm) <= 10, GIVEN_BACK_S)
        check("all_is_given_back", time.monotonic() - ended <= GIVEN_BACK_S * farms.PATIENCE)
        mark = honest.mark()
        after = honest.since(mark)
        check("all_is_as_before", after >= 0.9 * before, f"{before:.1f} builds/s before, {after:.1f} afterwards")
        honest.stop()
        check("no_honest_slave_was_told_to_sleep", honest.load.figures().get("answers_sleep", 0) == 0,
              honest.load.process.text()[-500:])
        check("the_master_runs", farm.master.running())
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
