"""Measured inference against predictions: serving rows all at once, then machines of SRAM, watts and joules."""

from collections.abc import Sequence
from pathlib import Path

from fabric.measuring.inference_predictions import batch_of, constants_of, metrics, predicted, serve_all
from fabric.measuring.inference_rows import InferenceRow, read_inference
from fabric.measuring.inference_setups import Setup, accelerator_of_row, quantity, setup_of
from fabric.measuring.inference_steps import ENERGY, POWER, TIMES, compared
from fabric.measuring.provisioned import compare_provisioned
from fabric.measuring.sram_rows import compare_sram
from fabric.measuring.steps import ComparedStep, StepComparison, Unmodelled, chosen
from fabric.workloads.serving.calibration import constants
from fabric.workloads.serving.server_watts import board_watts, wall_watts
from fabric.workloads.sram.machines import is_sram
from topologies.errors import FabricError


def compare_inference(path: Path | None = None, only: str | None = None, stack: str | None = None) -> StepComparison:
    """Every row of a CSV file of measured inference, or of those that come with us, against our prediction.

    Groups are accelerators with models. Metrics are those of the file, of what a row states itself: a rate whose
    batch, lengths or layout had to be assumed, a first token behind a queue, and speculative decoding have names of
    their own. `stack` serves all rows in place of what their words say. `only` keeps systems or groups.

    >>> found = compare_inference(only="WSE-3, Llama-3.1-8B")
    >>> [round(abs(row.error), 2) for row in found.rows]
    [0.02, 0.0]
    """
    rows, skipped = read_inference(path)
    if only is not None:
        rows, skipped = chosen(rows, only), []
    steps: list[ComparedStep] = []
    unmatched: list[Unmodelled] = []
    serving: list[tuple[InferenceRow, Setup]] = []
    for row in rows:
        try:
            if is_sram(accelerator_of_row(row).name):
                steps.append(compare_sram(row))
            elif row.metric in (POWER, ENERGY):
                steps.append(_watts(row))
            else:
                setup = setup_of(row, stack)
                batch_of([row], [setup])
                serving.append((row, setup))
        except FabricError as reason:
            unmatched.append(Unmodelled(row=row.row, group=row.group, metric=row.metric, reason=str(reason)))
    steps += _served([row for row, _ in serving], [setup for _, setup in serving], stack)
    return StepComparison(tuple(sorted(steps, key=lambda c: c.row)), tuple(unmatched), tuple(skipped))


def _served(rows: Sequence[InferenceRow], setups: Sequence[Setup], stack: str | None) -> list[ComparedStep]:
    if not rows:
        return []
    batch = batch_of(rows, setups)
    served = serve_all(batch, constants_of(setups))
    found = []
    for row, setup, value, running in zip(rows, setups, metrics(batch, served), served.running, strict=True):
        name, said = quantity(row, setup), list(setup.said)
        if setup.generation not in constants()["generations"]:
            said.append(f"no constants are fitted for {setup.accelerator.name}: those of all")
        if row.metric == "ttft_ms" and running < setup.concurrency:
            name = "ttft_ms, saturated"
            said.append(f"{running:g} of {setup.concurrency:g} requests of a replica fit: the others wait for a place")
        low, high = _interval(row, setup)
        ends = (value * low, value * high) if row.metric in TIMES else (value / high, value / low)
        found.append(compared(row, name, float(value), setup.spec, setup.transport, said, ends))
    return found


def _interval(row: InferenceRow, setup: Setup) -> tuple[float, float]:
    """In which nine of ten measured times lie, over the predicted one."""
    stated = not any("does not say" in said and "served by" in said for said in setup.said)
    met = setup.generation in constants()["generations"] and not any("stands in" in said for said in setup.said)
    known = "known_stack" if stated and met else "unknown_stack"
    low, high = constants()["interval"][f"first_{known}" if row.metric == "ttft_ms" else known]
    return float(low), float(high)


def _watts(row: InferenceRow) -> ComparedStep:
    """A row of watts, or of tokens a joule."""
    if row.says("provisioned"):
        return compare_provisioned(row)
    machine, n = accelerator_of_row(row), row.accelerators or 1
    if row.says("board"):
        watts, where = board_watts(machine, row.concurrency or 1.0), "board"  # of one, however many served
    else:
        watts, where = wall_watts(machine, n, row.says("liquid"), row.says("tuned")), "wall"
    if row.metric == POWER:
        return compared(row, f"{POWER}, {where}", watts, f"{n} x {machine.name}", "none", ())
    setup = setup_of(row)
    rate = float(predicted(batch_of([row], [setup]), constants_of([setup]))[0])
    return compared(row, f"{ENERGY}, {where}", rate / watts, setup.spec, setup.transport, setup.said)
