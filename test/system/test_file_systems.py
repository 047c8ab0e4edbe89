#!/usr/bin/python3
"""A site on file systems of its own, while simulated slaves build as fast as they can: the file system stops as in a power failure
(EXT4_IOC_SHUTDOWN, which XFS has too: whatever hasn't reached its journal is gone), the master is killed, and a new one goes on from what the
file system recovers. Every DONE has its row, every row its files, whole. (Btrfs can't stop like that: it is unmounted after the kill.) So it
stops after pages were written for another reason than a build: none stays empty. Needs root, who may mount, and xfsprogs and btrfs-progs.

PIW_FILE_SYSTEMS="mergerfs bindfs overlay" in the environment tries others, which are mounted anew without having lost anything.

TEST-TIMEOUT: 420
TEST-LOAD: heavy
"""

import contextlib
import errno
import fcntl
import os
import pwd
import shutil
import struct
import subprocess
import sys

import load as loads
import machine
import score
import test_kill_unsynced
from load import farms
from score import check

SLAVES, BUILDS = 20, 60
PAGES = 600  # packages: the site says after 500 how far it has come
SIZE = 512 << 20
SHUTDOWN, WITHOUT_ITS_JOURNAL = 0x8004587D, struct.pack("I", 2)
# How one is made of an image, by itself or of folders; and mounted.
MADE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q"], "btrfs": ["mkfs.btrfs", "-q"]}
STOPS = ("ext4", "xfs")  # where they are
MOUNTED = {
    "mergerfs": ["mergerfs", "-o", "allow_other,category.create=rand", "{dir}/one:{dir}/two", "{www}"],
    "bindfs": ["bindfs", "-o", "allow_other", "{dir}/one", "{www}"],
    "gocryptfs": ["gocryptfs", "-q", "-allow_other", "-extpass", "echo secret", "{dir}/one", "{www}"],
    "overlay": ["mount", "-t", "overlay", "overlay", "-o", "lowerdir={dir}/one,upperdir={dir}/two,workdir={dir}/work", "{www}"],
}


def command(words):
    done = subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return None if done.returncode == 0 else (done.stderr or done.stdout).strip().splitlines()[-1:] or [f"{words[0]} failed"]


