#!/usr/bin/python3
"""The product for 32-bit ARM with hard float (Raspberry Pi OS, Debian's armhf): everything is compiled and linked, and the unit
programs that neither depend on time nor start other programs are run with qemu-arm. test_units.py runs the others.

TEST-TIMEOUT: 900
"""

import emulated
from report import Report

# What is left to test_units.py: conversations over sockets with their deadlines, and programs that start programs, for which
# the emulator needs help from the kernel.
LATER = {"attack", "big_brother", "client", "cloud_gazer", "driver_failures", "driver_swap", "ends", "fault", "idl", "isolate",
         "mailbox", "mr_chase", "out_of_tree", "peers", "port", "port_hostile", "runtime", "signals", "site", "slave_driver",
         "storm", "swap", "transfer", "writers", "zap"}


def armhf(report):
    if not report.build(emulated.ARMHF):
        return
    facts = emulated.elf_facts(emulated.ARMHF.build / "bin" / "piw-slave")
    report.check("armhf.hard float", "hard-float ABI" in facts, facts)
    report.units(emulated.ARMHF, [name for name in emulated.units() if name.removeprefix("test_") not in LATER])


Report().run(armhf)
