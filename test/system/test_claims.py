#!/usr/bin/python3
"""A build whose slave lost its connection, or whose master was killed, is claimed from the address that had it and from no other,
whatever number the other says; honest slaves build on meanwhile.

TEST-TIMEOUT: 420
"""

import contextlib
import datetime
import sys

import farm as farms
import intruders
import load
import score
import wire
from score import check

VERSIONS = 8000
VICTIM, THIEF = "127.0.0.2", "127.0.0.3"
THEFTS = 60
SLOWER = 0.9  # the share of their rate that honest slaves must keep
PAIRS = 3  # measurements: a busy machine decides nothing


def packed(word, data):
    return intruders.frames(b"", wire.msgpack_encode([word, data]))


class Slave:
    """One of ours, as it speaks: it tells its version, and what it claims."""

    def __init__(self, farm, port, source, label, claim=None):
        self.farm = farm
        self.connection, start = intruders.Intruder(port, source), len(farm.master.text())
        minutes = datetime.timedelta(minutes=10)
        hello = [minutes, minutes, load.ABI[2:], load.ABI, "linux_x86_64", label, "Debian GNU/Linux", "12", "unknown", "unknown",
                 farm.version]
        self.connection.say(packed("HELLO", hello + ([claim] if claim else [])))
        if self.connection.hear(b"ACK") is None:
            raise farms.Failure(f"{label} has no ACK")
        self.number = int(self.farm.wait_log(farm.master, rf"slave (\d+): {label} at", start=start).group(1))

    def say(self, word, *answers):
        stats = [datetime.datetime.now(datetime.timezone.utc), *[10 ** 10] * 6]
        self.connection.say(packed(word, stats + [0.5, 48.0]) if word in ("IDLE", "BUSY") else
                            packed(word, [False, datetime.timedelta(seconds=1), "it went wrong", []]))
        heard = self.connection.hear(*answers)
        return heard and heard.decode()

    def takes(self):
        """A build; its package and version, by what the database notes of it."""
        self.farm.wait("a build", lambda: self.say("IDLE", b"BUILD", b"SLEEP") == "BUILD")
        noted = f"SELECT package, version, address FROM piw.attempts WHERE slave_id = {self.number} AND state = 'running'"
        return self.farm.wait("the note of its build", lambda: self.farm.rows(noted))[0]

    def claim(self, package, version):
        """What it says of this build when it comes back."""
        return [self.number, package, version, datetime.timedelta(seconds=1)]

    def close(self):
        self.connection.close()


def refused(farm, port, label, claim):
    """A claim from elsewhere; what is wrong with the answer."""
    start = len(farm.master.text())
    with contextlib.closing(Slave(farm, port, THIEF, label, claim)) as thief:
        said = farm.wait_log(farm.master, rf"slave {thief.number}, before {claim[0]}, (.*) {claim[1]} ", start=start).group(1)
        told = thief.say("BUSY", b"CONT", b"DONE")
    return None if (said, told) == ("can't go on with", "DONE") else (label, said, told)


def goes_on(farm, port, name, claim):
    """Its own slave has it still, and its build is recorded once."""
    with contextlib.closing(Slave(farm, port, VICTIM, f"{name}-again", claim)) as again:
        told = again.say("BUSY", b"CONT", b"DONE"), again.say("BUILT", b"DONE", b"DIE")
        check(f"{name}.who had it goes on", told == ("CONT", "DONE"), told)
        build = f"package = '{claim[1]}' AND version = '{claim[2]}'"
        built = farm.wait("the row", lambda: farm.rows(f"SELECT built_by FROM builds WHERE {build}"))
        check(f"{name}.it is recorded once, by its slave", built == [[str(again.number)]], built)


def test_lost_connection(farm, port):
    """A thief tries again and again while the connection is there, and when it has gone."""
    honest = intruders.Honest(farm, port)
    victim = Slave(farm, port, VICTIM, "victim")
    package, version, address = victim.takes()
    check("connection.its address is noted", address == VICTIM, address)
    claim = victim.claim(package, version)
    wrong, share = [], 0
    for pair in range(PAIRS):
        before, mark = honest.since(honest.mark()), honest.mark()
        wrong += [refused(farm, port, f"thief{pair}-{n}", claim) for n in range(THEFTS // PAIRS)]
        share = max(share, honest.since(mark) / before)
    check("connection.nobody takes what another builds", not any(wrong), [found for found in wrong if found][:3])
    check("connection.honest slaves build on", share >= SLOWER, f"at {share:.2f} of their rate")
    check("connection.it builds on itself", victim.say("BUSY", b"CONT", b"DONE") == "CONT")
    victim.close()
    check("connection.nor when its connection has gone", not (found := refused(farm, port, "heir", claim)), found)
    goes_on(farm, port, "connection", claim)
    check("connection.honest slaves saw nothing wrong", honest.stop().get("violations") == 0, honest.load.process.text()[-500:])


def test_killed_master(farm, port):
    """The number, package and version of a build are no secret: from the next master the thief is first to claim it."""
    victim = Slave(farm, port, VICTIM, "builder")
    package, version, _ = victim.takes()
    claim = victim.claim(package, version)
    farm.master.kill()
    farm.restart_master()
    victim.close()
    check("restart.nobody else goes on with it", not (found := refused(farm, port, "usurper", claim)), found)
    other = [claim[0] + 1, *claim[1:]]
    check("restart.nor by another number", not (found := refused(farm, port, "guesser", other)), found)
    goes_on(farm, port, "restart", claim)


def main():
    with farms.Farm() as farm:
        try:
            port = intruders.start(farm, VERSIONS)
            farm.version = farm.run([farm.program("piw-slave"), "--version"]).stdout.split()[-1]
            test_lost_connection(farm, port)
            test_killed_master(farm, port)
            check("the master runs", farm.master.running())
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
