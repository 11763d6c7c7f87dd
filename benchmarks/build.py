"""Time and memory to build fabrics, by size: python -m benchmarks.build.

Every size is built in a process of its own. Beside seconds and peak memory of the build alone (and of the arrays that
kernels read) stand the growth of links and of seconds from the size before: linear is as much of the one as of the
other. The last columns are what `show` counts on top.
"""

import json
import resource
import subprocess
import sys
import time

CASES = (
    ("fat-tree", ["fat-tree:k=32", "fat-tree:k=48", "fat-tree:k=64"]),
    ("rail, 3 tiers", [f"colossus-100k:servers={n}" for n in (3125, 6250, 12500)]),
    ("two planes", [f"alibaba-hpn-pod:servers={n}" for n in (480, 960, 1920)]),
    ("torus", ["torus:dims=16x16x16", "torus:dims=32x32x32", "torus:dims=32x64x32"]),
)


def measure(spec: str) -> dict[str, float]:
    """CPU seconds and MB of a build, of its arrays, and of a description, in this process."""
    from topologies.registry import build

    blank = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.process_time()
    topology = build(spec)
    built, built_mb = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    topology.csr()
    arrays, arrays_mb = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    from fabric.describing import describe

    describe(topology)
    shown = time.process_time() - start
    return {
        "accelerators": len(topology.accelerators), "edges": len(topology.edges), "build_s": built,
        "build_mb": built_mb - blank, "arrays_s": arrays, "arrays_mb": arrays_mb - blank, "show_s": shown,
    }  # fmt: skip


def apart(spec: str) -> dict[str, float]:
    """The same in a process of its own, so that no size pays for another's memory."""
    ran = subprocess.run([sys.executable, "-m", "benchmarks.build", spec], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(ran.stdout)
    return found


def main() -> None:
    """A row for each size of each family."""
    print(
        f"{'':<14}{'accelerators':>13}{'edges':>9}{'build s':>9}{'MB':>6}{'arrays s':>10}{'MB':>6}"
        f"{'edges x':>9}{'build x':>9}{'show s':>8}"
    )
    for name, specs in CASES:
        before: dict[str, float] = {}
        for spec in specs:
            now = apart(spec)
            ratios = (f"{now[k] / before[k]:.2f}" if before else "-" for k in ("edges", "build_s"))
            print(
                f"{name:<14}{now['accelerators']:>13,}{now['edges']:>9,}{now['build_s']:>9.2f}{now['build_mb']:>6.0f}"
                f"{now['arrays_s']:>10.2f}{now['arrays_mb']:>6.0f}" + "".join(f"{r:>9}" for r in ratios)
                + f"{now['show_s']:>8.1f}"
            )
            before = now


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        main()
