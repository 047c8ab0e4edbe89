#!/usr/bin/python3
"""The product for ARMv6 (Pi Zero, first Pi), with the libraries of Debian's armel: compiled, linked, and all unit programs run as
on that board's processor, which stops what it doesn't know.

TEST-TIMEOUT: 1800
"""

import re

import emulated
from report import Report


def armv6(report):
    machine = emulated.ARMV6
    if not report.build(machine):
        return
    for path in ("bin/piw-slave", "bin/piw-master", "lib/libpiw.so", "plugins/slave_driver.so"):
        facts = emulated.elf_facts(machine.build / path)
        report.check(f"armv6.{path} is for ARMv6", re.search(r"Tag_CPU_arch: v6\b", facts), facts)
    report.units(machine, emulated.units())


Report().run(armv6)
