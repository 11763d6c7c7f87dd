"""Inference on a fabric: a model served by replicas, one user's speed against the rate of all, and what binds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fabric.powering import site_power
from fabric.results import accelerator_of
from fabric.workloads.calibration import DEFAULT_STACK, Calibration, cache_format, calibration, constants, generation_of
from fabric.workloads.demands import Demands, Floats, demands
from fabric.workloads.exchanges import exchanges
from fabric.workloads.layout import Layout
from fabric.workloads.memory_wall import weights_bytes
from fabric.workloads.model import Model
from fabric.workloads.serving import Requests, Served, serve
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology, once
from topologies.kinds import Accelerator

CONCURRENCIES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
USABLE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One load. Seconds to the first token and per further one, with the 90 % interval of the latter; rates of output
    tokens per user, per accelerator and of the whole fabric; energy where the fabric's is known. `wall` binds: memory
    bandwidth, memory capacity, compute, fabric latency, fabric bandwidth, or launch. `shares` of the step by these."""

    concurrency: float  # of one replica
    running: float
    first_token_s: float
    token_s: float
    token_low_s: float
    token_high_s: float
    worst_token_s: float  # of a token behind another's prefill
    tokens_per_s_per_user: float
    tokens_per_s_per_accelerator: float
    tokens_per_s: float
    tokens_per_j_rack: float | None
    tokens_per_j_facility: float | None
    wall: str
    shares: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """A model on a fabric: its layout, how many replicas, how many requests fit into one, and the curve of its points
    by load. `prefill_replicas` and `transfer_s`, of a prompt's cache over the fabric, where phases are apart."""

    topology: str
    model: str
    accelerator: str
    accelerators: int
    stack: str
    weights: str
    cache: str
    layout: Layout
    replicas: int
    prefill_replicas: int
    input_tokens: float
    output_tokens: float
    batch_limit: int
    weights_gb: float  # of an accelerator
    cache_bytes_per_token: float
    transfer_s: float | None
    prefill_s: float
    points: tuple[Point, ...]
    estimates: tuple[str, ...]

    def at_speed(self, tokens_per_s_per_user: float) -> Point | None:
        """The point of the highest rate that gives a user this speed; None where none does."""
        fast = [p for p in self.points if p.tokens_per_s_per_user >= tokens_per_s_per_user]
        return max(fast, key=lambda p: p.tokens_per_s_per_accelerator) if fast else None


def infer(
    topology: Topology, model: Model, layout: Layout, *, weights: str = "fp8", cache: str | None = None,
    stack: str | None = None, input_tokens: float = 1024, output_tokens: float = 1024,
    concurrency: Sequence[float] = CONCURRENCIES, micro_batches: int = 1, chunk_tokens: float | None = None,
    prefill_replicas: int = 0, transport: str = "auto",
) -> Inference:  # fmt: skip
    """A model served on a fabric by as many replicas of a layout as it holds, at each `concurrency` of a replica.

    `micro_batches` 2 hides exchanges of one half of a batch behind the other's work; `chunk_tokens` prefills so many
    tokens a step; `prefill_replicas` of the replicas prefill only and send the cache over the fabric. An unknown
    `stack` (None) is taken for vLLM, with the interval of all stacks.

    InfeasibleError where the weights do not fit; ConfigError for other misfits.

    >>> from fabric.workloads.zoo import model
    >>> from topologies.registry import build
    >>> found = infer(build("hgx-h100"), model("llama-3.1-70b"), Layout(tp=8), concurrency=[1, 64])
    >>> found.points[0].tokens_per_s_per_user > found.points[1].tokens_per_s_per_user, found.points[0].wall
    (True, 'fabric latency')
    """
    row, served_by = accelerator_of_fabric(topology), stack or DEFAULT_STACK
    cache = cache or cache_format(served_by, weights)
    d, n = demands(model, row, layout, weights, cache), len(topology.accelerators)
    replicas = n // layout.accelerators
    if replicas <= prefill_replicas:
        fits = f"{n} accelerators hold {replicas} replicas of {layout}"
        raise ConfigError(f"{fits}, {prefill_replicas} of them for prefill; leave one for decode")
    _check_fits(d, row, model, layout)
    c, ex = calibration(generation_of(row.name), served_by, weights), exchanges(topology, model, layout, transport)
    loads = np.array(sorted(concurrency), float)
    asked = _requests(loads, input_tokens, output_tokens, apart=prefill_replicas > 0)
    found = serve(d, c, ex, asked, micro_batches, USABLE, chunk_tokens)
    moved = transfer_seconds(topology, d, layout, input_tokens, transport) if prefill_replicas else None
    deciding = _Deciding(topology, layout, replicas, prefill_replicas, moved, c, stack, asked)
    said = [*ex.said, *_said(row, stack, served_by)]
    return Inference(
        topology=topology.name, model=model.name, accelerator=row.name, accelerators=n, stack=served_by,
        weights=weights, cache=cache, layout=layout, replicas=replicas, prefill_replicas=prefill_replicas,
        input_tokens=input_tokens, output_tokens=output_tokens, batch_limit=int(found.fits[0]),
        weights_gb=float(weights_bytes(d)[0]) / 1e9, cache_bytes_per_token=float(d.cache_bytes[0]), transfer_s=moved,
        prefill_s=float(found.prefill.time_s[0]), points=deciding.points(found), estimates=tuple(said),
    )  # fmt: skip


