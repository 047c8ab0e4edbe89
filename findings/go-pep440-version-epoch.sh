#!/bin/sh
# To go-pep440-version, by which programs in Go read Python's versions, "~=1!2.0" and "==1!2.*" are all of epoch 1.
#
# Expected: "~=1!2.0" and "==1!2.*" take 1!2.0 and 1!2.1 and leave out 1!1 and 1!3: the epoch is the time that is counted from, the rest means what it means without
# one. So it is with Python's packaging, and here of "~=2.0" and "==2.*" without an epoch.
# Seen: "==1!2.*" takes 1!1 and 1!3 too, and "!=1!2.*" takes none of the four; "~=1!2.0" has a lower end and no upper one. "==1!2.0.*" takes 0 besides, which has no
# epoch. Which versions have a fault is asked by such ranges.
set -eu
pep440=0.0.1-1 version=0.0~git20210121.637058c-2 xerrors=0.0~git20240903.7835f81-1 go=1.26.10-1

folder=$(mktemp -d /tmp/finding-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p state/lists/partial cache/archives/partial path/src/ask
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
    APT_CONFIG=$folder/apt.conf apt-get -qq download "golang-github-aquasecurity-go-pep440-version-dev=$pep440" \
        "golang-github-aquasecurity-go-version-dev=$version" "golang-golang-x-xerrors-dev=$xerrors" "golang-1.26-go=$go" "golang-1.26-src=$go" 2>/dev/null ||
    { echo "the packages can't be downloaded"; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root; done
cat >path/src/ask/main.go <<'GO'
package main

import (
	"fmt"
	"os"

	pep440 "github.com/aquasecurity/go-pep440-version"
)

func main() {
	for _, text := range []string{"~=2.0", "==2.*", "~=1!2.0", "==1!2.*", "!=1!2.*", "==1!2.0.*"} {
		wanted, err := pep440.NewSpecifiers(text)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Printf("%s:", text)
		for _, version := range []string{"0", "1", "2.0", "2.1", "3", "1!1", "1!2.0", "1!2.1", "1!3"} {
			if wanted.Check(pep440.MustParse(version)) {
				fmt.Printf(" %s", version)
			}
		}
		fmt.Println()
	}
}
GO
HOME=$folder GOROOT=$folder/root/usr/lib/go-1.26 GOPATH=$folder/path:$folder/root/usr/share/gocode GOCACHE=$folder/built GO111MODULE=off GOTELEMETRY=off \
    CGO_ENABLED=0 root/usr/lib/go-1.26/bin/go build -o ask path/src/ask/main.go >log 2>&1 && seen=$(./ask) || { tail -3 log; echo "it can't be tried"; exit 2; }
echo "go-pep440-version $pep440"
echo "expected: ~=2.0, ==2.*: 2.0 2.1; ~=1!2.0, ==1!2.*: 1!2.0 1!2.1; !=1!2.*: all others; ==1!2.0.*: 1!2.0"
echo "seen:"
echo "$seen"
wanted='~=2.0: 2.0 2.1
==2.*: 2.0 2.1
~=1!2.0: 1!2.0 1!2.1 1!3
==1!2.*: 1!1 1!2.0 1!2.1 1!3
!=1!2.*: 0 1 2.0 2.1 3
==1!2.0.*: 0 1!2.0'
[ "$seen" = "$wanted" ]
