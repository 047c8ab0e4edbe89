#!/bin/sh
# What sip builds on a Raspberry Pi, no pip takes: not on any machine, and not where it was built.
#
# Expected: a wheel's name says what machines it is for, the one that built it first of all: linux_armv7l here, or
# manylinux_2_43_armv7l, after the C library that it was linked with.
# Seen: sip-wheel and sip's build backend write manylinux_2_5 on every machine, whatever the code is linked with. Manylinux began with glibc 2.5
# on x86, and with 2.17 everywhere else, so of armv7l (and aarch64, …) pip asks for 2.17 and above. "pip install" of the source goes, since
# nobody looks at the name then; of the wheel it doesn't. Setting minimum-glibc-version to 2.17 or manylinux to false helps.
set -eu
sip=6.17.1-1 python=3.14.10-1 pip=26.2.2+dfsg-1 qemu=1:7.2+dfsg-7+deb12u18+b3

folder=$(mktemp -d /tmp/finding-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p state/lists/partial cache/archives/partial project emulator
: >status
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Origin: Debian" | grep -v security | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg arch=armhf] $mirror sid main" >sources.list
cat >apt.conf <<CONF
APT::Architecture "armhf";
APT::Architectures { "armhf"; };
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Dir::State "$folder/state";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
Dir::Etc::SourceList "$folder/sources.list";
Dir::Etc::SourceParts "$folder/none";
CONF
export LC_ALL=C
{ (cd emulator && apt-get -qq download "qemu-user-static=$qemu") && APT_CONFIG=$folder/apt.conf apt-get -qq update &&
    APT_CONFIG=$folder/apt.conf apt-get -qq -y --download-only install "sip-tools=$sip" "python3.14=$python" \
        "libpython3.14-dev=$python" "python3-pip=$pip"; } >apt.log 2>&1 || { tail -3 apt.log; echo "the packages can't be downloaded"; exit 2; }
for package in cache/archives/*.deb emulator/*.deb; do dpkg-deb -x "$package" root; done
[ -e root/lib ] || ln -s usr/lib root/lib
python() {
    PYTHONHOME=$folder/root/usr PYTHONPATH=$folder/root/usr/lib/python3/dist-packages \
        "$folder/root/usr/bin/qemu-arm-static" -L "$folder/root" "$folder/root/usr/bin/python3.14" "$@"
}
cat >project/pyproject.toml <<'END'
[build-system]
requires = ["sip"]
build-backend = "sipbuild.api"
[project]
name = "demo"
version = "1.0"
[tool.sip.bindings.core]
END
cat >project/core.sip <<'END'
%Module(name=core)
int answer();
%ModuleCode
int answer() { return 42; }
%End
END
# A compiler's stand-in: whatever the code is, the name is the same.
cat >compiler <<'END'
#!/bin/sh
while [ $# -gt 0 ]; do
    [ "$1" != -o ] || : >"$2"
    shift
done
END
chmod +x compiler
(cd project && CC=$folder/compiler CXX=$folder/compiler LDSHARED=$folder/compiler python -c \
    "import sipbuild.api; sipbuild.api.build_wheel('$folder')") >build.log 2>&1 || { tail -5 build.log; exit 2; }
built=$(echo ./*.whl)
# try WHEEL: does that machine's pip take it?
try() {
    if python -m pip --isolated -q install --dry-run --no-index --no-deps --disable-pip-version-check --target none "$1" 2>why; then
        echo taken
    else
        grep -q "is not a supported wheel on this platform" why || { cat why >&2; exit 2; }
        echo refused
    fi
}
later=demo-1.0-cp314-cp314-manylinux_2_17_armv7l.whl
cp "$built" "$later"
seen="$(basename "$built"): $(try "$built")
$later: $(try "./$later")" || { echo "it can't be tried"; exit 2; }
echo "sip $sip, pip $pip, CPython $python of armhf; its platform is $(python -c 'import sysconfig; print(sysconfig.get_platform())')"
echo "expected: the name of a wheel that is taken"
echo "seen; and the same file called after 2.17:"
echo "$seen"
[ "$seen" = "demo-1.0-cp314-cp314-manylinux_2_5_armv7l.whl: refused
demo-1.0-cp314-cp314-manylinux_2_17_armv7l.whl: taken" ]
