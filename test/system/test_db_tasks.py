#!/usr/bin/python3
"""The database's tasks (the_oracle, seraph, the_architect) in a runtime, towards a private PostgreSQL: runs the unit
program test_oracle with a database, once as it is and once for each fault at a commit."""

import os
import re
import subprocess
import sys

import score
from cluster import BUILD, Cluster

PROGRAM = BUILD / "test" / "unit" / "test_oracle"
BOUND_S = 600


def run(cluster, prefix, cases, faults=""):
    """The program's tests as lines of ours."""
    cluster.create(prefix or "farm")
    env = {**os.environ, "PIW_TEST_DSN": cluster.dsn(prefix or "farm", "piwheels"),
           "PIW_TEST_ADMIN_DSN": cluster.dsn(prefix or "farm"), "PIW_FAULTS": faults, "CK_RUN_CASE": ""}
    for case in cases:
        env["CK_RUN_CASE"] = case
        done = subprocess.run([str(PROGRAM)], env=env, capture_output=True, text=True, timeout=BOUND_S, check=False)
        results = re.findall(r"(?m)^(not ok|ok) \d+ - [^:]*:[^:]*:([^:]+): (.*)$", done.stdout)
        for result, name, why in results:
            name = " ".join(filter(None, (prefix, name.replace("_", " "))))
            score.check(name, result == "ok", why)
        if not results or done.returncode != 0:
            said = done.stderr.strip() or done.stdout.strip()
            score.check(f"{prefix or 'tasks'} {case}", False, f"exit {done.returncode}\n{said}")


def main():
    if not PROGRAM.exists():
        score.check("tasks", False, f"{PROGRAM} isn't there; run make all unit-programs first")
        return score.code()
    with Cluster() as cluster:
        run(cluster, "", ["running", "starting"])
        for when in ("unsent", "before_commit", "unanswered", "after_commit"):
            run(cluster, f"cut_{when}", ["faults", "views"], f"oracle.{when}=error:3")
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
