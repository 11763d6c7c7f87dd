"""GraphML, as NetworkX, yEd, the Topology Zoo and aifabric write it, read as a stream."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from topologies.errors import ConfigError
from topologies.formats.attributed import Columns, fabric
from topologies.formats.contents import short
from topologies.formats.draft import Cabling, Draft
from topologies.formats.elements import Element, stream_elements
from topologies.graph import Topology
from topologies.parts import Catalogue

_TYPES = ("boolean", "int", "integer", "long", "float", "double", "string")


def read_graphml(
    path: Path, columns: Columns = Columns(), cabling: Cabling = Cabling(), *, parts: Catalogue
) -> Topology:
    """A GraphML file of one graph: nodes, edges, and attributes by their declared names.

    ConfigError names the line that cannot be read.
    """
    around: dict[str, dict[str, str]] = {}
    keys: dict[str, tuple[str, str, str | None]] = {}
    nodes: list[tuple[Any, dict[str, Any], str]] = []
    edges: list[tuple[Any, Any, dict[str, Any], str]] = []
    for element in stream_elements(path, "graphml", {"key", "node", "edge", "hyperedge"}, around):
        where = element.at(path)
        if element.tag == "key":
            keys[element.need("id", path)] = _key(element, where)
        elif element.tag == "node":
            nodes.append((element.need("id", path), dict(_data(element, keys, where)), where))
        elif element.tag == "edge":
            ends = element.need("source", path), element.need("target", path)
            edges.append((*ends, dict(_data(element, keys, where)), where))
        else:
            raise ConfigError(f"{where}: hyperedges are not read; write a switch and an edge to each of its ends")
        if element.all("graph"):
            raise ConfigError(f"{where}: a graph within a node is not read; write it flat")
    directed = around.get("graph", {}).get("edgedefault") == "directed"
    return fabric(Draft(path, "graphml", parts), nodes, edges, columns, cabling, directed)


def _key(element: Element, where: str) -> tuple[str, str, str | None]:
    """Name, type and default of a declared attribute."""
    kind = element.attributes.get("attr.type", "string")
    if kind not in _TYPES:
        raise ConfigError(f"{where}: attr.type {short(kind)} is not one of {', '.join(_TYPES)}")
    default = next((child.text.strip() for child in element.all("default")), None)
    return element.attributes.get("attr.name", element.attributes.get("id", "")), kind, default


def _data(element: Element, keys: dict[str, tuple[str, str, str | None]], where: str) -> Iterator[tuple[str, Any]]:
    """Attributes of a node or an edge by name, those that are declared with a default first."""
    for name, kind, default in keys.values():
        if default is not None:
            yield name, _value(default, kind, where, name)
    for child in element.all("data"):
        key = child.attributes.get("key", "")
        if key not in keys:
            raise ConfigError(f"{where}: data of {short(key)}, which no <key> declares")
        name, kind, _ = keys[key]
        yield name, _value(child.text.strip(), kind, where, name)


def _value(text: str, kind: str, where: str, name: str) -> Any:
    if kind == "string":
        return text
    if kind == "boolean":
        if text.lower() not in ("true", "false", "1", "0"):
            raise ConfigError(f"{where}: {name[:40]} = {short(text)} is neither true nor false")
        return text.lower() in ("true", "1")
    try:
        return (int if kind in ("int", "integer", "long") else float)(text[:60])
    except ValueError:
        raise ConfigError(f"{where}: {name[:40]} = {short(text)} is not a number") from None
