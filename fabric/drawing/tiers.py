"""Tiers of switches above each other, accelerators at the bottom; a few pods stand for all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fabric.drawing import adapters
from fabric.drawing.layout import Glyph, Layout, kept, plural, titled
from topologies.graph import Topology

PITCH, ROW = 62.0, 92.0
MOST_IN_ROW = 16
MOST_PODS = 3
BOX = (44.0, 22.0)
NAMES = {0: "scale-up switches", 1: "leaves", 2: "spines", 3: "cores"}


@dataclass(frozen=True, slots=True)
class Unit:
    """Nodes drawn as one glyph."""

    kind: str
    members: list[int]


def layout(topology: Topology) -> Layout | None:
    """Rows by tier; None where no switch has accelerators below it or other switches above it."""
    kinds = topology.attribute("kind")
    tiers = {i: int(t or 1) if t != 0 else 0 for i, t in enumerate(topology.attribute("tier")) if kinds[i] == "switch"}
    if not tiers:
        return None
    found = Layout.empty(topology)
    tail = np.array([i for i, t in tiers.items() if 0 < t < max(tiers.values())], np.int64)
    pods = _pods(topology, tail)
    shown, left = kept(pods, MOST_PODS)
    each = max(2, MOST_IN_ROW // max(1, len(shown)))
    x = 0.0
    for i, pod in enumerate(shown):
        if left and i == len(shown) - 1:
            found.gaps.append((x + PITCH / 2, -ROW))
            x += PITCH
        x = _draw_pod(topology, found, tiers, pod, each, x) + PITCH / 2
    middle = (x - PITCH / 2) / 2
    top = [i for i, t in tiers.items() if t == max(tiers.values()) and t > 0 and found.of[i] < 0]
    if top:
        _draw_row(topology, found, [Unit("switch", [i]) for i in top], MOST_IN_ROW, middle, -ROW * max(tiers.values()))
    _draw_below(topology, found, tiers)
    _captions(topology, found, tiers, len(pods), left)
    return found


def _pods(topology: Topology, middle: NDArray[np.int64]) -> list[list[int]]:
    """Switches below the top that hang together without it, in the order of their first."""
    csr = topology.csr()
    inside = np.zeros(len(topology.nodes), bool)
    inside[middle] = True
    both = inside[csr.tails] & inside[csr.heads]
    links = coo_array((np.ones(both.sum()), (csr.tails[both], csr.heads[both])), shape=(len(inside), len(inside)))
    _, label = connected_components(links, directed=False)
    pods: dict[int, list[int]] = {}
    for node in middle.tolist():
        pods.setdefault(int(label[node]), []).append(node)
    groups = list(pods.values())
    # switches that are joined by nothing below the top are one row, not a pod each
    return groups if all(len(g) > 1 for g in groups) else [[n for g in groups for n in g]] if groups else []


def _draw_pod(
    topology: Topology, found: Layout, tiers: dict[int, int], pod: Sequence[int], most: int, left: float
) -> float:
    """One pod's rows from `left` on; where it ends."""
    rows = {t: [n for n in pod if tiers[n] == t] for t in sorted({tiers[n] for n in pod})}
    places = max(min(len(r), most) + (len(r) > most) for r in rows.values())
    centre = left + places * PITCH / 2
    for tier, nodes in rows.items():
        _draw_row(topology, found, [Unit("switch", [n]) for n in nodes], most, centre, -ROW * tier)
    return left + places * PITCH


def _draw_row(topology: Topology, found: Layout, units: list[Unit], most: int, centre: float, y: float) -> None:
    from fabric.drawing.layout import row

    placed, gap = row(units, most, PITCH, centre)
    for unit, x in placed:
        labels = [topology.nodes[n] for n in unit.members]
        label = str(labels[0]) if len(labels) == 1 else f"{len(labels):,}"
        found.add(Glyph(x, y, unit.kind, titled(unit.kind, labels), label, *BOX), unit.members)
    if gap is not None:
        found.gaps.append((gap, y))


