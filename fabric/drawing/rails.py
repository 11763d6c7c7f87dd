"""Rails through circuit switches: a column for every server, a row for every rail, its switch at the end of it."""

from collections.abc import Hashable

from fabric.drawing.layout import Glyph, Layout, kept
from topologies.graph import Topology

PITCH, ROW = 76.0, 44.0
BOX = (58.0, 22.0)
MOST = 16


def layout(topology: Topology) -> Layout | None:
    """Servers side by side; None where accelerators of several domains are not what circuits join."""
    layer, domains = topology.circuits, topology.domains
    if layer is None or len(domains) < 2 or len({len(d) for d in domains}) > 1 or len(domains[0]) > MOST:
        return None
    ranks = topology.accelerators
    place = {ranks[rank]: (column, row) for column, members in enumerate(domains) for row, rank in enumerate(members)}
    if not all(end in place for end in layer.ends):
        return None
    found = Layout.empty(topology)
    shown, left = kept(range(len(domains)), MOST)
    column = {server: i + bool(left and i == len(shown) - 1) for i, server in enumerate(shown)}
    for server in shown:
        for row, rank in enumerate(domains[server]):
            _box(topology, found, column[server] * PITCH, -row * ROW, ranks[rank])
        x, y, height = column[server] * PITCH, -(len(domains[0]) - 1) * ROW, (len(domains[0]) - 1) * ROW
        found.frames.append((x - BOX[0] / 2 - 5, y - BOX[1] / 2 - 5, BOX[0] + 10, height + BOX[1] + 10, ""))
    if left:
        found.gaps += [((len(shown) - 1) * PITCH, -row * ROW) for row in range(len(domains[0]))]
        found.captions.append(f"servers: {len(shown)} of {len(domains):,} drawn")
    _switches(topology, found, place, (max(column.values()) + 1.4) * PITCH)
    _bend(topology, found, place)
    chips = topology.attribute("kind").count("switch")
    if chips:
        found.captions.append(f"{chips:,} scale-up switches inside the servers are not drawn.")
    return found


def _box(topology: Topology, found: Layout, x: float, y: float, label: Hashable) -> None:
    found.add(Glyph(x, y, "accelerator", str(label), str(label), *BOX), [topology.index[label]])


def _switches(topology: Topology, found: Layout, place: dict[Hashable, tuple[int, int]], x: float) -> None:
    """The circuit switches of every rail at its end, without links: the circuits are drawn in their place."""
    layer = topology.circuits
    assert layer is not None
    rails: dict[int, set[int]] = {}
    for device, end in layer.strands[:, [0, 3]].tolist():
        rails.setdefault(int(device), set()).add(place[layer.ends[end]][1])
    taken: dict[float, int] = {}
    for device, rows in sorted(rails.items()):
        y = -sum(rows) / len(rows) * ROW
        turn = taken[y] = taken.get(y, -1) + 1
        name = layer.model(device).name
        found.add(Glyph(x + turn * (BOX[0] + 30), y, "ocs", f"{name} {device}", name, BOX[0] + 22, BOX[1]), [])
    found.captions.append(
        f"A rail's circuits lead through the switch at its end: {layer.devices:,} in all, {len(layer.strands):,} "
        f"strands, whose state joins {layer.circuits:,} circuits."
    )


def _bend(topology: Topology, found: Layout, place: dict[Hashable, tuple[int, int]]) -> None:
    """Circuits beyond the next server bend round those between."""
    for a, b, _ in topology.edges:
        if a in place and b in place:
            low, high = sorted((int(found.of[topology.index[a]]), int(found.of[topology.index[b]])))
            if low >= 0 and abs(found.glyphs[low].x - found.glyphs[high].x) > 1.1 * PITCH:
                found.bent.add((low, high))
