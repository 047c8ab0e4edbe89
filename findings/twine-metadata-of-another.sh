#!/bin/sh
# twine uploads a wheel under the name of another project, if the wheel has a file that is a METADATA of that one.
#
# Expected: demo-1.0-py3-none-any.whl is uploaded as demo 1.0, as its name says and its demo-1.0.dist-info/METADATA; a sample in its package, demo/METADATA.sample,
# is content. pip installs it as demo 1.0.
# Seen: twine looks at all files with METADATA anywhere in their paths, the shortest path first and then by the alphabet, and "demo" comes before
# "demo-1.0.dist-info": the form says other 2.0, beside the file demo-1.0-…. "twine check" passes. In a folder that comes later (test/METADATA.sample) the same
# file does no harm. Poetry reads a wheel so too (by pkginfo): given the file, it needs what the sample needs.
twine=7.0.0-1 pkginfo=1.12.1.2-3 pip=26.2.2+dfsg-1 python=3.14.10-1

dir=$(mktemp -d /tmp/finding-XXXXXX) || exit 2
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait; rm -rf "$dir"' EXIT
cd "$dir" || exit 2
mkdir -p state/lists/partial cache/archives/partial home demo test || exit 2
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
    "twine=$twine" "python3-pkginfo=$pkginfo" "python3-pip=$pip" "python3.14=$python"; } >apt.log 2>&1 || { tail -3 apt.log; echo "the packages can't be downloaded"; exit 2; }
for package in cache/archives/*.deb; do dpkg-deb -x "$package" root || exit 2; done

# Two wheels of demo 1.0, which differ in the folder of the sample, and a server that notes what is said of an uploaded file.
cat >serve.py <<'END'
import http.server, os, re, zipfile
for folder in ("demo", "test"):
    files = {f"{folder}/METADATA.sample": "Metadata-Version: 2.1\nName: other\nVersion: 2.0\nRequires-Dist: something\n", "demo/__init__.py": "",
             "demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
             "demo-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files["demo-1.0.dist-info/RECORD"] = "".join(f"{path},,\n" for path in [*files, "demo-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(f"{folder}/demo-1.0-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
class Note(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        form = dict(re.findall(rb'name="(name|version)"\r\n\r\n([^\r]*)', self.rfile.read(int(self.headers["Content-Length"]))))
        with open("said", "w", encoding="ascii") as to:
            to.write(f"{form[b'name'].decode()} {form[b'version'].decode()}")
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Note)
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
# All are written in Python; Debian unstable's, with its libraries, runs them.
root=$dir/root
loader=$(find "$root" -name 'ld-linux-x86-64.so.2' -o -name 'ld-linux-aarch64.so.1' | head -n 1)
libraries=$(find "$root" -path '*-linux-gnu/*' -name '*.so.*' -exec dirname {} \; | sort -u | tr '\n' ':')
sid_python() {
    HOME=$dir/home PYTHONHOME=$root/usr PYTHONPATH=$root/usr/lib/python3/dist-packages "$loader" --library-path "$libraries" \
        "$root/usr/bin/python3.14" "$@"
}
# try FOLDER: what is read of the wheel there
try() {
    wheel=$1/demo-1.0-py3-none-any.whl
    sid_python -m twine --no-color check "$wheel" >log 2>&1 && grep -q PASSED log &&
        sid_python -m twine --no-color upload --non-interactive --disable-progress-bar -u u -p p \
            --repository-url "http://127.0.0.1:$(cat port)/" "$wheel" >>log 2>&1 ||
        { tail -3 log >&2; exit 2; }
    sid_python -m pip --isolated install --no-index --no-deps --dry-run --ignore-installed --disable-pip-version-check --root-user-action=ignore \
        --break-system-packages "$wheel" >pip.log 2>&1 || { tail -3 pip.log >&2; exit 2; }
    by_pip=$(sed -n 's/^Would install \(.*\)-\(.*\)$/\1 \2/p' pip.log)
    by_pkginfo=$(sid_python -c 'import pkginfo, sys
wheel = pkginfo.Wheel(sys.argv[1])
print(wheel.name, wheel.version)' "$wheel")
    echo "sample in $1: pip $by_pip, twine $(cat said), pkginfo $by_pkginfo"
}
seen=$(try demo && try test) || { echo "it can't be tried"; exit 2; }
echo "twine $twine, pkginfo $pkginfo, pip $pip"
echo "expected: demo 1.0, of all"
echo "seen:"
echo "$seen"
[ "$seen" = "sample in demo: pip demo 1.0, twine other 2.0, pkginfo other 2.0
sample in test: pip demo 1.0, twine demo 1.0, pkginfo demo 1.0" ]
