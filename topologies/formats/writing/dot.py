"""A fabric as a Graphviz graph: end points and switches in the shapes and ranks of a wiring diagram."""

from collections.abc import Iterator
from typing import Any

from topologies.formats.writing import Exported, labels
from topologies.graph import Topology

SHAPES = {"accelerator": "box", "switch": "ellipse", "nic": "cds", "host": "component"}
COLOURS = {
    "copper": "chocolate", "active-copper": "goldenrod", "optical": "royalblue", "circuit": "purple", "board": "gray",
}  # fmt: skip


def dot_text(topology: Topology) -> Exported:
    """Nodes by kind and part, links with rate and number, coloured by medium; grids at their positions (for neato -n).

    >>> from topologies.registry import build
    >>> print(dot_text(build("switch:n=2")).text.splitlines()[4])
      "acc-0" [shape=box, kind="accelerator", part="generic"];
    """
    names = labels(topology)
    lines = [f"graph {_quoted(topology.name)} {{\n", "  layout=sfdp;\n  overlap=prism;\n  node [fontsize=10];\n"]
    for node, row in topology.graph.nodes(data=True):
        lines.append(f"  {_quoted(names[node])} [{', '.join(_node(row))}];\n")
    for a, b, row in topology.edges:
        lines.append(f"  {_quoted(names[a])} -- {_quoted(names[b])} [{', '.join(_link(row))}];\n")
    lines.append("}\n")
    lost = topology.circuits is not None
    notes = ("DOT holds live circuits as links, not the circuit switches and their strands",) if lost else ()
    return Exported("".join(lines), notes)


def _node(row: dict[str, Any]) -> Iterator[str]:
    yield f"shape={SHAPES[row['kind']]}"
    yield f"kind={_quoted(row['kind'])}"
    for key in ("part", "domain", "rack"):
        if row.get(key) is not None:
            yield f"{key}={_quoted(row[key])}"
    if row.get("tier") is not None:
        yield f"tier={row['tier']}"
    position = row.get("position")
    if position is not None and len(position) == 2:
        yield f'pos="{100 * position[0]:g},{100 * position[1]:g}!"'


def _link(row: dict[str, Any]) -> Iterator[str]:
    number = f"{row['count']} x " if row["count"] > 1 else ""
    label = f"{number}{row['rate_gbps']:g}G"
    yield f"label={_quoted(label)}"
    yield f"color={_quoted(COLOURS.get(row['medium'], 'black'))}"
    for key in ("rate_gbps", "count", "latency_ns", "length_m"):
        yield f"{key}={row[key]!r}"
    yield f"cable={_quoted(row['cable'])}"


def _quoted(value: Any) -> str:
    """A double-quoted DOT string, in which only the quote and the backslash mean anything."""
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
