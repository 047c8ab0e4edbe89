#!/usr/bin/python3
"""The conversations recorded with hand-made clients that break the rules, played against a master of ours. What stock did then
is no standard (several end with it stopping): each function here says what docs/wire.md asks for and checks that, and that
the recorded answer came where docs/wire.md asks for no other.

TEST-TIMEOUT: 400
"""

import gzip
import re
import signal
import sys

import client
import farm as farms
import recording
import replay as replays
import score
import wire
check, equal = score.check, score.equal


class Probe(replays.Replay):
    """A recording, and what is looked at besides its answers."""

    def __init__(self, farm, name):
        super().__init__(farm, name if name.startswith("slave-master") else f"probe-{name}", replays.Store())
        self.name = name

    def follow(self, first=0, last=None):
        """As recorded."""
        try:
            self.run(first, last)
            return check(f"{self.name}.as recorded to {last or 'its end'}", True)
        except replays.Difference as error:
            return check(f"{self.name}.as recorded to {last or 'its end'}", False, error)

    def say(self, index, wanted, timeout=30):
        """One recorded word and the answer that is asked for; None is none at all."""
        message = self.messages[index]
        asker = self.asker(message)
        asker.tell(self.payload(message), *message.frames[1:])
        answer = asker.answer(timeout if wanted is not None else replays.QUIET_S)
        if message.word == "HELLO" and replays.word_of(answer) == "ACK":
            self.numbers[self.slave_of(message)] = answer[1][0]
        got = answer if isinstance(wanted, list) else replays.word_of(answer)
        return equal(f"{self.name}.{message.word} ({index})", got, wanted)

    def file(self, index):
        """One recorded word on the file queue, with our number."""
        message = self.messages[index]
        key = "file", message.peer
        if key not in self.askers:
            self.askers[key] = client.Connection(self.farm.socket("file"), "DEALER")
        frames = [bytes(blob_len(message)) if frame is None else frame for frame in message.frames]
        if message.word == "HELLO" and frames[1].isdigit() and int(frames[1]) in self.numbers:
            frames[1] = str(self.numbers[int(frames[1])]).encode()
        self.askers[key].send(*frames)
        return self.askers[key]

    def builds(self):
        return self.farm.rows("SELECT version, status, abi_tag FROM builds WHERE package = 'p1' ORDER BY build_id")

    def log_of(self, version):
        build_id = self.farm.value(f"SELECT build_id FROM builds WHERE package = 'p1' AND version = '{version}'")
        number = f"{int(build_id):012}"
        path = self.farm.www / "logs" / number[:4] / number[4:8] / f"{number[8:]}.txt.gz"
        return gzip.decompress(path.read_bytes()).decode()

    def in_turn(self, first, last):
        """These words, each once the master has looked at the one before, as they were recorded a second apart: else it would
        refuse them for being second requests."""
        for message in self.messages[first:last]:
            if message.to_master:
                self.send(message)
                self.greet()

    def honest(self):
        """Somebody who keeps the rules is answered at once."""
        answer = self.greet()
        check(f"{self.name}.another slave is answered", replays.word_of(answer) == "ACK", answer)

    def greet(self):
        """What another slave is answered."""
        asker = client.Asker(self.farm.socket("slave"))
        hello = next(m for m in recording.load("probe-wrong-order") if m.word == "HELLO")
        asker.tell(hello.frames[0])
        answer = asker.answer(5)
        asker.tell(wire.cbor_encode("BYE"))
        asker.close()
        return answer


def blob_len(message):
    return message.blobs[0]["len"] if message.blobs else 0


# --- One function each -----------------------------------------------------------------------------------------------


def bad_messages(probe):
    """Dropped with a log line, never answered; the same peer can begin anew. (As stock.)"""
    probe.in_turn(0, 11)
    probe.follow(11, 19)
    probe.say(19, None)
    probe.honest()
    check("bad-messages.said", "queue slave: message from" in probe.farm.master.text())


def wrong_order(probe):
    """DIE for SENT, BUILT and IDLE out of order, CONT for BUSY, ACK with the same number for HELLO. An attempt ends
    when its slave is told to DIE or says HELLO again, so its version is offered next (stock keeps it back)."""
    for index in (53, 69):
        probe.messages[index].value = ["BUILD", ["p1", "1.0"]]
    probe.follow()
    equal("wrong-order.nothing recorded", probe.builds(), [])


