#!/bin/sh
# Poetry remembers what an index has of a version by the name that a project gives the index, not by its address.
#
# Expected: two projects have a source "farm", at different addresses: a farm for tests and the real one, or one that has moved. Each
# one's lock has the wheel and hash of its own index, as the address beside it says.
# Seen: the second project's lock has the second address, and the first index's hash. Poetry reads the second index's page, where the right
# one stands, and doesn't look at it; "Cache-Control: no-cache" and "poetry lock --regenerate" make no difference. The installation then fails:
# what was downloaded doesn't "match any known checksums". "poetry cache clear farm --all" helps. (2.3.4 does the same, though it
# looks for files that were added since.)
poetry=2.1.2+dfsg-1+deb13u1

dir=$(mktemp -d /tmp/finding-XXXXXX) || exit 2
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait; rm -rf "$dir"' EXIT
cd "$dir" || exit 2
mkdir -p state/lists/partial cache/archives/partial home || exit 2
: >status
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Origin: Debian" | grep -v security | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >sources.list
cat >apt.conf <<CONF
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Dir::State "$dir/state";
Dir::State::status "$dir/status";
Dir::Cache "$dir/cache";
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "/dev/null";
CONF
export LC_ALL=C
{ APT_CONFIG=$dir/apt.conf apt-get -qq update && APT_CONFIG=$dir/apt.conf apt-get -qq -y --download-only install \
    "python3-poetry=$poetry"; } >apt.log 2>&1 || { tail -3 apt.log; echo "the packages can't be downloaded"; exit 2; }
for package in cache/archives/*.deb; do dpkg-deb -x "$package" root || exit 2; done

# Two indexes, /first/simple/ and /second/simple/, each with another build of demo 1.0, and the server for them.
cat >serve.py <<'END'
import functools, hashlib, http.server, os, zipfile
for index in ("first", "second"):
    info, name = "demo-1.0.dist-info", f"demo-1.0-py3-none-any.whl"
    files = {"demo.py": f"index = '{index}'\n", f"{info}/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    folder = f"www/{index}/simple/demo"
    os.makedirs(folder)
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    with open(f"{folder}/{name}", "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    with open(f"{folder}/index.html", "w", encoding="utf-8") as page:
        page.write(f'<!DOCTYPE html><title>demo</title><a href="{name}#sha256={digest}">{name}</a>')
    with open(f"{index}.hash", "w", encoding="ascii") as file:
        file.write(digest)
class Quiet(http.server.SimpleHTTPRequestHandler):
    def end_headers(self):
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory="www"))
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
export HOME="$dir/home" PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" POETRY_VIRTUALENVS_CREATE=false
export PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring

# lock INDEX OPTION...: in a project of its own for each; the index whose wheel is locked
lock() {
    index=$1
    shift
    mkdir -p "project-$index" && cat >"project-$index/pyproject.toml" <<END
[project]
name = "user"
version = "1"
requires-python = ">=3.11"
dependencies = ["demo"]
[tool.poetry]
package-mode = false
[[tool.poetry.source]]
name = "farm"
url = "http://127.0.0.1:$(cat port)/$index/simple/"
END
    (cd "project-$index" && python3 -m poetry -n "$@" lock --regenerate) >lock.log 2>&1 || { tail -3 lock.log >&2; exit 2; }
    grep -q "^url = .*/$index/simple\"" "project-$index/poetry.lock" || exit 2
    for other in first second; do ! grep -q "sha256:$(cat $other.hash)" "project-$index/poetry.lock" || echo "$other"; done
}
seen="for the first: $(lock first)
for the second: $(lock second)
for the second, without cache: $(lock second --no-cache)" || { echo "it can't be tried"; exit 2; }
echo "poetry $poetry"
echo "expected: the wheel of the first index for the first, of the second for the second"
echo "seen:"
echo "$seen"
[ "$seen" = "for the first: first
for the second: first
for the second, without cache: second" ]
