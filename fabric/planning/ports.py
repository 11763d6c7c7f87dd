"""Ports: which port of which circuit switch leads to which block, and the circuits on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.planning.wiring import Counts, Kind, Wiring
from topologies.circuits import SIDE_A, CircuitLayer
from topologies.errors import TopologyError

UNKNOWN_PART = "unknown"
RATE_GBPS = 400.0  # of a link where no layer says it
Crosses = NDArray[np.int32]  # [M, 3]: switch and the two ports of a cross-connect


@dataclass(frozen=True, slots=True, eq=False)
class Slots:
    """What a circuit ends at: a working port, or the pair of ports that a duplex link takes on both sides.

    Ports of one block and side on one switch are interchangeable and make a *pool*: number (switch x 2 + side) x blocks
    + block, side 0 everywhere where circuits join any two ports. `pool` and `port` int32[S] are sorted; a duplex slot
    also has the port `back` on the other side. `usable` is false for a port that has failed or is kept as a spare.
    """

    pool: NDArray[np.int32]
    port: NDArray[np.int32]
    back: NDArray[np.int32]
    usable: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Ports:
    """A live fabric as its planner sees it: wiring, ports and present circuits.

    `circuits` int32[M, 2] are slots joined. `one_sided` says that a circuit joins any two slots of a switch, `lanes`
    how many circuits make a link, `paired` that a link needs as many circuits one way as the other, `rates_gbps`
    float64[N] how fast each block's ends run. `forbidden[k]` bool[P, P], where given, are pairs of ports that switch k
    must not join.
    """

    wiring: Wiring
    parts: Sequence[str]
    slots: Slots
    circuits: NDArray[np.int32]
    one_sided: bool = False
    lanes: int = 1
    paired: bool = False
    rates_gbps: NDArray[np.float64] | None = None
    forbidden: Mapping[int, NDArray[np.bool_]] | None = None

    @property
    def switch_of(self) -> NDArray[np.int32]:
        """int32[S]: the switch of each slot."""
        return (self.slots.pool // (2 * len(self.wiring.blocks))).astype(np.int32)

    @property
    def block_of(self) -> NDArray[np.int32]:
        """int32[S]: the block of each slot."""
        return (self.slots.pool % len(self.wiring.blocks)).astype(np.int32)

    def counts(self, circuits: NDArray[np.int32] | None = None) -> Counts:
        """int16[K, N, N] of circuits, today's by default."""
        own = self.circuits if circuits is None else circuits
        switches, blocks = len(self.wiring.switches), len(self.wiring.blocks)
        first, second = own.T
        key = (self.switch_of[first].astype(np.int64) * blocks + self.block_of[first]) * blocks + self.block_of[second]
        found = np.bincount(key, minlength=switches * blocks * blocks)
        return found.reshape(switches, blocks, blocks).astype(np.int16)

    def crosses(self, circuits: NDArray[np.int32]) -> Crosses:
        """The cross-connects of circuits: one each, two where the wiring is duplex; sorted."""
        first, second = circuits.T
        rows = np.stack([self.switch_of[first], self.slots.port[first], self.slots.port[second]], axis=1)
        if self.wiring.kind == "duplex" and not self.one_sided_ports:
            rows[:, 2] = self.slots.back[second]
            way_back = np.stack([rows[:, 0], self.slots.port[second], self.slots.back[first]], axis=1)
            rows = np.concatenate([rows, way_back])
        return rows[np.lexsort(rows.T[::-1])]

    @property
    def one_sided_ports(self) -> bool:
        """Whether the switches themselves have one side."""
        return bool((self.slots.back < 0).all())

    def links(self, counts: Counts) -> NDArray[np.int64]:
        """int64[N, N]: whole links between blocks, links of a block with itself left out; symmetric unless simplex."""
        total = self.wiring.links(counts)
        if self.paired:
            total = np.minimum(total, total.T)
        total = total // self.lanes
        np.fill_diagonal(total, 0)
        return total

    def pair_rates(self) -> NDArray[np.float64]:
        """float64[N, N]: Gb/s of a link between two blocks, that of the slower end."""
        if self.rates_gbps is None:
            return np.full((len(self.wiring.blocks),) * 2, RATE_GBPS)
        rates: NDArray[np.float64] = np.minimum.outer(self.rates_gbps, self.rates_gbps)
        return rates


