"""A fabric as node-link JSON, as NetworkX and TopoHub have it."""

import json
from typing import Any

from topologies.formats.native_schema import plain
from topologies.formats.writing import Exported, beyond_graph, labels
from topologies.graph import Topology


def node_link_text(topology: Topology) -> Exported:
    """Nodes with `id`, links with `source` and `target`, and what is known of each; a node or link a line.

    >>> import networkx as nx
    >>> from topologies.registry import build
    >>> data = json.loads(node_link_text(build("ring:n=4")).text)
    >>> nx.node_link_graph(data, edges="links").edges["0", "1"]["rate_gbps"]
    400.0
    """
    names = labels(topology)
    whole = {"name": topology.name, "family": topology.family, "notes": list(topology.notes)}
    nodes = [{**_told(row), "id": names[node]} for node, row in topology.graph.nodes(data=True)]
    links = [{**_told(row), "source": names[a], "target": names[b]} for a, b, row in topology.edges]
    head = {"directed": False, "multigraph": False, "graph": whole}
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    for key, rows in (("nodes", nodes), ("links", links)):
        parts.append(f"{json.dumps(key)}: [\n" + ",\n".join(json.dumps(row, allow_nan=False) for row in rows) + "\n]")
    return Exported("{\n" + ",\n".join(parts) + "\n}\n", beyond_graph(topology, "node-link JSON"))


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """Attributes as JSON has them, unknown ones left out."""
    told: dict[str, Any] = plain({key: value for key, value in row.items() if value is not None})
    return told
