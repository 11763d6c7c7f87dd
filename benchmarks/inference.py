"""Fit the constants of inference.toml to measured inference, and say how well they predict what was left out.

`python -m benchmarks.inference FILE.csv [--write] [--left-out]`: robustly, on log error, each (accelerator, model) of a
metric weighing nearly alike, each constant held to its prior where no row tells. `--left-out` refits without each tenth
of the (accelerator, model) pairs, all metrics of a pair together, predicts those, with their stack known and not, and
says in which interval of the prediction nine of ten lie; then without whole accelerators, and without whole stacks.
"""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from fabric.measuring.inference_predictions import FIRST, LATENCY, RATE, Batch, batch_of, predicted
from fabric.measuring.inference_rows import InferenceRow, read_inference
from fabric.measuring.inference_setups import Setup, quantity, setup_of
from fabric.workloads.serving.calibration import DEFAULT_STACK, FIELDS, Calibration, constants, fitted_stack, width
from topologies.errors import FabricError

FILE = Path(__file__).parents[1] / "fabric" / "workloads" / "serving" / "inference.toml"
FITTED = (LATENCY, RATE, FIRST)
FOLDS = 10
SCALE = 0.05  # log error from which a row's loss grows linearly: below it lies the noise of repeats
EVEN = 0.45  # a group of n rows weighs n ** (1 - 2 EVEN): 0.5 would make all groups alike
PULL = 0.1  # of a constant to its prior, in log
# Times that: how far classes differ, by kind and field, chosen by the errors of groups left out, and narrower where a
# wider one gained no more there than chance: attention strayed to a third of its prior, long prompts with it. Chosen
# among ten by one half of the groups, widths leave 14, 10 and 23 % on the other half; those of before: 14, 11 and 22 %.
WIDE = {
    ("all", "half_columns"): 10.0, ("all", "half_expert_columns"): 15.0, ("all", "sync_s"): 1.6,
    ("all", "layer_s"): 2.0, ("all", "first_token_s"): 6.0, ("all", "expert_memory_share"): 0.3,
    ("all", "cache_share"): 0.4, ("all", "collide"): 0.4, ("all", "interleave"): 0.25,
    ("stacks", "first_token_s"): 6.0, ("stacks", "layer_s"): 1.1, ("stacks", "cache_share"): 0.6,
    ("generations", "layer_s"): 2.8, ("generations", "prefill_share"): 2.0, ("generations", "memory_share"): 0.7,
    ("precisions", "prefill_share"): 0.5,
}  # fmt: skip
STEP, TINY = 1e-5, 1e-6
WEIGHT = {LATENCY: 1.0, RATE: 1.2, FIRST: 1.0}  # of a metric

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table:
    """The constants as one vector of logs: where each stands in the file, and what it is where no row tells: factors
    1, the others those of [prior]."""

    places: tuple[tuple[str, ...], ...]  # (all, field) or (kind, class, field)
    prior: Floats

    def masks(self, classes: Sequence[dict[str, str]]) -> Floats:
        """Which constants apply to which rows, float64[constants, rows]."""
        return np.array([[p[0] == "all" or row[p[0]] == p[1] for row in classes] for p in self.places], float)

    def logs(self, x: Floats, masks: Floats) -> Floats:
        """Logs of the constants of rows, float64[fields, rows]."""
        return np.array([x[mine] @ masks[mine] for mine in self.fields().values()])

    def constants(self, x: Floats, masks: Floats) -> Calibration:
        """The constants of rows."""
        return Calibration(**dict(zip(FIELDS, np.exp(self.logs(x, masks)), strict=True)))

    def fields(self) -> dict[str, slice]:
        """Where the constants of a field stand: next to one another."""
        names = [place[-1] for place in self.places]
        return {name: slice(names.index(name), names.index(name) + names.count(name)) for name in FIELDS}


