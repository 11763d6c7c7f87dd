"""What is inside a host: its scale-up domains, and whether its accelerators need its PCIe to reach each other."""

import networkx as nx

from topologies.formats.draft import Draft
from topologies.links import HOST_TECHNOLOGIES

PCIE_HOPS = 4  # that one link counts for, so that no path over PCIe ties with one over scale-up links


def add_domains(draft: Draft, prefix: str) -> list[str]:
    """Give accelerators that scale-up links join a `domain`; keep their traffic off PCIe where those links join all.

    Returns what the notes say.
    """
    inside = [(a, b) for a, b, edge in draft.graph.edges(data=True) if edge["technology"] in HOST_TECHNOLOGIES]
    fast = nx.Graph(draft.graph)
    fast.remove_edges_from(inside)
    nodes = draft.graph.nodes
    joined = 0
    for piece in nx.connected_components(fast):
        ends = [node for node in piece if nodes[node]["kind"] == "accelerator"]
        if len(ends) > 1:
            for end in ends:
                nodes[end]["domain"] = f"{prefix}-{joined}"
            joined += 1
    if not inside:
        return []
    ends = draft.ends()
    if joined and not _all_joined(fast, ends):
        for a, b in inside:
            draft.graph.edges[a, b]["hops"] = PCIE_HOPS
        note = "scale-up links do not join every pair of accelerators: the others go over PCIe, sockets and adapters"
        return [note]
    if not joined:
        return []
    for node in draft.graph:
        if nodes[node]["kind"] == "host":
            nodes[node]["forwards"] = False
    return ["scale-up links join every pair of accelerators: their traffic stays off PCIe, whose nodes forward none"]


def _all_joined(fast: nx.Graph, ends: list[str]) -> bool:
    """Does every pair of accelerators have a direct link, or a path over switches?"""
    if all(len(set(fast[end]) & set(ends)) == len(ends) - 1 for end in ends):
        return True
    switches = fast.subgraph(node for node in fast if fast.nodes[node]["kind"] == "switch")
    piece = {node: i for i, nodes in enumerate(nx.connected_components(switches)) for node in nodes}
    of = [frozenset(piece[node] for node in fast[end] if node in piece) for end in ends]
    return bool(frozenset.intersection(*of)) if of else False
