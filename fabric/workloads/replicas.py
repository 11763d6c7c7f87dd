"""Replicas: every feasible layout of one, and the best of them for tokens a second of the whole fabric."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fabric.domains import blocks_beside
from fabric.workloads.inference import Inference, Point, infer, prompts_per_s
from fabric.workloads.models.model import Model
from fabric.workloads.serving.calibration import DEFAULT_STACK, cache_format, usable_share
from fabric.workloads.serving.demands import demands
from fabric.workloads.serving.layout import Layout, read_layout
from fabric.workloads.serving.memory_wall import batch_limit
from fabric.workloads.serving.pools import Pool, balanced
from fabric.workloads.steps.parallel import near
from fabric.workloads.steps.splits import AUTO, divisors
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology
from topologies.kinds import Accelerator

_NUMBERS = {"input_tokens": "input", "output_tokens": "output tokens", "concurrency": "concurrency",
            "floor": "min tokens per user", "chunk_tokens": "chunk"}  # fmt: skip
WEIGHTS = "fp8"  # the class that most published rates of serving are in
_BETWEEN = 16  # loads that are tried at once
SPACE = (
    "tp divides the heads and those of keys, or copies them, pp the layers, dp x tp the experts where dp is not 1 "
    "(dense models are copied instead); experts whole on accelerators, or in slices on all of them"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked of a fabric that serves; `weights` are in fp8 by default, on SRAM machines in their own format.
    `concurrency` requests at a time on all of it, None for the whole curve by load. `floor` are tokens a second that
    each user shall get at least. `prefill_replicas`, a number or "auto", prefill only, in the layout `prefill_parallel`
    ("auto" takes that of most prompts a second and accelerator; None is that of the others)."""

    weights: str | None = None
    stack: str | None = None
    input_tokens: float = 1024
    output_tokens: float = 1024
    concurrency: float | None = None
    floor: float | None = None
    micro_batches: int = 1
    chunk_tokens: float | None = None
    prefill_replicas: int | str = 0
    prefill_parallel: str | None = None
    transport: str = "auto"


@dataclass(frozen=True, slots=True)
class Serving:
    """A model served, at its best point; how many layouts there are, fit into memory, and reach the floor; and the
    front of all of these (`front_of`)."""

    inference: Inference
    point: Point
    layouts: int
    fitting: int
    reaching: int
    front: tuple[tuple[Layout, Point], ...] = ()


def best_replica(topology: Topology, model: Model, row: Accelerator, text: str, load: Load) -> Serving:
    """The layout of most tokens a second and accelerator whose users get at least the floor: that of `text`, "tp=8",
    or with "auto" the best of all, all tried that hold the weights.

    InfeasibleError where no layout holds them, or none reaches the floor.

    >>> from fabric.workloads.inference import accelerator_of_fabric
    >>> from fabric.workloads.models.zoo import model
    >>> from topologies.registry import build
    >>> fabric = build("hgx-h100")
    >>> found = best_replica(fabric, model("llama-3.1-70b"), accelerator_of_fabric(fabric), "auto", Load(concurrency=8))
    >>> found.layouts, found.fitting < found.layouts, found.inference.layout.accelerators <= 8
    (11, True, True)
    """
    n = len(topology.accelerators)
    auto, every = layouts_of(text, model, n)
    if auto:
        held = [layout for layout in every if holds(model, row, layout, load)]
        if not held:
            raise InfeasibleError(
                f"no layout of up to {n:,} x {row.name} holds {model.name} in {load.weights or WEIGHTS} and a request"
                f" of {load.input_tokens + load.output_tokens:,.0f} tokens; give more of them, fewer bits or tokens"
            )
    else:
        held = every
    before = prefilling(topology, model, row, load)
    tried = [(one, pool) for one in held for pool in pools_of(topology, model, one, before or one, load)]
    if not tried:
        what = f"{load.prefill_replicas:,} replicas that prefill leave none of {n:,} accelerators for decode"
        raise ConfigError(f"{what}; give fewer")
    served = [(found, best_point(found, load)) for found in (_inferred(topology, model, *one, load) for one in tried)]
    reaching = [(found, point) for found, point in served if point is not None]
    if not reaching:
        fastest = max(point.tokens_per_s_per_user for found, _ in served for point in found.points)
        raise InfeasibleError(
            f"{model.name} on {topology.name} gives a user {fastest:.1f} tokens/s at most, not {load.floor:g}; lower "
            "--min-tokens-per-user"
        )
    inference, point = max(reaching, key=lambda pair: (pair[1].tokens_per_s, -pair[0].layout.accelerators))
    front = front_of([found for found, _ in served])
    return Serving(inference, point, len(every), len(held), len(reaching), front)


