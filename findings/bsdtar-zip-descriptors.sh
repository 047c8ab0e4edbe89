#!/bin/sh
# bsdtar writes a ZIP archive into a file as if it were a pipe: each member's size and checksum stand behind it.
#
# Expected: where the output is a file, sizes and checksums get into the header in front of each member, as with Info-ZIP's zip and Python's
# zipfile: who packs a wheel goes back and fills them in. Only into a pipe they have to follow the member, in a "data descriptor".
# Seen: bsdtar writes descriptors always, of stored members too, whose size is known before; unstable's 3.8.10 as well. What takes no descriptors
# takes no wheel that was packed with bsdtar.
set -eu
bsdtar=3.6.2-1+deb12u5 zip=3.0-13

folder=$(mktemp -d /tmp/finding-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export LC_ALL=C
apt-get -qq download "libarchive-tools=$bsdtar" "libarchive13=$bsdtar" "zip=$zip" >/dev/null 2>&1 || { echo "the packages can't be downloaded"; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root; done
LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-*)
export LD_LIBRARY_PATH
mkdir demo
echo "a member that is longer than what it is packed into, packed into, packed into, packed into" >demo/packed
root/usr/bin/zip -q zip.zip demo/packed
root/usr/bin/zip -q - demo/packed | cat >pipe.zip
root/usr/bin/bsdtar --format zip -cf packed.zip demo/packed
root/usr/bin/bsdtar --format zip --options zip:compression=store -cf stored.zip demo/packed
python3 -c "import zipfile; zipfile.ZipFile('python.zip', 'w', zipfile.ZIP_DEFLATED).write('demo/packed')"
cat >look.py <<'END'
import struct, sys, zipfile
for name in sys.argv[1:]:
    with open(f"{name}.zip", "rb") as file:
        flags, = struct.unpack("<6xH", file.read(8))
    with zipfile.ZipFile(f"{name}.zip") as archive:
        assert archive.read("demo/packed").startswith(b"a member")
    print(f"{name}: {'behind' if flags & 8 else 'in front'}")
END
seen=$(python3 look.py zip python pipe packed stored) || { echo "it can't be tried"; exit 2; }
echo "zip $zip, into a file and into a pipe; Python's zipfile; bsdtar $bsdtar, into files, packed and stored"
echo "expected: behind for the pipe alone"
echo "seen:"
echo "$seen"
[ "$seen" = "zip: in front
python: in front
pipe: behind
packed: behind
stored: behind" ]
