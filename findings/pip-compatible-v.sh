#!/bin/sh
# PEP 440 lets a version begin with a "v" that means nothing anywhere, and every operator takes one. One would
# expect that pip finds the same wheel for "~=v1.0" as for "~=1.0", or says that it can't read the first. It reads it, and no
# version at all is one of it, in Debian 12's pip and in Debian 13's; "==v1.*" matches nothing in the first and what it should in the
# second, ">=v1.0" what it should in both. So a package with such a requirement, or such a Requires-Python, is valid and is for nobody.
set -eu
folder=$(mktemp -d /tmp/finding-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir index
python3 - <<'MAKE'
import zipfile
metadata = "Metadata-Version: 2.1\nName: demo\nVersion: 1.2\n"
files = {"demo.py": "", "demo-1.2.dist-info/METADATA": metadata,
         "demo-1.2.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
files["demo-1.2.dist-info/RECORD"] = "".join(f"{path},,\n" for path in [*files, "demo-1.2.dist-info/RECORD"])
with zipfile.ZipFile("index/demo-1.2-py3-none-any.whl", "w") as wheel:
    for path, text in files.items():
        wheel.writestr(path, text)
MAKE

# try NAME: what the pip that lies there finds for each requirement
try() {
    dpkg-deb -x "$1"/python3-pip_*.deb "$1/root"
    for wanted in '~=1.0' '~=v1.0' '>=v1.0' '==v1.*'; do
        if PYTHONPATH=$1/root/usr/lib/python3/dist-packages python3 -m pip --isolated -q download --no-index --find-links index \
            --no-deps --disable-pip-version-check -d "$1/got" "demo$wanted" >/dev/null 2>"$1/why"; then
            echo "$1 $wanted found"
        else
            grep -q "No matching distribution" "$1/why" || exit 2
            echo "$1 $wanted none"
        fi
    done
}

mkdir -p bookworm trixie/state/lists/partial trixie/cache/archives/partial
: >trixie/status
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Origin: Debian" | grep -v security | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >trixie/sources.list
cat >trixie/apt.conf <<CONF
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::State "$folder/trixie/state";
Dir::State::status "$folder/trixie/status";
Dir::Cache "$folder/trixie/cache";
Dir::Etc::SourceList "$folder/trixie/sources.list";
Dir::Etc::SourceParts "$folder/none";
CONF
export LC_ALL=C
(cd bookworm && apt-get -qq download python3-pip=23.0.1+dfsg-1 2>/dev/null) &&
    (cd trixie && APT_CONFIG=$folder/trixie/apt.conf apt-get -qq update && APT_CONFIG=$folder/trixie/apt.conf apt-get -qq download \
        python3-pip=25.1.1+dfsg-1) 2>/dev/null || { echo "the packages can't be downloaded"; exit 2; }

echo "pip 23.0.1+dfsg-1 of Debian 12, pip 25.1.1+dfsg-1 of Debian 13; the index has demo 1.2"
seen=$(try bookworm && try trixie) || { echo "it can't be tried"; exit 2; }
echo "expected: found, in all"
echo "seen:"
echo "$seen"
wanted="bookworm ~=1.0 found
bookworm ~=v1.0 none
bookworm >=v1.0 found
bookworm ==v1.* none
trixie ~=1.0 found
trixie ~=v1.0 none
trixie >=v1.0 found
trixie ==v1.* found"
[ "$seen" = "$wanted" ]