def front_of(served: Sequence[Inference]) -> tuple[tuple[Layout, Point], ...]:
    """Points of all layouts that no other has both a faster user and more tokens a second than, the fastest user first:
    what a fabric can trade the one for the other.

    >>> from fabric.workloads.models.zoo import model
    >>> from topologies.registry import build
    >>> both = [infer(build("hgx-h100"), model("llama-3.1-70b"), Layout(tp=tp), concurrency=[8]) for tp in (4, 8)]
    >>> [str(layout) for layout, _ in front_of(both)]
    ['tp=8', 'tp=4']
    """
    every = [(one.layout, point) for one in served for point in one.points]
    front: list[tuple[Layout, Point]] = []
    for layout, point in sorted(every, key=lambda pair: (-pair[1].tokens_per_s_per_user, -pair[1].tokens_per_s)):
        if not front or point.tokens_per_s > front[-1][1].tokens_per_s:
            front.append((layout, point))
    return tuple(front)


def layouts_of(text: str, model: Model, accelerators: int) -> tuple[bool, list[Layout]]:
    """Are layouts searched, and which there are: all for "auto", those with tp = 8 for "auto,tp=8".

    >>> from fabric.workloads.models.zoo import model
    >>> found = layouts_of("auto,tp=4", model("llama-3.1-8b"), 8)[1]
    >>> [str(one) for one in found]
    ['tp=4', 'tp=4,pp=2']
    """
    words = [word.strip() for word in text.split(",")]
    if AUTO not in words:
        one = read_layout(text).checked(model)
        if one.dp > 1 and not model.moe_layers:
            what = f"dp = {one.dp} of {model.name}, which has no experts: its copies are replicas"
            raise ConfigError(f"{what}; leave dp out")
        if model.heads % one.tp:
            what = f"tp = {one.tp} does not divide the {model.heads} heads of {model.name}"
            raise ConfigError(f"{what}; give {near(one.tp, model.heads)}")
        return False, [one]
    given = {word.partition("=")[0] for word in words if word != AUTO}
    fixed = read_layout(",".join(word for word in words if word != AUTO) or "tp=1")
    every = [one for one in layouts(model, accelerators) if all(getattr(one, k) == getattr(fixed, k) for k in given)]
    if not every:
        raise ConfigError(f"no layout of {model.name} on {accelerators:,} accelerators is '{text:.60}'; give less")
    return True, every


def layouts(model: Model, accelerators: int) -> Iterator[Layout]:
    """Every layout of a replica on at most so many accelerators; `SPACE` says which.

    >>> from fabric.workloads.models.zoo import model
    >>> [str(one) for one in layouts(model("llama-3.1-8b"), 2)]
    ['tp=1', 'pp=2', 'tp=2']
    """
    for tp in filter(model.shards_evenly, divisors(model.heads)):
        for pp in divisors(model.layers):
            for dp in divisors(model.experts) if model.moe_layers else [1]:
                ranks = tp * dp
                spread = model.moe_layers > 0 and model.experts % ranks == 0
                if ranks * pp > accelerators or (dp > 1 and not spread):
                    continue
                yield Layout(tp=tp, pp=pp, dp=dp)
                if spread and ranks > 1:
                    yield Layout(tp=tp, pp=pp, dp=dp, ep=ranks)


