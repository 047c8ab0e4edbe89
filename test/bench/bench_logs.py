#!/usr/bin/python3
"""How many web log entries a second come from the log queue into committed rows: a whole farm with a durable database,
and bench_logs.c, which sends entries and runs the database's function alone in turn with it.

test/bench/bench_logs.py [tiny] [--against BUILD]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO.
"""

import subprocess
import sys

import rig

SCALES = {"": (7, 200000), "tiny": (1, 10000)}  # rounds, entries
BOUND_S = 900


class Round:
    def __init__(self, side):
        self.synced_ms = rig.sync_ms(side.dir)
        self.quiet = self.synced_ms < rig.QUIET_MS
        self.rate = self.function = 0.0

    def __str__(self):
        return f"{self.rate:.0f} entries/s; fdatasync {self.synced_ms:.2f} ms"


def main():
    args = rig.arguments(__doc__, SCALES)
    rounds, entries = SCALES[args.scale]
    with rig.sides(args.against) as found:
        functions = []

        def measure(side):
            one = Round(side)
            kinds = "function" if side is found[0] else "queue"
            out = subprocess.run([rig.PROGRAMS / "bench_logs", side.dsn(), side.dsn("postgres"), side.socket("log"), "1", str(entries), kinds],
                                 stdout=subprocess.PIPE, text=True, timeout=BOUND_S, check=True).stdout.split()
            one.rate, one.function = float(out[0]), float(out[1])
            if side is found[0]:
                functions.append(one.function)
            return one.rate, one

        taken = rig.Turns("logs", "entries/s", found)
        taken.take(rounds, measure, lambda _quiet: functions[-1])
        rig.line("logs_function_alone", rig.middle(functions), "entries/s")
        taken.report()
    return 0


if __name__ == "__main__":
    sys.exit(main())
