"""Pictures: a fabric in its natural shape as one SVG file."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fabric.drawing.layout import Layout
    from topologies.graph import Topology

GATEWAY = 4  # tier of what joins sites


def draw(topology: "Topology", busy: "NDArray[np.float64] | None" = None) -> str:
    """The fabric as SVG text: a rack's elevation, a grid, blocks round circuit switches, a lattice,
    tiers, or groups on a circle.

    `busy` is float64[A], the share of the time that each arc of the compiled form is busy: widths then show it. Of a
    large fabric a part is drawn, and a caption says which.

    >>> from topologies.registry import build
    >>> draw(build("ring:n=8")).startswith("<svg")
    True
    """
    from fabric.drawing.bundles import bundles
    from fabric.drawing.svg import render

    layout = lay_out(topology)
    return render(topology, layout, bundles(topology, layout, busy))


def lay_out(topology: "Topology") -> "Layout":
    """Where every node goes: the first shape that the fabric has.

    >>> from topologies.registry import build
    >>> len(lay_out(build("ring:n=8")).glyphs)
    8
    """
    from fabric.drawing import circuits, grid, groups, lattice, rack, rails, tiers

    natural = (rack.layout, grid.layout, rails.layout, circuits.layout, lattice.layout)
    shapes = natural if _is_flat(topology) else (*natural, tiers.layout)
    return next(filter(None, (shape(topology) for shape in shapes)), None) or groups.layout(topology)


def _is_flat(topology: "Topology") -> bool:
    """Are switches of one tier joined with each other, as in dragonflies, or accelerators, as in DCell? Gateways of
    sites, above all tiers, may be."""
    nodes = topology.graph.nodes
    level = {node: (data["kind"], data.get("tier")) for node, data in nodes(data=True)}
    alike = {level[a] for a, b, _ in topology.edges if level[a] == level[b]} - {("switch", GATEWAY)}
    return any(kind in ("switch", "accelerator") for kind, _ in alike)
