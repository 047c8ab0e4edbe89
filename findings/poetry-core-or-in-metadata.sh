#!/bin/sh
# Of a range with a hole in it Poetry's build backend makes two ranges with "||" between them, and no pip reads that wheel any more.
#
# Expected: "dep >=1.0,!=1.1.*,<1.3" stands in METADATA as it stands in pyproject.toml, or in other words of the same language, which has no "or" between
# conditions. So it is with flit, and with poetry-core as long as more than one version series is left behind the hole (<2).
# Seen: Requires-Dist: dep (>=1.0,<1.1.dev0 || ==1.2.*). The build says nothing of it; pip calls the metadata invalid and installs nothing.
set -eu
poetry=2.3.1-3 flit=4.1.0-4 pip=26.2.2+dfsg-1

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
    APT_CONFIG=$folder/apt.conf apt-get -qq download "python3-poetry-core=$poetry" "python3-flit=$flit" "python3-pip=$pip" 2>/dev/null ||
    { echo "the packages can't be downloaded"; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root; done
cat >build.py <<'PY'
import importlib, os, sys, zipfile
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
    for line in archive.read("demo-1.0.dist-info/METADATA").decode().splitlines():
        if line.startswith("Requires-Dist:"):
            print(line)
PY
python3 - <<'PY'
import zipfile
info = "dep-1.2.dist-info"
files = {"dep.py": "", f"{info}/METADATA": "Metadata-Version: 2.1\nName: dep\nVersion: 1.2\n",
         f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
with zipfile.ZipFile("dep-1.2-py3-none-any.whl", "w") as wheel:
    for path, text in files.items():
        wheel.writestr(path, text)
PY
# try BACKEND NEEDS: what the wheel says, and whether pip reads it, with a wheel of dep 1.2 beside it
try() {
    rm -rf out project && mkdir out && cp dep-1.2-py3-none-any.whl out
    PYTHONPATH=$folder/root/usr/lib/python3/dist-packages python3 build.py "$1" "$2" "$folder/out" 2>log || { tail -3 log >&2; exit 2; }
    if PYTHONPATH=$folder/root/usr/lib/python3/dist-packages python3 -m pip --isolated -q install --dry-run --no-index --find-links out \
        --disable-pip-version-check --break-system-packages --root-user-action ignore demo 2>log; then
        echo "    pip: taken"
    else
        grep -q "has invalid metadata" log || { tail -3 log >&2; exit 2; }
        echo "    pip: invalid metadata"
    fi
}
seen=$(
    try flit_core.buildapi "dep >=1.0,!=1.1.*,<1.3"
    try poetry.core.masonry.api "dep >=1.0,!=1.1.*,<2"
    try poetry.core.masonry.api "dep >=1.0,!=1.1.*,<1.3"
) || { echo "it can't be tried"; exit 2; }
echo "poetry-core $poetry, flit_core $flit, pip $pip"
echo "expected: taken, three times"
echo "seen: of flit, of poetry-core with <2, of poetry-core with <1.3:"
echo "$seen"
[ "$seen" = "Requires-Dist: dep >=1.0,!=1.1.*,<1.3
    pip: taken
Requires-Dist: dep (>=1.0,!=1.1.*,<2)
    pip: taken
Requires-Dist: dep (>=1.0,<1.1.dev0 || ==1.2.*)
    pip: invalid metadata" ]
