"""Inference on a fabric: a model served by replicas, one user's speed against the rate of all, and what binds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fabric.domains import blocks_beside, blocks_of
from fabric.powering import site_power
from fabric.results import accelerator_of
from fabric.workloads.models.model import Model
from fabric.workloads.models.precisions import precision
from fabric.workloads.serving.batching import Requests, Served, serve
from fabric.workloads.serving.calibration import (
    DEFAULT_STACK,
    Floats,
    cache_format,
    calibration,
    constants,
    generation_of,
    own_reductions,
    reads_by_head,
    usable_share,
)  # fmt: skip
from fabric.workloads.serving.demands import Demands, demands
from fabric.workloads.serving.exchanges import exchanges
from fabric.workloads.serving.layout import Layout
from fabric.workloads.serving.memory_wall import batch_limit, request_bytes, weights_bytes
from fabric.workloads.serving.phases import prefill
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology, once
from topologies.kinds import Accelerator

CONCURRENCIES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
MOST = 2**20  # requests of one replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One load. Seconds to the first token and per further one, with the 90 % interval of the latter; rates of output
    tokens per user, per accelerator of the fabric and of all of it; energy where the fabric's is known. `wall` binds:
    memory bandwidth, memory capacity (no further request fits), compute, fabric latency, fabric bandwidth, launch, or
    prefill of others' prompts. `shares` of a token's time by these add up to it; `hidden_s` of exchanges is no part."""

    concurrency: float  # of one replica
    running: float
    users: float  # requests that run on the whole fabric
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
    hidden_s: float  # of exchanges, behind the work of the other micro-batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """A model on a fabric: its layout, how many replicas, how many requests fit into one, and the curve of its points
    by load. `prefill_replicas` of them, of `prefill_layout`, and `transfer_s`, of a prompt's cache over the fabric,
    where phases are apart."""

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
    prefill_layout: Layout | None
    input_tokens: float
    output_tokens: float
    batch_limit: int
    weights_gb: float  # of an accelerator
    cache_bytes_per_token: float
    request_gb: float  # of a request half way, on each accelerator that holds it
    transfer_s: float | None
    prefill_s: float
    points: tuple[Point, ...]
    estimates: tuple[str, ...]

    @property
    def laid_out(self) -> str:
        """Its replicas in words."""
        decoding = self.replicas - self.prefill_replicas
        told = f"{decoding:,} x {self.layout}"
        if self.prefill_layout is not None:
            told += f", {self.prefill_replicas:,} x {self.prefill_layout} to prefill,"
        return f"{told} in {self.weights}"

    def at_speed(self, tokens_per_s_per_user: float) -> Point | None:
        """The point of the highest rate that gives a user this speed; None where none does."""
        fast = [p for p in self.points if p.tokens_per_s_per_user >= tokens_per_s_per_user]
        return max(fast, key=lambda p: p.tokens_per_s_per_accelerator) if fast else None


def infer(
    topology: Topology, model: Model, layout: Layout, *, weights: str = "fp8", cache: str | None = None,
    stack: str | None = None, input_tokens: float = 1024, output_tokens: float = 1024,
    concurrency: Sequence[float] | None = None, micro_batches: int = 1, chunk_tokens: float | None = None,
    prefill_replicas: int = 0, prefill_layout: Layout | None = None, transport: str = "auto",
) -> Inference:  # fmt: skip
    """A model served on a fabric by as many replicas of a layout as it holds, at each `concurrency` of a replica: by
    default at powers of two up to what fits, and at what fits.

    `micro_batches` 2 hides exchanges of one half of a batch behind the other's work; `chunk_tokens` prefills so many
    tokens a step; `prefill_replicas` more, of `prefill_layout` (that of the others by default), prefill only and send
    the cache over the fabric. An unknown `stack` (None) is taken for vLLM, with the interval of all stacks.

    InfeasibleError where the weights and one request do not fit; ConfigError for other misfits.

    >>> from fabric.workloads.models.zoo import model
    >>> from topologies.registry import build
    >>> found = infer(build("hgx-h100"), model("llama-3.1-70b"), Layout(tp=8), concurrency=[1, 64])
    >>> found.points[0].tokens_per_s_per_user > found.points[1].tokens_per_s_per_user, found.points[0].wall
    (True, 'launch')
    """
    row, served_by = accelerator_of_fabric(topology), stack or DEFAULT_STACK
    cache = cache or cache_format(served_by, weights)
    d, n = demands(model, row, layout, weights, cache, reads_by_head(served_by)), len(topology.accelerators)
    before = prefill_layout or layout
    decoding = _replicas(topology, layout, before, prefill_replicas)
    context = np.array([input_tokens + output_tokens / 2])
    limit = _limit(d, row, model, layout, context)
    c = calibration(generation_of(row.name), served_by, weights)
    reductions = transport == "auto" and own_reductions(served_by)
    ex = exchanges(topology, model, layout, transport, reductions)
    loads = np.array(sorted(_loads(limit) if concurrency is None else concurrency), float)
    if not (loads > 0).all():
        raise ConfigError(f"concurrency = {loads.min():g} is no number of requests; give 1 or more")
    asked = _requests(loads, input_tokens, output_tokens, apart=prefill_replicas > 0)
    found = serve(d, c, ex, asked, micro_batches, usable_share(), chunk_tokens)
    prompting, moved = found, None
    if prefill_replicas:
        moved = transfer_seconds(topology, d, layout, before, input_tokens, transport)
    if prefill_replicas and before != layout:
        pd = demands(model, row, before, weights, cache, reads_by_head(served_by))
        _check_fits(pd, row, model, before)
        alone = replace(asked, concurrency=np.ones_like(loads))  # what waits, waits for all of them
        prompting = serve(pd, c, exchanges(topology, model, before, transport, reductions), alone, 1, usable_share())
    deciding = _Deciding(topology, before, decoding, prefill_replicas, moved, stack, asked, prompting)
    points = deciding.points(found)
    used = decoding * layout.accelerators + prefill_replicas * before.accelerators
    said = [*ex.said, *_said(row, weights, stack, served_by), *_idle(n, used)]
    said += [f"{model.title}: {model.note}"] if model.note else []
    said += _halves(micro_batches, points)
    return Inference(
        topology=topology.name, model=model.name, accelerator=row.name, accelerators=n, stack=served_by,
        weights=weights, cache=cache, layout=layout, replicas=decoding + prefill_replicas,
        prefill_replicas=prefill_replicas, prefill_layout=before if prefill_replicas else None,
        input_tokens=input_tokens, output_tokens=output_tokens, batch_limit=limit,
        weights_gb=float(weights_bytes(d)[0]) / 1e9, cache_bytes_per_token=float(d.cache_bytes[0]),
        request_gb=float(request_bytes(d, context)[0]) / 1e9, transfer_s=moved,
        prefill_s=float(prompting.prefill.time_s[0]), points=points, estimates=tuple(said),
    )  # fmt: skip


def prompts_per_s(
    topology: Topology, model: Model, layout: Layout, *, weights: str = "fp8", stack: str | None = None,
    input_tokens: float = 1024, transport: str = "auto",
) -> float:  # fmt: skip
    """Prompts a second of one replica that only prefills, every attention group one at a time."""
    row, served_by = accelerator_of_fabric(topology), stack or DEFAULT_STACK
    d = demands(model, row, layout, weights, cache_format(served_by, weights), reads_by_head(served_by))
    c = calibration(generation_of(row.name), served_by, weights)
    ex = exchanges(topology, model, layout, transport, transport == "auto" and own_reductions(served_by))
    return layout.dp / float(prefill(d, c, ex, d.dp, np.array([input_tokens])).marginal_s[0])


def transfer_seconds(
    topology: Topology, d: Demands, layout: Layout, before: Layout, tokens: float, transport: str = "auto"
) -> float:
    """A prompt's cache from a replica that prefills to one of a layout that decodes, every accelerator of the latter
    its own part, over the fabric."""
    from fabric.patterns import pattern_of
    from fabric.timing import Assumptions, candidates

    n = len(topology.accelerators)
    apart = max(layout.accelerators, before.accelerators)
    if apart >= n:
        raise ConfigError(f"{layout} and {before} do not fit on {n} accelerators; give smaller layouts")
    pattern = pattern_of(topology, "permutation", shift=apart)
    plans = candidates(topology, pattern, Assumptions(transport="ideal" if transport == "auto" else transport))
    holders = float((d.cache_ranks * d.pp)[0])
    return float(min(plan.time_s(float(d.kept_bytes(np.array([tokens]))[0]) / holders) for plan in plans))


@dataclass(frozen=True, slots=True)
class _Deciding:
    """What turns a replica's figures into points of the fabric."""

    topology: Topology
    prefill_layout: Layout
    decoding: int
    prefill_replicas: int
    transfer_s: float | None
    stack: str | None
    asked: Requests
    prompting: Served  # what prefills: the same replicas, or others

    def points(self, found: Served) -> tuple[Point, ...]:
        watts = provisioned_watts(self.topology)
        return tuple(self._point(found, i, watts) for i in range(len(self.asked.concurrency)))

    def _point(self, found: Served, i: int, watts: tuple[float, float] | None) -> Point:
        decoding, first = self.decoding, float(self.prompting.first_token_s[i]) + (self.transfer_s or 0.0)
        answer = float(self.asked.output_tokens[i])
        token_s, (low, high) = float(found.token_s[i]), _interval(self.stack)
        shares = _shares(found, i)
        full = self.asked.concurrency[i] >= found.fits[i]
        wall = "memory capacity" if full else max(shares, key=lambda name: shares[name])
        limits = [(wall, float(found.tokens_per_s[i]) * decoding), *self._prompts(i)]
        wall, rate = min(limits, key=lambda pair: pair[1])
        step = found.step
        if self.prefill_replicas:  # in a closed loop requests that do not decode are before their first token
            users = float(self.asked.concurrency[i]) * decoding
            first = max(first, users * answer / rate - (answer - 1) * token_s)
        return Point(
            concurrency=float(self.asked.concurrency[i]), running=float(found.running[i]),
            users=float(found.running[i]) * decoding, first_token_s=first,
            token_s=token_s, token_low_s=token_s * low, token_high_s=token_s * high,
            worst_token_s=float(found.worst_token_s[i]), tokens_per_s_per_user=1 / token_s,
            tokens_per_s_per_accelerator=rate / len(self.topology.accelerators), tokens_per_s=rate,
            tokens_per_j_rack=None if watts is None else rate / watts[0],
            tokens_per_j_facility=None if watts is None else rate / watts[1], wall=wall, shares=shares,
            hidden_s=float(np.broadcast_to(step.hidden_s, found.token_s.shape)[i]),
        )  # fmt: skip

    def _prompts(self, i: int) -> list[tuple[str, float]]:
        """Tokens a second for which replicas of their own prefill prompts, and the fabric moves their caches, one at a
        time from each replica and into each; empty where decode has no such limit."""
        if not self.prefill_replicas:
            return []
        answer = float(self.asked.output_tokens[i])
        round_s = np.broadcast_to(self.prompting.round.marginal_s, self.asked.output_tokens.shape)
        pairs = min(self.prefill_replicas, self.decoding)
        limits = [("prefill", self.prefill_replicas * self.prefill_layout.dp * answer / float(round_s[i]))]
        return limits + ([("fabric bandwidth", pairs * answer / self.transfer_s)] if self.transfer_s else [])


