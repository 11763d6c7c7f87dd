"""Target: how many links each pair of blocks shall have, engineered from a demand and leaning on what is wired."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from fabric.planning.demand import Matrix, port_bound
from fabric.planning.ports import Ports
from fabric.planning.throughput import Carrier
from fabric.planning.wiring import lower_bound
from topologies.errors import ConfigError, InfeasibleError

Links = NDArray[np.int64]  # [N, N], symmetric, zero diagonal
FAINT = 1e-6  # of the largest demand: what pairs without demand weigh, so that scaling has a solution
NEAR = 1e-9  # links that are rounding
MOST_NODES = 2_000  # of the search tree of a rounding
MORE = 1e3  # circuits taken down that one link more in total is worth
GAP = 0.3  # of the cost of a rounding, in circuits: fewest are proven, ties are not
CURVE_GAP = 0.01  # of the throughputs that a curve compares


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Wanted `links` int64[N, N], a rounding of `fraction` float64[N, N] with fewest links taken down: `moved` at
    least. Between `throughput` and `upper` lies the multiple of the demand that they carry; no topology carries more
    than `bound`, ports over the largest row sum."""

    links: Links
    fraction: Matrix
    moved: int
    throughput: float
    upper: float
    bound: float
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The keys of a plan's `target`."""
        return {
            "links": int(np.triu(self.links).sum()),
            "moved_at_least": self.moved,
            "throughput": self.throughput,
            "throughput_upper": self.upper,
            "throughput_bound_of_ports": self.bound,
            "notes": list(self.notes),
        }


def block_links(ports: Ports) -> Links:
    """int64[N]: links that each block can have: its ports, over those that one link takes."""
    out, into = ports.wiring.north.sum(axis=1, dtype=np.int64), ports.wiring.south.sum(axis=1, dtype=np.int64)
    each: Links = (out + into if ports.wiring.kind == "bidi" else np.minimum(out, into)) // ports.lanes
    return each


def circuits_of(ports: Ports, links: Links) -> Links:
    """Circuits that make so many links, as `assign` wants them: `lanes` a link, each way where they are directed."""
    return links * ports.lanes


def engineer(
    ports: Ports,
    demand: Matrix,
    *,
    slack: float = 1.0,
    direct: bool = False,
    seed: int = 0,
) -> Target:
    """The target for a demand (float64[N, N], Gb/s).

    Sinkhorn scaling of the demand to the blocks' links; then whole links within `slack` of it, as many in total as the
    ports allow, connected, with the fewest of today's taken down (HiGHS), ties by `seed`. With `direct` instead the
    largest multiple of the demand that direct links alone carry, and what ports remain spent on what is wired.

    ConfigError for a slack below zero or links that have a direction, InfeasibleError where direct links do not
    suffice for one of every pair.

    >>> from topologies.registry import build
    >>> from fabric.planning.ports import ports_of_layer
    >>> ports = ports_of_layer(build("jupiter:blocks=4,uplinks=6").circuits)
    >>> skewed = np.array([[0, 4, 1, 1], [4, 0, 1, 1], [1, 1, 0, 4], [1, 1, 4, 0]]) * 400.0
    >>> engineer(ports, skewed, slack=0).links[0].tolist(), engineer(ports, skewed).links[0].tolist()
    ([0, 4, 1, 1], [0, 3, 1, 2])
    """
    if not slack >= 0:
        raise ConfigError(f"slack = {slack:g} is no number of links; give 0 (the nearest rounding) or more")
    if ports.wiring.kind == "simplex" and not ports.paired:
        raise ConfigError("the wiring has links of one direction; an engineered target has links both ways: give TO")
    now, own, rates = ports.links(ports.counts()), block_links(ports), ports.pair_rates()
    idle = np.flatnonzero((own == 0) & ((demand > 0).any(axis=0) | (demand > 0).any(axis=1)))
    if len(idle):
        raise InfeasibleError(f"{ports.wiring.blocks[idle[0]]} has demand and no port; give it ports or no demand")
    wanted = _both_ways(demand) / rates
    fraction: Matrix = scaled(wanted, own)
    notes: list[str] = []
    if direct:
        links = rounded(
            fraction, own, now, inf, seed=seed, least=direct_links(wanted, own, ports.wiring.blocks)
        )
        notes.append("every pair's demand on its direct links; spare ports keep what is wired")
    else:
        links = rounded(fraction, own, now, slack, seed=seed)
    faint = (links > 0) & (fraction < FAINT)
    if _part_apart(links, own) is not None:
        notes.append("the wanted links take all ports, and leave blocks in groups that nothing connects")
    if faint.any():
        notes.append(f"{int(np.triu(faint).sum())} links without demand keep all blocks connected")
    low, high = carried(links, demand, ports)
    if not np.array_equal(links, now) and carried(now, demand, ports)[0] >= low:
        notes.append("what is wired carries as much of the demand: nothing need move for it")
    if direct:
        notes.append(f"with transit through other blocks they carry {low:.3f} of the demand")
        there = demand > 0
        low = high = float(((links * rates)[there] / demand[there]).min())
    bound = port_bound(demand, gbps_of(ports))
    return Target(links, fraction, lower_bound(now, links), min(low, bound), min(high, bound), bound, tuple(notes))


