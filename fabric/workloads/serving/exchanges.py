"""What a layer's exchanges cost on a fabric: collectives priced once by its transport, then read off at any size."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fabric.collectives import collective
from fabric.domains import alone
from fabric.moe import Moe
from fabric.one_sided import carried, crossing, kernel_of, kernel_s
from fabric.patterns import bytes_of, pattern_of
from fabric.timing import Assumptions, candidates
from fabric.workloads.models.model import Model
from fabric.workloads.serving.calibration import Floats
from fabric.workloads.serving.layout import Layout
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology, once
from topologies.registry import build

SIZES: Floats = np.exp2(np.arange(6, 32, dtype=np.float64))  # bytes
TOKENS: Floats = np.exp2(np.arange(20, dtype=np.float64))
ALONE = "alone"  # the spec of one accelerator, which exchanges nothing
OWN = "all-reduces within a domain by the stack's own kernels: its links' latency and rate, and a fitted barrier"
_UNIT = 4096  # tokens that a layer is routed with; loads are proportional


@dataclass(frozen=True, slots=True, eq=False)
class Exchanges:
    """Seconds of collectives of replicas, by row of `all_reduces` [n, SIZES], `experts` [n, TOKENS] (dispatch and
    combine together, by tokens of a rank) and `sends` [n, SIZES] (to the next stage)."""

    all_reduces: Floats
    experts: Floats
    sends: Floats
    said: tuple[str, ...] = ()

    def all_reduce_s(self, size_bytes: Floats) -> Floats:
        """An all-reduce within an attention group."""
        return _read(self.all_reduces, SIZES, size_bytes)

    def experts_s(self, tokens: Floats) -> Floats:
        """Dispatch and combine of one expert layer."""
        return _read(self.experts, TOKENS, tokens)

    def send_s(self, size_bytes: Floats) -> Floats:
        """From a stage to the next."""
        return _read(self.sends, SIZES, size_bytes)

    def taken(self, index: NDArray[np.intp]) -> "Exchanges":
        """Those of an index into the rows."""
        first, second, third = (t if len(t) == 1 else t[index] for t in (self.all_reduces, self.experts, self.sends))
        return Exchanges(first, second, third, self.said)


def stacked_exchanges(each: "list[Exchanges]") -> Exchanges:
    """Many as one, in their order."""
    return Exchanges(
        np.concatenate([e.all_reduces for e in each]), np.concatenate([e.experts for e in each]),
        np.concatenate([e.sends for e in each]),
    )  # fmt: skip


def exchanges(
    topology: Topology, model: Model, layout: Layout, transport: str = "auto", own_reductions: bool = False
) -> Exchanges:
    """The collectives of a replica on the first accelerators of a fabric.

    `own_reductions`: where an attention group lies in one scale-up domain, the serving stack's kernels reduce, at its
    links' latency and rate, in place of a library's; their barrier is the calibration's `sync_s`. An attention group is
    `tp` accelerators that follow one another, so are the experts' ranks of a stage. Where no one-sided kernel is known
    for the accelerator, experts' tokens go at raw link rates, and `said` says so.

    >>> from fabric.workloads.models.zoo import model
    >>> from topologies.registry import build
    >>> ex = exchanges(build("hgx-h100"), model("llama-3.1-70b"), Layout(tp=8))
    >>> 5e-6 < float(ex.all_reduce_s(np.array([16384.0]))[0]) < 5e-5
    True
    """
    n = len(topology.accelerators)
    if layout.accelerators > n:
        raise ConfigError(f"a replica of {layout.accelerators} accelerators does not fit on {n}; give a smaller layout")
    said: list[str] = []
    none = np.zeros((1, 1))
    inside = own_reductions and layout.tp > 1 and _in_one_domain(topology, layout.tp)
    said += [OWN] if inside else []
    reduces = none if layout.tp == 1 else _times(topology, "all-reduce", layout.tp, "ideal" if inside else transport)
    sends = none if layout.pp == 1 else _times(topology, "send-recv", layout.expert_ranks * 2, transport)
    experts = none
    if layout.dp > 1 and model.moe_layers:
        experts, told = _experts(topology, model, layout)
        said.append(told)
    return Exchanges(
        np.broadcast_to(reduces, (1, len(SIZES))), np.broadcast_to(experts, (1, len(TOKENS))),
        np.broadcast_to(sends, (1, len(SIZES))), tuple(filter(None, said)),
    )  # fmt: skip


@lru_cache(maxsize=256)
def priced(
    spec: str, model: Model, layout: Layout, transport: str = "auto", own_reductions: bool = False
) -> Exchanges:
    """The same, of a spec, once for all."""
    return nothing() if spec == ALONE else exchanges(built(spec), model, layout, transport, own_reductions)


def nothing() -> Exchanges:
    """What one accelerator alone exchanges."""
    return Exchanges(np.zeros((1, len(SIZES))), np.zeros((1, len(TOKENS))), np.zeros((1, len(SIZES))))


@lru_cache(maxsize=128)
def built(spec: str) -> Topology:
    """A fabric of its spec, built once."""
    return build(spec)


def _in_one_domain(topology: Topology, ranks: int) -> bool:
    """Do the first ranks lie in one scale-up domain, or is the whole fabric one?"""
    if not topology.domains:
        return alone(topology) or topology.family == "switch"
    return any(ranks - 1 in members and 0 in members for members in topology.domains)


def _times(topology: Topology, name: str, ranks: int, transport: str) -> Floats:
    """Seconds at SIZES of a collective among the first ranks, priced once for all layouts and models."""
    n, known = len(topology.accelerators), _known(topology)
    key = (name, min(ranks, n), transport)
    if key not in known:
        pattern = collective(name, n) if ranks >= n else pattern_of(topology, name, ranks=f"0-{ranks - 1}")
        plans = candidates(topology, pattern, Assumptions(transport=transport))
        known[key] = np.array([[min(plan.time_s(size) for plan in plans) for size in SIZES]])
    return known[key]


@once
def _known(topology: Topology) -> dict[tuple[str, int, str], Floats]:
    """What has been priced on a topology."""
    return {}


def _experts(topology: Topology, model: Model, layout: Layout) -> tuple[Floats, str]:
    """Seconds at TOKENS of dispatch and combine among a stage's ranks, and what they stand on; priced once."""
    known, key = _known_experts(topology), (model, layout.expert_ranks)
    if key not in known:
        known[key] = _priced_experts(topology, model, layout.expert_ranks)
    return known[key]


