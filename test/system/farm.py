"""A whole wheel farm in one short folder: PostgreSQL, the PyPI stand-in, the master, slaves and a web server.

    with Farm() as farm:
        farm.add_samples()
        farm.start()
        farm.wait("a build", lambda: farm.rows("SELECT 1 FROM builds"))

Everything runs as an unprivileged user from a copy of the build, with nobody's configuration, in process groups of its
own; whatever happens it is stopped in reverse order and the folder removed. On a failure the ends of the logs are shown.
"""

import atexit
import contextlib
import csv
import glob
import gzip
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request

import cluster

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("B") or ROOT / "build" / os.environ.get("VARIANT", "plain")).resolve()
SANITIZED = os.environ.get("VARIANT", "plain") in ("asan", "tsan")
PATIENCE = 3 if SANITIZED else 1  # sanitized programs are slower
PYTHON = "/usr/bin/python3"
WHEELHOUSE = "/usr/share/python-wheels"
LOG_LINES = 30


class Failure(Exception):
    """What was waited for didn't happen, or was not as it must be."""


def load_packer():
    loader = importlib.machinery.SourceFileLoader("pack", str(ROOT / "test" / "sdists" / "pack"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("pack", loader))
    loader.exec_module(module)
    return module


def real_sdists():
    """Source archives of real packages, when they are at hand: {name: path}."""
    folder = pathlib.Path(os.environ.get("PIW_SDISTS") or ROOT.parent / "shared" / "sdists")
    found = {}
    for name in ("MarkupSafe-2.1.2.tar.gz", "netifaces-0.11.0.tar.gz"):
        if (folder / name).is_file():
            found[name.split("-")[0]] = folder / name
    return found


def apt_sdists(folder):
    """The same from Debian's source archive, when it can be reached: {name: path}."""
    found = {}
    for source, name, version in (("markupsafe", "MarkupSafe", "2.1.2"), ("netifaces", "netifaces", "0.11.0")):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["apt-get", "source", "--download-only", "-qq", source], cwd=folder, timeout=60, check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for path in glob.glob(f"{folder}/{source}_{version}.orig.tar.gz"):
                better = pathlib.Path(folder) / f"{name}-{version}.tar.gz"
                os.replace(path, better)
                found[name] = better
    return found


def make_sdist(folder, name, version, files):
    """A source archive with these files besides PKG-INFO, whole from its first moment; its path."""
    stem = f"{name.lower().replace('-', '_').replace('.', '_')}-{version}"
    files = {"PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", **files}
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{stem}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    path = pathlib.Path(folder) / f"{stem}.tar.gz"
    part = path.with_suffix(".part")
    part.write_bytes(gzip.compress(raw.getvalue()))
    part.chmod(0o644)
    os.replace(part, path)
    return path


class Process:
    """A program of the farm, leader of its own process group."""

    def __init__(self, farm, name, args, stop_signal=signal.SIGTERM, env=None, stop_s=30, cwd=None):
        self.farm, self.name, self.stop_signal, self.stop_s = farm, name, stop_signal, stop_s * PATIENCE
        self.log = farm.dir / "log" / f"{name}.log"
        self.expected_end = False
        with open(self.log, "ab") as out:
            # pylint: disable-next=consider-using-with
            self.popen = subprocess.Popen(
                [*farm.drop, *map(str, args)], env={**farm.env, **(env or {})}, cwd=cwd or farm.dir,
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def text(self):
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def kill(self, number=signal.SIGKILL):
        """A signal to the program alone, and wait for its end."""
        self.expected_end = True
        if self.running():
            self.popen.send_signal(number)
        self.popen.wait(30)

    def stop(self):
        """In order if it can; its exit code."""
        self.expected_end = True
        if self.running():
            self.popen.send_signal(self.stop_signal)
            try:
                self.popen.wait(self.stop_s)
            except subprocess.TimeoutExpired:
                self.farm.complaints.append(f"{self.name} didn't stop within {self.stop_s} s")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self.popen.wait(10)


class Farm:
    # pylint: disable=too-many-instance-attributes,too-many-public-methods
    def __init__(self, say=None, durable=False, keep_www=None, build=BUILD):
        self.build = pathlib.Path(build)  # whose programs run
        self.say = say or (lambda text: None)
        self.durable = durable
        self.processes = []
        self.complaints = []
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="piw-", dir="/tmp"))
        self.www = pathlib.Path(keep_www) if keep_www else self.dir / "www"
        self.as_root = os.geteuid() == 0
        self.drop = ["setpriv", "--pdeathsig", "TERM"]
        if self.as_root:
            self.drop += ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
        self.drop.append("--")
        kept = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
        self.env = {key: os.environ[key] for key in kept if key in os.environ}
        self.env.update(PATH="/usr/sbin:/usr/bin:/sbin:/bin", LANG="C.UTF-8", LC_ALL="C.UTF-8", HOME=str(self.dir / "home"),
                        TMPDIR=str(self.dir / "tmp"), PIP_CONFIG_FILE="/dev/null", PIP_DISABLE_PIP_VERSION_CHECK="1",
                        PYTHONDONTWRITEBYTECODE="1")
        self.pypi_url = self.web_url = None
        self.master = None
        self.slaves = []
        self.task_options = {"the_secretary": {"hold": "1s"}, "cloud_gazer": {"poll": "1s"}}
        self.master_options = [] if self.as_root else ["--core-dumps"]  # so that tests may look into its folder in /proc
        self.slave_options = []
        self.views = {}
        self.sections = ""  # of the configuration, beside those
        self.site_options = {}
        self.postgres_options = []
        atexit.register(self.close)
        self._old = {}
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._old[number] = signal.signal(number, lambda n, _frame: sys.exit(128 + n))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None and kind not in (KeyboardInterrupt, SystemExit):
            self.show_logs()
        self.close()

    # --- The folder and what runs in it ------------------------------------------------------------------------

    def folder(self, name, mode=0o755):
        path = self.dir / name
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        self.own(path)
        return path

    def own(self, path):
        if self.as_root:
            shutil.chown(path, "nobody", "nogroup")

    def prepare(self):
        """Folders, and a copy of the build that an unprivileged user can reach."""
        if not (self.build / "bin" / "piw-slave").exists():
            raise Failure(f"nothing is built in {self.build}; run make first")
        self.dir.chmod(0o755)
        self.own(self.dir)
        for name in ("home", "tmp", "log", "s", "pypi", "www"):
            self.folder(name)
        for part in ("bin", "lib", "plugins"):
            if (self.build / part).is_dir():
                shutil.copytree(self.build / part, self.dir / "inst" / part,
                                ignore=shutil.ignore_patterns("*.a", "piw-idl"))
        for path in [self.dir / "inst", *(self.dir / "inst").rglob("*")]:
            path.chmod(0o755)

    def program(self, name):
        return self.dir / "inst" / "bin" / name

    def socket(self, name):
        return f"ipc://{self.dir}/s/{name}"

    def start_process(self, name, args, **more):
        process = Process(self, name, args, **more)
        self.processes.append(process)
        return process

    def stop_process(self, process):
        code = process.stop()
        if process in self.processes:
            self.processes.remove(process)
        return code

    def forget(self, process):
        """A process that was killed on purpose."""
        if process in self.processes:
            self.processes.remove(process)

    def close(self):
        atexit.unregister(self.close)
        while self.processes:
            self.processes.pop().stop()
        for number, handler in self._old.items():
            signal.signal(number, handler)
        self._old = {}
        shutil.rmtree(self.dir, ignore_errors=True)

    def run(self, args, timeout=60, check=True, env=None, cwd=None):
        """A command as the unprivileged user; its output."""
        done = subprocess.run([*self.drop, *map(str, args)], env={**self.env, **(env or {})}, cwd=cwd or self.dir,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                              timeout=timeout * PATIENCE, check=False)
        if check and done.returncode != 0:
            raise Failure(f"{args[0]} ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
        return done

    def show_logs(self):
        for path in sorted((self.dir / "log").glob("*.log")):
            lines = path.read_text("utf-8", "replace").splitlines()
            print(f"# --- {path.name} ({len(lines)} lines)", file=sys.stderr)
            for line in lines[-LOG_LINES:]:
                print(f"#   {line[:300]}", file=sys.stderr)
        sys.stderr.flush()

    # --- Waiting -------------------------------------------------------------------------------------------------

    def check_alive(self):
        for process in self.processes:
            if not process.running() and not process.expected_end:
                raise Failure(f"{process.name} ended with {process.popen.returncode}")

    def wait(self, what, condition, timeout=60, alive=True):
        """Until the condition gives something true, which is returned; bounded."""
        until = time.monotonic() + timeout * PATIENCE
        while True:
            began = time.monotonic()
            found = condition()
            if found:
                return found
            if alive:
                self.check_alive()
            if time.monotonic() > until:
                raise Failure(f"{what}: not within {timeout * PATIENCE} s")
            time.sleep(max(0.05, time.monotonic() - began))  # a costly look leaves half of a processor to what it looks for

    def wait_log(self, process, pattern, timeout=60, start=0):
        """Until a line of a process's log matches; the match."""
        return self.wait(f"\"{pattern}\" in the log of {process.name}",
                         lambda: re.search(pattern, process.text()[start:], re.MULTILINE), timeout)

    # --- PostgreSQL ------------------------------------------------------------------------------------------------

    def dsn(self, user="piwheels", database="piwheels"):
        return f"postgres:///{database}?host={self.dir}/s&user={user}"

    def start_postgres(self):
        tools = cluster.tools()
        if not (self.dir / "pg" / "PG_VERSION").exists():
            cluster.lay_out(self.dir / "pg", self.run, f"farm-{self.build.name}", lambda path: cluster.make_farms(path, self.build))
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self.dir}/s"]
        if not self.durable:
            options += ["-c", "fsync=off", "-c", "full_page_writes=off"]
        options += [word for option in self.postgres_options for word in ("-c", option)]
        process = self.start_process("postgres", [tools / "postgres", "-D", self.dir / "pg", *options],
                                     stop_signal=signal.SIGINT)
        self.wait("PostgreSQL", lambda: self.run(
            [tools / "pg_isready", "-q", "-h", self.dir / "s"], check=False).returncode == 0)
        return process

    def psql(self, sql, database="piwheels", user="postgres"):
        done = self.run([cluster.tools() / "psql", "-X", "-q", "--csv", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.dir / "s",
                         "-U", user, "-d", database, "-c", sql])
        return list(csv.reader(io.StringIO(done.stdout)))

    rows = psql

    def value(self, sql):
        found = self.psql(sql)
        return found[0][0] if found else None

    def create_database(self, abis=None):
        """What a farm has besides the role and the database that its cluster came with."""
        options = [word for abi in ([self.abi()] if abis is None else abis) for word in ("--abi", abi)]
        if options:
            self.run([self.program("piw-initdb"), "-c", self.configuration(), "-d", self.dsn("postgres"), "-u", "piwheels", "-y",
                      *options])

    def abi(self):
        return "cp" + self.run([PYTHON, "-c", "import sys; print('%d%d' % sys.version_info[:2])"]).stdout.strip()

    # --- PyPI --------------------------------------------------------------------------------------------------------

    def add_samples(self, *names, versions=None):
        made = load_packer().pack(str(self.folder("pypi")), list(names) or None, versions)
        for path in made:
            os.chmod(path, 0o644)
        return made

    def add_sdist(self, path):
        """A source archive from elsewhere appears in the folder, whole."""
        target = self.dir / "pypi" / pathlib.Path(path).name
        shutil.copyfile(path, f"{target}.part")
        os.chmod(f"{target}.part", 0o644)
        os.replace(f"{target}.part", target)

    def add_event(self, line):
        path = self.dir / "pypi" / "events.txt"
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def start_pypi(self):
        for name in ("setuptools", "wheel", "packaging"):  # since Debian 13 wheel needs the last
            for wheel in glob.glob(f"{WHEELHOUSE}/{name}-*.whl"):
                self.add_sdist(wheel)
        before = self.dir / "log" / "pypi.log"
        start = len(before.read_text()) if before.exists() else 0
        process = self.start_process("pypi", [self.program("piw-pypi"), "-c", self.configuration(), "-v", "--port", "0",
                                              "--dir", self.dir / "pypi"])
        self.pypi_url = self.wait_log(process, r"^(http://\S+)$", start=start).group(1)
        return process

    # --- Master, slaves, web server ----------------------------------------------------------------------------------

    def configuration(self):
        """Sections of tasks and of the site; everything else is on the command lines, so that they can be seen with ps."""
        path = self.dir / "piwheels.conf"
        lines = []
        for task, options in self.task_options.items():
            lines.append(f"[task:{task}]")
            lines += [f"{key} = {value}" for key, value in options.items()]
        for view, options in self.views.items():
            lines += [f"[view:{view}]", *(f"{key} = {value}" for key, value in options.items())]
        if self.site_options:
            lines += ["[site]", *(f"{key} = {value}" for key, value in self.site_options.items())]
        path.write_text("\n".join(lines) + "\n" + self.sections, encoding="utf-8")
        path.chmod(0o644)
        return path

    def master_args(self):
        queues = [word for name in ("status", "control", "import", "log", "slave", "file", "admin")
                  for word in (f"--{name}-queue", self.socket(name))]
        pypi = [] if self.pypi_url is None else ["--pypi-xmlrpc", f"{self.pypi_url}/pypi", "--pypi-simple",
                                                 f"{self.pypi_url}/simple", "--pypi-json", f"{self.pypi_url}/pypi"]
        return [self.program("piw-master"), "-c", self.configuration(), "-v", "-d", self.dsn(), "-o", self.www,
                "--plugin-dir", self.dir / "inst" / "plugins", *queues, *pypi, *self.master_options]

    def start_master(self, faults=None, env=None):
        """The master, ready: it says so as it would to systemd."""
        notify = self.dir / "s" / "notify"
        with contextlib.suppress(FileNotFoundError):
            notify.unlink()
        env = {"NOTIFY_SOCKET": str(notify), "PIW_FAULT_LOG": str(self.dir / "log" / "faults"), **(env or {})}
        if faults:
            env["PIW_FAULTS"] = faults
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(notify))
            notify.chmod(0o666)
            self.master = self.start_process("master", self.master_args(), env=env, stop_s=40)
            self.wait("READY=1 from the master", lambda: self.is_ready(listener))
        return self.master

    @staticmethod
    def is_ready(listener):
        while select.select([listener], [], [], 0)[0]:
            if b"READY=1" in listener.recv(4096):
                return True
        return False

    def start_slave(self, name="slave1", *options, python=PYTHON, timeout="10m", env=None):
        self.folder(name)
        slave = self.start_process(name, [self.program("piw-slave"), "-c", self.configuration(), "-v", "--slave-queue",
                                          self.socket("slave"), "--file-queue", self.socket("file"), "-d", self.dir / name,
                                          "-L", name, "-t", timeout, "--poll", "500ms", "--python", python, *self.slave_options, *options],
                                   env=env)
        self.slaves.append(slave)
        return slave

    def start_web(self, port=0):
        nginx = "/usr/sbin/nginx"
        if not os.access(nginx, os.X_OK):
            raise Failure("nginx isn't installed (apt package nginx-light)")
        for _ in range(5):
            number = port or free_port()
            conf = self.dir / "nginx.conf"
            conf.write_text(NGINX.format(dir=self.dir, www=self.www, port=number), encoding="utf-8")
            conf.chmod(0o644)
            process = self.start_process("nginx", [nginx, "-c", conf, "-e", self.dir / "log" / "nginx-error.log"],
                                         stop_signal=signal.SIGQUIT)
            self.web_url = f"http://127.0.0.1:{number}"
            if self.wait("the web server", lambda p=process, n=number: "gone" if not p.running() else connects(n),
                         alive=False) != "gone":
                return process
            self.forget(process)
        raise Failure("the web server finds no free port")

    def own_web(self):
        """The address of the master's own web server, which is among its tasks; its port."""
        port = int(self.wait_log(self.master, r"web_server: serves .* \(port (\d+)\)$").group(1))
        self.web_url = f"http://127.0.0.1:{port}"
        return port

    def start(self, slaves=1, web=True, faults=None):
        """Everything, in order."""
        self.prepare()
        self.start_postgres()
        self.create_database()
        self.start_pypi()
        self.start_master(faults)
        if web:
            self.start_web()
        for number in range(1, slaves + 1):
            self.start_slave(f"slave{number}")

    def restart_master(self, faults=None):
        self.forget(self.master)
        return self.start_master(faults)

    # --- Looking -------------------------------------------------------------------------------------------------

    def get(self, path, headers=None):
        """A page of the site as the web server gives it: (status, headers, bytes)."""
        request = urllib.request.Request(self.web_url + path, headers=headers or {})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    @staticmethod
    def below(folder):
        """Files and folders below a folder; they may go while they are looked at."""
        return [pathlib.Path(place) / name for place, folders, files in os.walk(folder) for name in (*folders, *files)]

    def staged(self):
        """Files of builds that are on their way into the site, but for the journal of them."""
        return [path for path in self.below(self.www / ".staging") if path.is_file() and not path.name.startswith("journal.")]

    def pages_form(self):
        """What the site says of the form of its pages: "all" when there is nothing to be rewritten, or how far that is."""
        path = self.www / ".pages"
        return path.read_text("ascii").splitlines()[1] if path.exists() else ""

    def pip_install(self, target, *packages, options=()):
        """pip install from our index alone, into a folder; what pip said."""
        return self.run([PYTHON, "-m", "pip", "install", "--no-cache-dir", "--index-url", f"{self.web_url}/simple/",
                         "--only-binary", ":all:", "--target", target, "--progress-bar", "off", *options, *packages],
                        timeout=180)


