#!/usr/bin/python3
"""Keys: a slave and a monitor in another network namespace, as on another machine, reach the master over CURVE and no other way;
who has no key, one that is not known, or one that was revoked while it was in use gets nowhere; a build that outlived its master
is claimed by the key that had it; a slave without a key works on at the loopback interface.

TEST-TIMEOUT: 400
"""

import contextlib
import os
import shutil
import subprocess
import sys

import farm as farms
import score
import screen
from score import check

QUEUES = ("slave", "file", "status", "control")


class Elsewhere:
    """A network namespace at the other end of a cable. Addresses are of the networks for measurements (RFC 2544)."""

    def __init__(self, farm):
        self.farm = farm
        self.name = f"piw{os.getpid()}"
        net = f"198.18.{os.getpid() // 64 % 256}.{os.getpid() % 64 * 4}".rsplit(".", 1)
        self.network = f"{net[0]}.{net[1]}/30"
        self.near, self.far = f"{net[0]}.{int(net[1]) + 1}", f"{net[0]}.{int(net[1]) + 2}"
        near = f"pw{os.getpid() % 10 ** 7}"
        for words in (["netns", "add", self.name], ["link", "add", near, "type", "veth", "peer", "name", "far0", "netns", self.name],
                      ["addr", "add", f"{self.near}/30", "dev", near], ["link", "set", near, "up"],
                      ["-n", self.name, "addr", "add", f"{self.far}/30", "dev", "far0"],
                      ["-n", self.name, "link", "set", "far0", "up"], ["-n", self.name, "link", "set", "lo", "up"]):
            subprocess.run(["ip", *words], check=True, capture_output=True)

    @contextlib.contextmanager
    def there(self):
        """What the farm starts meanwhile runs there."""
        drop = self.farm.drop
        self.farm.drop = ["ip", "netns", "exec", self.name, *drop]
        try:
            yield
        finally:
            self.farm.drop = drop

    def close(self):
        subprocess.run(["ip", "netns", "delete", self.name], check=False, capture_output=True)


class Place:
    """A farm whose master listens on plain addresses for this machine, and on encrypted ones for the other."""

    def __init__(self, farm, elsewhere):
        self.farm, self.elsewhere = farm, elsewhere
        self.keys = farm.dir / "keys"
        self.plain = {name: farms.free_port() for name in ("slave", "file")}
        self.curve = {name: farms.free_port() for name in QUEUES}

    def start(self):
        farm = self.farm
        farm.prepare()
        farm.folder("own")
        for name, whom in (("anna", "slave"), ("berta", "slave"), ("eye", "monitor")):
            self.run_keys("make", name, "--for", whom, "-o", farm.dir / "own" / f"{name}.key")
        farm.sections = (f"[auth]\nmethod = curve\nkeys = {self.keys}\n"
                         "allow-slave = [127.0.0.0/8, ::1]\nallow-file = [127.0.0.0/8, ::1]\n"
                         f"allow-slave-curve = {self.elsewhere.network}\n")
        for name, port in self.plain.items():
            farm.master_options += [f"--{name}-queue", f"tcp://*:{port}"]
        for name, port in self.curve.items():
            farm.master_options += [f"--{name}-queue-curve", f"tcp://*:{port}"]
        farm.start_postgres()
        farm.create_database()
        farm.start_pypi()
        with self.elsewhere.there():  # pip trusts a loopback interface without TLS: that machine's has the same sources
            farm.start_process("pypi-elsewhere", [farm.program("piw-pypi"), "-c", farm.configuration(), "--dir", farm.dir / "pypi",
                                                  "--port", farm.pypi_url.rsplit(":", 1)[1]])
        (self.keys / "master.key").chmod(0o640)
        done = farm.run(farm.master_args(), check=False)
        check("files.piw-master refuses mode 0640", done.returncode == 1 and "master.key has mode 0640" in done.stderr, done.stderr)
        (self.keys / "master.key").chmod(0o600)
        farm.start_master()

    def run_keys(self, *words, check_code=True):
        return self.farm.run([self.farm.program("piw-keys"), "-c", self.farm.configuration(), "--keys", self.keys, *words],
                             check=check_code)

    def key(self, name):
        return self.farm.dir / "own" / f"{name}.key"

    def address(self, queue, plain=False):
        return f"tcp://{self.elsewhere.near}:{(self.plain if plain else self.curve)[queue]}"

    def slave(self, name, key=None, plain=False):
        """A slave on the other machine."""
        with self.elsewhere.there():
            return self.farm.start_slave(name, "--slave-queue", self.address("slave", plain), "--file-queue",
                                         self.address("file", plain), *(["--key", self.key(key)] if key else []))

    def monitor(self, key):
        with self.elsewhere.there():
            args = [*self.farm.drop, self.farm.program("piw-monitor"), "-c", self.farm.configuration(), "--status-queue",
                    self.address("status"), "--control-queue", self.address("control"), "--key", self.key(key)]
        return screen.Terminal(args, {**self.farm.env, "TERM": "xterm-256color"}, 24, 80, farms.PATIENCE)

    def known(self, label):
        """Has the master welcomed a slave of this label?"""
        return f": {label} at " in self.farm.master.text()

    def builds(self, package):
        return self.farm.value(f"SELECT count(*) FROM builds WHERE package = '{package}' AND status") != "0"

    def release(self, package, until=None):
        """A new package with a wheel in it for whoever builds it; the build waits until there is a file."""
        farm = self.farm
        wait = f"import os, time\nwhile not os.path.exists('{until}'): time.sleep(0.1)\n" if until else ""
        farms.make_sdist(farm.dir / "pypi", package, "1.0", {
            "setup.py": f"{wait}from setuptools import setup\nsetup(name='{package}', version='1.0', py_modules=['{package}'])\n",
            f"{package}.py": "x = 1\n"})
        farm.wait(f"{package} to be queued",
                  lambda: farm.value(f"SELECT count(*) FROM piw.queue WHERE package = '{package}'") != "0")