@once
def _known_experts(topology: Topology) -> dict[tuple[Model, int], tuple[Floats, str]]:
    """What of experts' tokens has been priced on a topology."""
    return {}


def _priced_experts(topology: Topology, model: Model, ranks: int) -> tuple[Floats, str]:
    n = len(topology.accelerators)
    width = model.moe_latent or model.hidden
    layer = Moe(tokens=_UNIT, hidden=width, topk=model.topk, experts=max(model.experts, ranks))
    total, told = np.zeros((1, len(TOKENS))), ""
    for name in ("moe-dispatch", "moe-combine"):
        pattern = pattern_of(topology, name, moe=layer, ranks=None if ranks == n else f"0-{ranks - 1}")
        try:
            kernel = kernel_of(topology, pattern)
            pattern, plan = carried(topology, pattern, Assumptions(), kernel)
            unit = crossing(plan, bytes_of(topology, pattern, None))
            total += [[kernel_s(kernel, unit.with_tokens(int(t))) for t in TOKENS]]
        except InfeasibleError:
            told = "no one-sided kernel is known for this accelerator: experts' tokens at raw link rates"
            plans = candidates(topology, pattern, Assumptions(transport="ideal"))
            size = bytes_of(topology, pattern, None)
            total += [[min(plan.time_s(size * t / _UNIT) for plan in plans) for t in TOKENS]]
    return total, told


def _read(table: Floats, grid: Floats, at: Floats) -> Floats:
    """Rows of a table at positions of its grid, linear between them and beyond: latency and bytes are."""
    at = np.asarray(at, float)
    if not table.any():
        return np.zeros(at.shape)
    place = np.clip(np.floor(np.log2(np.maximum(at, grid[0]) / grid[0])).astype(int), 0, len(grid) - 2)
    row = np.zeros(at.shape, int) if len(table) == 1 else np.arange(len(table))
    low, high = table[row, place], table[row, place + 1]
    share = (at - grid[place]) / (grid[place + 1] - grid[place])
    found: Floats = np.maximum(low + (high - low) * share, table[row, 0])
    return found
