"""What the benches of a whole farm share: a farm of this build, if wanted one of an earlier revision beside it, simulated
slaves, the bare programs that are their limit, and the lines that are printed.

Sides and limits are measured in turn, in short windows, since a machine that others use changes from minute to minute.
Before each window an fdatasync is timed: where it takes a millisecond or more, a window is told of but left out.
"""

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import farm as farms  # pylint: disable=wrong-import-position

ABI = "cp311"
SIZES = ("tiny", "small", "medium", "")  # as SCALE names them
QUIET_MS = 1.0
TINY = 1e-9  # of a rate: on a machine that is busy a window may pass without a build
SYNCS = 5
WARM_UP_MS = 300
PATIENCE_S = 120
PROGRAMS = farms.BUILD / "bench"
VERSIONS = 50  # of each package


def arguments(what, scales):
    """`scales` names those of SIZES that a bench has; of one that it hasn't it takes the next larger."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("scale", nargs="?", default="", choices=SIZES)
    parser.add_argument("--against", metavar="BUILD", help="a build of an earlier revision, measured beside this one")
    args = parser.parse_args()
    args.scale = next(size for size in SIZES[SIZES.index(args.scale):] if size in scales)
    return args


def line(name, value, unit, limit=None):
    compared = f"{number(limit)}\t{value / limit:.3f}" if limit else "\t"
    print(f"{name}\t{number(value)}\t{unit}\t{compared}", flush=True)


def number(value):
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.4f}"


def say(text):
    print(f"# {text}", file=sys.stderr, flush=True)


def cpu_ns(pid):
    """Of all threads of a process that run."""
    total = 0
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            total += int(path.read_text().split()[0])
    return total


def children(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return []


def memory(pid, field):
    for text in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if text.startswith(f"{field}:"):
            return int(text.split()[1]) * 1024
    raise farms.Failure(f"process {pid} has no {field}")


def sync_ms(folder):
    """What an fdatasync takes now, of a page that was appended: the middle one of some."""
    took = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(SYNCS):
            file.write(bytes(4096))
            began = time.monotonic()
            os.fdatasync(file.fileno())
            took.append((time.monotonic() - began) * 1000)
    return statistics.median(took)


class Window:
    """What was measured in one: figures by name, processor time a build in microseconds by program, the fdatasync before, and
    what was seen where it began and ended."""

    def __init__(self, figures, cpu_us, synced_ms, looks):
        self.figures, self.cpu_us, self.synced_ms, self.looks = figures, cpu_us, synced_ms, looks

    @property
    def rate(self):
        return self.figures["builds_per_s"]

    @property
    def quiet(self):
        return self.synced_ms < QUIET_MS

    def __str__(self):
        cpu = ", ".join(f"{name} {us:.0f}" for name, us in self.cpu_us.items())
        return f"{number(self.rate)} builds/s; fdatasync {self.synced_ms:.2f} ms; CPU a build in us: {cpu}"


def run_load(slave_queue, file_queue, options, watched, drop=(), folder="/tmp", look=lambda: None, begins=lambda: None):
    """Today's generator until it ends. `watched` tell by name what processes have spent; that and what `look` gives are looked at where
    the window begins and ends; `begins` is called at its beginning."""
    synced = sync_ms(folder)
    args = [*drop, farms.BUILD / "bin" / "piw-loadgen", "-c", "/dev/null", "--slave-queue", slave_queue, "--file-queue", file_queue,
            "--abi", ABI, "--busy", "0", *options]
    spent, looks, figures = [], [], {}
    with subprocess.Popen([str(word) for word in args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        for text in process.stdout:
            name, tab, value = text.rstrip("\n").partition("\t")
            if tab:
                figures[name] = float(value)
            elif name in ("begins", "ends"):
                spent.append({who: told() for who, told in watched.items()})
                looks.append(look())
                if name == "begins":
                    begins()
    if process.returncode != 0 or figures.get("violations"):
        raise farms.Failure(f"the load found faults (exit code {process.returncode}), so its figures are worth nothing")
    builds = max(figures["builds"], 1)
    cpu = {who: (spent[1][who] - spent[0][who]) / 1000 / builds for who in watched} if len(spent) == 2 else {}
    return Window(figures, {**cpu, "generator": figures["cpu_us_per_build"]}, synced, looks)


def window_options(slaves, seconds):
    return ["--slaves", slaves, "--warm-up", f"{WARM_UP_MS}ms", "--duration", f"{int(seconds * 1000)}ms"]


class Side(farms.Farm):
    """A farm of one build, with versions enough for slaves that only say that they build."""

    def __init__(self, name, build):
        super().__init__(durable=True, build=build)
        self.name = name
        self.packages = self.versions = 0
        self.fastest = 0  # builds a second, as far as is known
        # Pages are another matter: none are written while builds are counted.
        self.task_options = {"the_secretary": {"hold": "1h"}, "cloud_gazer": {"poll": "10m"}}

    def begin(self):
        self.prepare()
        self.start_postgres()
        self.create_database([])
        self.psql(f"INSERT INTO build_abis (abi_tag) VALUES ('{ABI}')")
        self.start_pypi()
        self.start_master()
        return self

    def bare_program(self, name):
        """A limit's program, where an unprivileged user can reach it."""
        path = self.dir / "inst" / "bench" / name
        if not path.exists():
            for source, target in ((PROGRAMS, "bench"), (farms.BUILD / "test" / "lib", "test/lib")):
                shutil.copytree(source, self.dir / "inst" / target, symlinks=True)
            for part in (self.dir / "inst").rglob("*"):
                part.chmod(0o755)
        return path

    def postgres_ns(self):
        """Of all processes of the server. One that ends takes its own with it, so that is looked up where its parent counts it."""
        parent = next(process.pid for process in self.processes if process.name == "postgres")
        text = pathlib.Path(f"/proc/{parent}/stat").read_text("ascii")
        words = text[text.rindex(")") + 2:].split()
        ended = (int(words[13]) + int(words[14])) * 10**9 // os.sysconf("SC_CLK_TCK")
        return ended + sum(cpu_ns(pid) for pid in (parent, *children(parent)))

    def waiting(self):
        return self.versions - int(self.value("SELECT count(*) FROM builds"))

    def supply(self, seconds, slaves=1):
        """Enough versions wait for a window with so many slaves, and what that made to do is done."""
        wanted = int(2 * max(self.fastest, 1000 if slaves < 10 else 10000) * (seconds + WARM_UP_MS / 1000))
        while self.waiting() < wanted:
            first, count = self.packages + 1, max(1, min(400, wanted // VERSIONS + 1))
            series = f"generate_series({first}, {first + count - 1}) n"
            self.psql("SET synchronous_commit = off;"
                      f"INSERT INTO packages (package) SELECT 'load-' || n FROM {series};"
                      f"INSERT INTO package_names (package, name) SELECT 'load-' || n, 'load-' || n FROM {series};"
                      "INSERT INTO versions (package, version, released) SELECT 'load-' || n, '1.' || v, '2024-01-01'::timestamp + "
                      f"v * interval '1 hour' FROM {series}, generate_series(0, {VERSIONS - 1}) v")
            self.packages += count
            self.versions += count * VERSIONS
        self.settle()

    def settle(self):
        # What large statements touched is noted in a table of its own, which earlier revisions don't have.
        notes = [table for table in ("piw.dirty", "piw.dirty_later", "piw.refills") if self.value(f"SELECT to_regclass('{table}')")]
        self.wait("the queue", lambda: self.value(f"SELECT {' AND '.join(f'NOT EXISTS (SELECT FROM {table})' for table in notes)}")
                  == "t", PATIENCE_S)
        self.psql("CHECKPOINT")

    def load(self, *options, look=lambda: None):
        watched = {"master": lambda: cpu_ns(self.master.pid), "PostgreSQL": self.postgres_ns}
        window = run_load(self.socket("slave"), self.socket("file"), options, watched, self.drop, self.dir, look)
        self.fastest = max(self.fastest, window.rate)
        return window

    @contextlib.contextmanager
    def meanwhile(self, *options, slave_queue=None):
        """Another load beside what is done, which begins when that load's window does, if it has one; that window is in the list that is
        given, in the end."""
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            found, begun = [], threading.Event()
            other = pool.submit(run_load, slave_queue or self.socket("slave"), self.socket("file"), options, {}, self.drop, self.dir,
                                begins=begun.set)
            other.add_done_callback(lambda _: begun.set())
            if "--warm-up" in options:
                begun.wait(PATIENCE_S)
            yield found
            found.append(other.result())

    def clear(self):
        """Wheels that were sent take room."""
        for path in self.below(self.www / "simple"):
            if path.suffix == ".whl":
                path.unlink()

    def memory(self, field="RssAnon"):
        """Of the master, in bytes."""
        return memory(self.master.pid, field)

    def function(self, seconds, group):
        """The recording function alone: builds a second, microseconds of processor time for each."""
        out = subprocess.run([PROGRAMS / "bare_function", self.dsn(), ABI, str(seconds), str(group)], stdout=subprocess.PIPE, text=True,
                             timeout=PATIENCE_S, check=True).stdout.split()
        self.settle()
        return float(out[0]), float(out[1])

    def sync(self, seconds, group, size):
        """Files a second that are kept in groups."""
        folder = self.folder("synced-files")
        out = subprocess.run([PROGRAMS / "bare_sync", folder, str(seconds), str(group), str(size)], stdout=subprocess.PIPE, text=True,
                             timeout=PATIENCE_S, check=True).stdout
        for path in folder.iterdir():
            path.unlink()
        return float(out)


class Bare:
    """bare_master: ROUTERs that answer and know nothing."""

    def __init__(self, side, piece=65536, window=10):
        self.side = side
        self.slave, self.file = side.socket("bare-slave"), side.socket("bare-file")
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen([*side.drop, side.bare_program("bare_master"), self.slave, self.file, side.folder("bare"), str(piece),
                                         str(window)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def load(self, *options, look=lambda: None):
        watched = {"bare ROUTER": lambda: cpu_ns(self.process.pid)}
        return run_load(self.slave, self.file, options, watched, self.side.drop, self.side.dir, look)

    def memory(self, field="RssAnon"):
        return memory(self.process.pid, field)


@contextlib.contextmanager
def sides(against, task_options=None):
    """A farm of this build, and one of the other, each with everything of its own."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(Side("this", farms.BUILD))]
        if against:
            found.append(stack.enter_context(Side("that", pathlib.Path(against).resolve())))
        for side in found:
            side.task_options = task_options or side.task_options
        yield [side.begin() for side in found]


def middle(values):
    return statistics.median(values) if values else None


class Turns:
    """Windows of each side, and a limit, in turn. Only quiet turns count, if there are any."""

    def __init__(self, name, unit, found):
        self.name, self.unit, self.sides = name, unit, found
        self.taken = []  # (quiet, values of the sides, limit)

    def take(self, count, measure, limit=None):
        """measure(SIDE) gives a value and its window; limit(QUIET) a value. Until `count` turns were quiet; of one alone no more is
        asked."""
        most = count if count == 1 else 3 * count
        while sum(turn[0] for turn in self.taken) < count and len(self.taken) < most:
            quiet, values = True, []
            for side in self.sides:
                value, window = measure(side)
                say(f"{self.name} {side.name}: {number(value)} {self.unit}; {window}")
                quiet &= window.quiet
                values.append(value)
            self.add(quiet, values, limit(quiet) if limit else None)

    def add(self, quiet, values, limit=None):
        self.taken.append((quiet, values, limit))

    def report(self, better=lambda ours, theirs: ours / max(theirs, TINY)):
        """The middle of all turns. A ratio of which no turn was quiet has another name, that nobody takes it for one."""
        turns = [turn for turn in self.taken if turn[0]]
        if not turns:
            say(f"{self.name}: in none of {len(self.taken)} turns an fdatasync took less than {QUIET_MS:g} ms, so all are counted")
            turns = self.taken
        value = middle([turn[1][0] for turn in turns])
        line(self.name, value, self.unit, middle([turn[2] for turn in turns if turn[2] is not None]))
        if len(self.sides) < 2:
            return value
        line(f"{self.name}_against{'' if turns[0][0] else '_disturbed'}", middle([better(*turn[1]) for turn in turns]), "times that")
        return value
