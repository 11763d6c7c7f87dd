"""HammingMesh: boards of accelerators in a mesh, the boards of every row and column joined by switches."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import Annotated, Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.blocks import FIXED, Block, moves_and_mirrors
from topologies.clos import SwitchName
from topologies.conditions import OnlyWith
from topologies.errors import ConfigError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue
from topologies.routers import as_published
from topologies.stages import Tier, add_tiers, leaf_split, plane_link, switch_tier
from topologies.torus import grid_edges, grid_nodes

Labels = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Lines:
    """How the lines of accelerators of one direction are joined: `boards` in a line, `lines` of a board across."""

    name: str
    boards: int
    lines: int
    tier: Tier

    @property
    def together(self) -> int:
        """Lines of one row of boards on one switch; 0: a line needs a tree of switches."""
        return min(self.lines, self.tier.ports // (2 * self.boards))


def hammingmesh(
    a: Annotated[int, "accelerators of a board along x"],
    b: Annotated[int, "accelerators of a board along y"],
    x: Annotated[int, "boards along x"],
    y: Annotated[int, "boards along y"],
    planes: Annotated[int, "parallel networks, each at rate/planes; the paper's have 4"] = 1,
    ports: Annotated[int, "of a switch that has no catalogue name", OnlyWith("switch", None)] = 64,
    column_technology: Annotated[str, "of links to column switches and between the switches of a tree"] = "aoc",
    column_length_m: Annotated[float, "of these links"] = 20.0,
    board_length_m: Annotated[float, "of links on a board"] = 0.3,
    switch: SwitchName = None,
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    *,
    parts: Catalogue,
) -> Topology:
    """HammingMesh: x by y boards of a by b accelerators, which forward on boards (Hoefler et al., SC 2022).

    A board is a mesh without wraparound. Both ends of every line of accelerators of every board go to the switch of the
    line, so that a row of boards has 2 x ports a line: one switch joins as many lines of a row of boards as its ports
    allow; a line that exceeds them has a folded Clos of its own. A direction with one board has no switches. The cut
    between halves of the boards, 1/(2a) of the injection, is the published bisection; cuts around a block of boards
    can be narrower, so no closed form is claimed.

    >>> from topologies.registry import build
    >>> t = build("hammingmesh:a=2,b=2,x=4,y=4"); len(t.accelerators), t.attribute("kind").count("switch"), t.links
    (64, 8, 192)
    """
    accelerators = a * b * x * y
    if accelerators < 2:
        raise ConfigError("hammingmesh: one board of one accelerator joins nothing; give at least 2")
    lane = plane_link(link, planes)
    tier = Tier(switch, ports) if switch is None else switch_tier(parts, switch, lane)
    if tier.ports < 2:
        raise ConfigError(f"hammingmesh: ports = {tier.ports} of a switch join nothing; give at least 2")
    limit_nodes("hammingmesh", accelerators + planes * (b * y + a * x), (2 + 4 * planes) * accelerators)
    parts.part(accelerator, Accelerator)
    graph = nx.Graph()
    grid = np.array(_add_boards(graph, (a, b), (x, y), lane, planes, board_length_m, accelerator, parts), dtype=object)
    boards = grid.reshape(y, b, x, a)
    across = replace(lane, technology=column_technology, length_m=column_length_m, cable=None)
    rows, columns = Lines("row", x, b, tier), Lines("column", y, a, tier)
    blocks = [Block(_cut(boards, rows, columns), (*_axes(columns), "b", *_axes(rows), "a"))]
    for lines, cable, ends, others in (
        (rows, lane, boards, columns),
        (columns, across, boards.transpose(2, 3, 0, 1), rows),
    ):
        blocks += _join(graph, lines, others, ends, planes, cable, across, parts)
    ends = sum(count for _, count in graph.degree(grid.tolist(), "count"))
    inner = 2 * ((a - 1) * b + (b - 1) * a) * x * y
    outer = 2 * (b * (x > 1) + a * (y > 1)) * x * y
    as_published("hammingmesh", "ports of accelerators in use", ends, planes * (inner + outer))
    moves = partial(moves_and_mirrors, blocks, ("a", "b"))
    return Topology("hammingmesh", "hammingmesh", {}, graph, parts, generators=moves)


def _add_boards(
    graph: nx.Graph,
    board: tuple[int, int],
    boards: tuple[int, int],
    lane: LinkOptions,
    planes: int,
    length_m: float,
    accelerator: str,
    parts: Catalogue,
) -> list[Any]:
    """Add the accelerators in rank order of the whole grid, and the links on boards; their labels."""
    dims = (board[0] * boards[0], board[1] * boards[1])
    labels = grid_nodes(graph, dims, {"kind": "accelerator", "forwards": True, "part": accelerator})
    on_board = replace(lane, technology="board", length_m=length_m, cable=None).attributes(parts, count=planes)
    if board == (1, 1):
        return labels
    edges = []
    for axis, here, there in grid_edges(dims, (False, False), {}):
        place = here % dims[0] if axis == 0 else here // dims[0]
        if (place + 1) % board[axis]:
            edges.append((labels[here], labels[there]))
    graph.add_edges_from(edges, **on_board)
    return labels


def _split(lines: Lines) -> tuple[int, ...] | None:
    """Boards of a line as (leaves, boards of a leaf) where a tree joins them evenly; None where not."""
    down = leaf_split(lines.tier.ports, 1)[0]
    even = down % 2 == 0 and lines.boards % (down // 2) == 0
    return (lines.boards // (down // 2), down // 2) if even else None


def _axes(lines: Lines) -> tuple[str, ...]:
    """Names of the axes along which the boards of a line may change places."""
    if lines.boards == 1:
        return (FIXED,)
    if lines.together:
        return (f"{lines.name} board",)
    return (f"{lines.name} leaf", f"{lines.name} board") if _split(lines) else (FIXED,)


def _shape(lines: Lines) -> tuple[int, ...]:
    return (_split(lines) if lines.boards > 1 and not lines.together else None) or (lines.boards,)


def _cut(boards: Labels, rows: Lines, columns: Lines) -> Labels:
    """Accelerators by place of the board in a column, in the board, in a row, in the board."""
    return boards.reshape(*_shape(columns), boards.shape[1], *_shape(rows), boards.shape[3])


def _join(
    graph: nx.Graph,
    lines: Lines,
    others: Lines,
    ends: Labels,
    planes: int,
    cable: LinkOptions,
    trunk: LinkOptions,
    parts: Catalogue,
) -> list[Block]:
    """Add the switches of one direction and the links to them; what of them is alike.

    `ends[i, j, k]` are the accelerators of line j of board k of the i-th row of boards.
    """
    if lines.boards == 1:
        return []
    attributes = cable.attributes(parts)
    board_lines = [(i, j) for i in range(ends.shape[0]) for j in range(lines.lines)]
    switches, spines = [], []
    edges: dict[int, list[tuple[str, str]]] = {1: [], 2: []}
    for plane in range(planes):
        suffix = f"-p{plane}" if planes > 1 else ""
        for i, j in board_lines:
            if lines.together:
                name = f"{lines.name}-{i}-{j // lines.together}{suffix}"
                if j % lines.together == 0:
                    graph.add_node(name, **lines.tier.attributes(1))
                    switches.append(name)
                leaves: Sequence[str] = [name] * (2 * lines.boards)
            else:
                own, up = _tree(graph, lines, f"{lines.name}-{i}-{j}{suffix}", trunk, parts)
                switches += own
                spines += up
                down = leaf_split(lines.tier.ports, 1)[0]
                leaves = [own[port // down] for port in range(2 * lines.boards)]
            for k, along in enumerate(ends[i, j]):
                pairs = [(along[0], leaves[2 * k]), (along[-1], leaves[2 * k + 1])]
                if pairs[0] == pairs[1]:
                    edges[2].append(pairs[0])
                else:
                    edges[1] += pairs
    for count, pairs in edges.items():
        graph.add_edges_from(pairs, **attributes | {"count": count})
    return _alike(lines, others, planes, switches, spines)


def _tree(
    graph: nx.Graph, lines: Lines, name: str, trunk: LinkOptions, parts: Catalogue
) -> tuple[list[str], list[str]]:
    """Add the folded Clos of one line; its leaves, and the switches above them."""
    down, up = leaf_split(lines.tier.ports, 1)
    leaves = [f"leaf-{name}-{leaf}" for leaf in range(ceil(2 * lines.boards / down))]
    graph.add_nodes_from(leaves, **lines.tier.attributes(1))
    tiers = add_tiers(graph, leaves, up, lines.tier, trunk, parts, suffix=f"-{name}")
    return leaves, [spine for pod in tiers.spines for spine in pod]


def _alike(lines: Lines, others: Lines, planes: int, switches: list[str], spines: list[str]) -> list[Block]:
    """Switches laid out by plane, by the place of their row of boards, and by what of it they join."""
    place, across = _shape(others), "b" if lines.name == "row" else "a"
    even = lines.together and lines.lines % lines.together == 0
    axes = ("plane", *_axes(others), across if even or not lines.together else FIXED)
    lead = (planes, *place)
    if lines.together:
        return [Block(np.array(switches, dtype=object).reshape(*lead, -1), axes)]
    leaf = "row leaf" if lines.name == "row" else "column leaf"
    shape = (*lead, lines.lines, -1)
    blocks = [Block(np.array(switches, dtype=object).reshape(shape), (*axes, leaf if _split(lines) else FIXED))]
    blocks.append(Block(np.array(spines, dtype=object).reshape(shape), (*axes, f"{lines.name} spine")))
    return blocks
