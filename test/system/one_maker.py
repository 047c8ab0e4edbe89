"""What tests make once and keep below build/ for the next run, such as a root of Debian: one program makes it, others wait."""

import contextlib
import fcntl
import shutil
import subprocess


@contextlib.contextmanager
def alone(folder):
    """Nobody else is here meanwhile with the same folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def debian(release, folder, *words, timeout=1500):
    """A root of Debian, for root: "", or why there is none. In mounts of its own: a /proc that debootstrap leaves behind would be
    copied, or removed, with the root."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    done = subprocess.run(["unshare", "--mount", "--propagation", "private", "debootstrap", "--variant=minbase", *words, release, folder],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
                          check=False)
    return (done.stdout.strip().splitlines() or ["no reason given"])[-1] if done.returncode != 0 else ""
