#!/bin/sh
# Debian 13's cbor2 doesn't read back what it has written of a list that holds one list twice.
#
# Expected: dumps(…, value_sharing=True) writes a value that is there twice once, and a reference (tags 28 and 29); loads() gives the same again. So
# it is with 5.4.6 of Debian 12 and 6.1.2 of Debian unstable.
# Seen: without an error the second is no list but the last number of the first. Debian 13's package holds the Python half of 5.6.5 alone,
# which takes what stands in a list for the list itself, if it is shared; Debian 12's has the compiled one too. (agronholm/cbor2 267, mended later)
set -eu
bookworm=5.4.6-1+b1 trixie=5.6.5-1 sid=6.1.2-2+b2

folder=$(mktemp -d /tmp/finding-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export LC_ALL=C
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Origin: Debian" | grep -v security | head -n 1)
cat >share.py <<'END'
import cbor2
twice = [1, 2]
print(cbor2.loads(cbor2.dumps([twice, twice], value_sharing=True)))
END
# try SUITE VERSION PROGRAM: with that suite's cbor2, interpreter, loader and libraries
try() {
    mkdir -p "$1/state/lists/partial" "$1/cache/archives/partial"
    : >"$1/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" >"$1/sources.list"
    cat >"$1/apt.conf" <<CONF
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Dir::State "$folder/$1/state";
Dir::State::status "$folder/$1/status";
Dir::Cache "$folder/$1/cache";
Dir::Etc::SourceList "$folder/$1/sources.list";
Dir::Etc::SourceParts "$folder/none";
CONF
    { APT_CONFIG=$folder/$1/apt.conf apt-get -qq update &&
        APT_CONFIG=$folder/$1/apt.conf apt-get -qq -y --download-only install "python3-cbor2=$2" "$3"; } >apt.log 2>&1 ||
        { tail -3 apt.log >&2; echo "the packages can't be downloaded" >&2; exit 2; }
    root=$folder/$1/root
    for package in "$1"/cache/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
    loader=$(find "$root" -name 'ld-linux-x86-64.so.2' -o -name 'ld-linux-aarch64.so.1' | head -n 1)
    libraries=$(find "$root" -path '*-linux-gnu/*' -name '*.so.*' -exec dirname {} \; | sort -u | tr '\n' ':')
    echo "$1 $2: $(PYTHONHOME=$root/usr PYTHONPATH=$root/usr/lib/python3/dist-packages "$loader" --library-path "$libraries" \
        "$root/usr/bin/$3" share.py)"
}
seen=$(try bookworm "$bookworm" python3.11 && try trixie "$trixie" python3.13 && try sid "$sid" python3.14) || exit 2
echo "expected: [[1, 2], [1, 2]], by all"
echo "seen:"
echo "$seen"
[ "$seen" = "bookworm $bookworm: [[1, 2], [1, 2]]
trixie $trixie: [[1, 2], 2]
sid $sid: [[1, 2], [1, 2]]" ]
