#!/usr/bin/python3
"""Wheels that look odd, built by a real slave in a whole farm: those of test/cases, and more made here, that are right are
published and installed by pip; those that are wrong are failed builds whose log says why. And names that no installer reads:
not published, and not listed where an adopted database has them already.

TEST-TIMEOUT: 900
"""

import gzip
import hashlib
import os
import re
import subprocess
import sys

import farm as farms
import score
import wheels

CASES = farms.ROOT / "test" / "cases"
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'

# A build backend that packs what is in the archive's folder "wheel", with a RECORD that fits.
BACKEND = '''
import base64, hashlib, os, zipfile

FILENAME, ALGORITHM = @FILENAME@, @ALGORITHM@

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    record, info = "", "-".join(FILENAME.split("-")[:2]) + ".dist-info"
    with zipfile.ZipFile(os.path.join(wheel_directory, FILENAME), "w") as wheel:
        for folder, _, names in os.walk("wheel"):
            for name in sorted(names):
                with open(os.path.join(folder, name), "rb") as file:
                    data = file.read()
                path = os.path.relpath(os.path.join(folder, name), "wheel")
                if path.endswith(".hex"):
                    path, data = path[:-4], bytes.fromhex(data.decode())
                path = path.replace("DIST-INFO", info)
                digest = base64.urlsafe_b64encode(hashlib.new(ALGORITHM, data).digest()).rstrip(b"=").decode()
                record += f"{path},{ALGORITHM}={digest},{len(data)}\\n"
                wheel.writestr(path, data)
        wheel.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\\n")
    return FILENAME
'''


def elf(machine, wide=False):
    """The header of a shared object, as hex."""
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    head = ident + (3).to_bytes(2, "little") + machine.to_bytes(2, "little") + (1).to_bytes(4, "little")
    return head.ljust(64, b"\0").hex()


X86_64, ARM = elf(62, wide=True), elf(40)


def add(farm, name, version="1.0", tags="py3-none-any", fields="", files=None, algorithm="sha256"):
    """A source archive whose build gives a wheel with these METADATA fields and files."""
    tag = name.replace("-", "_")
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{fields}"
    backend = BACKEND.replace("@FILENAME@", repr(f"{tag}-{version}-{tags}.whl"))
    farms.make_sdist(farm.dir / "pypi", name, version, {
        "pyproject.toml": PYPROJECT, "backend.py": backend.replace("@ALGORITHM@", repr(algorithm)),
        "wheel/DIST-INFO/METADATA": metadata, f"wheel/{tag}.py": "answer = 42\n",
        "wheel/DIST-INFO/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: {str('any' in tags).lower()}\nTag: {tags}\n",
        **{f"wheel/{path}": text for path, text in (files or {}).items()}})


def built(farm, package):
    """(status, build id) of a package's one build, once it is recorded."""
    rows = farm.wait(f"a build of {package}", lambda: farm.rows(
        f"SELECT status, build_id FROM builds WHERE package = '{package}'"), 240)
    return rows[0][0] == "t", int(rows[0][1])


def log_of(farm, build_id):
    number = f"{build_id:012}"
    path = farm.www / "logs" / number[:4] / number[4:8] / f"{number[8:]}.txt.gz"
    farm.wait(f"the log of build {build_id}", path.exists)
    return gzip.decompress(path.read_bytes()).decode("utf-8", "replace")


def page(farm, package, pattern):
    """The package's index page, once it matches."""
    def look():
        status, _, body = farm.get(f"/simple/{package}/")
        return body.decode() if status == 200 and re.search(pattern, body.decode()) else None
    return farm.wait(f"{pattern} on the page of {package}", look)


def published(farm, package):
    """It was built, is listed, and pip installs it."""
    good, build_id = built(farm, package)
    if not score.check(f"{package}.built", good, "" if good else log_of(farm, build_id)[-600:]):
        return False
    html = page(farm, package, r"\.whl")
    name = re.search(r">([^<]+\.whl)<", html)[1]
    target = farm.dir / "target" / package
    farm.pip_install(target, package, options=("--no-deps",))
    return score.check(f"{package}.installed", any(target.iterdir()), name)


def refused(farm, package, pattern):
    """The build is a failed one, nothing is there, and the log says why."""
    good, build_id = built(farm, package)
    log = log_of(farm, build_id)
    return score.check(f"{package}.refused", not good and re.search(pattern, log)
                       and not list(farm.www.glob(f"simple/{package}/*.whl")), log[-600:])


def test_shared(farm):
    for path in sorted(CASES.glob("*.tar.gz")):
        published(farm, path.name.split("-")[0].replace("_", "-"))


def test_foreign(farm):
    refused(farm, "piwtest-foreign", "another processor")
    refused(farm, "piwtest-one-foreign", "another processor")
    published(farm, "piwtest-helper")


