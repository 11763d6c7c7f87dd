"""Fits the constants of training (workloads/steps/achieved.toml) to measured steps, and says how well they carry over.

python -m benchmarks.training MEASURED.csv [--left-out] [-o fabric/workloads/steps/achieved.toml]

Errors are exp(median |ln(predicted/measured)|) - 1, first inside a group (a system and a model), then over groups,
which all weigh alike. --left-out fits again without each group, each system and each generation in turn.
"""

import argparse
import math
import tomllib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
from scipy.optimize import least_squares

from fabric.measuring.machines import NoMachineError
from fabric.measuring.training import Row, predict_training, read_training
from fabric.workloads.steps.achieved import Achieved, generation_of
from fabric.workloads.steps.compute import Amounts, amounts, compute
from fabric.workloads.training import on_the_wire, timeline, updated
from topologies.errors import FabricError
from topologies.kinds import Accelerator
from topologies.parts import part

ACHIEVED = Path("fabric/workloads/steps/achieved.toml")
SOFT = 0.05  # errors above this weigh by their size, not by its square
PULL = 0.18  # towards the prior: a factor of e off weighs like one group that is so far off in a row of 20
PRIOR = Achieved(  # round values that owe nothing to the rows: what a left-out generation is predicted with
    gemm_16=0.65, gemm_8=0.65, gemm_4=0.5, power=0.15, tpu=1.0, attention=0.5, experts=0.5,
    vector_passes=200, score_passes=15, tp_exposed=0.8, ep_exposed=0.3, dp_exposed=0.3, launch_ms=2.0,
    expert_launch=0.1, ultra=1.0,
)
CAPS = {"gemm": 0.9, "attention": 0.8, "exposed": 1.0}  # by a name's first or last word: shares stay shares


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row with all that does not depend on a constant."""

    row: Row
    accelerator: Accelerator
    generation: str
    work: Amounts
    wire: dict[str, float]
    updated: float
    tokens: float

    def error(self, a: Achieved) -> float:
        """ln of predicted over measured rate."""
        p = self.row.layout
        parts = compute(self.work, p.precision, self.accelerator, a, self.updated)
        busy, bubble, exposed = timeline(parts, self.wire, p, a)
        return math.log(self.tokens / (busy + bubble + sum(exposed.values())) / self.row.tokens_per_s)


def prepared(rows: Sequence[Row]) -> list[Prepared]:
    """Rows that have a machine."""
    found = []
    for row in rows:
        try:
            machine, step = predict_training(row)
        except (FabricError, NoMachineError) as reason:
            print(f"row {row.row}: {reason}")
            continue
        p, accelerator = row.layout, part(machine.accelerator, Accelerator)
        generation = generation_of(accelerator.name) or "none"
        found.append(
            Prepared(
                row, accelerator, generation, amounts(row.model, p), on_the_wire(step.exchanges),
                updated(row.model, p), step.tokens / row.accelerators,
            )
        )  # fmt: skip
    return found


def fitted(rows: Sequence[Prepared], start: Achieved, free: Sequence[str]) -> Achieved:
    """Constants that fit best: all groups weigh alike, logarithms of constants are free, and pulled to the start."""
    size: dict[str, int] = defaultdict(int)
    for each in rows:
        size[each.row.group] += 1
    weights = np.array([1 / math.sqrt(size[each.row.group]) for each in rows])
    first = np.log([getattr(start, name) for name in free])

    def residuals(logs: np.ndarray) -> np.ndarray:
        a = _with(start, free, logs)
        errors = np.array([each.error(a) for each in rows])
        soft = np.sign(errors) * np.sqrt(2 * SOFT**2 * (np.sqrt(1 + (errors / SOFT) ** 2) - 1))
        return np.concatenate([soft * weights, PULL * (logs - first)])

    least = np.full(len(free), -np.inf)
    most = np.log([CAPS.get(name.split("_")[-1], CAPS.get(name.split("_")[0], np.inf)) for name in free])
    found = least_squares(residuals, np.minimum(first, most - 1e-3), bounds=(least, most), max_nfev=40, x_scale=0.2)
    return _with(start, free, found.x)


def _with(start: Achieved, free: Sequence[str], logs: np.ndarray) -> Achieved:
    return Achieved(**{**asdict(start), **dict(zip(free, np.exp(logs).tolist(), strict=True))})


def by_group(rows: Sequence[Prepared], a: Achieved) -> dict[str, float]:
    """The error of each group."""
    errors: dict[str, list[float]] = defaultdict(list)
    for each in rows:
        errors[each.row.group].append(abs(each.error(a)))
    return {group: math.exp(median(found)) - 1 for group, found in errors.items()}


def left_out(
    rows: Sequence[Prepared], start: Achieved, free: Sequence[str], key: Callable[[Prepared], str]
) -> dict[str, float]:
    """The error of each group by constants that never saw what it shares a key with."""
    found: dict[str, float] = {}
    for name in dict.fromkeys(key(each) for each in rows):
        inside = [each for each in rows if key(each) == name]
        found |= by_group(inside, fitted([each for each in rows if key(each) != name], start, free))
    return found


def main() -> None:
    """Fit, errors, left-out errors, the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", type=Path)
    parser.add_argument("--left-out", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    rows = prepared(read_training(given.measured)[0])
    start = PRIOR
    free = list(asdict(start))
    a = fitted(rows, start, free)
    print({name: float(f"{value:.4g}") for name, value in asdict(a).items()})
    groups = by_group(rows, a)
    for group, error in sorted(groups.items(), key=lambda pair: -pair[1]):
        print(f"{error:7.1%}  {group}")
    print(f"in the fit: {len(rows)} rows, {len(groups)} groups, median {median(groups.values()):.2%}")
    if given.left_out:
        keys: dict[str, Callable[[Prepared], str]] = {
            "group": lambda each: each.row.group, "system": lambda each: each.row.system,
            "model": lambda each: each.row.name, "generation": lambda each: each.generation,
        }  # fmt: skip
        for name, key in keys.items():
            found = left_out(rows, start, free, key)
            print(f"{name} left out: median {median(found.values()):.2%}")
    if given.output is not None:
        _write(given.output, a)


def _write(path: Path, a: Achieved) -> None:
    """The file with new values; its comments and sources stay."""
    lines = path.read_text("utf-8").splitlines()
    known, name = tomllib.loads(path.read_text("utf-8")), ""
    for i, line in enumerate(lines):
        if line.startswith("["):
            name = line.strip("[]")
        elif line.startswith("value = ") and name in known:
            lines[i] = f"value = {getattr(a, name):.4g}"
    path.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
