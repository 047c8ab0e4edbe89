#!/usr/bin/python3
"""What the stock programs were recorded saying is what piw-import, piw-add, piw-remove and piw-rebuild say, byte for byte, to a
master that plays its side of the recordings.
"""

import datetime
import re
import sys

import clerk
import farm as farms
import recording
import score
import wheels
import wire
check, equal = score.check, score.equal

# The command that makes each recorded client's requests: by recording and peer.

DAY = lambda day: f"2024-03-{day:02} 12:00:00"

COMMANDS = {
    "add": {
        1: ["Gold.Imp", "-d", "An imported thing", "-a", "gold_imp"],
        2: ["goldimp", "--description=An imported thing", "--alias=GoldImp"],
        3: ["goldimp", "-d", "New description"],
        4: ["goldskipped", "-d", "d", "-s", "added skipped"],
        5: ["goldskipped", "-d", "d2", "--unskip"],
        6: ["nopackage", "1.0"],
        **{peer: ["goldimp", version, "-r", DAY(day)] for peer, version, day in (
            (7, "1.0", 1), (8, "1.1", 1), (9, "2.0", 2), (10, "3.0", 3), (11, "4.0", 4), (12, "5.0", 5), (13, "6.0", 6),
            (14, "7.0", 7), (15, "8.0", 8), (16, "1.0", 1))},
        17: ["goldimp", "1.0", "-s", "x"],
        18: ["goldimp", "1.0", "--yank"],
        19: ["goldimp", "1.0", "--unyank"],
        20: ["goldimp", "1.0", "--unskip", "-a", "GOLDIMP"],
        21: ["goldimp", "9.0", "--yank"],
        22: ["goldimp", "9.1", "--skip", "known bad"],
        23: ["goldimp", "9.1", "--unskip"],
        24: ["goldimp", "9.2", "--unskip", "--unyank"],
        25: ["raw.Pkg", "-d", "", "--unskip", "-a", "raw_pkg", "-a", "RAW-PKG"],
        26: ["raw.Pkg", "-d", ""],
        30: ["raw.Pkg", "not a version!", "--released", DAY(1)],
    },
    "remove": {
        1: ["nopackage"],
        2: ["goldimp", "99"],
        3: ["goldimp", "9.0", "--yank"],
        4: ["goldimp", "1.0", "--yank"],
        5: ["goldimp", "9.1", "-s", "no good"],
        6: ["goldimp", "1.1", "-b"],
        7: ["goldimp", "9.2", "--builds", "-s", "both"],
        8: ["goldimp", "9.2", "-b", "-s", "all three", "--yank"],
        9: ["goldimp", "1.0", "-s", "s", "--yank"],
        10: ["goldimp", "8.0"],
        11: ["goldskipped", "--skip", "skipping it"],
        12: ["goldskipped", "-b"],
        13: ["goldskipped", "-b", "-s", "again"],
        14: ["goldskipped"],
        15: ["Raw.Pkg", "-b"],
        16: ["Raw.Pkg"],
    },
    "rebuild": {
        1: ["home"],
        2: ["search"],
        3: ["project", "goldcext"],
        4: ["index", "goldcext"],
        5: ["index", "nopackage"],
        6: ["project", "Gold.Pure"],
        7: ["index"],
        8: ["project"],
    },
    "import": {
        1: ["--abi", "cp311"],
        2: [],
        3: ["--abi", "cp27"],
        4: ["--abi", "cp311", "--package-version", "99"],
        5: ["--abi", "cp311", "--package", "nopackage"],
        6: ["--abi", "cp311"],
        7: ["--abi", "cp39"],
        11: ["--abi", "cp27", "--duration", "1s"],
        12: ["--abi", "cp311", "--package-version", "99", "--duration", "1s"],
        13: ["--abi", "cp311", "--package", "nopackage", "--duration", "1s"],
        14: ["--abi", "cp311", "--duration", "1s"],
    },
    "import-armv7l": {1: ["--duration", "1h2m3s", "--output", "output"]},
}
# Requests that no command makes: what our programs say of them at once stands in test_bad_words.
LEFT_OUT = {
    ("add", 27): "a skip and an unskip exclude each other",
    ("add", 28): "the same, and yank and unyank",
    ("add", 29): "the same",
    ("add", 31): "an empty name",
    ("add", 32): "an alias of another name",
    ("import", 8): "SENT before IMPORT",
    ("import", 9): "a failed build",
    ("import", 10): "a build without files",
}
# Whose --released was not given: it is the moment of the call.
NOW = "tag 0 of ADDVER without --released is the moment of the call"


class Differs(Exception):
    """What a program did is not what the recording shows."""


