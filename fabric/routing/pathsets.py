"""Path sets: which paths a path-limited routing may use, and the split over them with the least largest utilisation."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cext import PathSet, k_shortest_paths, path_concurrent
from topologies.errors import ConfigError, InfeasibleError

Floats = NDArray[np.float64]
Nodes = NDArray[np.int32]

MAX_PATHS = 4_000_000  # about a gigabyte in the solver
WITHIN_SLACK = 16, 64, 256, 1024  # paths a pair that a search for all within a slack looks for in turn
EXACT_ARCS = 30_000  # arcs of all paths up to which HiGHS answers in a few seconds
SHORTER = 1e-6  # of the utilisation: what a hop costs, so that paths without use for the split stay empty


class Network(Protocol):
    """A graph in CSR: what `Topology.csr()` and a topology with folded hosts have in common."""

    @property
    def indptr(self) -> NDArray[np.int64]: ...
    @property
    def heads(self) -> Nodes: ...
    @property
    def twin(self) -> Nodes: ...
    @property
    def forwards(self) -> NDArray[np.uint8]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """How pairs share their amounts over their paths.

    `fraction` float64[paths] sums to 1 in each pair; `load` float64[A] is what that puts on each arc and `utilisation`
    the largest load over capacity. `lb` and `ub` enclose the largest multiple of the amounts that fits under any split
    of these paths: lb is 1 / utilisation, and `length` float64[A] are the prices that prove ub. `exact` says that a
    linear program was solved.
    """

    paths: PathSet
    fraction: Floats
    load: Floats
    utilisation: float
    lb: float
    ub: float
    length: Floats
    exact: bool

    @property
    def gap(self) -> float:
        """How far lb may be below the optimum, as a share of ub."""
        return 1 - self.lb / self.ub


def ksp_paths(network: Network, source: Nodes, target: Nodes, k: int, threads: int = 0) -> PathSet:
    """The k shortest loopless paths of each pair of nodes, by hops (Yen's algorithm).

    InfeasibleError where they are too many to hold.

    >>> from topologies.registry import build
    >>> mesh = build("full-mesh:n=4").csr()
    >>> np.diff(ksp_paths(mesh, np.array([0], np.int32), np.array([3], np.int32), 3).path_ptr)
    array([1, 2, 2])
    """
    if k < 1:
        raise ConfigError(f"ksp:{k}: give at least one path a pair")
    _limit(f"ksp:{k}", len(source), len(source) * k)
    return PathSet(*k_shortest_paths(network.indptr, network.heads, network.twin, network.forwards,
                                     source, target, k, threads))  # fmt: skip


def slack_paths(network: Network, source: Nodes, target: Nodes, slack: int, threads: int = 0) -> PathSet:
    """Every loopless path of each pair that is at most `slack` hops longer than its shortest.

    InfeasibleError where a pair has more than 1,024 of them, or all pairs too many to hold.

    >>> from topologies.registry import build
    >>> mesh = build("full-mesh:n=5").csr()
    >>> np.diff(slack_paths(mesh, np.array([0], np.int32), np.array([3], np.int32), 1).path_ptr)
    array([1, 2, 2, 2])
    """
    for k in WITHIN_SLACK:
        paths = ksp_paths(network, source, target, k, threads)
        hops, held = np.diff(paths.path_ptr), np.diff(paths.pair_ptr)
        shortest = np.repeat(hops[np.minimum(paths.pair_ptr[:-1], len(hops) - 1)], held)
        within = hops <= shortest + slack
        last = np.maximum(paths.pair_ptr[1:] - 1, 0)
        if not ((held == k) & within[last]).any():
            break
    else:
        raise InfeasibleError(
            f"slack:{slack}: some pairs have more than {k:,} paths that short; take a smaller slack, ksp:K or optimal"
        )
    kept = np.repeat(within, hops)
    path_ptr = np.append(0, np.cumsum(hops[within])).astype(np.int64)
    return PathSet(_pointers(paths.pair[within], len(source)), path_ptr, paths.arcs[kept])


def valiant_paths(network: Network, source: Nodes, target: Nodes, k: int, seed: int = 0, threads: int = 0) -> PathSet:
    """A path for each pair through each of k random middles; each leg is one shortest path.

    Middles are nodes that forward, drawn without repetition by a hash of seed, source, target and middle, so that a
    pair has the same ones in any company. A leg is the first of the shortest paths, always the same one between two
    nodes, as in topobench (ValiantLBPathEvaluator, Kassing et al., SIGCOMM 2017). Where the legs meet, the detour
    between is cut off. Fewer paths where there are fewer middles.

    >>> from topologies.registry import build
    >>> mesh = build("full-mesh:n=5").csr()
    >>> np.diff(valiant_paths(mesh, np.array([0], np.int32), np.array([3], np.int32), 9).path_ptr)
    array([2, 2, 2])
    """
    if k < 1:
        raise ConfigError(f"vlb:{k}: give at least one middle a pair")
    nodes = len(network.indptr) - 1
    _limit(f"vlb:{k}", len(source), len(source) * min(k, nodes))
    pair, middle = _middles(network.forwards, source, target, k, seed)
    ends = np.concatenate([source[pair] * np.int64(nodes) + middle, middle * np.int64(nodes) + target[pair]])
    wanted, leg = np.unique(ends, return_inverse=True)
    start, stop = (wanted // nodes).astype(np.int32), (wanted % nodes).astype(np.int32)
    if not len(wanted):
        return PathSet.empty(len(source))
    legs = ksp_paths(network, start, stop, 1, threads)
    served = np.diff(legs.pair_ptr) > 0
    first, second = leg[: len(pair)], leg[len(pair) :]
    both = served[first] & served[second]
    return _joined(network, legs, pair[both], legs.pair_ptr[first[both]], legs.pair_ptr[second[both]], len(source))


def transit_paths(network: Network, source: Nodes, target: Nodes) -> PathSet:
    """The direct links of each pair and its paths through one other node that forwards: what `te` splits over.

    A pair of nodes that are neither neighbours nor have a common one has no path here.

    >>> from topologies.registry import build
    >>> mesh = build("full-mesh:n=4").csr()
    >>> np.diff(transit_paths(mesh, np.array([0], np.int32), np.array([3], np.int32)).path_ptr)
    array([2, 2, 1])
    """
    nodes = len(network.indptr) - 1
    degree = np.diff(network.indptr)
    _limit("te", len(source), int(degree[source].sum()))
    tails = np.repeat(np.arange(nodes), degree)
    keys = tails * nodes + network.heads
    order = np.argsort(keys, kind="stable")
    pair = np.repeat(np.arange(len(source)), degree[source])
    out = np.arange(len(pair)) + np.repeat(network.indptr[source] - (np.cumsum(degree[source]) - degree[source]),
                                           degree[source])  # fmt: skip
    via = network.heads[out].astype(np.int64)
    wanted = via * nodes + target[pair]
    place = np.searchsorted(keys[order], wanted, side="left")
    on = order[np.minimum(place, len(order) - 1)]
    direct = via == target[pair]
    transit = ~direct & (network.forwards[via] == 1) & (keys[on] == wanted)
    kept = direct | transit
    arcs = np.stack([out, np.where(direct, -1, on)], axis=1)[kept].ravel()
    path_ptr = np.append(0, np.cumsum(np.where(direct[kept], 1, 2)))
    return PathSet(_pointers(pair[kept], len(source)), path_ptr, arcs[arcs >= 0].astype(np.int32))


def least_utilisation(
    network: Network,
    capacity: Floats,
    source: Nodes,
    target: Nodes,
    amount: Floats,
    paths: PathSet,
    *,
    hedge: float = 0.0,
    gap: float = 1e-3,
    time_limit_s: float = 60.0,
    threads: int = 0,
) -> Split:
    """The split of the amounts over the given paths with the least largest load / capacity.

    Exact by a linear program (HiGHS) where the paths are few, with a certified gap by `path_concurrent` otherwise. With
    a `hedge` h in (0, 1] a path may carry at most capacity_p / (h sum of capacities) of its pair, its capacity being
    that of its narrowest arc: 1 leaves the split in proportion to capacity, whatever the demand, and near 0 limits
    nothing (the spread of Poutievski et al., Jupiter Evolving, SIGCOMM 2022, appendix on hedging). InfeasibleError
    where a pair has no path, ConfigError for a hedge outside 0 to 1.

    >>> from topologies.registry import build
    >>> mesh = build("full-mesh:n=4,rate_gbps=8").csr()
    >>> s, t = np.array([0], np.int32), np.array([3], np.int32)
    >>> found = least_utilisation(mesh, mesh.capacity, s, t, np.array([3e9]), transit_paths(mesh, s, t))
    >>> found.fraction.round(6).tolist(), round(found.utilisation, 6)
    ([0.333333, 0.333333, 0.333333], 1.0)
    """
    if not 0 <= hedge <= 1:
        raise ConfigError(f"hedge = {hedge:g} is not in 0 (fit the demand) to 1 (ignore it)")
    held = np.diff(paths.pair_ptr)
    if (held == 0).any():
        lost = int(np.argmin(held))
        raise InfeasibleError(f"no path of the routing leads from node {source[lost]} to node {target[lost]}")
    limit = amount[paths.pair]
    if hedge > 0:
        width = np.minimum.reduceat(capacity[paths.arcs], paths.path_ptr[:-1])
        share = width / np.add.reduceat(width, paths.pair_ptr[:-1])[paths.pair]
        limit = limit * np.minimum(1, share / hedge)
    if len(paths.arcs) <= EXACT_ARCS:
        flow, length = _solved(paths, limit, amount, capacity)
        ub = _bound(paths, limit, amount, capacity, length)
    else:
        found = path_concurrent(
            network.indptr, network.heads, network.twin, capacity, network.forwards, source, target, amount,
            gap=gap, time_limit_s=time_limit_s, paths=paths, limit=limit, threads=threads,
        )  # fmt: skip
        flow, length, ub = found.flow, found.length, found.ub
    load = paths.load(flow, len(capacity))
    utilisation = float((load / capacity).max())
    return Split(
        paths, flow / amount[paths.pair], load, utilisation, 1 / utilisation, max(ub, 1 / utilisation), length,
        len(paths.arcs) <= EXACT_ARCS,
    )  # fmt: skip


def _solved(paths: PathSet, limit: Floats, amount: Floats, capacity: Floats) -> tuple[Floats, Floats]:
    """Flow and lengths of the linear program."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array, csr_array, hstack

    unit, wide = amount.mean(), capacity.mean()
    count, pairs = paths.size, len(amount)
    hops = np.diff(paths.path_ptr)
    used, row = np.unique(paths.arcs, return_inverse=True)
    use = coo_array((np.ones(len(row)), (row, np.repeat(np.arange(count), hops))), (len(used), count))
    own = coo_array((np.ones(count), (paths.pair, np.arange(count))), (pairs, count))
    cost = np.append(SHORTER * hops / float(amount.sum() / unit), 1.0)
    result = linprog(
        cost,
        csr_array(hstack([use, -(capacity[used] / wide)[:, None]])),
        np.zeros(len(used)),
        csr_array(hstack([own, coo_array((pairs, 1))])),
        amount / unit,
        np.stack([np.zeros(count + 1), np.append(limit / unit, np.inf)], axis=1),
        method="highs-ipm",  # with crossover; ten times as fast here as the simplex
    )
    if result.x is None:
        raise InfeasibleError(f"HiGHS found no split over {count:,} paths: {result.message}")
    length = np.zeros(len(capacity))
    length[used] = np.maximum(0, -result.ineqlin.marginals)
    return paths.scaled(np.clip(result.x[:-1] * unit, 0, limit), amount), length


def _bound(paths: PathSet, limit: Floats, amount: Floats, capacity: Floats, length: Floats) -> float:
    """What the lengths prove: capacity @ length over the least that the amounts cost on their paths within limits."""
    cost = paths.cost(length)
    order = np.lexsort((cost, paths.pair))
    room = limit[order]
    before = np.cumsum(room) - room
    before -= before[paths.pair_ptr[:-1]][paths.pair]
    part = np.clip(amount[paths.pair] - before, 0, room)
    return float(capacity @ length / (part @ cost[order]))


def _limit(routing: str, pairs: int, paths: int) -> None:
    if paths > MAX_PATHS:
        raise InfeasibleError(
            f"{routing} over {pairs:,} pairs would hold {paths:,} paths; at most {MAX_PATHS:,} are; "
            "take fewer paths a pair, or --routing optimal"
        )


def _pointers(pair: NDArray[np.int64], pairs: int) -> NDArray[np.int64]:
    """Where the paths of each pair begin, for paths sorted by pair."""
    return np.append(0, np.cumsum(np.bincount(pair, minlength=pairs))).astype(np.int64)


def _middles(
    forwards: NDArray[np.uint8], source: Nodes, target: Nodes, k: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(pair, middle) of the k middles of each pair with the least hashes, or of all if there are fewer."""
    able = np.flatnonzero(forwards)
    pairs, middles = [], []
    rows = max(1, 2**22 // max(1, len(able)))
    for start in range(0, len(source), rows):
        s, t = (ends[start : start + rows, None].astype(np.uint64) for ends in (source, target))
        word = _mixed(_mixed(_mixed(np.uint64(seed & 2**64 - 1) + s) + t) + able.astype(np.uint64))
        word[(able == s) | (able == t)] = 2**64 - 1
        least = np.argsort(word, axis=1, kind="stable")[:, :k]
        pair, place = np.nonzero(np.take_along_axis(word, least, axis=1) < np.uint64(2**64 - 1))
        pairs.append(pair + start)
        middles.append(able[least[pair, place]])
    return np.concatenate(pairs), np.concatenate(middles)


def _mixed(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A hash of 64 bits (splitmix64: Steele, Lea and Flood, OOPSLA 2014)."""
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def _joined(
    network: Network,
    legs: PathSet,
    pair: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    pairs: int,
) -> PathSet:
    """Paths that run one leg and then another, without what lies between two visits to a node."""
    hops = np.diff(legs.path_ptr)
    parts = np.stack([first, second], axis=1).ravel()
    size = hops[parts]
    begin = np.cumsum(size) - size
    arcs = legs.arcs[np.arange(size.sum()) + np.repeat(legs.path_ptr[parts] - begin, size)]
    path_ptr = np.append(begin[::2], size.sum())
    owner = np.repeat(np.arange(len(pair)), np.diff(path_ptr))
    heads, start = network.heads[arcs], network.heads[network.twin[arcs[path_ptr[:-1]]]]
    nodes = len(network.indptr) - 1
    visits = np.unique(np.concatenate([owner * nodes + heads, np.arange(len(pair)) * nodes + start]))
    looped = np.bincount(visits // nodes, minlength=len(pair)) <= np.diff(path_ptr)
    kept = np.ones(len(arcs), bool)
    for path in np.flatnonzero(looped).tolist():
        begins, ends = path_ptr[path], path_ptr[path + 1]
        kept[begins:ends] = _without_detours(int(start[path]), heads[begins:ends].tolist())
    path_ptr = np.append(0, np.cumsum(np.bincount(owner[kept], minlength=len(pair))))
    return PathSet(_pointers(pair, pairs), path_ptr, arcs[kept])


def _without_detours(start: int, heads: list[int]) -> list[bool]:
    """Which steps of a walk remain when all that lies between two visits to a node is cut out."""
    kept = [False] * len(heads)
    way: list[tuple[int, int]] = [(start, -1)]
    for step, node in enumerate(heads):
        nodes = [seen for seen, _ in way]
        if node in nodes:
            del way[nodes.index(node) + 1 :]
        else:
            way.append((node, step))
    for _, step in way[1:]:
        kept[step] = True
    return kept
