#!/bin/sh
# Of a version of four parts Poetry's build backend lets "~=" go as far as of one of three.
#
# Expected: "dep ~=1.0.0.1" is ">=1.0.0.1, ==1.0.0.*", as PEP 440 has it: all but the last part stays. 1.0.0.2 is compatible, 1.0.1 isn't. So it is with flit,
# and of two and three parts with poetry-core.
# Seen: Requires-Dist: dep (>=1.0.0.1,<1.1.0.0), which takes 1.0.1 and 1.0.9. With five parts it goes as far. A project that pins the series of a library
# with such versions gets the next series, as soon as a wheel is built.
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
backend, out, *needs = sys.argv[1:]
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
dependencies = {needs}
''')
wheel = importlib.import_module(backend).build_wheel(out)
with zipfile.ZipFile(os.path.join(out, wheel)) as archive:
    lines = archive.read("demo-1.0.dist-info/METADATA").decode().splitlines()
for line in sorted(lines):
    if line.startswith("Requires-Dist:"):
        need = Requirement(line.partition(": ")[2])
        print(f"{need.name} takes", *need.specifier.filter(["1.0.0.1", "1.0.0.2", "1.0.1", "1.0.9", "1.1", "2.0"]))
PY
try() {
    mkdir "$1"
    PYTHONPATH=$folder/root/usr/lib/python3/dist-packages python3 build.py "$2" "$folder/$1" "two ~=1.0" "three ~=1.0.0" "four ~=1.0.0.1" "five ~=1.0.0.1.0" 2>log ||
        { tail -3 log >&2; exit 2; }
}
a=$(try a flit_core.buildapi) && b=$(try b poetry.core.masonry.api) || { echo "it can't be tried"; exit 2; }
echo "poetry-core $poetry, flit_core $flit, packaging $packaging"
echo "expected of both, and seen of flit:"
echo "$a"
echo "seen of poetry-core:"
echo "$b"
[ "$a" = "five takes 1.0.0.1
four takes 1.0.0.1 1.0.0.2
three takes 1.0.0.1 1.0.0.2 1.0.1 1.0.9
two takes 1.0.0.1 1.0.0.2 1.0.1 1.0.9 1.1" ] && [ "$b" = "five takes 1.0.0.1 1.0.0.2 1.0.1 1.0.9
four takes 1.0.0.1 1.0.0.2 1.0.1 1.0.9
three takes 1.0.0.1 1.0.0.2 1.0.1 1.0.9
two takes 1.0.0.1 1.0.0.2 1.0.1 1.0.9 1.1" ]
