#!/usr/bin/python3
"""docs/writing-a-task.md does what it says: its files are written, its commands run in its order, against a prefix that
make install has filled, and its lines come from them and in the log of a master that has loaded the task.

Blocks of the page are told by their kind: piw and c are files (the name stands before them), diff changes them, sh is run (and with the
word "fails" ends with an error), out are lines of what was run just before, ini goes into the configuration in the place of the section
of that name, text is waited for in the master's log. … stands for what differs from run to run."""

import re
import subprocess
import sys

import farm as farms
import score
from score import check
from stranger import Stranger

PAGE = farms.ROOT / "docs" / "writing-a-task.md"
INSTALLED = ("bin/piw-idl", "bin/piw-new-task", "lib/libpiw.so", "lib/libpiwproto.a", "lib/pkgconfig/piwheels.pc", "include/piw/plugin.h",
             "include/piwheels/db.piw.h", "share/piwheels/proto/db.piw", "lib/piwheels/plugins/hello.so",
             "share/doc/piwheels/piwheels.conf.example", "share/doc/piwheels/examples/nginx.conf",
             "lib/systemd/system/piwheels-master.service")


def blocks():
    """(kind, text, the file's name that was last named before it) of each block of the page."""
    page = PAGE.read_text(encoding="utf-8")
    for match in re.finditer(r"^```([\w ]+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        names = re.findall(r"`([\w/]+\.(?:c|piw))`[^`]*\n\n$", page[:match.start()])
        yield match.group(1), match.group(2), names[-1] if names else None


def pattern(line):
    return re.escape(line).replace("…", ".*")


class Reader(Stranger):
    """Does what the page says."""

    def __init__(self, farm):
        super().__init__(farm)
        self.said = ""

    def do(self, commands, fails):
        if commands.startswith("piw-master --verbose"):
            self.start_master(commands.strip())
            return
        done = self.run(commands)
        self.said = done.stdout
        name = commands.split("\n", maxsplit=1)[0].split("(")[0]
        if not check(f"sh.{name}", (done.returncode != 0) == fails, done.stdout + done.stderr):
            raise farms.Failure("the page can't be followed further")

    def told(self, lines):
        """What was run said this, in this order, with other lines between."""
        for line in lines.strip().split("\n"):
            found = re.search(rf"(?m)^{pattern(line)}$", self.said)
            check(f"out.{line}", found, self.said)
            self.said = self.said[found.end():] if found else self.said

    def read(self, lines):
        """The master says this, from here on."""
        for line in lines.strip().split("\n"):
            if "3 builds" in line:
                self.let_builds_wait()
            found = self.farm.wait_log(self.master, pattern(line) + "$", 30, self.seen)
            self.seen += found.end()
            check(f"log.{line}", True)

    def let_builds_wait(self):
        if self.farm.rows("SELECT 1 FROM packages WHERE package = 'waiting'"):
            return
        self.farm.psql("INSERT INTO packages (package) VALUES ('waiting')")
        self.farm.psql("INSERT INTO versions (package, version) VALUES ('waiting', '1'), ('waiting', '2'), ('waiting', '3')")

    def change(self, text):
        """A diff without line numbers: each hunk, begun by @@, is a place that is there once."""
        for name, body in re.findall(r"(?ms)^--- a/\S+\n\+\+\+ b/(\S+)\n@@\n(.*?)(?=^--- |\Z)", text):
            for hunk in body.split("@@\n"):
                old = "".join(line[1:] + "\n" for line in hunk.splitlines() if line[0] in " -")
                new = "".join(line[1:] + "\n" for line in hunk.splitlines() if line[0] in " +")
                self.edit(name, old, new)

    def follow(self):
        for kind, text, name in blocks():
            if kind in ("piw", "c"):
                self.write(name, text)
            elif kind == "diff":
                self.change(text)
            elif kind in ("sh", "sh fails"):
                self.do(text, kind != "sh")
            elif kind == "out":
                self.told(text)
            elif kind == "ini":
                self.configuration(text)
            elif kind == "text":
                self.read(text)
            else:
                raise farms.Failure(f"a block of the page is of a kind that nobody knows: {kind}")


def run(farm):
    farm.prepare()
    reader = Reader(farm)
    reader.install()
    for name in INSTALLED:
        check(f"installed.{name}", (reader.prefix / name).is_file(), "isn't there")
    farm.start_postgres()
    farm.create_database()
    farm.start_pypi()
    reader.configure()
    reader.follow()
    text = reader.master.text()
    check("it warns once, until it begins anew", text.split("began anew", 1)[0].count("more than 2") == 1, text)
    check("end.master", farm.stop_process(reader.master) == 0, text[-600:])


def main():
    if farms.SANITIZED:
        score.skip("the page", "what a reader has installed is the plain build")
        return score.code()
    with farms.Farm() as farm:
        try:
            run(farm)
        except (farms.Failure, OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
            check("the page", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
