#!/usr/bin/python3
"""The database's password is in nothing that a master shows or leaves behind: its configuration as it prints it, its log, the last
messages that a crash prints, and no core file, however large one may be; one that is asked for has it, so that it is known to look.
"""

import os
import pathlib
import re
import signal
import sys

import farm as farms
import score

PASSWORD = "tr0ub4dor-and-3"


class Farm(farms.Farm):
    """The password is in the configuration file; PostgreSQL trusts whoever comes by its socket, and doesn't ask."""

    def configuration(self):
        path = super().configuration()
        dsn = f"postgres://piwheels:{PASSWORD}@/piwheels?host={self.dir}/s"
        path.write_text(f"[master]\ndsn = {dsn}\n[audit]\ndsn = {dsn}\n{path.read_text()}", encoding="utf-8")
        path.chmod(0o600)
        self.own(path)
        return path

    def master_args(self):
        args = super().master_args()
        at = args.index("-d")
        return args[:at] + args[at + 2:]


def holds(path):
    """Looked for in pieces that overlap."""
    with open(path, "rb") as file:
        before = b""
        while piece := file.read(1 << 20):
            if PASSWORD.encode() in before + piece:
                return True
            before = piece[-len(PASSWORD):]
    return False


def cores(farm):
    return sorted(path for path in farm.below(farm.dir) if path.is_file() and re.fullmatch(r"core(\.\d+)?", path.name))


def souls(farm):
    """The processes of isolated tasks: by their names on the command line."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"piw-soul" and words[2].decode() == str(farm.master.pid):
            found.append((words[1].decode(), int(path.parent.name)))
    return dict(found)


def crash(farm):
    """Ends as by a fault of its own; what it printed since."""
    start = len(farm.master.text())
    farm.master.kill(signal.SIGSEGV)
    return farm.master.text()[start:]


def test_shown(farm):
    for name, args in (("print-config", [*farm.master_args(), "--print-config"]),
                       ("ctl config", [farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"),
                                       "config"])):
        done = farm.run(args, check=False)
        score.check(f"{name}.without it", done.returncode == 0 and "postgres" in done.stdout and PASSWORD not in done.stdout + done.stderr,
                    (done.returncode, re.findall(r".*dsn.*", done.stdout), done.stderr))


def test_soul(farm):
    """A task in a process of its own that has a connection to the database."""
    pid = farm.wait("the process of the_oracle", lambda: next((p for name, p in souls(farm).items() if "the_oracle" in name), None))
    start = len(farm.master.text())
    os.kill(pid, signal.SIGSEGV)
    farm.wait_log(farm.master, r"crashed; the last messages", start=start)
    farm.wait("another one", lambda: any(p != pid and "the_oracle" in name for name, p in souls(farm).items()))
    score.equal("soul.no core file", cores(farm), [])


def test_crash(farm):
    text = crash(farm)
    score.check("crash.tells the last messages", "crashed; the last messages of the tasks:" in text and " trace " in text, text[-600:])
    score.equal("crash.no core file", cores(farm), [])


def test_audit(farm):
    done = farm.run([farm.program("piw-audit"), "-c", farm.configuration(), "-o", farm.www, "--import-queue", farm.socket("import")],
                    check=False, timeout=120)
    score.check("audit.without it", PASSWORD not in done.stdout + done.stderr, done.stderr[-600:])


def test_logs(farm):
    left = [path for path in farm.below(farm.dir) if path.is_file() and path.name != "piwheels.conf" and holds(path)]
    score.equal("nothing on disk has it", [str(path) for path in left], [])


def test_wanted(farm):
    """An operator may ask for a core file; it has the password, as nobody should wonder."""
    if not pathlib.Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii").startswith("core"):
        score.skip("wanted", "core files of this machine go elsewhere (kernel.core_pattern)")
        return
    farm.sections = "[master]\ncore-dumps = yes\n"
    farm.restart_master()
    crash(farm)
    found = cores(farm)
    score.check("wanted.a core file", len(found) == 1, found)
    score.check("wanted.it is found there", any(map(holds, found)), found)
    for path in found:
        path.unlink()


def main():
    with Farm() as farm:
        farm.master_options = []
        farm.drop = ["prlimit", "--core=unlimited:unlimited", "--", *farm.drop]
        farm.task_options["the_oracle"] = {"isolate": "process"}
        farm.prepare()
        farm.add_samples()
        farm.start_postgres()
        farm.create_database()
        farm.start_pypi()
        farm.start_master()
        farm.wait("packages", lambda: farm.rows("SELECT 1 FROM packages"))
        score.run([test_shown, test_audit, test_soul, test_crash, test_logs, test_wanted], farm)
        farm.forget(farm.master)
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
