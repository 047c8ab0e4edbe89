"""Where this machine's own apt finds Debian: for those that fetch packages of it with an apt of their own."""

import functools
import subprocess

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Missing(Exception):
    """What a test needs and this machine hasn't: the reason of a skip."""


@functools.cache
def _mirror():
    try:
        found = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian",
                                "Component: main"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"apt can't be asked where Debian is: {error}") from error
    addresses = [line for line in found.splitlines() if "security" not in line]
    if not addresses:
        raise Missing("apt knows no address of Debian: run apt-get update")
    return addresses[0]


def source(suite, more=""):
    """A line for sources.list: packages of that suite, from there. `more`: further options, such as arch=armel."""
    return f"deb [signed-by={KEYRING}{' ' if more else ''}{more}] {_mirror()} {suite} main\n"
