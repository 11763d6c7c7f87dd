"""Bounds on the number of stages: what no order of the same changes can beat, and whole stages by integer program."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.planning.capacity import Changes, Matrix, Meter
from fabric.planning.ports import Ports

LP_BLOCKS = 12  # up to which the programs are solved
MOST_NODES = 400  # of the integer program's search tree
MOST_BINARIES = 200  # of few blocks: flows make every node slow
WHOLE_BLOCKS = 8


def cut_bound(changes: Changes, meter: Meter, circuits: Matrix, wanted: Matrix) -> int:
    """Stages that some block needs: what it sends must fit into the links that it has left in each.

    `circuits` float64[N, N] are up before, `wanted` float64[N, N] is the floor in Gb/s. A block that starts with P Gb/s
    and never has more than P' loses at most P - load in the first stage and P' - load in each later one, so takes
    1 + ceil((lost - (P - load)) / (P' - load)) of them: max over blocks of ceil(ports down / (ports - floor x load)),
    where P = P'.
    """
    everything = np.ones(changes.units.number, bool)
    before = meter.gbps(circuits)
    down, up = changes.removed(everything), changes.added(everything)
    lost = before - meter.gbps(circuits - down)
    most = np.maximum(before, meter.gbps(circuits + up))
    stages = int(changes.units.number > 0)
    for axis in (0, 1):
        start, ceiling, gone, load = (m.sum(axis=axis) for m in (before, most, lost, wanted))
        first, later = np.maximum(start - load, 0), np.maximum(ceiling - load, 0)
        over = (gone > first * (1 + 1e-9)) & (later > 0)
        if over.any():
            stages = max(stages, 1 + int(np.ceil((gone - first)[over] / later[over] - 1e-9).max()))
    return stages


@dataclass(slots=True, eq=False)
class _Rows:
    """Rows of a program, entered piece by piece."""

    number: int = 0
    at: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = field(default_factory=list)
    limit: list[NDArray[Any]] = field(default_factory=list)

    def enter(self, row: NDArray[Any], column: NDArray[Any], value: "NDArray[Any] | float") -> None:
        """Values at rows counted from the last `close`."""
        self.at.append((self.number + row, column, np.broadcast_to(value, np.shape(row))))

    def close(self, limit: NDArray[Any]) -> None:
        """So many rows are done; their right-hand sides."""
        self.number += len(limit)
        self.limit.append(limit)

    def matrix(self, columns: int) -> Any:
        """The rows as a sparse matrix."""
        from scipy.sparse import coo_array

        rows, cols, values = (np.concatenate(part) for part in zip(*self.at, strict=True))
        return coo_array((values.astype(np.float64), (rows, cols)), shape=(self.number, columns)).tocsr()


@dataclass(frozen=True, slots=True, eq=False)
class StageProgram:
    """The programs of a number of stages: changes in fractions of circuits, or in whole units."""

    ports: Ports
    changes: Changes
    meter: Meter
    circuits: Matrix
    wanted: Matrix

    def order(self, stages: int) -> NDArray[np.int64] | None:
        """Units in the order in which fractions of their circuits can be changed in so many stages with the floor kept
        in each; None where that is impossible, in fractions and so in whole circuits.

        Down and up are counted by switch and pair of blocks; at each pool no more is put up by the end of a stage than
        idle ports and what was taken down by then allow; flow is direct or through one other block.
        """
        from scipy.optimize import linprog

        units, pool = self.changes.units, self.ports.slots.pool
        D, d_of, d_most = np.unique(pool[units.down], axis=0, return_inverse=True, return_counts=True)
        U, u_of, u_most = np.unique(pool[units.up], axis=0, return_inverse=True, return_counts=True)
        width = len(D) + len(U)
        below, equal = _Rows(), _Rows()
        for stage in range(stages):
            equal.enter(np.arange(width), stage * width + np.arange(width), 1.0)
        equal.close(np.concatenate([d_most, u_most]))
        self._port_rows(below, D, U, stages)
        down = [self._cells(D, stage * width) for stage in range(stages)]
        up = [self._cells(U, stage * width + len(D)) for stage in range(stages)]
        columns = self._flow_rows(below, equal, stages, stages * width, down, up)
        found = linprog(
            np.zeros(columns), below.matrix(columns), np.concatenate(below.limit), equal.matrix(columns),
            np.concatenate(equal.limit), bounds=(0, None), method="highs",
        )  # fmt: skip
        if found.status == 2:
            return None
        if found.x is None:  # HiGHS gave up: nothing is proven
            return np.arange(units.number)
        when = found.x[: stages * width].reshape(stages, width)
        turn = np.arange(stages) @ when / np.maximum(when.sum(axis=0), 1e-12)
        circuits = np.concatenate([turn[: len(D)][d_of.ravel()], turn[len(D) :][u_of.ravel()]])
        owner = np.concatenate([units.unit_of_down, units.unit_of_up])
        mean = np.bincount(owner, circuits, minlength=units.number) / np.bincount(owner, minlength=units.number)
        return np.argsort(mean, kind="stable")

    def whole(self, stages: int) -> list[NDArray[np.int64]] | None:
        """Units stage by stage, by an integer program; None where it has found none within its search."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        width = self.changes.units.number
        if stages * width > MOST_BINARIES or self.changes.blocks > WHOLE_BLOCKS:
            return None
        below, equal, columns = self._in_units(np.arange(width), stages)
        binary = np.zeros(columns)
        binary[: stages * width] = 1
        need = np.concatenate(equal.limit)
        found = milp(
            np.zeros(columns), integrality=binary,
            bounds=Bounds(np.zeros(columns), np.where(binary > 0, 1.0, np.inf)),
            constraints=[LinearConstraint(below.matrix(columns), -np.inf, np.concatenate(below.limit)),
                         LinearConstraint(equal.matrix(columns), need, need)],
            options={"node_limit": MOST_NODES},
        )  # fmt: skip
        if found.x is None:
            return None
        chosen = found.x[: stages * width].reshape(stages, width) > 0.5
        return [np.flatnonzero(row) for row in chosen if row.any()]

    def first_shares(self, left: NDArray[np.int64], stages: int) -> NDArray[np.float64] | None:
        """What share of each of these units is changed in the first of so many stages, where units may be divided and
        the first stage does as much as it can; None where there is no way."""
        from scipy.optimize import linprog

        below, equal, columns = self._in_units(left, stages)
        cost = np.zeros(columns)
        cost[: len(left)] = -1.0
        most = np.full(columns, np.inf)
        most[: stages * len(left)] = 1.0
        found = linprog(
            cost, below.matrix(columns), np.concatenate(below.limit), equal.matrix(columns),
            np.concatenate(equal.limit), bounds=np.stack([np.zeros(columns), most], axis=1), method="highs",
        )  # fmt: skip
        return None if found.x is None else found.x[: len(left)]

    def _in_units(self, left: NDArray[np.int64], stages: int) -> tuple[_Rows, _Rows, int]:
        """The program in shares of units, and the number of its columns, a column for each stage and unit first."""
        units, n, width = self.changes.units, self.changes.blocks, len(left)
        place = np.full(units.number, -1)
        place[left] = np.arange(width)
        below, equal = _Rows(), _Rows()
        for stage in range(stages):
            equal.enter(np.arange(width), stage * width + np.arange(width), 1.0)
        equal.close(np.ones(width))
        sides = []
        cells = (self.changes.cell_of_down, self.changes.cell_of_up)
        for cell, owner in zip(cells, (units.unit_of_down, units.unit_of_up), strict=True):
            own = place[owner]
            pairs = np.stack(np.divmod(cell[own >= 0], n), axis=1)
            sides.append([(pairs, stage * width + own[own >= 0]) for stage in range(stages)])
        return below, equal, self._flow_rows(below, equal, stages, stages * width, *sides)

    def _cells(self, pools: NDArray[np.int32], first: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        return pools % self.changes.blocks, first + np.arange(len(pools))

    def _port_rows(self, below: _Rows, D: NDArray[np.int32], U: NDArray[np.int32], stages: int) -> None:
        pool, width = self.ports.slots.pool, len(D) + len(U)
        taken = np.zeros(len(pool), bool)
        taken[self.ports.circuits.ravel()] = True
        used, place = np.unique(np.concatenate([D.ravel(), U.ravel()]), return_inverse=True)
        idle = np.bincount(pool[~taken & self.ports.slots.usable], minlength=int(pool.max(initial=0)) + 1)[used]
        d_place, u_place = place[: D.size].reshape(-1, 2), place[D.size :].reshape(-1, 2)
        for stage in range(stages):
            for until in range(stage + 1):
                for end in (0, 1):
                    below.enter(u_place[:, end], until * width + len(D) + np.arange(len(U)), 1.0)
                    below.enter(d_place[:, end], until * width + np.arange(len(D)), -1.0)
            below.close(idle)

    def _flow_rows(
        self, below: _Rows, equal: _Rows, stages: int, first: int, down: list[Any], up: list[Any]
    ) -> int:
        """Flow of the wanted Gb/s in each stage on what is up in it; the number of columns. `down` and `up` hold for
        each stage the blocks int[., 2] of circuits and the column that says how much of each is changed then."""
        n = self.changes.blocks
        source, target = np.nonzero(self.wanted > 0)
        i, m, j = (a.ravel() for a in np.broadcast_arrays(source[:, None], np.arange(n)[None, :], target[:, None]))
        pair = np.repeat(np.arange(len(source)), n)
        there = m != i
        i, m, j, pair = i[there], m[there], j[there], pair[there]
        gbps, rate = self.meter.gbps(self.circuits), self.meter.rates_gbps
        unit = float(gbps.max()) or 1.0
        for stage in range(stages):
            flow = first + stage * len(i) + np.arange(len(i))
            below.enter(i * n + m, flow, 1.0)
            two = m != j
            below.enter((m * n + j)[two], flow[two], 1.0)
            for circuits, sign, until in ((down, 1.0, stage + 1), (up, -1.0, stage)):
                for pairs, column in circuits[:until]:
                    a, b = pairs.T
                    below.enter(a * n + b, column, sign * rate[a, b] / unit)
                    if not self.meter.directed:
                        below.enter(b * n + a, column, sign * rate[a, b] / unit)
            below.close(gbps.ravel() / unit)
            equal.enter(pair, flow, 1.0)
            equal.close(self.wanted[source, target] / unit)
        return first + stages * len(i)
