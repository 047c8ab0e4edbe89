#!/usr/bin/python3
"""What installers other than pip make of a farm's index: Poetry, PDM, Pipenv, zc.buildout and distlib of Debian 12 and 13, each with
the farm as its only source, asked for the same packages. docs/compatibility.md has what came of it.

All are written in Python, and run by this machine's. The first run unpacks 400 MB of Debian packages into build/debian/ (two minutes).
PIW_READER_SUITES="bookworm trixie sid" in the environment tries further releases.

TEST-TIMEOUT: 900
TEST-NEEDS: plain
"""

import os
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import farm as farms  # pylint: disable=wrong-import-position
import pips  # pylint: disable=wrong-import-position
import score  # pylint: disable=wrong-import-position
from score import check, equal  # pylint: disable=wrong-import-position
import spellings  # pylint: disable=wrong-import-position
import wheels  # pylint: disable=wrong-import-position

# The index: (project, version, Requires-Python, what it needs). yanked 2.0 is yanked.
RELEASES = (
    ("plain_name", "1.0", "", ()),
    ("yanked", "1.0", "", ()),
    ("yanked", "2.0", "", ()),
    ("later", "1.0", ">=3.6", ()),
    ("later", "2.0", ">=3.99", ()),
    ("epoch", "9.0", "", ()),
    ("epoch", "1!1.0", "", ()),
    ("early", "1.0", "", ()),
    ("early", "2.0rc1", "", ()),
    ("rebuilt", "1.0", "", ()),
    ("rebuilt", "1.0+farm.1", "", ()),
    ("needs", "1.0", "", ("plain-name", "epoch")),
)
# What is to be taken, of names as they are typed, when nothing but the names is said, by PEP 440, 503, 592 and Requires-Python.
RIGHT = {"plain.name": "1.0", "yanked": "1.0", "later": "1.0", "epoch": "1!1.0", "early": "1.0", "rebuilt": "1.0+farm.1",
         "needs": "1.0"}
# The programs, and what each takes instead in a release of Debian.
ATTRIBUTES_UNREAD = {"yanked": "2.0", "later": "2.0"}
TOOLS = {
    "poetry": {},
    "pdm": {"trixie": {"rebuilt": "1.0"}, "sid": {"rebuilt": "1.0"}},
    "pipenv": {},
    # That of Debian 12 knows a project with a dot by wheels with a dot alone.
    "buildout": {"bookworm": {**ATTRIBUTES_UNREAD, "plain.name": None}, "trixie": {"yanked": "2.0"}, "sid": {"yanked": "2.0"}},
    "distlib": {suite: {**ATTRIBUTES_UNREAD, "epoch": "9.0"} for suite in ("bookworm", "trixie", "sid")},
}
PACKAGES = ("python3-poetry", "python3-pdm", "pipenv", "python3-zc.buildout", "python3-setuptools", "python3-pip", "python3-distlib")
SUITES = {"bookworm": "", "trixie": "", "sid": 'Acquire::Check-Valid-Until "false";'}

POETRY = """[tool.poetry]
name = "user"
version = "1"
description = ""
authors = []
[tool.poetry.dependencies]
python = "^{python}"
{names}
[[tool.poetry.source]]
name = "farm"
url = "{url}"
{only}
"""
PDM = """[project]
name = "user"
version = "1"
requires-python = ">={python}"
dependencies = [{names}]
[[tool.pdm.source]]
name = "pypi"
url = "{url}"
"""
BUILDOUT = """
import re, sys
from zc.buildout import easy_install
for name in sys.argv[2:]:
    try:
        found = easy_install.install([name], "eggs", index=sys.argv[1])
    except easy_install.MissingDistribution:
        continue
    for dist in found:
        if re.sub("[-_.]", "-", dist.project_name) == name.replace(".", "-"):
            print(dist.project_name, dist.version)
"""
DISTLIB = """
import sys
from distlib.locators import SimpleScrapingLocator
for name in sys.argv[2:]:
    found = SimpleScrapingLocator(sys.argv[1], timeout=10.0).locate(name)
    if found:
        print(found.name, found.version)
"""
LOCKED = re.compile(r'^name = "([^"]+)"\nversion = "([^"]+)"$', re.MULTILINE)
PIPENV_LOCKED = re.compile(r'^ +"([^"]+)": \{\n(?:[^{}]*\n)?[^{}]*"version": "==([^"]+)"\n', re.MULTILINE)
PRINTED = re.compile(r"^(\S+) (\S+)$", re.MULTILINE)


