"""Matchings: permutations of the ranks that are hard, easy or random for a topology, by the distance of partners."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cext import hop_distances
from fabric.routing.contraction import Contracted, contract
from topologies.errors import ConfigError, InfeasibleError, unknown
from topologies.graph import Topology

MATCHINGS = ("longest", "shortest", "random")
MAX_SWITCHES = 8192  # beyond, the matrix of distances alone takes half a gigabyte


def matching(topology: Topology, kind: str, *, fraction: float = 1.0, seed: int = 0) -> NDArray[np.int64]:
    """int64[n]: where each rank sends when every switch with end points sends all it has to one other switch.

    `longest` maximises the hops between partners, a near-worst case for any topology (Jyothi et al., SC 2016; Namyar et
    al., SIGCOMM 2021); `shortest` minimises them; `random` is seeded. With `fraction` only that share of the switches,
    drawn by the seed, takes part; the ranks of the others send to themselves, which is nothing. Where end points are
    switches themselves (a torus) each is its own. Ties in distance are broken by the seed.

    >>> from topologies.registry import build
    >>> matching(build("ring:n=6"), "longest").tolist()
    [3, 4, 5, 0, 1, 2]
    """
    if kind not in MATCHINGS:
        raise ConfigError(unknown("matching", kind, MATCHINGS))
    if not 0 < fraction <= 1:
        raise ConfigError(f"fraction = {fraction} is not a share of the switches; give more than 0, at most 1")
    small = contract(topology)
    homes, counts = np.unique(small.node_of_rank, return_counts=True)
    if np.ptp(counts):
        raise ConfigError(
            f"{topology.name} has {counts.min()} to {counts.max()} end points a switch; a matching needs equally many"
        )
    if len(homes) > MAX_SWITCHES:
        raise InfeasibleError(f"{topology.name}: at most {MAX_SWITCHES:,} switches are matched, not {len(homes):,}")
    rng = np.random.default_rng(seed)
    active = np.sort(rng.permutation(len(homes))[: max(2, round(fraction * len(homes)))])
    partner = np.arange(len(homes))
    partner[active] = active[_partners(small, homes[active], kind, rng)]
    by_home = np.argsort(small.node_of_rank, kind="stable").reshape(len(homes), -1)
    target = np.empty(len(small.node_of_rank), np.int64)
    target[by_home] = by_home[partner]
    return target


def permutation_of(topology: Topology, given: Any, seed: int = 0) -> Any:
    """What `permutation` stands for, as ranks: `longest`, `shortest`, `random`, or `longest:0.5` for half of the
    switches; anything else as it is.

    >>> from topologies.registry import build
    >>> permutation_of(build("ring:n=4"), "longest"), permutation_of(build("ring:n=4"), [1, 0, 3, 2])
    ([2, 3, 0, 1], [1, 0, 3, 2])
    """
    kind, _, fraction = str(given).partition(":") if isinstance(given, str | Path) else ("", "", "")
    if kind not in MATCHINGS:
        return given
    try:
        share = float(fraction or 1)
    except ValueError:
        raise ConfigError(f"permutation '{given}': '{fraction}' is no share of switches; write {kind}:0.5") from None
    found: list[int] = matching(topology, kind, fraction=share, seed=seed).tolist()
    return found


def _partners(small: Contracted, homes: NDArray[np.int32], kind: str, rng: np.random.Generator) -> NDArray[np.int64]:
    from scipy.optimize import linear_sum_assignment

    n = len(homes)
    if kind == "random":  # one seeded cycle through all: nobody is its own partner
        order = rng.permutation(n)
        partner = np.empty(n, np.int64)
        partner[order] = np.roll(order, -1)
        return partner
    hops = np.array([hop_distances(small.indptr, small.heads, small.forwards, int(home))[homes] for home in homes])
    cost = hops + rng.random((n, n)) / (2 * n)  # too little to buy a hop
    np.fill_diagonal(cost, -n if kind == "longest" else 2 * hops.max() * n)
    matched: NDArray[np.int64] = linear_sum_assignment(cost, maximize=kind == "longest")[1]
    return matched
