"""A client of a web server that says exactly what it is told, byte for byte, and sees exactly what comes back."""

import http.client
import select
import socket

import farm as farms

JSON = "application/vnd.pypi.simple.v1+json"
PIP = 'pip/25.1 {"cpu":"armv7l","installer":{"name":"pip","version":"25.1"}}'


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return self.headers.get(name, "")

    def __repr__(self):
        return f"{self.status} {self.headers.items()} {self.body[:200]!r}"


def get(port, path, method="GET", **headers):
    """One request on a connection of its own; names of headers with _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60 * farms.PATIENCE)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for key, value in headers.items():
            connection.putheader(key.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


class Raw:
    """A connection on which bytes are sent as they stand."""

    def __init__(self, port, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60 * farms.PATIENCE)
        self.socket.connect(("127.0.0.1", port))

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)
        return self

    def ask(self, path, *lines):
        return self.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n")

    def answer(self):
        """The next answer on this connection."""
        answer = http.client.HTTPResponse(self.socket)
        answer.begin()
        return Answer(answer.status, answer.headers, answer.read())

    def all(self):
        """What comes until the other side ends it."""
        got = []
        try:
            while piece := self.socket.recv(1 << 20):
                got.append(piece)
        except ConnectionResetError:
            pass
        return b"".join(got)

    def ended(self):
        """Has the other side ended it, with nothing more to be read?"""
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1 << 16) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self.socket.settimeout(60 * farms.PATIENCE)

    def reset(self):
        """Has the other side thrown it away, with all that was still on its way?"""
        poll = select.poll()
        poll.register(self.socket, 0)
        return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))

    def close(self):
        self.socket.close()
