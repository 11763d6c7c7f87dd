"""What a fabric is, asked of whatever names one: what `show` prints."""

from collections import Counter
from operator import itemgetter
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from fabric import metrics
from fabric.spans import spans
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.registry import topology_of

LINK = ("cable", "technology", "rate_gbps", "length_m", "latency_ns", "medium")


def describe(
    topology: "Topology | nx.Graph | str | Path", *, rate_gbps: float | None = None, parts: Catalogue | None = None
) -> dict[str, Any]:
    """Everything that `show` prints, by the keys of its JSON.

    `topology` is what `simulate` takes: a Topology, a spec, or any networkx.Graph, whose links without `rate_gbps` take
    the one given here. ConfigError for what cannot be read, TopologyError for a broken graph.

    >>> d = describe("tpu-v5e-256"); d["bisection_gb_per_s"], d["diameter"]
    (1600.0, 16)
    >>> describe(nx.cycle_graph(4), rate_gbps=100)["link_classes"][0]["rate_gbps"]
    100.0
    """
    found = topology_of(topology, rate_gbps=rate_gbps, parts=parts)
    classes, trays = _link_classes(found), _trays(found)
    return {**metrics.describe(found), "link_classes": classes, "trays": trays, "spans": spans(found)}


def contents(topology: Topology) -> dict[str, Any]:
    """What a fabric's nodes and links are: `node_classes` (kind, part, nodes) and `link_classes` (between, cable,
    technology, medium, rate_gbps, links, and the least and most of length_m and latency_ns), in the order in which they
    first occur.

    >>> from topologies.registry import build
    >>> contents(build("ring:n=8"))["node_classes"]
    [{'kind': 'accelerator', 'part': 'generic', 'nodes': 8}]
    """
    nodes = Counter((d["kind"], d.get("part")) for _, d in topology.graph.nodes(data=True))
    kinds = dict(topology.graph.nodes(data="kind"))
    links: dict[tuple[Any, ...], dict[str, Any]] = {}
    keys = ("cable", "technology", "medium", "rate_gbps")
    for a, b, edge in topology.edges:
        between = " - ".join(sorted((kinds[a], kinds[b])))
        alike = (between, *map(edge.get, keys))
        row = links.setdefault(alike, {"between": between, **{key: edge.get(key) for key in keys}, "links": 0})
        row["links"] += int(edge["count"])
        for key in ("length_m", "latency_ns"):
            row[f"{key}_low"] = min(edge[key], row.get(f"{key}_low", edge[key]))
            row[f"{key}_high"] = max(edge[key], row.get(f"{key}_high", edge[key]))
    return {
        "node_classes": [{"kind": kind, "part": part, "nodes": n} for (kind, part), n in nodes.items()],
        "link_classes": list(links.values()),
    }


def _link_classes(topology: Topology) -> list[dict[str, Any]]:
    """Links alike in cable, rate, length and latency, in the order in which they first occur."""
    kinds, kind = topology.edge_kinds
    classes: dict[tuple[Any, ...], int] = {}
    for edge, edges in zip(kinds, np.bincount(kind, minlength=len(kinds)).tolist(), strict=True):
        alike = itemgetter(*LINK)(edge)
        classes[alike] = classes.get(alike, 0) + int(edge["count"]) * edges
    return [{"links": number, **dict(zip(LINK, alike, strict=True))} for alike, number in classes.items()]


def _trays(topology: Topology) -> dict[str, int]:
    """Face plates that several nodes share, by the kind of node."""
    nodes = topology.graph.nodes(data=True)
    plates = {(d["kind"], d["tray"]) for _, d in nodes if d.get("tray") is not None}
    return dict(sorted(Counter(kind for kind, _ in plates).items()))
