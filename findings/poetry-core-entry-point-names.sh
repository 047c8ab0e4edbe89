#!/bin/sh
# Poetry's build backend takes the blanks out of an entry point's name.
#
# Expected: a plugin "Plain Text" of [project.entry-points."demo.readers"] is found by that name: an entry point's name "may contain any characters
# except =", and whoever asks for plugins compares the names. So it is with flit.
# Seen: the wheel has PlainText. The host finds no plugin "Plain Text", or shows it under another name than before, when the project had another backend.
# Nothing is said of it.
set -eu
poetry=2.3.1-3 flit=4.1.0-4

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
    APT_CONFIG=$folder/apt.conf apt-get -qq download "python3-poetry-core=$poetry" "python3-flit=$flit" 2>/dev/null ||
    { echo "the packages can't be downloaded"; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root; done
mkdir demo
: >demo/__init__.py
# try BACKEND: the names in its wheel
try() {
    cat >pyproject.toml <<TOML
[build-system]
requires = []
build-backend = "$1"
[project]
name = "demo"
version = "1.0"
description = "d"
[project.entry-points."demo.readers"]
"Plain Text" = "demo:text"
plain = "demo:plain"
TOML
    PYTHONPATH=$folder/root/usr/lib/python3/dist-packages python3 - "$1" 2>log <<'PY' || { tail -3 log >&2; exit 2; }
import importlib, importlib.metadata, os, sys
os.mkdir(sys.argv[1])
wheel = importlib.import_module(sys.argv[1]).build_wheel(sys.argv[1])
found = next(importlib.metadata.Distribution.discover(path=[os.path.join(sys.argv[1], wheel)]))
print(", ".join(sorted(f'"{point.name}"' for point in found.entry_points)))
PY
}
a=$(try flit_core.buildapi) && b=$(try poetry.core.masonry.api) || { echo "it can't be tried"; exit 2; }
echo "poetry-core $poetry, flit_core $flit"
echo "expected of both, and seen of flit: $a"
echo "seen of poetry-core: $b"
[ "$a" = '"Plain Text", "plain"' ] && [ "$b" = '"PlainText", "plain"' ]
