#!/bin/sh
# Who excludes a broken release from Poetry excludes the release that mends it, if that is a post-release.
#
# Expected: of demo 0.9, 1.0 and 1.0.post1 "demo !=1.0" takes 1.0.post1, as pip does. PEP 440 has this very case: "given the version 1.1.post1" the
# clause "!= 1.1" is "Not equal, so 1.1.post1 matches".
# Seen: Poetry takes 0.9. Not equal is to it what is less or what is greater, and "greater than 1.0" leaves out 1.0's post-releases by the rules for ">".
# With "!=1.0,>=0.9" it is the same; "==1.0.post1" helps.
poetry=2.3.4-3 pip=26.2.2+dfsg-1 extensions=4.16.0-5

dir=$(mktemp -d /tmp/finding-XXXXXX) || exit 2
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait; rm -rf "$dir"' EXIT
cd "$dir" || exit 2
mkdir -p state/lists/partial cache/archives/partial home index/simple/demo project || exit 2
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
    "python3-poetry=$poetry" "python3-pip=$pip" "python3-typing-extensions=$extensions"; } >apt.log 2>&1 || { tail -3 apt.log; echo "the packages can't be downloaded"; exit 2; }
for package in cache/archives/*.deb; do dpkg-deb -x "$package" root || exit 2; done

# An index with three wheels, and the server for it.
cat >serve.py <<'END'
import functools, hashlib, http.server, os, zipfile
links = []
for version in ("0.9", "1.0", "1.0.post1"):
    info, name = f"demo-{version}.dist-info", f"demo-{version}-py3-none-any.whl"
    files = {"demo.py": "", f"{info}/METADATA": f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n",
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
index=http://127.0.0.1:$(cat port)/simple/
cat >project/pyproject.toml <<END
[project]
name = "user"
version = "1"
requires-python = ">=3.11"
dependencies = ["demo !=1.0"]
[tool.poetry]
package-mode = false
[[tool.poetry.source]]
name = "farm"
url = "$index"
END
# Both are written in Python; this machine's runs them, and needs typing_extensions if it is older than 3.13.
export HOME="$dir/home" PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" POETRY_VIRTUALENVS_CREATE=false
export PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring
(cd project && python3 -m poetry -n lock) >lock.log 2>&1 || { tail -3 lock.log; exit 2; }
locked=$(sed -n 's/^version = "\(.*\)"$/\1/p' project/poetry.lock)
python3 -m pip --isolated -q download --disable-pip-version-check --index-url "$index" -d got "demo !=1.0" >pip.log 2>&1 || { tail -3 pip.log; exit 2; }
taken=$(cd got && echo demo-*.whl | sed 's/^demo-\(.*\)-py3-none-any\.whl$/\1/')
echo "poetry $poetry, pip $pip"
echo "expected: 1.0.post1, by both"
echo "seen: Poetry $locked, pip $taken"
[ "$locked $taken" = "0.9 1.0.post1" ]
