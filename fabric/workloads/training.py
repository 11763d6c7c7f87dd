"""A training step of a model on a fabric: its time, what of its communication shows, tokens a second and a joule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import fsum
from pathlib import Path
from typing import Any

from fabric.placement import Placement
from fabric.powering import network_power, site_power
from fabric.results import accelerator_of
from fabric.simulation import time_estimates
from fabric.workloads.models.model import Model
from fabric.workloads.models.precisions import precision
from fabric.workloads.models.zoo import model as named
from fabric.workloads.steps.achieved import Achieved, achieved, generation_of, most_cp, widest_experts
from fabric.workloads.steps.compute import Compute, amounts, compute
from fabric.workloads.steps.memory import Memory, held_params, memory
from fabric.workloads.steps.mix import DIMENSIONS, mix
from fabric.workloads.steps.parallel import Parallel, parse_parallel
from fabric.workloads.steps.pipelining import bubble_s
from fabric.workloads.steps.shares import Shares
from fabric.workloads.steps.wiring import Wired, Wiring
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology
from topologies.kinds import Accelerator
from topologies.parts import Catalogue
from topologies.registry import topology_of

# Reductions in NVLink's switches are off: NCCL_NVLS_ENABLE=0 in the recipes of NVIDIA-NeMo/Megatron-Bridge.
TRANSPORT = "auto:nvls=false"


@dataclass(frozen=True, slots=True)
class TrainingStep(Shares):
    """A step. Seconds; `compute_s` is what a rank computes, the optimizer included, `bubble_s` where it waits for other
    stages; `wire_s` and `exposed_s` by dimension, alone and beside what hides it. They add up: compute, bubble and
    exposed are the step. Powers are of the whole fabric, None where a part has none."""

    topology: str
    model: Model
    accelerators: int
    parallel: Parallel
    exchanges: tuple[Wired, ...]
    compute: Compute
    memory: Memory
    memory_limit_bytes: float | None
    tokens: int
    step_s: float
    compute_s: float
    bubble_s: float
    wire_s: Mapping[str, float]
    exposed_s: Mapping[str, float]
    mfu: float
    network_power_w: float | None
    facility_power_w: float | None
    said: tuple[str, ...]

    @property
    def fits(self) -> bool | None:
        """Does a rank's memory hold it? None where the accelerator's is not known."""
        return None if self.memory_limit_bytes is None else self.memory.total <= self.memory_limit_bytes

    @property
    def tokens_per_s(self) -> float:
        """Of all accelerators."""
        return self.tokens / self.step_s

    @property
    def tokens_per_s_per_accelerator(self) -> float:
        """Of one."""
        return self.tokens_per_s / self.accelerators

    @property
    def tokens_per_joule_network(self) -> float | None:
        """Tokens a joule that the network draws."""
        return None if not self.network_power_w else self.tokens_per_s / self.network_power_w

    def document(self) -> dict[str, Any]:
        """Every figure under stable keys, for JSON; seconds, bytes and watts as the keys say."""
        layout = {field.name: getattr(self.parallel, field.name) for field in fields(self.parallel)}
        exchanges = [wired.document() for wired in self.exchanges]
        memory = {"weights": self.memory.weights, "gradients": self.memory.gradients}
        memory |= {"optimizer": self.memory.optimizer, "activations": self.memory.activations}
        return {
            "topology": self.topology, "model": self.model.name, "accelerators": self.accelerators, "parallel": layout,
            "micro_batches": self.parallel.micro_batches, "tokens": self.tokens, "step_s": self.step_s,
            "compute_s": self.compute_s, "bubble_s": self.bubble_s, "wire_s": dict(self.wire_s),
            "exposed_s": dict(self.exposed_s), "exposed_share": self.exposed_share, "exchanges": exchanges,
            "memory_bytes": memory, "memory_limit_bytes": self.memory_limit_bytes, "fits": self.fits, "mfu": self.mfu,
            "tokens_per_s": self.tokens_per_s, "tokens_per_s_per_accelerator": self.tokens_per_s_per_accelerator,
            "network_power_w": self.network_power_w, "facility_power_w": self.facility_power_w,
            "network_share": self.network_share, "tokens_per_joule_network": self.tokens_per_joule_network,
            "tokens_per_joule": self.tokens_per_joule, "said": list(self.said),
        }  # fmt: skip

    @property
    def tokens_per_joule(self) -> float | None:
        """Tokens a joule that the site draws."""
        return None if not self.facility_power_w else self.tokens_per_s / self.facility_power_w


def train(
    topology: "Topology | str | Path",
    model: "Model | str | Path",
    parallel: "Parallel | str",
    *,
    transport: str = TRANSPORT,
    routing: str = "auto",
    placement: Placement = "packed",
    parts: Catalogue | None = None,
    constants: Achieved | None = None,
    strict: bool = False,
    threads: int = 0,
) -> TrainingStep:
    """One step of training on all accelerators of a fabric.

    Every dimension's collective is routed once, for all its groups at the same time, and priced at its size; compute
    is a roofline of achieved rates (`fabric.workloads.steps.achieved`). The library is the accelerator's own, without
    reductions in NVLink's switches, as training frameworks set it. ConfigError for a layout that does not fit model or
    fabric; InfeasibleError with `strict` where a rank's memory does not hold it.

    >>> step = train("dgx-h100-superpod-1024", "llama-3.1-405b", "tp=8,pp=8,cp=2,v=8,batch=1536,seq=8192,precision=fp8")
    >>> step.parallel.dp, 250 < step.tokens_per_s_per_accelerator < 400, step.fits
    (8, True, True)
    """
    fabric = topology_of(topology, parts=parts)
    shape = model if isinstance(model, Model) else named(model)
    layout = parse_parallel(parallel) if isinstance(parallel, str) else parallel
    layout = layout.on(len(fabric.accelerators), shape)
    row = accelerator_with_rate(fabric)
    wiring = Wiring(fabric, transport, routing, placement)
    wires = tuple(wiring.wired(exchange) for exchange in mix(shape, layout))
    return timed(fabric, shape, layout, row, wires, achieved() if constants is None else constants, strict=strict)


def accelerator_with_rate(topology: Topology) -> Accelerator:
    """The accelerator of a fabric; ConfigError where there are several kinds, or it has no rate."""
    name = accelerator_of(topology)
    row = None if name is None else topology.catalogue.get(name)
    if not isinstance(row, Accelerator) or row.bf16_tflops is None:
        what = "accelerators of several kinds" if name is None else f"accelerator '{name}', which has no rate"
        raise ConfigError(f"{topology.name} has {what}; give one kind with a rate, e.g. accelerator=h100-sxm")
    return row


def timed(
    topology: Topology,
    model: Model,
    p: Parallel,
    row: Accelerator,
    wires: tuple[Wired, ...],
    a: Achieved,
    *,
    strict: bool = False,
    power: bool = True,
) -> TrainingStep:
    """A step of exchanges whose times are known; with `power` also what it draws."""
    held = memory(model, p)
    limit = None if row.memory_gb is None else row.memory_gb * 1e9
    if strict and limit is not None and held.total > limit:
        raise InfeasibleError(
            f"a rank holds {held.total / 1e9:,.0f} GB, '{row.name}' {limit / 1e9:,.0f}; shard or recompute more"
        )
    parts = compute(amounts(model, p), p.precision, row, a, updated(model, p))
    wire = on_the_wire(wires)
    busy, bubble, exposed = timeline(parts, wire, p, a)
    step = busy + bubble + fsum(exposed.values())
    tokens = (p.global_batch or 1) * (p.sequence or model.sequence)
    useful = tokens * model.train_flops(p.sequence or model.sequence) * (2 / 3 if p.adapters else 1)
    mfu = useful / step / (p.ranks * precision(p.precision).peak_tflops(row) * 1e12)
    network, facility, unpowered = _powers(topology) if power else (None, None, [])
    return TrainingStep(
        topology=topology.name, model=model, accelerators=len(topology.accelerators), parallel=p, exchanges=wires,
        compute=parts, memory=held, memory_limit_bytes=limit, tokens=tokens, step_s=step, compute_s=busy,
        bubble_s=bubble, wire_s=wire, exposed_s=exposed, mfu=mfu, network_power_w=network, facility_power_w=facility,
        said=(*_said(model, p, row, held, limit), *_waits(p, parts, wire), *unpowered, *time_estimates(topology)),
    )  # fmt: skip


def on_the_wire(wires: Sequence[Wired]) -> dict[str, float]:
    """Seconds of a step by dimension, if nothing else ran."""
    return {name: fsum(w.step_s for w in wires if w.exchange.dimension == name) for name in DIMENSIONS}


def timeline(
    parts: Compute, wire: Mapping[str, float], p: Parallel, a: Achieved
) -> tuple[float, float, dict[str, float]]:
    """Seconds of a step that a rank computes, that it waits in the pipeline's bubble, and that each dimension's
    communication shows.

    Communication hides behind what runs beside it, less a share that shows in any case (slices that cannot overlap, and
    multiprocessors that communication takes): tensor parallelism behind matrix products, experts' exchanges behind
    another micro-batch (where the layout overlaps them), ring attention behind attention, the gradients of dp behind
    one micro-batch (FSDP: all of them), the pipeline's hops behind the other micro-batches, but for those that fill and
    drain it.
    """
    m = p.micro_batches
    whole, hop = parts.micro_batch_s, wire["pp"] / (2 * m * p.v)
    fsdp = m if p.zero == 3 else 1
    exposed = {
        "tp": max(a.tp_exposed * wire["tp"], wire["tp"] - m * parts.gemm_s),
        "cp": max(0.0, wire["cp"] - m * parts.attention_s),
        "ep": max(a.ep_exposed * wire["ep"], wire["ep"] - m * whole) if p.hides else wire["ep"],
        "dp": max(a.dp_exposed * wire["dp"], wire["dp"] - fsdp * whole),
        "pp": 2 * (p.pp - 1) * hop + max(0.0, wire["pp"] - m * whole),
    }
    inside = m * whole + exposed["tp"] + exposed["cp"] + exposed["ep"]
    return m * whole + parts.update_s, bubble_s(p, parts, inside / m), exposed


def updated(model: Model, p: Parallel) -> float:
    """Parameters whose optimizer's state a rank keeps."""
    if p.adapters:
        return 0.0
    dense, experts = held_params(model, p)
    return dense / (p.shards if p.zero else 1) + experts / (p.expert_shards if p.zero else 1)


