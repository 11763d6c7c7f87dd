"""Capacity: what blocks can send each other while circuits are down, and what is asked of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.planning.ports import Ports
from fabric.planning.units import Units

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Meter:
    """Turns circuits between blocks, float64[N, N] from the first block's port to the second's, into Gb/s one way."""

    directed: bool
    paired: bool
    lanes: int
    rates_gbps: Matrix

    @classmethod
    def of(cls, ports: Ports) -> "Meter":
        """The meter of a fabric."""
        return cls(ports.wiring.kind == "simplex", ports.paired, ports.lanes, ports.pair_rates())

    def links(self, circuits: Matrix) -> Matrix:
        """Links one way; expected shares of links count as such."""
        total = circuits if self.directed else circuits + circuits.T
        if self.paired:
            total = np.minimum(total, total.T)
        links: Matrix = total / self.lanes
        if self.lanes > 1:
            links = np.floor(links + 1e-9)
        links = links.copy()
        np.fill_diagonal(links, 0.0)
        return links

    def gbps(self, circuits: Matrix) -> Matrix:
        """Gb/s one way."""
        return self.links(circuits) * self.rates_gbps


def sent_and_received(gbps: Matrix) -> Matrix:
    """float64[2, N]: what each block can send, and receive."""
    both: Matrix = np.stack([gbps.sum(axis=1), gbps.sum(axis=0)])
    return both


def default_demand(ports: Ports, before: Matrix, after: Matrix) -> Matrix:
    """Between two blocks the smaller of their present and target links, at the rate of those links.

    `before` and `after` are circuits float64[N, N].
    """
    meter = Meter.of(ports)
    demand: Matrix = np.minimum(meter.gbps(before), meter.gbps(after))
    return demand


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """The units of a plan, counted by pair of blocks: cell = first block x N + second block."""

    cell_of_down: NDArray[np.int64]
    cell_of_up: NDArray[np.int64]
    switch_of_down: NDArray[np.int32]
    units: Units
    blocks: int

    @classmethod
    def of(cls, ports: Ports, units: Units) -> "Changes":
        """The changes of a fabric."""
        block, n = ports.block_of.astype(np.int64), len(ports.wiring.blocks)
        down, up = (block[c[:, 0]] * n + block[c[:, 1]] for c in (units.down, units.up))
        return cls(down, up, ports.switch_of[units.down[:, 0]], units, n)

    def removed(self, chosen: NDArray[np.bool_]) -> Matrix:
        """Circuits between blocks that the chosen units (bool[units]) take down."""
        return self._matrix(self.cell_of_down[chosen[self.units.unit_of_down]])

    def added(self, chosen: NDArray[np.bool_]) -> Matrix:
        """Circuits between blocks that the chosen units put up."""
        return self._matrix(self.cell_of_up[chosen[self.units.unit_of_up]])

    def by_switch(self, chosen: NDArray[np.bool_], ports: Ports, *, added: bool = False) -> NDArray[np.float64]:
        """The same switch by switch, float64[K, N, N]."""
        units = self.units
        circuits, owner = (units.up, units.unit_of_up) if added else (units.down, units.unit_of_down)
        return ports.counts(circuits[chosen[owner]]).astype(np.float64)

    def _matrix(self, cells: NDArray[np.int64]) -> Matrix:
        found = np.bincount(cells, minlength=self.blocks**2).astype(np.float64)
        return found.reshape(self.blocks, self.blocks)

    def even_order(self, noise: NDArray[np.float64] | None = None) -> NDArray[np.int64]:
        """Units such that every run of them takes an even share of what each pair and each block loses: next comes the
        unit whose circuits are furthest behind, give or take a `noise` (float64[units], 0 to 1). Units that take
        nothing down come first."""
        units, n = self.units, self.blocks
        first, second = self.cell_of_down // n, self.cell_of_down % n
        low, high = np.minimum(first, second), np.maximum(first, second)
        keys = [low * n + high, n * n + first, n * n + second]
        key = np.concatenate(keys)
        unit = np.tile(units.unit_of_down, 3)
        known, key = np.unique(key, return_inverse=True)
        total = np.bincount(key).astype(np.float64)
        weight = 1.0 / total
        size = np.bincount(unit, minlength=units.number)
        order = np.argsort(unit, kind="stable")
        of_unit = key[order]
        begin = np.append(0, np.cumsum(size))
        by_key = np.argsort(key, kind="stable")
        unit_of_key = unit[by_key]
        key_begin = np.append(0, np.cumsum(np.bincount(key, minlength=len(known))))
        # score: mean over a unit's circuits of the share used up of their pair and blocks, its own included
        score = np.bincount(unit, weight[key], minlength=units.number) / np.maximum(size, 1)
        if noise is not None:
            score *= 1 + 0.5 * noise
        idle = np.flatnonzero(size == 0)
        score[idle] = np.inf
        chosen = idle.tolist()
        for _ in range(units.number - len(idle)):
            best = int(np.argmin(score))
            score[best] = np.inf
            chosen.append(best)
            for at in of_unit[begin[best] : begin[best + 1]].tolist():
                touched = unit_of_key[key_begin[at] : key_begin[at + 1]]
                np.add.at(score, touched, weight[at] / size[touched])
        return np.array(chosen, np.int64)
