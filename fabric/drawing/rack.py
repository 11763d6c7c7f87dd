"""A rack's elevation: compute trays above and below the switch trays, as NVL72 is built."""

from collections.abc import Hashable

from fabric.drawing.layout import Glyph, Layout
from topologies.graph import Topology

WIDTH, HEIGHT, SHELF = 190.0, 20.0, 24.0
APART = 150.0
MOST_TRAYS = 160


def layout(topology: Topology) -> Layout | None:
    """One shelf a tray; None for a fabric that is not one scale-up domain of several trays."""
    trays: dict[str, dict[Hashable, list[int]]] = {"accelerator": {}, "switch": {}}
    for i, (_, data) in enumerate(topology.graph.nodes(data=True)):
        outside = data["kind"] == "switch" and data.get("tier") != 0
        if data["kind"] not in trays or data.get("tray") is None or outside:
            return None
        trays[data["kind"]].setdefault(data["tray"], []).append(i)
    compute, switching = list(trays["accelerator"].values()), list(trays["switch"].values())
    if len(topology.domains) != 1 or len(compute) < 4 or len(compute) + len(switching) > MOST_TRAYS:
        return None
    found = Layout.empty(topology)
    above = -(-len(compute) * 10 // 18)  # NVL72: ten of its 18 compute trays stand above the nine switch trays
    shelf = 0
    for stack, column in ((compute[:above], 0.0), (switching, WIDTH + APART), (compute[above:], 0.0)):
        for members in stack:
            _draw_tray(topology, found, members, column, shelf * SHELF)
            shelf += 1
    height = shelf * SHELF
    found.frames.append((-WIDTH / 2 - 8, -SHELF / 2 - 4, WIDTH + 16, height + 8, "compute trays"))
    found.frames.append((WIDTH / 2 + APART - 8, -SHELF / 2 - 4, WIDTH + 16, height + 8, "switch trays, same rack"))
    found.captions.append(
        f"{len(compute)} compute and {len(switching)} switch trays in their order in the rack; the switch trays are "
        "drawn beside it so that the links show."
    )
    return found


def _draw_tray(topology: Topology, found: Layout, members: list[int], x: float, y: float) -> None:
    pitch = WIDTH / len(members)
    for i, node in enumerate(members):
        label = topology.nodes[node]
        kind = topology.graph.nodes[label]["kind"]
        at = x - WIDTH / 2 + (i + 0.5) * pitch
        found.add(Glyph(at, y, kind, str(label), str(label), pitch - 3, HEIGHT), [node])
