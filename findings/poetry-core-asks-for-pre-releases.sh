#!/bin/sh
# Poetry's build backend writes conditions anew, and pip takes a pre-release for what asked for none.
#
# Expected: of dep 1.0.1, 1.0.2 and 1.0.4rc1 "dep ==1.0.*,>=1.0.1" takes 1.0.2, whatever built the wheel that needs it: pre-releases are for who names
# one, and nobody did. So it is with flit.
# Seen: poetry-core's METADATA has "dep (>=1.0.1,<1.1.dev0)". That is the same range, but names a pre-release now, so pip takes 1.0.4rc1. With "==1.0.*"
# alone, or "~=1.0.1", it doesn't.
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
for version in ("1.0.1", "1.0.2", "1.0.4rc1"):
    info = f"dep-{version}.dist-info"
    files = {"dep.py": "", f"{info}/METADATA": f"Metadata-Version: 2.1\nName: dep\nVersion: {version}\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f"dep-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
PY
# try BACKEND NEEDS: what the wheel says, and which wheel of dep pip takes then
try() {
    rm -rf out got project && mkdir out && cp dep-*.whl out
    PYTHONPATH=$folder/root/usr/lib/python3/dist-packages python3 build.py "$1" "$2" "$folder/out" 2>log || { tail -3 log >&2; exit 2; }
    PYTHONPATH=$folder/root/usr/lib/python3/dist-packages python3 -m pip --isolated -q download --no-index --find-links out \
        --disable-pip-version-check -d got demo 2>log || { tail -3 log >&2; exit 2; }
    (cd got && echo "    pip:" dep-*.whl)
}
seen=$(
    try flit_core.buildapi "dep ==1.0.*,>=1.0.1"
    try poetry.core.masonry.api "dep ~=1.0.1"
    try poetry.core.masonry.api "dep ==1.0.*,>=1.0.1"
) || { echo "it can't be tried"; exit 2; }
echo "poetry-core $poetry, flit_core $flit, pip $pip"
echo "expected: 1.0.2, three times"
echo "seen: of flit, of poetry-core with ~=1.0.1, of poetry-core with ==1.0.*,>=1.0.1:"
echo "$seen"
[ "$seen" = "Requires-Dist: dep ==1.0.*,>=1.0.1
    pip: dep-1.0.2-py3-none-any.whl
Requires-Dist: dep (>=1.0.1,<1.1.0)
    pip: dep-1.0.2-py3-none-any.whl
Requires-Dist: dep (>=1.0.1,<1.1.dev0)
    pip: dep-1.0.4rc1-py3-none-any.whl" ]
