#!/bin/sh
# Debian 12's 32-bit ARM programs don't start on a kernel whose pages have 16 KiB, though its compiler makes libraries that would.
#
# Expected: what is linked for ARM is laid out for pages of up to 64 KiB, as GNU ld does there for all its libraries (zlib's here too), so that the
# same userland goes with each kernel that runs 32-bit programs: that of a Raspberry Pi 5 has pages of 16 KiB.
# Seen: the C library of all things, and the loader, are laid out for 4 KiB: "ELF load command address/offset not
# page-aligned", and nothing starts. Those of Debian unstable go. So a 32-bit Debian 12 needs the kernel of older boards there, and a wheel that
# was built on it isn't the reason when an import fails.
set -eu
kernel=7.2.13-1 name=7.2.13+deb14-arm64-16k new_libc=2.43-7 new_dash=0.5.12-12 old_libc=2.36-9+deb12u14 old_dash=0.5.12-2 zlib=1:1.2.13.dfsg-1

folder=$(mktemp -d /tmp/finding-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export LC_ALL=C
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Origin: Debian" | grep -v security | head -n 1)
# get NAME SUITE ARCHITECTURE COMMAND PACKAGE...: unpacked in NAME/root
get() {
    mkdir -p "$1/state/lists/partial" "$1/cache/archives/partial"
    : >"$1/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg arch=$3] $mirror $2 main" >"$1/sources.list"
    cat >"$1/apt.conf" <<CONF
APT::Architecture "$3";
APT::Architectures { "$3"; };
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
    place=$1
    shift 3
    (export APT_CONFIG="$folder/$place/apt.conf" && apt-get -qq update && cd "$place" && "$@") >apt.log 2>&1 ||
        { tail -3 apt.log; echo "the packages can't be downloaded"; exit 2; }
    find "$place" -name '*.deb' -exec dpkg-deb -x {} "$place/root" \;
}
get kernel sid arm64 apt-get -qq download "linux-binary-unsigned-$name=$kernel"
get old bookworm armhf apt-get -qq download "libc6=$old_libc" "dash=$old_dash" "zlib1g=$zlib"
get new sid armhf apt-get -qq download "libc6=$new_libc" "dash=$new_dash"
get machine bookworm amd64 apt-get -qq -y --download-only install qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3

# An initramfs of a shell and its libraries; /init is that shell's script.
cat >pack.py <<'END'
import gzip, sys
out, *files = sys.argv[1:]
def entry(name, mode, data=b"", device=(0, 0)):
    name = name.encode() + b"\0"
    numbers = (1, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0)
    head = b"070701" + b"".join(b"%08x" % number for number in numbers) + name
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
with gzip.open(out, "wb", 1) as archive:
    for name in ("dev", "lib"):
        archive.write(entry(name, 0o40755))
    archive.write(entry("dev/console", 0o20600, device=(5, 1)))
    archive.write(entry("init", 0o100755, b"#!/sh\necho 'a shell runs'\n"))
    for file in files:
        name, path = file.split("=", 1)
        with open(path, "rb") as data:
            archive.write(entry(name, 0o100755, data.read()))
    archive.write(entry("TRAILER!!!", 0))
END
# boot NAME: what the machine's first program says
boot() {
    python3 pack.py "$1.img" "sh=$(find "$1/root" -name dash -type f -path '*bin*')" "lib/libc.so.6=$(find "$1/root" -name libc.so.6)" \
        "lib/ld-linux-armhf.so.3=$(readlink -f "$(find "$1/root" -name ld-linux-armhf.so.3 -type f | head -n 1)")"
    libraries=$(find machine/root -name '*.so*' -type f -path '*lib/x86_64-linux-gnu*' -exec dirname {} \; | sort -u | tr '\n' ':')
    timeout 120 "$(find machine/root -name 'ld-linux-x86-64.so.2' -type f | head -n 1)" --library-path "$libraries" \
        machine/root/usr/bin/qemu-system-aarch64 -L machine/root/usr/share/qemu -M virt -cpu cortex-a76 -m 512 -display none -serial stdio \
        -monitor none -nic none -no-reboot -kernel "$(find kernel/root -name 'vmlinuz*')" -initrd "$1.img" \
        -append "console=ttyAMA0 quiet panic=-1" 2>&1 </dev/null | tr -d '\r' | sed -n 's/.*\(a shell runs\).*/\1/p; s/^\/sh: //p' | head -n 1
}
align() {
    readelf -lW "$(find old/root -name "$1" -type f)" | sed -n 's/^ *LOAD.* //p' | sort -u | tr '\n' ' '
}
echo "Linux $name on an emulated Cortex-A76; Debian 12's zlib is laid out for $(align 'libz.so.1.*'), its C library for $(align libc.so.6)"
old=$(boot old)
new=$(boot new)
echo "expected: a shell runs, of both"
echo "seen, libc6 $old_libc: $old"
echo "seen, libc6 $new_libc: $new"
[ -n "$old" ] && [ -n "$new" ] || exit 2
case $old in *"not page-aligned") ;; *) exit 1 ;; esac
[ "$new" = "a shell runs" ]
