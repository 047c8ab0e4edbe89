"""Slaves that mean harm, from an address of their own (127.0.0.2), beside honest ones that build at a fixed rate.

Intruders speak ZMTP and CBOR by hand, many connections at a time: what they send doesn't depend on what a library allows.
"""

import pathlib
import resource
import select
import socket
import struct
import time

import farm as farms
import load
import wire

HONEST_RATE = 40  # builds a second of all honest slaves together: well below what a slow machine does
READY = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 3) + b"REQ"
OPENING = wire.GREETING + bytes([4, len(READY)]) + READY


def frames(*bodies):
    """One message."""
    return b"".join(bytes([int(n + 1 < len(bodies)), len(body)]) + body if len(body) < 256 else
                    bytes([int(n + 1 < len(bodies)) | 2]) + struct.pack(">Q", len(body)) + body
                    for n, body in enumerate(bodies))


def request(word, data):
    return frames(b"", wire.cbor_encode([word, data]))


def hello(label, abi=load.ABI, busy_timeout=86400):
    return request("HELLO", [("tag", 2001, [0, 10800, 0]), ("tag", 2001, [0, busy_timeout, 0]), abi[2:], abi, "linux_x86_64",
                             label, "Debian GNU/Linux", "12 (bookworm)", "unknown", "unknown"])


def idle():
    return request("IDLE", [("tag", 0, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())), 10 ** 11, 4 * 10 ** 10,
                            8 * 10 ** 9, 6 * 10 ** 9, 10 ** 9, 10 ** 9, 0.5, 48.0])


class Intruder:
    """One connection."""

    def __init__(self, port, source="127.0.0.2"):
        self.heard = b""
        self.ready = False
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0))
        self.socket.sendall(OPENING)

    def say(self, says):
        """After the handshake: libzmq hangs up on who speaks while the admission check looks at him."""
        if not self.ready:
            self.ready = self.hear(b"READY") is not None
        self.heard = b""
        self.socket.sendall(says)

    def hear(self, *words, timeout=30 * farms.PATIENCE):
        """The first of these words that comes; None when the connection or the time ends."""
        until = time.monotonic() + timeout
        while True:
            for word in words:
                if word in self.heard:
                    return word
            if not select.select([self.socket], [], [], max(0, until - time.monotonic()))[0]:
                return None
            piece = self.socket.recv(65536)
            if not piece:
                return None
            self.heard += piece

    def close(self):
        self.socket.close()


def start(farm, versions):
    """A farm whose slave queue is open to other addresses; its port."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65536)), hard))
    port = farms.free_port()
    farm.master_options += ["--slave-queue", f"tcp://127.0.0.1:{port}"]
    load.start(farm, versions, 1)
    return port


class Honest:
    """Ten honest slaves; how many builds a second they do."""

    def __init__(self, farm, port):
        self.farm = farm
        self.load = load.Load(farm, "--slave-queue", f"tcp://127.0.0.1:{port}", "--slaves", "10", "--rate", str(HONEST_RATE),
                              "--fail-percent", "100", "--busy", "0", name="honest")
        self.load.wait_built(HONEST_RATE)
        self.since(self.mark())

    def mark(self):
        return time.monotonic(), self.load.built()

    def since(self, mark):
        """Builds a second since then; over three seconds at least."""
        self.farm.wait("three seconds of building", lambda: time.monotonic() - mark[0] >= 3)
        return (self.load.built() - mark[1]) / (time.monotonic() - mark[0])

    def built(self):
        """What they built, as text: a line for each."""
        return self.load.journal.read_text("utf-8")

    def stop(self):
        self.farm.stop_process(self.load.process)
        return self.load.figures()


def memory_kb(farm):
    status = pathlib.Path(f"/proc/{farm.master.pid}/status").read_text("ascii")
    return int(status.split("VmRSS:")[1].split()[0])
