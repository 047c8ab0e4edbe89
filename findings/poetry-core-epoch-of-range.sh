#!/bin/sh
# Poetry's build backend loses the epoch of "==1!2.0.*", and the wheel asks for what came before the epoch.
#
# Expected: "dep ==1!2.0.*" stands in METADATA as such a range of epoch 1, in whatever words: 1!2.0.1 is of it, 2.0.1 of the time before isn't. So it is
# with flit, and with poetry-core of ">=1!2.0,<1!2.1", which is the same.
# Seen: Requires-Dist: dep (==2.0.*). An installer takes 2.0.1, or finds nothing where the old versions are gone; "!=1!2.0.*" excludes 2.0.1 and lets in what
# it is to keep out. The build says nothing of it.
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
for line in lines:
    if line.startswith("Requires-Dist:"):
        need = Requirement(line.partition(": ")[2])
        print(f"{need.name} takes", *need.specifier.filter(["1.9", "2.0.1", "1!2.0.1", "1!2.2"]))
PY
try() {
    mkdir "$1"
    PYTHONPATH=$folder/root/usr/lib/python3/dist-packages python3 build.py "$2" "$folder/$1" "bounds >=1!2.0,<1!2.1" "equal ==1!2.0.*" "not-equal !=1!2.0.*" 2>log ||
        { tail -3 log >&2; exit 2; }
}
a=$(try a flit_core.buildapi) && b=$(try b poetry.core.masonry.api) || { echo "it can't be tried"; exit 2; }
echo "poetry-core $poetry, flit_core $flit, packaging $packaging"
echo "expected of both, and seen of flit:"
echo "$a"
echo "seen of poetry-core:"
echo "$b"
[ "$a" = "bounds takes 1!2.0.1
equal takes 1!2.0.1
not-equal takes 1.9 2.0.1 1!2.2" ] && [ "$b" = "bounds takes 1!2.0.1
equal takes 2.0.1
not-equal takes 1.9 1!2.0.1 1!2.2" ]
