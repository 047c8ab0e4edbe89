"""What the ARM tests share: Debian's packages of other machines, unpacked; builds for them; programs run with qemu.

Packages come through an apt with a configuration and folders of its own, below build/arm/: nothing is installed, no foreign
architecture is added, and they are kept for the next run.
"""

import concurrent.futures
import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "system"))

import mirror  # pylint: disable=wrong-import-position
from mirror import Missing  # pylint: disable=wrong-import-position

KEPT = ROOT / "build" / "arm"
HERE = ROOT / "test" / "arm"
CPUS = len(os.sched_getaffinity(0))

# What the product is linked with: libraries with what they need in turn, then the files to compile and link with, alone.
LIBRARIES = ("libc6 libzmq5 libpq5 libmsgpackc2 libcbor0.8 libcurl4 libcjson1 libexpat1 libyajl2 zlib1g libssl3 libarchive13 "
             "libdeflate0 libelf1 libmicrohttpd12 libncursesw6 libsubunit0 libatomic1").split()
DEVELOPMENT = ("libc6-dev linux-libc-dev libcrypt-dev libzmq3-dev libpq-dev libmsgpack-dev libcbor-dev libcurl4-openssl-dev "
               "libcjson-dev libexpat1-dev libyajl-dev zlib1g-dev libdeflate-dev libssl-dev libarchive-dev libelf-dev libmicrohttpd-dev "
               "libncurses-dev check libsubunit-dev").split()
# A machine that builds wheels.
BUILDER = ("python3 python3-pip python3-dev python3-setuptools-whl python3-wheel-whl gcc libc6-dev zlib1g-dev bash coreutils "
           "dpkg libc-bin sed grep").split()


# Unit programs that start programs, themselves among them; as user root of their namespace they have no other user.
STARTERS = {"test_beside_builds", "test_driver_failures", "test_fault", "test_idl", "test_isolate", "test_out_of_tree"}


class Machine:
    # pylint: disable=too-few-public-methods
    """One kind of machine to build for."""

    def __init__(self, name, debian, triplet, cpu, flags="", qemu="qemu-arm"):
        # pylint: disable=too-many-arguments,too-many-positional-arguments
        self.name, self.debian, self.triplet, self.cpu, self.flags, self.qemu = name, debian, triplet, cpu, flags, qemu
        self.cross = f"{triplet}-"
        self.build = KEPT / name


ARMHF = Machine("armhf", "armhf", "arm-linux-gnueabihf", "cortex-a7")
# The processor of a Pi Zero and of the first Pi. Debian's armel passes numbers in integer registers, so that its libraries
# run on ARMv6 too; the floating point unit is used inside of functions.
ARMV6 = Machine("armv6", "armel", "arm-linux-gnueabi", "arm1176", "-march=armv6+fp -mfloat-abi=softfp")
ARM64 = Machine("arm64", "arm64", "aarch64-linux-gnu", "cortex-a72", qemu="qemu-aarch64")


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise Missing(f"{program} isn't installed (tools/install-deps does it)")


