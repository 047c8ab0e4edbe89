"""What the tests of views share: a source archive whose wheel says on what it was built, and machines of two kinds."""

import hashlib
import pathlib
import platform
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
# pylint: disable=wrong-import-position
import farm as farms

OLD, NEW = "bookworm-amd64", "trixie-amd64"
SETUP = """import re
from setuptools import Extension, setup
release = re.search(r'^VERSION_ID="?([0-9.]+)', open("/etc/os-release").read(), re.M).group(1)
setup(name="{name}", version="{version}",
      ext_modules=[Extension("{name}", ["module.c"], define_macros=[("RELEASE", '"' + release + '"')],
                             extra_link_args={libraries})])
"""
MODULE = """#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>
static PyObject *release(PyObject *self, PyObject *args) {{ (void)self; (void)args; return PyUnicode_FromString(RELEASE); }}
static PyObject *bytes(PyObject *self, PyObject *args) {{ (void)self; (void)args; return PyLong_FromLong(strtol("7", NULL, 10)); }}
static PyMethodDef methods[] = {{{{"release", release, METH_NOARGS, ""}}, {{"number", bytes, METH_NOARGS, ""}}, {{NULL, NULL, 0, NULL}}}};
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "{name}", NULL, -1, methods, NULL, NULL, NULL, NULL}};
PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&module); }}
"""
PURE = "from setuptools import setup\nsetup(name='{name}', version='{version}', py_modules=['{name}'])\n"


def add_extension(farm, name, version="1.0", libraries=()):
    """A package in C whose module says the release of Debian that it was built on, and needs these libraries."""
    farms.make_sdist(farm.dir / "pypi", name, version, {
        "setup.py": SETUP.format(name=name, version=version, libraries=[f"-Wl,--no-as-needed,-l{library}" for library in libraries]), "module.c": MODULE.format(name=name)})


def add_pure(farm, name, version="1.0"):
    farms.make_sdist(farm.dir / "pypi", name, version, {
        "setup.py": PURE.format(name=name, version=version), f"{name}.py": "release = 'any'\n"})


def machine():
    return f"linux_{platform.machine()}"


def views(farm):
    """One kind is Debian 12, the other Debian 13; both have this machine's Python."""
    return {OLD: {"abi": farm.abi(), "platform": machine(), "os_version": "12"},
            NEW: {"abi": farm.abi(), "platform": machine(), "os_version": "13"}}


def start_slave(farm, name, release):
    """A slave that sees this release of Debian in /etc/os-release, and all else as it is. For root."""
    text = farm.dir / f"os-release-{release}"
    text.write_text(f'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="{release}"\nVERSION="{release} (of a test)"\n', encoding="ascii")
    text.chmod(0o644)
    drop, farm.drop = farm.drop, ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                                  'mount --bind "$0" /usr/lib/os-release && exec "$@"', str(text), *farm.drop]
    try:
        return farm.start_slave(name)
    finally:
        farm.drop = drop


def links(page):
    """Of an index page: {name: address}."""
    return {match.group(2): match.group(1) for match in re.finditer(r'<a href="([^"#]*)[^"]*"[^>]*>([^<]+)</a>', page)}


def page(farm, path):
    """What the site has there; "": nothing yet."""
    try:
        return (farm.www / path).read_text("utf-8")
    except FileNotFoundError:
        return ""


def index_of(farm, view, package):
    """What a package's page for this kind links to: {name: address}."""
    return links(page(farm, f"{view}/simple/{package}/index.html"))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
