"""A machine that fails under a farm: libraries that are preloaded to its programs, file systems that are small, and what must be
true of the database and the site afterwards, whatever failed.
"""

import gzip
import hashlib
import io
import os
import pwd
import subprocess
import sys
import zipfile

import load as loads
from load import farms
from score import check


def preload(farm, name):
    """A library of test/preload, compiled for this farm; its path."""
    target = farm.dir / f"{name}.so"
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o", target,
                    farms.ROOT / "test" / "preload" / f"{name}.c", "-ldl"], check=True, timeout=120)
    target.chmod(0o755)
    return target


def own_mounts():
    """Root runs the program once more where what is mounted is seen by nobody else and goes with it."""
    if os.geteuid() != 0 or os.environ.get("PIW_OWN_MOUNTS"):
        return
    unshare = ["unshare", "--mount", "--propagation", "private"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode == 0:
        os.environ["PIW_OWN_MOUNTS"] = "yes"
        os.execvp("unshare", [*unshare, sys.executable, *sys.argv])


def small_disk(farm, name, size, mode):
    """A folder of the farm becomes a file system of its own, when this may be done."""
    if not os.environ.get("PIW_OWN_MOUNTS"):
        return False
    nobody = pwd.getpwnam("nobody")
    farm.dir.chmod(0o755)
    options = f"size={size},mode={mode:04o},uid={nobody.pw_uid},gid={nobody.pw_gid}"
    return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", farm.folder(name, mode)], check=False).returncode == 0


def fill_disk(path):
    """To the last byte."""
    with open(path, "wb", buffering=0) as file:
        size = 1 << 20
        while size > 0:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2


def log_of(farm, build_id):
    number = f"{build_id:012}"
    return farm.www / "logs" / number[:4] / number[4:8] / f"{number[8:]}.txt.gz"


def good_log(path):
    try:
        return gzip.decompress(path.read_bytes()) is not None
    except (OSError, EOFError):
        return False


def good_file(farm, package, name, digest):
    path = farm.www / "simple" / package / name
    try:
        data = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(data)) as wheel:
            info = next(member for member in wheel.namelist() if member.endswith(".dist-info/METADATA"))
            metadata = wheel.read(info)
            return (hashlib.sha256(data).hexdigest() == digest and wheel.testzip() is None and
                    (path.parent / f"{name}.metadata").read_bytes() == metadata)
    except (OSError, zipfile.BadZipFile, StopIteration):
        return False


def differences(farm):
    """Where database and site contradict each other: sentences. Nothing may be on its way."""
    found = [f"{package} {version} is recorded {count} times" for package, version, count in farm.rows(
        "SELECT package, version, count(*) FROM builds GROUP BY 1, 2 HAVING count(*) > 1")]
    files = {name: (package, digest) for name, package, digest in farm.rows(
        "SELECT f.filename, b.package, f.filehash FROM files f JOIN builds b USING (build_id)")}
    found += [f"{package}/{name} isn't there, whole, with its metadata" for name, (package, digest) in files.items()
              if not good_file(farm, package, name, digest)]
    found += [f"{path} is known to nobody" for path in (farm.www / "simple").rglob("*.whl") if path.name not in files]
    found += [f"build {row[0]} has no log, or half of one" for row in farm.rows("SELECT build_id FROM builds")
              if not good_log(log_of(farm, int(row[0])))]
    built = {package: {name for name, (of, _) in files.items() if of == package} for package, _ in files.values()}
    for package, names in built.items():
        for page, end in ((f"simple/{package}/index.html", "</html>"), (f"project/{package}/index.html", "</html>"),
                          (f"project/{package}/json/index.json", "}")):
            path = farm.www / page
            text = path.read_text("utf-8") if path.exists() else ""
            found += [f"{name} isn't on the page {page}" for name in names if name not in text]
            if not text.rstrip().endswith(end):
                found.append(f"{page} isn't whole")
    found += [f"{path} was left behind" for path in farm.staged()]
    return found


def settled(farm, timeout=120):
    """Until there are no differences; those that stay."""
    left = []

    def none():
        left[:] = differences(farm)
        return not left
    try:
        farm.wait("database and site to agree", none, timeout)
    except farms.Failure as error:
        return [str(error), *left]
    return []


def check_farm(farm, name, timeout=120):
    """Nothing half, nothing lost, nothing twice; and what the farm's own look says."""
    left = settled(farm, timeout)
    count = farm.value("SELECT count(*) FROM files")
    check(f"{name}.{count} files, their rows, metadata, logs and pages agree", not left, left[:10])
    program = farm.program("piw-audit")
    if program.exists():
        done = farm.run([program, "-c", farm.configuration(), "-d", farm.dsn(), "-o", farm.www, "--import-queue",
                         farm.socket("import"), "--restart", "--settle", "1s", "--patience", "20s"], timeout=180, check=False)
        check(f"{name}.piw-audit finds nothing", done.returncode == 0, done.stdout[-800:] + done.stderr[-400:])


__all__ = ["check", "check_farm", "farms", "fill_disk", "loads", "own_mounts", "preload", "settled", "small_disk"]