class Play:
    """One client of a recording and the master that was recorded with it."""

    def __init__(self, world, name, messages, peer):
        self.world, self.name, self.peer = world, name, peer
        self.slice = self.own(messages)
        self.request = self.slice[0]
        self.sent_files = {}
        self.transfer = self.program = None

    def own(self, messages):
        """Its messages, and those of the transfers between them."""
        indexes = [m.index for m in messages if m.queue == "import" and m.peer == self.peer]
        return [m for m in messages if min(indexes) <= m.index <= max(indexes) and
                (m.queue == "file" or (m.queue == "import" and m.peer == self.peer))]

    def command(self):
        args = list(COMMANDS[self.name][self.peer])
        if self.request.word != "IMPORT":
            return [f"piw-{self.name}", "-y", *args]
        for state in self.request.data[7]:
            self.sent_files[state[0]] = self.world.wheel(state[0], state[1], requires_python=state[8],
                                                         requires=state[9]["pip"])
        if "output" in args:
            self.world.write("output", self.request.data[6])
        return ["piw-import", "-y", *args, *self.sent_files]

    def wanted(self, payload):
        """The recorded bytes, with what must differ taken from the program: sizes and hashes of the wheels that were
        made for this test (the recorded ones are no valid wheels), and NOW. Our piw-rebuild names projects canonically."""
        value = wire.cbor_decode(self.request.frames[0])
        if self.request.word == "REBUILD" and value[1][1:] == ["Gold.Pure"]:
            value[1][1] = "gold-pure"
        if self.request.word == "IMPORT":
            for state in value[1][7]:
                data = self.sent_files[state[0]].read_bytes()
                state[1:3] = [len(data), wheels.sha256(data)]
        if self.request.word == "ADDVER" and not {"-r", "--released"} & set(COMMANDS[self.name][self.peer]):
            said = wire.cbor_decode(payload)[1][4][2]
            age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.strptime(said, "%Y-%m-%dT%H:%M:%S%z")
            if not 0 <= age.total_seconds() < 60:
                raise Differs(f"{NOW}, not {said}")
            value[1][4] = ("tag", 0, said)
        return wire.cbor_encode(value)

    def hear(self, client, message):
        payload = client.peer.receive(30 * farms.PATIENCE)[1]
        wanted = self.wanted(payload) if message is self.request else message.frames[0]
        if payload != wanted:
            raise Differs(f"{message}: {wire.cbor_decode(payload)} instead of {wire.cbor_decode(wanted)}")

    def data(self, send_index):
        """The wheel that the last SEND before a message named."""
        names = [m.data for m in self.slice if m.word == "SEND" and m.index < send_index]
        return self.sent_files[names[-1]].read_bytes(), self.recorded_size(names[-1])

    def recorded_size(self, name):
        return next(state[1] for state in self.request.data[7] if state[0] == name)

    def file_message(self, message):
        """One message of the file queue: FETCHes are the recorded ones, the last piece as long as our wheel needs."""
        data, recorded = self.data(message.index)
        if message.word == "HELLO":
            self.transfer = clerk.accept(self.world.files)
        if message.word == "FETCH":
            offset, length = int(message.frames[1]), int(message.frames[2])
            length = len(data) - offset if offset + length == recorded else length
            self.transfer.send(b"FETCH", b"%d" % offset, b"%d" % length)
        elif message.word == "DONE":
            self.transfer.send(b"DONE")
        else:
            frames = self.transfer.receive(30 * farms.PATIENCE)
            if message.word == "HELLO" and frames != message.frames:
                raise Differs(f"{message}: {frames}")
            if message.word == "CHUNK":
                offset = int(message.frames[1])
                size = len(message.frames[2]) if message.frames[2] is not None else message.blobs[0]["len"]
                end = len(data) if offset + size == recorded else offset + size
                if frames != [b"CHUNK", message.frames[1], data[offset:end]]:
                    raise Differs(f"{message}: {[frame[:60] for frame in frames]}")

    def go(self):
        """Plays to the end; what the program came to, and the last answer that it was given."""
        self.program = program = self.world.run(*self.command())
        client = self.world.client()
        last = None
        for message in self.slice:
            if message.queue == "file":
                self.file_message(message)
            elif message.to_master:
                self.hear(client, message)
            else:
                client.raw(message.frames[0])
                last = message
                if [m for m in self.slice if m.word == "SEND"][1:2] == [message] and self.peer == 14:
                    return program, client, last  # what comes then is another client's: it has no counterpart
        return program, client, last


def test_recordings(world):
    for name, commands in COMMANDS.items():
        messages = recording.load(name)
        peers = {m.peer for m in messages if m.queue == "import"}
        check(f"{name}.every peer", peers == set(commands) | {p for n, p in LEFT_OUT if n == name}, sorted(peers))
        for peer in sorted(commands):
            play = Play(world, name, messages, peer)
            try:
                program, client, last = play.go()
            except (Differs, OSError, ValueError) as error:
                check(f"{name}.{peer}", False, f"{type(error).__name__}: {error}")
                if play.program is not None:  # it would come back and take the next one's place
                    play.program.popen.kill()
                    play.program.end()
                continue
            if (name, peer) == ("import", 14):
                never_answered(world, program, client)
                continue
            code, out, err = program.end()
            client.peer.close()
            if last.word == "DONE":
                check(f"{name}.{peer}", code == 0 and len(out.splitlines()) >= 1 and err == "", (code, out, err))
            else:
                check(f"{name}.{peer}", code == 1 and len(err.splitlines()) == 1 and
                      (last.data.isupper() or last.data in err), (code, out, err))


def never_answered(world, program, client):
    """A stock master that says SEND again doesn't expect the file: its file queue is silent. Ours gives up in time."""
    peer = clerk.accept(world.files)
    equal("import.14.hello again", peer.receive(30), [b"HELLO", b"0"])
    code, out, err = program.end(60)
    check("import.14.gives up", code == 1 and re.search("goldimp-3.0.*can't be sent: the file queue at .* doesn't answer", err),
          (code, out, err))
    check("import.14.damaged", "came to the master damaged" in err, err)
    peer.close()
    client.peer.close()


def main():
    if not recording.there():
        score.skip("recordings", f"they are not in {recording.FOLDER} (PIW_VECTORS names another folder)")
        return 0
    with farms.Farm() as farm:
        farm.prepare()
        return score.run([test_recordings], clerk.World(farm))


if __name__ == "__main__":
    sys.exit(main())
