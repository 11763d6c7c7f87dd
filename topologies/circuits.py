"""CircuitLayer: circuit switches, the strands that reach their ports, and the cross-connect state."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from topologies.errors import TopologyError
from topologies.parts import Cable, CircuitSwitch, Optic

SIDE_A, SIDE_B = 0, 1


def strands_of(optic: Cable | Optic, rate_gbps: float) -> tuple[int, int]:
    """The strands that a link takes at one end in a lane, and its lanes: `fibres` and `lanes` of a layer.

    A bidirectional module has one strand for both ways, any other one each way; a strand carries all wavelengths of its
    module, and the whole link where their number is not stated.

    >>> from topologies.parts import part
    >>> [strands_of(part(name, Optic), 400) for name in ("400g-fr4-bidi", "400g-fr4", "400g-dr4")]
    [(1, 1), (2, 1), (2, 4)]
    """
    both_ways = isinstance(optic, Optic) and optic.bidirectional
    strand_gbps = optic.strand_gbps if isinstance(optic, Optic) else None
    return 1 if both_ways else 2, ceil(rate_gbps / (strand_gbps or rate_gbps) - 1e-9)


def _no_ports() -> NDArray[np.int32]:
    return np.empty((0, 3), np.int32)


def _one_generation() -> NDArray[np.int32]:
    return np.empty(0, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class CircuitLayer:
    """Circuit switches with their fibres and state.

    `part` is the model of the devices, `other_parts` names those of another one (device -> model). A two-sided device
    joins a port on side A to one on side B; an any-to-any device has one side, A, that holds all its ports, and joins
    any two of them.

    A strand is one port's fibre: `strands` is int32[S, 4] of device, side (0 = A, 1 = B), port, end node (a position
    in `ends`), sorted by the first three. `state` is int32[M, 3] of device and the two ports of a cross-connect, a
    partial matching of each device's ports: the port on A and the port on B, or two ports of an any-to-any device.
    `failed` is int32[F, 3] of device, side, port: no state uses one.

    `fibres` is the number of strands that an end of a link takes in each of its `lanes`: 1 carries both ways (a
    bidirectional module and its circulator); of 2 the one sends and the other receives: light enters at the first port
    of a cross-connect and leaves at the second, so that a link is two cross-connects a lane, one each way.

    `ends` are node labels of the data path, `blocks` what is rewired as one (a name per end). `link` are the attributes
    of one live link's edge; ends of another generation have theirs in `other_links`, and `generation` says which
    (int32[E]: 0 for `link`, g for `other_links[g - 1]`; empty where all ends are alike). `share` is the part of the
    devices that this fabric answers for, where several fabrics share them.
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
    other_parts: Mapping[int, CircuitSwitch] = field(default_factory=dict)
    failed: NDArray[np.int32] = field(default_factory=_no_ports)
    lanes: int = 1
    other_links: Sequence[Mapping[str, Any]] = ()
    generation: NDArray[np.int32] = field(default_factory=_one_generation)

    def __post_init__(self) -> None:
        known = 1 + len(self.other_links)
        if len(self.generation) not in (0, len(self.ends)) or self.generation.max(initial=0) >= known:
            raise ValueError(f"generation names one of {known} links for each of {len(self.ends)} ends")
        self._check_strands()
        self._check_ports("a failed port", *self.failed.T)
        self._check_state()

    def _check_strands(self) -> None:
        device, side, port, end = self.strands.T
        if len(end) and not 0 <= end.min() <= end.max() < len(self.ends):
            raise TopologyError(f"a strand leads to end {end.max()} of {len(self.ends)}; name one of them")
        inside = (device >= 0) & (device < self.devices) & (port >= 0)
        beyond = inside & (port >= self.ports_per_side[np.where(inside, device, 0)])
        if beyond.any():
            first = int(device[beyond.argmax()])
            model = self.model(first)
            most = np.bincount(side[device == first]).max()
            where = "" if model.any_to_any else "on one side "
            raise TopologyError(
                f"{most} strands {where}of a {model.name} need more than its "
                f"{model.ports_per_side} ports{'' if model.any_to_any else ' per side'}; "
                "use more switches or larger ones"
            )
        self._check_ports("a strand", device, side, port)
        if len(np.unique(self._keys(device, side, port))) != len(self.strands):
            raise TopologyError(f"two strands share a port of one {self.part.name}; each port takes one")

    def _check_ports(
        self, what: str, device: NDArray[np.int32], side: NDArray[np.int32], port: NDArray[np.int32]
    ) -> None:
        """Raise TopologyError for the first port that no device has."""
        inside = (device >= 0) & (device < self.devices)
        at = np.where(inside, device, 0)
        there = inside & (side >= SIDE_A) & (side <= self.last_side[at])
        there &= (port >= 0) & (port < self.ports_per_side[at])
        if there.all():
            return
        first = int((~there).argmax())
        d, s, p = int(device[first]), int(side[first]), int(port[first])
        if not 0 <= d < self.devices:
            raise TopologyError(f"{what} names circuit switch {d}; there are {self.devices}, numbered from 0")
        model = self.model(d)
        if s == SIDE_B and model.any_to_any:
            raise TopologyError(
                f"{what} names side B of circuit switch {d}; a {model.name} joins any two ports, all of them on side A"
            )
        if s not in (SIDE_A, SIDE_B):
            raise TopologyError(f"{what} names side {s} of circuit switch {d}; give 0 for A or 1 for B")
        raise TopologyError(
            f"{what} names port {p} on side {'AB'[s]} of circuit switch {d}; "
            f"a {model.name} has {model.ports_per_side} there, numbered from 0"
        )

    def _check_state(self) -> None:
        ends = self._port_ends()
        dead = np.zeros(ends.shape, bool)
        dead[tuple(self.failed.T)] = True
        device = self.state[:, 0]
        sides = (np.zeros_like(device), self.last_side[device.clip(0, self.devices - 1)])
        for side, port in zip(sides, self.state.T[1:], strict=True):
            outside = (device < 0) | (device >= self.devices) | (port < 0) | (port >= ends.shape[2])
            at = (np.where(outside, 0, device), side, np.where(outside, 0, port))
            for wrong, why in (
                (outside | (ends[at] < 0), "which no strand reaches"),
                (dead[at], "which has failed; with_failed takes what it carried out of the state"),
            ):
                if wrong.any():
                    i = int(wrong.argmax())
                    raise TopologyError(
                        f"the state uses port {port[i]} on side {'AB'[side[i]]} of circuit switch {device[i]}, {why}"
                    )
        used = np.concatenate([self._keys(device, s, p) for s, p in zip(sides, self.state.T[1:], strict=True)])
        if len(np.unique(used)) != len(used):
            raise TopologyError("the state uses a port twice; each port carries one circuit")

    def _keys(self, device: NDArray[np.int32], side: NDArray[np.int32], port: NDArray[np.int32]) -> NDArray[np.int64]:
        """A number for each port of the layer."""
        widest = int(self.ports_per_side.max(initial=1))
        keys: NDArray[np.int64] = (device.astype(np.int64) * 2 + side) * widest + port
        return keys

    def _port_ends(self) -> NDArray[np.int32]:
        """int32[K, 2, P]: the end node that each port's strand leads to, -1 for none."""
        reach = np.full((self.devices, 2, int(self.ports_per_side.max(initial=1))), -1, np.int32)
        device, side, port, end = self.strands.T
        reach[device, side, port] = end
        return reach

    def model(self, device: int) -> CircuitSwitch:
        """The catalogue row of a device."""
        return self.other_parts.get(device, self.part)

    @property
    def ports_per_side(self) -> NDArray[np.int32]:
        """int32[K]: ports on a side of each device; all its ports where it is any-to-any."""
        return self._each_device("ports_per_side")

    @property
    def last_side(self) -> NDArray[np.int32]:
        """int32[K]: where the second port of a device's cross-connects is: side B, or A where it is any-to-any."""
        return np.where(self._each_device("any_to_any"), SIDE_A, SIDE_B).astype(np.int32)

    def _each_device(self, key: str) -> NDArray[np.int32]:
        values = np.full(self.devices, getattr(self.part, key), np.int32)
        for device, model in self.other_parts.items():
            values[device] = getattr(model, key)
        return values

    @property
    def strands_per_device(self) -> NDArray[np.int64]:
        """Strands that reach each device, both sides together."""
        return np.bincount(self.strands[:, 0], minlength=self.devices)

    @property
    def free_ports(self) -> NDArray[np.int64]:
        """int64[K, 2]: working ports of each device and side without a strand: where that of a failed port can move."""
        taken = np.concatenate([self._keys(*self.strands.T[:3]), self._keys(*self.failed.T)])
        widest = int(self.ports_per_side.max(initial=1))
        each = np.bincount(np.unique(taken) // widest, minlength=2 * self.devices).reshape(-1, 2)
        sides = np.stack([np.ones(self.devices, np.int64), self.last_side], axis=1)
        free: NDArray[np.int64] = self.ports_per_side[:, None] * sides - each
        return free

    @property
    def strands_per_link(self) -> int:
        """Strands that one link takes at each of its ends, and its cross-connects."""
        return self.lanes * self.fibres

    @property
    def circuits(self) -> int:
        """Live cross-connects."""
        return len(self.state)

    def with_state(self, state: ArrayLike) -> "CircuitLayer":
        """The same strands under another state."""
        return replace(self, state=np.asarray(state, np.int32).reshape(-1, 3))

    def with_failed(self, ports: ArrayLike) -> "CircuitLayer":
        """The same layer with more ports failed (int32[F, 3] of device, side, port), and without what they carried: of
        a link whose lane or direction is gone nothing stays."""
        failed = np.unique(np.concatenate([self.failed, np.asarray(ports, np.int32).reshape(-1, 3)]), axis=0)
        self._check_ports("a failed port", *failed.T)
        device, first, second = self.state.T
        dead = self._keys(*failed.T)
        down = np.isin(self._keys(device, np.zeros_like(device), first), dead)
        down |= np.isin(self._keys(device, self.last_side[device], second), dead)
        return replace(self, failed=failed, state=self.state[~down][self._whole(self.end_pairs()[~down])])

    def _whole(self, pairs: NDArray[np.int32]) -> NDArray[np.bool_]:
        """bool[M]: which of the cross-connects make whole links, where some are gone: the first of every pair."""
        backward = (pairs[:, 0] > pairs[:, 1]) & (self.fibres == 2)
        _, of = np.unique(np.sort(pairs, axis=1), axis=0, return_inverse=True)
        key = 2 * of.ravel() + backward
        each = np.bincount(key, minlength=int(key.max(initial=-1) // 2 + 1) * 2).reshape(-1, 2)
        lanes = (each.min(axis=1) if self.fibres == 2 else each[:, 0]) // self.lanes * self.lanes
        order = np.argsort(key, kind="stable")
        rank = np.empty(len(key), np.int64)
        rank[order] = np.arange(len(key)) - np.concatenate([[0], np.cumsum(each.ravel())])[key[order]]
        kept: NDArray[np.bool_] = rank < lanes[key // 2]
        return kept

    @property
    def lost(self) -> tuple[int, float]:
        """Strands that lead to failed ports, and the Gb/s one way that their ends cannot use until they are moved."""
        dead = np.isin(self._keys(*self.strands.T[:3]), self._keys(*self.failed.T))
        rows = self.strands[dead]
        places = np.unique(rows[:, [0, 2, 3]], axis=0) if self.fibres == 2 else rows[:, [0, 2, 3]]
        rates = self.end_rates_gbps[places[:, 2]]
        return len(rows), float(rates.sum()) / self.lanes

    @property
    def end_links(self) -> tuple[Sequence[Mapping[str, Any]], NDArray[np.int32]]:
        """Link attributes by generation, and the generation of each end."""
        alike = not len(self.generation)
        return (self.link, *self.other_links), np.zeros(len(self.ends), np.int32) if alike else self.generation

    @property
    def end_rates_gbps(self) -> NDArray[np.float64]:
        """float64[E]: the rate at which each end's modules run, one direction of one link."""
        links, generation = self.end_links
        rates: NDArray[np.float64] = np.array([link["rate_gbps"] for link in links], np.float64)[generation]
        return rates

    def end_pairs(self) -> NDArray[np.int32]:
        """int32[M, 2]: the end nodes that each cross-connect joins, as positions in `ends`, first port first."""
        reach = self._port_ends()
        d, a, b = self.state.T
        return np.stack([reach[d, SIDE_A, a], reach[d, self.last_side[d], b]], axis=1)

    def live_links(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Joined pairs of ends (int32[P, 2], each ascending) and the links of each; TopologyError for half a link."""
        directed = self.end_pairs()
        pairs = np.sort(directed, axis=1)
        if np.any(pairs[:, 0] == pairs[:, 1]):
            raise TopologyError("a circuit joins a node to itself; connect it elsewhere or leave its ports dark")
        joined, of, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
        whole = self.strands_per_link
        up = np.bincount(of.reshape(-1), directed[:, 0] < directed[:, 1], minlength=len(joined))
        one_way = (2 * up != counts) & (self.fibres == 2)
        for wrong, why in (
            (one_way, "as many circuits one way as the other; a link takes one each way"),
            (counts % whole != 0, f"a whole number of links; a link takes {whole} circuits"),
        ):
            if wrong.any():
                a, b = joined[int(wrong.argmax())]
                raise TopologyError(f"{self.ends[a]} and {self.ends[b]} have not {why}")
        return joined.astype(np.int32), counts // self.strands_per_link

    def add_circuits(self, graph: nx.Graph) -> None:
        """Put one `circuit` edge per joined pair of end nodes into a data path, `count` = live links; between ends of
        different generations they run as those of the slower one."""
        joined, counts = self.live_links()
        links, generation = self.end_links
        for (a, b), count in zip(joined.tolist(), counts.tolist(), strict=True):
            own = [links[generation[a]], links[generation[b]]]
            slower = min(own, key=lambda link: link["rate_gbps"]) if len(links) > 1 else own[0]
            graph.add_edge(self.ends[a], self.ends[b], **{**slower, "count": count})

    def physical_graph(self) -> nx.MultiGraph:
        """End nodes, circuit switches and every fibre between them; live ports carry the partner they face."""
        physical = nx.MultiGraph()
        last = self.last_side.tolist()
        partner = {(d, SIDE_A, a): b for d, a, b in self.state.tolist()}
        partner |= {(d, last[d], b): a for d, a, b in self.state.tolist()}
        for device, side, port, end in self.strands.tolist():
            physical.add_edge(
                self.ends[end],
                f"ocs-{device}",
                side="AB"[side],
                port=port,
                partner=partner.get((device, side, port)),
            )
        return physical
