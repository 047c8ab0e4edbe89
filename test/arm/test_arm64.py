#!/usr/bin/python3
"""The product for 64-bit ARM: compiled and linked.

TEST-TIMEOUT: 900
"""

import emulated
from report import Report


def arm64(report):
    if report.build(emulated.ARM64):
        facts = emulated.elf_facts(emulated.ARM64.build / "bin" / "piw-slave")
        report.check("arm64.it is AArch64", "AArch64" in facts, facts)


Report().run(arm64)
