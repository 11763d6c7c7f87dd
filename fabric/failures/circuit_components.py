"""Components of the circuit layer: circuit switches, their ports in use, and the blocks that are rewired as one."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fabric.failures.damage import Loss
from fabric.failures.kinds import Components, counted, each
from fabric.symmetry import classes, symmetry
from topologies.circuits import SIDE_A, CircuitLayer
from topologies.graph import Topology, once


def circuit_components(topology: Topology) -> Iterator[Components]:
    """Blocks of several nodes, circuit switches and ports that carry a circuit; none of the latter two where circuits
    go through a cycle, since a failed switch then takes a share of the time.

    >>> from topologies.registry import build
    >>> [(row.name, row.count) for row in circuit_components(build("tpu-v4-128"))]
    [('block', 2), ('ocs', 48), ('ocs-port', 192)]
    """
    layer = topology.circuits
    if layer is None:
        return
    yield from _blocks(topology, layer)
    if in_cycle(topology) or not len(layer.state):
        return
    own, arc_of = symmetry(topology).arc_orbit, _arc_of_circuits(topology, layer)
    look = np.minimum(own[arc_of], own[topology.csr().twin[arc_of]])
    yield _switches(topology, layer, look)
    yield _ports(topology, layer, look)


@once
def in_cycle(topology: Topology) -> bool:
    """Do circuit switches go through a cycle, each link up for a share of the time?"""
    return any(edge["medium"] == "circuit" and edge["duty"] < 1 for _, _, edge in topology.edges)


def _alike(looks: Sequence[tuple[object, ...]]) -> NDArray[np.int32]:
    known: dict[tuple[object, ...], int] = {}
    return np.array([known.setdefault(look, len(known)) for look in looks], np.int32)


def _switches(topology: Topology, layer: CircuitLayer, look: NDArray[np.int32]) -> Components:
    """Switches of one model that carry the same circuits, by the orbits of their links, count as alike."""
    models = [layer.model(device).name for device in range(layer.devices)]
    device = layer.state[:, 0]
    looks = [(model, *np.sort(look[device == d]).tolist()) for d, model in enumerate(models)]

    def loss(d: int) -> Loss:
        return _lost(topology, layer, layer.strands[layer.strands[:, 0] == d][:, :3])

    names = [f"ocs-{d}" for d in range(layer.devices)]
    counts = counted(models, each(layer.devices))
    return Components("ocs", "ocs", names, each(layer.devices), _alike(looks), counts, loss, proven=False)


def _ports(topology: Topology, layer: CircuitLayer, look: NDArray[np.int32]) -> Components:
    device, first, second = layer.state.T
    sides = np.stack([np.full(len(device), SIDE_A), layer.last_side[device]])
    both = [np.stack([device, side, port], 1) for side, port in zip(sides, (first, second), strict=True)]
    rows = np.concatenate(both).astype(np.int32)
    names = [f"ocs-{d}/{'AB'[side]}/{port}" for d, side, port in rows.tolist()]
    counts = counted([layer.model(d).name for d in rows[:, 0].tolist()], each(len(rows)))
    orbit = classes(np.concatenate([look, look]))
    return Components(
        "ocs-port", "ocs-port", names, each(len(rows)), orbit, counts,
        lambda p: _lost(topology, layer, rows[p : p + 1]), proven=False,
    )  # fmt: skip


def _arc_of_circuits(topology: Topology, layer: CircuitLayer) -> NDArray[np.int64]:
    """int64[M]: the arc of each cross-connect's link."""
    index = topology.index
    ends = np.array([index[end] for end in layer.ends], np.int64)
    return _arcs(topology, ends[layer.end_pairs()])


def _arcs(topology: Topology, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The arc from the first to the second node of each pair (int64[P, 2])."""
    csr, nodes = topology.csr(), len(topology.nodes)
    keys = csr.tails.astype(np.int64) * nodes + csr.heads
    order = np.argsort(keys)
    found: NDArray[np.int64] = order[np.searchsorted(keys[order], pairs[:, 0] * nodes + pairs[:, 1])]
    return found


def _lost(topology: Topology, layer: CircuitLayer, ports: NDArray[np.int32]) -> Loss:
    """Links that go with ports (int32[F, 3] of device, side, port): a link goes whole with each of its circuits."""
    ends, index = layer.ends, topology.index
    joined, before = layer.live_links()
    still, after = layer.with_failed(ports).live_links()
    key = joined[:, 0].astype(np.int64) * len(ends) + joined[:, 1]
    kept = np.zeros(len(key), np.int64)
    kept[np.searchsorted(key, still[:, 0].astype(np.int64) * len(ends) + still[:, 1])] = after
    hit = joined[kept < before]
    pairs = np.array([[index[ends[a]], index[ends[b]]] for a, b in hit.tolist()], np.int64).reshape(-1, 2)
    return Loss.of_links(_arcs(topology, pairs), (before - kept)[kept < before].astype(np.float64))


def _blocks(topology: Topology, layer: CircuitLayer) -> Iterator[Components]:
    """Blocks of more nodes than one, with what stands in a rack of their name."""
    index = topology.index
    held: dict[str, set[int]] = {}
    for end, block in zip(layer.ends, layer.blocks, strict=True):
        held.setdefault(block, set()).add(index[end])
    for node, rack in enumerate(topology.attribute("rack")):
        if rack in held:
            held[rack].add(node)
    if len(held) < 2 or all(len(nodes) == 1 for nodes in held.values()):
        return
    own = [np.array(sorted(nodes), np.int64) for nodes in held.values()]
    orbit = symmetry(topology).node_orbit
    yield Components(
        "block", "block", list(held), each(len(own)), _alike([tuple(np.sort(orbit[nodes]).tolist()) for nodes in own]),
        {None: len(own)}, lambda p: Loss.of_nodes(own[p]), proven=False,
    )  # fmt: skip