def built_no_files(probe):
    """A success without files is recorded: DONE. (As stock.)"""
    probe.follow()
    equal("built-no-files.recorded", probe.builds(), [["1.0", "t", "cp311"]])
    equal("built-no-files.log", probe.log_of("1.0"), "log\n")


def refused(probe, built, words):
    """A bad BUILT is recorded as a failed build saying why, answered DONE; what it named is never asked for."""
    probe.follow(0, built)
    probe.as_recorded.add(built)
    probe.say(built, "DONE")
    rest = [m for m in probe.messages[built:] if m.queue == "file" and m.to_master]
    for message in rest:
        transfer = probe.file(message.index)
    equal(f"{probe.name}.not fetched", transfer.receive(replays.QUIET_S), None)
    sent = next(m for m in probe.messages if m.word == "SENT")
    probe.say(sent.index, "DIE")
    equal(f"{probe.name}.recorded", probe.builds(), [["1.0", "f", "cp311"]])
    log = probe.log_of("1.0")
    check(f"{probe.name}.log says why", log.startswith("log\n") and words in log, log)
    found = [p for p in probe.farm.below(probe.farm.dir) if "evil" in p.name]
    equal(f"{probe.name}.nothing written", found, [])


def zero_byte_file(probe):
    refused(probe, 8, "its size of 0 bytes")


def path_traversal(probe):
    refused(probe, 8, "refused")


def bad_file_messages(probe):
    """Unknown words, ids and pieces that were never asked for are dropped; the same connection goes on with what is missing.
    Another one of the same slave is heard once the first has been silent, and the wheel arrives whole."""
    probe.follow(0, 11)
    data = probe.store.by_name["p1-1.0-py3-none-any.whl"]
    for index in (11, 12, 13, 14):
        transfer = probe.file(index)
    equal("bad-file-messages.nothing for strangers", transfer.receive(replays.QUIET_S), None)
    transfer = probe.file(15)
    first = transfer.receive()
    equal("bad-file-messages.FETCH", first and first[0], b"FETCH")
    probe.file(19)
    again = probe.file(23).receive()
    equal("bad-file-messages.HELLO again", again, first)
    for index in (27, 29):
        probe.file(index)
    second = probe.file(32)
    equal("bad-file-messages.another connection waits", second.receive(replays.QUIET_S), None)
    for index in (33, 34, 35, 36):
        probe.file(index)
    problems = replays.Transfer(probe.farm.socket("file"), probe.numbers[1], data).finish()
    equal("bad-file-messages.whole", problems, [])
    probe.say(41, "DONE")
    equal("bad-file-messages.recorded", probe.builds(), [["1.0", "t", "cp311"]])


def wrong_hash(probe):
    """SEND again after each bad transfer, and after SENT without one; the fifth would end it. (As stock.)"""
    probe.instead = {index: replays.damaged_transfer for index in (11, 20, 29)}
    probe.follow()
    equal("wrong-hash.recorded", probe.builds(), [["1.0", "t", "cp311"]])


def unknown_abi(probe):
    """There is never anything to build: SLEEP false. (As stock.)"""
    probe.follow()


def is_dead(status, number):
    """Monitors were told of a slave's expiry: DIE with null."""
    return [number, "DIE", None] in [[m[1][0], m[1][2], m[1][3]] for m in status.take() if m[0] == "SLAVE"]


def expired_slave(probe):
    """Forgotten after its own busy timeout, monitors get DIE with null; it gets no answer then, but may say HELLO.
    The version it had rests for a minute: the next is offered. (As stock.)"""
    status = replays.Status(probe.farm)
    status.begin(probe.farm)
    probe.follow(0, 10)
    number = probe.numbers[1]
    probe.farm.wait("DIE of the silent slave", lambda: is_dead(status, number))
    status.close()
    probe.say(10, None)
    probe.follow(11)


def slave_vanishes(probe):
    """As a slave that falls silent: DIE with null, and nothing of its transfer stays. Pieces are signs of life: as
    long as they come, longer than the slave may be silent, it is there."""
    status = replays.Status(probe.farm)
    status.begin(probe.farm)
    probe.follow(0, 11)
    busy_s = probe.messages[0].data[1][2][1]
    number = probe.numbers[1]
    dead = lambda: is_dead(status, number)
    transfer = probe.file(11)
    data = probe.store.by_name["p1-1.0-py3-none-any.whl"]
    pieces = [transfer.receive()]
    while sum(int(frames[2]) for frames in pieces) < len(data):
        pieces.append(transfer.receive())
    for _, offset, length in pieces[:3]:
        equal("slave-vanishes.time alone goes on", transfer.receive(busy_s * 0.5 / farms.PATIENCE), None)
        transfer.send(b"CHUNK", offset, data[int(offset):int(offset) + int(length)])
    check("slave-vanishes.alive while pieces come", len(pieces) > 3 and not dead(), len(pieces))
    probe.farm.wait("DIE of the vanished slave", dead)
    status.close()
    staged = lambda: [p for p in probe.farm.staged() if p.suffix == ".whl"]
    probe.farm.wait("the end of what it had sent", lambda: not staged())
    check("slave-vanishes.nothing stays", True)
    equal("slave-vanishes.nothing recorded", probe.builds(), [])