def _shares(found: Served, i: int) -> dict[str, float]:
    """What a token's time is spent on. Work and launches run side by side, as the root of the sum of squares: each
    has the part that its square has of it, so that all add up, and a part says what shortening it would gain."""
    step = found.step
    alone = step.work_s + step.exchange_s - step.hidden_s
    beside = np.hypot(alone, step.launch_s)
    weight, shown = alone / beside, 1 - step.hidden_s / np.maximum(step.exchange_s, np.finfo(float).tiny)
    parts = {
        "memory bandwidth": (step.work_s - step.arithmetic_s) * weight, "compute": step.arithmetic_s * weight,
        "fabric latency": (step.fabric_latency_s + step.sync_s) * shown * weight,
        "fabric bandwidth": step.fabric_bytes_s * shown * weight,
        "launch": step.launch_s**2 / beside + step.overhead_s, "prefill": found.token_s - step.time_s,
    }  # fmt: skip
    values = {name: float(np.broadcast_to(value, found.token_s.shape)[i]) for name, value in parts.items()}
    return {name: value / float(found.token_s[i]) for name, value in values.items()}


def _requests(loads: Floats, inputs: float, outputs: float, apart: bool) -> Requests:
    alike = np.ones_like(loads)
    return Requests(
        input_tokens=alike * inputs, output_tokens=alike * outputs, concurrency=loads, static=alike * 0,
        lockstep=alike * 0, apart=alike * apart,
    )  # fmt: skip


