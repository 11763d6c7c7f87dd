"""Machines that hold a model in SRAM: as many devices as hold its weights, a pipeline of layers over the fabric."""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import Any

from fabric.collectives import collective
from fabric.timing import Assumptions, candidates
from fabric.workloads.model import Model
from topologies.errors import ConfigError, InfeasibleError, unknown
from topologies.graph import Topology
from topologies.kinds import Accelerator
from topologies.toml_documents import read_toml

_FILE = Path(__file__).with_name("sram_machines.toml")
_HALF = 2  # bytes of an activation


@dataclass(frozen=True, slots=True, kw_only=True)
class SramStep:
    """One token of each stream. `floor_s` is what the layers' schedules take, `read_s` the weights' reading on all
    devices at once, `hops_s` the activations' way from device to device; their sum is `token_s`. `tokens_per_s` of
    all streams, with their prompts where `output_tokens` are given: a pipeline works on as many streams at a time as it
    has devices, which are `running`."""

    devices: int
    least_devices: int
    floor_s: float
    read_s: float
    hops_s: float
    token_s: float
    first_token_s: float
    running: float
    tokens_per_s: float
    bound_by: str
    said: tuple[str, ...]


def is_sram(accelerator: str) -> bool:
    """Is it one of these machines?

    >>> is_sram("wse-3"), is_sram("h100-sxm")
    (True, False)
    """
    return accelerator in _machines()


def own_format(row: Accelerator) -> str:
    """The number format in which a machine keeps weights where none is asked for.

    >>> from topologies.parts import part
    >>> own_format(part("wse-3", Accelerator))
    'bf16'
    """
    return str(_machine(row)["weights"])


def least_devices(model: Model, row: Accelerator, weights: str | None = None) -> int:
    """How many devices hold the weights.

    >>> from fabric.workloads.zoo import model
    >>> from topologies.parts import part
    >>> least_devices(model("llama-3.1-405b"), part("wse-3", Accelerator))  # 811.7 GB / 44 GB
    19
    """
    machine = _machine(row)
    if row.memory_gb is None:
        raise InfeasibleError(f"'{row.name}' has no memory_gb: not modelled; give --parts with it")
    each: float = row.memory_gb * 1e9 * machine["usable"]
    return max(1, ceil(model.weight_bytes(weights or machine["weights"]) / each - 1e-9))


def sram_step(
    model: Model, row: Accelerator, *, devices: int | None = None, batch: float = 1.0, weights: str | None = None,
    hop_s: float = 0.0, output_tokens: float | None = None,
) -> SramStep:  # fmt: skip
    """A token of `batch` streams on `devices` devices, or on as many as hold the weights.

    InfeasibleError where fewer are given, or the machine's memory is not known; ConfigError for other machines.

    >>> from fabric.workloads.zoo import model
    >>> from topologies.parts import part
    >>> step = sram_step(model("llama-3.1-8b"), part("wse-3", Accelerator))
    >>> round(1 / step.token_s), step.bound_by  # 32 x 17 us + 16.06 GB / 21 PB/s
    (1836, 'fabric latency')
    """
    machine, least = _machine(row), least_devices(model, row, weights)
    count = least if devices is None else devices
    if count < least:
        raise InfeasibleError(f"{count} of {row.name} do not hold {model.name}; {least} do")
    rate = (row.memory_bandwidth_tb_per_s or 0) * 1e12 * machine["read_share"]
    if not rate:
        raise InfeasibleError(f"'{row.name}' has no memory_bandwidth_tb_per_s; give --parts with it")
    read_s = read_bytes(model, weights or machine["weights"], batch) / (count * rate)
    layer_s = machine["layer_s"] + machine["request_layer_s"] * (batch - 1)
    floor_s = model.layers * layer_s + model.moe_layers * machine["expert_layer_s"]
    hops_s = (min(least, model.layers) - 1) * hop_s
    token_s = floor_s + read_s + hops_s
    pipelined = machine["request_layer_s"] == 0  # else streams take turns in each layer, and all go on together
    prompts_s = batch * machine["prompt_reads"] * read_s
    spread_s = token_s if output_tokens is None else token_s + prompts_s / output_tokens
    together = min(batch, float(count)) if pipelined else batch
    parts = {"fabric latency": floor_s + hops_s, "memory bandwidth": read_s}
    said = [machine["source"], "draft models, admission and the network in front are not in it"]
    return SramStep(
        devices=count, least_devices=least, floor_s=floor_s, read_s=read_s, hops_s=hops_s, token_s=token_s,
        first_token_s=token_s + prompts_s, running=together, tokens_per_s=together / spread_s,
        bound_by=max(parts, key=lambda name: parts[name]), said=tuple(said),
    )  # fmt: skip


def explaining_devices(model: Model, row: Accelerator, token_s: float, weights: str | None = None) -> int | None:
    """How many devices would give a stream a token in such a time; None where no number does, the floor being above.

    >>> from fabric.workloads.zoo import model
    >>> from topologies.parts import part
    >>> explaining_devices(model("llama-3.1-405b"), part("wse-3", Accelerator), 1 / 969) is None
    True
    """
    machine = _machine(row)
    floor_s = model.layers * machine["layer_s"] + model.moe_layers * machine["expert_layer_s"]
    rate = (row.memory_bandwidth_tb_per_s or 0) * 1e12 * machine["read_share"]
    if token_s <= floor_s or not rate:
        return None
    reading: float = read_bytes(model, weights or machine["weights"], 1.0) / rate / (token_s - floor_s)
    return max(least_devices(model, row, weights), ceil(reading))


def read_bytes(model: Model, weights: str, batch: float) -> float:
    """Weights that a step of so many tokens reads: experts that at least one of them goes to."""
    held = model.weight_bytes(weights)
    if not model.moe_layers:
        return held
    share = 1 - float((1 - model.topk / model.experts) ** batch)
    return held - (1 - share) * model.routed_params / model.params * held


def hop_seconds(topology: Topology, model: Model, batch: float = 1.0) -> float:
    """From a device to the next with the activations of so many tokens: the schedule's time at raw link rates, as a
    deterministic fabric has no software between."""
    n = len(topology.accelerators)
    if n < 2:
        return 0.0
    plans = candidates(topology, collective("send-recv", n), Assumptions(transport="ideal"))
    return min(plan.time_s(batch * model.hidden * _HALF) for plan in plans)


def _machine(row: Accelerator) -> dict[str, Any]:
    machines = _machines()
    if row.name not in machines:
        raise ConfigError(unknown("SRAM machine", row.name, machines, "what a layer takes on others is not modelled"))
    return dict(machines[row.name])


@lru_cache(maxsize=1)
def _machines() -> dict[str, Any]:
    return dict(read_toml(_FILE, "SRAM machines")["machines"])
