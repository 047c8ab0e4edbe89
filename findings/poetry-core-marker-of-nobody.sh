#!/bin/sh
# What a project needs nowhere, Poetry's build backend makes it need everywhere.
#
# Expected: a marker that no machine satisfies (two systems at once, or a range between 3.10 and 3.11, as programs write them that put markers together)
# stays one that none satisfies: the dependency is in METADATA with it, or isn't there. So it is with flit.
# Seen: poetry-core finds out that it can't be true, drops the marker and keeps the dependency: "Requires-Dist: dep", for everybody. In an extra it
# leaves the extra alone, so that the extra needs it everywhere.
set -eu
poetry=2.3.1-3 flit=4.1.0-4 packaging=26.2-3

folder=$(mktemp -d /tmp/finding-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p state/lists/partial cache/archives/partial
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
    APT_CONFIG=$folder/apt.conf apt-get -qq download "python3-poetry-core=$poetry" "python3-flit=$flit" "python3-packaging=$packaging" 2>/dev/null ||
    { echo "the packages can't be downloaded"; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root; done
cat >build.py <<'PY'
import importlib, os, sys, zipfile
from packaging.requirements import Requirement
backend, out = sys.argv[1:]
os.makedirs("project/demo", exist_ok=True)
os.chdir("project")
with open("demo/__init__.py", "w"):
    pass
with open("pyproject.toml", "w") as file:
    file.write(f'''[build-system]
requires = []
build-backend = "{backend}"
[project]
name = "demo"
version = "1.0"
description = "d"
dependencies = [
    "some; sys_platform == 'win32'",
    "no-system; sys_platform == 'win32' and sys_platform == 'linux'",
    "no-python; python_version > '3.10' and python_version < '3.11'",
]
[project.optional-dependencies]
more = ["no-extra; sys_platform == 'win32' and sys_platform == 'linux'"]
''')
wheel = importlib.import_module(backend).build_wheel(out)
with zipfile.ZipFile(os.path.join(out, wheel)) as archive:
    lines = archive.read("demo-1.0.dist-info/METADATA").decode().splitlines()
for need in sorted((Requirement(line.partition(": ")[2]) for line in lines if line.startswith("Requires-Dist:")), key=str):
    systems = [system for system in ("linux", "win32") if need.marker is None or any(need.marker.evaluate(
        {"sys_platform": system, "extra": "more", "python_version": version}) for version in ("3.9", "3.10", "3.11", "3.12"))]
    print(f"{need.name}:", *systems)
PY
try() {
    mkdir "$1"
    PYTHONPATH=$folder/root/usr/lib/python3/dist-packages python3 build.py "$2" "$folder/$1" 2>log || { tail -3 log >&2; exit 2; }
}
a=$(try a flit_core.buildapi) && b=$(try b poetry.core.masonry.api) || { echo "it can't be tried"; exit 2; }
echo "poetry-core $poetry, flit_core $flit, packaging $packaging"
echo "expected of both, and seen of flit, needed on:"
echo "$a"
echo "seen of poetry-core:"
echo "$b"
[ "$a" = "no-extra:
no-python:
no-system:
some: win32" ] && [ "$b" = "no-extra: linux win32
no-python: linux win32
no-system: linux win32
some: win32" ]
