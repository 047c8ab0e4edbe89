#!/usr/bin/python3
"""What test_userland checks, on a Raspberry Pi as most are set up: Debian's armhf Python, pip and build backends run by an emulator,
with a uname that says aarch64.

TEST-TIMEOUT: 900
TEST-NEEDS: plain
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import test_userland  # pylint: disable=wrong-import-position

sys.exit(test_userland.run(test_userland.Pi("pi", "armhf", "aarch64", "linux_armv7l", "arm-linux-gnueabihf")))
