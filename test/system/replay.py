"""Plays the client side of a recording against a running master and compares every answer.

Messages are sent in the recorded order, one when the one before has had its effect; what the recording shows coming back
must come back, with these differences and no others:

  slave_id           numbers go on after a restart of the master, so those of the recording stand for those given now
  filesize filehash  of the wheels made for the replay, which take the place of the recorded ones
  FETCH              sizes, order and repeats are the master's choice: every byte must be asked for, 1 MiB at most at a
                     time and 10 requests in flight
  time               the replay doesn't wait as the clients did; where something had to happen at the master meanwhile, it is
                     waited for
"""

import contextlib
import datetime
import re
import threading

import client
import recording
import wheels
import wire

PYPI_SIMPLE = "http://127.0.0.1:18123/simple"  # as the recorded master had it
FETCH_MAX = 1 << 20
FLIGHT_MAX = 10
REPLIES = ("ACK", "SLEEP", "BUILD", "SEND", "DONE", "DIE")  # that monitors see
AGAIN_S = 5  # after so long without an answer a client begins its transfer again
QUIET_S = 0.5  # how long to look that nothing comes


class Difference(Exception):
    """An answer isn't what the recording shows."""


class Store:
    """The wheels that stand for recorded ones: {recorded hash: bytes}, and their names."""

    def __init__(self):
        self.by_name, self.sizes, self.hashes = {}, {}, {}

    def add(self, state):
        """Make the wheel that a recorded file_state tells of."""
        name, size, digest, requires_python, depends = state[0], state[1], state[2], state[8], state[9]
        if digest not in self.hashes:
            data = wheels.make(name, size, requires_python, sorted(depends.get("pip", [])))
            self.by_name[name] = data
            self.hashes[digest] = wheels.sha256(data)
            self.sizes[digest] = len(data)

    @staticmethod
    def hash_of(data):
        return wheels.sha256(data)

    def mapped(self, state):
        """A recorded file_state with the size and hash of our wheel."""
        self.add(state)
        return [state[0], self.sizes[state[2]], self.hashes[state[2]], *state[3:]]


class Transfer:
    """A client's side of the file queue: the conversation as a stock client leads it."""

    def __init__(self, address, slave_id, data, answer=None):
        self.data, self.asked, self.problems = data, bytearray(len(data)), []
        self.answer = answer or (lambda offset, length: data[offset:offset + length])
        self.connection, self.slave_id = client.Connection(address, "DEALER"), slave_id
        self.hello()

    def hello(self):
        self.connection.send(b"HELLO", str(self.slave_id).encode())

    def finish(self, patience=20):
        """Until DONE; what was wrong on the way. After some silence it says HELLO again."""
        silent = 0
        while True:
            frames = self.connection.receive(AGAIN_S)
            if frames is None:
                silent += AGAIN_S
                if silent >= patience:
                    return self.problems + ["no DONE came"]
                self.hello()
                continue
            silent = 0
            if frames == [b"DONE"]:
                break
            self.problems += self.fetched(frames)
        self.connection.close()
        if self.asked.count(0):
            self.problems.append(f"{self.asked.count(0)} bytes were never asked for")
        return self.problems

    def fetched(self, frames):
        if len(frames) != 3 or frames[0] != b"FETCH":
            return [f"{frames!r} isn't FETCH, offset, length"]
        waiting = self.connection.received.qsize()
        offset, length = int(frames[1]), int(frames[2])
        if not (0 <= offset < len(self.data) and 0 < length <= FETCH_MAX and offset + length <= len(self.data)):
            return [f"FETCH {offset} {length} of a file of {len(self.data)} bytes"]
        self.asked[offset:offset + length] = b"\1" * length
        self.connection.send(b"CHUNK", str(offset).encode(), self.answer(offset, length))
        return [f"{waiting + 1} FETCH in flight"] if waiting >= FLIGHT_MAX else []


def damaged_transfer(replay, message):
    """All of the file that was asked for, but not its bytes."""
    recorded = int(message.frames[1])
    data = replay.store.by_name[replay.send_of[recorded]]
    number = replay.numbers.get(recorded, recorded)
    problems = Transfer(replay.farm.socket("file"), number, data, answer=lambda offset, length: bytes(length)).finish()
    if problems:
        raise Difference(f"{message}: {problems[0]}")


