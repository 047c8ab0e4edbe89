#!/bin/sh
# PDM's lock files don't say which build of a version they are of, if builds are told apart by local versions; pip refuses such a pylock.toml.
#
# Expected: of an index that has demo 1.0 and a rebuild of it, 1.0+farm.1 and .2, a lock pins what was resolved, 1.0+farm.2, and lists its
# file; pip installs the pylock.toml that is exported from it, as PEP 751 is for.
# Seen: PDM resolves 1.0+farm.2, writes 1.0 and lists the files of all three. In pylock.toml the version isn't that of its files: pip takes
# none of it, not the other packages either. Only "==1.0+farm.1" by its letters is kept. Poetry locks 1.0+farm.2.
pdm=2.29.3-1 pip=26.2.2+dfsg-1

dir=$(mktemp -d /tmp/finding-XXXXXX) || exit 2
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait; rm -rf "$dir"' EXIT
cd "$dir" || exit 2
mkdir -p state/lists/partial cache/archives/partial home index/simple/demo || exit 2
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
    "python3-pdm=$pdm" "python3-pip=$pip"; } >apt.log 2>&1 || { tail -3 apt.log; echo "the packages can't be downloaded"; exit 2; }
for package in cache/archives/*.deb; do dpkg-deb -x "$package" root || exit 2; done

# An index with three wheels, and the server for it.
cat >serve.py <<'END'
import functools, hashlib, http.server, os, zipfile
links = []
for version in ("1.0", "1.0+farm.1", "1.0+farm.2"):
    info, name = f"demo-{version}.dist-info", f"demo-{version}-py3-none-any.whl"
    files = {"demo.py": f"version = '{version}'\n", f"{info}/METADATA": f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f"index/simple/demo/{name}", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    with open(f"index/simple/demo/{name}", "rb") as file:
        links.append(f'<a href="{name}#sha256={hashlib.sha256(file.read()).hexdigest()}">{name}</a>')
with open("index/simple/demo/index.html", "w", encoding="utf-8") as page:
    page.write("<!DOCTYPE html><title>demo</title>" + "<br>\n".join(links))
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory="index"))
with open("port.new", "w", encoding="ascii") as file:
    file.write(str(server.server_port))
os.rename("port.new", "port")
server.serve_forever()
END
python3 serve.py &
server=$!
tries=0
until [ -s port ]; do
    kill -0 "$server" 2>/dev/null && [ "$tries" -lt 100 ] || exit 2
    tries=$((tries + 1))
    sleep 0.1
done
mkdir project && cd project || exit 2
cat >pyproject.toml <<END
[project]
name = "user"
version = "1"
dependencies = ["demo"]
requires-python = ">=3.11"
[tool.pdm]
distribution = false
[[tool.pdm.source]]
name = "pypi"
url = "http://127.0.0.1:$(cat ../port)/simple/"
END
# Both are written in Python; this machine's runs them.
export HOME="$dir/home" PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" PDM_CHECK_UPDATE=0 PDM_USE_VENV=0
python3 -m pdm lock -v >../lock.log 2>&1 && python3 -m pdm export -f pylock -o pylock.toml >>../lock.log 2>&1 || { tail -5 ../lock.log; exit 2; }
resolved=$(sed -n 's/^pdm.termui: *demo \(1.*\)$/\1/p' ../lock.log | tail -1)
locked=$(sed -n 's/^version = "\(.*\)"$/\1/p' pdm.lock)
files=$(grep -c 'file = "demo-' pdm.lock)
if python3 -m pip --isolated -q download --disable-pip-version-check -d got -r pylock.toml >../pip.log 2>&1; then
    taken=yes
else
    grep '^ERROR' ../pip.log
    grep -q "not consistent with package version" ../pip.log || exit 2
    taken=no
fi
echo "pdm $pdm, pip $pip"
echo "expected: resolved 1.0+farm.2, locked 1.0+farm.2, files 1, pip takes it: yes"
echo "seen: resolved $resolved, locked $locked, files $files, pip takes it: $taken"
[ "$resolved $locked $files $taken" = "1.0+farm.2 1.0 3 no" ]
