#!/usr/bin/python3
"""Builds that fail for their builders' sake: nothing is recorded, they rest and are tried again, elsewhere when there is
another slave; the fifth try is final. What piw-ctl says of them (why), and how an operator has them tried again (retry).

TEST-TIMEOUT: 240
"""

import re
import subprocess
import sys

import farm as farms

failures = 0
PACKAGE = "piwtest-full"
# Build backends: one meets a full disk, the other is wrong itself.
BACKENDS = {version: f"""
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    raise {error}
""" for version, error in (("1.0", 'OSError(28, "No space left on device")'), ("2.0", 'SyntaxError("this is broken")'))}
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def check(name, good, why=""):
    global failures
    if good:
        print(f"ok {name}", flush=True)
    else:
        failures += 1
        print(f"not ok {name} - {str(why)[:600]}", flush=True)
    return good


def ctl(farm, *words):
    return farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), *words],
                    check=False)


def says(farm, name, pattern, *words):
    done = ctl(farm, *words)
    check(name, done.returncode == 0 and re.search(pattern, done.stdout, re.M), done.stdout + done.stderr)


def refuses(farm, name, pattern, code, *words):
    done = ctl(farm, *words)
    check(name, done.returncode == code and len(done.stderr.splitlines()) == 1 and re.search(pattern, done.stderr),
          f"{done.returncode} {done.stdout}{done.stderr}")


def tries(farm, version="1.0"):
    return farm.rows("SELECT slave_id, state, cause, next_try IS NOT NULL FROM piw.attempts "
                     f"WHERE package = '{PACKAGE}' AND version = '{version}' AND state <> 'running' ORDER BY attempt_id")


def add_version(farm, version):
    farms.make_sdist(farm.dir / "pypi", PACKAGE, version, {"pyproject.toml": PYPROJECT, "backend.py": BACKENDS[version]})


def test_transient(farm, abi):
    add_version(farm, "1.0")
    farm.wait("the first try", lambda: len(tries(farm)) == 1)
    check("transient.is noted", tries(farm)[0][1:] == ["transient", "the disk was full", "t"], tries(farm))
    check("transient.writes no build", farm.value("SELECT count(*) FROM builds") == "0")
    log = farm.value(f"SELECT log FROM piw.attempts WHERE package = '{PACKAGE}' AND state = 'transient'")
    check("transient.its log is kept", log and "No space left on device" in log, log)
    wait_s = float(farm.value("SELECT extract(epoch FROM next_try - ended) FROM piw.attempts WHERE state = 'transient'"))
    check("transient.rests a minute", wait_s == 60, wait_s)
    says(farm, "why.rests", rf"^{abi}: rests; the next try is after \d", "why", PACKAGE, "1.0")
    says(farm, "why.tells the tries", r"^    \S.* slave \d+ failed because of the slave: the disk was full$", "why", PACKAGE, "1.0")
    says(farm, "retry", rf"{PACKAGE} 1\.0 is tried again \(failed builds deleted: 0, delays ended: 1\)", "retry", PACKAGE, "1.0")
    farm.wait("the second try", lambda: len(tries(farm)) == 2)
    check("retry.goes to another slave", tries(farm)[0][0] != tries(farm)[1][0], tries(farm))
    check("retry.counts from the first", farm.value(
        "SELECT extract(epoch FROM next_try - ended)::int FROM piw.attempts WHERE state = 'transient' "
        "ORDER BY attempt_id DESC LIMIT 1") == "60")


def test_fifth(farm, abi):
    """As if it had been tried three times more."""
    farm.psql("INSERT INTO piw.attempts (slave_id, package, version, abi_tag, state, cause, ended) "
              f"SELECT 1, '{PACKAGE}', '1.0', '{abi}', 'transient', 'the network failed', now() FROM generate_series(1, 3)")
    farm.psql("UPDATE piw.attempts SET next_try = NULL; UPDATE piw.queue_totals SET changes = changes + 1; NOTIFY piw_queue")
    # The master itself keeps it for its minute, which is what is waited for.
    row = farm.wait("the fifth try", lambda: farm.rows("SELECT status, build_id FROM builds"), 100)[0]
    check("fifth.is final", row[0] == "f", row)
    log = farm.www / "logs" / "0000" / "0000" / f"{int(row[1]):04}.txt.gz"
    farm.wait("its log", log.exists)
    text = subprocess.run(["zcat", log], capture_output=True, text=True, check=True).stdout
    check("fifth.its log says so", "for the 5th time: it is not tried again" in text, text[-300:])
    says(farm, "why.final", rf"^{abi}: failed, build {row[1]}; it is tried again only when an operator says so", "why",
         PACKAGE, "1.0")
    says(farm, "retry.final", r"failed builds deleted: 1\b", "retry", PACKAGE)
    farm.wait("another try", lambda: len(tries(farm)) == 7)
    check("retry.begins anew", tries(farm)[-1][1] == "transient" and farm.value("SELECT count(*) FROM builds") == "0",
          tries(farm))


def test_package(farm, abi):
    add_version(farm, "2.0")
    farm.wait("the build", lambda: farm.rows("SELECT 1 FROM builds WHERE version = '2.0' AND NOT status"))
    check("package.its own fault is final", tries(farm, "2.0")[-1][1:3] == ["failed", ""], tries(farm, "2.0"))
    says(farm, "why.package", rf"^{abi}: failed, build \d+;", "why", PACKAGE.upper(), "2.0")


def test_refused(farm):
    refuses(farm, "why.unknown", "that version is unknown", 1, "why", "nobody", "1.0")
    refuses(farm, "why.operands", "the command is: why PACKAGE VERSION", 2, "why", "nobody")
    refuses(farm, "why.name", "can't be a package's name", 1, "why", "no/body", "1.0")
    refuses(farm, "retry.unknown", "the database knows nothing of that name", 1, "retry", "nobody")
    farm.psql("INSERT INTO packages (package, skip) VALUES ('skipped', 'too big'); "
              "INSERT INTO versions (package, version, skip) VALUES ('skipped', '1.0', 'binary only')")
    says(farm, "why.skipped", "^the package is not built: too big\nthe version is not built: binary only\n", "why", "skipped",
         "1.0")
    refuses(farm, "retry.nothing", "nothing of it has failed", 1, "retry", "skipped", "1.0")


def main():
    with farms.Farm() as farm:
        try:
            farm.start(slaves=2, web=False)
            abi = farm.abi()
            for test in (test_transient, test_fifth, test_package):
                test(farm, abi)
            test_refused(farm)
        except (farms.Failure, subprocess.SubprocessError) as error:
            check("the farm", False, error)
        if failures:
            farm.show_logs()
    for complaint in farm.complaints:
        check("stops in order", False, complaint)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