def _loads(limit: int) -> list[int]:
    """Loads of a curve: powers of two below what fits, and what fits.

    >>> _loads(52)
    [1, 2, 4, 8, 16, 32, 52]
    """
    most = min(limit, MOST)
    return [*(2**k for k in range(most.bit_length()) if 2**k < most), most]


def _replicas(topology: Topology, layout: Layout, before: Layout, prefill: int) -> int:
    """How many replicas decode; ConfigError where none does."""
    accelerators = len(topology.accelerators)
    if not blocks_of(topology, layout.accelerators):
        each = f"a replica of {layout} takes {layout.accelerators:,} accelerators"
        raise ConfigError(f"{each}, the fabric has {accelerators:,}; give a smaller layout")
    found = blocks_beside(topology, layout.accelerators, prefill, before.accelerators)
    if found < 1:
        held = f"{prefill:,} replicas of {before} that prefill leave none of {layout} to decode"
        raise ConfigError(f"{held} on {accelerators:,} accelerators; give fewer or smaller ones")
    return found


def _limit(d: Demands, row: Accelerator, model: Model, layout: Layout, context: Floats) -> int:
    """How many requests fit into a replica; InfeasibleError where not one does."""
    _check_fits(d, row, model, layout)
    limit = int(batch_limit(d, context, usable_share())[0])
    if limit < 1:
        held = f"{model.name} with {layout} leaves no room on {row.name} for the cache of one request"
        size_gb = float(request_bytes(d, context)[0]) / 1e9
        raise InfeasibleError(f"{held}, {size_gb:,.1f} GB; give more shards, or fewer tokens")
    return limit


