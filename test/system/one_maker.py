"""What tests make once and keep below build/ for the next run, such as a root of Debian: one program makes it, others wait."""

import contextlib
import fcntl


@contextlib.contextmanager
def alone(folder):
    """Nobody else is here meanwhile with the same folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