def main(path: Path, write: bool, left_out: bool) -> None:
    """Fit, print, write."""
    rows, setups = usable(path)
    classes = [
        {"stacks": fitted_stack(s.stack), "generations": s.generation, "precisions": width(s.weights)} for s in setups
    ]
    table = table_of()
    masks = table.masks(classes)
    batch, measured = batch_of(rows, setups), np.array([row.value for row in rows])
    groups = [(quantity(row, setup), row.group) for row, setup in zip(rows, setups, strict=True)]
    fitted = np.array([g[0] in FITTED and not s.capped for g, s in zip(groups, setups, strict=True)])
    x = fit(table, batch, masks, measured, groups, fitted)
    told(f"{len(table.places)} constants, {fitted.sum()} rows", groups, errors(table, x, batch, masks, measured))
    if write:
        written(table, x)
    if left_out:
        names = [row.group for row in rows]
        vllm = table.masks([{**row, "stacks": DEFAULT_STACK} for row in classes])

        def refitted(labels: Sequence[str], folds: int, seen: Floats) -> Floats:
            """Errors of rows whose label the fit did not see."""
            out, each = np.full(len(rows), np.nan), sorted(set(labels))
            for fold in range(folds):
                held = np.isin(labels, each[fold::folds])
                y = fit(table, batch, masks, measured, groups, fitted & ~held, x, 10)
                out[held] = errors(table, y, batch, seen, measured)[held]
            return out

        out, unknown = (refitted(names, FOLDS, seen) for seen in (masks, vllm))
        told("left out, ten-fold", groups, out)
        intervals(groups, batch.kinds, out, unknown, write)
        machines, stacks = [row.accelerator for row in rows], [each["stacks"] for each in classes]
        for what, labels in (("accelerators", machines), ("stacks", stacks)):
            told(f"left out, whole {what}", groups, refitted(labels, len(set(labels)), masks))


def intervals(
    groups: Sequence[tuple[str, str]], kinds: Sequence[str], out: Floats, unknown: Floats, write: bool
) -> None:
    """Between which nine of ten measured times lie, over predictions of rows left out, `out`, and of those whose stack
    is not known besides, `unknown`; each group weighs alike."""
    text = FILE.read_text("utf-8")
    for first, metrics in (("", (LATENCY, RATE)), ("first_", (FIRST,))):
        index = [i for i, (name, _) in enumerate(groups) if name in metrics]
        counts = Counter(groups[i] for i in index)
        weight = np.array([1 / counts[groups[i]] for i in index])
        time = np.array([kinds[i] in (LATENCY, FIRST) for i in index])
        ends: list[float] = []
        for known, error in (("known_stack", out), ("unknown_stack", unknown)):
            ratio = np.where(time, 1 / (1 + error[index]), 1 + error[index])
            below = np.cumsum(weight[np.argsort(ratio)]) / weight.sum()
            ends += [float(np.sort(ratio)[np.searchsorted(below, share)]) for share in (0.05, 0.95)]
            low, high = min(ends[::2]), max(ends[1::2])  # who knows less is not surer
            least, most = constants()["interval"][f"{first}{known}"]
            inside = np.sum(weight[(ratio >= least) & (ratio <= most)]) / weight.sum()
            print(f"  {first}{known}: {low:.2f} to {high:.2f} of the prediction; {inside:.0%} in that of the file")
            text = re.sub(rf"(?m)^{first}{known} = .*$", f"{first}{known} = [{low:.2f}, {high:.2f}]", text)
    if write:
        FILE.write_text(text, "utf-8")


def usable(path: Path) -> tuple[list[InferenceRow], list[Setup]]:
    """Rows whose machine, model, layout and load are known."""
    rows, setups = [], []
    for row in read_inference(path)[0]:
        try:
            setup = setup_of(row)
            batch_of([row], [setup])
        except FabricError:
            continue
        if row.metric not in ("system_w", "tok_per_j"):
            rows.append(row)
            setups.append(setup)
    return rows, setups


