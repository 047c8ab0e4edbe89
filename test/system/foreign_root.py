"""Debian packages of another architecture, unpacked below build/: nothing is installed, no architecture is added to the machine.

They are fetched once, with apt's own resolver over an empty system. What a program of them needs besides, an emulator, is
the caller's matter.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess

import farm as farms
import mirror
import one_maker
from mirror import Missing

ROOTS = farms.BUILD.parent / "roots"


def _apt(folder, arch, *args):
    options = {"APT::Architecture": arch, "APT::Architectures": arch, "Dir::State": folder / "state",
               "Dir::State::status": folder / "status", "Dir::Cache": folder / "cache",
               "Dir::Etc::sourcelist": folder / "sources.list", "Dir::Etc::sourceparts": "/dev/null",
               "Acquire::Languages": "none", "APT::Install-Recommends": "false", "Debug::NoLocking": "true"}
    if os.geteuid() == 0:
        options["APT::Sandbox::User"] = "root"
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    done = subprocess.run(["apt-get", *words, "-qq", "-y", *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=300, check=False)
    if done.returncode != 0:
        raise Missing(f"Debian's {arch} packages can't be fetched: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}")


def _fetch(folder, arch, packages):
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").write_text("")
    (folder / "sources.list").write_text(mirror.source("bookworm"))
    _apt(folder, arch, "update")
    _apt(folder, arch, "--download-only", "install", *packages)
    part = folder / "root.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    for path in sorted((folder / "cache" / "archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", path, part], check=True, timeout=120)
    shutil.rmtree(folder / "cache")
    part.rename(folder / "root")


def unpack(name, arch, packages):
    """The root in which these packages and what they depend on lie; it is shared and stays as it is."""
    if not shutil.which("apt-get"):
        raise Missing("this is no Debian: there is no apt-get")
    folder = ROOTS / name
    with one_maker.alone(folder):
        known = folder / "packages"
        wanted = " ".join(sorted(packages))
        if not (folder / "root").is_dir() or not known.exists() or known.read_text() != wanted:
            shutil.rmtree(folder / "root", ignore_errors=True)
            _fetch(folder, arch, packages)
            known.write_text(wanted)
    return folder / "root"


def copy(root, to):
    """A copy that the test may change and an unprivileged user can reach."""
    shutil.copytree(root, to, symlinks=True, ignore=lambda _folder, names: {"doc", "man", "locale"} & set(names))
    for path in [to, *pathlib.Path(to).rglob("*")]:
        with contextlib.suppress(OSError):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o055 if path.is_dir() else path.stat().st_mode | 0o044)
    return to
