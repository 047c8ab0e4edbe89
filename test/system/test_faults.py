#!/usr/bin/python3
"""kill -9 of the master at each step of a build's way into the site, with a small wheel and with a large one, in the middle of a
build, and in the middle of a transfer. Restarted, it must go on: one build row a version, the published wheel whole and listed, nothing half or
staged left over, the slave never restarted.

TEST-TIMEOUT: 420
"""

import gzip
import hashlib
import io
import os
import signal
import sys
import zipfile

import farm as farms
import score
from score import check

PACKAGE = "piwtest-quick"

# A wheel's bytes: what is small may be kept elsewhere than what is large until its row is committed.
KINDS = {"small": 1000, "large": 80_000}
# Each is a named step in the code of the master, where it kills itself; by the kinds of builds that pass it, however they are kept.
POINTS = {"driver.built": ("small",), "juggler.log": ("large",), "juggler.staged": ("large",), "driver.committed": KINDS,
          "juggler.rename": KINDS, "juggler.metadata": KINDS}
# Holds the commit of a build's row for as long as the test holds the lock.
HOLD = """
CREATE FUNCTION public.hold_commit() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER hold_commit AFTER INSERT ON public.builds DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION public.hold_commit()
"""

# A build backend inside the source archive: a stored wheel of some size, without setuptools. It may wait for a file.
BACKEND = '''
import base64, hashlib, os, time, zipfile

NAME, VERSION, SIZE, GATE = "piwtest_quick", "@VERSION@", @SIZE@, "@GATE@"

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    if GATE:
        open(GATE + ".reached", "w").close()
        until = time.time() + 120
        while not os.path.exists(GATE) and time.time() < until:
            time.sleep(0.05)
    filename = f"{NAME}-{VERSION}-py3-none-any.whl"
    info = f"{NAME}-{VERSION}.dist-info"
    files = {f"{NAME}/__init__.py": f"__version__ = '{VERSION}'\\n".encode(), f"{NAME}/data.bin": os.urandom(SIZE),
             f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: piwtest-quick\\nVersion: {VERSION}\\n".encode(),
             f"{info}/WHEEL": b"Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}
    record = ""
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(data)}\\n"
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\\n").encode()
    with zipfile.ZipFile(os.path.join(wheel_directory, filename), "w", zipfile.ZIP_STORED) as wheel:
        for path, data in files.items():
            wheel.writestr(path, data)
    return filename
'''
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def add_version(farm, version, size=1000, gate=""):
    """A new version appears on PyPI."""
    backend = BACKEND.replace("@VERSION@", version).replace("@SIZE@", str(size)).replace("@GATE@", str(gate))
    farms.make_sdist(farm.dir / "pypi", PACKAGE, version, {"pyproject.toml": PYPROJECT, "backend.py": backend})


def killed(farm):
    """Until the master has died at the armed point."""
    master = farm.master
    master.expected_end = True
    farm.wait("the master's death", lambda: not master.running(), 60)
    return master.popen.returncode


def listed(farm, version):
    page = farm.www / "simple" / PACKAGE / "index.html"
    return page.exists() and f">piwtest_quick-{version}-py3-none-any.whl<" in page.read_text("utf-8")


def published(farm, version):
    return (farm.www / "simple" / PACKAGE / f"piwtest_quick-{version}-py3-none-any.whl").exists()


def check_whole(farm, name, version):
    """After it all: the version is published once and whole."""
    try:
        farm.wait(f"{version} on the index", lambda: listed(farm, version), 60)
    except farms.Failure as error:
        check(f"{name}.published", False, error)
        farm.show_logs()
        return
    rows = farm.rows(f"SELECT b.build_id, b.status, f.filename, f.filehash FROM builds b LEFT JOIN files f USING (build_id) "
                     f"WHERE package = '{PACKAGE}' AND version = '{version}'")
    if not check(f"{name}.one build", len(rows) == 1 and rows[0][1] == "t", rows):
        return
    build_id, _, filename, digest = rows[0]
    path = farm.www / "simple" / PACKAGE / filename
    data = path.read_bytes()
    check(f"{name}.wheel whole", hashlib.sha256(data).hexdigest() == digest and
          zipfile.ZipFile(io.BytesIO(data)).testzip() is None, path)
    check(f"{name}.metadata", (farm.www / "simple" / PACKAGE / f"{filename}.metadata").exists(), path)
    number = f"{int(build_id):012}"
    log = farm.www / "logs" / number[:4] / number[4:8] / f"{number[8:]}.txt.gz"
    check(f"{name}.log", log.exists() and len(gzip.decompress(log.read_bytes())) > 0, log)
    try:
        farm.wait("an empty staging folder", lambda: not farm.staged(), 20)
        check(f"{name}.nothing staged", True)
    except farms.Failure:
        check(f"{name}.nothing staged", False, farm.staged())


