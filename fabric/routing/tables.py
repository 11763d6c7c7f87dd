"""The forwarding tables of a real fabric: every destination along the ports that its switches send it out of."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fabric.routing.contraction import contract
from fabric.routing.parallel import gathered
from fabric.routing.router import Loads, RoutingOptions
from fabric.routing.separated import separate
from fabric.traffic import Traffic
from topologies.errors import InfeasibleError
from topologies.formats.forwarding import ForwardingTables, read_forwarding_tables
from topologies.graph import Topology, once


@dataclass(frozen=True, slots=True, eq=False)
class _Ports:
    """Where the ports of each node of the folded graph lead: `link` int64[N, ports] into the separated links, or
    -2 - rank for a folded end point, -1 for nothing; `node` int64[N], its place in the topology."""

    link: NDArray[np.int64]
    node: NDArray[np.int64]


def lft(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads under the linear forwarding tables in the file that `options.argument` names.

    An end point uses its first port. InfeasibleError where a table has no entry for a destination, leads it in a
    circle, or to another end point.
    """
    known = _tables(topology)
    if options.argument not in known:
        known[options.argument] = read_forwarding_tables(Path(options.argument), topology)
    tables, ports = known[options.argument], _ports(topology)
    small, links = contract(topology), separate(topology)
    nodes, home = len(small.indptr) - 1, small.node_of_rank
    loads, longest = np.zeros(len(links.heads)), 0.0
    order = np.argsort(traffic.entry_target, kind="stable")
    targets, first = np.unique(traffic.entry_target[order], return_index=True)
    for target, entries in zip(targets.tolist(), np.split(order, first[1:]), strict=True):
        amount = np.zeros(nodes)
        for entry in entries.tolist():
            of = traffic.entry_list[entry]
            own = slice(traffic.list_ptr[of], traffic.list_ptr[of + 1])
            sources, weights = home[traffic.list_rank[own]], traffic.list_amount[own] * traffic.entry_scale[entry]
            amount += np.bincount(sources, weights, minlength=nodes)
        amount[home[target]] = 0.0
        next_link = ports.link[np.arange(nodes), tables.port[ports.node, target]]
        longest = max(longest, _follow(topology, target, amount, next_link, loads))
    return gathered(topology, traffic, loads, longest, options)


@once
def _tables(topology: Topology) -> dict[str, ForwardingTables]:
    """Tables by file, as they are read."""
    return {}


def _follow(
    topology: Topology,
    target: int,
    amount: NDArray[np.float64],
    next_link: NDArray[np.int64],
    loads: NDArray[np.float64],
) -> float:
    """Add what is for one rank to the loads, hop by hop; the seconds of the slowest."""
    small, links = contract(topology), separate(topology)
    nodes, home, forwards = len(amount), int(small.node_of_rank[target]), small.forwards
    leaves, slowest = np.zeros(nodes), 0.0
    source = amount > 0
    if forwards[home] and next_link[home] != -2 - target:  # the switch that it hangs on
        _refuse_entry(topology, target, home)
    for _ in range(nodes):
        at = np.flatnonzero(amount)
        if not len(at):
            return slowest
        taken = next_link[at]
        wrong = at[(taken < 0) | ((forwards[at] == 0) & ~source[at])]
        if len(wrong):
            _refuse_entry(topology, target, int(wrong[0]))
        onward = links.heads[taken]
        loads[taken] += amount[at]
        arrives = leaves[at] + links.latency[taken]
        amount = np.bincount(onward, amount[at], minlength=nodes).astype(np.float64)
        leaves = np.zeros(nodes)
        np.maximum.at(leaves, onward, arrives + small.node_latency[onward])
        slowest = max(slowest, float(arrives[onward == home].max(initial=0.0)))
        amount[home] = 0.0
        source[:] = False
    end = topology.accelerators[target]
    raise InfeasibleError(f"{topology.name}: the forwarding tables lead what is for {end} in a circle; dump them again")


def _refuse_entry(topology: Topology, target: int, node: int) -> None:
    where, end = topology.nodes[_ports(topology).node[node]], topology.accelerators[target]
    raise InfeasibleError(
        f"{topology.name}: the forwarding table of {where} has no way to {end}, or one to another end point; "
        "dump the tables again"
    )


@once
def _ports(topology: Topology) -> _Ports:
    csr, small, links = topology.csr(), contract(topology), separate(topology)
    folded = np.zeros(len(topology.nodes), bool)
    if small.host_arc[0] >= 0:
        folded[csr.accelerators] = True
    node = np.flatnonzero(~folded)
    rank = {label: r for r, label in enumerate(topology.accelerators)}
    place = np.full(len(csr.heads), -1)
    place[small.arcs] = np.arange(len(small.arcs))
    arc = {(int(t), int(h)): i for i, (t, h) in enumerate(zip(csr.tails, csr.heads, strict=True))}
    wired = [topology.graph.nodes[topology.nodes[v]].get("ports", {}) for v in node]
    most = max((int(number) for leads in wired for number in leads), default=0)
    link = np.full((len(node), most + 2), -1, np.int64)  # the last column is that of no entry, port -1
    for i, leads in enumerate(wired):
        used: dict[str, int] = {}
        for number in sorted(leads, key=int):
            peer = leads[number]
            if folded[topology.index[peer]]:
                link[i, int(number)] = -2 - rank[peer]
                continue
            member = used.get(peer, 0)
            used[peer] = member + 1
            link[i, int(number)] = links.first[place[arc[int(node[i]), topology.index[peer]]]] + member
    return _Ports(link, node)