def test_records(farm):
    published(farm, "piwtest-sha384")
    refused(farm, "piwtest-md5", "isn't a SHA-256, SHA-384 or SHA-512")
    refused(farm, "piwtest-sha1", "isn't a SHA-256, SHA-384 or SHA-512")


def test_folded(farm):
    built(farm, "piwtest-folded")
    html = page(farm, "piwtest-folded", "data-requires-python")
    score.check("folded.page", 'data-requires-python="&gt;=3.0, !=3.5.*"' in html, html)
    rows = farm.rows("SELECT f.requires_python FROM files f JOIN builds b USING (build_id) WHERE b.package = 'piwtest-folded'")
    score.equal("folded.database", rows, [[">=3.0, !=3.5.*"]])
    for version, taken in (("3.4", True), ("3.5", False)):
        done = farm.run([farms.PYTHON, "-m", "pip", "download", "--no-deps", "--index-url", f"{farm.web_url}/simple/",
                         "--only-binary", ":all:", "--python-version", version, "-d", farm.dir / "tmp", "piwtest-folded"],
                        check=False)
        score.check(f"folded.pip for {version}", (done.returncode == 0) == taken
                    and (taken or "No matching distribution" in done.stderr), done.stderr[-400:])
    path = next(farm.www.glob("simple/piwtest-folded/*.metadata"))
    score.check("folded.metadata", b"Requires-Python: >=3.0,\r\n\t!=3.5.*\r\n" in path.read_bytes(), path.read_bytes())
    listed = farm.rows("SELECT d.dependency FROM dependencies d JOIN files f USING (filename) JOIN builds b USING (build_id) "
                       "WHERE b.package = 'piwtest-folded' AND d.tool = 'pip' ORDER BY 1")
    score.equal("folded.dependencies", listed, [["iron"], ["silver"]])


def test_names(farm):
    for package in ("piwtest-latest", "piwtest-dots", "piwtest-underscore"):
        refused(farm, package, "no version by PEP 440")


def adopt(farm, package, filename):
    """A wheel that another farm published under this name, into database and site; the project's page is asked for."""
    data = wheels.make(filename)
    version = filename.split("-")[1]
    (farm.www / "simple" / package).mkdir(parents=True, exist_ok=True)
    path = farm.www / "simple" / package / filename
    path.write_bytes(data)
    farm.own(path)
    farm.psql(f"""
        INSERT INTO versions (package, version, released, skip) VALUES ('{package}', '{version}', now(), '')
            ON CONFLICT DO NOTHING;
        WITH made AS (INSERT INTO builds (package, version, built_by, duration, status, abi_tag)
            VALUES ('{package}', '{version}', 0, '1 s', true, '{farm.abi()}') RETURNING build_id)
        INSERT INTO files (filename, build_id, filesize, filehash, package_tag, package_version_tag, py_version_tag,
            abi_tag, platform_tag)
            SELECT '{filename}', build_id, {len(data)}, '{hashlib.sha256(data).hexdigest()}', '{filename.split('-')[0]}',
                   '{version}', 'py3', 'none', 'any' FROM made""")
    return path


def test_adopted(farm):
    package = "piwtest-helper"
    paths = [adopt(farm, package, f"piwtest_helper-{version}-py3-none-any.whl") for version in ("latest", "1.0..0", "1.0_1")]
    readable = adopt(farm, package, "piwtest_helper-0.5-py3-none-any.whl")
    done = farm.run([farm.program("piw-rebuild"), "-c", farm.configuration(), "-y", "--import-queue", farm.socket("import"),
                     "index", package], check=False)
    score.check("adopted.rebuild", done.returncode == 0, done.stdout + done.stderr)
    html = page(farm, package, re.escape(readable.name))
    score.check("adopted.not listed", not any(path.name in html for path in paths), html)
    score.check("adopted.kept", all(path.exists() for path in paths) and farm.value(
        "SELECT count(*) FROM files WHERE package_version_tag IN ('latest', '1.0..0', '1.0_1')") == "3")
    target = farm.dir / "target" / "adopted"
    farm.pip_install(target, f"{package}==0.5")
    score.check("adopted.pip", (target / "piwtest_helper.py").exists())


def test_imports(farm):
    folder = farm.folder("import")
    for version in ("latest", "1.0..0", "1.0_1"):
        path = folder / f"piwtest_folded-{version}-py3-none-any.whl"
        path.write_bytes(wheels.make(path.name))
        done = farm.run([farm.program("piw-import"), "-c", farm.configuration(), "-y", "--import-queue",
                         farm.socket("import"), "--abi", farm.abi(), path], check=False)
        score.check(f"import.{version}", done.returncode == 1 and "PEP 440" in done.stderr, done.stdout + done.stderr)
        score.check(f"import.{version} isn't there", not (farm.www / "simple" / "piwtest-folded" / path.name).exists())


