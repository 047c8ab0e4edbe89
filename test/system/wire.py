"""Just enough of ZeroMQ's wire protocol (ZMTP 3.0, NULL), CBOR and MessagePack to stand where a master stands, byte by byte.

A Listener is one ROUTER socket: each connection is a Peer, read and answered by hand, so that a test can break any rule.
"""

import contextlib
import datetime
import math
import os
import socket
import struct
import time

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
NODATA = ("nodata",)


class Framed:
    """Reads ZMTP's frames from `socket`, which is whoever's has this in it."""

    socket: socket.socket

    def _exactly(self, count):
        data = bytearray()
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise ConnectionError("the peer has gone")
            data += piece
        return bytes(data)

    def _frame(self):
        flags = self._exactly(1)[0]
        size = struct.unpack(">Q", self._exactly(8))[0] if flags & 2 else self._exactly(1)[0]
        return flags, self._exactly(size)


class Peer(Framed):
    """One connection of the other side's socket."""

    def __init__(self, connection, timeout, kind=b"ROUTER"):
        self.socket = connection
        self.socket.settimeout(timeout)
        self.socket.sendall(GREETING)
        if self._exactly(64)[:1] != b"\xff":
            raise ValueError("no ZMTP greeting")
        ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
        self._send(4, ready)
        flags, body = self._frame()
        if not flags & 4 or not body.startswith(b"\x05READY"):
            raise ValueError("no READY")

    def _send(self, flags, body):
        if len(body) > 255:
            self.socket.sendall(bytes([flags | 2]) + struct.pack(">Q", len(body)) + body)
        else:
            self.socket.sendall(bytes([flags, len(body)]) + body)

    def receive(self, timeout=60):
        """The frames of one message; commands (heartbeats) are answered on the way."""
        until = time.monotonic() + timeout
        frames = []
        while True:
            self.socket.settimeout(max(0.001, until - time.monotonic()))
            flags, body = self._frame()
            if flags & 4:
                if body.startswith(b"\x04PING"):
                    self._send(4, b"\x04PONG" + body[7:])
                continue
            frames.append(body)
            if not flags & 1:
                return frames

    def send(self, *frames):
        for frame in frames[:-1]:
            self._send(1, frame)
        self._send(0, frames[-1])

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.close()


class Listener:
    """A Unix socket that peers connect to, for ipc:// addresses."""

    def __init__(self, path, kind=b"ROUTER"):
        self.path, self.kind = str(path), kind
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o777)
        self.socket.listen(8)

    def accept(self, timeout=60):
        self.socket.settimeout(timeout)
        return Peer(self.socket.accept()[0], timeout, self.kind)

    def close(self):
        self.socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


class Slave:
    """A slave as its master sees it: REQ messages in CBOR."""

    def __init__(self, peer):
        self.peer = peer

    def receive(self, timeout=60):
        """(word, data); data is None when there is none."""
        frames = self.peer.receive(timeout)
        if len(frames) != 2 or frames[0] != b"":
            raise ValueError(f"not a request: {frames!r}")
        message = cbor_decode(frames[1])
        return (message, None) if isinstance(message, str) else tuple(message)

    def answer(self, word, *data):
        """One data item goes as it is; more than one as a tuple."""
        if not data:
            self.raw(cbor_encode(word))
        else:
            self.raw(cbor_encode([word, data[0] if len(data) == 1 else list(data)]))

    def raw(self, payload):
        self.peer.send(b"", payload)

    def ask(self, word, *data, timeout=60):
        self.answer(word, *data)
        return self.receive(timeout)


class Builder:
    """A slave as it speaks to a master at an ipc file: REQ messages in CBOR, answers awaited."""

    STATS = [10 ** 11, 4 * 10 ** 10, 8 * 10 ** 9, 6 * 10 ** 9, 10 ** 9, 10 ** 9, 0.5, 48.0]

    def __init__(self, path, label, abi="cp311", busy_timeout=300, platform="linux_x86_64", board="unknown"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(path))
        self.peer = Peer(connection, 60, kind=b"REQ")
        hello = [("tag", 2001, [0, 10800, 0]), ("tag", 2001, [0, busy_timeout, 0]), abi[2:], abi, platform, label,
                 "Debian GNU/Linux", "12 (bookworm)", board, "unknown"]
        self.builds = False
        self.id = self.say("HELLO", hello)[1][0]

    def say(self, word, data=None):
        """The answer: a word, or a list of word and data."""
        self.peer.send(b"", cbor_encode(word if data is None else [word, data]))
        answer = cbor_decode(self.peer.receive()[1])
        self.builds = answer[0] == "BUILD" or (self.builds and answer == "CONT")
        return answer

    def stats(self, **other):
        names = ("disk_size", "disk_free", "mem_size", "mem_free", "swap_size", "swap_free", "load", "temp")
        values = [other.get(name, value) for name, value in zip(names, self.STATS)]
        return [("tag", 0, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())), *values]

    def idle(self, **other):
        return self.say("IDLE", self.stats(**other))

    def busy(self, **other):
        return self.say("BUSY", self.stats(**other))

    def fail(self, log="it went wrong"):
        """Report that the build has failed."""
        return self.say("BUILT", [False, ("tag", 2001, [0, 1, 0]), log, []])

    def bye(self):
        self.peer.send(b"", cbor_encode("BYE"))

    def close(self):
        self.peer.close()


