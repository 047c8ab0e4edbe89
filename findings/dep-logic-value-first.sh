#!/bin/sh
# dep-logic, PDM's reader of markers, turns a comparison round when the value stands in front.
#
# Expected: PEP 508 lets either side of a marker be the variable: "'3.9' <= python_version" is "python_version >= '3.9'", true on 3.11.
# Seen: it is false on 3.11 and true on 3.8: dep-logic puts the variable in front and keeps the sign as it was. Written out again the marker has its old
# order, so a lock looks right. PDM itself sorts out python_version and python_full_version before it asks; of "'3' <= implementation_version" it
# locks the dependency, and doesn't install it.
set -eu
deplogic=0.7.2-1 packaging=26.2-3

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
    APT_CONFIG=$folder/apt.conf apt-get -qq download "python3-dep-logic=$deplogic" "python3-packaging=$packaging" 2>/dev/null ||
    { echo "the packages can't be downloaded"; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root; done
seen=$(PYTHONPATH=$folder/root/usr/lib/python3/dist-packages python3 - <<'PY'
import dep_logic.markers, packaging.markers
for text in ("python_version >= '3.9'", "'3.9' <= python_version", "'3' <= implementation_version"):
    for version in ("3.8.10", "3.11.2"):
        env = {"python_version": version.rpartition(".")[0], "python_full_version": version, "implementation_version": version}
        marker = dep_logic.markers.parse_marker(text)
        print(f"{marker} on {version}: packaging {packaging.markers.Marker(text).evaluate(env)}, dep-logic {marker.evaluate(env)}")
PY
) || { echo "it can't be tried"; exit 2; }
echo "dep-logic $deplogic, packaging $packaging"
echo "expected: the same of both, in each line"
echo "seen:"
echo "$seen"
[ "$seen" = 'python_version >= "3.9" on 3.8.10: packaging False, dep-logic False
python_version >= "3.9" on 3.11.2: packaging True, dep-logic True
"3.9" <= python_version on 3.8.10: packaging False, dep-logic True
"3.9" <= python_version on 3.11.2: packaging True, dep-logic False
"3" <= implementation_version on 3.8.10: packaging True, dep-logic False
"3" <= implementation_version on 3.11.2: packaging True, dep-logic False' ]
