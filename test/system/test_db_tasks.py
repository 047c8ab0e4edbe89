#!/usr/bin/python3
"""The database's tasks (the_oracle, seraph, the_architect) in a runtime, towards a private PostgreSQL: runs the unit
program test_oracle with a database, once as it is and once for each fault at a commit."""

import os
import re
import subprocess
import sys

from cluster import BUILD, Cluster

PROGRAM = BUILD / "test" / "unit" / "test_oracle"
BOUND_S = 600


def run(cluster, prefix, cases, faults=""):
    """The program's tests as lines of ours; how many failed."""
    cluster.create(prefix or "farm")
    env = {**os.environ, "PIW_TEST_DSN": cluster.dsn(prefix or "farm", "piwheels"),
           "PIW_TEST_ADMIN_DSN": cluster.dsn(prefix or "farm"), "PIW_FAULTS": faults, "CK_RUN_CASE": ""}
    failed = 0
    for case in cases:
        env["CK_RUN_CASE"] = case
        done = subprocess.run([str(PROGRAM)], env=env, capture_output=True, text=True, timeout=BOUND_S, check=False)
        results = re.findall(r"(?m)^(not ok|ok) \d+ - [^:]*:[^:]*:([^:]+): (.*)$", done.stdout)
        for result, name, why in results:
            name = " ".join(filter(None, (prefix, name.replace("_", " "))))
            print(f"{result} {name}" + (f" - {why}" if result != "ok" else ""), flush=True)
            failed += result != "ok"
        if not results or done.returncode != 0:
            failed += 1
            said = (done.stderr.strip() or done.stdout.strip())[-3000:]
            print(f"not ok {prefix or 'tasks'} {case} - exit {done.returncode}", flush=True)
            print("".join(f"# {line}\n" for line in said.splitlines()), end="", flush=True)
    return failed


def main():
    if not PROGRAM.exists():
        print(f"not ok tasks - {PROGRAM} isn't there; run make all unit-programs first")
        return 1
    failed = 0
    with Cluster() as cluster:
        failed += run(cluster, "", ["running", "starting"])
        for when in ("before", "after"):
            failed += run(cluster, f"cut_{when}_commit", ["faults"], f"oracle.{when}_commit=error:3")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
