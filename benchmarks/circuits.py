"""Circuits taken down by an assignment, against what was known: python -m benchmarks.circuits [low|normal|high]."""

import sys
import time
from pathlib import Path

from fabric.planning.assign import assign
from fabric.planning.wiring import read_arrays

INSTANCES = Path(__file__).parents[2] / "shared" / "instances" / "reconfig"
# Recursive bipartition by min-cost flows (arXiv:2305.04550, re-implemented), and the fewest found by a portfolio of
# exact splits with 30 to 75 s of neighbourhood search, both in plain Python; None where it found no placement.
KNOWN: dict[str, tuple[int | None, int]] = {
    "16x16x8-retune5": (88, 54), "16x16x8-retune20": (287, 210), "16x16x8-gravity": (50, 33),
    "32x32x8-retune5": (400, 234), "32x32x8-retune20": (1164, 851), "32x32x8-gravity": (205, 128),
    "32x32x8-expand": (901, 777), "64x64x8-retune5": (1637, 934), "64x64x8-retune20": (4720, 3359),
    "64x64x8-gravity": (766, 382), "64x64x8-expand": (3503, 3042), "64x128x4-retune5": (2511, 1006),
    "64x128x4-retune20": (5779, 3447), "64x128x4-gravity": (1238, 415), "64x128x4-expand": (4240, 3056),
    "64x256x2-retune5": (6229, 1121), "64x256x2-retune20": (9069, 3565), "64x256x2-gravity": (4418, 511),
    "64x256x2-expand": (6394, 3103), "128x128x2-retune5": (7274, 1668), "128x128x2-retune20": (9440, 3708),
    "128x128x2-gravity": (4682, 651), "128x128x2-expand": (6668, 3081), "het-64x128-retune5": (2110, 811),
    "het-64x128-retune20": (4345, 2551), "het-64x128-demand": (2267, 892), "het-64x128-expand": (3458, 2771),
    "het-64x256-retune5": (None, 925), "het-64x256-demand": (None, 1087), "het-64x256-expand": (None, 2903),
}  # fmt: skip


def main(effort: str = "normal") -> None:
    """One line an instance."""
    if not INSTANCES.is_dir():
        print("no instances beside this checkout")
        return
    print(f"{'instance':20} {'bound':>6} {'bipartition':>12} {'best known':>11} {'ours':>6} {'wall s':>7} {'CPU s':>6}")
    for name, (bipartition, known) in KNOWN.items():
        wiring, before, wanted = read_arrays(INSTANCES / f"{name}.npz")
        wall, cpu = time.perf_counter(), time.process_time()
        found = assign(wiring, before, wanted, effort=effort)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        split = "none" if bipartition is None else str(bipartition)
        print(f"{name:20} {found.bound:6} {split:>12} {known:11} {found.down:6} {wall:7.1f} {cpu:6.1f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:2])