def check_slave(farm, name):
    check(f"{name}.slave goes on", farm.slaves[0].running(), "it ended")


def test_points(farm):
    for number, (point, kind) in enumerate((point, kind) for point, kinds in POINTS.items() for kind in kinds):
        name, version = f"{point}.{kind}", f"1.{number}"
        farm.stop_process(farm.master)
        farm.start_master(faults=f"{point}=kill")
        add_version(farm, version, KINDS[kind])
        code = killed(farm)
        check(f"{name}.killed", code == -signal.SIGKILL, f"exit {code}")
        farm.restart_master()
        check_whole(farm, name, version)
        check_slave(farm, name)


def recorded(farm, version):
    return bool(farm.rows(f"SELECT 1 FROM builds WHERE package = '{PACKAGE}' AND version = '{version}'"))


def lock_holder(farm, granted):
    """The server process that has the lock, or the one that waits for it."""
    return farm.value(f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND "
                      f"granted = {granted}")


def test_commits(farm):
    """Killed while its COMMIT is under way: the server may go through with it or not, and the master never hears which."""
    farm.psql(HOLD)
    for number, (outcome, kind) in enumerate((outcome, kind) for outcome in ("committed", "aborted") for kind in KINDS):
        name, version = f"{outcome}.{kind}", f"2.{number}"
        holder = farm.start_process("holder", ["/usr/bin/psql", "-X", "-q", "-h", farm.dir / "s", "-U", "postgres", "-c",
                                               "SELECT pg_advisory_lock(42)", "-c", "SELECT pg_sleep(600)", "piwheels"])
        holder.expected_end = True
        farm.wait("the lock", lambda: lock_holder(farm, True))
        add_version(farm, version, KINDS[kind])
        committer = farm.wait("the commit to be held", lambda: lock_holder(farm, False))
        farm.master.kill()
        check(f"{name}.not in the site", not published(farm, version))
        if kind == "large":
            check(f"{name}.staged", bool(farm.staged()), "nothing is staged while the row is being committed")
        if outcome == "aborted":
            farm.psql(f"SELECT pg_terminate_backend({committer})")
            farm.wait("the end of the commit", lambda: not lock_holder(farm, False))
        farm.psql(f"SELECT pg_terminate_backend({lock_holder(farm, True)})")
        farm.stop_process(holder)
        if outcome == "committed":
            farm.wait("the row", lambda v=version: recorded(farm, v))
        check(f"{name}.row", recorded(farm, version) == (outcome == "committed"))
        farm.restart_master()
        check_whole(farm, name, version)
        check_slave(farm, name)
    farm.psql("DROP FUNCTION public.hold_commit() CASCADE")


def test_mid_build(farm):
    gate = farm.folder("gate") / "open"
    add_version(farm, "3.0", gate=gate)
    farm.wait("the build to begin", lambda: os.path.exists(f"{gate}.reached"))
    farm.master.kill()
    os.unlink(f"{gate}.reached")
    farm.restart_master()
    farm.wait_log(farm.master, r"goes on with .* 3\.0")
    gate.touch()
    check_whole(farm, "mid-build", "3.0")
    check("mid-build.not begun again", not os.path.exists(f"{gate}.reached"))
    check_slave(farm, "mid-build")


def test_mid_transfer(farm):
    for attempt in range(5):
        version = f"4.{attempt}"
        before = set(farm.staged())
        add_version(farm, version, size=150 << 20)

        def growing(old=before):
            return [p for p in farm.staged() if p not in old and 0 < stat_size(p)]

        farm.wait("the transfer to begin", lambda v=version, g=growing: g() or recorded(farm, v), 90)
        farm.master.kill()
        partial = [(p.name, stat_size(p)) for p in farm.staged()]
        done = recorded(farm, version)
        check(f"mid-transfer.{version}.not in the site", not published(farm, version) or done, partial)
        farm.restart_master()
        check_whole(farm, f"mid-transfer.{version}", version)
        check_slave(farm, f"mid-transfer.{version}")
        if not done:
            return
    check("mid-transfer.hit", False, "five transfers were over before the master was killed")


def stat_size(path):
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0


def main():
    with farms.Farm() as farm:
        farm.slave_options = ["--sandbox", "no"]  # builds wait for a file of the test
        try:
            farm.start(web=False)
            for test in (test_points, test_commits, test_mid_build, test_mid_transfer):
                test(farm)
        except (farms.Failure, OSError) as error:
            check("the farm", False, f"{type(error).__name__}: {error}")
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
