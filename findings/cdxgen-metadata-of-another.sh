#!/bin/sh
# cdxgen's bill of materials names a wheel after what the wheel has vendored.
#
# Expected: a wheel is what its name says, and what METADATA in its own DEMO-VERSION.dist-info says; the dist-info of a package that is vendored in it
# (demo/_vendor/other-2.0.dist-info, as setuptools' wheel has twelve) is content. So the bill of demo-1.0-py3-none-any.whl lists demo 1.0.
# Seen: cdxgen takes the first file whose path ends with METADATA: other 2.0, and no demo. It depends on who built the wheel: flit puts the wheel's
# own dist-info at the end, as the wheel specification recommends, pdm-backend at the front; with the latter's wheel of the same project it is demo 1.0.
cdxgen=12.8.4 flit=4.1.0-4 pdm=2.5.0+ds1-1 metadata=0.12.1-1 tomli_w=1.2.0-3 packaging=26.2-3

dir=$(mktemp -d /tmp/finding-XXXXXX) || exit 2
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
mkdir -p state/lists/partial cache/archives/partial home demo/_vendor/other-2.0.dist-info || exit 2
: >status
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Origin: Debian" | grep -v security | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >sources.list
cat >apt.conf <<CONF
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Dir::State "$dir/state";
Dir::State::status "$dir/status";
Dir::Cache "$dir/cache";
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "/dev/null";
CONF
export LC_ALL=C
APT_CONFIG=$dir/apt.conf apt-get -qq update 2>/dev/null && APT_CONFIG=$dir/apt.conf apt-get -qq download \
    "python3-flit=$flit" "python3-pdm-backend=$pdm" "python3-pyproject-metadata=$metadata" "python3-tomli-w=$tomli_w" \
    "python3-packaging=$packaging" 2>/dev/null || { echo "the packages can't be downloaded"; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done
mkdir node && cd node && echo '{"private": true}' >package.json || exit 2
npm install --silent --ignore-scripts --omit=optional --no-audit --no-fund "@cyclonedx/cdxgen@$cdxgen" >/dev/null 2>&1 ||
    { echo "the package can't be downloaded"; exit 2; }
cd ..

: >demo/__init__.py
: >demo/_vendor/__init__.py
printf 'Metadata-Version: 2.1\nName: other\nVersion: 2.0\n' >demo/_vendor/other-2.0.dist-info/METADATA
# list_of BACKEND: what is listed of the wheel that it builds
list_of() {
    cat >pyproject.toml <<END
[build-system]
requires = []
build-backend = "$1"
[project]
name = "demo"
version = "1.0"
description = "d"
END
    mkdir "$1" && PYTHONPATH=$dir/root/usr/lib/python3/dist-packages python3 -c 'import importlib, sys
print(importlib.import_module(sys.argv[1]).build_wheel(sys.argv[1]))' "$1" >build.log 2>&1 || { tail -3 build.log >&2; exit 2; }
    HOME=$dir/home FETCH_LICENSE=false node node/node_modules/@cyclonedx/cdxgen/bin/cdxgen.js --type python --no-install-deps --output "$1.json" "$1" \
        >cdxgen.log 2>&1 && [ -s "$1.json" ] || { tail -3 cdxgen.log >&2; exit 2; }
    node -e 'const bom = JSON.parse(require("fs").readFileSync(process.argv[1]));
console.log((bom.components || []).map(component => `${component.name} ${component.version}`).join(", "));' "$1.json"
}
flits=$(list_of flit_core.buildapi) && pdms=$(list_of pdm.backend) || { echo "it can't be tried"; exit 2; }
echo "cdxgen $cdxgen, Node.js $(node --version); flit_core $flit, pdm-backend $pdm"
echo "expected: demo 1.0, of both wheels"
echo "seen: of flit's $flits, of pdm-backend's $pdms"
[ "$flits" = "other 2.0" ] && [ "$pdms" = "demo 1.0" ]
