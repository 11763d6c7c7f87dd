"""At home: what two accelerators of one scale-up domain send each other keeps to the links of their domain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.routing.leaves import leaves, parts
from fabric.routing.router import Loads, Router, RoutingOptions, loads_of, remembered
from fabric.traffic import Traffic
from topologies.errors import InfeasibleError
from topologies.graph import Csr, Topology, once
from topologies.links import HOST_TECHNOLOGIES

MAX_LISTED = 16_000_000  # sources of what goes between domains, listed for each domain that it goes to


@dataclass(frozen=True, slots=True, eq=False)
class Home:
    """The links inside domains as a `fabric` of their own with the same ranks; `arcs` int64[A'] are their places in the
    whole, `domain` int64[n] is that of each rank."""

    fabric: Topology
    arcs: NDArray[np.int64]
    domain: NDArray[np.int64]

    def on_all(self, topology: Topology, loads: Loads) -> Loads:
        """Loads of its arcs as loads of all arcs of the whole, 0 elsewhere."""

        def spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
            whole = np.zeros(len(topology.csr().heads))
            whole[self.arcs] = values
            return whole

        peaks = None if loads.peaks is None else spread(loads.peaks)
        return Loads.of(spread(loads.arcs), loads.latency_s, loads.mean_latency_s, loads.gap, peaks)

    def away(self, loads: Loads) -> Loads:
        """Loads of the whole without those of its arcs."""
        arcs, peaks = loads.arcs.copy(), None if loads.peaks is None else loads.peaks.copy()
        for values in (arcs, peaks):
            if values is not None:
                values[self.arcs] = 0.0
        return Loads.of(arcs, loads.latency_s, loads.mean_latency_s, loads.gap, peaks)


@once
def home(topology: Topology) -> Home | None:
    """The links inside domains, where a way through the network beside them may have as few hops: adapters are no nodes
    of their own. None where there is no such way, domains do not join their accelerators, or accelerators forward.

    Switches fall into parts that links between switches join. A part that accelerators of one domain alone hang on is
    the domain's; what goes between domains crosses none of these.

    >>> from topologies.registry import build
    >>> pod = build("nvl72-x8"); len(home(pod).arcs), home(build("torus:dims=4x4"))
    (20736, None)
    """
    if topology.whole is not None and topology.chosen is not None:
        all_of_it = home(topology.whole)
        return all_of_it and Home(topology.on_arcs(all_of_it.arcs), all_of_it.arcs, all_of_it.domain[topology.chosen])
    csr, label = topology.csr(), _domain_of_nodes(topology)
    if label is None or csr.forwards[csr.accelerators].any():
        return None
    part = parts(csr.forwards == 1, csr.tails, csr.heads)
    ends = np.flatnonzero((label[csr.tails] >= 0) & (csr.forwards[csr.heads] == 1))
    lowest, highest = np.full(len(label), len(label)), np.full(len(label), -1)
    np.minimum.at(lowest, part[csr.heads[ends]], label[csr.tails[ends]])
    np.maximum.at(highest, part[csr.heads[ends]], label[csr.tails[ends]])
    own = np.where(csr.forwards == 1, np.where(lowest == highest, highest, -1)[part], label)
    arcs = np.flatnonzero((own[csr.tails] >= 0) & (own[csr.tails] == own[csr.heads]))
    if not _strays(topology, own, label) or not _joined(csr, part, own, label):
        return None
    return Home(topology.on_arcs(arcs), arcs, label[csr.accelerators])


def keeping_home(
    router: Router, *, adds: bool = False, between: Router | None = None, within: Router | None = None
) -> Router:
    """A router that sends what stays in a domain over its own links alone, and the rest as before. The two share no
    link, as accelerators do not forward: so the larger of their largest loads is the largest.

    `within` is what goes over a domain's links where that is another: detours are of the network. `between` is what it
    has for an all-to-all between domains where every rank hangs on one leaf. Where what goes between domains is too
    long to list, it is all less what stays in them if the router's loads add up (`adds`), as equal splits do; else
    InfeasibleError.
    """

    def kept(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
        found = home(topology)
        near = None if found is None else traffic.inside(found.domain)
        if found is None or near is None:
            return remembered(router, topology, traffic, options)
        inner = found.on_all(topology, remembered(within or router, found.fabric, near, options))
        if between is not None and traffic.is_uniform and leaves(topology) is not None:
            return _both(topology, traffic, inner, found.away(between(topology, traffic, options)))
        try:
            far = traffic.between(found.domain, MAX_LISTED)
        except ValueError as why:
            if not adds:
                raise InfeasibleError(f"{topology.name}: between its domains {why}; use --routing ecmp") from None
            whole, strayed = (remembered(router, topology, some, options) for some in (traffic, near))
            less = whole.carrying(np.maximum(whole.arcs - strayed.arcs, 0.0))
            return _both(topology, traffic, inner, found.away(less))
        return inner if far is None else _both(topology, traffic, inner, remembered(router, topology, far, options))

    return kept


def _both(topology: Topology, traffic: Traffic, inner: Loads, outer: Loads) -> Loads:
    """Loads of both; the gap is that of the busier."""
    capacity = topology.csr().capacity
    busier = max(inner, outer, key=lambda loads: float((loads.binding / capacity).max()))
    uneven = inner.peaks is not None or outer.peaks is not None
    return loads_of(
        topology, traffic, inner.arcs + outer.arcs, max(inner.latency_s, outer.latency_s), busier.gap,
        inner.binding + outer.binding if uneven else None,
    )  # fmt: skip


def _domain_of_nodes(topology: Topology) -> NDArray[np.int64] | None:
    """int64[V]: the domain of each accelerator, -1 for other nodes; None unless there are several, of all of them."""
    csr, domains = topology.csr(), topology.domains
    if len(domains) < 2 or sum(map(len, domains)) < len(csr.accelerators):
        return None
    label = np.full(len(csr.forwards), -1)
    for index, members in enumerate(domains):
        label[csr.accelerators[members]] = index
    return label


def _joined(csr: Csr, part: NDArray[np.int64], own: NDArray[np.int64], label: NDArray[np.int64]) -> bool:
    """Does one part of its own, or a link of every two, join each domain?"""
    domains = np.bincount(label[csr.accelerators])
    hangs = np.flatnonzero((label[csr.tails] >= 0) & (label[csr.heads] < 0) & (own[csr.tails] == own[csr.heads]))
    pairs = np.unique(part[csr.heads[hangs]] * len(label) + csr.tails[hangs])
    parts, ends = np.unique(pairs // len(label), return_counts=True)
    of_part = np.full(int(part.max()) + 1, -1)
    of_part[part] = own
    full = np.zeros(len(domains), bool)
    full[of_part[parts][ends == domains[of_part[parts]]]] = True
    straight = label[csr.tails[(label[csr.tails] >= 0) & (label[csr.tails] == label[csr.heads])]]
    full |= np.bincount(straight, minlength=len(domains)) == domains * (domains - 1)
    return bool(full.all())


def _strays(topology: Topology, own: NDArray[np.int64], label: NDArray[np.int64]) -> bool:
    """May a way through the network have as few hops? It has two where accelerators of a domain hang on one switch, and
    more where switches inside domains are layered. Nothing strays over a host's own links."""
    csr = topology.csr()
    host = topology.of_edges(lambda edge: edge["technology"] in HOST_TECHNOLOGIES, np.bool_)[csr.edge]
    out = np.flatnonzero((label[csr.tails] >= 0) & (own[csr.heads] < 0) & ~host)
    keys = csr.heads[out].astype(np.int64) * (int(label.max()) + 1) + label[csr.tails[out]]
    switches = (csr.forwards == 1) & (own >= 0)
    layered = bool((switches[csr.tails] & switches[csr.heads]).any())
    return len(np.unique(keys)) < len(keys) or (layered and len(out) > 0)