def _check_fits(d: Demands, row: Accelerator, model: Model, layout: Layout) -> None:
    held, memory = float(weights_bytes(d)[0]), float(d.memory_bytes[0]) * usable_share()
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
    """Provisioned watts of racks and network, and of the facility at its PUE; None where the catalogue has none."""
    try:
        site = site_power(topology)
    except ConfigError:
        return None
    return site.it_w.maximum, site.it_w.maximum * site.pue


def _interval(stack: str | None) -> tuple[float, float]:
    low, high = constants()["interval"]["known_stack" if stack else "unknown_stack"]
    return float(low), float(high)


def _idle(accelerators: int, used: int) -> list[str]:
    idle = accelerators - used
    return [f"{idle:,} of {accelerators:,} accelerators are in no replica: rates and watts count them"] if idle else []


def _halves(micro_batches: int, points: Sequence[Point]) -> list[str]:
    if micro_batches == 1 or any(point.hidden_s for point in points):
        return []
    return ["two micro-batches: exchanges are shorter than a second reading of the weights, and none is hidden"]


def _said(row: Accelerator, weights: str, stack: str | None, served_by: str) -> list[str]:
    said = [] if stack else [f"stack not given: constants of {served_by}, the interval of all stacks"]
    if generation_of(row.name) not in constants()["generations"]:
        said.append(f"no constants are fitted for {row.name}: those of all accelerators")
    if getattr(row, precision(weights).peak) is None:
        said.append(f"{row.name} has no rate in {weights}: weights are expanded, products run at its 16-bit rate")
    return said