def transfer_seconds(topology: Topology, d: Demands, layout: Layout, tokens: float, transport: str = "auto") -> float:
    """A prompt's cache from a prefill replica to another one, every accelerator its own part, over the fabric."""
    from fabric.patterns import pattern_of
    from fabric.timing import Assumptions, candidates

    n = len(topology.accelerators)
    if 2 * layout.accelerators > n:
        raise ConfigError(f"two replicas of {layout} do not fit on {n} accelerators; give a smaller layout")
    pattern = pattern_of(topology, "permutation", shift=layout.accelerators)
    plans = candidates(topology, pattern, Assumptions(transport="ideal" if transport == "auto" else transport))
    holders = float((d.cache_ranks * d.pp)[0])
    return float(min(plan.time_s(float(d.kept_bytes(np.array([tokens]))[0]) / holders) for plan in plans))


@dataclass(frozen=True, slots=True)
class _Deciding:
    """What turns a replica's figures into points of the fabric."""

    topology: Topology
    layout: Layout
    replicas: int
    prefill_replicas: int
    transfer_s: float | None
    constants: Calibration
    stack: str | None
    asked: Requests

    def points(self, found: Served) -> tuple[Point, ...]:
        watts = provisioned_watts(self.topology)
        return tuple(self._point(found, i, watts) for i in range(len(self.asked.concurrency)))

    def _point(self, found: Served, i: int, watts: tuple[float, float] | None) -> Point:
        decoding = self.replicas - self.prefill_replicas
        rate, first = float(found.tokens_per_s[i]) * decoding, float(found.first_token_s[i]) + (self.transfer_s or 0.0)
        if self.prefill_replicas:  # no more answers than prompts
            prompts = self.prefill_replicas / float(np.broadcast_to(found.prefill.marginal_s, found.token_s.shape)[i])
            rate = min(rate, prompts * float(self.asked.output_tokens[i]))
        accelerators = self.replicas * self.layout.accelerators
        token_s, (low, high) = float(found.token_s[i]), _interval(self.stack)
        shares = _shares(found, i)
        full = self.asked.concurrency[i] > found.running[i]
        whole = None if watts is None else (accelerators / len(self.topology.accelerators))
        return Point(
            concurrency=float(self.asked.concurrency[i]), running=float(found.running[i]), first_token_s=first,
            token_s=token_s, token_low_s=token_s * low, token_high_s=token_s * high,
            worst_token_s=float(found.worst_token_s[i]), tokens_per_s_per_user=1 / token_s,
            tokens_per_s_per_accelerator=rate / accelerators, tokens_per_s=rate,
            tokens_per_j_rack=None if watts is None or whole is None else rate / (watts[0] * whole),
            tokens_per_j_facility=None if watts is None or whole is None else rate / (watts[1] * whole),
            wall="memory capacity" if full else max(shares, key=lambda name: shares[name]), shares=shares,
        )  # fmt: skip


def _shares(found: Served, i: int) -> dict[str, float]:
    """What a step is spent on, of its parts' sum."""
    step = found.step
    parts = {
        "memory bandwidth": step.weights_s + step.cache_s, "compute": np.maximum(step.compute_s - step.weights_s, 0),
        "fabric latency": step.fabric_latency_s + step.sync_s, "fabric bandwidth": step.fabric_bytes_s,
        "launch": step.launch_s + step.overhead_s,
    }  # fmt: skip
    values = {name: float(np.broadcast_to(value, found.token_s.shape)[i]) for name, value in parts.items()}
    total = sum(values.values())
    return {name: value / total for name, value in values.items()}


def _requests(loads: Floats, inputs: float, outputs: float, apart: bool) -> Requests:
    alike = np.ones_like(loads)
    return Requests(
        input_tokens=alike * inputs, output_tokens=alike * outputs, concurrency=loads, static=alike * 0,
        lockstep=alike * 0, apart=alike * apart,
    )  # fmt: skip


def _check_fits(d: Demands, row: Accelerator, model: Model, layout: Layout) -> None:
    held, memory = float(weights_bytes(d)[0]), float(d.memory_bytes[0]) * USABLE
    if held > memory:
        raise InfeasibleError(
            f"{model.name} takes {held / 1e9:.1f} GB of weights on each {row.name} with {layout}, which has "
            f"{memory / 1e9:.1f} GB to use; give more shards, or fewer bits"
        )


def accelerator_of_fabric(topology: Topology) -> Accelerator:
    """The accelerator of a fabric; ConfigError where there are several kinds, or none."""
    name = accelerator_of(topology)
    row = None if name is None else topology.catalogue.get(name)
    if not isinstance(row, Accelerator):
        raise ConfigError(f"{topology.name} has accelerators of several kinds or of none; give accelerator=NAME")
    return row


@once
def provisioned_watts(topology: Topology) -> tuple[float, float] | None:
    """Provisioned watts of racks and network, and of the facility; None where the catalogue has none."""
    try:
        site = site_power(topology)
    except ConfigError:
        return None
    return site.it_w.maximum, site.facility_w.maximum


def _interval(stack: str | None) -> tuple[float, float]:
    low, high = constants()["interval"]["known_stack" if stack else "unknown_stack"]
    return float(low), float(high)


def _said(row: Accelerator, stack: str | None, served_by: str) -> list[str]:
    said = [] if stack else [f"stack not given: constants of {served_by}, the interval of all stacks"]
    if generation_of(row.name) not in constants()["generations"]:
        said.append(f"no constants are fitted for {row.name}: those of all accelerators")
    return said
