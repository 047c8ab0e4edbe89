#!/bin/sh
# To pip a requirement of two conditions is unreadable when the first is "===" and a blank follows the comma.
#
# Expected: PEP 508 lets blanks stand on both sides of the comma between two conditions, whatever they are, and none of its versions holds a
# comma. "dep ===1.0, !=2.0" is what "dep !=2.0, ===1.0" is, and what "dep ===1.0,!=2.0" is.
# Seen: behind "===" pip reads on to the next blank, over the comma. When that is followed by a blank, the comma between the two is missing to it:
# "Invalid requirement". On the command line it says so; of a wheel in an index Debian 12's pip ends with a traceback, newer ones leave
# the wheel out.
set -eu
old=23.0.1+dfsg-1 new=26.2.2+dfsg-1

folder=$(mktemp -d /tmp/finding-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p index bookworm sid/state/lists/partial sid/cache/archives/partial
: >sid/status
python3 - <<'MAKE'
import zipfile
files = {"dep.py": "", "dep-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: dep\nVersion: 1.0\n",
         "dep-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
files["dep-1.0.dist-info/RECORD"] = "".join(f"{path},,\n" for path in [*files, "dep-1.0.dist-info/RECORD"])
with zipfile.ZipFile("index/dep-1.0-py3-none-any.whl", "w") as wheel:
    for path, text in files.items():
        wheel.writestr(path, text)
MAKE
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Origin: Debian" | grep -v security | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >sid/sources.list
cat >sid/apt.conf <<CONF
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Dir::State "$folder/sid/state";
Dir::State::status "$folder/sid/status";
Dir::Cache "$folder/sid/cache";
Dir::Etc::SourceList "$folder/sid/sources.list";
Dir::Etc::SourceParts "$folder/none";
CONF
export LC_ALL=C
(cd bookworm && apt-get -qq download "python3-pip=$old" 2>/dev/null) &&
    APT_CONFIG=$folder/sid/apt.conf apt-get -qq update 2>/dev/null &&
    APT_CONFIG=$folder/sid/apt.conf apt-get -qq -y --download-only install "python3-pip=$new" >apt.log 2>&1 ||
    { echo "the packages can't be downloaded"; exit 2; }
for package in bookworm/python3-pip_*.deb; do dpkg-deb -x "$package" bookworm/root; done
for package in sid/cache/archives/python3-*.deb; do dpkg-deb -x "$package" sid/root; done

# try NAME: what the pip that lies there, run by this machine's Python, says to each requirement
try() {
    for wanted in 'dep ===1.0,!=2.0' 'dep !=2.0, ===1.0' 'dep ===1.0 , !=2.0' 'dep ===1.0, !=2.0'; do
        if PYTHONPATH=$1/root/usr/lib/python3/dist-packages python3 -m pip --isolated -q download --no-index --find-links index \
            --no-deps --disable-pip-version-check -d "$1/got" "$wanted" >/dev/null 2>"$1/why"; then
            echo "$1: $wanted: found"
        else
            grep -q "Invalid requirement" "$1/why" || { cat "$1/why" >&2; exit 2; }
            echo "$1: $wanted: invalid"
        fi
    done
}

echo "pip $old of Debian 12, pip $new of Debian unstable; the index has dep 1.0"
seen=$(try bookworm && try sid) || { echo "it can't be tried"; exit 2; }
echo "expected: found, in all"
echo "seen:"
echo "$seen"
wanted="bookworm: dep ===1.0,!=2.0: found
bookworm: dep !=2.0, ===1.0: found
bookworm: dep ===1.0 , !=2.0: found
bookworm: dep ===1.0, !=2.0: invalid"
[ "$seen" = "$wanted
$(echo "$wanted" | sed 's/bookworm/sid/')" ]