class Tools:
    """The installers of one release of Debian."""

    def __init__(self, farm, suite):
        self.farm, self.suite = farm, suite
        self.url = f"{farm.web_url}/simple"
        top = farms.ROOT / "build" / "debian" / f"readers-{suite}"
        if not top.exists():
            top.parent.mkdir(parents=True, exist_ok=True)
            pips.unpack(suite, top, SUITES[suite], PACKAGES)
        # Where the farm's user can reach it.
        root = farm.dir / suite
        shutil.copytree(top / "root" / "usr" / "lib" / "python3" / "dist-packages", root / "dist-packages", symlinks=True)
        shutil.copytree(top / "root" / "usr" / "share" / "python-wheels", root / "python-wheels", symlinks=True, dirs_exist_ok=True)
        farm.own(root)
        self.env = {"PYTHONPATH": f"{root}/dist-packages", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
                    "POETRY_VIRTUALENVS_CREATE": "false", "PDM_CHECK_UPDATE": "0", "PDM_USE_VENV": "0", "PDM_IGNORE_SAVED_PYTHON": "1",
                    "PIPENV_VENV_IN_PROJECT": "1", "PIPENV_NOSPIN": "1", "PIPENV_PYPI_MIRROR": self.url, "PIP_INDEX_URL": self.url,
                    "PIP_CONFIG_FILE": "/dev/null", "PYTHONWARNINGS": "ignore"}

    def run(self, place, args):
        done = self.farm.run([farms.PYTHON, *args], env={**self.env, "HOME": str(place)}, cwd=place, timeout=240, check=False)
        return done.stdout if done.returncode == 0 else f"exit {done.returncode}: {done.stdout[-600:]} {done.stderr[-1500:]}"

    def lock(self, place, args, file, pattern):
        said = self.run(place, args)
        locked = place / file
        return pattern.findall(locked.read_text("utf-8")) if locked.exists() else said

    def poetry(self, place, names):
        # The word for a source that takes PyPI's place has changed with Poetry 1.5.
        only = "default = true" if self.suite == "bookworm" else 'priority = "primary"'
        text = POETRY.format(python="3.9", names="\n".join(f'"{name}" = "*"' for name in names), url=f"{self.url}/", only=only)
        (place / "pyproject.toml").write_text(text, encoding="utf-8")
        return self.lock(place, ["-m", "poetry", "-n", "lock"], "poetry.lock", LOCKED)

    def pdm(self, place, names):
        text = PDM.format(python="3.9", names=", ".join(f'"{name}"' for name in names), url=f"{self.url}/")
        (place / "pyproject.toml").write_text(text, encoding="utf-8")
        return self.lock(place, ["-m", "pdm", "lock"], "pdm.lock", LOCKED)

    def pipenv(self, place, names):
        packages = "\n".join(f'"{name}" = "*"' for name in names)
        text = f'[[source]]\nurl = "{self.url}"\nverify_ssl = false\nname = "farm"\n[packages]\n{packages}\n'
        (place / "Pipfile").write_text(text, encoding="utf-8")
        return self.lock(place, ["-m", "pipenv", "lock"], "Pipfile.lock", PIPENV_LOCKED)

    def buildout(self, place, names):
        (place / "eggs").mkdir(mode=0o777)
        (place / "eggs").chmod(0o777)
        said = self.run(place, ["-c", BUILDOUT, self.url, *names])
        return said if said.startswith("exit") else PRINTED.findall(said)

    def distlib(self, place, names):
        said = self.run(place, ["-c", DISTLIB, f"{self.url}/", *names])
        return said if said.startswith("exit") else PRINTED.findall(said)

    def take(self, tool):
        place = self.farm.folder(f"{tool}-{self.suite}")
        got = getattr(self, tool)(place, list(RIGHT))
        wanted = {**RIGHT, **TOOLS[tool].get(self.suite, {})}
        name = f"{tool} of {self.suite}"
        if not check(f"{name}: takes packages", not isinstance(got, str), got):
            return
        found = {spellings.canonical(project): version for project, version in got}
        for project, version in wanted.items():
            equal(f"{name}: {project}", found.get(spellings.canonical(project)), version)


def publish(farm):
    queues = ["--import-queue", farm.socket("import")]
    for project, version, pythons, needs in RELEASES:
        name = f"{project}-{version}-py3-none-any.whl"
        path = farm.dir / "home" / name
        path.write_bytes(wheels.make(name, requires_python=pythons or None, requires=needs))
        path.chmod(0o644)
        for args in ((), ("-s", "imported", version)):
            farm.run([farm.program("piw-add"), "-c", farm.configuration(), "-y", *(args[:2] or ("-d", "a test's")), *queues, project, *args[2:]],
                     check=False)
        farm.run([farm.program("piw-import"), "-c", farm.configuration(), "-y", *queues, "--file-queue", farm.socket("file"), "--abi", farm.abi(),
                  path])
    farm.run([farm.program("piw-remove"), "-c", farm.configuration(), "-y", "--yank", *queues, "yanked", "2.0"])
    pages = {project: farm.www / "simple" / spellings.canonical(project) / "index.html" for project, *_ in RELEASES}
    farm.wait("the pages", lambda: all(pages[project].exists() and f"-{version}-" in pages[project].read_text("utf-8")
                                       for project, version, *_ in RELEASES), 120)
    farm.wait("what is yanked", lambda: "data-yanked" in pages["yanked"].read_text("utf-8"), 60)


def run(farm):
    farm.task_options["web_server"] = {"listen": "127.0.0.1:0"}
    farm.start(slaves=0, web=False)
    farm.own_web()
    publish(farm)
    for suite in (os.environ.get("PIW_READER_SUITES") or "bookworm trixie").split():
        try:
            tools = Tools(farm, suite)
        except pips.Missing as error:
            score.skip(f"installers of {suite}", error)
            continue
        for tool in TOOLS:
            tools.take(tool)
    check("the master ends", farm.stop_process(farm.master) == 0)


def main():
    with farms.Farm() as farm:
        try:
            run(farm)
        except (farms.Failure, OSError, KeyError, ValueError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
