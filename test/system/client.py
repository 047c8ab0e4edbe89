"""Sockets of ZeroMQ's kinds (ZMTP 3.0, NULL) towards a master on ipc:// addresses, frame by frame.

Unlike those of a test that breaks the rules of the wire, these keep them: a thread reads, answers heartbeats and holds what
came until it is asked for, so that a connection may rest as long as a real program's.
"""

import contextlib
import queue
import socket
import struct
import threading

import farm as farms
import wire

GONE = object()


class Connection(wire.Framed):
    """One socket of a kind (REQ, DEALER, PUSH, SUB), connected."""

    def __init__(self, address, kind):
        self.kind = kind
        self.received = queue.Queue()
        self._lock = threading.Lock()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30 * farms.PATIENCE)
        self.socket.connect(address.removeprefix("ipc://"))
        ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind.encode()
        self.socket.sendall(wire.GREETING + bytes([4, len(ready)]) + ready)
        self._exactly(64)
        self._frame()
        self.socket.settimeout(None)
        if kind == "SUB":
            self.send(b"\x01")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        frames = []
        try:
            while True:
                flags, body = self._frame()
                if flags & 4:
                    if body.startswith(b"\x04PING"):
                        self._write(self._packed(4, b"\x04PONG" + body[7:]))
                    continue
                frames.append(body)
                if not flags & 1:
                    self.received.put(frames)
                    frames = []
        except OSError:
            self.received.put(GONE)

    @staticmethod
    def _packed(flags, body):
        head = bytes([flags, len(body)]) if len(body) < 256 else bytes([flags | 2]) + struct.pack(">Q", len(body))
        return head + body

    def _write(self, data):
        with self._lock:
            self.socket.sendall(data)

    def send(self, *frames):
        self._write(b"".join(self._packed(1 if n + 1 < len(frames) else 0, f) for n, f in enumerate(frames)))

    def receive(self, timeout=30):
        """One message's frames; None when none comes in time or the master has gone."""
        try:
            frames = self.received.get(timeout=timeout * farms.PATIENCE)
        except queue.Empty:
            return None
        if frames is GONE:
            self.received.put(GONE)
            return None
        return frames

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Asker(Connection):
    """A REQ socket: messages as (word, data), where data is recording.NONE when there is none."""

    def __init__(self, address):
        super().__init__(address, "REQ")

    def tell(self, *payload):
        self.send(b"", *payload)

    def answer(self, timeout=30):
        """The decoded answer, or None when none comes in time."""
        frames = self.receive(timeout)
        if frames is None:
            return None
        if len(frames) != 2 or frames[0] != b"":
            raise farms.Failure(f"no answer to a REQ socket: {frames!r}")
        return wire.cbor_decode(frames[1])

    def ask(self, message, timeout=30):
        self.tell(wire.cbor_encode(message))
        return self.answer(timeout)


def send_file(address, number, data):
    """A file over the file queue, as the master asks for its pieces."""
    with contextlib.closing(Connection(address, "DEALER")) as peer:
        peer.send(b"HELLO", str(number).encode())
        while (frames := peer.receive(60)) != [b"DONE"]:
            if frames is None:
                raise farms.Failure("the file queue is silent")
            offset, length = int(frames[1]), int(frames[2])
            peer.send(b"CHUNK", frames[1], data[offset:offset + length])