def holds(model: Model, row: Accelerator, layout: Layout, load: Load) -> bool:
    """Do the accelerators of a replica hold the weights, and the cache of one request?"""
    weights = load.weights or WEIGHTS
    d = demands(model, row, layout, weights, cache_format(load.stack or DEFAULT_STACK, weights))
    return bool(batch_limit(d, np.array([load.input_tokens + load.output_tokens / 2]), usable_share())[0] >= 1)


def prefilling(topology: Topology, model: Model, row: Accelerator, load: Load) -> Layout | None:
    """The layout of replicas that only prefill: as told, or of those that hold the weights the one of most prompts a
    second and accelerator; None where they are laid out as those that decode."""
    if not load.prefill_replicas or load.prefill_parallel is None:
        return None
    _, every = layouts_of(load.prefill_parallel, model, len(topology.accelerators))
    held = [layout for layout in every if holds(model, row, layout, load)]
    if not held:
        raise InfeasibleError(f"'{load.prefill_parallel}' holds no {model.name} to prefill; give more accelerators")

    def rate(layout: Layout) -> float:
        return _prompts_per_s(topology, model, layout, load) / layout.accelerators

    return max(held, key=rate)


def pools_of(topology: Topology, model: Model, layout: Layout, before: Layout, load: Load) -> list[Pool | None]:
    """The pools of replicas that prefill beside which a layout is tried. None: its own prefill, too. With "auto" both
    are tried, the pool as large as keeps the others busy."""
    if load.prefill_replicas == 0:
        return [None]
    if load.prefill_replicas != AUTO:
        count = int(load.prefill_replicas)
        room = blocks_beside(topology, layout.accelerators, count, before.accelerators)
        return [Pool(before, count)] if room > 0 else []
    if blocks_beside(topology, layout.accelerators, 1, before.accelerators) < 1:
        return [None]
    points = _inferred(topology, model, layout, Pool(before, 1), load).points
    fast = [p.running * p.tokens_per_s_per_user for p in points if p.tokens_per_s_per_user >= (load.floor or 0)]
    if not fast:
        return [None]
    prefill_rate = _prompts_per_s(topology, model, before, load) * load.output_tokens
    count = balanced(topology, layout, before, prefill_rate, max(fast))
    return [None, *([Pool(before, count)] if count else [])]


def _prompts_per_s(topology: Topology, model: Model, layout: Layout, load: Load) -> float:
    return prompts_per_s(
        topology, model, layout, weights=load.weights or WEIGHTS, stack=load.stack, input_tokens=load.input_tokens,
        transport=load.transport,
    )  # fmt: skip


def _inferred(topology: Topology, model: Model, layout: Layout, pool: Pool | None, load: Load) -> Inference:
    """A layout beside a pool that prefills under the load: its share of the requests to each replica, one at least;
    the others idle."""
    before, count = (None, 0) if pool is None else (pool.layout, pool.replicas)
    decoding = blocks_beside(topology, layout.accelerators, count, (before or layout).accelerators)
    share = None if load.concurrency is None else load.concurrency / max(decoding, 1)
    each: Sequence[float] | None = None if share is None else (max(1.0, share),)
    busy = 1.0 if share is None else min(1.0, share)

    def at(loads: Sequence[float] | None) -> Inference:
        return infer(
            topology, model, layout, weights=load.weights or WEIGHTS, stack=load.stack, input_tokens=load.input_tokens,
            output_tokens=load.output_tokens, concurrency=loads, micro_batches=load.micro_batches,
            chunk_tokens=load.chunk_tokens, prefill_replicas=count, prefill_layout=before,
            transport=load.transport,
        )  # fmt: skip

    found = at(each)
    if each is None:
        found = found if load.floor is None else with_most(found, load.floor, at)
        return found if pool is None else with_least(found, at)
    return found if busy == 1.0 else replace(found, points=tuple(idling(point, busy) for point in found.points))