def built_while_paused(probe):
    """Paused (docs/programs.md#paused): no BUILD is given, all else goes on. So BUILT is answered DONE and BUSY CONT at
    once, IDLE SLEEP true (stock leaves them all without answers)."""
    probe.follow(0, 17)
    probe.say(17, "DONE")
    probe.say(18, "CONT")
    probe.send(probe.messages[19])
    probe.send(probe.messages[24])
    probe.say(25, ["SLEEP", True])
    probe.say(29, "DONE")
    probe.send(probe.messages[30])
    probe.farm.wait("the master's end", lambda: not probe.farm.master.running(), alive=False)
    equal("built-while-paused.recorded", probe.builds(), [["1.0", "f", "cp311"], ["1.1", "f", "cp311"]])


def restart(probe):
    """Killed without warning, and started again."""
    probe.farm.master.kill(signal.SIGKILL)
    for connection in probe.askers.values():
        connection.close()
    probe.askers.clear()
    probe.farm.restart_master()


def stale_transfer(probe):
    """Numbers go on after a restart, so the old slave's transfer meets nobody's file; the new one's arrives."""
    probe.follow(0, 11)
    old = replays.Transfer(probe.farm.socket("file"), probe.numbers[1], b"x" * 300000)
    check("stale-transfer.began", old.connection.receive() is not None)
    before = probe.numbers.pop(1)
    restart(probe)
    new = [m.index for m in probe.messages if m.queue == "slave" and m.to_master and m.peer == 2]
    probe.say(new[0], "ACK")
    check("stale-transfer.another number", probe.numbers[1] != before, before)
    answer = wait_for_build(probe, new[1])
    equal("stale-transfer.same package", answer, ["BUILD", ["p1", "1.0"]])
    probe.say(new[2], "SEND")
    stale = client.Connection(probe.farm.socket("file"), "DEALER")
    stale.send(b"HELLO", str(before).encode())
    equal("stale-transfer.old one is ignored", stale.receive(replays.QUIET_S), None)
    stale.close()
    data = probe.store.by_name["p1-1.0-py3-none-any.whl"]
    equal("stale-transfer.new one arrives", replays.Transfer(probe.farm.socket("file"), probe.numbers[1], data).finish(), [])
    equal("stale-transfer.DONE", probe.askers["slave", 2].ask("SENT"), "DONE")


def wait_for_build(probe, index):
    """IDLE until something else than SLEEP false comes: what was under way is kept back for 30 s after a start, for slaves of
    ours that claim it."""
    message = probe.messages[index]

    def answer():
        probe.asker(message).tell(probe.payload(message))
        found = probe.asker(message).answer()
        return found if found != ["SLEEP", False] else None
    return probe.farm.wait("what was under way to be offered again", answer, timeout=60)


def killed_mid_transfer(probe):
    """Old slaves and transfers get no answer from the new master; who says HELLO gets what was under way."""
    sends = [m for m in probe.messages if m.queue == "slave"]
    probe.follow(0, 19)
    transfer = replays.Transfer(probe.farm.socket("file"), probe.numbers[1], b"x" * 900000)
    check("killed-mid-transfer.began", transfer.connection.receive() is not None)
    old = probe.numbers[1]
    restart(probe)
    probe.say(35, None)
    probe.say(36, None)
    stale = client.Connection(probe.farm.socket("file"), "DEALER")
    stale.send(b"CHUNK", b"65536", bytes(65536))
    stale.send(b"HELLO", str(old).encode())
    equal("killed-mid-transfer.old transfer", stale.receive(replays.QUIET_S), None)
    stale.close()
    hellos = [m.index for m in sends if m.to_master and m.word == "HELLO"][2:]
    idles = [m.index for m in sends if m.to_master and m.word == "IDLE"][2:]
    probe.say(hellos[0], "ACK")
    probe.say(hellos[1], "ACK")
    found = sorted(wait_for_build(probe, index)[1] for index in idles)
    equal("killed-mid-transfer.offered again", found, [["p1", "1.0"], ["p1", "1.1"]])
    equal("killed-mid-transfer.nothing recorded", probe.builds(), [])