def _powers(topology: Topology) -> tuple[float | None, float | None, list[str]]:
    """Watts of network and facility, and why there are none."""
    network = network_power(topology).total_w
    try:
        site = site_power(topology)
    except ConfigError as reason:
        return network, None, [f"no power of the site: {reason}"]
    return network, site.facility_w.typical, list(site.estimates)


def _waits(p: Parallel, parts: Compute, wire: Mapping[str, float]) -> list[str]:
    """What a step waits for that another layout would not."""
    told = []
    if parts.launch_s > parts.work_s:
        told.append("hosts launch kernels for longer than these run: graphs=true is a step as one captured graph")
    if wire["ep"] > 0 and not p.hides:
        told.append("experts' exchanges show in whole: v=2, schedule=dualpipe or overlap=true hides them")
    return told


def _said(model: Model, p: Parallel, row: Accelerator, held: Memory, limit: float | None) -> list[str]:
    """What a step stands on, for its reader."""
    said = ["achieved rates and exposed shares are fitted to published steps: fabric/workloads/steps/achieved.toml"]
    if generation_of(row.name) is None:
        said.append(f"no published step is of {row.name}: achieved rates are those of others at its power")
    if not model.moe_latent and model.expert_ffn > widest_experts():
        what = f"experts {model.expert_ffn:,} wide, published steps have {widest_experts():,.0f} at most"
        said.append(f"{what}: their rate is continued towards that of dense products (estimate)")
    if model.layers % (p.pp * p.v):
        said.append(f"{model.layers} layers in {p.pp * p.v} chunks: an average stage, the fullest has more")
    if p.cp > most_cp():
        what = f"cp = {p.cp}, published steps have {most_cp()} at most"
        said.append(f"{what}: that attention loses nothing and hides its exchanges is continued (estimate)")
    if p.pp > 1 and model.layers % p.pp == 0:
        said.append("the output layer counts as spread over the stages; where these are equal the last has it beside")
    if limit is not None and held.total > limit:
        said.append(f"a rank holds {held.total / 1e9:,.0f} GB, more than the {limit / 1e9:,.0f} of {row.name}")
    if p.mtp:
        said.append("heads for further tokens: what they compute is counted, not their memory and exchanges")
    if p.sp and p.tp > 1:
        said.append("tensor parallelism: a second gather of activations in the backward pass is not counted")
    if p.zero in (1, 2) and p.replicas > 1:
        said.append("the gather of weights takes as long as the scatter of gradients, whose mirror image it is")
    if p.ep > 1:
        said.append("experts: even loads, raw rates; a token travels once to a rank, or to a domain and on inside it")
    if model.note:
        said.append(f"{model.title}: {model.note}")
    return said
