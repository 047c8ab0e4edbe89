#!/bin/sh
# Newer pips read Requires-Python over the end of a line, and Requires-Dist not.
#
# Expected: METADATA has the headers of an e-mail, as its specification says, and one of those may go on in a line that begins with a blank:
# the line's end belongs to the fold and not to the value. So both fields are read whole, or none.
# Seen: Debian 12's pip reads both. pip 26 reads Requires-Python so, and takes the line's end behind a Requires-Dist for a part of it: the wheel "has
# invalid metadata" and isn't installed. A wheel that installs on Debian 12 does so no more.
set -eu
old=23.0.1+dfsg-1 new=26.2.2+dfsg-1

folder=$(mktemp -d /tmp/finding-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p index bookworm sid/state/lists/partial sid/cache/archives/partial
: >sid/status
python3 - <<'MAKE'
import zipfile
fields = {"plain": "Requires-Python: >=3.6,<4\nRequires-Dist: dep >=1,<2", "python": "Requires-Python: >=3.6,\n <4\nRequires-Dist: dep >=1,<2",
          "dist": "Requires-Python: >=3.6,<4\nRequires-Dist: dep >=1,\n <2", "dep": ""}
for name, more in fields.items():
    info = f"{name}-1.0.dist-info"
    files = {f"{name}.py": "", f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{more}\n\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f"index/{name}-1.0-py3-none-any.whl", "w") as wheel:
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

# try NAME: what the pip that lies there, run by this machine's Python, does with each wheel
try() {
    for wanted in plain python dist; do
        if PYTHONPATH=$1/root/usr/lib/python3/dist-packages python3 -m pip --isolated -q download --no-index --find-links index \
            --disable-pip-version-check -d "$1/got-$wanted" "$wanted" >/dev/null 2>"$1/why"; then
            [ -e "$1/got-$wanted/dep-1.0-py3-none-any.whl" ] || exit 2
            echo "$1: $wanted: taken, with dep"
        else
            grep -q "invalid metadata" "$1/why" || { cat "$1/why" >&2; exit 2; }
            echo "$1: $wanted: invalid metadata"
        fi
    done
}

echo "pip $old of Debian 12, pip $new of Debian unstable; wheels of unfolded fields, of a folded Requires-Python, of a folded Requires-Dist"
seen=$(try bookworm && try sid) || { echo "it can't be tried"; exit 2; }
echo "expected: taken, with dep, in all"
echo "seen:"
echo "$seen"
[ "$seen" = "bookworm: plain: taken, with dep
bookworm: python: taken, with dep
bookworm: dist: taken, with dep
sid: plain: taken, with dep
sid: python: taken, with dep
sid: dist: invalid metadata" ]