# Judged by Debian's python3-packaging: names as they come, and mutations of them.
ORACLE = '''
import sys
from packaging.utils import parse_wheel_filename
for line in sys.stdin:
    try:
        parse_wheel_filename(line.rstrip("\\n"))
        print("yes")
    except ValueError:
        print("no")
'''
VERSIONS = ("1.0", "1", "1.0.0.0", "1!2.0", "v1.0", "V1.0", "1.0a1", "1.0_a1", "1.0.alpha_1", "1.0rc", "1.0_rc_1", "1.0c1", "1.0pre1",
            "1.0.preview.2", "1.0.post", "1.0post1", "1.0_post_1", "1.0.r1", "1.0rev3", "1.0.dev", "1.0dev0", "1.0_dev_1",
            "1.0+local", "1.0+ubuntu_1.2", "1.0+a__b", "1.0+", "1.0+a.", "1.0a1.post2.dev3+x.y", "2004d", "latest", "1.0..0",
            "1.0_1", "1.0.", ".1.0", "1.0.x", "1_0", "1.0final", "1.0dev-r123", "1.0b", "1.0bb1", "1.0.post1.post2", "1!",
            "1.0!1", "01.02", "1.0a_", "1.0.post_", "1.0_", "1,0", "1.0~1", "20240301", "1.0.dev1.dev2", "dev", "a1", "1a", "1.*")


def test_oracle(farm):
    names = [f"gold-{version}-py3-none-any.whl" for version in VERSIONS]
    names += [f"gold-{version}-{build}-py3-none-any.whl" for version in ("1.0", "1_0") for build in ("1", "1a", "x", "0_2", "a1")]
    names += ["go__ld-1.0-py3-none-any.whl", "go.ld-1.0-py3-none-any.whl", "go_.ld-1.0-py3-none-any.whl", "gold-1.0-py3-none.whl",
              "gold-1.0-1-1-py3-none-any.whl", "gold-1.0-py2.py3-none-any.whl", "g+ld-1.0-py3-none-any.whl"]
    said = subprocess.run([farms.PYTHON, "-c", ORACLE], input="\n".join(names) + "\n", capture_output=True, text=True,
                          check=True).stdout.split()
    folder = farm.folder("oracle")
    wrong = []
    for name, readable in zip(names, said):
        # The gate looks at the name before it opens the file: a file that is no archive tells the two apart.
        (folder / name).write_bytes(b"no archive")
        done = farm.run([farm.program("piw-import"), "-c", farm.configuration(), "-y", "--import-queue",
                         farm.socket("import"), "--abi", farm.abi(), folder / name], check=False)
        if ("is refused" not in done.stderr) != (readable == "yes"):
            wrong.append(f"{name}: packaging says {readable}, piw-import {done.stderr.strip()}")
    score.check("oracle.names", not wrong and len(said) == len(names), "; ".join(wrong))


def prepare(farm):
    for path in sorted(CASES.glob("*.tar.gz")):
        farm.add_sdist(path)
    machine = os.uname().machine
    native, interpreter = f"linux_{machine}", farm.abi()
    tags = f"{interpreter}-{interpreter}-{native}"
    own = subprocess.run([farms.PYTHON, "-c", "import _ctypes_test as m; print(m.__file__)"], capture_output=True, text=True,
                         check=False).stdout.strip()
    code = open(own, "rb").read().hex() if own else elf(62 if machine == "x86_64" else 183, wide=True)
    other = ARM if machine == "x86_64" else X86_64
    add(farm, "piwtest-foreign", tags=tags, files={"e.so.hex": other})
    add(farm, "piwtest-one-foreign", tags=tags, files={"e.so.hex": code, "f.abi3.so.hex": other})
    add(farm, "piwtest-helper", tags=tags, files={"e.abi3.so.hex": code, "p/libhelper.so.1.hex": other, "p/fw.elf.hex": other})
    for algorithm in ("sha384", "md5", "sha1"):
        add(farm, f"piwtest-{algorithm}", algorithm=algorithm)
    add(farm, "piwtest-folded", fields="Requires-Python: >=3.0,\r\n\t!=3.5.*\r\nRequires-Dist: silver;\n python_version < '3'\n"
        "Requires-Dist: zinc; \"test\"==extra\nRequires-Dist: lead;\n 'test'\n ==extra\nRequires-Dist:\n iron >= 1\n")
    for package, version in (("piwtest-latest", "latest"), ("piwtest-dots", "1.0..0"), ("piwtest-underscore", "1.0_1")):
        add(farm, package, version)


def main():
    with farms.Farm() as farm:
        farm.prepare()
        prepare(farm)
        farm.start_postgres()
        farm.create_database()
        farm.start_pypi()
        farm.start_master()
        farm.start_web()
        farm.start_slave()
        return score.run((test_shared, test_foreign, test_records, test_folded, test_names, test_adopted, test_imports,
                          test_oracle), farm)


if __name__ == "__main__":
    sys.exit(main())
