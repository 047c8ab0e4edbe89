#!/bin/sh
# distlib's ">1.7" leaves out 1.7.1.
#
# Expected: "the exclusive ordered comparison >1.7 will allow 1.7.1 but not 1.7.0.post1", as PEP 440 has it; packaging does so.
# Seen: distlib takes nothing that begins with 1.7, so of ">1" nothing below 2. Its ">=1.7,!=1.7" takes 1.7.1. An index whose newest version is
# 1.7.1 has none for who asks distlib's locator for more than 1.7. (Of 0.3.6 in Debian 12 the same.)
set -eu
distlib=0.4.3-1 packaging=26.2-3

folder=$(mktemp -d /tmp/finding-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p state/lists/partial cache/archives/partial
: >status
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Origin: Debian" | grep -v security | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >sources.list
cat >apt.conf <<CONF
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Dir::State "$folder/state";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
Dir::Etc::SourceList "$folder/sources.list";
Dir::Etc::SourceParts "$folder/none";
CONF
export LC_ALL=C
APT_CONFIG=$folder/apt.conf apt-get -qq update 2>/dev/null &&
    APT_CONFIG=$folder/apt.conf apt-get -qq download "python3-distlib=$distlib" "python3-packaging=$packaging" 2>/dev/null ||
    { echo "the packages can't be downloaded"; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root; done
seen=$(PYTHONPATH=$folder/root/usr/lib/python3/dist-packages python3 - <<'PY'
import distlib.version, packaging.specifiers
for text in (">1.7", ">1", ">=1.7,!=1.7"):
    ours, theirs = packaging.specifiers.SpecifierSet(text), distlib.version.NormalizedMatcher(f"demo ({text})")
    versions = ("1.7", "1.7.0.post1", "1.7.1", "1.8", "2.0")
    print(f"{text}: packaging {' '.join(v for v in versions if v in ours)}, distlib {' '.join(v for v in versions if theirs.match(v))}")
PY
) || { echo "it can't be tried"; exit 2; }
echo "distlib $distlib, packaging $packaging"
echo "expected: the same of both, in each line"
echo "seen:"
echo "$seen"
[ "$seen" = ">1.7: packaging 1.7.1 1.8 2.0, distlib 1.8 2.0
>1: packaging 1.7 1.7.0.post1 1.7.1 1.8 2.0, distlib 2.0
>=1.7,!=1.7: packaging 1.7.0.post1 1.7.1 1.8 2.0, distlib 1.7.0.post1 1.7.1 1.8 2.0" ]