def free_port():
    """One that nobody listens at, below those that the kernel gives to whoever connects somewhere: it would take it meanwhile."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("", port))
            return port


def connects(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


NGINX = """daemon off;
worker_processes 1;
pid {dir}/s/nginx.pid;
error_log {dir}/log/nginx-error.log;
events {{ worker_connections 64; }}
http {{
    types {{
        text/html html;
        application/json json;
        application/vnd.pypi.simple.v1+json v1.json;
        application/zip whl;
        text/css css;
        text/javascript js;
        text/plain txt metadata;
        application/xml xml;
    }}
    default_type application/octet-stream;
    charset utf-8;
    access_log {dir}/log/nginx-access.log;
    client_body_temp_path {dir}/tmp/body;
    proxy_temp_path {dir}/tmp/proxy;
    fastcgi_temp_path {dir}/tmp/fastcgi;
    uwsgi_temp_path {dir}/tmp/uwsgi;
    scgi_temp_path {dir}/tmp/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {www};
        index index.json index.html;
        add_header Access-Control-Allow-Origin "*" always;
        error_page 403 404 =404 /404.html;
        location = /404.html {{ internal; try_files /404.html @missing; }}
        location @missing {{ return 404 "404 not found\\n"; }}
        location ~ ^/project/?$ {{ return 301 /packages.html; }}
        location ~ ^/p/(.+)$ {{ return 301 /project/$1; }}
        location ~ /\\. {{ return 404; }}
        location /logs/ {{ gzip_static always; gunzip on; }}
    }}
}}
"""
