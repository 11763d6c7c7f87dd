"""Every row of a file of measurements against our prediction: the comparison that its columns ask for."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from fabric.measuring.baselines import BASELINES
from fabric.measuring.comparison import NO_PREDICTION, Compared, Comparison, Judged
from fabric.measuring.machines import Machine, NoMachineError, machine_of
from fabric.measuring.moe import compare_moe, is_moe
from fabric.measuring.predicting import Prediction, modelled, predict
from fabric.measuring.reading import Measurement, Skipped, read_measured
from topologies.errors import ConfigError, FabricError, unknown

if TYPE_CHECKING:
    from fabric.measuring.steps import StepComparison

def compare_measured(path: Path | None = None, only: str | None = None) -> "Comparison | StepComparison":
    """Every measured row of a CSV file, or of those that come with the program, against our prediction.

    A file with the column tokens_per_gpu is of experts' kernels (`fabric.measuring.moe`), one with tokens_s_gpu of
    training steps (`fabric.measuring.training`), one with scenario and input_len of inference
    (`fabric.measuring.inference`); errors of these two are by accelerator and model.

    `only` keeps the rows whose system or log it matches, `*` and `?` as in a shell. ConfigError for any other file.

    >>> found = compare_measured(only="TPU7x*")
    >>> found.summary["matched"], sorted(found.summary["by_collective"])
    (10, ['all-gather'])
    """
    from fabric.measuring.inference import compare_inference
    from fabric.measuring.inference_rows import is_inference
    from fabric.measuring.training import compare_training, is_training

    if path is not None and is_moe(path):
        return compare_moe(path, only)
    if path is not None and is_training(path):
        return compare_training(path, only)
    if path is not None and is_inference(path):
        return compare_inference(path, only)
    return compare_collectives(path, only)


def compare_collectives(path: Path | None = None, only: str | None = None) -> Comparison:
    """Every measured row of a CSV file of collectives, or of ours, against our prediction; `only` as above."""
    rows, skipped = read_measured(path)
    if only is not None:
        kept = [row for row in rows if any(fnmatchcase(n.lower(), only.lower()) for n in (row.system, row.log))]
        if not kept:
            names = list(dict.fromkeys(row.system for row in rows))
            raise ConfigError(unknown("system", only, names, "give a system, a log or a pattern, e.g. *h100*"))
        rows, skipped = kept, []
    machines, unmatched = _machines(rows)
    predicted, machines, refused = _predicted(rows, machines)
    unmatched |= refused
    return _comparison(rows, machines, predicted, unmatched, skipped)


def _machines(rows: Sequence[Measurement]) -> tuple[dict[int, Machine], dict[int, str]]:
    machines: dict[int, Machine] = {}
    unmatched: dict[int, str] = {}
    for row in rows:
        try:
            machines[row.row] = machine_of(row)
        except NoMachineError as reason:
            unmatched[row.row] = str(reason)
    return machines, unmatched


def _predicted(
    rows: Sequence[Measurement], machines: dict[int, Machine]
) -> tuple[dict[int, Prediction], dict[int, Machine], dict[int, str]]:
    """Predictions by row, all sizes of a machine and a collective together, the machines as they are modelled, and why
    where there is no prediction."""
    groups: dict[tuple[str, str, str], list[Measurement]] = defaultdict(list)
    for row in rows:
        if (machine := machines.get(row.row)) is not None:
            groups[machine.spec, machine.transport, row.collective].append(row)
    predicted: dict[int, Prediction] = {}
    refused: dict[int, str] = {}
    used = dict(machines)
    for members in groups.values():
        try:
            used |= {row.row: modelled(machines[row.row]) for row in members}  # each with its assumptions
            times = predict(used[members[0].row], members[0].collective, [row.size_bytes for row in members])
            predicted |= {row.row: time for row, time in zip(members, times, strict=True)}
        except FabricError as reason:
            refused |= {row.row: str(reason) for row in members}
    return predicted, used, refused


def _comparison(
    rows: Sequence[Measurement],
    machines: dict[int, Machine],
    predicted: dict[int, Prediction],
    unmatched: dict[int, str],
    skipped: Sequence[Skipped],
) -> Comparison:
    measured = {
        row.row: time for row in rows
        if row.row in machines and (time := row.measured_us(machines[row.row].ranks)) is not None
    }  # fmt: skip
    silent = {row.row: "no time, and no busbw among so few ranks" for row in rows if row.row not in measured}
    unmatched = {**silent, **unmatched}
    used = [row for row in rows if row.row in measured and row.row in predicted]
    compared = [_compared(row, machines[row.row], measured[row.row], predicted[row.row]) for row in used]
    errors = {row.row: row.error for row in compared}
    baselines = {
        name: {
            row.row: time / measured[row.row] - 1 for row in rows
            if row.row in measured and (time := model(machines[row.row], row.collective, row.size_bytes)) is not None
        } for name, model in BASELINES.items()
    }  # fmt: skip
    return Comparison(
        rows=tuple(compared),
        machines=tuple(machines[row.row] for row in used),
        unmatched=tuple(Skipped(number, reason) for number, reason in sorted(unmatched.items())),
        skipped=tuple(skipped),
        judged=_judged(rows, errors),
        baselines={name: _judged(rows, told) for name, told in baselines.items()},
    )


def _compared(row: Measurement, machine: Machine, measured_us: float, found: Prediction) -> Compared:
    return Compared(
        row=row.row, system=row.system, spec=machine.spec, collective=row.collective, size_bytes=row.size_bytes,
        measured_us=measured_us, predicted_us=found.time_us, low_us=found.low_us, high_us=found.high_us,
        error=found.time_us / measured_us - 1,
    )  # fmt: skip


def _judged(rows: Sequence[Measurement], errors: Mapping[int, float]) -> tuple[Judged, ...]:
    """Every row with its error, one of 100 % where it has none."""
    return tuple(Judged(r.system, r.collective, r.size_bytes, errors.get(r.row, NO_PREDICTION)) for r in rows)
