"""CircuitLayer: circuit switches, the strands that reach their ports, and the cross-connect state."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.errors import TopologyError
from topologies.parts import CircuitSwitch

SIDE_A, SIDE_B = 0, 1


@dataclass(frozen=True, slots=True, eq=False)
class CircuitLayer:
    """Circuit switches of one model with their fibres and state.

    A strand is one port's fibre: `strands` is int32[S, 4] of device, side (0 = A, 1 = B), port, end node (a position
    in `ends`), sorted by the first three. `state` is int32[M, 3] of device, port on A, port on B: a partial matching of
    each device's ports. `ends` are node labels of the data path, `blocks` what is rewired as one (a name per end).
    `link` are the attributes of one live link's edge. `share` is the part of the devices that this fabric answers
    for, where several fabrics share them. `fibres` is the number of strands that an end of a link takes: 1 carries both
    ways (a bidirectional module and its circulator); of 2 that on side A sends and that on side B receives, so that a
    link is two circuits, one each way.
    """

    part: CircuitSwitch
    devices: int
    strands: NDArray[np.int32]
    state: NDArray[np.int32]
    ends: Sequence[Hashable]
    blocks: Sequence[str]
    link: Mapping[str, Any]
    share: float = 1.0
    fibres: int = 1

    def __post_init__(self) -> None:
        self._check_strands()
        self._check_state()

    def _check_strands(self) -> None:
        device, side, port, _ = self.strands.T.astype(np.int64)
        widest = int(port.max(initial=0)) + 1
        if len(np.unique((device * 2 + side) * widest + port)) != len(self.strands):
            raise TopologyError(f"two strands share a port of one {self.part.name}; each port takes one")
        if len(port) and port.max() >= self.part.ports_per_side:
            per_side = np.bincount(device * 2 + side).max()
            raise TopologyError(
                f"{per_side} strands on one side of a {self.part.name} need more than its "
                f"{self.part.ports_per_side} ports per side; use more switches or larger ones"
            )

    def _check_state(self) -> None:
        ports = np.zeros((self.devices, 2, self.part.ports_per_side), np.int8)  # 1: reached by a strand, 2: in use
        device, side, port, _ = self.strands.T
        ports[device, side, port] = 1
        for at, column in ((SIDE_A, 1), (SIDE_B, 2)):
            d, p = self.state[:, 0], self.state[:, column]
            outside = (d < 0) | (d >= self.devices) | (p < 0) | (p >= self.part.ports_per_side)
            dark = outside | (ports[np.where(outside, 0, d), at, np.where(outside, 0, p)] != 1)
            if dark.any():
                first = int(dark.argmax())
                raise TopologyError(
                    f"the state uses port {p[first]} on side {'AB'[at]} of circuit switch {d[first]}, "
                    "which no strand reaches"
                )
            if len(np.unique(d.astype(np.int64) * self.part.ports_per_side + p)) != len(p):
                raise TopologyError("the state uses a port twice; each port carries one circuit")

    @property
    def strands_per_device(self) -> NDArray[np.int64]:
        """Strands that reach each device, both sides together."""
        return np.bincount(self.strands[:, 0], minlength=self.devices)

    @property
    def circuits(self) -> int:
        """Live cross-connects."""
        return len(self.state)

    def with_state(self, state: NDArray[np.int32]) -> "CircuitLayer":
        """The same strands under another state."""
        return replace(self, state=np.asarray(state, np.int32).reshape(-1, 3))

    def end_pairs(self) -> NDArray[np.int32]:
        """int32[M, 2]: the end nodes that each circuit joins, as positions in `ends`."""
        reach = np.full((self.devices, 2, self.part.ports_per_side), -1, np.int32)
        device, side, port, end = self.strands.T
        reach[device, side, port] = end
        d, a, b = self.state.T
        return np.stack([reach[d, SIDE_A, a], reach[d, SIDE_B, b]], axis=1)

    def add_circuits(self, graph: nx.Graph) -> None:
        """Put one `circuit` edge per joined pair of end nodes into a data path, `count` = live links."""
        directed = self.end_pairs()
        pairs = np.sort(directed, axis=1)
        if np.any(pairs[:, 0] == pairs[:, 1]):
            raise TopologyError("a circuit joins a node to itself; connect it elsewhere or leave its ports dark")
        joined, where, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
        if self.fibres == 2:
            up = np.bincount(where.reshape(-1), directed[:, 0] < directed[:, 1], minlength=len(joined))
            if np.any(lone := 2 * up != counts):
                a, b = joined[int(lone.argmax())]
                raise TopologyError(
                    f"{self.ends[a]} and {self.ends[b]} have not as many circuits one way as the other; "
                    "a link takes one each way"
                )
        for (a, b), count in zip(joined.tolist(), (counts // self.fibres).tolist(), strict=True):
            graph.add_edge(self.ends[a], self.ends[b], **{**self.link, "count": count})

    def physical_graph(self) -> nx.MultiGraph:
        """End nodes, circuit switches and every fibre between them; live ports carry the partner they face."""
        physical = nx.MultiGraph()
        partner = {(d, SIDE_A, a): b for d, a, b in self.state.tolist()}
        partner |= {(d, SIDE_B, b): a for d, a, b in self.state.tolist()}
        for device, side, port, end in self.strands.tolist():
            physical.add_edge(
                self.ends[end],
                f"ocs-{device}",
                side="AB"[side],
                port=port,
                partner=partner.get((device, side, port)),
            )
        return physical


def mesh_offsets(blocks: int, uplinks: int) -> list[int]:
    """uplinks/2 cyclic shifts that join every pair of blocks by floor or ceil of uplinks/(blocks - 1) links.

    The distances of the pairs with one link more are spread evenly, so that two of them add up to many others: traffic
    between blocks far apart finds transit blocks with wide links on both sides.

    A shift t joins each block's port on side A to side B of the block t further on: each block uses one port of either
    side. Uplinks must be even (they are, two to a strand pair); TopologyError otherwise, and below one link a pair.

    >>> from collections import Counter
    >>> shifts = Counter(mesh_offsets(64, 512))
    >>> sorted({shifts[t] + shifts[64 - t] for t in range(1, 32)}), 2 * shifts[32], sum(shifts.values())
    ([8, 9], 8, 256)
    """
    if blocks < 2:
        raise TopologyError(f"a mesh through circuit switches joins at least 2 blocks, not {blocks}")
    if uplinks % 2 or uplinks < blocks - 1:
        raise TopologyError(
            f"{uplinks} uplinks do not mesh {blocks} blocks: an even number, at least {blocks - 1}, is needed"
        )
    base = uplinks // (blocks - 1)
    offsets: list[int] = []
    remaining = uplinks
    if blocks % 2 == 0:
        opposite = base + base % 2
        offsets += [blocks // 2] * (opposite // 2)
        remaining -= opposite
    pairs = (blocks - 1) // 2
    larger = (remaining - 2 * pairs * base) // 2 if pairs else 0
    wider = {1 + (2 * i + 1) * pairs // (2 * larger) for i in range(larger)}
    for t in range(1, pairs + 1):
        links = base + (t in wider)
        offsets += [t] * ((links + 1) // 2) + [blocks - t] * (links // 2)
    return offsets


def mesh_layer(
    part: CircuitSwitch,
    groups: Sequence[Sequence[Hashable]],
    uplinks: int,
    link: Mapping[str, Any],
    devices: int,
) -> CircuitLayer:
    """Groups of blocks, each meshed on its own with all its uplinks; shifts go round the devices, so that a pair's
    parallel links, and a group's, are spread over as many devices as there are.

    A shift takes one port of every block of its group on either side of one device.
    """
    strands, state = [], []
    ends: list[Hashable] = []
    used = [0] * devices
    placed = 0
    for group in groups:
        first, size = len(ends), len(group)
        ends += group
        here = np.arange(size)
        for offset in mesh_offsets(size, uplinks):
            device = np.full(size, placed % devices)
            port = used[placed % devices]
            there = (here + offset) % size
            strands.append(np.stack([device, np.full(size, SIDE_A), port + here, first + here], 1))
            strands.append(np.stack([device, np.full(size, SIDE_B), port + here, first + here], 1))
            state.append(np.stack([device, port + here, port + there], 1))
            used[placed % devices] += size
            placed += 1
    table = np.concatenate(strands)
    return CircuitLayer(
        part=part,
        devices=devices,
        strands=table[np.lexsort(table[:, 2::-1].T)].astype(np.int32),
        state=np.concatenate(state).astype(np.int32),
        ends=ends,
        blocks=[str(e) for e in ends],
        link=link,
    )
