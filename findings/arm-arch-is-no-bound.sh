#!/bin/sh
# The build attributes of an ARM library name an architecture (Tag_CPU_arch). One would expect that its other attributes stay
# within it: a file that says v5TE asks for nothing that an ARMv5TE processor can't have. GNU ld takes each attribute's
# maximum for itself, so that a library with code chosen at run time says v5TE and NEON, which came with ARMv7.
set -eu
package=libjpeg62-turbo version=1:2.1.5-2

folder=$(mktemp -d /tmp/finding-XXXXXX)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/state/lists/partial" "$folder/cache/archives/partial"
: > "$folder/status"
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Origin: Debian" | grep -v security | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg arch=armel] $mirror bookworm main" \
    > "$folder/sources.list"
cat > "$folder/apt.conf" <<END
APT::Architecture "armel";
APT::Architectures { "armel"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::State "$folder/state";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
Dir::Etc::SourceList "$folder/sources.list";
Dir::Etc::SourceParts "$folder/none";
END
export APT_CONFIG="$folder/apt.conf" LC_ALL=C
cd "$folder"
apt-get -qq update
apt-get -qq download "$package:armel=$version"
dpkg-deb -x ./*.deb root

seen=$(readelf -A root/usr/lib/arm-linux-gnueabi/libjpeg.so.62 | grep -E 'Tag_(CPU_arch|FP_arch|Advanced_SIMD_arch):')
echo "$package $version of armel, libjpeg.so.62"
echo "expected: Tag_CPU_arch: v5TE, and neither Tag_FP_arch above VFPv2 nor Tag_Advanced_SIMD_arch"
echo "seen:"
echo "$seen"
echo "$seen" | grep -q 'Tag_CPU_arch: v5TE' && echo "$seen" | grep -q 'Tag_Advanced_SIMD_arch: NEONv1'
