#!/bin/sh
# unearth doesn't find what needs 3.11.1 and above, on Python 3.11.2.
#
# Expected: without --python-version unearth asks for the interpreter that runs it, so of demo 1.0 (Requires-Python >=3.6), 2.0 (from the first patch release of
# this one on) and 3.0 (>=3.99) it names 2.0, as pip does.
# Seen: it names 1.0. To itself it is run by 3.11, which is less than 3.11.1; so is each patch release. With --python-version and all three numbers it
# finds 2.0. An index that keeps wheels from a broken patch release by Requires-Python keeps them from everybody there.
unearth=0.18.3-2 pip=26.2.2+dfsg-1

dir=$(mktemp -d /tmp/finding-XXXXXX) || exit 2
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
mkdir -p state/lists/partial cache/archives/partial home index || exit 2
: >status
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Origin: Debian" | grep -v security | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >sources.list
cat >apt.conf <<CONF
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Dir::State "$dir/state";
Dir::State::status "$dir/status";
Dir::Cache "$dir/cache";
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "/dev/null";
CONF
export LC_ALL=C
{ APT_CONFIG=$dir/apt.conf apt-get -qq update && APT_CONFIG=$dir/apt.conf apt-get -qq -y --download-only install \
    "python3-unearth=$unearth" "python3-pip=$pip"; } >apt.log 2>&1 || { tail -3 apt.log; echo "the packages can't be downloaded"; exit 2; }
for package in cache/archives/python3-*.deb; do dpkg-deb -x "$package" root || exit 2; done

# The wheels, and a page that links to them with their Requires-Python. Both tools are written in Python; this machine's runs them.
python3 - <<'END' || { echo "this machine's Python has no patch release"; exit 2; }
import html, pathlib, sys, zipfile
if not sys.version_info.micro:
    sys.exit(1)
links = []
for version, needs in (("1.0", ">=3.6"), ("2.0", f">={sys.version_info.major}.{sys.version_info.minor}.1"), ("3.0", ">=3.99")):
    info, name = f"demo-{version}.dist-info", f"demo-{version}-py3-none-any.whl"
    files = {"demo.py": "", f"{info}/METADATA": f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\nRequires-Python: {needs}\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f"index/{name}", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    links.append(f'<a href="{name}" data-requires-python="{html.escape(needs)}">{name}</a>')
pathlib.Path("index/index.html").write_text("<!DOCTYPE html><title>demo</title>" + "<br>\n".join(links))
END
export HOME="$dir/home" PYTHONPATH="$dir/root/usr/lib/python3/dist-packages"
full=$(python3 -c 'import platform; print(platform.python_version())')
links=file://$dir/index/index.html
find_it() {
    python3 -m unearth --find-link "$links" "$@" demo 2>unearth.log | sed -n 's/^ *"version": "\(.*\)",$/\1/p'
}
python3 -m pip --isolated -q download --disable-pip-version-check --no-index --find-links "$links" --no-deps -d got demo >pip.log 2>&1 ||
    { tail -3 pip.log; exit 2; }
by_pip=$(basename got/demo-*.whl | cut -d- -f2)
by_unearth=$(find_it)
told=$(find_it --python-version "$full")
[ -n "$by_unearth" ] && [ -n "$told" ] || { tail -3 unearth.log; echo "it can't be tried"; exit 2; }
echo "unearth $unearth, pip $pip, Python $full"
echo "expected: pip 2.0, unearth 2.0, unearth --python-version $full 2.0"
echo "seen: pip $by_pip, unearth $by_unearth, unearth --python-version $full $told"
[ "$by_pip $by_unearth $told" = "2.0 1.0 2.0" ]
