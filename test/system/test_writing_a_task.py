#!/usr/bin/python3
"""docs/writing-a-task.md does what it says: its files are written, its commands run in its order, against a prefix that
make install has filled, and its lines come in the log of a master that has loaded the task.

Blocks of the page are told by their kind: piw and c are files (the name stands before them), sh is run, ini goes into the
configuration, text is waited for in the master's log."""

import os
import pathlib
import re
import subprocess
import sys

import farm as farms
import score
from score import check

PAGE = farms.ROOT / "docs" / "writing-a-task.md"


def blocks():
    """(kind, text, the file's name that was last named before it) of each block of the page."""
    page = PAGE.read_text(encoding="utf-8")
    for match in re.finditer(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        names = re.findall(r"`(\w+\.(?:c|piw))`:\n\n$", page[:match.start()])
        yield match.group(1), match.group(2), names[-1] if names else None


class Reader:
    """Somebody who does what the page says."""

    def __init__(self, farm):
        self.farm = farm
        self.prefix = farm.dir / "usr"
        self.home = farm.folder("home")
        self.cwd = farm.folder("reader")
        self.master = None
        self.seen = 0
        self.env = {"PATH": f"{self.prefix}/bin:/usr/bin:/bin", "HOME": str(self.home),
                    "PKG_CONFIG_PATH": f"{self.prefix}/lib/pkgconfig"}

    def install(self):
        """make install into an empty prefix; nothing is built for it."""
        env = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
        done = subprocess.run(["make", "--no-print-directory", "-s", "install", f"B={farms.BUILD}", f"PREFIX={self.prefix}",
                               f"VARIANT={os.environ.get('VARIANT', 'plain')}"], cwd=farms.ROOT, env=env,
                              capture_output=True, text=True, timeout=240, check=False)
        if not check("make install", done.returncode == 0, done.stderr):
            raise farms.Failure("nothing is installed")
        for path in [self.prefix, *self.prefix.rglob("*")]:
            self.farm.own(path)
        for name in ("bin/piw-idl", "lib/libpiw.so", "lib/libpiwproto.a", "lib/pkgconfig/piwheels.pc", "include/piw/plugin.h",
                     "include/piwheels/db.piw.h", "share/piwheels/proto/db.piw", "lib/piwheels/plugins/hello.so",
                     "share/doc/piwheels/piwheels.conf.example", "share/doc/piwheels/examples/nginx.conf",
                     "lib/systemd/system/piwheels-master.service"):
            check(f"installed.{name}", (self.prefix / name).is_file(), "isn't there")

    def configure(self):
        """A master of this farm, where masters look for their configuration."""
        farm = self.farm
        lines = ["[master]", f"dsn = {farm.dsn()}", f"output-path = {farm.www}", f"pypi-xmlrpc = {farm.pypi_url}/pypi",
                 f"pypi-simple = {farm.pypi_url}/simple", f"pypi-json = {farm.pypi_url}/pypi"]
        queues = ("status", "control", "import", "log", "slave", "file", "admin")
        lines += [f"{name}-queue = {farm.socket(name)}" for name in queues]
        lines += ["[ctl]", f"admin-queue = {farm.socket('admin')}", ""]
        self.configuration("\n".join(lines))

    def configuration(self, text):
        path = self.home / ".config" / "piwheels" / "piwheels.conf"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)
        path.chmod(0o644)

    def do(self, commands):
        """A block of commands, in the folder where the one before has ended."""
        if commands.startswith("piw-master --verbose"):
            self.master = self.farm.start_process("master", ["sh", "-c", f"exec {commands.strip()}"], env=self.env, cwd=self.cwd,
                                                  stop_s=40)
            return
        # piw-idl ends with its parse trees still in memory, which is no leak.
        done = self.farm.run(["sh", "-e", "-c", commands + "pwd"], env={**self.env, "ASAN_OPTIONS": "detect_leaks=0"},
                             cwd=self.cwd, check=False, timeout=60)
        name = commands.split("\n", maxsplit=1)[0].split("(")[0]
        if not check(f"sh.{name}", done.returncode == 0, done.stdout + done.stderr):
            raise farms.Failure("the page can't be followed further")
        self.cwd = pathlib.Path(done.stdout.strip().split("\n")[-1])

    def read(self, lines):
        """The master says this, from here on."""
        for line in lines.strip().split("\n"):
            if "3 builds" in line:
                self.let_builds_wait()
            found = self.farm.wait_log(self.master, re.escape(line) + "$", 30, self.seen)
            self.seen += found.end()
            check(f"log.{line}", True)

    def let_builds_wait(self):
        if self.farm.rows("SELECT 1 FROM packages WHERE package = 'waiting'"):
            return
        self.farm.psql("INSERT INTO packages (package) VALUES ('waiting')")
        self.farm.psql("INSERT INTO versions (package, version) VALUES ('waiting', '1'), ('waiting', '2'), ('waiting', '3')")

    def follow(self):
        for kind, text, name in blocks():
            if "piw-ctl" in text and kind == "sh" and not (self.prefix / "bin" / "piw-ctl").exists():
                score.skip("the swap", "piw-ctl isn't built")
                return
            if kind in ("piw", "c"):
                (self.cwd / name).write_text(text, encoding="utf-8")
                self.farm.own(self.cwd / name)
            elif kind == "sh":
                self.do(text)
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
    farm.start_postgres()
    farm.create_database()
    farm.start_pypi()
    reader.configure()
    reader.follow()
    text = reader.master.text()
    check("it warns once", text.count("more than 2") == 1, text[-600:])
    check("end.master", farm.stop_process(reader.master) == 0, text[-600:])


def main():
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
