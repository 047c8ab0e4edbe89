#!/usr/bin/python3
"""How many web log records a second come from the log queue into committed rows: a whole farm with a durable database,
and bench_logs.c, which sends records and runs the database's function alone in turn with it.

test/bench/bench_logs.py [tiny]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO.
"""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import farm as farms  # pylint: disable=wrong-import-position

BOUND_S = 900


def main():
    tiny = sys.argv[1:] == ["tiny"]
    rounds, records = (1, 10000) if tiny else (7, 200000)
    with farms.Farm(durable=True) as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database(abis=["cp311"])
        farm.start_pypi()
        farm.start_master()
        done = subprocess.run([str(farms.BUILD / "bench" / "bench_logs"), farm.dsn(), farm.dsn("postgres"), farm.socket("log"),
                               str(rounds), str(records)], timeout=BOUND_S, check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
