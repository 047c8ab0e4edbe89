#!/bin/sh
# Pyodide's loadPackage() takes a wheel for another processor, and doesn't take a link that has the wheel's hash.
#
# Expected: "a wheel URL" as an index has it, …/demo-1.0-py3-none-any.whl#sha256=…, is the address of that wheel: what is behind "#" is never sent, and
# the hash could be looked at. A wheel whose name says linux_armv7l is refused there, as pip refuses it.
# Seen: the link is "not a valid package name or URL"; cut off before the "#" it is loaded. So is the wheel for linux_armv7l, with "Loaded" and no
# warning: its name is read for the package alone. (Links of an index: PEP 503; loadPackage's own words: "an exact package name or a wheel URL".)
pyodide=314.0.7

dir=$(mktemp -d /tmp/finding-XXXXXX) || exit 2
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
echo '{"private": true, "type": "module"}' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund "pyodide@$pyodide" >/dev/null 2>&1 || { echo "the package can't be downloaded"; exit 2; }
python3 - <<'END' || exit 2
import hashlib, zipfile
for name, tag in (("demo", "py3-none-any"), ("board", "cp314-cp314-linux_armv7l")):
    info = f"{name}-1.0.dist-info"
    files = {f"{name}.py": "", f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
             f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"}
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f"{name}-1.0-{tag}.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
with open("demo-1.0-py3-none-any.whl", "rb") as file, open("hash", "w", encoding="ascii") as to:
    to.write(hashlib.sha256(file.read()).hexdigest())
END
cat >load.js <<'END'
import { loadPyodide } from "pyodide";
import fs from "fs";
import http from "http";
const server = http.createServer((request, response) => {
    const file = "." + request.url;
    response.statusCode = fs.existsSync(file) ? 200 : 404;
    response.end(response.statusCode === 200 ? fs.readFileSync(file) : "");
});
await new Promise(ready => server.listen(0, "127.0.0.1", ready));
const hash = fs.readFileSync("hash", "ascii");
for (const [name, link] of [["with its hash", `demo-1.0-py3-none-any.whl#sha256=${hash}`], ["without", "demo-1.0-py3-none-any.whl"],
                            ["for linux_armv7l", "board-1.0-cp314-cp314-linux_armv7l.whl"]]) {
    const pyodide = await loadPyodide();
    let seen = [];
    const quiet = { messageCallback: () => {}, errorCallback: text => seen.push(text) };
    try {
        await pyodide.loadPackage(`http://127.0.0.1:${server.address().port}/${link}`, quiet);
        seen.push(Object.keys(pyodide.loadedPackages).length === 1 ? "loaded" : "nothing");
    } catch (error) {
        seen.push(error.message.includes("is not a valid package name or URL") ? "not a valid package name or URL" : error.message);
    }
    console.log(`${name}: ${seen.join(", ")}`);
}
server.close();
END
seen=$(node load.js) || { echo "it can't be tried"; exit 2; }
echo "pyodide $pyodide, Node.js $(node --version)"
echo "expected: loaded, loaded, refused"
echo "seen:"
echo "$seen"
[ "$seen" = "with its hash: not a valid package name or URL
without: loaded
for linux_armv7l: loaded" ]