def table_of() -> Table:
    """All numbers of the file."""
    rows, places, values = constants(), [], []
    for field in FIELDS:
        places.append(("all", field))
        values.append(rows["prior"][field])
    for kind in ("stacks", "generations", "precisions"):
        for name, row in rows[kind].items():
            for field in FIELDS:
                if field in row:
                    places.append((kind, name, field))
                    values.append(1.0)
    order = sorted(range(len(places)), key=lambda i: FIELDS.index(places[i][-1]))
    return Table(tuple(places[i] for i in order), np.log([values[i] for i in order]))


def fit(
    table: Table, batch: Batch, masks: Floats, measured: Floats,
    groups: Sequence[tuple[str, str]], used: NDArray[np.bool_], start: Floats | None = None, most: int = 30,
) -> Floats:  # fmt: skip
    """The constants that rows in use tell best, looked for from `start`, or the priors."""
    index = np.flatnonzero(used)
    mine = [groups[i] for i in index]
    count = {g: mine.count(g) for g in set(mine)}
    weight = np.array([WEIGHT[g[0]] * count[g] ** -EVEN for g in mine])
    weight *= np.sqrt(len(weight) / np.sum(weight**2))
    part, some = batch.taken(index), masks[:, index]
    pull = np.array([SCALE / (PULL * WIDE.get((place[0], place[-1]), 1.0)) for place in table.places])

    def off(logs: Floats) -> Floats:
        constants = Calibration(**dict(zip(FIELDS, np.exp(logs), strict=True)))
        return np.asarray(np.log(predicted(part, constants) / measured[index]))

    def residuals(x: Floats) -> Floats:
        log = off(table.logs(x, some))
        soft = np.sign(log) * np.sqrt(2 * (np.hypot(1, log / SCALE) - 1)) * SCALE * weight
        return np.concatenate([soft, pull * (x - table.prior)])

    def slopes(x: Floats) -> Floats:
        """By field first: a constant moves a row as its field does, where it applies."""
        logs = table.logs(x, some)
        log = off(logs)
        by_field = np.array([(off(logs + STEP * unit[:, None]) - log) / STEP for unit in np.eye(len(FIELDS))])
        bend = np.hypot(1, log / SCALE)
        length = np.sqrt(2 * (bend - 1))
        steep = np.where(length > TINY, np.abs(log / SCALE) / (bend * np.maximum(length, TINY)), 1.0)
        rows = by_field[[FIELDS.index(place[-1]) for place in table.places]] * some * (steep * weight)
        return np.concatenate([rows.T, np.diag(pull)])

    begin = table.prior if start is None else start
    return np.asarray(least_squares(residuals, begin, slopes, max_nfev=most, ftol=1e-4, xtol=1e-4).x)


def errors(table: Table, x: Floats, batch: Batch, masks: Floats, measured: Floats) -> Floats:
    """Relative error of each row."""
    return predicted(batch, table.constants(x, masks)) / measured - 1


def told(title: str, groups: Sequence[tuple[str, str]], error: Floats) -> None:
    """Median over groups of their median errors, by metric."""
    print(title)
    for metric in sorted({name for name, _ in groups}):
        sizes: dict[str, list[float]] = defaultdict(list)
        for e, (name, group) in zip(error, groups, strict=True):
            if name == metric:
                sizes[group].append(abs(e))
        medians = [np.median(each) for each in sizes.values()]
        middle, upper = np.quantile(medians, (0.5, 0.75))
        rows = sum(map(len, sizes.values()))
        print(f"  {metric:44s} {middle:6.1%}  quartile {upper:6.1%}  {len(medians)} groups, {rows} rows")


def written(table: Table, x: Floats) -> None:
    """The file with fitted values."""
    text = FILE.read_text("utf-8")
    for place, value in zip(table.places, np.exp(x), strict=True):
        head = re.escape(f"[{'.'.join(place[:-1])}]")
        found = re.search(rf"{head}\n(?:(?!\[).*\n)*?{place[-1]} = (?P<n>[-+.e0-9]+)", text)
        assert found is not None, place
        text = text[: found.start("n")] + f"{value:.4g}" + text[found.end("n") :]
    FILE.write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--write" in sys.argv, "--left-out" in sys.argv)
