"""The circuit layer of a topology file: circuit switches, the strands on their ports, the cross-connect state."""

from collections.abc import Hashable
from typing import Any

import networkx as nx
import numpy as np

from topologies.circuits import CircuitLayer
from topologies.errors import ConfigError
from topologies.formats import native_schema as schema
from topologies.parts import Catalogue, CircuitSwitch


def circuits_row(layer: CircuitLayer) -> dict[str, Any]:
    """A circuit layer as one JSON object.

    >>> from topologies.registry import build
    >>> from pprint import pprint
    >>> pprint(sorted(circuits_row(build("tpu-v4-64").circuits)), compact=True, width=110)
    ['blocks', 'devices', 'ends', 'failed', 'fibres', 'generation', 'lanes', 'link', 'other_links', 'other_parts',
     'part', 'share', 'state', 'strands']
    """
    return {
        "part": layer.part.name,
        "other_parts": {str(device): part.name for device, part in layer.other_parts.items()},
        "devices": layer.devices,
        "share": layer.share,
        "fibres": layer.fibres,
        "lanes": layer.lanes,
        "ends": list(layer.ends),
        "blocks": list(layer.blocks),
        "link": dict(layer.link),
        "other_links": [dict(link) for link in layer.other_links],
        "generation": layer.generation.tolist(),
        "strands": layer.strands.tolist(),
        "state": layer.state.tolist(),
        "failed": layer.failed.tolist(),
    }


def read_circuits(row: dict[str, Any], graph: nx.Graph, parts: Catalogue) -> CircuitLayer:
    """The circuit layer of a JSON object, whose circuits the graph must have as links, and no others.

    ConfigError for a key that is wrong, a part that is no circuit switch, an end that is no node, and where state and
    links differ; TopologyError for two strands on a port or a state that no strand reaches.
    """
    schema.check_row(row, schema.CIRCUITS, "circuits")
    for link in (row["link"], *row["other_links"]):
        schema.check_row(link, schema.CIRCUIT_LINK, "circuits: link")
    ends = [schema.frozen(end) for end in row["ends"]]
    lost = next((end for end in ends if end not in graph), None)
    if lost is not None:
        raise ConfigError(f"circuits: there is no node {schema.short(lost)}")
    for key in ("blocks", "generation"):
        if len(row[key]) != len(ends) and (row[key] or key == "blocks"):
            raise ConfigError(f"circuits: {len(row[key])} {key} for {len(ends)} ends; give one for each")
    if max(row["generation"], default=0) > len(row["other_links"]):
        raise ConfigError(f"circuits: generation {max(row['generation'])} is above the last of other_links")
    if row["devices"] > max(1, len(row["strands"])):
        many = f"{row['devices']} devices for {len(row['strands'])} strands"
        raise ConfigError(f"circuits: {many}; leave out those without any")
    layer = CircuitLayer(
        part=parts.part(row["part"], CircuitSwitch),
        devices=row["devices"],
        strands=np.array(row["strands"], np.int32).reshape(-1, 4),
        state=np.array(row["state"], np.int32).reshape(-1, 3),
        ends=ends,
        blocks=row["blocks"],
        link=row["link"],
        share=row["share"],
        fibres=row["fibres"],
        other_parts=_models(row, parts),
        failed=np.array(row["failed"], np.int32).reshape(-1, 3),
        lanes=row["lanes"],
        other_links=row["other_links"],
        generation=np.array(row["generation"], np.int32),
    )
    _check_links(layer, graph)
    return layer


def _models(row: dict[str, Any], parts: Catalogue) -> dict[int, CircuitSwitch]:
    wrong = next((d for d in row["other_parts"] if not (d.isascii() and d.isdigit() and len(d) < 9)), None)
    if wrong is not None or any(int(d) >= row["devices"] for d in row["other_parts"]):
        raise ConfigError(f"circuits: other_parts names a device that is none of 0 to {row['devices'] - 1}")
    return {int(device): parts.part(name, CircuitSwitch) for device, name in row["other_parts"].items()}


def _check_links(layer: CircuitLayer, graph: nx.Graph) -> None:
    """The circuits of the graph are those of the state, but where links are time-shared: those are of all states."""
    if any(edge["medium"] == "circuit" and edge["duty"] < 1 for _, _, edge in graph.edges(data=True)):
        return
    made = nx.Graph()
    layer.add_circuits(made)
    wanted = {frozenset((a, b)): edge["count"] for a, b, edge in made.edges(data=True)}
    found = {frozenset((a, b)): edge["count"] for a, b, edge in graph.edges(data=True) if edge["medium"] == "circuit"}
    if found != wanted:
        pair = min((p for p in wanted.keys() | found.keys() if wanted.get(p, 0) != found.get(p, 0)), key=_order)
        raise ConfigError(
            f"circuits: the state joins {' - '.join(_order(pair))} by {wanted.get(pair, 0)} circuits, "
            f"the links by {found.get(pair, 0)}"
        )


def _order(pair: frozenset[Hashable]) -> list[str]:
    return sorted(map(str, pair))