# --- Debian's packages -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def alone_at(name):
    """One program at a time: those that run side by side want the same folders made."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with open(KEPT / f"{name}.lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed; the bound is that of the test
        yield


class Apt:
    """apt for another architecture."""

    def __init__(self, architecture):
        self.folder = KEPT / f"apt-{architecture}"
        self.archives = self.folder / "archives"
        for name in ("lists/partial", "archives/partial", "etc/preferences.d", "etc/apt.conf.d", "etc/sources.list.d"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        (self.folder / "etc" / "sources.list").write_text(mirror.source("bookworm"), encoding="utf-8")
        conf = self.folder / "apt.conf"
        conf.write_text(f'''Dir::State "{self.folder}";
Dir::State::lists "{self.folder}/lists";
Dir::State::status "{self.folder}/status";
Dir::Cache "{self.folder}";
Dir::Cache::archives "{self.archives}";
Dir::Etc "{self.folder}/etc";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
''', encoding="utf-8")
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "APT_CONFIG": str(conf),
                    "DEBIAN_FRONTEND": "noninteractive"}

    def get(self, *words, check=True, quiet=True, cwd=None):
        done = subprocess.run(["apt-get", "-qq" if quiet else "-q", *words], env=self.env, cwd=cwd, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900, check=False)
        if check and done.returncode != 0:
            raise Missing(f"packages of another architecture can't be fetched: {done.stdout.strip()[-400:]}")
        return done.stdout

    def fetch(self, packages, alone):
        """The .deb files of packages with all that they need, and of others alone."""
        need("apt-get", "dpkg-deb")
        self.get("update", check=False)  # an index that can't be had may do without: fetching decides
        self.get("--yes", "--download-only", "install", *packages)
        if alone:
            self.get("download", *alone, cwd=self.archives)
        found = []
        for name, version in re.findall(r"^Inst (\S+) \((\S+)", self.get("--dry-run", "install", *packages, quiet=False),
                                        re.MULTILINE):
            found += self.archives.glob(f"{name}_{version.replace(':', '%3a')}_*.deb")
        for name in alone:
            found += self.archives.glob(f"{name}_*.deb")
        return found


def unpack(archives, folder):
    """Packages into a folder, with the list of files that dpkg -S reads."""
    for name in ("lib", "bin", "sbin"):
        (folder / "usr" / name).mkdir(parents=True)
        (folder / name).symlink_to(f"usr/{name}")
    info = folder / "var" / "lib" / "dpkg" / "info"
    info.mkdir(parents=True)
    status = []
    for archive in archives:
        members = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE)
        with members:
            listed = subprocess.run(
                ["tar", "--extract", "--verbose", "--keep-directory-symlink", "--no-same-owner", "--exclude=./usr/share/doc",
                 "--exclude=./usr/share/man", "--exclude=./usr/share/locale", "--directory", folder],
                stdin=members.stdout, capture_output=True, text=True, check=True).stdout
        if members.returncode != 0:
            raise Missing(f"{archive.name} can't be unpacked")
        control = subprocess.run(["dpkg-deb", "--field", archive], capture_output=True, text=True, check=True).stdout
        name, architecture = (re.search(rf"^{key}: (\S+)", control, re.MULTILINE).group(1)
                              for key in ("Package", "Architecture"))
        several = "\nMulti-Arch: same" in control
        (info / f"{name}{':' + architecture if several else ''}.list").write_text(
            "".join(line[1:].rstrip("/") + "\n" for line in listed.splitlines() if len(line) > 2), encoding="utf-8")
        status.append(control.replace("\n", "\nStatus: install ok installed\n", 1))
    (info / "format").write_text("1\n", encoding="utf-8")
    (info.parent / "status").write_text("\n".join(status), encoding="utf-8")


def relink(folder):
    """Links from one place in the folder to another are relative: the linker would look for the others on this machine."""
    for path in (folder / "usr" / "lib").rglob("*"):
        if path.is_symlink() and os.readlink(path).startswith("/"):
            target = folder / os.readlink(path).lstrip("/")
            if target.exists():
                path.unlink()
                path.symlink_to(os.path.relpath(target.resolve(), path.parent))


def make_root(machine, packages, alone, folder):
    with alone_at(f"apt-{machine.debian}"):
        archives = Apt(machine.debian).fetch(packages, alone)
        made = pathlib.Path(tempfile.mkdtemp(prefix="root-", dir=KEPT))
        try:
            unpack(archives, made)
            relink(made)
            for name in ("tmp", "proc", "dev", "sys", "lib64", "usr/lib/x86_64-linux-gnu"):
                (made / name).mkdir(exist_ok=True)
            (made / "usr" / "bin" / machine.qemu).touch()
            made.chmod(0o755)
            made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def root(machine, kind="libraries"):
    """A folder with a machine's libraries, or with all that it needs to build wheels; made once."""
    packages, alone = (LIBRARIES, DEVELOPMENT) if kind == "libraries" else ([*BUILDER, *LIBRARIES], [])
    # Made anew when the list or the way of making it changes.
    key = hashlib.sha256(" ".join([*packages, "/", *alone]).encode() + (HERE / "emulated.py").read_bytes()).hexdigest()[:12]
    folder = KEPT / f"{machine.debian}-{kind}-{key}"
    with alone_at(f"{machine.debian}-{kind}"):
        if not folder.is_dir():
            make_root(machine, packages, alone, folder)
            for old in KEPT.glob(f"{machine.debian}-{kind}-*"):
                if old != folder:
                    shutil.rmtree(old)
    return folder


