"""Rate-optimal trees: a schedule of all-gather or broadcast that attains the bound, tree by tree."""

from dataclasses import dataclass
from fractions import Fraction
from math import gcd

import numpy as np
from numpy.typing import NDArray

from cext import cut_ratio, max_flow, min_connectivity
from fabric.bounding.cuts import is_balanced, whole_capacity
from topologies.errors import InfeasibleError
from topologies.graph import Topology

MAX_RANKS = 256
MAX_NODES = 1024  # of the dense form in which switches are split off

Route = tuple[tuple[int, ...], int]  # nodes passed, and how many trees' worth of it
Edge = tuple[int, int, tuple[Route, ...]]  # from node, to node, by which routes


@dataclass(frozen=True, slots=True)
class Tree:
    """A spanning tree out of a root, `copies` times over; edges in the order in which data can take them."""

    root: int
    copies: int
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Packing:
    """Trees that all run at once: every copy of each carries `rate` bytes/s from its root to all other accelerators.

    `per_byte_s` is the time of a byte of the collective's size; it equals that of the bound.
    """

    trees: tuple[Tree, ...]
    rate: float
    per_byte_s: float


def pack_trees(topology: Topology, collective: str = "all-gather") -> Packing:
    """Trees that attain the bound of an all-gather (one set from every rank) or a broadcast (from rank 0).

    Switches are split off one by one: capacity in and capacity out of a switch become capacity past it, as much as
    no cut forbids (Bang-Jensen, Frank and Jackson, SIAM J. Discrete Math. 8, 1995). What is left joins accelerators
    alone and holds edge-disjoint trees (Edmonds 1973), which are grown many copies at a time, an edge at a time, by
    as much as a max-flow allows (Berczi and Frank 2010; Zhao et al., ForestColl, arXiv:2402.06787, section 5).
    Reverse the trees for reduce-scatter and reduce. Nodes are positions in `topology.nodes`. O(n^2) max-flows.
    InfeasibleError above 256 ranks, and where a switch has not as much capacity in as out.

    >>> from topologies.registry import build
    >>> p = pack_trees(build("ring:n=4,rate_gbps=400")); sum(t.copies for t in p.trees), p.per_byte_s
    (8, 7.5e-12)
    """
    n, nodes = len(topology.accelerators), len(topology.nodes)
    if n > MAX_RANKS or nodes > MAX_NODES:
        raise InfeasibleError(
            f"{topology.name}: trees are packed for up to {MAX_RANKS} accelerators and {MAX_NODES} nodes, "
            f"not {n} and {nodes}; the bound itself has no such limit"
        )
    if not is_balanced(topology):
        raise InfeasibleError(f"{topology.name}: a switch has not as much capacity in as out, so trees may not exist")
    gather = collective == "all-gather"
    if not gather and collective != "broadcast":
        raise InfeasibleError(f"trees are packed for all-gather and broadcast, not for {collective}; reverse those")
    csr = topology.csr()
    whole, unit = whole_capacity(topology)
    ends = csr.accelerators
    best = _best(_dense(csr.tails, csr.heads, whole, nodes), ends, gather)
    scale = gcd(best.numerator, *(whole * best.denominator).tolist())
    copies = best.numerator // scale
    capacity = _dense(csr.tails, csr.heads, whole * best.denominator // scale, nodes)
    rate = float(Fraction(scale, best.denominator) * unit)
    joined = _Joined(capacity, ends, copies, gather)
    for switch in np.setdiff1d(np.arange(nodes), ends).tolist():
        joined.split_off(switch)
    trees = _grow(joined, ends if gather else ends[:1], copies)
    return Packing(trees, rate, 1 / (copies * rate * (n if gather else 1)))


def _dense(
    tails: NDArray[np.int32], heads: NDArray[np.int32], whole: NDArray[np.int64], nodes: int
) -> NDArray[np.int64]:
    capacity = np.zeros((nodes, nodes), np.int64)
    capacity[tails, heads] = whole
    return capacity


def _arrays(
    capacity: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """The kernel's arrays of a dense matrix: an arc each way wherever there is one either way."""
    linked = (capacity > 0) | (capacity.T > 0)
    tails, heads = np.nonzero(linked)
    indptr = np.zeros(len(capacity) + 1, np.int64)
    np.cumsum(linked.sum(axis=1), out=indptr[1:])
    place = np.zeros(capacity.shape, np.int32)
    place[tails, heads] = np.arange(len(tails), dtype=np.int32)
    return indptr, heads.astype(np.int32), place[heads, tails], capacity[tails, heads]


def _best(capacity: NDArray[np.int64], ends: NDArray[np.int32], gather: bool) -> Fraction:
    return Fraction(*_narrowest(capacity, ends, gather)[:2])


def _narrowest(
    capacity: NDArray[np.int64], ends: NDArray[np.int32], gather: bool
) -> tuple[int, int, NDArray[np.uint8]]:
    graph = _arrays(capacity)
    if gather:
        return cut_ratio(*graph, ends, ends)
    value, side = min_connectivity(*graph, int(ends[0]), ends[1:])
    return value, 1, side


class _Joined:
    """Capacities between nodes while switches are split off, and the physical routes that each stands for."""

    def __init__(self, capacity: NDArray[np.int64], ends: NDArray[np.int32], copies: int, gather: bool) -> None:
        self.capacity, self.ends, self.copies, self.gather = capacity, ends, copies, gather
        pairs = zip(*(side.tolist() for side in np.nonzero(capacity)), strict=True)
        self.routes: dict[tuple[int, int], list[Route]] = {(a, b): [((a, b), int(capacity[a, b]))] for a, b in pairs}

    def split_off(self, switch: int) -> None:
        """Lead all capacity of a switch past it, without narrowing the narrowest cut."""
        size = len(self.capacity)
        for b in np.flatnonzero(self.capacity[switch]).tolist():
            into = np.flatnonzero(self.capacity[:, switch])
            near = into[np.argsort((b - into - 1) % size, kind="stable")]
            for a in near.tolist():
                if a != b and self.capacity[switch, b]:
                    self._lead_past(a, switch, b)
        self.capacity[switch], self.capacity[:, switch] = 0, 0

    def _lead_past(self, a: int, switch: int, b: int) -> None:
        """As much from a to b past the switch as every cut allows."""
        amount = int(min(self.capacity[a, switch], self.capacity[switch, b]))
        while amount > 0:
            self._shift(a, switch, b, amount)
            lacking = self._lacking()
            if lacking == 0:
                break
            self._shift(a, switch, b, -amount)
            amount -= lacking
        if amount > 0:
            left, right = self.take(a, switch, amount), self.take(switch, b, amount)
            self.routes.setdefault((a, b), []).extend(_joined_routes(left, right))

    def _shift(self, a: int, switch: int, b: int, amount: int) -> None:
        self.capacity[a, switch] -= amount
        self.capacity[switch, b] -= amount
        self.capacity[a, b] += amount

    def _lacking(self) -> int:
        """What the narrowest set lacks of letting all its ranks' trees out; 0 if none does."""
        p, q, cut = _narrowest(self.capacity, self.ends, self.gather)
        if p >= self.copies * q:
            return 0
        side = cut.astype(bool)
        out = int(self.capacity[np.ix_(side, ~side)].sum())
        return self.copies * (int(side[self.ends].sum()) if self.gather else 1) - out

    def take(self, a: int, b: int, amount: int) -> list[Route]:
        """Remove that much from the routes of a pair."""
        held, taken = self.routes[a, b], []
        while amount:
            path, room = held.pop()
            used = min(room, amount)
            taken.append((path, used))
            amount -= used
            if room > used:
                held.append((path, room - used))
        return taken


def _joined_routes(left: list[Route], right: list[Route]) -> list[Route]:
    """Routes to a switch continued by routes from it, cut to equal amounts."""
    made, left, right = [], left.copy(), right.copy()
    while left:
        (first, a), (second, b) = left.pop(), right.pop()
        used = min(a, b)
        made.append((first + second[1:], used))
        if a > used:
            left.append((first, a - used))
        if b > used:
            right.append((second, b - used))
    return made


@dataclass(slots=True)
class _Growing:
    """Copies of a tree that have reached some nodes."""

    root: int
    copies: int
    reached: list[int]
    edges: list[tuple[int, int]]


def _grow(joined: _Joined, roots: NDArray[np.int32], copies: int) -> tuple[Tree, ...]:
    waiting = [_Growing(int(root), copies, [int(root)], []) for root in roots[::-1]]
    done: list[_Growing] = []
    while waiting:
        tree = waiting.pop()
        _span(joined, tree, waiting)
        done.append(tree)
    return tuple(
        Tree(t.root, t.copies, tuple((a, b, tuple(joined.take(a, b, t.copies))) for a, b in t.edges)) for t in done
    )


def _span(joined: _Joined, tree: _Growing, waiting: list[_Growing]) -> None:
    """Grow a tree to all ranks, from the nodes that data reaches earliest; copies that cannot follow are left waiting.

    An edge once refused stays refused while the tree grows, since capacities only shrink, so each is asked once.
    """
    room = _Room(joined.capacity, waiting)
    missing = set(joined.ends.tolist()) - set(tree.reached)
    for a in tree.reached:  # grows meanwhile
        wide = joined.capacity[a]
        for b in np.argsort(-wide, kind="stable")[: np.count_nonzero(wide)].tolist():
            if b not in missing or wide[b] == 0:
                continue
            amount = min(int(wide[b]), tree.copies, room.allowed(a, b))
            if amount <= 0:
                continue
            room.use(a, b, amount)
            if amount < tree.copies:
                waiting.append(_Growing(tree.root, tree.copies - amount, tree.reached.copy(), tree.edges.copy()))
                tree.copies = amount
                room = _Room(joined.capacity, waiting)
            tree.edges.append((a, b))
            tree.reached.append(b)
            missing.remove(b)
    assert not missing  # trees exist wherever the cuts allow them: Edmonds' theorem


class _Room:
    """How many copies may take an edge and leave room for all other trees.

    A max-flow to the end of the edge from its start, and from the roots or the nodes reached of the other trees, beyond
    what these claim themselves. The graph has a node for every other tree that has grown, and a source.
    """

    def __init__(self, capacity: NDArray[np.int64], waiting: list[_Growing]) -> None:
        nodes = len(capacity)
        grown = [t for t in waiting if len(t.reached) > 1]
        source = nodes + len(grown)
        self.capacity, self.claimed = capacity, sum(t.copies for t in waiting)
        full = np.zeros((source + 1,) * 2, np.int64)
        full[:nodes, :nodes] = capacity
        for t in waiting:
            if len(t.reached) == 1:
                full[source, t.root] = t.copies
        for i, t in enumerate(grown):
            full[source, nodes + i] = t.copies
            full[nodes + i, t.reached] = t.copies
        linked = full.copy()
        linked[source, :nodes] += 1  # an arc to every node: any may be the start of an edge
        self.indptr, self.heads, self.twin, _ = _arrays(linked)
        self.tails = np.repeat(np.arange(source + 1), np.diff(self.indptr))
        self.arcs = full[self.tails, self.heads]
        self.source = np.array([source], np.int32)
        self.checked = False
        self.flood = int(capacity.sum()) + self.claimed + 1

    def allowed(self, a: int, b: int) -> int:
        start = int(self.indptr[self.source[0]]) + a
        own = self.arcs[start]
        self.arcs[start] += self.flood
        graph, end = (self.indptr, self.heads, self.twin, self.arcs), np.array([b], np.int32)
        value, _ = max_flow(*graph, self.source, end, trusted=self.checked)
        self.checked = True
        self.arcs[start] = own
        return value - self.claimed

    def use(self, a: int, b: int, amount: int) -> None:
        """Take capacity from an edge."""
        self.capacity[a, b] -= amount
        row = slice(int(self.indptr[a]), int(self.indptr[a + 1]))
        self.arcs[row.start + int(np.searchsorted(self.heads[row], b))] -= amount
