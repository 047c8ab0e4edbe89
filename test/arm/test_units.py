#!/usr/bin/python3
"""All unit programs for 32-bit ARM with hard float, with qemu-arm; programs that they start are emulated too.

TEST-TIMEOUT: 1500
"""

import emulated
from report import Report


def armhf(report):
    if report.build(emulated.ARMHF):
        report.units(emulated.ARMHF, emulated.units())


Report().run(armhf)