def ports_of_layer(layer: CircuitLayer, *, domains: Sequence[int] | None = None) -> Ports:
    """The ports of a CircuitLayer, by block; four failure domains of successive switches unless told otherwise.

    A link of two strands is two circuits, one each way, that may run through different switches: `paired`.
    TopologyError for an any-to-any switch under such links, whose ports do not say which sends and which receives.

    >>> from topologies.registry import build
    >>> ports = ports_of_layer(build("jupiter:blocks=4,uplinks=6").circuits)
    >>> int(ports.links(ports.counts())[0, 1]), ports.wiring.kind
    (2, 'bidi')
    """
    one_sided = layer.last_side == SIDE_A
    if one_sided.any() and (layer.fibres == 2 or not one_sided.all()):
        raise TopologyError(
            "plans need either two-sided circuit switches throughout, or any-to-any ones with modules of one strand"
        )
    any_to_any = bool(one_sided.any())
    blocks = list(dict.fromkeys(layer.blocks))
    place = {name: b for b, name in enumerate(blocks)}
    block_of_end = np.array([place[name] for name in layer.blocks], np.int32)
    device, side, port, end = layer.strands.T
    dead = {tuple(row) for row in layer.failed.tolist()}
    usable = np.array([tuple(row) not in dead for row in layer.strands[:, :3].tolist()], bool)
    kind: Kind = "duplex" if any_to_any else "bidi" if layer.fibres == 1 else "simplex"
    pool = (device.astype(np.int64) * 2 + side) * len(blocks) + block_of_end[end]
    rates = np.full(len(blocks), np.inf)
    np.minimum.at(rates, block_of_end, layer.end_rates_gbps)
    state = np.stack([layer.state[:, 0], np.zeros_like(layer.state[:, 0]), layer.state[:, 1],
                      layer.last_side[layer.state[:, 0]], layer.state[:, 2]], axis=1)  # fmt: skip
    return _assembled(
        kind, blocks, [f"ocs-{k}" for k in range(layer.devices)], [layer.model(k).name for k in range(layer.devices)],
        pool, port, usable, state, one_sided=any_to_any, lanes=layer.lanes, paired=layer.fibres == 2, rates=rates,
        domains=domains,
    )  # fmt: skip


def _assembled(
    kind: Kind,
    blocks: Sequence[str],
    switches: Sequence[str],
    parts: Sequence[str],
    pool: NDArray[np.int64],
    port: NDArray[np.int32],
    usable: NDArray[np.bool_],
    state: NDArray[np.int32],
    *,
    one_sided: bool,
    lanes: int,
    paired: bool,
    rates: NDArray[np.float64] | None,
    domains: Sequence[int] | None,
) -> Ports:
    """`state` is int32[M, 5]: switch, then side and port of either end."""
    order = np.lexsort((port, pool))
    pool, port, usable = pool[order], port[order].astype(np.int32), usable[order]
    K, N = len(switches), len(blocks)
    there = np.bincount(pool[usable], minlength=2 * K * N).reshape(K, 2, N).astype(np.int32)
    north = np.ascontiguousarray(there[:, 0].T)
    south = north if one_sided else np.ascontiguousarray(there[:, 1].T)
    own = np.arange(K) * 4 // K if domains is None else np.asarray(domains)
    wiring = Wiring(kind, blocks, switches, north, south, own.astype(np.int32))
    widest = int(max(port.max(initial=0), state[:, 2::2].max(initial=0))) + 1
    keys = (pool // N).astype(np.int64) * widest + port
    lookup = np.argsort(keys)
    ends = []
    for at in (1, 3):
        wanted = (state[:, 0].astype(np.int64) * 2 + state[:, at]) * widest + state[:, at + 1]
        ends.append(lookup[np.searchsorted(keys[lookup], wanted)])
    slots = Slots(pool.astype(np.int32), port, np.full(len(pool), -1, np.int32), usable)
    circuits = np.stack(ends, axis=1).astype(np.int32)
    return Ports(wiring, parts, slots, circuits, one_sided, lanes, paired, rates)


def ports_of_wiring(wiring: Wiring, counts: Counts, *, part: str = UNKNOWN_PART) -> Ports:
    """A layer made up for a state that is known by blocks only: ports numbered block by block on each side, circuits
    in ascending order.

    >>> two = np.full((2, 1), 2, np.int32)
    >>> wiring = Wiring("bidi", "ab", ["ocs-0"], two, two, np.zeros(1, np.int32))
    >>> up = np.array([[[0, 2], [0, 0]]], np.int16)
    >>> ports = ports_of_wiring(wiring, up)
    >>> ports.crosses(ports.circuits).tolist()
    [[0, 0, 2], [0, 1, 3]]
    """
    wiring.check(counts)
    K, N = len(wiring.switches), len(wiring.blocks)
    one_sided = wiring.kind == "duplex"
    sides = (wiring.north,) if one_sided else (wiring.north, wiring.south)
    pools, numbers = [], []
    for side, there in enumerate(sides):
        each = there.T.ravel()  # by switch, then block
        pool = (np.repeat(np.arange(K), N) * 2 + side) * N + np.tile(np.arange(N), K)
        first = np.concatenate([np.cumsum(row) - row for row in there.T])
        pools.append(np.repeat(pool, each))
        numbers.append(np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each) + np.repeat(first, each))
    pool, port = np.concatenate(pools), np.concatenate(numbers)
    order = np.lexsort((port, pool))
    pool, port = pool[order].astype(np.int32), port[order].astype(np.int32)
    begin = np.searchsorted(pool, np.arange(2 * K * N))
    k, i, j = np.repeat(np.argwhere(counts), counts[counts > 0], axis=0).T
    ends = [(k * 2) * N + i, (k * 2 + (0 if one_sided else 1)) * N + j]
    used = np.concatenate(ends)
    rank = _rank(used)
    slot = begin[used] + rank
    back = port if one_sided else np.full(len(port), -1)
    slots = Slots(pool.astype(np.int32), port.astype(np.int32), back.astype(np.int32), np.ones(len(pool), bool))
    circuits = np.stack([slot[: len(k)], slot[len(k) :]], axis=1).astype(np.int32)
    return Ports(wiring, [part] * K, slots, circuits, one_sided)


def _rank(keys: NDArray[Any]) -> NDArray[np.int64]:
    """How many equal keys stand before each."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.searchsorted(ordered, ordered)
    rank = np.empty(len(keys), np.int64)
    rank[order] = np.arange(len(keys)) - first
    return rank
