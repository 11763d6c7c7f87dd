"""Lattices whose lines are switches or full meshes: HyperX by its dimensions, HammingMesh by its boards."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from fabric.drawing.grid import stepped
from fabric.drawing.layout import Glyph, Layout
from topologies.graph import Topology

PITCH, GAP = 40.0, 0.7
DOT = 11.0
MOST_DRAWN = 600
BOX = (52.0, 20.0)

Place = tuple[int, ...]
ROW, COLUMN = (1,), (0,)  # in place of coordinates, of switches that stand outside


def layout(topology: Topology) -> Layout | None:
    """Nodes with coordinates of two or more dimensions whose links run along one of them; None for other fabrics."""
    places = {
        i: data["position"]
        for i, (_, data) in enumerate(topology.graph.nodes(data=True))
        if isinstance(data.get("position"), tuple)
    }
    sizes = tuple(1 + max(axis) for axis in zip(*places.values(), strict=True)) if places else ()
    if sum(size > 1 for size in sizes) < 2 or not _along(topology, places):
        return None
    ends = any(topology.graph.nodes[topology.nodes[i]]["kind"] == "accelerator" for i in places)
    if ends and len(places) < len(topology.nodes):
        return _boards(topology, places, sizes) if len(sizes) == 2 else None
    return _lattice(topology, places, sizes)


def _along(topology: Topology, places: Mapping[int, Place]) -> bool:
    """Does every link between nodes with coordinates change one of these only?"""
    index = topology.index
    ends = [(index[a], index[b]) for a, b, _ in topology.edges if index[a] in places and index[b] in places]
    here, there = (np.array([places[pair[i]] for pair in ends]) for i in (0, 1))
    return bool(ends) and bool(((here != there).sum(axis=1) == 1).all())


def _kept(
    places: Mapping[int, Place], sizes: Place, found: Layout, what: str, ends: Sequence[Sequence[int]] | None = None
) -> dict[int, Place]:
    """Nodes that are drawn: all, or those of a corner where they are many; `ends` are where each axis may be cut."""
    cuts = [list(range(1, size + 1)) for size in sizes] if ends is None else [list(axis) for axis in ends]
    while np.prod([axis[-1] for axis in cuts]) > MOST_DRAWN and any(len(axis) > 1 for axis in cuts):
        max(cuts, key=lambda axis: axis[-1] if len(axis) > 1 else 0).pop()
    shown = [axis[-1] for axis in cuts]
    if tuple(shown) != sizes:
        found.captions.append(
            f"The corner {'x'.join(map(str, shown))} of {'x'.join(map(str, sizes))} {what} is drawn."
        )
    return {i: at for i, at in places.items() if all(p < s for p, s in zip(at, shown, strict=True))}


def _lattice(topology: Topology, places: Mapping[int, Place], sizes: Place) -> Layout:
    """Two dimensions flat, more nested in each other; links beyond the next node bend round those between."""
    found = Layout.empty(topology)
    kind = topology.graph.nodes[topology.nodes[next(iter(places))]]["kind"]
    kept = _kept(places, sizes, found, "switches" if kind == "switch" else "accelerators")
    shown = tuple(1 + max(axis) for axis in zip(*kept.values(), strict=True))
    for node, at in kept.items():
        across, up = (sum(stepped(at[k::2], shown[k::2])) for k in (0, 1))
        label = str(topology.nodes[node])
        found.add(Glyph(PITCH * across, -PITCH * up, kind, label, width=DOT, height=DOT), [node])
    _bend(topology, found, PITCH * 1.1)
    if kind == "switch":
        each = len(topology.accelerators) // len(places)
        found.captions.append(f"Accelerators are not drawn: {len(topology.accelerators):,} in all, {each} on a switch.")
    return found


def _boards(topology: Topology, places: Mapping[int, Place], sizes: Place) -> Layout:
    """Boards on a grid, row switches to their right, column switches below, what joins these further out."""
    found = Layout.empty(topology)
    steps = [_steps(topology, places, axis, size) for axis, size in enumerate(sizes)]
    ends = [[i for i in range(1, len(s)) if s[i] - s[i - 1] > 1 + GAP / 2] + [len(s)] for s in steps]
    kept = _kept(places, sizes, found, "accelerators", ends)
    for node, (x, y) in kept.items():
        at = steps[0][x] * PITCH, -steps[1][y] * PITCH
        found.add(Glyph(*at, "accelerator", str(topology.nodes[node]), width=DOT, height=DOT), [node])
    _frame(found, [steps[0][x] for x in range(1 + max(at[0] for at in kept.values()))],
           [steps[1][y] for y in range(1 + max(at[1] for at in kept.values()))])  # fmt: skip
    standing = dict(kept)
    level = 1
    while level == 1 or standing:
        far = max(g.x for g in found.glyphs) + 90, max(g.y for g in found.glyphs) + 70
        standing = _outside(topology, found, standing, far, first=level == 1)
        level += 1
    _bend(topology, found, PITCH * 1.1)
    hidden = topology.attribute("kind").count("switch") - sum(g.kind == "switch" for g in found.glyphs)
    if hidden:
        found.captions.append(f"{hidden:,} switches are not drawn.")
    return found


def _steps(topology: Topology, places: Mapping[int, Place], axis: int, size: int) -> list[float]:
    """Where each coordinate of an axis lies, in pitches: neighbours without a link are on different boards."""
    joined = set()
    index = topology.index
    for a, b, _ in topology.edges:
        pair = places.get(index[a]), places.get(index[b])
        if pair[0] is not None and pair[1] is not None:
            joined.add(min(pair[0][axis], pair[1][axis]) if pair[0][axis] != pair[1][axis] else -1)
    found = [0.0]
    for before, _ in pairwise(range(size)):
        found.append(found[-1] + 1 + (0.0 if before in joined else GAP))
    return found


def _frame(found: Layout, across: list[float], up: list[float]) -> None:
    """A frame round every board."""
    for left, right in _runs(across):
        for low, high in _runs(up):
            x, y = left * PITCH - DOT, -high * PITCH - DOT
            width, height = (right - left) * PITCH + 2 * DOT, (high - low) * PITCH + 2 * DOT
            found.frames.append((x, y, width, height, ""))


def _runs(steps: list[float]) -> Iterable[tuple[float, float]]:
    """Ends of the runs of coordinates that lie a pitch apart."""
    start = steps[0]
    for before, after in pairwise(steps):
        if after - before > 1 + GAP / 2:
            yield start, before
            start = after
    yield start, steps[-1]


def _outside(
    topology: Topology, found: Layout, standing: Mapping[int, Place], at: tuple[float, float], *, first: bool
) -> dict[int, Place]:
    """Place the switches next to those that stand: right of a row, below a column; those placed."""
    csr, kinds = topology.csr(), topology.attribute("kind")
    rows: dict[int, list[int]] = {}
    for node in standing:
        for other in csr.heads[csr.indptr[node] : csr.indptr[node + 1]].tolist():
            if kinds[other] == "switch" and found.of[other] < 0:
                rows.setdefault(other, []).append(node)
    placed: dict[int, Place] = {}
    for switch, members in rows.items():
        glyphs = [found.glyphs[found.of[m]] for m in members]
        width, height = (max(v) - min(v) for v in ([g.x for g in glyphs], [g.y for g in glyphs]))
        row = width >= height if first else standing[members[0]] == ROW
        middle = sum(g.y if row else g.x for g in glyphs) / len(glyphs)
        x, y = (at[0], middle) if row else (middle, at[1])
        while any(abs(g.x - x) < BOX[0] and abs(g.y - y) < BOX[1] for g in found.glyphs if g.kind == "switch"):
            x, y = (x + BOX[0] + 8, y) if row else (x, y + BOX[1] + 8)
        name = str(topology.nodes[switch])
        found.add(Glyph(x, y, "switch", name, name, *BOX), [switch])
        placed[switch] = ROW if row else COLUMN
    return placed


def _bend(topology: Topology, found: Layout, beyond: float) -> None:
    """Bend the links along a line that end further than the next node."""
    index = topology.index
    for a, b, _ in topology.edges:
        pair = sorted((int(found.of[index[a]]), int(found.of[index[b]])))
        if pair[0] >= 0:
            here, there = (found.glyphs[i] for i in pair)
            straight = here.kind == there.kind == "switch" and found.frames
            if not straight and abs(here.x - there.x) + abs(here.y - there.y) > beyond:
                found.bent.add((pair[0], pair[1]))
