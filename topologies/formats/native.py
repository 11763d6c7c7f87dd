"""A fabric as a JSON file of our own: written whole or not at all, read back exactly."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.errors import ConfigError, FabricError, TopologyError
from topologies.formats import native_schema as schema
from topologies.formats.native_circuits import circuits_row, read_circuits
from topologies.formats.writing import Exported, write_whole
from topologies.graph import Grid, Topology
from topologies.invariants import check
from topologies.parts import Catalogue


def native_text(topology: Topology) -> Exported:
    """A topology as JSON, one node or link a line, the same bytes for the same topology.

    All of it is there but the proposals of symmetry, which are code: an answer is found without them, more slowly.
    ConfigError where the topology has what the format does not hold (attributes of the user's own).

    >>> from topologies.registry import build
    >>> native_text(build("ring:n=4")).text.splitlines()[1]
    '"schema": "aifabric.topology/1",'
    """
    return Exported("".join(_lines(_document(topology))))


def write_native(topology: Topology, path: Path) -> None:
    """Write `native_text` to a file.

    ConfigError also where the file cannot be written; one that stood there is then untouched.

    >>> from topologies.registry import build
    >>> write_native(build("ring:n=4"), Path("no", "such", "folder.json"))
    Traceback (most recent call last):
    topologies.errors.ConfigError: no/such/folder.json: No such file or directory; nothing was written
    """
    write_whole(native_text(topology).text, path)


def read_native(path: Path, parts: Catalogue) -> Topology:
    """The topology of a file that `write_native` wrote: the same nodes, links, ranks and compiled form.

    ConfigError names the node, link or key that is wrong; TopologyError a graph that is not a fabric.

    >>> from tempfile import TemporaryDirectory
    >>> from topologies.registry import build
    >>> ring = build("ring:n=8")
    >>> with TemporaryDirectory() as folder:
    ...     write_native(ring, Path(folder, "ring.json"))
    ...     read_native(Path(folder, "ring.json"), ring.catalogue).links
    8
    """
    try:
        topology = _topology(_load(path), parts)
        _check_ends_reached(topology)
        check(topology)
    except FabricError as error:
        raise type(error)(f"{path}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: lists within lists, too deep; give a file that aifabric wrote") from None
    return topology


def _document(topology: Topology) -> dict[str, Any]:
    """The JSON document of a topology, every value checked as the reader will."""
    name = topology.name
    nodes = [_row({"id": n}, attributes, name) for n, attributes in topology.graph.nodes(data=True)]
    edges = topology.graph.edges(data=True)
    links = [_row({"from": a, "to": b}, attributes, name) for a, b, attributes in edges]
    document: dict[str, Any] = {
        "schema": schema.NAME,
        "name": name,
        "family": topology.family,
        "parameters": dict(topology.parameters),
        "notes": list(topology.notes),
        "racks": dict(topology.racks),
        "halves": [np.flatnonzero(half).tolist() for half in topology.halves],
    }
    grid = topology.grid
    if grid is not None:
        document["grid"] = {"dims": grid.dims, "wrap": grid.wrap, "twist": grid.twist}
    if topology.tours:
        document["tours"] = [tour.tolist() for tour in topology.tours]
    if topology.left_out:
        document["left_out"] = sorted(topology.left_out)
    if topology.circuits is not None:
        document["circuits"] = circuits_row(topology.circuits)
    document = schema.plain({**document, "nodes": nodes, "links": links})
    schema.check_row(document, schema.DOCUMENT, name)
    for node in document["nodes"]:
        schema.check_row(node, schema.NODE, f"{name}: node {node['id']}")
    for link in document["links"]:
        schema.check_row(link, schema.LINK, f"{name}: link {link['from']} - {link['to']}")
    return document


def _row(ends: dict[str, Any], attributes: Mapping[str, Any], name: str) -> dict[str, Any]:
    shared = ends.keys() & attributes.keys()
    if shared:
        raise ConfigError(f"{name}: {schema.NAME} holds no attribute {min(shared)!r}; rename it")
    return {**ends, **attributes}


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    """JSON with each node and link on its own line."""
    head = {key: value for key, value in document.items() if key not in ("nodes", "links")}
    yield "{\n"
    for key, value in head.items():
        yield f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)},\n"
    for key, end in (("nodes", "],\n"), ("links", "]\n")):
        rows = ",\n".join(json.dumps(row, allow_nan=False) for row in document[key])
        yield f"{json.dumps(key)}: [\n{rows}\n{end}"
    yield "}\n"


def _load(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8")
        document = json.loads(text, object_pairs_hook=_once)
    except OSError as error:
        raise ConfigError(f"{error.strerror}; give a file that aifabric wrote") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("schema"), str):
        raise ConfigError(f'no "schema": a topology file says "schema": "{schema.NAME}"')
    if document["schema"] != schema.NAME:
        raise ConfigError(f'"schema" is {document["schema"][:60]!r}; this version reads "{schema.NAME}"')
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ConfigError(f"key {twice[:60]!r} stands twice in one object")
    return row


def _topology(document: dict[str, Any], parts: Catalogue) -> Topology:
    schema.check_row(document, schema.DOCUMENT, "the file")
    graph = nx.Graph()
    for i, row in enumerate(document["nodes"]):
        schema.check_row(row, schema.NODE, _place("node", row, ("id",), i))
        _add_node(graph, row, parts)
    for i, row in enumerate(document["links"]):
        schema.check_row(row, schema.LINK, _place("link", row, ("from", "to"), i))
        _add_link(graph, row, parts)
    ranks = sum(kind == "accelerator" for _, kind in graph.nodes(data="kind"))
    return Topology(
        name=document["name"],
        family=document["family"],
        parameters={key: schema.frozen(value) for key, value in document["parameters"].items()},
        graph=graph,
        catalogue=parts,
        circuits=read_circuits(document["circuits"], graph, parts) if "circuits" in document else None,
        left_out=frozenset(document.get("left_out", ())),
        grid=_grid(document["grid"], ranks) if "grid" in document else None,
        halves=[_half(half, ranks) for half in document["halves"]],
        tours=[_tour(tour, ranks) for tour in document.get("tours", ())],
        racks=document["racks"],
        notes=tuple(document["notes"]),
    )


def _place(what: str, row: Any, keys: Sequence[str], number: int) -> str:
    if isinstance(row, dict) and all(isinstance(row.get(key), str) for key in keys):
        return f"{what} {' - '.join(schema.short(row[key]) for key in keys)}"
    return f"{what} number {number + 1}"


def _add_node(graph: nx.Graph, row: dict[str, Any], parts: Catalogue) -> None:
    node = schema.frozen(row["id"])
    if node in graph:
        raise ConfigError(f"node {node} stands there twice")
    for name in chain([row["part"]] if row.get("part") is not None else [], row.get("parts", ())):
        _known(name, parts, f"node {node}")
    attributes = {k: v if k == "parts" else schema.frozen(v) for k, v in row.items() if k != "id"}
    graph.add_node(node, **attributes)


def _add_link(graph: nx.Graph, row: dict[str, Any], parts: Catalogue) -> None:
    a, b = schema.frozen(row["from"]), schema.frozen(row["to"])
    where = f"link {a} - {b}"
    for node in (a, b):
        if node not in graph:
            raise ConfigError(f"{where}: there is no node {node}")
    if graph.has_edge(a, b):
        raise ConfigError(f"{where} stands there twice; give parallel links as count")
    for key in ("cable", "nic"):
        if key in row:
            _known(row[key], parts, where)
    graph.add_edge(a, b, **{k: v for k, v in row.items() if k not in ("from", "to")})


def _known(name: str, parts: Catalogue, where: str) -> None:
    if name not in parts:
        raise ConfigError(f"{where}: no part is named {schema.short(name)}; add it with --parts FILE")


def _grid(row: dict[str, Any], ranks: int) -> Grid:
    schema.check_row(row, schema.GRID, "grid")
    dims, wrap = tuple(row["dims"]), tuple(row["wrap"])
    size = 1
    for dim in dims:
        size *= dim
    if len(dims) != len(wrap) or size != ranks:
        raise ConfigError(f"grid: dims {list(dims)} and wrap {list(wrap)} do not fit {ranks} accelerators")
    return Grid(dims, wrap, row["twist"])


def _half(members: Sequence[int], ranks: int) -> NDArray[np.bool_]:
    if members and max(members) >= ranks:
        raise ConfigError(f"halves: rank {max(members)} is above the last of {ranks}")
    half = np.zeros(ranks, np.bool_)
    half[list(members)] = True
    return half


def _tour(members: Sequence[int], ranks: int) -> NDArray[np.int64]:
    tour = np.array(members, np.int64)
    if not np.array_equal(np.sort(tour), np.arange(ranks)):
        raise ConfigError(f"tours: one of {len(tour)} ranks does not hold each of {ranks} ranks once")
    return tour


def _check_ends_reached(topology: Topology) -> None:
    """Every connected piece has an accelerator; `check` asks whether the accelerators are in one piece."""
    ends = set(topology.accelerators)
    for piece in nx.connected_components(topology.graph):
        if ends and ends.isdisjoint(piece):
            first = next(node for node in topology.graph if node in piece)
            raise TopologyError(f"node {first} reaches no accelerator; add a link")
