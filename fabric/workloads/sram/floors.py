"""A token on machines that hold a model in SRAM: floors of its layers, readings, and the way over the fabric."""

from dataclasses import dataclass
from math import ceil

from fabric.collectives import collective
from fabric.timing import Assumptions, candidates
from fabric.workloads.models.model import Model
from fabric.workloads.sram.machines import SramMachine, sram_machine
from fabric.workloads.steps.states import bytes_of
from topologies.errors import InfeasibleError
from topologies.graph import Topology
from topologies.kinds import Accelerator


@dataclass(frozen=True, slots=True, kw_only=True)
class SramStep:
    """One token of each stream. `floor_s` is what the layers' schedules take, `read_s` the reading of weights and
    caches on all devices at once, `hops_s` the activations' way from device to device; their sum is `token_s`.
    `prompt_s` is a prompt's time on the whole pipeline. Of so many streams as asked, `running` are under way: what has
    room (`fits`, none where no lengths are given) and, where layers lie apart, one a layer, or one a device where a
    layer takes several. `tokens_per_s` of all."""

    devices: int
    least_devices: int
    floor_s: float
    read_s: float
    hops_s: float
    token_s: float
    prompt_s: float
    first_token_s: float
    running: float
    fits: int | None
    tokens_per_s: float
    bound_by: str
    said: tuple[str, ...]


def least_devices(model: Model, row: Accelerator, weights: str | None = None) -> int:
    """How many devices hold the weights.

    >>> from fabric.workloads.models.zoo import model
    >>> from topologies.parts import part
    >>> least_devices(model("llama-3.1-405b"), part("wse-3", Accelerator))  # 811.7 GB / 44 GB
    19
    """
    machine = sram_machine(row)
    return max(1, ceil(model.weight_bytes(weights or machine.weights) / _room(row, machine) - 1e-9))


def fitting_requests(model: Model, row: Accelerator, devices: int, tokens: float, weights: str | None = None) -> int:
    """Caches of so many tokens that find room beside the weights.

    >>> from fabric.workloads.models.zoo import model
    >>> from topologies.parts import part
    >>> fitting_requests(model("llama-3.1-8b"), part("wse-3", Accelerator), 1, 2048)  # 27.9 GB / (2048 x 131,072 B)
    104
    """
    machine = sram_machine(row)
    left = devices * _room(row, machine) - model.weight_bytes(weights or machine.weights)
    return int(left / model.kv_bytes(tokens, machine.cache))


def sram_step(
    model: Model, row: Accelerator, *, devices: int | None = None, batch: float = 1.0, weights: str | None = None,
    hop_s: float = 0.0, input_tokens: float | None = None, output_tokens: float | None = None,
) -> SramStep:  # fmt: skip
    """A token of `batch` streams on `devices` devices, or on as many as hold the weights; behind half of an answer,
    with the prompts and the room that all of it takes, where lengths are given.

    InfeasibleError where fewer devices are given, a request finds no room, or the machine's memory is not known;
    ConfigError for other machines.

    >>> from fabric.workloads.models.zoo import model
    >>> from topologies.parts import part
    >>> step = sram_step(model("llama-3.1-8b"), part("wse-3", Accelerator))
    >>> round(1 / step.token_s), step.bound_by  # 32 x 17 us + 16.06 GB / 21 PB/s
    (1836, 'fabric latency')
    """
    machine, least = sram_machine(row), least_devices(model, row, weights)
    count = least if devices is None else devices
    if count < least:
        raise InfeasibleError(f"{count} of {row.name} do not hold {model.name}; {least} do")
    seen = (input_tokens or 0.0) + (output_tokens or 0.0) / 2
    fits = None if output_tokens is None else _fits(model, row, count, weights, seen)
    places = float(max(model.layers, least)) if machine.spatial else batch
    most = min(batch, places, batch if fits is None else float(fits))
    together = 1.0 if machine.spatial else most  # streams that a layer works on at once
    weights_s = _read_s(model, row, machine, read_bytes(model, weights or machine.weights, together), count)
    read_s = weights_s + _read_s(model, row, machine, together * model.kv_bytes(seen, machine.cache), count)
    layer_s = machine.layer_s + machine.request_layer_s * (together - 1)
    floor_s = model.layers * layer_s + model.moe_layers * machine.expert_layer_s
    hops_s = (min(least, model.layers) - 1) * hop_s
    token_s = floor_s + read_s + hops_s
    prompt_s = machine.prompt_reads * weights_s + _operations_s(model, machine, input_tokens or 0.0, count)
    spread_s = token_s if output_tokens is None else token_s + most * prompt_s / output_tokens
    parts = {"fabric latency": floor_s + hops_s, "memory bandwidth": read_s}
    bound = "memory capacity" if fits is not None and most == fits < batch else max(parts, key=lambda name: parts[name])
    return SramStep(
        devices=count, least_devices=least, floor_s=floor_s, read_s=read_s, hops_s=hops_s, token_s=token_s,
        prompt_s=prompt_s, first_token_s=token_s + prompt_s, running=most, fits=fits, tokens_per_s=most / spread_s,
        bound_by=bound, said=(machine.source, machine.estimate),
    )  # fmt: skip


def explaining_devices(model: Model, row: Accelerator, token_s: float, weights: str | None = None) -> int | None:
    """How many devices would give a stream a token in such a time; None where no number does, the floor being above.

    >>> from fabric.workloads.models.zoo import model
    >>> from topologies.parts import part
    >>> explaining_devices(model("llama-3.1-405b"), part("wse-3", Accelerator), 1 / 969) is None
    True
    """
    machine = sram_machine(row)
    floor_s = model.layers * machine.layer_s + model.moe_layers * machine.expert_layer_s
    if token_s <= floor_s:
        return None
    one_s = _read_s(model, row, machine, read_bytes(model, weights or machine.weights, 1.0), 1)
    return max(least_devices(model, row, weights), ceil(one_s / (token_s - floor_s)))


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
    return min(plan.time_s(batch * model.hidden * bytes_of("activation")) for plan in plans)


def _room(row: Accelerator, machine: SramMachine) -> float:
    """Bytes of a device."""
    if row.memory_gb is None:
        raise InfeasibleError(f"'{row.name}' has no memory_gb: not modelled; give --parts with it")
    return row.memory_gb * 1e9 * machine.usable


def _fits(model: Model, row: Accelerator, count: int, weights: str | None, tokens: float) -> int:
    fits = fitting_requests(model, row, count, tokens, weights)
    if fits < 1:
        need = f"no room beside the weights for the cache of one request of {tokens:,.0f} tokens"
        raise InfeasibleError(f"{count} of {row.name} hold {model.name}, with {need}")
    return fits


def _read_s(model: Model, row: Accelerator, machine: SramMachine, size: float, count: int) -> float:
    rate = (row.memory_bandwidth_tb_per_s or 0) * 1e12 * machine.read_share
    if not rate:
        raise InfeasibleError(f"'{row.name}' has no memory_bandwidth_tb_per_s; give --parts with it")
    return size / (count * rate)


def _operations_s(model: Model, machine: SramMachine, tokens: float, count: int) -> float:
    """A prompt's operations on all devices."""
    if not machine.prompt_share:
        return 0.0
    return tokens * model.forward_flops(tokens / 2) / (count * machine.tflops * 1e12 * machine.prompt_share)
