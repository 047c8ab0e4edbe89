#!/bin/sh
# zc.buildout reads an index with pip's own code, leaves out what isn't for its Python, and takes what is yanked.
#
# Expected: of demo 1.0, 2.0 (yanked) and 3.0 (Requires-Python >=3.99) it takes 1.0, as pip does, whose reader of pages (parse_links) and
# whose check of Requires-Python it calls: "Must be ignored" if there is another, says PEP 592 of what is yanked.
# Seen: it takes 2.0 and says nothing of it. So yanking a version keeps no buildout from it; there it must be removed, or
# be superseded by a later one. The same with 6.0.1 of Debian unstable.
buildout=4.1.6-1 setuptools=78.1.1-0.1 pip=25.1.1+dfsg-1

dir=$(mktemp -d /tmp/finding-XXXXXX) || exit 2
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait; rm -rf "$dir"' EXIT
cd "$dir" || exit 2
mkdir -p state/lists/partial cache/archives/partial home eggs index/simple/demo || exit 2
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
    "python3-zc.buildout=$buildout" "python3-setuptools=$setuptools" "python3-pip=$pip"; } >apt.log 2>&1 ||
    { tail -3 apt.log; echo "the packages can't be downloaded"; exit 2; }
for package in cache/archives/python3-*.deb; do dpkg-deb -x "$package" root || exit 2; done

# An index with three wheels, and the server for it.
cat >serve.py <<'END'
import functools, hashlib, http.server, os, zipfile
links = []
for version, needs, more in (("1.0", ">=3.6", ""), ("2.0", ">=3.6", ' data-yanked="broken"'), ("3.0", ">=3.99", "")):
    info, name = f"demo-{version}.dist-info", f"demo-{version}-py3-none-any.whl"
    files = {"demo.py": f"version = '{version}'\n",
             f"{info}/METADATA": f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\nRequires-Python: {needs}\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f"index/simple/demo/{name}", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    with open(f"index/simple/demo/{name}", "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    links.append(f'<a href="{name}#sha256={digest}" data-requires-python="{needs.replace(">", "&gt;")}"{more}>{name}</a>')
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
index=http://127.0.0.1:$(cat port)/simple
# Both are written in Python; this machine's runs them.
export HOME="$dir/home" PYTHONPATH="$dir/root/usr/lib/python3/dist-packages"
python3 -m pip --isolated -q download --disable-pip-version-check --index-url "$index" --no-deps -d got demo >pip.log 2>&1 ||
    { tail -3 pip.log; exit 2; }
pip_took=$(basename got/demo-*.whl | cut -d- -f2)
took=$(python3 -W ignore -c '
import sys
from zc.buildout import easy_install
found = easy_install.install(["demo"], "eggs", index=sys.argv[1])
print(*(dist.version for dist in found if dist.project_name == "demo"))' "$index" 2>buildout.log) || { tail -3 buildout.log; exit 2; }
echo "zc.buildout $buildout with setuptools $setuptools; pip $pip"
echo "expected: pip takes 1.0, buildout takes 1.0"
echo "seen: pip takes $pip_took, buildout takes $took"
[ "$pip_took $took" = "1.0 2.0" ]
