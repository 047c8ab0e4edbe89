#!/usr/bin/python3
"""A slave on a Raspberry Pi, emulated: piw-slave, Python, pip, gcc and ldd are Debian's for armhf, in a root folder of their own;
the master and its database are this machine's. A C extension becomes a linux_armv7l wheel that pip on the Pi installs.

TEST-TIMEOUT: 1500
TEST-NEEDS: plain
"""

import io
import pathlib
import sys
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

# pylint: disable=wrong-import-position
import emulated
import farm as farms
from report import Report

WHEEL = "piwdemo_cext-0.3-cp311-cp311-linux_armv7l.whl"


def wheel(report):
    if not report.build(emulated.ARMHF):
        return
    root = emulated.root(emulated.ARMHF, "builder")
    with farms.Farm() as farm:
        farm.prepare()
        guest = emulated.Guest(farm, emulated.ARMHF, root, inside=True)
        farm.start_postgres()
        farm.create_database(abis=["cp311"])
        farm.add_samples("piwdemo-cext")
        farm.start_pypi()
        farm.start_master()
        farm.start_web()
        slave = guest.start_slave("pi")
        farm.wait("the build", lambda: farm.rows("SELECT 1 FROM builds"), timeout=900)
        report.check("wheel.built", farm.value("SELECT status FROM builds") == "t", slave.text()[-600:])
        published = farm.wait("the file", lambda: list((farm.www / "simple").rglob("*.whl")), timeout=120)
        files = farm.rows("SELECT filename, platform_tag, abi_tag FROM files")
        report.check("wheel.tags", files == [[WHEEL, "linux_armv7l", "cp311"]], files)
        report.check("wheel.published", WHEEL in [path.name for path in published], published)
        data = next(path for path in published if path.name == WHEEL).read_bytes()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            library = next(name for name in archive.namelist() if name.endswith(".so"))
            head = archive.read(library)[:20]
        report.check("wheel.its library is ARM's", head[:5] == b"\x7fELF\1" and head[18:20] == b"\x28\0", (library, head))
        depends = farm.rows("SELECT tool, dependency FROM dependencies ORDER BY 2")
        report.check("wheel.depends", depends == [["apt", "libc6"], ["apt", "zlib1g"]], depends)
        install(report, farm, guest)
        report.check("wheel.the slave stops in order", farm.stop_process(slave) == 0)


def install(report, farm, guest):
    """The Pi's pip takes the wheel from the index, its Python imports it."""
    page = farm.www / "simple" / "piwdemo-cext" / "index.html"
    farm.wait("the index", lambda: page.exists() and WHEEL in page.read_text("utf-8"))
    target = farm.folder("installed")
    with guest.entered() as words:
        farm.run([*words, "/usr/bin/python3", "-m", "pip", "install", "--no-cache-dir", "--no-deps", "--only-binary", ":all:",
                  "--index-url", f"{farm.web_url}/simple/", "--target", target, "piwdemo-cext"], timeout=300)
        done = farm.run([*words, "/usr/bin/python3", "-c", "import platform, piwdemo_cext; "
                         "print(platform.machine(), piwdemo_cext.__file__)"], timeout=120, env={"PYTHONPATH": str(target)})
    report.check("wheel.installed and imported", done.stdout.startswith(f"armv7l {target}"), done.stdout)


Report().run(wheel)
