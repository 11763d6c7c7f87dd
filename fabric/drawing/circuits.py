"""Blocks round the circuit switches that join them: their strands as spokes, or the circuits as chords."""

from collections import Counter
from math import cos, pi, sin

from fabric.drawing.layout import Glyph, Layout, row
from topologies.graph import Topology

BOX = (56.0, 24.0)
HUB = (130.0, 60.0)
MOST_BLOCKS = 96
MOST_IN_ROW = 16  # packet switches
MOST_CHORDS = 24  # boxes whose circuits are told apart without a load to show


def layout(topology: Topology) -> Layout | None:
    """Ends of circuits on a circle round their switches; None where circuits join a grid, or nothing."""
    layer = topology.circuits
    if layer is None or topology.grid is not None or len(layer.ends) < 2:
        return None
    found = Layout.empty(topology)
    share = -(-len(layer.ends) // MOST_BLOCKS)
    boxes = [range(i, min(i + share, len(layer.ends))) for i in range(0, len(layer.ends), share)]
    strands = Counter((layer.strands[:, 3] // share).tolist())
    radius = max(190.0, len(boxes) * (BOX[0] + 8) / (2 * pi))
    for i, members in enumerate(boxes):
        angle = 2 * pi * i / len(boxes) - pi / 2
        nodes = [topology.index[layer.ends[m]] for m in members]
        label = str(layer.ends[members[0]]) if share == 1 else f"{len(nodes)} ends"
        kind = topology.graph.nodes[layer.ends[members[0]]]["kind"]
        name = f"{layer.ends[members[0]]}: {strands[i]:,} strands"
        found.add(Glyph(radius * cos(angle), radius * sin(angle), kind, name, label, *BOX), nodes)
    models = Counter(layer.model(device).name for device in range(layer.devices))
    label = " + ".join(f"{number:,} x {name}" for name, number in models.items())
    hub = found.add(Glyph(0.0, 0.0, "ocs", f"{label}, {len(layer.strands):,} strands", label, *HUB), [])
    if len(boxes) > MOST_CHORDS:
        found.spokes = [(box, hub, strands[box]) for box in range(len(boxes))]
    each = sorted(set(strands.values()))
    span = f"{each[0]:,}" if len(each) == 1 else f"{each[0]:,} to {each[-1]:,}"
    found.captions.append(
        f"{len(layer.strands):,} strands, {span} to a box, lead to the circuit switches in the middle, {label}, "
        f"whose state joins {layer.circuits:,} circuits."
    )
    _packet(topology, found, radius)
    hidden = int((found.of[topology.csr().accelerators] < 0).sum())
    if hidden:
        found.captions.append(f"{hidden:,} accelerators behind the ends are not drawn.")
    return found


def _packet(topology: Topology, found: Layout, radius: float) -> None:
    """The packet switches beside circuits of shared adapters, by tier above the circle."""
    nodes = topology.graph.nodes
    assert topology.circuits is not None
    if any(nodes[end]["kind"] != "nic" for end in topology.circuits.ends):
        return
    tiers: dict[int, list[int]] = {}
    for i, label in enumerate(topology.nodes):
        if nodes[label]["kind"] == "switch" and nodes[label].get("tier", 1) > 0:
            tiers.setdefault(nodes[label].get("tier", 1), []).append(i)
    for tier, switches in sorted(tiers.items()):
        placed, gap = row(switches, MOST_IN_ROW, BOX[0] + 10)
        for switch, x in placed:
            name = str(topology.nodes[switch])
            found.add(Glyph(x, -radius - 80.0 * tier, "switch", name, name, *BOX), [switch])
        if gap is not None:
            found.gaps.append((gap, -radius - 80.0 * tier))
            found.captions.append(f"packet switches of tier {tier}: {len(placed)} of {len(switches):,} drawn")
