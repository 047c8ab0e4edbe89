#!/bin/sh
# A stable-ABI wheel that was built with CPython 3.15 is taken by the installers of all older ones, and holds no module that they find.
#
# Expected: with py_limited_api = "cp39" the wheel is called cp39-abi3, as its code uses nothing newer, and CPython 3.9 and later can
# import it, whichever built it: that is what the tag says.
# Seen: setuptools names the module MODULE.abi3-x86_64-linux-gnu.so. CPython looks for that since 3.15, and for MODULE.abi3.so, the
# name from before, as well. pip installs the wheel for Debian 12's 3.11, and the import fails; with the older name it goes.
set -eu
setuptools=84.2.0-1 python=3.15.2-1

folder=$(mktemp -d /tmp/finding-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p state/lists/partial cache/archives/partial demo
: >status
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Origin: Debian" | grep -v security | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >sources.list
cat >apt.conf <<CONF
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Dir::State "$folder/state";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
Dir::Etc::SourceList "$folder/sources.list";
Dir::Etc::SourceParts "$folder/none";
CONF
export LC_ALL=C
{ APT_CONFIG=$folder/apt.conf apt-get -qq update && APT_CONFIG=$folder/apt.conf apt-get -qq -y --download-only install \
    "libpython3.15-dev=$python" "python3.15=$python" "python3-setuptools=$setuptools"; } >apt.log 2>&1 ||
    { tail -3 apt.log; echo "the packages can't be downloaded"; exit 2; }
for package in cache/archives/*.deb; do dpkg-deb -x "$package" root; done
cat >demo/m.c <<'C'
#include <Python.h>
static struct PyModuleDef m = {PyModuleDef_HEAD_INIT, "stable", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_stable(void) { return PyModule_Create(&m); }
C
cat >demo/setup.py <<'PY'
from setuptools import Extension, setup
setup(name="stable", version="1.0", py_modules=[], options={"bdist_wheel": {"py_limited_api": "cp39"}},
      ext_modules=[Extension("stable", ["m.c"], py_limited_api=True, define_macros=[("Py_LIMITED_API", "0x03090000")])])
PY
# The other release's interpreter, with its own loader and libraries; the compiler is this machine's.
cat >python3.15 <<RUN
#!/bin/sh
root=$folder/root
exec "\$(ls "\$root"/usr/lib64/ld-linux*.so.* "\$root"/usr/lib/ld-linux*.so.* 2>/dev/null | head -1)" \\
    --library-path "\$(dirname "\$root"/usr/lib/*/libc.so.6)" "\$root/usr/bin/python3.15" "\$@"
RUN
chmod +x python3.15
for part in root/usr/include/*-linux-*/python3.15; do # not the other release's C library beside it
    mkdir -p "include/$(basename "$(dirname "$part")")" && ln -s "$folder/$part" "include/$(basename "$(dirname "$part")")/"
done
(cd demo && CFLAGS=-I$folder/include PYTHONHOME=$folder/root/usr PYTHONPATH=$folder/root/usr/lib/python3/dist-packages ../python3.15 -c \
    "import setuptools.build_meta; setuptools.build_meta.build_wheel('..')") >build.log 2>&1 || { tail -5 build.log; exit 2; }

wheel=$(ls ./*.whl)
echo "setuptools $setuptools, CPython $python: ${wheel#./} with"
python3 -m zipfile -l "$wheel" | sed -n 's/^\([^ ]*\.so\) .*/  \1/p'
/usr/bin/python3 -m pip --isolated -q install --no-index --no-deps --disable-pip-version-check --target installed "$wheel" \
    2>pip.log || { cat pip.log; echo "changed: pip doesn't take it"; exit 1; }
try() { PYTHONPATH=installed /usr/bin/python3 -c "import stable" 2>/dev/null && echo imported || echo "no module of that name"; }
as_built=$(try)
mv installed/stable.*.so installed/stable.abi3.so
renamed=$(try)
/usr/bin/python3 --version
echo "expected: installed and imported"
echo "seen: installed, $as_built; called stable.abi3.so: $renamed"
[ "$as_built" = "no module of that name" ] && [ "$renamed" = imported ]