def gbps_of(ports: Ports) -> NDArray[np.float64]:
    """float64[N]: what each block can send at its own rate, Gb/s."""
    rates: NDArray[np.float64] = block_links(ports).astype(np.float64) * np.diag(ports.pair_rates())
    return rates


def carried(links: Links, demand: Matrix, ports: Ports, gap: float = 0.002) -> tuple[float, float]:
    """Between which values the carried multiple of a demand lies: on direct links and through one other block, through
    more where some pair has no such path."""
    capacity = links * ports.pair_rates()
    low, high = Carrier(demand).bounds(capacity, gap)
    return (low, high) if high > 0 else Carrier(demand, transit=False).bounds(capacity, gap)


def _both_ways(demand: Matrix) -> Matrix:
    """A link carries both ways, so a pair needs what the fuller direction does."""
    fuller: Matrix = np.maximum(demand, demand.T)
    return fuller


def scaled(wanted: Matrix, ports: Links) -> Matrix:
    """Links in fractions: x_i wanted_ij x_j with the ports as row sums (Sinkhorn and Knopp, Pacific J. Math. 21, 1967;
    symmetric, so one factor a block), by Newton's method on the convex dual. `wanted` is symmetric.

    A block with more ports than all others together leaves some idle. More demand of a pair never lowers its share:
    the scaling is the gradient of a convex function of the demands' logarithms. Exactly so for pairs above FAINT of
    the largest demand, which others are raised to.

    >>> scaled(np.array([[0, 1.0, 1], [1, 0, 1], [1, 1, 0]]), np.array([2, 2, 2])).round(6).tolist()
    [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """
    n = len(ports)
    own = ports.astype(np.float64)
    own = np.minimum(own, own.sum() - own)
    able = np.flatnonzero(own > 0)
    result = np.zeros((n, n))
    if len(able) < 2:
        return result
    weight = wanted[np.ix_(able, able)]
    weight = weight / weight.max() if weight.max() > 0 else weight
    weight = weight + FAINT
    np.fill_diagonal(weight, 0.0)
    own = own[able]
    x = np.sqrt(own / weight.sum(axis=1))
    for _ in range(30):
        x = np.sqrt(x * own / (weight @ x))
    log = np.log(x)

    def flow(log: NDArray[np.float64]) -> Matrix:
        return np.exp(log)[:, None] * weight * np.exp(log)[None, :]

    def dual(log: NDArray[np.float64]) -> float:
        return float(flow(log).sum() / 2 - own @ log)

    for _ in range(100):
        inside = flow(log)
        rows = inside.sum(axis=1)
        left = own - rows
        if np.abs(left).max() <= NEAR * own.max():
            break
        step = np.linalg.lstsq(np.diag(rows) + inside, left, rcond=1e-14)[0]
        length, start = min(1.0, 5 / max(np.abs(step).max(), 1e-300)), dual(log)
        while length > 1e-9 and not dual(log + length * step) <= start:
            length /= 2
        if length <= 1e-9:
            break
        log = log + length * step
    inside = flow(log)
    over = np.maximum(inside.sum(axis=1) / own, 1.0)  # what Newton's method left too much
    inside = inside / np.maximum.outer(over, over)
    result[np.ix_(able, able)] = (inside + inside.T) / 2  # products of three round differently either way
    return result


