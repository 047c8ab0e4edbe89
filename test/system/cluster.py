"""A private PostgreSQL cluster in a short folder, on a Unix socket only, run by an unprivileged user.

    with Cluster() as cluster:
        cluster.create("farm")
        cluster.rows("farm", "SELECT 1")

Not durable (no fsync): only what a server that stays alive keeps matters here.
"""

import atexit
import contextlib
import csv
import fcntl
import glob
import io
import os
import pathlib
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("B") or ROOT / "build" / os.environ.get("VARIANT", "plain")).resolve()
NULL = "\x1bNULL\x1b"


class SqlError(Exception):
    """What psql said."""


def tools():
    """PostgreSQL's own programs: what Debian has in /usr/bin is a script that looks for them, at ten times the cost."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
    if not found:
        raise SystemExit("skip all - PostgreSQL isn't installed")
    return pathlib.Path(found[-1])


def lay_out(target, run, kind, make):
    """A cluster's folder that doesn't run yet. Within a run of many tests (PIW_TEMPLATES) one of each kind is made, by whoever
    needs it first, and copied for the others. run(ARGUMENTS) runs a command as the owner; make(folder) makes a cluster."""
    shared = os.environ.get("PIW_TEMPLATES")
    if not shared:
        make(target)
        return
    template = pathlib.Path(shared) / kind
    with open(f"{template}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            part = template.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            make(part)
            part.rename(template)
    run(["cp", "-aT", "--reflink=auto", template, target])


def initialise(target, run, bin_dir):
    run([bin_dir / "initdb", "-D", target, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])


def make_farms(target, build):
    """A cluster with a farm's role and database, as that build's piw-initdb makes it."""
    with Cluster(build) as made:
        made.create("piwheels")
        made.stop()
        made.run(["cp", "-aT", made.dir / "data", target])


class Cluster:
    def __init__(self, build=BUILD):
        self.build = build
        self.bin = tools()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="piw-", dir="/tmp"))
        self.dir.chmod(0o755)
        self.drop = []
        if os.geteuid() == 0:
            shutil.chown(self.dir, "nobody", "nogroup")
            self.drop = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--"]
        self.env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PGHOST": str(self.dir), "PGUSER": "postgres",
                    "PGOPTIONS": "-c client_min_messages=warning", "HOME": str(self.dir)}
        for key in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if key in os.environ:
                self.env[key] = os.environ[key]
        atexit.register(self.close)
        lay_out(self.dir / "data", self.run, "empty", lambda folder: initialise(folder, self.run, self.bin))
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    def run(self, args, stdin="", check=True, timeout=120):
        done = subprocess.run([*self.drop, *map(str, args)], env=self.env, cwd=self.dir, input=stdin, timeout=timeout,
                              capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise SqlError(f"{args[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done

    def control(self, *args):
        # The server keeps pg_ctl's output open: it must not be a pipe that is read to its end.
        subprocess.run([*self.drop, str(self.bin / "pg_ctl"), "-D", str(self.dir / "data"), "-w", "-t", "60", *args],
                       env=self.env, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=90, check=True)

    def start(self):
        options = f"-k {self.dir} -c listen_addresses= -c fsync=off -c shared_buffers=64MB -c max_connections=40"
        self.control("-o", options, "-l", str(self.dir / "log"), "start")

    def stop(self, mode="fast"):
        self.control("-m", mode, "stop")

    def close(self):
        if self.dir.exists():
            with contextlib.suppress(subprocess.SubprocessError):
                self.stop("immediate")
            shutil.rmtree(self.dir, ignore_errors=True)

    def dsn(self, database, user="postgres"):
        return f"postgresql://{user}@/{database}?host={self.dir}"

    def sql(self, database, text, user="postgres", timeout=120):
        """Run statements; each is its own transaction unless the text says otherwise."""
        done = self.run([self.bin / "psql", "-XAtq", "--csv", "-v", "ON_ERROR_STOP=1", "-P", f"null={NULL}", "-U", user, "-d", database,
                         "-f", "-"], stdin=text, check=False, timeout=timeout)
        if done.returncode != 0:
            raise SqlError(done.stderr.strip())
        return done.stdout

    def rows(self, database, text, user="postgres"):
        """All rows, as tuples of text; NULL is None."""
        return [tuple(None if cell == NULL else cell for cell in row)
                for row in csv.reader(io.StringIO(self.sql(database, text, user)))]

    def value(self, database, text, user="postgres"):
        return self.rows(database, text, user)[0][0]

    def create(self, database, user="piwheels"):
        """An empty database, made a farm's by piw-initdb."""
        if not self.rows("postgres", f"SELECT 1 FROM pg_roles WHERE rolname = '{user}'"):
            self.sql("postgres", f"CREATE ROLE {user} LOGIN")
        self.sql("postgres", f"CREATE DATABASE {database}")
        self.initdb(database, "-y", "-u", user)

    def initdb(self, database, *args, user="postgres", check=True, stdin=""):
        """piw-initdb from a copy that the unprivileged user can reach."""
        place = self.dir / "inst"
        if not place.exists():
            if not (self.build / "bin" / "piw-initdb").exists():
                raise SystemExit(f"not ok all - nothing is built in {self.build}; run make first")
            for part in ("bin", "lib"):
                shutil.copytree(self.build / part, place / part, ignore=shutil.ignore_patterns("*.a"))
            for path in [place, *place.rglob("*")]:
                path.chmod(0o755)
        return self.run([place / "bin" / "piw-initdb", "-c", "/dev/null", "-d", self.dsn(database, user), *args],
                        check=check, stdin=stdin)
