"""A fabric as GraphML: nodes, links and what is known of each under its own name and type."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from topologies.formats.native_schema import plain
from topologies.formats.writing import Exported, beyond_graph, labels
from topologies.formats.writing.xml_text import attributes, content
from topologies.graph import Topology

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">
"""

Row = Mapping[str, Any]


def graphml_text(topology: Topology) -> Exported:
    """Every node and link with its attributes as declared keys (`attr.name`, `attr.type`); lists and tables as JSON.

    Circuit switches, strands and their state are in no graph of the data path: a note says so.

    >>> from topologies.registry import build
    >>> import networkx as nx
    >>> nx.parse_graphml(graphml_text(build("ring:n=4")).text).edges["0", "1"]["rate_gbps"]
    400.0
    """
    names = labels(topology)
    nodes = [(names[node], _told(row)) for node, row in topology.graph.nodes(data=True)]
    links = [((names[a], names[b]), _told(row)) for a, b, row in topology.edges]
    whole = {"name": topology.name, "family": topology.family, "notes": list(topology.notes)}
    keys = {
        "graph": _types([_told(whole)]),
        "node": _types(row for _, row in nodes),
        "edge": _types(row for _, row in links),
    }
    lines = [HEAD]
    for of, types in keys.items():
        lines += [
            f"  <key{attributes(id=_key(of, name), for_=of, **{'attr.name': name, 'attr.type': kind})}/>\n"
            for name, kind in types.items()
        ]
    lines.append(f"  <graph{attributes(id='fabric', edgedefault='undirected')}>\n")
    lines += _data("graph", _told(whole), "    ")
    for name, row in nodes:
        lines += [f"    <node{attributes(id=name)}>\n", *_data("node", row, "      "), "    </node>\n"]
    for (a, b), row in links:
        lines += [f"    <edge{attributes(source=a, target=b)}>\n", *_data("edge", row, "      "), "    </edge>\n"]
    lines.append("  </graph>\n</graphml>\n")
    return Exported("".join(lines), beyond_graph(topology, "GraphML"))


def _told(row: Row) -> dict[str, Any]:
    """Values as GraphML has them: true, numbers, text; the rest as JSON text; unknown ones left out."""
    told = {}
    for key, value in row.items():
        if value is None:
            continue
        value = value.item() if isinstance(value, np.generic) else value
        told[key] = value if isinstance(value, bool | int | float | str) else json.dumps(plain(value))
    return told


def _types(rows: Iterable[Row]) -> dict[str, str]:
    """Each key's type: text where its values have several."""
    found: dict[str, set[str]] = {}
    for row in rows:
        for key, value in row.items():
            found.setdefault(str(key), set()).add(_type(value))
    return {
        key: kinds.pop() if len(kinds) == 1 else "double" if kinds == {"long", "double"} else "string"
        for key, kinds in found.items()
    }


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "long" if isinstance(value, int) else "double" if isinstance(value, float) else "string"


def _key(of: str, name: str) -> str:
    return f"{of}-{name}"


def _data(of: str, row: Row, indent: str) -> Iterator[str]:
    for name, value in row.items():
        yield f"{indent}<data{attributes(key=_key(of, str(name)))}>{content(value)}</data>\n"
