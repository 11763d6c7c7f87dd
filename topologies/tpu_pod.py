"""TPU pods: cubes of 4 x 4 x 4 chips joined by circuit switches into a torus, regular or twisted."""

from collections.abc import Hashable
from functools import partial
from math import prod
from typing import Annotated

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.circuits import SIDE_A, SIDE_B, CircuitLayer, strands_of
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
    same circuit switch, "+" on side A and "-" on side B, port = cube: 3 x 16 switches. Modules that need a strand each
    way send on side A and receive on side B, "+" faces on the ports below those of "-" faces. A slice, twisted or not,
    is a state of their cross-connects; the switches are shared with the pod's other cubes.

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
    face = LinkOptions(link.rate_gbps, None, optical_length_m, cable=optic)
    fibres, lanes = strands_of(face.row(parts), face.rate_gbps)
    usable, needed = device.usable_ports, cubes * fibres * lanes
    if device.any_to_any:
        raise ConfigError(f"tpu-pod: {ocs} has one side; opposing faces need a switch of two")
    if needed > usable:
        raise ConfigError(
            f"tpu-pod: {cubes} cubes need {needed} strands on either side of each {ocs}, which has {usable}; "
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
    circuit = face.attributes(parts, circuit=True)
    layer = _layer(device, edges[crossing], position, cube, cubes, labels, circuit, fibres, lanes)
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
    cubes: int,
    labels: list[Hashable],
    circuit: dict[str, object],
    fibres: int,
    lanes: int,
) -> CircuitLayer:
    """Strands of both faces of every link, and the cross-connects that join them, lane by lane."""
    axis, plus, minus = edges.T
    device = _face_switch(axis, position[plus])
    strands, state = [], []

    def strand(side: int, port: NDArray[np.int32], end: NDArray[np.int32]) -> None:
        strands.append(np.stack([device, np.full_like(device, side), port, end], 1))

    for lane in range(lanes):
        here = cube[plus] + cubes * fibres * lane
        there = cube[minus] + cubes * (fibres * (lane + 1) - 1)
        strand(SIDE_A, here, plus)
        strand(SIDE_B, there, minus)
        state.append(np.stack([device, here, there], 1))
        if fibres == 2:
            strand(SIDE_A, there, minus)
            strand(SIDE_B, here, plus)
            state.append(np.stack([device, there, here], 1))
    table = np.concatenate(strands)
    return CircuitLayer(
        part=part,
        devices=3 * FACE,
        strands=table[np.lexsort(table[:, 2::-1].T)].astype(np.int32),
        state=np.concatenate(state).astype(np.int32),
        ends=labels,
        blocks=[f"cube-{c}" for c in cube.tolist()],
        link=circuit,
        share=len(labels) / (cubes * CUBE**3),
        fibres=fibres,
        lanes=lanes,
    )