def _draw_below(topology: Topology, found: Layout, tiers: dict[int, int]) -> None:
    """Accelerators by scale-up domain, or by the switch that they hang on; what joins them; adapters between."""
    csr, kinds = topology.csr(), topology.attribute("kind")
    domains = topology.domains
    ranks = csr.accelerators
    if len(domains) > 1:
        groups = [ranks[np.array(d)].tolist() for d in domains]
        _draw_domains(topology, found, tiers, groups)
    elif len(ranks) <= MOST_IN_ROW:
        _draw_row(topology, found, [Unit("accelerator", [r]) for r in ranks.tolist()], MOST_IN_ROW, _middle(found), 0.0)
    else:
        home = csr.heads[csr.indptr[ranks]]
        if 0 <= tiers.get(int(home[0]), -1) < 1:
            _draw_row(topology, found, _shared(ranks.tolist()), MOST_IN_ROW, _middle(found), 0.0)
        for leaf in dict.fromkeys(home.tolist()):
            if found.of[leaf] >= 0 and tiers.get(leaf, 0) >= 1:
                _hang(topology, found, leaf, ranks[home == leaf].tolist())
    chips = [n for n, t in tiers.items() if t == 0 and found.of[n] < 0]
    if chips and len(domains) <= 1:
        _draw_row(topology, found, [Unit("switch", [n]) for n in chips], MOST_IN_ROW, _middle(found), ROW)
    if "nic" in kinds or "host" in kinds:
        adapters.draw(topology, found, -ROW if any(tiers.values()) else -2.4 * ROW)


def _shared(nodes: list[int]) -> list[Unit]:
    """Nodes dealt into as many boxes as a row has, in order."""
    size = -(-len(nodes) // MOST_IN_ROW)
    return [Unit("accelerator", nodes[i : i + size]) for i in range(0, len(nodes), size)]


def _middle(found: Layout) -> float:
    xs = [g.x for g in found.glyphs]
    return (min(xs) + max(xs)) / 2 if xs else 0.0


def _hang(topology: Topology, found: Layout, leaf: int, members: list[int]) -> None:
    """The accelerators of one leaf, as one box under it."""
    at = found.glyphs[found.of[leaf]]
    labels = [topology.nodes[n] for n in members]
    found.add(Glyph(at.x, 0.0, "accelerator", titled("accelerator", labels), f"{len(members):,}", *BOX), members)


def _draw_domains(topology: Topology, found: Layout, tiers: dict[int, int], groups: list[list[int]]) -> None:
    """Every shown server or rack: its accelerators, and its switch chips below."""
    from fabric.drawing.layout import row

    csr = topology.csr()
    placed, gap = row(groups, MOST_IN_ROW, PITCH, _middle(found))
    for members, x in placed:
        labels = [topology.nodes[n] for n in members]
        found.add(Glyph(x, 0.0, "accelerator", titled("accelerator", labels), f"{len(members):,}", *BOX), members)
        arcs = np.concatenate([np.arange(csr.indptr[n], csr.indptr[n + 1]) for n in members[:1]])
        chips = [n for n in csr.heads[arcs].tolist() if tiers.get(n) == 0]
        if chips:
            names = [topology.nodes[n] for n in chips]
            found.add(Glyph(x, ROW * 0.7, "switch", titled("switch", names), f"{len(chips):,}", *BOX), chips)
    if gap is not None:
        found.gaps += [(gap, 0.0), (gap, ROW * 0.7)]


def _captions(topology: Topology, found: Layout, tiers: dict[int, int], pods: int, left: int) -> None:
    drawn = found.of >= 0
    for tier in sorted(set(tiers.values()), reverse=True):
        nodes = np.array([n for n, t in tiers.items() if t == tier])
        shown = int(drawn[nodes].sum())
        if shown < len(nodes):
            found.captions.append(f"{NAMES.get(tier, f'tier {tier}')}: {shown:,} of {len(nodes):,} drawn")
    if left:
        found.captions.append(f"pods: {pods - left} of {pods:,} drawn")
    ranks = topology.csr().accelerators
    shown = int(drawn[ranks].sum())
    if shown < len(ranks):
        found.captions.append(f"accelerators: {shown:,} of {len(ranks):,} drawn")
    if any(g.kind == "accelerator" and "(" in g.name for g in found.glyphs):
        found.captions.append(f"A dark box holds as many {plural('accelerator')} as its number says.")
