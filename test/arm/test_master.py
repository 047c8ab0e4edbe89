#!/usr/bin/python3
"""A master on 32-bit ARM, emulated, with a PostgreSQL, a slave, a stand-in for PyPI and a web server of this machine: packages go
all the way through it to pip.

TEST-TIMEOUT: 900
TEST-NEEDS: plain
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

# pylint: disable=wrong-import-position
import emulated
import farm as farms
from report import Report


class Farm(farms.Farm):
    """The master is the guest's."""

    guest = None

    def master_args(self):
        program, *options = super().master_args()
        options[options.index("--plugin-dir") + 1] = self.dir / emulated.ARMHF.name / "plugins"
        return [*self.guest.words, self.guest.program(program.name), *options]


def master(report):
    if not report.build(emulated.ARMHF):
        return
    with Farm() as farm:
        farm.prepare()
        farm.guest = emulated.Guest(farm, emulated.ARMHF, emulated.root(emulated.ARMHF), inside=False)
        farm.add_samples("piwdemo-cext", "piwdemo-pure")
        farm.start_postgres()
        farm.create_database()
        farm.start_pypi()
        with farm.guest.entered():
            farm.start_master()
        emulator = pathlib.Path(f"/proc/{farm.master.pid}/exe").resolve().name
        report.check("master.is emulated", emulator.startswith("qemu-arm"), emulator)
        farm.start_web()
        farm.start_slave()
        farm.wait("the builds", lambda: len(farm.rows("SELECT 1 FROM builds")) == 3, timeout=300)
        built = farm.rows("SELECT package, version FROM builds WHERE status ORDER BY 1, 2")
        report.check("master.built", built == [["piwdemo-cext", "0.3"], ["piwdemo-pure", "1.0"], ["piwdemo-pure", "1.1"]], built)
        page = farm.www / "simple" / "piwdemo-pure" / "index.html"
        farm.wait("the index", lambda: page.exists() and "-1.1-" in page.read_text("utf-8"), timeout=120)
        target = farm.folder("installed")
        farm.pip_install(target, "piwdemo-cext")
        found = [path.name for path in target.iterdir()]
        report.check("master.installed", any(name.startswith("piwdemo_cext") and name.endswith(".so") for name in found), found)
        recent = farm.rows("SELECT 1 FROM builds WHERE built_at > now() AT TIME ZONE 'UTC' - interval '1 hour'")
        report.check("master.moments are right", len(recent) == 3, recent)
        report.check("master.stops in order", farm.stop_process(farm.master) == 0, farm.master.text()[-600:])


Report().run(master)