def with_most(found: Inference, floor: float, at: Callable[[Sequence[float]], Inference]) -> Inference:
    """A curve with the point of the most requests that all get the floor of tokens a second, where it lies between two
    of its points; `at` gives the points of other loads. A user's speed falls with the load."""
    return _with_edge(found, at, lambda point: point.tokens_per_s_per_user >= floor, 0)


def with_least(found: Inference, at: Callable[[Sequence[float]], Inference]) -> Inference:
    """A curve with the point of the fewest requests that fill what limits all beyond it: prefill elsewhere, or the way
    from there. More only wait for their first token."""
    top = max(point.tokens_per_s for point in found.points)
    return _with_edge(found, at, lambda point: point.tokens_per_s < top, 1)


def _with_edge(
    found: Inference, at: Callable[[Sequence[float]], Inference], holds: Callable[[Point], bool], side: int
) -> Inference:
    """A curve with its last point that something holds for (`side` 0), or the next one for which it does not (1)."""
    beyond = next((i for i, p in enumerate(found.points) if not holds(p)), 0)
    if not beyond:
        return found
    low, high = found.points[beyond - 1], found.points[beyond]
    while high.concurrency - low.concurrency > 1:
        between = np.unique(np.linspace(low.concurrency, high.concurrency, _BETWEEN + 2).astype(int))[1:-1]
        for point in at([float(load) for load in between]).points:
            if holds(point):
                low = point
            elif point.concurrency < high.concurrency:
                high = point
    points = {p.concurrency: p for p in (*found.points, (low, high)[side])}
    return replace(found, points=tuple(points[load] for load in sorted(points)))


def idling(point: Point, busy: float) -> Point:
    """A point where only a share of the replicas has a request."""

    def part(value: float | None) -> float | None:
        return None if value is None else value * busy

    return replace(
        point, users=point.users * busy, tokens_per_s=point.tokens_per_s * busy,
        tokens_per_s_per_accelerator=point.tokens_per_s_per_accelerator * busy,
        tokens_per_j_rack=part(point.tokens_per_j_rack), tokens_per_j_facility=part(point.tokens_per_j_facility),
    )  # fmt: skip


def best_point(found: Inference, load: Load) -> Point | None:
    """The point of most tokens a second that gives each user the floor; None where none does. Among equals the first:
    beyond the memory wall more requests only wait."""
    fast = [p for p in found.points if load.floor is None or p.tokens_per_s_per_user >= load.floor]
    return max(fast, key=lambda p: p.tokens_per_s) if fast else None


def checked(load: Load) -> Load:
    """Itself; ConfigError for a load that nobody could ask."""
    for name, what in _NUMBERS.items():
        value, low = getattr(load, name), 0 if name == "floor" else 1
        if value is not None and not (value > 0 and low <= value < 1e12):
            raise ConfigError(f"{what} = {value:g} is not a number {'from 1 on' if low else 'above 0'}")
    count = load.prefill_replicas
    if count != AUTO and not (isinstance(count, int) and count >= 0):
        raise ConfigError(f"prefill replicas = '{count!s:.40}' are no number from 0 on, nor auto")
    if load.prefill_parallel is not None and not count:
        raise ConfigError("a layout of replicas that prefill is given, and none of them; give prefill replicas as well")
    return load


def check_context(model: Model, load: Load) -> None:
    """ConfigError for requests that are longer than a model's context."""
    asked = load.input_tokens + load.output_tokens
    if asked > model.sequence:
        what = f"prompts and answers of {asked:,.0f} tokens together exceed the {model.sequence:,} of {model.name}"
        raise ConfigError(f"{what}; give fewer, or a file of the model with a longer sequence")
