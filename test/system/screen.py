"""A program on a terminal of its own: a pty, and what an xterm would show of what it writes.

    with Terminal(args, env, rows=24, columns=80) as terminal:
        terminal.wait("a line with this")
        terminal.send("q")
"""

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unicodedata

PIECE = re.compile(r"\x1b\[([?<=>]?)([0-9;]*)([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()*+].|\x1b([^\[\]()*+])|([\x00-\x1f])"
                   r"|([^\x00-\x1f\x1b])", re.DOTALL)
UNFINISHED = re.compile(r"\x1b(\[[0-9;?<=>]*|\][^\x07\x1b]*|[()*+])?$")


class Screen:
    """Cells of a terminal; knows what ncurses sends to an xterm."""

    def __init__(self, rows, columns):
        self.rest = ""
        self.unknown = []
        self.resize(rows, columns)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.top, self.bottom = 0, rows - 1
        self.last = " "

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def feed(self, text):
        text = self.rest + text
        cut = UNFINISHED.search(text)
        self.rest = text[cut.start():] if cut else ""
        for match in PIECE.finditer(text[:cut.start()] if cut else text):
            kind, numbers, final, escape, control, character = match.groups()
            if character:
                self.put(character)
            elif control:
                self.control(control)
            elif escape:
                self.escape(escape)
            elif final and not kind:
                self.sequence([int(n) if n else 0 for n in numbers.split(";")], final)

    def put(self, character):
        if unicodedata.combining(character):
            if self.column > 0:
                self.cells[self.row][self.column - 1] += character
            return
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if self.column + width > self.columns:
            self.column = 0
            self.down()
        self.last = character
        self.cells[self.row][self.column] = character
        if width == 2:
            self.cells[self.row][self.column + 1] = ""
        self.column += width

    def down(self):
        if self.row == self.bottom:
            self.scroll(self.top, 1)
        else:
            self.row = min(self.row + 1, self.rows - 1)

    def scroll(self, top, count):
        """Lines between top and the margin move up, or down when count is negative."""
        for _ in range(min(abs(count), self.rows)):
            if count > 0:
                del self.cells[top]
                self.cells.insert(self.bottom, [" "] * self.columns)
            else:
                del self.cells[self.bottom]
                self.cells.insert(top, [" "] * self.columns)

    def control(self, code):
        if code == "\n":
            self.down()
        elif code == "\r":
            self.column = 0
        elif code == "\b":
            self.column = max(0, self.column - 1)
        elif code == "\t":
            self.column = min(self.columns - 1, self.column // 8 * 8 + 8)

    def escape(self, code):
        if code == "M":
            if self.row == self.top:
                self.scroll(self.top, -1)
            else:
                self.row -= 1
        elif code == "D":
            self.down()

    def sequence(self, numbers, final):
        # pylint: disable=too-many-branches
        n = max(1, numbers[0])
        line = self.cells[self.row]
        if final in "Hf":
            self.row = min(n, self.rows) - 1
            self.column = min(max(1, numbers[1] if len(numbers) > 1 else 1), self.columns) - 1
        elif final == "A":
            self.row = max(0, self.row - n)
        elif final in "Be":
            self.row = min(self.rows - 1, self.row + n)
        elif final in "Ca":
            self.column = min(self.columns - 1, self.column + n)
        elif final == "D":
            self.column = max(0, self.column - n)
        elif final in "G`":
            self.column = min(n, self.columns) - 1
        elif final == "d":
            self.row = min(n, self.rows) - 1
        elif final == "K":
            span = {0: range(self.column, self.columns), 1: range(min(self.column + 1, self.columns))}
            for i in span.get(numbers[0], range(self.columns)):
                line[i] = " "
        elif final == "J":
            first, last = {0: (self.row + 1, self.rows), 1: (0, self.row)}.get(numbers[0], (0, self.rows))
            for row in range(first, last):
                self.cells[row] = [" "] * self.columns
            if numbers[0] < 2:
                self.sequence([numbers[0]], "K")
        elif final == "X":
            for i in range(self.column, min(self.column + n, self.columns)):
                line[i] = " "
        elif final == "@":
            line[self.column:] = ([" "] * n + line[self.column:])[:self.columns - self.column]
        elif final == "P":
            line[self.column:] = (line[self.column + n:] + [" "] * n)[:self.columns - self.column]
        elif final == "L":
            self.scroll(self.row, -n)
        elif final == "M":
            self.scroll(self.row, n)
        elif final == "S":
            self.scroll(self.top, n)
        elif final == "T":
            self.scroll(self.top, -n)
        elif final == "b":
            for _ in range(n):
                self.put(self.last)
        elif final == "r":
            self.top = n - 1
            self.bottom = (numbers[1] if len(numbers) > 1 and numbers[1] else self.rows) - 1
            self.row = self.column = 0
        elif final not in "mhltnc":
            self.unknown.append(final)


class Terminal:
    """A program with such a screen."""

    def __init__(self, args, env, rows=24, columns=80, patience=1):
        self.patience = patience
        self.leader, follower = pty.openpty()
        self.screen = Screen(rows, columns)
        self.raw = b""
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")  # what is read may end inside of a character
        self._set_size(follower, rows, columns)
        self.before = termios.tcgetattr(follower)
        # pylint: disable-next=consider-using-with,subprocess-popen-preexec-fn
        self.process = subprocess.Popen([*map(str, args)], stdin=follower, stdout=follower, stderr=follower, env=env, cwd="/",
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(follower)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        os.close(self.leader)

    @staticmethod
    def _set_size(fd, rows, columns):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, timeout):
        """What has come within the time; False: the program has closed its terminal."""
        if not select.select([self.leader], [], [], timeout)[0]:
            return True
        try:
            data = os.read(self.leader, 65536)
        except OSError:
            return False
        self.raw += data
        self.screen.feed(self.decoder.decode(data))
        return bool(data)

    def lines(self):
        return self.screen.lines()

    def text(self):
        return "\n".join(self.lines())

    def find(self, pattern):
        """(row, column) of the first match, or None."""
        for number, line in enumerate(self.lines()):
            match = re.search(pattern, line)
            if match:
                return number, match.start()
        return None

    def wait(self, pattern, timeout=20, gone=False):
        """Until a line matches, or none does; its place, or None after the time."""
        until = time.monotonic() + timeout * self.patience
        while time.monotonic() < until:
            found = self.find(pattern)
            if (found is None) == gone:
                return found or True
            if not self.read(0.1) and self.process.poll() is not None:
                return None
        return None

    def send(self, keys):
        os.write(self.leader, keys.encode())

    def click(self, row, column, button=0):
        """Button 64 and 65 are the wheel."""
        for final in "Mm":
            self.send(f"\x1b[<{button};{column + 1};{row + 1}{final}")

    def choose(self, label, tries=10):
        """Click the row that holds the label until it is the chosen one: rows move while others come and go. Its place."""
        for _ in range(tries):
            place = self.wait(rf" {label} ")
            if place is None:
                return None
            self.click(*place)
            chosen = self.wait(rf"^>.* {label} ", 2)
            if chosen:
                return chosen
        return None

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        self._set_size(self.leader, rows, columns)

    def end(self, number=None, timeout=20):
        """Its exit code, after a signal if one is given; None: it goes on."""
        if number is not None:
            self.process.send_signal(signal.Signals(number))
        until = time.monotonic() + timeout * self.patience
        while time.monotonic() < until and self.process.poll() is None:
            self.read(0.1)
        while self.process.poll() is not None and select.select([self.leader], [], [], 0)[0] and self.read(0):
            pass
        return self.process.poll()

    def restored(self):
        """Is the terminal as it was found?"""
        return termios.tcgetattr(self.leader) == self.before
