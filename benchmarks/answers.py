"""Time and memory of whole answers at 100,000 accelerators: python -m benchmarks.answers.

Every command runs in a process of its own, on one thread: CPU seconds and peak memory, the build included. Names after
the module run those rows alone.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

COLOSSUS = "colossus-100k"
RACKS = str(Path(__file__).with_name("nvl72-1400.toml"))  # 100,800 accelerators in racks that stand in rows
CASES = {
    "all-reduce": ["solve", COLOSSUS, "-c", "all-reduce", "--jobs", "1"],
    "all-to-all": ["solve", COLOSSUS, "-c", "all-to-all", "--jobs", "1"],
    "all-reduce, fat tree": ["solve", "fat-tree:k=64", "-c", "all-reduce", "--jobs", "1"],
    "all-to-all, hashed": ["solve", "meta-24k", "-c", "all-to-all", "--jobs", "1"],
    "all-to-all, racks": ["solve", RACKS, "-c", "all-to-all", "--jobs", "1"],
    "show": ["show", COLOSSUS],
    "cost": ["cost", COLOSSUS],
    "power": ["power", COLOSSUS],
    "walls": ["walls", COLOSSUS],
    "fail": ["fail", COLOSSUS],
    "workload": ["workload", COLOSSUS, "llama-3.1-405b"],
    "tune": ["tune", COLOSSUS, "--jobs", "1"],
}


def measure(arguments: list[str]) -> tuple[float, float]:
    """CPU seconds and peak MB of one command."""
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(["aifabric", *arguments], stdout=subprocess.DEVNULL, env=alone) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"aifabric {' '.join(arguments)} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime, _mb(used)


def _mb(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / 1024


def main(names: list[str]) -> None:
    """A row for each command."""
    print(f"{'':<24}{'CPU s':>8}{'MB':>8}")
    for name in names or CASES:
        seconds, mb = measure(CASES[name])
        print(f"{name:<24}{seconds:>8.1f}{mb:>8.0f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