def master_restarted(probe):
    """The stock slave's next word after a restart is never answered; on a new connection it gets the same package again."""
    sends = [m for m in probe.messages if m.queue == "slave"]
    busy = [m.index for m in sends if m.word == "BUSY"]
    probe.follow(0, busy[1])
    restart(probe)
    probe.say(busy[1], None)
    probe.askers.clear()
    hello, idle = [m.index for m in sends if m.word in ("HELLO", "IDLE")][2:]
    probe.say(hello, "ACK")
    equal("master-killed-and-restarted.same package", wait_for_build(probe, idle), ["BUILD", ["goldslow", "0.5"]])
    probe.follow(idle + 4)


def postgres_restart(probe):
    """The database is away: the answer to BUILT waits, others are answered at once; when it is back, DONE."""
    farm = probe.farm
    probe.follow(0, 19)
    database = next(p for p in farm.processes if p.name == "postgres")
    farm.stop_process(database)
    built, = [m for m in probe.messages if m.word == "BUILT" and m.peer == 1]
    probe.asker(built).tell(built.frames[0])
    for message in (m for m in probe.messages[20:] if m.queue == "slave" and m.to_master and m.word == "BUSY"):
        probe.say(message.index, "CONT")
    equal("postgres-restart.BUILT waits", probe.asker(built).answer(replays.QUIET_S), None)
    farm.start_postgres()
    equal("postgres-restart.BUILT", probe.asker(built).answer(60), "DONE")
    probe.say(probe.messages[-1].index if probe.messages[-1].word == "BUILT" else 22, "DONE")
    equal("postgres-restart.once each", probe.builds(), [["1.0", "f", "cp311"], ["1.1", "f", "cp311"]])


def two_imports(probe):
    """One import transfers at a time, the next one's SEND waits; both succeed (stock mixes them up)."""
    farm = probe.farm
    farm.psql("SELECT add_new_package('goldimp'); SELECT add_new_package_version('goldimp', '4.0');"
              "SELECT add_new_package_version('goldimp', '5.0')")
    first, second = probe.messages[0], probe.messages[2]
    probe.say(0, ["SEND", "goldimp-4.0-py3-none-any.whl"])
    probe.say(2, None)
    for message, name in ((first, "goldimp-4.0-py3-none-any.whl"), (second, "goldimp-5.0-py3-none-any.whl")):
        if message is second:
            equal("two-imports.second SEND", probe.asker(message).answer(), ["SEND", name])
        problems = replays.Transfer(farm.socket("file"), 0, probe.store.by_name[name]).finish()
        equal(f"two-imports.{name}", problems, [])
        equal(f"two-imports.{name} imported", probe.asker(message).ask("SENT"), ["DONE", "IMPORT"])
    rows = farm.rows("SELECT version, status, filename FROM builds JOIN files USING (build_id) "
                     "WHERE package = 'goldimp' ORDER BY 1")
    wanted = [[version, "t", f"goldimp-{version}-py3-none-any.whl"] for version in ("4.0", "5.0")]
    equal("two-imports.recorded", rows, wanted)


def alias_outside(probe):
    """An alias that isn't a spelling of the package's name is answered ERROR; stock links outside of the site."""
    probe.farm.psql("SELECT add_new_package('p1')")
    probe.say(0, "ERROR")
    equal("alias-outside.no link", list(probe.farm.dir.rglob("evil-alias")), [])
    equal("alias-outside.no name", probe.farm.rows("SELECT name FROM package_names WHERE name LIKE '%evil%'"), [])


PROBES = {
    "slave-master-killed-and-restarted": master_restarted,
    "bad-messages": bad_messages,
    "wrong-order": wrong_order,
    "built-no-files": built_no_files,
    "zero-byte-file": zero_byte_file,
    "path-traversal-abs": path_traversal,
    "path-traversal-evil": path_traversal,
    "path-traversal-up1": path_traversal,
    "bad-file-messages": bad_file_messages,
    "wrong-hash": wrong_hash,
    "unknown-abi": unknown_abi,
    "expired-slave": expired_slave,
    "slave-vanishes": slave_vanishes,
    "built-while-paused": built_while_paused,
    "stale-transfer-steals-new-one": stale_transfer,
    "master-killed-mid-transfer": killed_mid_transfer,
    "postgres-restart": postgres_restart,
    "two-imports": two_imports,
    "alias-outside": alias_outside,
}


