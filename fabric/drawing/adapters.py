"""Between accelerators and their network: PCIe switches, shared adapters and processors, in rows above a server."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fabric.drawing.layout import Glyph, Layout, plural, titled
from topologies.graph import Topology

BOX = (44.0, 22.0)
PITCH = 50.0
MOST = 16

Rows = list[list[list[int]]]


def draw(topology: Topology, found: Layout, top: float) -> None:
    """Rows between the accelerators, at 0, and the leaves, at `top`, or up to it where there are none: of one server
    every node, of several a box for all of a kind."""
    kinds, csr = topology.attribute("kind"), topology.csr()
    inside = np.array([kind != "switch" for kind in kinds])
    both = inside[csr.tails] & inside[csr.heads]
    ends = coo_array((np.ones(both.sum()), (csr.tails[both], csr.heads[both])), shape=(len(kinds), len(kinds)))
    server = connected_components(ends, directed=False)[1]
    ranks = csr.accelerators[found.of[csr.accelerators] >= 0]
    shown = list(dict.fromkeys(server[ranks].tolist()))
    leaves = any(d["kind"] == "switch" and d.get("tier") != 0 for _, d in topology.graph.nodes(data=True))
    for one in shown:
        xs = [found.glyphs[found.of[n]].x for n in ranks.tolist() if server[n] == one]
        members = [n for n in np.flatnonzero((server == one) & inside).tolist() if found.of[n] < 0]
        rows = _rows(topology, members) if len(shown) == 1 else _boxes(kinds, members)
        for i, units in enumerate(rows, start=1):
            y = top * i / (len(rows) + leaves)
            for j, nodes in enumerate(units):
                x = (min(xs) + max(xs)) / 2 + (j - (len(units) - 1) / 2) * PITCH
                labels, kind = [topology.nodes[n] for n in nodes], kinds[nodes[-1]]
                alone = len(shown) == 1 and (kind == "host" or len(nodes) == 1)
                short = str(labels[-1]).rpartition("/")[2] if alone else f"{len(nodes):,} {plural(kind)}"
                found.add(Glyph(x, y, kind, titled(kind, labels), short, *BOX), nodes)


def _boxes(kinds: list[str], members: list[int]) -> Rows:
    """All hosts of a server as one, and all its adapters."""
    rows = [[[n for n in members if kinds[n] == kind]] for kind in ("host", "nic")]
    return [row for row in rows if row[0]]


def _rows(topology: Topology, members: list[int]) -> Rows:
    """PCIe switches with the ports of accelerators that are theirs, adapters, processors."""
    kinds, csr = topology.attribute("kind"), topology.csr()
    near = {n: csr.heads[csr.indptr[n] : csr.indptr[n + 1]].tolist() for n in members}
    hosts = [n for n in members if kinds[n] == "host"]
    ports = {n for n in hosts if len(near[n]) == 2 and any(kinds[m] == "accelerator" for m in near[n])}
    pcie = [n for n in hosts if n not in ports and any(m in ports or kinds[m] != "host" for m in near[n])]
    rows = [
        [[*(m for m in near[n] if m in ports), n] for n in pcie],
        [[n] for n in members if kinds[n] == "nic"],
        [[n] for n in hosts if n not in ports and n not in pcie],
    ]
    return [_fewer(row) for row in rows if row]


def _fewer(units: list[list[int]]) -> list[list[int]]:
    """As many boxes as a row holds, each of neighbours."""
    size = -(-len(units) // MOST)
    return [[n for unit in units[i : i + size] for n in unit] for i in range(0, len(units), size)]
