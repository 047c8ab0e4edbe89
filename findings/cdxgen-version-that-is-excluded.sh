#!/bin/sh
# cdxgen's bill of materials says that a project has the one version that it excludes.
#
# Expected: "demo !=1.5,>=1.0" is a component without a version, or with one that is allowed; "demo ==1!2.0" is 1!2.0, and "demo == 1.0", with a blank as
# PEP 508 lets it stand, is 1.0, since both are pinned.
# Seen: the first is listed as 1.5. Of 1!2.0 it lists 1, another version, of "== 1.0" and "===1.0.post1" none. "<2" is 2, which is excluded too. Who looks for
# known faults by the bill is told of those that the project has taken care not to have.
cdxgen=12.8.4

dir=$(mktemp -d /tmp/finding-XXXXXX) || exit 2
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
mkdir node project home && cd node && echo '{"private": true}' >package.json || exit 2
npm install --silent --ignore-scripts --omit=optional --no-audit --no-fund "@cyclonedx/cdxgen@$cdxgen" >/dev/null 2>&1 ||
    { echo "the package can't be downloaded"; exit 2; }
cd ..
cat >project/requirements.txt <<END
plain==1.0
excluded!=1.5,>=1.0
below<2
epoch==1!2.0
blank == 1.0
exact===1.0.post1
END
HOME=$dir/home FETCH_LICENSE=false node node/node_modules/@cyclonedx/cdxgen/bin/cdxgen.js --type python --no-install-deps --output bom.json project >log 2>&1 &&
    [ -s bom.json ] || { tail -3 log; echo "it can't be tried"; exit 2; }
seen=$(node -e 'const bom = JSON.parse(require("fs").readFileSync("bom.json"));
for (const component of bom.components || []) console.log(`${component.name}: ${component.version || "none"}`);' | sort)
echo "cdxgen $cdxgen, Node.js $(node --version)"
echo "expected: plain, blank: 1.0, epoch: 1!2.0, exact: 1.0.post1, excluded, below: none"
echo "seen:"
echo "$seen"
[ "$seen" = "below: 2
blank: none
epoch: 1
exact: none
excluded: 1.5
plain: 1.0" ]