# --- CBOR: what the queues use -----------------------------------------------------------------------------------

def _head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * size:
            return bytes([major << 5 | code]) + number.to_bytes(size, "big")
    raise ValueError("too large")


def cbor_encode(value):
    # pylint: disable=too-many-return-statements
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(cbor_encode, value))
    if isinstance(value, dict):
        return _head(5, len(value)) + b"".join(cbor_encode(key) + cbor_encode(item) for key, item in value.items())
    if isinstance(value, float):
        return b"\xf9" + struct.pack(">e", value) if math.isinf(value) or math.isnan(value) else \
            b"\xfb" + struct.pack(">d", value)
    if value == NODATA:
        return _head(6, 2002) + b"\xf6"
    if isinstance(value, datetime.timedelta):
        return _head(6, 2001) + cbor_encode([value.days, value.seconds, value.microseconds])
    if isinstance(value, datetime.datetime):
        return _head(6, 0) + cbor_encode(value.isoformat().replace("+00:00", "Z"))
    if isinstance(value, tuple):  # ("tag", number, value)
        return _head(6, value[1]) + cbor_encode(value[2])
    raise TypeError(type(value))


def cbor_decode(data):
    value, end = _decode(data, 0)
    if end != len(data):
        raise ValueError("trailing bytes")
    return value


def _decode(data, at):
    # pylint: disable=too-many-return-statements
    major, low = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        if low == 27:
            return struct.unpack_from(">d", data, at)[0], at + 8
        if low == 25:
            return struct.unpack_from(">e", data, at)[0], at + 2
        return {20: False, 21: True, 22: None}[low], at
    number = low
    if low >= 24:
        size = {24: 1, 25: 2, 26: 4, 27: 8}[low]
        number = int.from_bytes(data[at:at + size], "big")
        at += size
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major == 2:
        return data[at:at + number], at + number
    if major == 3:
        return data[at:at + number].decode(), at + number
    items = []
    for _ in range(1 if major == 6 else number * (2 if major == 5 else 1)):
        item, at = _decode(data, at)
        items.append(item)
    if major == 4:
        return items, at
    if major == 5:
        return dict(zip(items[::2], items[1::2])), at
    return (NODATA if number == 2002 else ("tag", number, items[0])), at


# --- MessagePack: the same values --------------------------------------------------------------------------------

def _sized(value, heads):
    """The head of a text or list: (limit, first byte, bytes of the length), the first that fits."""
    for limit, first, size in heads:
        if value < limit:
            return bytes([first + value]) if size == 0 else bytes([first]) + value.to_bytes(size, "big")
    raise ValueError("too large")


def msgpack_encode(value):
    # pylint: disable=too-many-return-statements
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if value is None:
        return b"\xc0"
    if isinstance(value, int):
        return bytes([value]) if 0 <= value < 128 else b"\xd3" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        raw = value.encode()
        return _sized(len(raw), ((32, 0xa0, 0), (1 << 8, 0xd9, 1), (1 << 16, 0xda, 2), (1 << 32, 0xdb, 4))) + raw
    if isinstance(value, list):
        return _sized(len(value), ((16, 0x90, 0), (1 << 16, 0xdc, 2))) + b"".join(map(msgpack_encode, value))
    if isinstance(value, dict):
        return _sized(len(value), ((16, 0x80, 0),)) + b"".join(msgpack_encode(key) + msgpack_encode(item)
                                                               for key, item in value.items())
    if isinstance(value, datetime.timedelta):
        return b"\xc7\x0c\x02" + struct.pack(">iii", value.days, value.seconds, value.microseconds)
    if isinstance(value, datetime.datetime):
        since = value - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return b"\xc7\x0a\x01" + struct.pack(">qh", since // datetime.timedelta(microseconds=1), 0)
    raise TypeError(type(value))


def msgpack_decode(data):
    """What the import queue answers: a text, or a list of texts."""
    value, end = _unpack(data, 0)
    if end != len(data):
        raise ValueError("trailing bytes")
    return value


def _unpack(data, at):
    first = data[at]
    at += 1
    if first & 0xf0 == 0x90:
        items = []
        for _ in range(first & 15):
            item, at = _unpack(data, at)
            items.append(item)
        return items, at
    size = {0xd9: 1, 0xda: 2, 0xdb: 4}.get(first, 0)
    length = int.from_bytes(data[at:at + size], "big") if size else first & 31
    if not size and first & 0xe0 != 0xa0:
        raise ValueError(f"not expected: {first:#x}")
    at += size
    return data[at:at + length].decode(), at + length


def shape(value):
    """The types of a decoded value, so that two messages can be compared whatever their contents."""
    if isinstance(value, list):
        return [shape(item) for item in value]
    if isinstance(value, tuple):
        return tuple(shape(item) if isinstance(item, list) else item for item in value[:2])
    return type(value).__name__