# --- Building ----------------------------------------------------------------------------------------------------------


def build(machine, *goals):
    """make for a machine, as docs/arm.md says; what it said when it failed, else None."""
    need(f"{machine.cross}gcc", f"{machine.cross}ar", "make")
    command = ["make", "-s", "-k", f"-j{CPUS}", f"CROSS={machine.cross}", f"SYSROOT={root(machine)}",
               f"B={os.path.relpath(machine.build, ROOT)}", *goals]
    if machine.flags:
        command.append(f"CFLAGS={machine.flags}")
    env = {key: value for key, value in os.environ.items()
           if not key.startswith(("MAKE", "MFLAGS")) and key not in ("B", "VARIANT")}
    with alone_at(f"build-{machine.name}"):
        done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
    return done.stdout[-3000:] or f"make ended with {done.returncode}" if done.returncode != 0 else None


def elf_facts(path):
    """What readelf says of a file, in one text."""
    done = subprocess.run(["readelf", "--file-header", "--arch-specific", "--wide", path], capture_output=True, text=True,
                          check=True)
    return done.stdout


# --- Running -----------------------------------------------------------------------------------------------------------


def emulator(machine, prefix):
    """The program that the kernel starts ARM programs with: qemu as that machine's processor."""
    need(machine.qemu, "unshare")
    path = KEPT / f"emulate-{machine.name}-{hashlib.sha256(str(prefix).encode()).hexdigest()[:8]}"
    made = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")  # another program may be running the one that is there
    subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-static", f'-DQEMU="/usr/bin/{machine.qemu}"',
                    f'-DCPU="{machine.cpu}"', f'-DPREFIX="{prefix}"', "-o", made, HERE / "emulate.c"], check=True)
    made.rename(path)
    return path


