#!/bin/sh
# An index names the metadata's hash by its present name (PEP 714) and, for the sake of older installers, by its older one too
# (PEP 658). One would expect that these save a download. pip 22.3 to 23.1, so Debian 12's, compares the spelling that was asked for, letter by letter,
# with the metadata's Name: most names can't be installed any more as people type them. With data-core-metadata alone they
# can. (pypa/pip 12038, mended in 23.2)
set -eu
package=python3-pip version=23.0.1+dfsg-1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 .
apt-get -qq download "$package=$version" 2>/dev/null
dpkg-deb -x ./*.deb root
mkdir -p simple/markupsafe
python3 - <<'MAKE'
import hashlib, zipfile
metadata = "Metadata-Version: 2.1\nName: MarkupSafe\nVersion: 1.0\n"
files = {"markupsafe.py": "", "markupsafe-1.0.dist-info/METADATA": metadata, "markupsafe-1.0.dist-info/WHEEL":
         "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
files["markupsafe-1.0.dist-info/RECORD"] = "".join(f"{path},,\n" for path in [*files, "markupsafe-1.0.dist-info/RECORD"])
name = "simple/markupsafe/markupsafe-1.0-py3-none-any.whl"
with zipfile.ZipFile(name, "w") as wheel:
    for path, text in files.items():
        wheel.writestr(path, text)
with open(f"{name}.metadata", "w", encoding="utf-8") as file:
    file.write(metadata)
core = hashlib.sha256(metadata.encode()).hexdigest()
for page, more in (("alone", ""), ("both", f' data-dist-info-metadata="sha256={core}"')):
    with open(f"{page}.html", "w", encoding="utf-8") as file:
        file.write(f'<!DOCTYPE html><a href="markupsafe-1.0-py3-none-any.whl" data-core-metadata="sha256={core}"{more}>'
                   "markupsafe-1.0-py3-none-any.whl</a>")
MAKE

# try PAGE NAME: does pip find NAME on that page?
try() {
    cp "$1.html" simple/markupsafe/index.html
    PYTHONPATH=root/usr/lib/python3/dist-packages PIP_CONFIG_FILE=/dev/null python3 -m pip --isolated -q install --dry-run \
        --ignore-installed --no-cache-dir --disable-pip-version-check --break-system-packages --target none \
        --index-url "file://$folder/simple" "$2" >out 2>&1 && echo yes || echo no
}

PYTHONPATH=root/usr/lib/python3/dist-packages python3 -m pip --version | sed 's/ from.*//'
seen="$(try alone markupsafe) $(try both MarkupSafe) $(try both markupsafe)"
echo "markupsafe with data-core-metadata alone, MarkupSafe with both, markupsafe with both"
echo "expected: yes yes yes"
echo "seen:     $seen"
grep -h "inconsistent" out | head -1
[ "$seen" = "yes yes no" ]
