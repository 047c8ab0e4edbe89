#!/bin/sh
# pip calls a program after the last word of its name.
#
# Expected: a name in entry_points.txt "may contain any characters except =", so the program of "build wheels = demo:build" is called "build wheels"
# (that names are better without blanks is advice of the same page). So it is with python-installer, by which Poetry and PDM install.
# Seen: Debian 12's pip makes a program "wheels" of it, Debian unstable's one called " wheels", with a blank in front. Of "build wheels" and "count wheels" one
# is left, and nothing is said of it.
set -eu
old=23.0.1+dfsg-1 new=26.2.2+dfsg-1 installer=1.1.0+dfsg1-1

folder=$(mktemp -d /tmp/finding-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p bookworm sid/state/lists/partial sid/cache/archives/partial
: >sid/status
python3 - <<'MAKE'
import zipfile
files = {"demo.py": "", "demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
         "demo-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
         "demo-1.0.dist-info/entry_points.txt": "[console_scripts]\nplain = demo:main\nbuild wheels = demo:build\ncount wheels = demo:count\n"}
files["demo-1.0.dist-info/RECORD"] = "".join(f"{path},,\n" for path in [*files, "demo-1.0.dist-info/RECORD"])
with zipfile.ZipFile("demo-1.0-py3-none-any.whl", "w") as wheel:
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
    APT_CONFIG=$folder/sid/apt.conf apt-get -qq -y --download-only install "python3-pip=$new" "python3-installer=$installer" >apt.log 2>&1 ||
    { echo "the packages can't be downloaded"; exit 2; }
for package in bookworm/python3-pip_*.deb; do dpkg-deb -x "$package" bookworm/root; done
for package in sid/cache/archives/python3-*.deb; do dpkg-deb -x "$package" sid/root; done
# programs FOLDER: what lies there, and what each calls
programs() {
    for program in "$1"/*; do
        echo "$2: \"${program##*/}\" calls $(grep -o '\(main\|build\|count\)()' "$program")"
    done
}
for suite in bookworm sid; do
    PYTHONPATH=$suite/root/usr/lib/python3/dist-packages python3 -m pip --isolated -q install --no-index --no-deps --no-compile --target "$suite/got" \
        --disable-pip-version-check --root-user-action=ignore demo-1.0-py3-none-any.whl >"$suite/log" 2>&1 || { tail -3 "$suite/log"; exit 2; }
done
PYTHONPATH=sid/root/usr/lib/python3/dist-packages python3 -m installer --no-compile-bytecode --prefix /usr --destdir installer demo-1.0-py3-none-any.whl >log 2>&1 ||
    { tail -3 log; exit 2; }
bin=$(find installer -type d -name bin)
seen=$(programs "$bin" installer && programs bookworm/got/bin bookworm && programs sid/got/bin sid) || exit 2
echo "pip $old of Debian 12, pip $new and python-installer $installer of Debian unstable"
echo "expected: \"build wheels\" calls build(), \"count wheels\" calls count(), \"plain\" calls main(), of all"
echo "seen:"
echo "$seen"
wanted='installer: "build wheels" calls build()
installer: "count wheels" calls count()
installer: "plain" calls main()
bookworm: "plain" calls main()
bookworm: "wheels" calls count()
sid: " wheels" calls count()
sid: "plain" calls main()'
[ "$seen" = "$wanted" ]
