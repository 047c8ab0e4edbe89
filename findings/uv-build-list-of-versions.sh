#!/bin/sh
# uv's build backend drops a marker with a list of Python versions, if commas stand in it, and the dependency is for everybody.
#
# Expected: "dep; python_version in '3.9, 3.10'" is for 3.9 and 3.10: to PEP 508 "in" looks for one text in the other, whatever is between. Flit writes
# it so; uv does so of '3.9 3.10', without the comma.
# Seen: without a word uv_build writes "Requires-Dist: dep" alone, into the wheel that all installers read; so it does of "not in", which then excludes nobody.
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
dependencies = ["blanks; python_version in '3.9 3.10'", "commas; python_version in '3.9, 3.10'", "without; python_version not in '3.9, 3.10'"]
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
for text in fields.get_all("Requires-Dist"):
    need = Requirement(text)
    fits = [version for version in ("3.9", "3.10", "3.11") if need.marker is None or
            need.marker.evaluate({"python_version": version, "python_full_version": version + ".0"})]
    print(f"{need.name} on {' '.join(fits)}")
PY
build() {
    PYTHONPATH=$folder/root/usr/lib/python3/dist-packages python3 build.py "$1" 2>"$1.log"
}
echo "uv_build $uv, flit_core $flit, packaging 26.2-3"
a=$(build flit) && rm -f ./*.whl && b=$(build uv) || { cat ./*.log; exit 2; }
wanted="blanks on 3.9 3.10
commas on 3.9 3.10
without on 3.11"
echo "expected of both, and seen of flit:"
echo "$a"
echo "seen of uv:"
echo "$b"
[ "$a" = "$wanted" ] && [ "$b" = "blanks on 3.9 3.10
commas on 3.9 3.10 3.11
without on 3.9 3.10 3.11" ]
