"""Debian's pips, as commands for a farm's unprivileged user: the machine's own, and those of later releases.

A later one is unpacked with all that it needs under build/debian/SUITE/ by an apt of its own (its configuration, lists and
packages lie there; nothing of the machine's is read or changed, nothing is installed), and run by its root's own loader. It is kept
there for later runs. No privileges are needed.
"""

import glob
import os
import pathlib
import re
import shutil
import subprocess

import farm as farms
import mirror
from mirror import Missing

APT = """Dir::State "{top}/apt"; Dir::State::Lists "{top}/apt/lists"; Dir::State::status "{top}/apt/status";
Dir::Cache "{top}/apt"; Dir::Cache::Archives "{top}/apt/archives";
Dir::Etc::SourceList "{top}/apt/sources.list"; Dir::Etc::SourceParts "/dev/null"; Dir::Etc::Parts "/dev/null";
Dir::Etc::Main "/dev/null"; Dir::Etc::Preferences "/dev/null"; Dir::Etc::PreferencesParts "/dev/null";
APT::Install-Recommends "false"; APT::Sandbox::User ""; Acquire::Languages "none"; Acquire::Retries "3"; {more}
"""
# Of an unpacked root: what an interpreter and its pip need.
KEPT = ("usr/lib", "usr/lib64", "usr/bin", "usr/share/python-wheels", "lib", "lib64")


class Pip:
    def __init__(self, name, command, env):
        self.name, self.command, self.env = name, command, env
        self.version = ""

    def run(self, farm, *args, **more):
        return farm.run([*self.command, *args], env=self.env, timeout=180, check=False, **more)

    def find_version(self, farm):
        """(major, minor, …)"""
        said = self.run(farm, "--version").stdout
        found = re.match(r"pip (\d[\d.]*)", said)
        if not found:
            raise farms.Failure(f"{self.name}'s pip says no version: {said}")
        self.version = found.group(1)
        return tuple(map(int, self.version.strip(".").split(".")))


def machine(farm):
    facts = dict(line.partition("=")[::2] for line in pathlib.Path("/etc/os-release").read_text("utf-8").splitlines())
    name = f"{facts.get('NAME', '').strip(chr(34)).split()[0]} {facts.get('VERSION_ID', '').strip(chr(34))}".strip()
    pip = Pip(name, [farms.PYTHON, "-m", "pip"], {})
    pip.find_version(farm)
    return pip


def apt(env, *args):
    done = subprocess.run(["apt-get", "-q", "-y", *args], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=300, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("E:")] or ["it says nothing"]
        raise Missing(f"apt-get {args[-1]} failed: {lines[0]}")


def unpack(suite, top, more, packages=("python3-pip",)):
    """Packages and all that they need, into a folder beside it first: what is at `top` is whole."""
    for tool in ("apt-get", "dpkg-deb", mirror.KEYRING):
        if not (os.path.exists(tool) or shutil.which(tool)):
            raise Missing(f"{tool} isn't there")
    part = top.with_name(f"{top.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for name in ("lists/partial", "archives/partial"):
        (part / "apt" / name).mkdir(parents=True)
    (part / "apt" / "status").touch()
    (part / "apt" / "sources.list").write_text(mirror.source(suite), encoding="ascii")
    (part / "apt" / "conf").write_text(APT.format(top=part, more=more), encoding="utf-8")
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "APT_CONFIG": str(part / "apt" / "conf"),
           "HOME": str(part)}
    env.update({key: os.environ[key] for key in ("http_proxy", "https_proxy") if key in os.environ})
    apt(env, "update")
    apt(env, "--download-only", "install", *packages)
    for package in sorted((part / "apt" / "archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, part / "root"], stdin=subprocess.DEVNULL, timeout=60, check=True)
    shutil.rmtree(part / "apt")
    shutil.rmtree(top, ignore_errors=True)
    part.rename(top)


def debian(farm, suite, name, more=""):
    """The pip of another release of Debian, copied to where the farm's user can reach it."""
    top = farms.ROOT / "build" / "debian" / suite
    if not top.exists():
        try:
            top.parent.mkdir(parents=True, exist_ok=True)
            unpack(suite, top, more)
        except (OSError, subprocess.SubprocessError) as error:
            raise Missing(f"{suite} can't be unpacked: {error}") from error
    root = farm.dir / suite
    for part in KEPT:
        if (top / "root" / part).is_dir():
            shutil.copytree(top / "root" / part, root / part, symlinks=True)
    farm.own(root)
    # Releases before Debian 12 have the C library outside of usr/.
    loaders = ("usr/lib64/ld-linux*.so.*", "usr/lib/ld-linux*.so.*", "lib/*-linux-gnu*/ld-2.*.so")
    loader = [path for pattern in loaders for path in glob.glob(f"{root}/{pattern}")][0]
    libraries = [path for part in ("usr/lib", "lib") for path in glob.glob(f"{root}/{part}/*-linux-gnu*")]
    python, = (path for path in glob.glob(f"{root}/usr/bin/python3.*") if re.search(r"python3\.\d+$", path))
    pip = Pip(name, [loader, "--library-path", ":".join(libraries), python, "-m", "pip"],
              {"PYTHONHOME": f"{root}/usr", "PYTHONPATH": f"{root}/usr/lib/python3/dist-packages"})
    pip.find_version(farm)
    return pip
