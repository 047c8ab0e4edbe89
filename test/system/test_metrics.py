#!/usr/bin/python3
"""What the task metrics tells: builds, files, pages, PyPI, the database, slaves and tasks as they are, in the form that promtool asks
for, whatever slaves call themselves; what was counted survives a swap, and so does who is asking; health and readiness; and that dashboard
and alerts use no name that isn't told.

TEST-TIMEOUT: 300
"""

import contextlib
import http.client
import json
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading

import client
import farm as farms
import score
from score import check, equal
import wheels
import wire

ABI = "cp311"
LABEL = 'a "label" with \\ and {braces}'
OTHERS = farms.ROOT / "packaging" / "prometheus"
SAMPLE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')


class Asked(http.client.HTTPConnection):
    """By a socket in the file system."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30 * farms.PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Shown:
    """The figures of one farm."""

    def __init__(self, farm):
        self.farm = farm
        self.port = farms.free_port()

    def connection(self):
        where = self.farm.task_options["metrics"]["listen"]
        if where.startswith("unix:"):
            return Asked(where.removeprefix("unix:"))
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30 * farms.PATIENCE)

    def get(self, path="/metrics", method="GET"):
        """(status, text)."""
        with contextlib.closing(self.connection()) as asked:
            asked.request(method, path)
            answer = asked.getresponse()
            return answer.status, answer.read().decode("utf-8")

    def samples(self):
        """{(name, label=value, …): value}."""
        found = {}
        for line in self.get()[1].splitlines():
            if not line.startswith("#"):
                name, labels, value = SAMPLE.fullmatch(line).groups()
                key = (name, *sorted(re.findall(r'\w+="(?:[^"\\]|\\.)*"', labels or "")))
                if key in found:
                    raise farms.Failure(f"{key} stands there twice")
                found[key] = float(value)
        return found

    def value(self, name, **labels):
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(value for key, value in self.samples().items() if key[0] == name and set(wanted) <= set(key[1:]))

    def names(self):
        return dict(re.findall(r"^# TYPE (\w+) (\w+)$", self.get()[1], re.MULTILINE))

    def comes(self, test, name, wanted, **labels):
        """Until a figure is what it must be."""
        got = None

        def there():
            nonlocal got
            got = self.value(name, **labels)
            return wanted(got) if callable(wanted) else got == wanted
        try:
            self.farm.wait(test, there)
            check(test, True)
        except farms.Failure:
            check(test, False, f"{name} {labels} is {got}")


def ctl(farm, *words, good=True):
    return farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), *words], check=good)


def add(farm, *packages):
    farm.psql("".join(f"SELECT add_new_package('{package}'); SELECT add_new_package_version('{package}', '1.0', "
                      f"TIMESTAMP '2024-03-01 12:00:00');" for package in packages))


def report(filename, data):
    parts = filename.removesuffix(".whl").split("-")
    return [filename, len(data), wheels.sha256(data), *parts[:2], *parts[-3:], None, {"apt": [], "pip": [], "": []}, "/simple"]


def get_build(farm, slave):
    return farm.wait("a build", lambda: (lambda said: said[1][0] if said[0] == "BUILD" else None)(slave.idle(temp=61.5)))


def build(farm, slave, seconds, makes):
    """The next build takes so long and sends a wheel that `makes` gives; None: it fails."""
    package = get_build(farm, slave)
    data = makes(package) if makes else None
    files = [report(f"{package}-1.0-py3-none-any.whl", data)] if data else []
    said = slave.say("BUILT", [bool(data), ("tag", 2001, [0, seconds, 0]), "its log\n", files])
    while said[0] == "SEND":
        client.send_file(farm.socket("file"), slave.id, data)
        said = slave.say("SENT")
    slave.builds = False
    equal(f"{package} is built", said, "DONE")


def sound(package):
    return wheels.make(f"{package}-1.0-py3-none-any.whl")


def of_another(_package):
    return wheels.make("another-1.0-py3-none-any.whl")


def promtool(*words, text=None):
    done = subprocess.run(["promtool", *map(str, words)], input=text, capture_output=True, text=True, timeout=60, check=False)
    return f"{done.stdout}{done.stderr}" if done.returncode != 0 else ""


def test_builds(shown):
    farm = shown.farm
    slave = wire.Builder(farm.dir / "s" / "slave", LABEL, ABI)
    for package, seconds, makes in (("piwdemo-broken", 200, None), ("good", 20, sound), ("refused", 4, of_another)):
        if makes:
            add(farm, package)
        build(farm, slave, seconds, makes)
    add(farm, "lost")
    get_build(farm, slave)
    shown.comes("slaves.one that builds", "piwheels_slaves", 1, state="building", abi=ABI, board="other")
    slave.bye()
    slave.close()
    shown.comes("builds.built", "piwheels_builds_total", 1, outcome="built", abi=ABI)
    shown.comes("builds.failed", "piwheels_builds_total", 2, outcome="failed", abi=ABI)
    shown.comes("builds.without an outcome, and why", "piwheels_builds_total", 1, outcome="void", abi=ABI)
    causes = [key for key in shown.samples() if key[0] == "piwheels_builds_total" and 'outcome="void"' in key]
    check("builds.a cause is named", causes and 'cause=""' not in causes[0], causes)
    for bound, count in (("15", 0), ("30", 1), ("+Inf", 1)):
        equal(f"builds.durations up to {bound}", shown.value("piwheels_build_duration_seconds_bucket", outcome="built", le=bound), count)
    equal("builds.their sum", shown.value("piwheels_build_duration_seconds_sum", outcome="failed"), 204)
    shown.comes("files.received", "piwheels_transfers_total", 2)
    equal("files.bytes", shown.value("piwheels_transfer_bytes_total"), len(sound("good")) + len(of_another("")))
    equal("files.refused, by which check", shown.value("piwheels_refused_files_total", check="layout"), 1)
    shown.comes("pages.written", "piwheels_pages_written_total", lambda count: count >= 2)
    shown.comes("queue.what waits", "piwheels_queue_builds", 1, abi=ABI)
    shown.comes("queue.its age", "piwheels_queue_oldest_seconds", lambda age: age > 2 * 365 * 86400, abi=ABI)


def test_slaves(shown):
    """Two of one name, one whose ABI nobody knows: no sample is there twice."""
    slaves = [wire.Builder(shown.farm.dir / "s" / "slave", label, abi) for label, abi in
              ((LABEL, ABI), (LABEL, ABI), ("b\nc", "cp\"1\n"))]
    for number, slave in enumerate(slaves):
        slave.idle(temp=50.0 + number)
    shown.comes("slaves.an ABI that isn't the farm's", "piwheels_slaves", 1, abi="other")
    shown.comes("slaves.those of the farm's", "piwheels_slaves", 2, abi=ABI)
    label = LABEL.replace("\\", "\\\\").replace('"', '\\"')
    shown.comes("slaves.their temperature", "piwheels_slave_temperature_celsius", 51, slave=label)
    shown.comes("slaves.a line break in a name", "piwheels_slave_disk_free_bytes", 4 * 10 ** 10, slave="b\\nc")
    equal("the form with odd names", promtool("check", "metrics", text=shown.get()[1]), "")
    for slave in slaves:
        slave.bye()
        slave.close()
    shown.comes("slaves.gone", "piwheels_slaves", 0)
    equal("slaves.nothing is left of them", shown.value("piwheels_slave_temperature_celsius"), 0)


def test_farm(shown):
    farm = shown.farm
    shown.comes("pypi.a serial", "piwheels_follower_serial", lambda serial: serial > 0)
    shown.comes("pypi.how many are still to come", "piwheels_follower_lag_serials", lambda serials: 0 <= serials < 100)
    check("pypi.for seconds only", shown.value("piwheels_follower_lag_seconds") < 60 * farms.PATIENCE)
    shown.comes("database.answers", "piwheels_database_answer_seconds_count", lambda count: count > 2)
    check("disk", 0 < shown.value("piwheels_disk_free_bytes") <= shown.value("piwheels_disk_size_bytes"))
    for task in ("the_scribe", "metrics", "slave_driver", "admin"):
        shown.comes(f"task {task}.runs", "piwheels_task_up", 1, task=task)
        check(f"task {task}.handles", shown.value("piwheels_task_handled_messages_total", task=task) > 0)
    check("task metrics.in no time", 0 < shown.value("piwheels_task_handler_p50_seconds", task="metrics") < 1)
    before = shown.value("piwheels_task_refused_messages_total", task="big_brother")
    with contextlib.closing(client.Connection(farm.socket("control"), "PUSH")) as peer:
        peer.send(b"no message at all")
        shown.comes("task big_brother.refuses what is no message", "piwheels_task_refused_messages_total", before + 1, task="big_brother")
    check("uptime", shown.value("piwheels_uptime_seconds") < 3600)


def test_swap(shown):
    """Asked all the time while it goes over to another version of itself."""
    farm = shown.farm
    other = farm.dir / "inst" / "plugins" / "metrics_too.so"
    shutil.copyfile(other.with_name("metrics.so"), other)
    with open(other, "ab") as file:
        file.write(b"the same once more\n")
    other.chmod(0o755)
    counted = ("piwheels_builds_total", "piwheels_build_duration_seconds", "piwheels_transfer", "piwheels_refused", "piwheels_follower_serial",
               "piwheels_pages")
    kept = lambda: {key: value for key, value in shown.samples().items() if key[0].startswith(counted)}
    before, lost, over = kept(), [], threading.Event()

    def ask():
        while not over.is_set():
            try:
                if shown.get("/healthz")[0] != 200:
                    lost.append("not well")
            except ConnectionResetError:
                pass  # it was being answered at that moment
            except OSError as error:
                lost.append(error)
    asker = threading.Thread(target=ask)
    asker.start()
    for file in (other, other.with_name("metrics.so"), other):
        ctl(farm, "replace", "metrics", str(file))
    over.set()
    asker.join()
    after = kept()
    less = {key: (value, after.get(key)) for key, value in before.items() if after.get(key, 0) < value}
    equal("swap.what was counted", less, {})
    check("swap.nobody is turned away", not lost, lost[:3])
    shown.comes("swap.it counts itself", "piwheels_task_swaps_total", 3, task="metrics")


def test_health(shown):
    farm = shown.farm
    ready = lambda: shown.get("/readyz")
    farm.wait("readiness", lambda: ready() == (200, "ok\n"))
    check("ready", True)
    equal("well", shown.get("/healthz"), (200, "ok\n"))
    equal("nothing else is there", shown.get("/")[0], 404)
    equal("nothing is taken", shown.get("/metrics", "POST")[0], 405)
    equal("HEAD", shown.get("/metrics", "HEAD"), (200, ""))
    ctl(farm, "pause")
    farm.wait("the pause", lambda: ready() == (503, "the farm is paused\n"))
    shown.comes("pause", "piwheels_paused", 1)
    ctl(farm, "wake")
    farm.wait("the end of the pause", lambda: ready()[0] == 200)
    postgres = next(process for process in farm.processes if process.name == "postgres")
    farm.stop_process(postgres)
    farm.wait("the database's absence", lambda: "the database doesn't answer\n" in ready()[1])
    shown.comes("database.away", "piwheels_database_up", 0)
    equal("well all the same", shown.get("/healthz")[0], 200)
    farm.start_postgres()
    shown.comes("database.there again", "piwheels_database_up", 1)
    ctl(farm, "disable", "lumberjack")
    farm.wait("readiness without a task that is disabled", lambda: ready() == (200, "ok\n"))
    ctl(farm, "enable", "lumberjack")
    ctl(farm, "disable", "metrics")
    farm.wait("an event that it would have heard", lambda: " 0 dead letters" not in ctl(farm, "info", "metrics").stdout)
    check("disabled.what it doesn't hear is no warning", "dead letter" not in farm.master.text(), farm.master.text()[-500:])
    ctl(farm, "enable", "metrics")
    ctl(farm, "hold", "the_scribe")
    farm.wait("what a held task means", lambda: ready() == (503, "task the_scribe is held\n"))
    check("not ready: a task is held", True)
    ctl(farm, "release", "the_scribe")


def test_address(shown):
    """Only this machine is told; a socket in the file system is for a group."""
    farm = shown.farm
    for where, why in (("0.0.0.0:0", "is no loopback address"), ("*:0", "is no loopback address"), ("127.0.0.1:70000", "ADDRESS:PORT, ")):
        farm.task_options["metrics"]["listen"] = where
        farm.configuration()
        done = ctl(farm, "reread", good=False)
        check(f"address.{where} isn't one for figures", why in done.stdout + done.stderr, done.stdout + done.stderr)
    path = farm.dir / "s" / "metrics"
    farm.task_options["metrics"]["listen"] = f"unix:{path}"
    farm.configuration()
    ctl(farm, "reread")
    farm.wait("the socket", path.exists)
    mode = path.stat().st_mode
    check("address.a socket for the group", stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660, oct(mode))
    equal("address.it answers", shown.get("/healthz")[0], 200)
    farm.master.kill()
    farm.restart_master()
    equal("address.what was left is no obstacle", shown.get("/healthz")[0], 200)
    farm.stop_process(farm.master)
    check("address.nothing is left", not path.exists())


def used_names(text):
    return set(re.findall(r"\bpiwheels_[a-z0-9_]+", text))


def test_names(shown):
    """Every name that is used is told, and what is counted is used as what it is."""
    types = shown.names()
    known = set(types)
    for name, kind in types.items():
        known |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else set()
    dashboard = json.loads((OTHERS / "piwheels-dashboard.json").read_text("utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    alerts = (OTHERS / "piwheels-alerts.yml").read_text("utf-8")
    equal("names.of the dashboard", used_names(" ".join(asked)) - known, set())
    equal("names.of the alerts", used_names(alerts) - known, set())
    check("names.there are enough of both", len(used_names(" ".join(asked))) >= 20 and len(used_names(alerts)) >= 12)
    page = (farms.ROOT / "docs" / "metrics.md").read_text("utf-8")
    equal("names.the page has all", set(types) ^ used_names("\n".join(re.findall(r"(?m)^\|.*", page))), set())
    equal("names.the form", promtool("check", "metrics", text=shown.get()[1]), "")
    equal("names.rules", promtool("check", "rules", OTHERS / "piwheels-alerts.yml"), "")
    equal("names.the configuration", promtool("check", "config", OTHERS / "prometheus.yml"), "")


def main():
    if not shutil.which("promtool"):
        score.skip("metrics", "promtool isn't installed (apt package prometheus)")
        return score.code()
    with farms.Farm() as farm:
        shown = Shown(farm)
        farm.task_options["metrics"] = {"listen": f"127.0.0.1:{shown.port}", "every": "200ms"}
        farm.prepare()
        farm.start_postgres()
        farm.create_database([ABI])
        farm.add_samples("piwdemo-broken")
        farm.start_pypi()
        farm.start_master()
        farm.wait("the package of PyPI", lambda: farm.value("SELECT count(*) FROM versions") != "0")
        score.run((test_builds, test_slaves, test_farm, test_names, test_swap, test_health, test_address), shown)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
