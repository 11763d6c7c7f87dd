"""Routers joined directly: groups round a circle, each a small circle of its routers."""

from collections.abc import Hashable
from math import cos, pi, sin

import numpy as np

from fabric.drawing.layout import Glyph, Layout, titled
from topologies.graph import Topology

MOST_ROUTERS = 480
DOT, SPACING = 9.0, 13.0
BOX = (26.0, 18.0)


def layout(topology: Topology) -> Layout:
    """Switches on circles by their group, or nodes of a fabric without switches on one; every fabric has this shape.

    Accelerators that hang on one switch are left to the captions. Above 480 switches a group is one box.
    """
    kinds = topology.attribute("kind")
    routers = [i for i, kind in enumerate(kinds) if kind == "switch"]
    found = Layout.empty(topology)
    direct = not routers or any(topology.csr().forwards[r] for r in topology.csr().accelerators[:1])
    nodes = list(range(len(kinds))) if direct else routers
    groups: dict[Hashable, list[int]] = {}
    for node in nodes:
        groups.setdefault(_group(topology, node), []).append(node)
    if len(groups) == len(nodes) or len(groups) == 1:
        _one_circle(topology, found, nodes)
    else:
        _circles(topology, found, groups, apart=len(nodes) <= MOST_ROUTERS)
    hidden = len(topology.accelerators) if not direct else 0
    if hidden:
        on = np.bincount(topology.csr().heads[topology.csr().indptr[topology.csr().accelerators]])
        each = sorted({int(n) for n in on[on > 0].tolist()})
        span = f"{each[0]:,}" if len(each) == 1 else f"{each[0]:,} to {each[-1]:,}"
        found.captions.append(f"Accelerators are not drawn: {hidden:,} in all, {span} on a switch that has any.")
    return found


def _group(topology: Topology, node: int) -> Hashable:
    """The group that a family says a node is in: the first part of its position."""
    data = topology.graph.nodes[topology.nodes[node]]
    place = data.get("position")
    return place[0] if isinstance(place, tuple) and len(place) > 1 else node


def _one_circle(topology: Topology, found: Layout, nodes: list[int]) -> None:
    share = -(-len(nodes) // MOST_ROUTERS)
    boxes = [nodes[i : i + share] for i in range(0, len(nodes), share)]
    radius = max(90.0, len(boxes) * SPACING / (2 * pi))
    for i, members in enumerate(boxes):
        angle = 2 * pi * i / len(boxes) - pi / 2
        _dot(topology, found, members, radius * cos(angle), radius * sin(angle))
    if share > 1:
        found.captions.append(f"A dot stands for {share} nodes; links inside it are not drawn.")


def _circles(topology: Topology, found: Layout, groups: dict[Hashable, list[int]], *, apart: bool) -> None:
    largest = max(map(len, groups.values()))
    inner = max(14.0, largest * SPACING / (2 * pi)) if apart else BOX[0] / 2
    radius = max(100.0, len(groups) * (2 * inner + 14) / (2 * pi))
    for i, (name, members) in enumerate(groups.items()):
        angle = 2 * pi * i / len(groups) - pi / 2
        x, y = radius * cos(angle), radius * sin(angle)
        if not apart:
            labels = [topology.nodes[n] for n in members]
            found.add(Glyph(x, y, "switch", titled("switch", labels), str(name), *BOX), members)
            continue
        for j, node in enumerate(members):
            turn = 2 * pi * j / len(members) + angle
            _dot(topology, found, [node], x + inner * cos(turn), y + inner * sin(turn))
    if not apart:
        found.captions.append(f"A box is a group of up to {largest:,} switches; links inside it are not drawn.")


def _dot(topology: Topology, found: Layout, members: list[int], x: float, y: float) -> None:
    kind = topology.graph.nodes[topology.nodes[members[0]]]["kind"]
    labels = [topology.nodes[n] for n in members]
    found.add(Glyph(x, y, kind, titled(kind, labels), width=DOT, height=DOT), members)
