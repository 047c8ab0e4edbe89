#!/usr/bin/python3
"""How long a task stands still when it is swapped: each of three, a thousand times, one right after the other, while
fifty simulated slaves build and transfer as fast as they can. A whole farm; the pauses are measured by the master.

test/bench/bench_swap.py [tiny]; lines NAME<TAB>VALUE<TAB>UNIT<TAB>LIMIT<TAB>RATIO.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import load as loads  # pylint: disable=wrong-import-position

LIMIT_MS = 10


def line(name, value, unit, limit=None):
    compared = f"{limit}\t{value / limit:.3f}" if limit else "\t"
    print(f"{name}\t{value:.3f}\t{unit}\t{compared}", flush=True)


def main():
    tiny = sys.argv[1:] == ["tiny"]
    swaps = 20 if tiny else 1000
    with loads.farms.Farm() as farm:
        loads.start(farm, 100 if tiny else 500, 20)
        if not (farm.dir / "s" / "admin").exists():
            print("bench: this master serves no admin queue, so nothing can be swapped", file=sys.stderr)
            return 1
        load = loads.Load(farm, "--fail-percent", "20", swaps=swaps)
        load.wait_built(1)
        figures = load.finish(300)
    if load.process.popen.returncode != 0:
        print("bench: the load found faults, so its figures are worth nothing: run test_swap_load", file=sys.stderr)
        return 1
    for task in loads.SWAPPED:
        line(f"swap.{task}.pause_p99", figures[f"pause_{task}_p99_us"] / 1000, "ms", LIMIT_MS)
        line(f"swap.{task}.pause_p50", figures[f"pause_{task}_p50_us"] / 1000, "ms")
        line(f"swap.{task}.pause_max", figures[f"pause_{task}_max_us"] / 1000, "ms")
        line(f"swap.{task}.replace_p99", figures[f"answer_{task}_p99_us"] / 1000, "ms")
    line("swap.swaps", swaps * len(loads.SWAPPED), "swaps")
    line("swap.builds", figures["builds"], "builds")
    line("swap.idle_p99", figures["idle_p99_us"] / 1000, "ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
