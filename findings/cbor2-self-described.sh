#!/bin/sh
# cbor2 6 reads another value where a CBOR message says of itself that it is CBOR.
#
# Expected: the tag 55799 before a message is a mark for programs that look at a file's first bytes, and "does not impart any special
# semantics on the data item that it encloses" (RFC 8949, 3.4.6). cbor2 takes it away, as it should, and what is left is the same as without.
# Seen: a list comes as a tuple, a map as an immutable one that is no dict, in depth, and a list that holds itself isn't read at all. That is how
# cbor2 6 reads what any tag encloses, and the mark's contents stay so when the mark has gone. With 5.6.5 of Debian 13 all are as without.
set -eu
old=5.6.5-1 new=6.1.2-2+b2 python=3.14.10-1

folder=$(mktemp -d /tmp/finding-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Origin: Debian" | grep -v security | head -n 1)
export LC_ALL=C
# fetch SUITE PACKAGE...: unpacked in a folder of its own
fetch() {
    suite=$1
    shift
    mkdir -p "$suite/state/lists/partial" "$suite/cache/archives/partial"
    : >"$suite/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$suite/sources.list"
    cat >"$suite/apt.conf" <<CONF
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Dir::State "$folder/$suite/state";
Dir::State::status "$folder/$suite/status";
Dir::Cache "$folder/$suite/cache";
Dir::Etc::SourceList "$folder/$suite/sources.list";
Dir::Etc::SourceParts "$folder/none";
CONF
    { APT_CONFIG=$folder/$suite/apt.conf apt-get -qq update &&
        APT_CONFIG=$folder/$suite/apt.conf apt-get -qq -y --download-only install "$@"; } >apt.log 2>&1 ||
        { tail -3 apt.log; echo "the packages can't be downloaded"; exit 2; }
    for package in "$suite"/cache/archives/*.deb; do dpkg-deb -x "$package" "$suite/root"; done
}
fetch trixie "python3-cbor2=$old" python3-minimal
fetch sid "python3-cbor2=$new" "python3.14=$python"

cat >read.py <<'END'
import cbor2
for name, data in (("list", "820102"), ("map", "a161618101"), ("list that holds itself", "d81c8201d81d00")):
    seen = []
    for mark in ("", "d9d9f7"):
        try:
            value = cbor2.loads(bytes.fromhex(mark + data))
            seen.append(f"{type(value).__name__} {value!r}" if "itself" not in name else type(value).__name__)
        except cbor2.CBORDecodeError as error:
            seen.append(type(error).__name__)
    print(f"{name}: {seen[0]}; marked: {seen[1]}")
END
# read SUITE PROGRAM: with that suite's interpreter, loader and libraries
read_with() {
    root=$folder/$1/root
    loader=$(ls "$root"/usr/lib64/ld-linux*.so.* "$root"/usr/lib/ld-linux*.so.* 2>/dev/null | head -n 1)
    PYTHONHOME=$root/usr PYTHONPATH=$root/usr/lib/python3/dist-packages "$loader" --library-path "$(dirname "$root"/usr/lib/*/libc.so.6)" \
        "$root/usr/bin/$2" read.py
}
before=$(read_with trixie python3.13) && after=$(read_with sid python3.14) || { echo "it can't be tried"; exit 2; }
echo "expected: the same, marked or not"
echo "cbor2 $old:"
echo "$before"
echo "cbor2 $new:"
echo "$after"
[ "$before" = "list: list [1, 2]; marked: list [1, 2]
map: dict {'a': [1]}; marked: dict {'a': [1]}
list that holds itself: list; marked: list" ] && [ "$after" = "list: list [1, 2]; marked: tuple (1, 2)
map: dict {'a': [1]}; marked: frozendict frozendict({'a': (1,)})
list that holds itself: list; marked: CBORDecodeError" ]
