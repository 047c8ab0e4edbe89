#!/bin/sh
# Poetry's build backend lets a marker of python_full_version end where it has no end: of "~= '3.9'" it makes "~= '3.9.0'".
#
# Expected: "dep; python_full_version ~= '3.9'" is for each Python from 3.9 on, below 4: "~=" asks for the same version but for its last part. So
# it is with flit, and of python_version with poetry-core too.
# Seen: poetry-core puts a third part behind the second and writes that into METADATA, so that the wheel needs dep on 3.9.x alone, and on 3.11 it is
# missing, whatever installs it. Poetry reads it so everywhere: its lock of such a dependency is empty, without a word.
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
backend, needs, out = sys.argv[1:]
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
requires-python = ">=3.9"
dependencies = ["{needs}"]
''')
wheel = importlib.import_module(backend).build_wheel(out)
with zipfile.ZipFile(os.path.join(out, wheel)) as archive:
    lines = archive.read("demo-1.0.dist-info/METADATA").decode().splitlines()
need = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist:")][0]
marker = Requirement(need).marker
print(need, "- needed on", " ".join(version for version in ("3.9.2", "3.11.2", "3.14.0") if marker.evaluate(
    {"python_version": version.rpartition(".")[0], "python_full_version": version})))
PY
try() {
    rm -rf out project && mkdir out
    PYTHONPATH=$folder/root/usr/lib/python3/dist-packages python3 build.py "$1" "$2" "$folder/out" 2>log || { tail -3 log >&2; exit 2; }
}
seen=$(
    try flit_core.buildapi "dep; python_full_version ~= '3.9'"
    try poetry.core.masonry.api "dep; python_version ~= '3.9'"
    try poetry.core.masonry.api "dep; python_full_version ~= '3.9'"
) || { echo "it can't be tried"; exit 2; }
echo "poetry-core $poetry, flit_core $flit, packaging $packaging"
echo "expected: needed on 3.9.2 3.11.2 3.14.0, three times"
echo "seen: of flit, of poetry-core with python_version, of poetry-core with python_full_version:"
echo "$seen"
[ "$seen" = "dep; python_full_version ~= '3.9' - needed on 3.9.2 3.11.2 3.14.0
dep ; python_version ~= \"3.9\" - needed on 3.9.2 3.11.2 3.14.0
dep ; python_full_version ~= \"3.9.0\" - needed on 3.9.2" ]
