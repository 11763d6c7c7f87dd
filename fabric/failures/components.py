"""Components: what can fail, class by class: accelerators, hosts, adapters, links, switches, circuits."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.failures.circuit_components import circuit_components
from fabric.failures.damage import Loss
from fabric.failures.kinds import Components, counted, each
from fabric.failures.slices import host_of
from fabric.metrics import TIERS
from fabric.symmetry import classes, symmetry
from topologies.graph import Topology, once
from topologies.links import HOST_TECHNOLOGIES
from topologies.parts import Nic

ENDS = {"accelerator": "acc", "nic": "nic", "host": "host"}  # how ends of links are called; switches go by their tier


@once
def components(topology: Topology) -> list[Components]:
    """Every class of components that a fabric has.

    >>> from topologies.registry import build
    >>> [(c.name, c.count) for c in components(build("dgx-h100-superpod-256"))][:4]
    [('accelerator', 256), ('host', 32), ('nic', 256), ('board acc-scale-up', 4608)]
    """
    found = [_accelerators(topology), *_hosts(topology), *_nics(topology), *_links(topology), *_switches(topology)]
    return [row for row in [*found, *circuit_components(topology)] if len(row.weights)]


def _accelerators(topology: Topology) -> Components:
    own = topology.csr().accelerators
    parts = [topology.graph.nodes[node].get("part") for node in topology.accelerators]
    return Components(
        "accelerator", "accelerator", [str(node) for node in topology.accelerators], each(len(own)),
        symmetry(topology).rank_orbit, counted(parts, each(len(own))), lambda p: Loss.of_nodes(own[p : p + 1]),
    )  # fmt: skip


def _hosts(topology: Topology) -> Iterator[Components]:
    """Accelerators of a host: next to each other on a grid, consecutive in a scale-up domain, or in rank order."""
    row = host_of(topology)
    if row is None:
        return
    n, own = len(topology.accelerators), topology.csr().accelerators
    host = np.arange(n) // row.accelerators
    grid = topology.grid
    if grid is not None and row.shape:
        host = np.zeros(n, np.int64)
        stride = 1
        for axis, size in enumerate(grid.dims):
            across = max(1, int(row.shape[axis])) if axis < len(row.shape) else 1
            host = host * size + np.arange(n) // stride % size // across
            stride *= size
    elif topology.domains:
        for i, ranks in enumerate(topology.domains):
            host[ranks] = i * n + np.arange(len(ranks)) // row.accelerators
    _, of, sizes = np.unique(host, return_inverse=True, return_counts=True)
    order = np.split(np.argsort(of, kind="stable"), np.cumsum(sizes)[:-1])
    of_rank = symmetry(topology).rank_orbit
    alike: dict[tuple[int, ...], int] = {}
    orbit = [alike.setdefault(tuple(sorted(of_rank[ranks].tolist())), len(alike)) for ranks in order]
    yield Components(
        "host", "host", [f"host of {topology.accelerators[ranks[0]]}" for ranks in order], each(len(order)),
        np.array(orbit, np.int32), {row.name: len(order)}, lambda p: Loss.of_nodes(own[order[p]]), proven=False,
    )  # fmt: skip


def _nics(topology: Topology) -> Iterator[Components]:
    """Adapters of one accelerator each, with the links that go through them, or nodes that several share."""
    csr = topology.csr()
    kinds = topology.attribute("kind")
    serves = np.array([kind in ("accelerator", "host") for kind in kinds])
    served = np.isin(np.arange(len(kinds)), csr.heads[serves[csr.tails]])
    shared = np.flatnonzero(served & np.array([kind == "nic" for kind in kinds]))
    if len(shared):
        nodes = topology.nodes
        parts = [topology.graph.nodes[nodes[i]].get("part") for i in shared]
        yield Components(
            "nic", "nic", [str(nodes[i]) for i in shared], each(len(shared)), symmetry(topology).node_orbit[shared],
            counted(parts, each(len(shared))), lambda p: Loss.of_nodes(shared[p : p + 1]),
        )  # fmt: skip
        return
    through, names = _edge_attributes(topology)["nic"]
    rank_of = np.full(len(topology.nodes), -1)
    rank_of[csr.accelerators] = np.arange(len(csr.accelerators))
    arcs = np.flatnonzero((through >= 0) & (rank_of[csr.tails] >= 0))
    if not len(arcs):
        return
    order = arcs[np.argsort(rank_of[csr.tails[arcs]], kind="stable")]
    ranks, start = np.unique(rank_of[csr.tails[order]], return_index=True)
    of_rank = np.split(order, start[1:])
    adapters = [_adapters(topology, int(rank)) for rank in ranks]
    places = [(i, j) for i, number in enumerate(adapters) for j in range(min(number, len(of_rank[i])))]
    parts = [names[through[of_rank[i][j]]] for i, j in places]

    def loss(p: int) -> Loss:
        i, j = places[p]
        mine = of_rank[i][j :: adapters[i]]
        share = max(1.0, adapters[i] / len(of_rank[i]))  # several adapters to one bundle of links
        return Loss.of_links(mine, np.ceil(csr.links[mine] / share))

    labels = [f"nic of {topology.accelerators[ranks[i]]}" for i, _ in places]
    orbit = symmetry(topology).rank_orbit[ranks[[i for i, _ in places]]]
    yield Components("nic", "nic", labels, each(len(places)), orbit, counted(parts, each(len(places))), loss)


def _adapters(topology: Topology, rank: int) -> int:
    """Adapters that an accelerator has to itself."""
    held = topology.graph.nodes[topology.accelerators[rank]].get("parts") or {}
    return max(1, sum(int(number) for name, number in held.items() if isinstance(topology.catalogue.get(name), Nic)))


@once
def _edge_attributes(topology: Topology) -> dict[str, tuple[NDArray[np.int64], list[Any]]]:
    """Of each arc the place of its link's technology, cable, adapter and rate in a list; -1 where it has none."""
    kinds, kind = topology.edge_kinds
    of_arc = kind[topology.csr().edge]
    found: dict[str, tuple[NDArray[np.int64], list[Any]]] = {}
    for key in ("technology", "cable", "nic", "rate_gbps"):
        names: dict[Any, int] = {}
        of_kind = [-1 if (v := edge.get(key)) is None else names.setdefault(v, len(names)) for edge in kinds]
        found[key] = np.array(of_kind, np.int64)[of_arc], [*names]
    return found


