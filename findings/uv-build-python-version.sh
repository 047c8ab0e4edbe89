#!/bin/sh
# uv's build backend writes other markers into METADATA than pyproject.toml has: python_version becomes python_full_version.
#
# Expected: a wheel's Requires-Dist says what the project's dependencies say, maybe in other words. With
#     new; python_version >= '3.15'      and      old; python_version < '3.15'
# every interpreter gets one of both, whatever builds the wheel.
# Seen: of CPython 3.15.0rc1 python_version is 3.15, and python_full_version 3.15.0rc1, which by PEP 440 is neither ">= 3.15" nor
# "< 3.15". In uv_build's wheel both dependencies are for nobody there; in flit's, of the same file, one is.
set -eu
uv=0.9.17+ds1-6 flit=4.1.0-4

folder=$(mktemp -d /tmp/finding-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p state/lists/partial cache/archives/partial demo
: >status
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Origin: Debian" | grep -v security | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >sources.list
cat >apt.conf <<CONF
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Dir::State "$folder/state";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
Dir::Etc::SourceList "$folder/sources.list";
Dir::Etc::SourceParts "$folder/none";
CONF
export LC_ALL=C
APT_CONFIG=$folder/apt.conf apt-get -qq update 2>/dev/null &&
    APT_CONFIG=$folder/apt.conf apt-get -qq download "python3-uv-build=$uv" "python3-flit=$flit" python3-packaging=26.2-3 2>/dev/null ||
    { echo "the packages can't be downloaded"; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root; done
touch demo/__init__.py
cat >pyproject.toml <<'TOML'
[build-system]
requires = ["uv_build"]
build-backend = "uv_build"
[project]
name = "demo"
version = "1.0"
description = "d"
requires-python = ">=3.9"
dependencies = ["new; python_version >= '3.15'", "old; python_version < '3.15'"]
[tool.uv.build-backend]
module-root = ""
TOML
cat >build.py <<'PY'
import email, importlib, subprocess, sys, zipfile
from packaging.requirements import Requirement
if sys.argv[1] == "uv":  # what its backend runs
    wheel = subprocess.run(["root/usr/lib/uv-build", "build-wheel", "."], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1]
else:
    wheel = importlib.import_module("flit_core.buildapi").build_wheel(".")
with zipfile.ZipFile(wheel) as archive:
    fields = email.message_from_bytes(archive.read("demo-1.0.dist-info/METADATA"))
needs = [Requirement(text) for text in fields.get_all("Requires-Dist")]
env = {"python_version": "3.15", "python_full_version": "3.15.0rc1"}
print(", ".join(str(need) for need in needs))
print("on CPython 3.15.0rc1:", " ".join(need.name for need in needs if need.marker.evaluate(env)) or "none")
PY
build() {
    PYTHONPATH=$folder/root/usr/lib/python3/dist-packages python3 build.py "$1" 2>"$1.log"
}
echo "uv_build $uv, flit_core $flit, packaging 26.2-3"
a=$(build flit) && rm -f ./*.whl && b=$(build uv) || { cat ./*.log; exit 2; }
echo "expected: on CPython 3.15.0rc1: new, by both"
echo "seen, flit: $a"
echo "seen, uv:   $b"
[ "${a##*: }" = new ] && [ "${b##*: }" = none ]
