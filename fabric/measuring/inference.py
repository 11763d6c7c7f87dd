"""Measured inference against predictions: serving rows all at once, then machines of SRAM, watts and joules."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from fabric.measuring.inference_predictions import batch_of, constants_of, predicted
from fabric.measuring.inference_rows import InferenceRow, read_inference, rules
from fabric.measuring.inference_setups import Setup, accelerator_of_row, quantity, setup_of
from fabric.measuring.reading import Skipped
from fabric.measuring.steps import ComparedStep, StepComparison, chosen
from fabric.workloads.calibration import constants
from fabric.workloads.inference import CONCURRENCIES, infer
from fabric.workloads.layout import Layout
from fabric.workloads.server_watts import board_watts, wall_watts
from fabric.workloads.sram import explaining_devices, is_sram, sram_step
from fabric.workloads.zoo import model
from topologies.errors import ConfigError, FabricError
from topologies.registry import build

POWER, ENERGY = "system_w", "tok_per_j"
UNITS = {"tpot_ms": "ms", "ttft_ms": "ms", "tok_per_s_total": "tokens/s", "tok_per_s_per_gpu": "tokens/s/GPU",
         "tok_per_s_per_user": "tokens/s/user", POWER: "W", ENERGY: "tokens/J"}  # fmt: skip
_TIMES = ("tpot_ms", "ttft_ms", POWER)


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
    compared: list[ComparedStep] = []
    missed: list[tuple[str, str, Skipped]] = []
    serving: list[tuple[InferenceRow, Setup]] = []
    for row in rows:
        try:
            if is_sram(accelerator_of_row(row).name):
                compared.append(_sram(row))
            elif row.metric in (POWER, ENERGY):
                compared.append(_watts(row))
            else:
                setup = setup_of(row, stack)
                batch_of([row], [setup])
                serving.append((row, setup))
        except FabricError as reason:
            missed.append((row.group, f"{row.metric}, not modelled", Skipped(row.row, str(reason))))
    compared += _served([row for row, _ in serving], [setup for _, setup in serving], stack)
    return StepComparison(tuple(sorted(compared, key=lambda c: c.row)), tuple(missed), tuple(skipped))


def _served(rows: Sequence[InferenceRow], setups: Sequence[Setup], stack: str | None) -> list[ComparedStep]:
    if not rows:
        return []
    values = predicted(batch_of(rows, setups), constants_of(setups))
    found = []
    for row, setup, value in zip(rows, setups, values, strict=True):
        known = not any("does not say" in said and "served by" in said for said in setup.said)
        low, high = constants()["interval"]["known_stack" if known else "unknown_stack"]
        ends = (value * low, value * high) if row.metric in _TIMES else (value / high, value / low)
        found.append(_compared(row, quantity(row, setup), float(value), setup.spec, setup.transport, setup.said, ends))
    return found


def _sram(row: InferenceRow) -> ComparedStep:
    """A row of a machine of SRAM; ConfigError where its number of chips, which would explain it, is not known."""
    machine, shape = accelerator_of_row(row), model(row.model)
    if row.metric not in ("tpot_ms", "tok_per_s_total", "tok_per_s_per_user"):
        raise ConfigError("not modelled: first tokens of services include their network and queues")
    if row.says("at_least"):
        raise ConfigError("not modelled: a bound, no figure")
    if row.metric == "tok_per_s_total" and row.concurrency is None:
        raise ConfigError("not modelled: a total rate without the number of its streams")
    batch, devices = (row.concurrency or 1.0), row.accelerators
    single = {"tpot_ms": row.value / 1e3, "tok_per_s_per_user": 1 / row.value}.get(row.metric)
    if devices is None and single is not None:
        devices = explaining_devices(shape, machine, single)
        least = sram_step(shape, machine)
        if devices is None and least.token_s > rules()["load"]["sram_factor"] * single:
            raise ConfigError(
                f"not modelled: no number of chips explains it, {least.floor_s * 1e3:.2f} ms of layers against "
                f"{single * 1e3:.2f} ms a token"
            )
    outputs = row.output_tokens if row.metric == "tok_per_s_total" else None
    step = sram_step(shape, machine, devices=devices, batch=batch, output_tokens=outputs)
    both = 1.0 if outputs is None or not row.says("both") else ((row.input_tokens or 0) + outputs) / outputs
    value = {
        "tpot_ms": step.token_s * 1e3, "tok_per_s_per_user": 1 / step.token_s,
        "tok_per_s_total": step.tokens_per_s * both,
    }[row.metric]  # fmt: skip
    said = step.said if row.accelerators else (f"{step.devices} chips would explain it; the row gives none", *step.said)
    known = "" if row.accelerators else ", chips not stated"
    return _compared(row, f"{row.metric}, SRAM machine{known}", value, f"{step.devices} x {machine.name}", "none", said)


def _watts(row: InferenceRow) -> ComparedStep:
    """A row of watts, or of tokens a joule."""
    if row.says("provisioned"):
        return _provisioned(row)
    machine, n = accelerator_of_row(row), row.accelerators or 1
    if row.says("board"):
        watts, where = board_watts(machine, row.concurrency or 1.0), "board"  # of one, however many served
    else:
        watts, where = wall_watts(machine, n, row.says("liquid"), row.says("tuned")), "wall"
    if row.metric == POWER:
        return _compared(row, f"{POWER}, {where}", watts, f"{n} x {machine.name}", "none", ())
    setup = setup_of(row)
    rate = float(predicted(batch_of([row], [setup]), constants_of([setup]))[0])
    return _compared(row, f"{ENERGY}, {where}", rate / watts, setup.spec, setup.transport, setup.said)


def _provisioned(row: InferenceRow) -> ComparedStep:
    """Tokens a joule of a facility's provisioned power: the best layout in one server or rack at a user's speed."""
    machine, rule = accelerator_of_row(row), rules()["provisioned"]
    spec = rule["specs"].get(machine.name)
    speed = next((s["speed"] for s in rule["speeds"] if fnmatchcase(row.model.lower(), s["model"])), None)
    if spec is None or speed is None or row.input_tokens is None or row.output_tokens is None:
        raise ConfigError("the row gives no lengths, or no speed of a user that its rate is at")
    topology, shape, best = build(spec), model(row.model), 0.0
    for tp in rule["tp"]:
        try:
            found = infer(
                topology, shape, Layout(tp=tp), weights="mxfp4" if "gpt-oss" in shape.name else "fp8",
                input_tokens=row.input_tokens, output_tokens=row.output_tokens,
                concurrency=[load * step for load in CONCURRENCIES for step in (1.0, 1.5)],
            ).at_speed(speed)  # fmt: skip
        except FabricError:
            continue  # too small for the weights
        best = max(best, found.tokens_per_j_facility or 0.0) if found else best
    if not best:
        raise ConfigError(f"no layout in {spec} gives a user {speed:g} tokens/s")
    said = (f"at {speed:g} tokens/s a user: {rule['source']}", "facility power: racks' maximum times PUE")
    return _compared(row, f"{ENERGY}, provisioned", best, spec, "auto", said)


def _compared(
    row: InferenceRow, metric: str, value: float, spec: str, transport: str, said: Sequence[str],
    ends: tuple[float, float] | None = None,
) -> ComparedStep:  # fmt: skip
    """Errors are of time (and of watts): positive where we are too slow."""
    error = value / row.value - 1 if row.metric in _TIMES else row.value / value - 1
    return ComparedStep(
        row=row.row, group=row.group, metric=metric, spec=spec, transport=transport, measured=row.value,
        predicted=float(np.float64(value)), unit=UNITS[row.metric], error=error, low=ends[0] if ends else None,
        high=ends[1] if ends else None, said=tuple(said),
    )  # fmt: skip