def check_files(place):
    """What piw-keys makes, lists and refuses."""
    farm = place.farm
    for path in (place.keys / "master.key", place.keys / "anna.pub", place.key("anna")):
        check(f"files.mode of {path.name}", path.stat().st_mode & 0o7777 == 0o600, oct(path.stat().st_mode))
    check("files.folder", place.keys.stat().st_mode & 0o7777 == 0o700, oct(place.keys.stat().st_mode))
    check("files.public half alone", "secret" not in (place.keys / "anna.pub").read_text())
    listed = place.run_keys("list").stdout
    check("files.list", [line.split()[:3] for line in listed.splitlines()] ==
          [["anna", "slave", "file"], ["berta", "slave", "file"], ["eye", "status", "control"]], listed)
    for name, words, says in (("again", ("make", "anna"), "there is a key anna already"), ("no name", ("make",), "needs a name"),
                              ("bad name", ("make", "../x"), "can't be the name of a key"),
                              ("unknown", ("revoke", "carla"), "there is no key carla"),
                              ("nonsense", ("mend", "anna"), "none of make, list and revoke")):
        done = place.run_keys(*words, check_code=False)
        check(f"files.{name}", done.returncode != 0 and says in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr)
    place.key("open").write_bytes(place.key("anna").read_bytes())
    place.key("open").chmod(0o644)
    farm.own(place.key("open"))
    for program, more in (("piw-slave", []), ("piw-monitor", [])):
        done = farm.run([farm.program(program), "-c", farm.configuration(), "--key", place.key("open"), *more], check=False)
        check(f"files.{program} refuses mode 0644", done.returncode == 1 and "mode 0644" in done.stderr and
              "chmod 600" in done.stderr, done.stderr)


def check_outside(place):
    """Nobody gets in without a key that is known."""
    farm, start = place.farm, len(place.farm.master.text())
    shutil.copytree(place.keys, farm.dir / "other")
    (farm.dir / "other" / "anna.pub").unlink()
    for path in (farm.dir / "other", *(farm.dir / "other").iterdir()):
        farm.own(path)
    farm.run([farm.program("piw-keys"), "-c", farm.configuration(), "--keys", farm.dir / "other", "make", "stranger", "-o",
              place.key("stranger")])
    slaves = [place.slave("plain-address", plain=True), place.slave("no-key"), place.slave("unknown", "stranger"),
              place.slave("monitor-key", "eye")]
    farm.wait_log(farm.master, rf"queue slave: connection from {place.elsewhere.far} refused: it is in none", start=start)
    farm.wait_log(farm.master, rf"queue slave-curve: connection from {place.elsewhere.far} refused: its key is not known",
                  start=start)
    farm.wait_log(slaves[2], r"refuses the key stranger")
    farm.wait_log(slaves[3], r"refuses the key eye")
    farm.wait_log(slaves[1], r"can't reach the master at .*: .* with keys")
    for slave in slaves:
        check(f"outside.{slave.name} gets nowhere", not place.known(slave.name), farm.master.text())
        farm.stop_process(slave)