def within(machine, prefix):
    """The words before a command whose ARM programs are emulated; Missing when the kernel can't."""
    words = [str(HERE / "within"), machine.qemu, str(emulator(machine, prefix))]
    done = subprocess.run([*words, "/bin/true"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Missing("ARM programs can't start others here: the kernel must be 6.7 or newer and allow user namespaces with "
                      f"binfmt_misc ({done.stderr.strip()[-200:]})")
    return words


class Unit:
    """One unit program's outcome."""

    def __init__(self, name, passed, wrong):
        self.name, self.passed, self.wrong = name, passed, wrong


def run_unit(machine, words, name, bound):
    folder = tempfile.mkdtemp(prefix="piw-", dir="/tmp")
    os.chmod(folder, 0o755)
    compiler = pathlib.Path(folder) / "bin" / "cc"  # of plugins that a program makes while it runs
    compiler.parent.mkdir()
    compiler.write_text(f'#!/bin/sh\nexec {machine.cross}gcc --sysroot={root(machine)} {machine.flags} "$@"\n', encoding="utf-8")
    compiler.chmod(0o755)
    env = {"PATH": f"{compiler.parent}:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": folder, "PIW_TMP": folder,
           "TMPDIR": folder, "VARIANT": "plain", "B": str(machine.build), "CK_DEFAULT_TIMEOUT": "60",
           "CK_TIMEOUT_MULTIPLIER": "5"}
    try:
        done = subprocess.run([*words, machine.build / "test" / "unit" / name], cwd=ROOT, env=env, timeout=bound,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        text, code = done.stdout.decode("utf-8", "replace"), done.returncode
    except subprocess.TimeoutExpired:
        text, code = "", f"no end within {bound} s"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    bad = re.findall(r"^not ok.*$", text, re.MULTILINE)
    passed = len(re.findall(r"^ok\b", text, re.MULTILINE))
    if not bad and code == 0 and passed > 0:
        return Unit(name, passed, None)
    return Unit(name, passed, "; ".join(bad) or f"exit code {code}: {text.strip()[-300:]}")


def run_units(machine, names, bound=900):
    """Unit programs, as many at a time as there are processors; their outcomes in order."""
    libraries = root(machine)
    plain = ["qemu-arm", "-cpu", machine.cpu, "-L", str(libraries)]
    starting = within(machine, libraries) if STARTERS & set(names) else None
    with concurrent.futures.ThreadPoolExecutor(CPUS) as pool:
        yield from pool.map(lambda name: run_unit(machine, starting if name in STARTERS else plain, name, bound), names)


def units():
    """The names of all but test_oracle, which is run with a database."""
    return sorted(path.stem for path in (ROOT / "test" / "unit").glob("test_*.c") if path.stem != "test_oracle")


# --- Parts of a farm ---------------------------------------------------------------------------------------------------


class Guest:
    """A part of a farm that is emulated, beside parts that aren't: a root folder in the farm's own, and the words before a
    command. The farm's user can't reach every checkout, so that the folder is mounted where it can."""

    def __init__(self, farm, machine, folder, inside):
        self.farm, self.machine = farm, machine
        self.place = farm.folder(f"guest-{machine.name}")
        prefix = "/" if inside else self.place
        script, qemu, program = within(machine, prefix)
        self.tools = farm.folder(f"emulate-{machine.name}")
        self.words = [shutil.copy(script, self.tools), qemu, shutil.copy(program, self.tools)]
        for part in ("bin/piw-slave", "bin/piw-master", "bin/piw-soul", "lib/libpiw.so.1", "plugins"):
            source, target = machine.build / part, farm.dir / machine.name / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy(source, target)
        self.mount = ["unshare", "--mount", "--", "/bin/sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh",
                      str(folder), str(self.place)]
        if not farm.as_root:
            raise Missing("only root can mount a root folder for another user")
        self.env = {"AS": "65534:65534"}
        if inside:
            self.env |= {"ROOT": str(self.place), "SHARE": str(farm.dir)}

    def orphanage(self):
        """The environment of a program that wants to be the parent of orphans, which qemu can't arrange."""
        library = self.tools / "prctl.so"
        subprocess.run([f"{self.machine.cross}gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                        "-D_FILE_OFFSET_BITS=64", "-D_TIME_BITS=64", "-o", library,  # as the product: the function's name
                        HERE / "prctl.c"], check=True)
        return {"PIW_SUBREAPER": "1", "LD_PRELOAD": str(library)}

    def program(self, name):
        return self.farm.dir / self.machine.name / "bin" / name

    def start_slave(self, name, timeout="20m"):
        """A slave whose Python, compiler and all else are the guest's."""
        farm = self.farm
        farm.folder(name)
        orphanage = [f"{key}={value}" for key, value in self.orphanage().items()]
        with self.entered() as words:
            slave = farm.start_process(name, [
                *words, "/usr/bin/env", *orphanage, self.program("piw-slave"), "-c", farm.configuration(), "-v", "--slave-queue",
                farm.socket("slave"), "--file-queue", farm.socket("file"), "-d", farm.dir / name, "-L", name, "-t", timeout,
                "--poll", "500ms", "--python", "/usr/bin/python3"])
        farm.slaves.append(slave)
        return slave

    @contextlib.contextmanager
    def entered(self):
        """What the farm starts meanwhile sees the root folder."""
        drop, env = self.farm.drop, self.farm.env
        self.farm.drop, self.farm.env = [*self.mount, *drop], {**env, **self.env}
        try:
            yield self.words
        finally:
            self.farm.drop, self.farm.env = drop, env
