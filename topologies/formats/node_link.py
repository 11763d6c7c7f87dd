"""Node-link JSON, as NetworkX and TopoHub write it."""

from pathlib import Path
from typing import Annotated, Any

from topologies.errors import ConfigError
from topologies.formats.attributed import Columns, fabric
from topologies.formats.contents import read_json, short
from topologies.formats.draft import Cabling, Draft
from topologies.formats.yaml_documents import rows, table
from topologies.graph import Topology
from topologies.parts import Catalogue

WANTED = "node-link JSON with nodes and links or edges"


def read_node_link(
    path: Path,
    name: Annotated[str, "node attribute that names a node"] = "id",
    source: Annotated[str, "edge attribute of its first end"] = "source",
    target: Annotated[str, "edge attribute of its second end"] = "target",
    columns: Columns = Columns(),
    cabling: Cabling = Cabling(),
    *,
    parts: Catalogue,
) -> Topology:
    """The JSON of NetworkX's node_link_data: `nodes` with an id, `links` or `edges` with source and target.

    ConfigError names the row that cannot be read.
    """
    document = table(read_json(path, WANTED, 256), str(path), "the file")
    key = next((key for key in ("links", "edges") if key in document), None)
    if key is None or "nodes" not in document:
        raise ConfigError(f"{path}: no nodes, or neither links nor edges; give {WANTED}")
    nodes = []
    for number, row in enumerate(rows(document["nodes"], str(path), "nodes"), start=1):
        where = f"{path}: node {number}"
        nodes.append((_need(table(row, where, "it"), name, where), row, where))
    edges = []
    for number, row in enumerate(rows(document[key], str(path), key), start=1):
        where = f"{path}: edge {number}"
        edge = table(row, where, "it")
        edges.append((_need(edge, source, where), _need(edge, target, where), edge, where))
    directed = document.get("directed", False)
    if not isinstance(directed, bool):
        raise ConfigError(f"{path}: directed = {short(directed)} is neither true nor false")
    return fabric(Draft(path, "node-link", parts), nodes, edges, columns, cabling, directed)


def _need(row: dict[str, Any], key: str, where: str) -> Any:
    if key not in row:
        raise ConfigError(f"{where} has no {short(key)}; it needs one")
    return row[key]
