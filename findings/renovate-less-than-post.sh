#!/bin/sh
# To Renovate no version of a release is below that release's post-release.
#
# Expected: of 0.9, 1.0, 1.0.post1 and 1.0.post2 "<1.0.post2" takes 1.0.post1: PEP 440 keeps pre-releases out of "<V", nothing else. So does
# Python's packaging, and so does @renovatebot/pep440 of "<=1.0.post1".
# Seen: "<1.0.post2" takes 0.9, and "<1.0.post1" too, though lt("1.0", "1.0.post1") is true in the same library: whatever has the same numbers is
# left out. A range that is to leave out a broken post-release leaves out the release as well. (5.0.1, which asks for Node 22, does the same.)
pep440=4.2.4
dir=$(mktemp -d /tmp/finding-XXXXXX) || exit 2
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
echo '{"private": true}' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund "@renovatebot/pep440@$pep440" >/dev/null 2>&1 || { echo "the package can't be downloaded"; exit 2; }
cat >ask.js <<'END'
const pep440 = require("@renovatebot/pep440");
const versions = ["0.9", "1.0", "1.0.post1", "1.0.post2"];
for (const range of ["<1.0.post2", "<1.0.post1", "<=1.0.post1", "<1.0.1"])
    console.log(`${range}: ${pep440.maxSatisfying(versions, range)}`);
console.log(`1.0 is less than 1.0.post1: ${pep440.lt("1.0", "1.0.post1")}`);
END
seen=$(node ask.js) || { echo "it can't be tried"; exit 2; }
echo "@renovatebot/pep440 $pep440; the newest of 0.9, 1.0, 1.0.post1 and 1.0.post2 that is"
echo "expected: <1.0.post2: 1.0.post1, <1.0.post1: 1.0, <=1.0.post1: 1.0.post1, <1.0.1: 1.0.post2"
echo "seen:"
echo "$seen"
[ "$seen" = "<1.0.post2: 0.9
<1.0.post1: 0.9
<=1.0.post1: 1.0.post1
<1.0.1: 1.0.post2
1.0 is less than 1.0.post1: true" ]