def rejected_bytes(entry):
    """The bytes of an entry of encoding.json's rejected_receives; of a long one only its beginning is written out."""
    data = bytes.fromhex(entry["hex"] if entry.get("hex") is not None else entry["hex_prefix"])
    return data + data[-1:] * (entry["len"] - len(data))


def rejected_inputs(farm):
    """What stock refuses or stops at, on every queue: dropped with a log line, not answered, noticed by nobody."""
    entries = [(e["name"], rejected_bytes(e)) for e in recording.load_json("encoding.json")["rejected_receives"]]
    farm.start_master()
    start = len(farm.master.text())
    askers = {(queue, name): client.Asker(farm.socket(queue)) for queue in ("slave", "import") for name, _ in entries}
    pushers = [client.Connection(farm.socket(queue), "PUSH") for queue in ("control", "log")]
    for name, data in entries:
        for queue in ("slave", "import"):
            askers[queue, name].tell(data)
        for pusher in pushers:
            pusher.send(data)
    for message in recording.load("rebuild")[:2]:
        if message.to_master:
            honest = client.Asker(farm.socket("import"))
            honest.tell(message.frames[0])
        else:
            equal("rejected.an administrator is answered", honest.answer(), message.value)
    honest.close()
    hello = next(m for m in recording.load("probe-wrong-order") if m.word == "HELLO")
    slave = client.Asker(farm.socket("slave"))
    slave.tell(hello.frames[0])
    check("rejected.a slave is answered", replays.word_of(slave.answer()) == "ACK")
    slave.close()
    pushers[0].send(wire.cbor_encode("HELLO"))
    farm.wait_log(farm.master, "a monitor says HELLO", start=start)
    record = next(m for m in recording.load("logger") if m.word == "LOGPAGE")
    pushers[1].send(record.frames[0])
    farm.wait("the record of a page", lambda: farm.rows("SELECT 1 FROM web_page_hits"))
    check("rejected.monitors and loggers are heard", True)
    equal("rejected.nothing is answered", [key for key, asker in askers.items() if asker.answer(0) is not None], [])
    log = farm.master.text()[start:]
    said = [queue for queue in ("slave", "import", "control", "log") if f"queue {queue}: message" not in log]
    equal("rejected.said for each queue", said, [])
    check("rejected.the log stays short", log.count(" refused: ") < 4 * len(entries), log.count(" refused: "))
    orders = [line for line in log.splitlines() if re.search(r"slave_driver: (kill|sleep|skip|wake) to ", line)]
    equal("rejected.no command is followed", orders, [])
    for connection in [*askers.values(), *pushers]:
        connection.close()
    equal("rejected.the master stops in order", farm.stop_process(farm.master), 0)


def reset(farm, probe):
    """Each was recorded with a database of its own; only those versions are there that the recorded BUILDs name."""
    farm.psql("DELETE FROM packages; DELETE FROM piw.attempts")
    wanted = {tuple(m.data) for m in probe.messages if m.queue == "slave" and m.word == "BUILD"}
    for number, (package, version) in enumerate(sorted(wanted)):
        farm.psql(f"SELECT add_new_package('{package}')")
        farm.psql(f"SELECT add_new_package_version('{package}', '{version}', TIMESTAMP '2024-01-01 00:00:{number:02}')")


def play(farm, name, function):
    probe = Probe(farm, name)
    reset(farm, probe)
    farm.start_master()
    try:
        function(probe)
        running = farm.master.running()
        if name != "built-while-paused":
            check(f"{name}.the master goes on", running)
    except (farms.Failure, replays.Difference, OSError, KeyError, ValueError, IndexError, TypeError) as error:
        check(f"{name}.played", False, f"{type(error).__name__}: {error}")
    probe.close()
    equal(f"{name}.the master stops in order", farm.stop_process(farm.master), 0)


def main():
    if not recording.there():
        score.skip("probes", f"they are not in {recording.FOLDER} (PIW_VECTORS names another folder)")
        return 0
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database(abis=["cp311"])
        farm.master_options = ["--pypi-simple", replays.PYPI_SIMPLE, "--pypi-xmlrpc", "http://127.0.0.1:9/pypi"]
        for name in [name for name in PROBES if name in (sys.argv[1:] or PROBES)]:
            play(farm, name, PROBES[name])
        if not sys.argv[1:] or "rejected" in sys.argv[1:]:
            rejected_inputs(farm)
        if score.failures:
            farm.show_logs()
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