class Status:
    """The status queue from a moment on, in order."""

    def __init__(self, farm):
        self.messages = []
        self.connection = client.Connection(farm.socket("status"), "SUB")
        self.control = client.Connection(farm.socket("control"), "PUSH")
        self._lock = threading.Lock()

    def take(self):
        while (frames := self.connection.receive(0)) is not None:
            self.messages.append(wire.cbor_decode(frames[0]))
        return self.messages

    def begin(self, farm):
        """Until it is certain that what the master says from now on arrives; what it said so far, forgotten then."""
        hellos = lambda: sum(m[0] == "HELLO" for m in self.take())
        stats = lambda: any(m[0] == "STATS" for m in self.take())
        asked = 0

        def heard():
            """There are no figures to be told before the database has given its own."""
            nonlocal asked
            if not asked or hellos() == 0 or (hellos() >= asked and not stats()):
                self.control.send(wire.cbor_encode("HELLO"))
                asked += 1
            return hellos() and stats()

        farm.wait("the status queue", heard)
        farm.wait("all answers to HELLO", lambda: hellos() and farm.master.text().count("a monitor says HELLO") >= asked)
        self.drain(farm)
        said = self.messages
        self.messages = []
        return said

    def replies(self, number):
        """How many replies to a slave were shown; a replay shows one again with the same time."""
        return len({str(m[1][1:]) for m in self.take() if m[0] == "SLAVE" and m[1][0] == number and m[1][2] in REPLIES})

    def settle(self, farm, told):
        """Until all that slaves were told is shown: an answer and what monitors see of it take different ways."""
        farm.wait("what slaves were told on the status queue", lambda: all(
            self.replies(number) >= count for number, count in told.items()))

    def drain(self, farm):
        """Until what a HELLO on the control queue calls for has come: all that was said before it is here then."""
        before = sum(m[0] == "HELLO" for m in self.take())
        self.control.send(wire.cbor_encode("HELLO"))
        farm.wait("the end of the status stream", lambda: sum(m[0] == "HELLO" for m in self.take()) > before)
        farm.wait("quiet on the status queue", lambda: self.connection.receive(QUIET_S) is None or self.take() is None)

    def close(self):
        self.connection.close()
        self.control.close()


