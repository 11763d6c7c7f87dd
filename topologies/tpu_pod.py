"""TPU pods: cubes of 4 x 4 x 4 chips joined by circuit switches into a torus, regular or twisted."""

from collections.abc import Hashable
from functools import partial
from math import prod
from typing import Annotated

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.circuits import SIDE_A, SIDE_B, CircuitLayer
from topologies.errors import ConfigError
from topologies.graph import Grid, Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue, CircuitSwitch
from topologies.torus import grid_edges, grid_generators, grid_halves, grid_nodes, twist_shifts

CUBE = 4
FACE = CUBE * CUBE


def tpu_pod(
    slice: Annotated[tuple[int, ...], "chips, three multiples of 4, e.g. 4x4x8"],
    twist: Annotated[bool, "twisted wraparound; a,a,2a or a,2a,2a"] = False,
    cubes: Annotated[int, "cubes of the pod that the slice is part of"] = 64,
    ocs: Annotated[str, "catalogue name of the circuit switch"] = "palomar-136",
    optic: Annotated[str, "catalogue name of the modules that leave a cube"] = "ici-osfp-400g",
    link: LinkOptions = LinkOptions(cable="ici-v4-copper"),
    optical_length_m: Annotated[float, "fibre from cube to cube through the switch"] = 50.0,
    accelerator: Annotated[str, "catalogue name"] = "tpu-v4",
    *,
    parts: Catalogue,
) -> Topology:
    """A slice of a TPU v4 style pod (Jouppi et al., ISCA 2023, section 2; arXiv:2304.01433).

    A cube has 144 copper links inside and 96 optical ones on its six faces. Opposing faces of a dimension land on the
    same circuit switch, "+" on side A and "-" on side B, port = cube: 3 x 16 switches. A slice, twisted or not, is a
    state of their cross-connects; the switches are shared with the pod's other cubes.

    >>> from topologies.registry import build
    >>> t = build("tpu-v4-4096"); t.circuits.devices, set(t.circuits.strands_per_device.tolist())
    (48, {128})
    """
    if len(slice) != 3 or any(d % CUBE for d in slice):
        raise ConfigError(f"tpu-pod: slice = {'x'.join(map(str, slice))} is not three multiples of 4, e.g. 4x4x8")
    limit_nodes("tpu-pod", prod(slice))
    used = prod(slice) // CUBE**3
    if used > cubes:
        raise ConfigError(f"tpu-pod: a slice of {used} cubes exceeds the pod of {cubes}; give cubes={used}")
    device = parts.part(ocs, CircuitSwitch)
    usable = device.usable_ports
    if cubes > usable:
        raise ConfigError(
            f"tpu-pod: {cubes} cubes need {cubes} strands on either side of each {ocs}, which has {usable}; "
            "use fewer cubes or a larger switch"
        )
    parts.part(accelerator, Accelerator)
    graph = nx.Graph()
    labels = grid_nodes(graph, slice, {"kind": "accelerator", "forwards": True, "part": accelerator})
    position = np.array([graph.nodes[n]["position"] for n in labels], np.int32)
    cube = _cube_of(position, slice)
    for label, c in zip(labels, cube.tolist(), strict=True):
        graph.nodes[label]["rack"] = f"cube-{c}"
    edges = np.array(list(grid_edges(slice, (True,) * 3, twist_shifts(slice) if twist else {})), np.int32)
    crossing = position[edges[:, 1], edges[:, 0]] % CUBE == CUBE - 1
    inside = edges[~crossing, 1:].tolist()
    graph.add_edges_from(((labels[a], labels[b]) for a, b in inside), **link.attributes(parts))
    circuit = LinkOptions(link.rate_gbps, None, optical_length_m, cable=optic).attributes(parts, circuit=True)
    layer = _layer(device, edges[crossing], position, cube, labels, used / cubes, circuit)
    layer.add_circuits(graph)
    grid = Grid(slice, (True,) * 3, twist)
    return Topology(
        "tpu-pod", "tpu-pod", {}, graph, parts, circuits=layer, grid=grid, halves=grid_halves(slice),
        generators=partial(grid_generators, step=CUBE),
    )  # fmt: skip


def _cube_of(position: NDArray[np.int32], dims: tuple[int, ...]) -> NDArray[np.int32]:
    x, y, z = (position // CUBE).T
    cube: NDArray[np.int32] = x + dims[0] // CUBE * (y + dims[1] // CUBE * z)
    return cube


def _face_switch(axis: NDArray[np.int32], position: NDArray[np.int32]) -> NDArray[np.int32]:
    """The circuit switch of a chip's face in a dimension: one per dimension and place on the face."""
    across = np.array([[1, 2], [0, 2], [0, 1]])[axis]
    rows = np.arange(len(axis))
    u, v = position[rows, across[:, 0]] % CUBE, position[rows, across[:, 1]] % CUBE
    device: NDArray[np.int32] = axis * FACE + u * CUBE + v
    return device


def _layer(
    part: CircuitSwitch,
    edges: NDArray[np.int32],
    position: NDArray[np.int32],
    cube: NDArray[np.int32],
    labels: list[Hashable],
    share: float,
    circuit: dict[str, object],
) -> CircuitLayer:
    axis, plus, minus = edges.T
    device = _face_switch(axis, position[plus])
    a, b = np.full_like(plus, SIDE_A), np.full_like(plus, SIDE_B)
    strands = np.concatenate([np.stack([device, a, cube[plus], plus], 1), np.stack([device, b, cube[minus], minus], 1)])
    return CircuitLayer(
        part=part,
        devices=3 * FACE,
        strands=strands[np.lexsort(strands[:, 2::-1].T)].astype(np.int32),
        state=np.stack([device, cube[plus], cube[minus]], 1).astype(np.int32),
        ends=labels,
        blocks=[f"cube-{c}" for c in cube.tolist()],
        link=circuit,
        share=share,
    )