def _links(topology: Topology) -> Iterator[Components]:
    """Links by technology and by what they join; one of parallel links fails alone."""
    csr, known = topology.csr(), _edge_attributes(topology)
    (technology, named), (cable, rows), (rate, rates) = (known[key] for key in ("technology", "cable", "rate_gbps"))
    end_of, ends = _ends(topology)
    one = csr.tails < csr.heads
    sides = np.sort(np.stack([end_of[csr.tails], end_of[csr.heads]]), axis=0)
    key = classes(technology, sides[0], sides[1], rate)
    alike = classes(technology, sides[0], sides[1])
    arc_orbit = symmetry(topology).arc_orbit
    orbit = np.minimum(arc_orbit, arc_orbit[csr.twin])
    for label in np.unique(key[one]).tolist():
        arcs = np.flatnonzero(one & (key == label))
        what = named[technology[arcs[0]]]
        if what in HOST_TECHNOLOGIES:
            continue
        a, b = (ends[side] for side in sides[:, arcs[0]])
        one_speed = (key[one & (alike == alike[arcs[0]])] == label).all()
        speed = "" if one_speed else f" {rates[rate[arcs[0]]]:g}G"
        weights = np.rint(csr.links[arcs]).astype(np.int64)
        yield Components(
            "link", f"{what} {a}-{b}{speed}", _LinkNames(topology.nodes, csr.tails[arcs], csr.heads[arcs]), weights,
            classes(orbit[arcs]), counted([rows[c] if c >= 0 else None for c in cable[arcs].tolist()], weights),
            _one_link(arcs), rate_gbps=float(rates[rate[arcs[0]]]),
        )  # fmt: skip


def _one_link(arcs: NDArray[np.int64]) -> Callable[[int], Loss]:
    return lambda p: Loss.of_links(arcs[p : p + 1], [1.0])


@dataclass(frozen=True, slots=True)
class _LinkNames(Sequence[str]):
    """Names of links, made when read."""

    nodes: Sequence[Hashable]
    tails: NDArray[np.int32]
    heads: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.tails)

    def __getitem__(self, place: int) -> str:  # type: ignore[override]
        return f"{self.nodes[self.tails[place]]},{self.nodes[self.heads[place]]}"


def _ends(topology: Topology) -> tuple[NDArray[np.int64], list[str]]:
    """What each node is as the end of a link: a place in a list of names, accelerators first, then tiers upwards."""
    tiers = [tier_name(tier) for tier in range(max((t or 0 for t in topology.attribute("tier")), default=0) + 1)]
    names = [*ENDS.values(), *dict.fromkeys([*tiers, tier_name(1)])]
    place = {name: i for i, name in enumerate(names)}
    kinds, levels = topology.attribute("kind"), topology.attribute("tier")
    found = [
        place[ENDS[kind]] if kind in ENDS else place[tier_name(1 if tier is None else tier)]
        for kind, tier in zip(kinds, levels, strict=True)
    ]
    return np.array(found, np.int64), names


def tier_name(tier: int) -> str:
    """What the switches of a tier are called."""
    return TIERS.get(tier, f"tier-{tier}")


def _switches(topology: Topology) -> Iterator[Components]:
    orbit = symmetry(topology).node_orbit
    kinds, tiers, parts = (topology.attribute(key) for key in ("kind", "tier", "part"))
    levels = [1 if tier is None else tier for tier in tiers]
    for tier in sorted({levels[i] for i, kind in enumerate(kinds) if kind == "switch"}):
        own = np.array([i for i, kind in enumerate(kinds) if kind == "switch" and levels[i] == tier], np.int64)
        yield Components(
            "switch", tier_name(tier), [str(topology.nodes[i]) for i in own], each(len(own)), classes(orbit[own]),
            counted([parts[i] for i in own], each(len(own))), _one_node(own),
        )  # fmt: skip


def _one_node(own: NDArray[np.int64]) -> Callable[[int], Loss]:
    return lambda p: Loss.of_nodes(own[p : p + 1])
