"""Somebody who has nothing but what make install leaves: an empty folder, and a farm whose master runs from there."""

import os
import pathlib
import re
import subprocess

import farm as farms
from score import check


class Stranger:
    """Works as the farm's user in folders of the farm."""

    def __init__(self, farm):
        self.farm = farm
        self.prefix = farm.dir / "usr"
        self.home = farm.folder("home")
        self.cwd = farm.folder("stranger")
        self.master = None
        self.seen = 0  # of the master's log
        self.env = {"PATH": f"{self.prefix}/bin:/usr/bin:/bin", "HOME": str(self.home),
                    "PKG_CONFIG_PATH": f"{self.prefix}/lib/pkgconfig",
                    "ASAN_OPTIONS": "detect_leaks=0"}  # piw-idl ends with its parse trees still in memory, which is no leak

    def install(self):
        """make install into an empty prefix; nothing is built for it."""
        env = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
        done = subprocess.run(["make", "--no-print-directory", "-s", "install", f"B={farms.BUILD}", f"PREFIX={self.prefix}",
                               f"VARIANT={os.environ.get('VARIANT') or 'plain'}"], cwd=farms.ROOT, env=env,
                              capture_output=True, text=True, timeout=240, check=False)
        if not check("make install", done.returncode == 0, done.stderr):
            raise farms.Failure("nothing is installed")
        for path in [self.prefix, *self.prefix.rglob("*")]:
            self.farm.own(path)

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
        """Sections, in the place of those of the same names."""
        path = self.home / ".config" / "piwheels" / "piwheels.conf"
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text("utf-8") if path.exists() else ""
        for name in re.findall(r"(?m)^\[.*\]$", text):
            before = re.sub(rf"(?ms)^{re.escape(name)}\n.*?(?=^\[|\Z)", "", before)
        path.write_text(before + text, encoding="utf-8")
        path.chmod(0o644)

    def start_master(self, command="piw-master --verbose"):
        self.master = self.farm.start_process("master", ["sh", "-c", f"exec {command}"], env=self.env, cwd=self.cwd, stop_s=40)
        return self.master

    def write(self, name, text):
        path = self.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.farm.own(path)

    def edit(self, name, old, new):
        """One place of a file."""
        text = (self.cwd / name).read_text("utf-8")
        if text.count(old) != 1:
            raise farms.Failure(f"{name} has {text.count(old)} times: {old}")
        self.write(name, text.replace(old, new))

    def run(self, commands):
        """A block of commands, in the folder where the one before has ended; the process that has ended, with all that it said."""
        done = self.farm.run(["sh", "-e", "-c", f"exec 2>&1; trap 'pwd' EXIT; {commands}"], env=self.env, cwd=self.cwd,
                             check=False, timeout=60)
        said, _, cwd = done.stdout.rstrip("\n").rpartition("\n")
        self.cwd = pathlib.Path(cwd)
        done.stdout = said
        return done