class Replay:
    """One recording against one master."""

    # pylint: disable=too-many-instance-attributes
    def __init__(self, farm, name, store):
        self.farm, self.store = farm, store
        self.messages = recording.load(name)
        self.numbers = {}    # recorded slave number: ours
        self.askers = {}     # (queue, peer): the connection
        self.pushers = {}    # queue: the connection
        self.transfers = {}  # peer of the file queue: the transfer
        self.send_of = {}    # recorded slave number: the file it was last asked for
        self.instead = {}    # index of a message to the master: what is done in its place
        self.answers = {}    # index of a message from the master: check(replay, message, answer) in place of equality
        self.as_recorded = set()  # indexes of messages whose wheels are sent as they were announced
        self.settle = lambda: None  # called before a monitor speaks
        self.before_quit = lambda: None  # called before the master is told to QUIT
        self.told = {}  # our slave number: how many replies that monitors see
        self.compared = 0

    def deviate(self, index, value, why):
        """Our contract asks for another answer than the recorded one, for a reason; monitors are to see it too."""
        if not why:
            raise ValueError("a deviation needs a reason")
        message = self.messages[index]
        number = self.slave_of(message)
        seen = [m for m in self.messages if m.queue == "status" and m.word == "SLAVE" and
                m.data[0] == number and [m.data[2], m.data[3]] == message.value]
        next_to_it = min(seen, key=lambda m: abs(m.index - index))
        next_to_it.value = ["SLAVE", [*next_to_it.data[:2], *value]]
        message.value = value

    # --- Sending

    def payload(self, message):
        """The bytes to send: the recorded ones, but for slave numbers and wheels."""
        if message.value is None or message.index in self.as_recorded:
            return message.frames[0]
        data = message.data
        if message.word == "BUILT" and data:
            data = [*data[:3], [self.store.mapped(state) for state in data[3]]]
        elif message.word == "IMPORT":
            data = [*data[:7], [self.store.mapped(state) for state in data[7]]]
        elif message.queue == "control" and data is not None:
            data = self.numbers.get(data, data)
        else:
            return message.frames[0]
        return wire.cbor_encode([message.word, data])

    def asker(self, message):
        key = message.queue, message.peer
        if key not in self.askers:
            self.askers[key] = client.Asker(self.farm.socket(message.queue))
        return self.askers[key]

    def order(self, message):
        """A word of a monitor; until the master has heard it, as the recorded one had before its next message came."""
        self.settle()
        if message.word == "QUIT":
            self.before_quit()
            self.farm.master.expected_end = True
        start = len(self.farm.master.text())
        self.push(message)
        who = "all slaves" if message.data is None else f"slave {self.numbers.get(message.data, message.data)}"
        wanted = {"HELLO": "a monitor says HELLO", "QUIT": "a monitor said QUIT"}.get(message.word, f"{message.word.lower()} to {who}")
        self.farm.wait_log(self.farm.master, re.escape(wanted), start=start)

    def push(self, message):
        if message.queue not in self.pushers:
            self.pushers[message.queue] = client.Connection(self.farm.socket(message.queue), "PUSH")
        self.pushers[message.queue].send(self.payload(message))

    def transfer(self, message):
        """The first word of a recorded file conversation: it is led to its end, in our master's order."""
        if message.peer in self.transfers:
            return
        recorded = int(message.frames[1])
        data = self.store.by_name[self.send_of[recorded]]
        self.transfers[message.peer] = transfer = Transfer(self.farm.socket("file"), self.numbers.get(recorded, recorded), data)
        problems = transfer.finish()
        if problems:
            raise Difference(f"{message}: {problems[0]}")
        self.compared += 1

    def send(self, message):
        if message.index in self.instead:
            self.instead[message.index](self, message)
        elif message.queue in ("slave", "import"):
            self.asker(message).tell(self.payload(message), *message.frames[1:])
            if message.word == "BYE":
                number = self.numbers[self.slave_of(message)]
                self.farm.wait_log(self.farm.master, f"slave {number} says BYE")
                self.note(number)
        elif message.queue == "control":
            self.order(message)
        elif message.queue == "log":
            self.push(message)
        elif message.word == "HELLO":
            self.transfer(message)

    # --- Comparing

    def expected(self, message):
        """The recorded answer as it must come from our master."""
        value = message.value
        if message.queue == "slave" and message.word == "ACK":
            return ["ACK", [self.numbers.get(message.data[0]), message.data[1]]]
        return value

    def receive(self, message):
        answer = self.asker(message).answer()
        if message.queue == "slave" and message.word == "ACK" and word_of(answer) == "ACK":
            number = answer[1][0]
            known = self.numbers.setdefault(message.data[0], number)
            if known != number:
                raise Difference(f"{message}: number {number}, not {known} as before")
        if message.word == "SEND" and word_of(answer) == "SEND":
            self.send_of[self.slave_of(message)] = answer[1]
        if message.index in self.answers:
            self.answers[message.index](self, message, answer)
        elif answer != self.expected(message):
            raise Difference(f"{message}: got {answer!r}, wanted {self.expected(message)!r}")
        self.compared += 1
        if message.queue == "slave" and word_of(answer) in REPLIES:
            self.note(self.numbers[self.slave_of(message)])

    def note(self, number):
        self.told[number] = self.told.get(number, 0) + 1

    def slave_of(self, message):
        """The recorded number of the slave that a message is for; importers are all 0."""
        if message.queue == "import":
            return 0
        acks = [m for m in self.messages if m.queue == "slave" and m.peer == message.peer and m.word == "ACK"]
        return acks[0].data[0]

    def run(self, first=0, last=None):
        """The messages from one index to before another."""
        for message in self.messages[first:last]:
            if message.queue == "status" or (message.queue == "file" and not message.to_master):
                continue
            if message.to_master:
                self.send(message)
            else:
                self.receive(message)

    def close(self):
        for connection in [*self.askers.values(), *self.pushers.values()]:
            connection.close()
        for transfer in self.transfers.values():
            with contextlib.suppress(OSError):
                transfer.connection.close()


