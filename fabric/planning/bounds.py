"""Bounds on the number of stages: what no order of the same changes can beat, and whole stages by integer program."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.planning.capacity import Changes, Matrix, Meter
from fabric.planning.ports import Ports
from fabric.planning.simplex import carried

LP_BLOCKS = 12  # up to which the programs are solved
ROUNDS_IN_SHARES, ROUNDS_IN_WHOLES = 25, 15  # of prices
KEPT_SPARE = 0.5  # of what shares of units have to spare
MOST_NODES = 100  # of an integer program's search tree
MOST_BINARIES = 1500


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
        """Units stage by stage, in so many stages; None where none were found.

        Benders' decomposition: an integer program places units such that every stage keeps what prices of links say
        (no routing carries more than the prices of what is up), a linear program for each stage finds the prices that
        say most against it, until there are none.
        """
        cells = self.changes.blocks**2
        start = self.meter.gbps(self.circuits).ravel()
        down, up = (self._gbps_of(cell, owner) for cell, owner in
                    ((self.changes.cell_of_down, self.changes.units.unit_of_down),
                     (self.changes.cell_of_up, self.changes.units.unit_of_up)))  # fmt: skip
        if stages * down.shape[0] > MOST_BINARIES:
            return None
        prices = np.zeros((0, cells))
        spare = 1.0
        for phase, rounds in enumerate((ROUNDS_IN_SHARES, ROUNDS_IN_WHOLES)):
            for _ in range(rounds):
                placed = self._placed(stages, start, down, up, prices, spare if phase else None)
                if placed is None and phase and spare > 0:
                    spare = 0.0
                    continue
                if placed is None:
                    return None
                found = self._prices_against(placed, start, down, up)
                if not phase:
                    spare = min(spare, KEPT_SPARE * self._spare(placed, start, down, up, prices))
                if not found and phase:
                    return [np.flatnonzero(row > 0.5) for row in placed if (row > 0.5).any()]
                if not found:
                    break
                prices = np.concatenate([prices, found])
        return None

    def _prices_against(self, placed: Matrix, start: Matrix, down: Matrix, up: Matrix) -> list[Matrix]:
        """Prices by which a stage does not keep the floor, for those that do not."""
        found, now = [], start.copy()
        for row in placed:
            now = now - row @ down
            value, price = carried(np.maximum(now, 0).reshape(self.wanted.shape), self.wanted)
            if value < 1 - 1e-9:
                found.append(price)
            now = now + row @ up
        return found

    def _spare(self, placed: Matrix, start: Matrix, down: Matrix, up: Matrix, prices: Matrix) -> float:
        """What the tightest stage has to spare by all prices."""
        least, now = 1.0, start.copy()
        for row in placed:
            now = now - row @ down
            least = min([least, *(prices @ now - 1)])
            now = now + row @ up
        return max(least, 0.0)

    def _gbps_of(self, cell: NDArray[np.int64], owner: NDArray[np.int32]) -> Matrix:
        """float64[units, N x N]: the Gb/s of each unit's circuits."""
        n = self.changes.blocks
        found = np.zeros((self.changes.units.number, n, n))
        np.add.at(found, (owner, *np.divmod(cell, n)), 1.0)
        both = found if self.meter.directed else found + found.transpose(0, 2, 1)
        gbps: Matrix = (both * self.meter.rates_gbps * ~np.eye(n, dtype=bool)).reshape(len(found), n * n)
        return gbps

    def _placed(
        self, stages: int, start: Matrix, down: Matrix, up: Matrix, prices: Matrix, spare: float | None
    ) -> Matrix | None:
        """What share of each unit is changed in each stage, float64[stages, units], with as much to spare by all prices
        as can be; whole units, with so much to spare, where `spare` is given."""
        from scipy.optimize import Bounds, LinearConstraint, linprog, milp
        from scipy.sparse import coo_array

        width = len(down)
        columns = stages * width
        unit, column = np.tile(np.arange(width), stages), np.arange(columns)
        each = coo_array((np.ones(columns), (unit, column)), shape=(width, columns)).tocsr()
        lost, won = down @ prices.T, up @ prices.T
        rows = np.zeros((stages, len(prices), columns))
        for stage in range(stages):
            for until in range(stage):
                rows[stage, :, until * width : (until + 1) * width] = (lost - won).T
            rows[stage, :, stage * width : (stage + 1) * width] = lost.T
        used = rows.reshape(-1, columns)
        room = np.tile(prices @ start - 1, stages)
        if spare is None:
            cost = np.append(np.zeros(columns), -1.0)
            whole = coo_array((np.ones(columns), (unit, column)), shape=(width, columns + 1)).tocsr()
            solved = linprog(
                cost, np.column_stack([used, np.ones(len(used))]) if len(used) else None, room if len(used) else None,
                whole, np.ones(width), bounds=(0, 1), method="highs",
            )  # fmt: skip
            return None if solved.x is None else solved.x[:-1].reshape(stages, width)
        rules = [LinearConstraint(each, 1, 1), LinearConstraint(used, -np.inf, room - spare)]
        found = milp(np.zeros(columns), integrality=np.ones(columns), bounds=Bounds(0, 1),
                     constraints=rules if len(used) else rules[:1], options={"node_limit": MOST_NODES})  # fmt: skip
        return None if found.x is None else np.round(found.x).reshape(stages, width)

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