class Site:
    """The output folder, on a file system of its own."""

    def __init__(self, farm, kind):
        self.farm, self.kind, self.dir = farm, kind, farm.dir / "disk"
        self.image = self.dir / "image"
        self.mounted = False

    def make(self):
        """None, or why it can't be."""
        program = MADE[self.kind][0] if self.kind in MADE else MOUNTED[self.kind][0]
        if not shutil.which(program):
            return f"{program} isn't installed"
        self.dir.mkdir(mode=0o755)
        if self.kind in MADE:
            with open(self.image, "wb") as file:
                file.truncate(SIZE)
            why = command([*MADE[self.kind], self.image])
        else:
            for name in ("one", "two", "work"):
                self.farm.folder(f"disk/{name}")
            why = command(["gocryptfs", "-q", "-init", "-extpass", "echo secret", self.dir / "one"]) if self.kind == "gocryptfs" else None
        why = why or self.mount()
        if why is None:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.farm.www, nobody.pw_uid, nobody.pw_gid)
        return why

    def mount(self):
        if self.kind in MADE:
            why = command(["mount", "-o", "loop", self.image, self.farm.www])
        else:
            why = command([word.format(dir=self.dir, www=self.farm.www) for word in MOUNTED[self.kind]])
        self.mounted = why is None
        return why

    def fail(self):
        """It stops where it is; False when it can't."""
        fd = os.open(self.farm.www, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, WITHOUT_ITS_JOURNAL)
            return True
        except OSError as error:
            if error.errno not in (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise
            return False
        finally:
            os.close(fd)

    def umount(self):
        if self.mounted:  # one that has stopped can't be asked
            self.farm.wait(f"the end of {self.kind}", lambda: command(["umount", self.farm.www]) is None, 30, alive=False)
        self.mounted = False


def run(farm, site, kind, ended):
    load = loads.Load(farm, "--slaves", str(SLAVES), "--fail-percent", "30", name=f"load-{kind}")
    load.wait_built(BUILDS, 120)
    failed = site.fail()
    farm.master.kill()
    farm.forget(farm.master)
    load.process.kill()
    farm.forget(load.process)
    ended.update(load.ended()[0])
    site.umount()
    why = site.mount()
    check(f"{kind} is mounted again{', as after a power failure' if failed else ''}", why is None, why)
    farm.start_master()
    test_kill_unsynced.check_site(farm, kind, ended, set())
    if not failed:  # else logs of the last half second may be gone
        machine.check_farm(farm, kind)


def stop(farm, site):
    """As in a power failure a moment after whatever was renamed has reached the file system's journal: bytes needn't have."""
    with open(farm.www / "another", "wb") as file:
        os.fsync(file.fileno())
    check(f"{site.kind} stops", site.fail())
    farm.master.kill()
    farm.forget(farm.master)
    site.umount()


def whole(farm, package, word):
    """Pages of a package that say so, to their end."""
    simple, project, document = (farm.www / name for name in (f"simple/{package}/index.html", f"project/{package}/index.html",
                                                              f"project/{package}/json/index.json"))
    return (all(path.exists() for path in (simple, project, document)) and simple.read_text("utf-8").rstrip().endswith("</html>") and
            word in project.read_text("utf-8") and document.read_text("utf-8").rstrip().endswith("}"))


def begin_again(farm, site, name, packages, word):
    """What the file system has of their pages, which a new master makes whole."""
    why = site.mount()
    check(f"{name}: mounted again", why is None, why)
    empty = [path for path in farm.www.rglob("*.html") if path.stat().st_size == 0]
    print(f"{name}: {len(empty)} pages were empty", flush=True)
    farm.start_master()
    with contextlib.suppress(farms.Failure):
        farm.wait("whole pages", lambda: all(whole(farm, package, word) for package in packages), 30)
    left = [package for package in packages if not whole(farm, package, word)]
    check(f"{name}: no page stays empty", not left, left[:10])


def pages(farm, site, kind):
    """Those of an older form, which are written in the background; then of one whose version is yanked."""
    farm.prepare()
    farm.start_postgres()
    farm.create_database(abis=[loads.ABI])
    loads.fill(farm, PAGES, 2)
    packages = [f"load-{number}" for number in range(1, PAGES + 1)]
    farm.start_pypi()
    farm.start_master()
    farm.wait("pages of the present form", lambda: farm.pages_form() == "all")
    with open(farm.www / ".pages", "rb") as file:  # which nobody promises not to reach the disk first
        os.fsync(file.fileno())
    stop(farm, site)
    begin_again(farm, site, f"{kind}.pages of an older form", packages, "1.1")
    due = "SELECT package FROM rewrites_pending WHERE package = '{0}' UNION SELECT package FROM piw.pages_due WHERE package = '{0}'"
    for package, name, until in (("load-7", "a yanked version", lambda package: not farm.rows(due.format(package))),
                                 ("load-8", "one that was just yanked", lambda package: True)):
        farm.run([farm.program("piw-remove"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "--yes", package, "1.1",
                  "--yank"])
        farm.wait("its pages", lambda package=package: whole(farm, package, "avoid it"))
        farm.wait("nothing to be due", lambda package=package, until=until: until(package))
        stop(farm, site)
        begin_again(farm, site, f"{kind}.{name}", [package], "avoid it")


def load(farm, site, kind):
    loads.start(farm, 1000, 4)
    run(farm, site, kind, {})


def try_one(kind, what):
    with farms.Farm() as farm:
        farm.task_options["big_brother"] = {"disk-floor": "1M"}
        farm.dir.chmod(0o755)
        farm.folder("www")
        site = Site(farm, kind)
        why = site.make()
        if why is not None:
            score.skip(kind, why)
            return
        try:
            what(farm, site, kind)
        except (farms.Failure, OSError) as error:
            check(kind, False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
        while farm.processes:
            farm.processes.pop().stop()
        site.umount()


def main():
    machine.own_mounts()
    if not os.environ.get("PIW_OWN_MOUNTS"):
        score.skip("file systems", "none can be mounted here")
        return 0
    for kind in (os.environ.get("PIW_FILE_SYSTEMS") or "ext4 xfs btrfs").split():
        try_one(kind, load)
        if kind in STOPS:
            try_one(kind, pages)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
