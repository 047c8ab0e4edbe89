#!/usr/bin/python3
"""The master's side of the recorded log, status and control queues, played to piw-logger and piw-monitor in CBOR: what they say
must be, byte for byte, what stock programs said. Of the monitor's HELLOs only the first is one of its own making:
the recorded later ones came from monitors that were started then.
"""

import sys

import clerk
import farm as farms
import recording
import score
import screen
import wire
check, equal = score.check, score.equal


def test_logger(farm):
    lines = recording.load_json("logger-lines.json")
    made = {entry.get("hex") for entry in lines}  # one recorded record came from no line: its agent holds control characters
    wanted = [m.frames for m in recording.load("logger") if m.frames[0].hex() in made]
    equal("logger.recorded", len(wanted), 8)
    path = farm.dir / "log" / "access.log"
    path.write_text("".join(f"{entry['line']}\n" for entry in lines), "utf-8")
    listener = wire.Listener(farm.dir / "s" / "log", b"PULL")
    process = farm.start_process("logger", [farm.program("piw-logger"), "-c", farm.configuration(), "--codec", "cbor",
                                            "--log-queue", farm.socket("log"), path])
    process.expected_end = True
    peer = clerk.accept(listener)
    equal("logger.records", [peer.receive(30 * farms.PATIENCE) for _ in wanted], wanted)
    farm.wait("the end of piw-logger", lambda: not process.running(), alive=False)
    equal("logger.ends", farm.stop_process(process), 0)
    peer.close()
    listener.close()


class Watcher:
    """piw-monitor, its operator, and the master of a recording."""

    def __init__(self, farm, monitor, messages):
        self.monitor, self.messages, self.extra = monitor, messages, 0
        self.labels = {m.data[0]: m.data[3][5] for m in messages if m.word == "SLAVE" and m.data[2] == "HELLO"}
        self.listeners = [wire.Listener(farm.dir / "s" / name, kind) for name, kind in (("status", b"PUB"), ("control", b"PULL"))]
        self.status, self.control = map(clerk.accept, self.listeners)
        equal("monitor.subscribes", self.status.receive(30 * farms.PATIENCE), [b"\x01"])

    def know_all(self):
        """Until the monitor shows what it was told: one slave more, whose row is the last, comes after it."""
        hello = next(m for m in self.messages if m.word == "SLAVE" and m.data[2] == "HELLO")
        self.extra += 1
        label = f"zz-last-{self.extra}"
        about = [*hello.data[3][:5], label, *hello.data[3][6:]]
        self.status.send(wire.cbor_encode(["SLAVE", [1000 + self.extra, *hello.data[1:3], about]]))
        check(f"monitor.{label}", self.monitor.wait(rf" {label} "), self.monitor.text())

    def choose(self, label):
        self.know_all()
        return self.monitor.choose(label)

    def order(self, message):
        """With keys, as an operator does who wants this."""
        keys = {"SLEEP": "p", "WAKE": "r", "SKIP": "s", "KILL": "ky", "QUIT": "ty"}[message.word]
        if message.word in ("SKIP", "KILL") and message.data is None:
            self.monitor.send("a")
            keys = f"{keys[0]}y"
        elif message.word in ("SKIP", "KILL"):
            check(f"monitor.{message.index} chosen", self.choose(self.labels[message.data]), self.monitor.text())
        for key in keys:
            self.monitor.send(key)
            if key != keys[-1]:
                asked = {"QUIT": "Sure"}.get(message.word, f"slave {message.data} " if message.data else "all slaves")
                check(f"monitor.{message.index} asks", self.monitor.wait(asked), self.monitor.text())

    def hear(self):
        """The next word but HELLO, which is said until one of the master's is heard."""
        hello = [wire.cbor_encode("HELLO")]
        frames = hello
        while frames == hello:
            frames = self.control.receive(30 * farms.PATIENCE)
        return frames

    def run(self):
        first = next(n for n, m in enumerate(self.messages) if m.word == "HELLO" and m.queue == "control")
        equal("monitor.HELLO", self.control.receive(30 * farms.PATIENCE), self.messages[first].frames)
        for message in self.messages[first + 1:]:
            if message.queue == "status":
                self.status.send(*message.frames)
            elif message.word != "HELLO":
                self.order(message)
                equal(f"monitor.{message.index} {message.word}", self.hear(), message.frames)

    def close(self):
        for each in (self.status, self.control, *self.listeners):
            each.close()


def test_monitor(farm):
    messages = [m for m in recording.load("monitor") if m.queue in ("status", "control")]
    args = [*farm.drop, farm.program("piw-monitor"), "-c", farm.configuration(), "--codec", "cbor", "--status-queue",
            farm.socket("status"), "--control-queue", farm.socket("control")]
    with screen.Terminal(args, {**farm.env, "TERM": "xterm-256color"}, 24, 80, farms.PATIENCE) as monitor:
        watcher = Watcher(farm, monitor, messages)
        watcher.run()
        monitor.send("q")
        equal("monitor.ends", monitor.end(), 0)
        watcher.close()


def main():
    if not recording.there():
        score.skip("recordings", f"they are not in {recording.FOLDER} (PIW_VECTORS names another folder)")
        return 0
    with farms.Farm() as farm:
        farm.prepare()
        return score.run([test_logger, test_monitor], farm)


if __name__ == "__main__":
    sys.exit(main())