def direct_links(wanted: Matrix, ports: Links, blocks: Sequence[str]) -> Links:
    """The fewest links with which direct paths carry the largest multiple of a symmetric demand (in links) that whole
    links on these ports can: ceil(multiple x demand), whose row sums grow with the multiple, so by bisection.

    >>> direct_links(np.array([[0, 3.0, 1], [3, 0, 1], [1, 1, 0]]), np.array([4, 4, 4]), "abc").tolist()
    [[0, 3, 1], [3, 0, 1], [1, 1, 0]]
    """
    over = (wanted > 0).sum(axis=1) - ports
    if (over > 0).any():
        i = int(np.argmax(over))
        raise InfeasibleError(
            f"{blocks[i]} has demand with {int((wanted[i] > 0).sum())} blocks and ports for {int(ports[i])} links; "
            "leave --direct out, and transit carries it"
        )
    loads = wanted.sum(axis=1)
    low, high = 0.0, float((ports[loads > 0] / loads[loads > 0]).min())

    def needed(multiple: float) -> Links:
        whole: Links = np.maximum(np.ceil(multiple * wanted - NEAR), wanted > 0).astype(np.int64)
        return whole

    if (needed(high).sum(axis=1) <= ports).all():
        return needed(high)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (needed(middle).sum(axis=1) <= ports).all() else (low, middle)
    return needed(low)


def rounded(
    fraction: Matrix, ports: Links, now: Links, slack: float, *, seed: int = 0, least: Links | None = None
) -> Links:
    """Whole links within `slack` of a fractional topology, or at the next whole number either way, as many in total as
    the ports of each block allow, connected, with the fewest of today's links (`now`) taken down; of those one near
    the fraction, ties by seed. Slack 0 asks for the nearest whole links, whatever is wired. `least` int64[N, N] are
    wanted in any case.

    >>> half = np.array([[0, 1.5, 0.5], [1.5, 0, 1.5], [0.5, 1.5, 0]])
    >>> rounded(half, np.array([2, 3, 2]), np.array([[0, 1, 1], [1, 0, 2], [1, 2, 0]]), 1.0).tolist()
    [[0, 1, 0], [1, 0, 2], [0, 2, 0]]
    """
    program = _Rounding(fraction, ports, now, slack, seed, least)
    links = program.solve()
    while (apart := _part_apart(links, ports)) is not None:
        if not program.join(apart):
            break
        try:
            links = program.solve()
        except InfeasibleError:  # no port is left for it
            break
    return links


def _part_apart(links: Links, ports: Links) -> NDArray[np.int64] | None:
    """The smallest group of blocks that the links do not join to the others; None where they are one."""
    graph = nx.from_numpy_array(links > 0)
    graph.remove_nodes_from(np.flatnonzero(ports == 0).tolist())
    parts = sorted(map(sorted, nx.connected_components(graph)), key=lambda part: (len(part), part))
    return np.array(parts[0]) if len(parts) > 1 else None