def check_inside(place):
    """A slave with its key builds; a monitor with its own sees and steers."""
    farm = place.farm
    anna = place.slave("anna", "anna")
    farm.wait_log(farm.master, r": anna at key anna builds for")
    place.release("first")
    farm.wait("a wheel of the slave with a key", lambda: place.builds("first"), 180)
    check("inside.a wheel is built", farm.wait("the wheel", lambda: list((farm.www / "simple" / "first").glob("*.whl"))))
    with place.monitor("eye") as monitor:
        check("inside.the monitor shows the farm", monitor.wait(r" anna ", 30) is not None, monitor.text())
        monitor.send("p")
        check("inside.the monitor steers the farm", monitor.wait(r" paused, \d slave", 30) is not None, monitor.text())
        monitor.send("r")
        check("inside.the farm goes on", monitor.wait(r" paused, \d slave", 30, True) is not None, monitor.text())
        start = len(farm.master.text())
        place.run_keys("revoke", "eye")
        check("inside.a monitor whose key is revoked is shut out",
              farm.wait_log(farm.master, r"queue status-curve: connection from \S+ refused: its key", start=start))
    with place.monitor("anna") as monitor:
        farm.wait_log(farm.master, r"queue status-curve: connection from \S+ refused: its key")
        check("inside.a slave's key shows nothing", monitor.find(" anna ") is None, monitor.text())
    return anna


def check_claims(place):
    """The master is killed while a slave builds: by the key that had the build it is claimed from the next, and by no other."""
    farm = place.farm
    for package, whose, says in (("third", "anna", "goes on with"), ("fourth", "berta", "can't go on with")):
        until = farm.dir / "tmp" / f"go-{package}"
        running = f"FROM piw.attempts WHERE package = '{package}' AND state = 'running'"
        place.release(package, until)
        farm.wait(f"{package} to be built", lambda: farm.rows(f"SELECT 1 {running}"))
        noted = farm.value(f"SELECT address {running}")
        check(f"claims.the key of {package} is noted", noted == "key anna", noted)
        start = len(farm.master.text())
        farm.master.kill()
        farm.psql(f"UPDATE piw.attempts SET address = 'key {whose}' WHERE package = '{package}' AND state = 'running'")
        farm.restart_master()
        told = farm.wait_log(farm.master, rf"slave \d+, before \d+, (.*) {package} 1\.0", start=start).group(1)
        check(f"claims.what {whose} built anna {says}", told == says, told)
        until.touch()
    farm.wait("the wheel of what was claimed", lambda: place.builds("third"), 180)
    lost = farm.value("SELECT count(*) FROM piw.attempts WHERE package = 'third' AND state = 'void'")
    check("claims.it was built once", farm.value("SELECT count(*) FROM builds WHERE package = 'third'") == "1", lost)


def check_revoked(place, anna):
    """While it runs: the slave loses its connection, and builds nothing more. One on this machine, without a key, does."""
    farm, start, heard = place.farm, len(place.farm.master.text()), len(anna.text())
    place.run_keys("revoke", "anna")
    farm.wait_log(farm.master, r"queue slave: key anna \(peer \d+\) was revoked", start=start)
    farm.wait_log(anna, r"refuses the key anna", start=heard)
    place.release("second")
    plain = farm.start_slave("stock-like", "--slave-queue", f"tcp://127.0.0.1:{place.plain['slave']}", "--file-queue",
                             f"tcp://127.0.0.1:{place.plain['file']}", "--codec", "cbor")
    farm.wait("a wheel of the slave without a key", lambda: place.builds("second"), 180)
    check("revoked.the others build on", place.known("stock-like"))
    check("revoked.it is given nothing", "building second" not in anna.text(), anna.text())
    farm.stop_process(anna)
    farm.stop_process(plain)


def main():
    if os.geteuid() != 0 or shutil.which("ip") is None:
        print("skip curve - a network namespace needs root, and ip (apt package iproute2)")
        return 0
    with farms.Farm() as farm:
        farm.slave_options = ["--sandbox", "no"]  # builds wait for files of the test
        elsewhere = Elsewhere(farm)
        try:
            place = Place(farm, elsewhere)
            place.start()
            check_files(place)
            check_outside(place)
            anna = check_inside(place)
            check_claims(place)
            check_revoked(place, anna)
            check("the master runs", farm.master.running())
        except (farms.Failure, OSError, subprocess.SubprocessError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
            farm.show_logs()
        finally:
            farm.close()
            elsewhere.close()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
