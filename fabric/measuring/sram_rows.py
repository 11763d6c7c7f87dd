"""Measured rows of machines of SRAM against predictions, or the number of chips that would explain them."""

from fabric.measuring.inference_rows import InferenceRow, rules
from fabric.measuring.inference_setups import accelerator_of_row
from fabric.measuring.inference_steps import compared
from fabric.measuring.steps import ComparedStep
from fabric.workloads.models.model import Model
from fabric.workloads.models.zoo import model
from fabric.workloads.sram.floors import explaining_devices, sram_step
from topologies.errors import ConfigError
from topologies.kinds import Accelerator

_PREDICTED = ("tpot_ms", "tok_per_s_total", "tok_per_s_per_user")


def compare_sram(row: InferenceRow) -> ComparedStep:
    """A row of a machine of SRAM; ConfigError with the reason where the model has nothing to say of it."""
    machine, shape = accelerator_of_row(row), model(row.model)
    _refuse(row, shape, machine)
    single = {"tpot_ms": row.value / 1e3, "tok_per_s_per_user": 1 / row.value}.get(row.metric)
    devices = row.accelerators
    if devices is None and single is not None:
        devices = _explaining(shape, machine, single)
    total = row.metric == "tok_per_s_total"
    inputs, outputs = (row.input_tokens, row.output_tokens) if total else (None, None)
    step = sram_step(
        shape, machine, devices=devices, batch=row.concurrency or 1.0, input_tokens=inputs, output_tokens=outputs
    )
    both = 1.0 if outputs is None or not row.says("both") else ((inputs or 0) + outputs) / outputs
    value = {
        "tpot_ms": step.token_s * 1e3, "tok_per_s_per_user": 1 / step.token_s,
        "tok_per_s_total": step.tokens_per_s * both,
    }[row.metric]  # fmt: skip
    said = step.said if row.accelerators else (f"{step.devices} chips would explain it; the row gives none", *step.said)
    known = "" if row.accelerators else ", chips not stated"
    return compared(row, f"{row.metric}, SRAM machine{known}", value, f"{step.devices} x {machine.name}", "none", said)


def _refuse(row: InferenceRow, shape: Model, machine: Accelerator) -> None:
    if row.metric not in _PREDICTED:
        raise ConfigError("first tokens of services include their network and queues")
    if row.says("at_least"):
        raise ConfigError("a bound, no figure")
    if row.metric == "tok_per_s_total" and row.concurrency is None:
        token_s = sram_step(shape, machine, devices=row.accelerators).token_s
        raise ConfigError(
            f"a total rate without the number of its streams; {row.value * token_s:,.0f} of "
            f"{1 / token_s:,.0f} tokens/s each would explain it"
        )


def _explaining(shape: Model, machine: Accelerator, token_s: float) -> int | None:
    """Chips that would explain a token's time; None where the floor is above it, by no more than `sram_factor`."""
    devices = explaining_devices(shape, machine, token_s)
    least = sram_step(shape, machine)
    if devices is None and least.token_s > rules()["load"]["sram_factor"] * token_s:
        floor = f"{least.floor_s * 1e3:.2f} ms of layers against {token_s * 1e3:.2f} ms a token"
        raise ConfigError(f"no number of chips explains it, {floor}")
    return devices
