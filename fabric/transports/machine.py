"""The machine that a library finds: ranks in domains, line rates inside and out, adapters and switches."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.groups import Groups
from topologies.graph import Topology, once
from topologies.links import HOST_TECHNOLOGIES

Nodes = Mapping[Hashable, dict[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Machine:
    """`ranks` in `domains` of at most `size`, of one kind of `accelerator` (None: several, or unnamed).

    `line_gb_per_s` is what a rank's links inside its domain carry one way, `adapters_gb_per_s` all `adapters` of a
    domain; 0 where there are none. `on_pcie`: nothing but PCIe joins the ranks of a domain. `nics` and `switches` are
    the catalogue names of adapters and of what they lead to. `inside` is bool[A]: the arcs of domains.
    """

    ranks: int
    domains: int
    size: int
    accelerator: str | None
    line_gb_per_s: float
    on_pcie: bool
    adapters: int
    adapters_gb_per_s: float
    nics: tuple[str, ...]
    switches: tuple[str, ...]
    inside: NDArray[np.bool_]


@once
def machine(topology: Topology) -> Machine:
    """What a library would detect of a topology; one without adapters is one domain.

    >>> from topologies.registry import build
    >>> m = machine(build("dgx-h100-superpod-256"))
    >>> m.domains, m.size, m.line_gb_per_s, m.adapters_gb_per_s, m.nics
    (32, 8, 450.0, 400.0, ('cx7-400g',))
    """
    nodes: Nodes = topology.graph.nodes
    ranks = topology.accelerators
    on_pcie = not any(edge.get("nic") is None and edge["technology"] not in HOST_TECHNOLOGIES
                      for edge in topology.graph.adj[ranks[0]].values())  # fmt: skip
    nics, switches, adapters, gbps = _adapters(topology, nodes, set(_first_domain(topology)))
    groups = topology.domains if nics else [list(range(len(ranks)))]
    parts = topology.attribute("part")
    names = {parts[node] for node in topology.csr().accelerators.tolist()}
    return Machine(
        ranks=len(ranks),
        domains=len(groups) + len(ranks) - sum(map(len, groups)),
        size=max(map(len, groups), default=1),
        accelerator=names.pop() if len(names) == 1 else None,
        line_gb_per_s=_line_gbps(topology, ranks[0], on_pcie) / 8,
        on_pcie=on_pcie,
        adapters=adapters,
        adapters_gb_per_s=gbps / 8,
        nics=nics,
        switches=switches,
        inside=_inside(topology, on_pcie),
    )


def among(topology: Topology, groups: Groups | None) -> Machine:
    """The machine that one group finds: the group that is spread over most domains, with its ranks' part of adapters;
    where it has fewer ranks in one of its domains, that decides how many adapters rings go by.

    >>> from topologies.registry import build
    >>> m = among(build("dgx-h100-superpod-256"), Groups(np.array([[0, 8], [1, 9]])))
    >>> m.ranks, m.domains, m.size, m.adapters_gb_per_s
    (2, 2, 1, 50.0)
    """
    whole = machine(topology)
    if groups is None:
        return whole
    label = np.arange(len(topology.accelerators))
    for members in topology.domains if whole.nics else [range(len(label))]:
        label[list(members)] = members[0]
    held = np.sort(label[groups.members], axis=1)
    spans = 1 + np.count_nonzero(np.diff(held, axis=1), axis=1)
    _, sizes = np.unique(held[int(np.argmax(spans))], return_counts=True)
    size = int(sizes.max())
    part = int(sizes.min()) / whole.size
    return replace(
        whole, ranks=groups.n, domains=len(sizes), size=size, adapters=max(1, round(whole.adapters * part)),
        adapters_gb_per_s=whole.adapters_gb_per_s * part,
    )  # fmt: skip


def _inside(topology: Topology, on_pcie: bool) -> NDArray[np.bool_]:
    """bool[A]: the arcs that join ranks of a domain; those of PCIe only where nothing else does."""
    ends = topology.edge_ends
    host = topology.of_edges(lambda edge: edge["technology"] in HOST_TECHNOLOGIES, np.bool_)
    wanted = host
    if not on_pcie:
        apart = host | topology.of_edges(lambda edge: edge.get("nic") is not None, np.bool_)
        within = _scale_up(topology, ends[:, ~apart])
        wanted = ~apart & within[ends[0]] & within[ends[1]]
    inside: NDArray[np.bool_] = wanted[topology.csr().edge]
    return inside


def _scale_up(topology: Topology, ends: NDArray[np.int32]) -> NDArray[np.bool_]:
    """bool[V]: accelerators, and the switches that links with these ends, not through an adapter or a host, lead to."""
    kinds = topology.attribute("kind")
    found = np.array([kind == "accelerator" for kind in kinds])
    switch = np.array([kind == "switch" for kind in kinds])
    while True:
        reached = np.concatenate([ends[1][found[ends[0]]], ends[0][found[ends[1]]]])
        fresh = reached[switch[reached] & ~found[reached]]
        if not len(fresh):
            return found
        found[fresh] = True


def _first_domain(topology: Topology) -> Iterable[Hashable]:
    """The ranks of the first domain, or the first rank."""
    ranks = topology.accelerators
    return [ranks[rank] for rank in topology.domains[0]] if topology.domains else ranks[:1]


def _line_gbps(topology: Topology, rank: Hashable, on_pcie: bool) -> float:
    """What the links of a rank carry inside its domain, one way."""
    return float(sum(
        edge["rate_gbps"] * edge["count"] * edge["duty"]
        for edge in topology.graph.adj[rank].values()
        if edge.get("nic") is None and (edge["technology"] in HOST_TECHNOLOGIES) == on_pcie
    ))  # fmt: skip


def _adapters(
    topology: Topology, nodes: Nodes, members: set[Hashable]
) -> tuple[tuple[str, ...], tuple[str, ...], int, float]:
    """Adapters of a domain, the switches that they lead to, their number and rate together: those that an accelerator
    has to itself, and those behind its host."""
    hosts = list(members)
    seen = set(members)
    nics: dict[str, None] = {}
    switches: dict[str, None] = {}
    adapters, gbps = 0, 0.0
    for node in hosts:  # grows meanwhile
        for other, edge in topology.graph.adj[node].items():
            if edge["technology"] in HOST_TECHNOLOGIES:
                if other not in seen:
                    seen.add(other)
                    hosts.append(other)
                continue
            name = edge.get("nic") or (nodes[node].get("part") if nodes[node]["kind"] == "nic" else None)
            if name is not None:
                adapters += edge["count"]
                gbps += edge["rate_gbps"] * edge["count"]
                nics[str(name)] = None
                switches[str(nodes[other].get("part"))] = None
    return tuple(nics), tuple(switches), adapters, gbps
