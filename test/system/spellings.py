"""Packages whose names are spelt in every way that names are, and that need each other in other spellings still. Their source
archives have their build backend in them: small, and built without setuptools."""

import base64
import hashlib
import re

import farm as farms

# The name as its author writes it: what it needs, in the spelling of its METADATA, and the Pythons it is for.
PACKAGES = {
    "MarkupSafe": ([], ">=3.7"),
    "typing_extensions": ([], ">=3.7,<5"),
    "zope.interface": ([], ""),
    "PyYAML": ([], ""),
    "ruamel.yaml.CLib": ([], ""),
    "Jinja2": (["markupsafe>=1"], ""),
    "Flask": (["jinja2", "MARKUPSAFE", "Typing-Extensions; python_version >= '3'", "zope_interface"], ">=3.7"),
    "Flask_Admin.Plus": (["FLASK>=1", "pyyaml", "ruamel-yaml-clib"], ""),
}
# How people type them: the author's way, and others.
TYPED = {
    "MarkupSafe": ("MarkupSafe", "markupsafe", "MARKUPSAFE"),
    "typing_extensions": ("typing_extensions", "typing-extensions", "Typing.Extensions"),
    "zope.interface": ("zope.interface", "zope-interface", "Zope_Interface"),
    "PyYAML": ("PyYAML", "pyyaml"),
    "ruamel.yaml.CLib": ("ruamel.yaml.CLib", "ruamel-yaml-clib", "Ruamel_Yaml.CLIB"),
    "Jinja2": ("Jinja2", "jinja2"),
    "Flask": ("Flask", "flask", "FLASK"),
    "Flask_Admin.Plus": ("Flask_Admin.Plus", "flask-admin-plus", "FLASK.ADMIN_PLUS"),
}

BACKEND = """import os, time, zipfile

FILENAME, FILES, GATE = @FILENAME@, @FILES@, @GATE@

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    until = time.time() + 120
    while GATE and not os.path.exists(GATE) and time.time() < until:
        time.sleep(0.05)
    if not FILES:
        raise SystemExit("this version is meant to fail")
    with zipfile.ZipFile(os.path.join(wheel_directory, FILENAME), "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, text in FILES.items():
            wheel.writestr(zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0)), text)
    return FILENAME
"""
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def module(name):
    return canonical(name).replace("-", "_")


def needed(name):
    """The package and all that it needs, by canonical names."""
    own = {canonical(each): each for each in PACKAGES}
    found, rest = set(), [canonical(name)]
    while rest:
        at = rest.pop()
        if at not in found:
            found.add(at)
            rest += [canonical(re.match(r"[\w.-]+", need).group()) for need in PACKAGES[own[at]][0]]
    return found


def wheel_files(name, version, pythons=None):
    """What is in the wheel: {path: text}. `pythons` in place of its Requires-Python."""
    needs, requires_python = PACKAGES[name]
    requires_python = pythons or requires_python
    stem = f"{module(name)}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: spelt {name}\n"
    metadata += f"Requires-Python: {requires_python}\n" if requires_python else ""
    metadata += "".join(f"Requires-Dist: {need}\n" for need in needs)
    files = {f"{module(name)}.py": f"__version__ = '{version}'\n",
             f"{stem}.dist-info/METADATA": metadata,
             f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    return {**files, f"{stem}.dist-info/RECORD": f"{record}{stem}.dist-info/RECORD,,\n"}


def add(farm, name, version, gate="", fails=False, requires_python=None):
    """A version appears on PyPI. Its build waits until the file `gate` is there."""
    backend = BACKEND.replace("@FILENAME@", repr(f"{module(name)}-{version}-py3-none-any.whl"))
    backend = backend.replace("@FILES@", repr({} if fails else wheel_files(name, version, requires_python))).replace("@GATE@", repr(str(gate)))
    return farms.make_sdist(farm.folder("pypi"), name, version, {"pyproject.toml": PYPROJECT, "backend.py": backend})


def add_all(farm, version):
    for name in PACKAGES:
        add(farm, name, version)
