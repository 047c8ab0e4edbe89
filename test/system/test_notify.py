#!/usr/bin/python3
"""What the task notify tells, to a web server that is there, is away, or refuses: a watched package that fails and builds again, slaves
that are lost or asleep, a disk that runs low, a master that was started again; signed, in order, and still there after the
master and the task were killed or swapped.

TEST-TIMEOUT: 300
"""

import contextlib
import hashlib
import hmac
import http.server
import json
import shutil
import sys
import threading

import client
import farm as farms
import score
from score import check, equal
import wire

ABI = "cp311"
SECRET = b"known to two"


class Receiver(http.server.ThreadingHTTPServer):
    """Somebody's web server; `answers` with this status."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Hook)
        self.answers, self.notices, self.wrong, self.tries = 200, [], [], 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class Hook(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signed = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        if self.headers["X-Piwheels-Signature"] != signed or self.headers["Content-Type"] != "application/json":
            self.server.wrong.append(dict(self.headers))
        self.server.tries += 1
        if self.server.answers == 200:
            self.server.notices.append(json.loads(body))
        self.send_response(self.server.answers)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args):
        """Nothing."""


class Told:
    def __init__(self, farm):
        self.farm, self.receiver = farm, Receiver()

    def comes(self, test, event, **fields):
        """A notice with these fields that comes, or has come."""
        def there():
            return [notice for notice in self.receiver.notices
                    if notice["event"] == event and all(notice.get(key) == value for key, value in fields.items())]
        try:
            found = self.farm.wait(test, there)
            return check(test, len({notice["id"] for notice in found}) == 1, found)
        except farms.Failure:
            return check(test, False, self.receiver.notices)

    def tried(self, more):
        """Until it was tried so often more."""
        wanted = self.receiver.tries + more
        self.farm.wait("tries", lambda: self.receiver.tries >= wanted)


def ctl(farm, *words):
    return farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), *words])


def add_version(farm, package, version):
    farm.psql(f"SELECT add_new_package('{package}'); "
              f"SELECT add_new_package_version('{package}', '{version}', TIMESTAMP '2024-03-01 12:00:00');")


def build(farm, slave, package, version, good):
    add_version(farm, package, version)
    said = farm.wait("a build", lambda: (lambda said: said if said[0] == "BUILD" else None)(slave.idle()))
    equal(f"{package} {version} is given out", said[1][:2], [package, version])
    slave.say("BUILT", [good, ("tag", 2001, [0, 5, 0]), "its log\n", []])
    slave.builds = False


def new_slave(farm, label):
    return wire.Builder(farm.dir / "s" / "slave", label, ABI)


def test_packages(told):
    farm = told.farm
    slave = new_slave(farm, "steady")
    for version, package, good in (("1.0", "watched-one", True), ("1.0", "unwatched", False), ("1.1", "watched-one", False),
                                   ("1.2", "watched-one", False), ("1.3", "watched-one", True)):
        build(farm, slave, package, version, good)
    told.comes("package.fails", "package_fails", package="watched-one", version="1.1", abi=ABI,
               text=f"watched-one 1.1 fails for {ABI}")
    told.comes("package.builds again", "package_builds", package="watched-one", version="1.3")
    events = [notice for notice in told.receiver.notices if "package" in notice]
    equal("package.once each, and no other's", len(events), 2)
    slave.bye()
    slave.close()


def test_slaves(told):
    farm = told.farm
    asleep, lost = new_slave(farm, 'a "sleeper"'), new_slave(farm, "a lost one")
    lost.idle()
    numbers = asleep.id
    with contextlib.closing(farm_control(farm)) as control:
        control.send(wire.cbor_encode(["SLEEP", numbers]))
        farm.wait("SLEEP", lambda: asleep.idle() == ["SLEEP", True])
    told.comes("slave.asleep", "slave_asleep", slave='a "sleeper"')
    lost.close()
    told.comes("slave.lost", "slave_lost", slave="a lost one", text="slave a lost one is lost")
    asleep.bye()
    asleep.close()
    check("slave.one that left isn't lost", not [n for n in told.receiver.notices if n.get("slave") == "steady"])


def farm_control(farm):
    return client.Connection(farm.socket("control"), "PUSH")


def restart(farm, told, **options):
    farm.task_options["notify"].update(options)
    farm.stop_process(farm.master)
    farm.start_master()


def test_trouble(told):
    """The receiver errs, the task is swapped, the master is killed: what waits is told in the end, in order."""
    farm, receiver = told.farm, told.receiver
    receiver.answers = 503
    slave = new_slave(farm, "another")
    build(farm, slave, "watched-two", "1.0", False)
    told.tried(2)
    other = farm.dir / "inst" / "plugins" / "notify_too.so"
    shutil.copyfile(other.with_name("notify.so"), other)
    with open(other, "ab") as file:
        file.write(b"the same once more\n")
    other.chmod(0o755)
    ctl(farm, "replace", "notify", str(other))
    build(farm, slave, "watched-two", "1.1", True)
    told.tried(1)
    kept = farm.dir / "keep" / "notify"
    farm.wait("both in the file", lambda: kept.exists() and kept.read_bytes().count(b"watched-two 1.") >= 2)
    equal("trouble.the file is nobody else's", kept.stat().st_mode & 0o777, 0o600)
    farm.master.kill()
    slave.close()
    receiver.answers = 200
    farm.restart_master()
    told.comes("trouble.told after a kill", "package_fails", package="watched-two", version="1.0")
    told.comes("trouble.and what came later", "package_builds", package="watched-two", version="1.1")
    told.comes("trouble.that it was killed", "master_restarted", text="the master was started again, after it ended without a stop")
    order = [notice["event"] for notice in receiver.notices if notice.get("package") == "watched-two"]
    equal("trouble.in order", list(dict.fromkeys(order)), ["package_fails", "package_builds"])
    receiver.answers = 400
    restart(farm, told)
    told.tried(1)
    receiver.answers = 200
    restart(farm, told, **{"disk-low": "1000000G"})
    told.comes("disk.low", "disk_low")
    texts = [notice["text"] for notice in receiver.notices if notice["event"] == "master_restarted"]
    equal("trouble.what is refused isn't sent again", texts.count("the master was started again"), 1)
    restart(farm, told, **{"disk-low": "1M"})
    told.comes("disk.enough again", "disk_enough")
    farm.stop_process(next(process for process in farm.processes if process.name == "pypi"))
    restart(farm, told, behind="2s")
    told.comes("follower.behind", "follower_behind")
    farm.start_pypi()
    restart(farm, told)
    told.comes("follower.current again", "follower_current")
    check("all signed", not receiver.wrong, receiver.wrong[:1])


def main():
    with farms.Farm() as farm:
        told = Told(farm)
        farm.prepare()
        keep, secret = farm.folder("keep"), farm.dir / "secret"
        secret.write_bytes(SECRET + b"\n")
        secret.chmod(0o600)
        farm.own(secret)
        farm.task_options["notify"] = {"url": told.receiver.url(), "secret-file": secret, "keep": keep / "notify",
                                       "watch": "Watched_One, watched.two", "every": "200ms", "disk-low": "1M"}
        farm.start_postgres()
        farm.create_database([ABI])
        farm.start_pypi()
        farm.start_master()
        score.run((test_packages, test_slaves, test_trouble), told)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