def word_of(answer):
    return answer if isinstance(answer, str) or answer is None else answer[0]


# --- The status stream -------------------------------------------------------------------------------------------------


def stamps_fit(recorded, ours):
    """The outer times of one slave's messages are of the replay, not those recorded: but where the recording has one time more
    than once (a reply and the STATS before it, HELLO whenever it is said again), so have we, and what is earlier than another
    there isn't later here."""
    theirs, ours = ([datetime.datetime.fromisoformat(text) for text in times] for times in (recorded, ours))
    for b, a in ((b, a) for b in range(len(theirs)) for a in range(b)):
        if theirs[b] == theirs[a] and ours[b] != ours[a]:
            return f"message {b} has another time than message {a}"
        if (theirs[b] > theirs[a] and ours[b] < ours[a]) or (theirs[b] < theirs[a] and ours[b] > ours[a]):
            return f"the times of messages {a} and {b} are the wrong way round"
    return None


# Of STATS: what belongs to the machine and the moment, and differs; the rest are figures of the database.
OF_THE_MACHINE = {0: "timestamp", 11: "disk_size", 12: "disk_free", 13: "mem_size", 14: "mem_free", 15: "swap_size",
                  16: "swap_free", 17: "load_average", 18: "cpu_temp"}
PENDING = 5  # recorded as it was between hand-outs; compared where the replay is at the same point


def figures(stats, without=()):
    return [value for number, value in enumerate(stats) if number not in OF_THE_MACHINE and number not in without]


def without_cp39(value):
    """The recorded database had cp39 too; the replay's has cp311 alone, as vectors/README.md asks."""
    return {key: item for key, item in value.items() if key != "cp39"} if isinstance(value, dict) else value


def compare_master(replay, messages, abis):
    """The master's own HELLO and STATS: shapes, and the figures that stock read when it started, as it does once a minute."""
    recorded = [m for m in replay.messages if m.queue == "status" and m.word == "STATS"]
    stats = [m[1] for m in messages if m[0] == "STATS"]
    problems = [f"HELLO {m[1]!r}" for m in messages if m[0] == "HELLO" and
                wire.shape(m[1]) != [("tag", 0), "str", "str", "str", "str", "str"]]
    if not recorded:
        return problems
    full = recorded[-1].data
    wanted = [value if "cp39" in abis else without_cp39(value) for value in figures(full, [PENDING])]
    if not stats or figures(stats[-1], [PENDING]) != wanted:
        problems.append(f"STATS: got {stats[-1:]!r}, wanted {wanted!r}")
    if any(wire.shape(one) != wire.shape(full) for one in stats):
        problems.append(f"STATS of another shape: {stats!r}")
    return problems


def slave_stream(messages, number):
    return [m[1] for m in messages if m[0] == "SLAVE" and m[1][0] == number]


def compare_status(replay, messages):
    """What monitors were told of each slave: the recorded messages, all of them in their order. STATS of the master itself are
    compared elsewhere, since they come by the clock."""
    recorded = [m.value for m in replay.messages if m.queue == "status"]
    problems = []
    for theirs, ours in replay.numbers.items():
        wanted, got = slave_stream(recorded, theirs), slave_stream(messages, ours)
        expect = [[message, [ours, data[1]] if message == "ACK" else data] for _, _, message, data in wanted]
        found = [[message, data] for _, _, message, data in got]
        if found != expect:
            at = next((n for n, (one, other) in enumerate(zip(found, expect)) if one != other), min(len(found), len(expect)))
            problems.append(f"slave {theirs}, message {at}: got {found[at:at + 2]!r}, wanted {expect[at:at + 2]!r}")
            continue
        problem = stamps_fit([m[1][2] for m in wanted], [m[1][2] for m in got])
        if problem:
            problems.append(f"slave {theirs}: {problem}")
    others = {m[1][0] for m in messages if m[0] == "SLAVE"} - set(replay.numbers.values())
    if others:
        problems.append(f"slaves {sorted(others)} were never here")
    return problems