@dataclass(slots=True, eq=False)
class _Rounding:
    """The integer program: links of each pair within bounds, at a convex cost of what is taken down and of the distance
    from the fraction."""

    fraction: Matrix
    ports: Links
    now: Links
    slack: float
    seed: int
    least: Links | None
    joined: list[NDArray[np.float64]] = field(default_factory=list)
    total: int = field(init=False)
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]] = field(init=False)
    low: NDArray[np.float64] = field(init=False)
    high: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.pairs = np.triu_indices(len(self.ports), 1)
        i, j = self.pairs
        share, most = self.fraction[i, j], np.minimum(self.ports[i], self.ports[j]).astype(np.float64)
        floor, ceil = np.floor(share + NEAR), np.ceil(share - NEAR)
        self.low, self.high = (np.zeros(len(i)), most) if np.isinf(self.slack) else (
            np.clip(np.minimum(floor, np.ceil(share - self.slack - NEAR)), 0, most),
            np.clip(np.maximum(ceil, np.floor(share + self.slack + NEAR)), 0, most),
        )  # fmt: skip
        if self.least is not None:
            self.low = np.maximum(self.low, self.least[i, j])
            self.high = np.maximum(self.high, self.low)
        self.total = int(np.minimum(self.ports, self.ports.sum() - self.ports).sum() // 2)

    def join(self, apart: NDArray[np.int64]) -> bool:
        """Ask for a link out of a group of blocks; False where that was asked already."""
        inside = np.isin(np.arange(len(self.ports)), apart)
        crossing = inside[self.pairs[0]] != inside[self.pairs[1]]
        if any(np.array_equal(crossing, row) for row in self.joined):
            return False
        self.high[crossing] = np.maximum(self.high[crossing], 1)
        self.joined.append(crossing.astype(np.float64))
        return True

    def solve(self) -> Links:
        """The links; with fewer in total where the ports do not admit as many."""
        found = self._solved(self.total)
        if found is None:
            found = self._solved(None)
            if found is None:
                raise InfeasibleError("no whole links keep within the slack of the wanted ones; give a larger --slack")
            self.total = int(found.sum())
        links = np.zeros(self.fraction.shape, np.int64)
        links[self.pairs] = found
        return links + links.T

    def _solved(self, total: int | None) -> NDArray[np.int64] | None:
        """Links of each pair, for a total, or as many as can be: least links and what is added to them, piece by piece
        of a convex cost."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import coo_array, csr_array

        pair, length, slope = self._pieces()
        if not len(pair):
            return self.low.astype(np.int64) if total in (None, int(self.low.sum())) else None
        if total is None:
            slope = slope - MORE
        i, j = self.pairs
        here = np.arange(len(pair))
        at = (np.ones(2 * len(pair)), (np.concatenate([i[pair], j[pair]]), np.concatenate([here, here])))
        rows, least = coo_array(at, (len(self.ports), len(pair))), self.low.sum()
        used = np.bincount(i, self.low, len(self.ports)) + np.bincount(j, self.low, len(self.ports))
        if (used > self.ports).any():
            return None
        constraints = [LinearConstraint(csr_array(rows), -np.inf, self.ports - used)]
        if total is not None:
            constraints.append(LinearConstraint(np.ones((1, len(pair))), total - least, total - least))
        for crossing in self.joined:
            row = csr_array(crossing[pair][None, :])
            constraints.append(LinearConstraint(row, 1 - crossing @ self.low, np.inf))
        gap = GAP / max(1.0, float((np.abs(slope) * length).sum()))
        found = milp(
            slope, integrality=np.ones(len(pair)), bounds=Bounds(np.zeros(len(pair)), length), constraints=constraints,
            options={"node_limit": MOST_NODES, "mip_rel_gap": gap},
        )  # fmt: skip
        if found.x is None:
            return None
        links: NDArray[np.int64] = (self.low + np.bincount(pair, np.round(found.x), len(i))).astype(np.int64)
        return links

    def _pieces(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Pair, links and cost a link of the pieces between the bends of each pair's cost: at what is wired, and at the
        whole numbers on either side of the fraction."""
        i, j = self.pairs
        share, today = self.fraction[i, j], self.now[i, j].astype(np.float64)
        draws = np.random.default_rng(self.seed)
        least = 0.4 / (len(i) * min(max(1.0, self.slack), float(self.ports.max(initial=1))))
        down, far = (0.0, 1.0) if self.slack == 0 else (1.0, 0.8 * least)
        tie = 0.2 * least * draws.random(len(i))
        bends = np.stack([self.low, today, np.floor(share + NEAR), np.ceil(share - NEAR), self.high], axis=1)
        bends = np.sort(np.clip(bends, self.low[:, None], self.high[:, None]), axis=1)
        cost = down * np.maximum(today[:, None] - bends, 0) + far * np.abs(bends - share[:, None])
        cost += tie[:, None] * bends
        length = np.diff(bends, axis=1)
        slope = np.diff(cost, axis=1) / np.maximum(length, 1)
        pair, _ = there = np.nonzero(length)
        return pair, length[there], slope[there]
