"""Units: the smallest groups of circuits on one switch that can be changed at once, each with the ports it needs."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.planning.ports import Ports
from fabric.planning.wiring import Counts
from topologies.errors import InfeasibleError

LENGTHS = (4, 6, 8, 12, 1 << 30)  # circuits of a walk, tried in turn
FREED, NEEDS = 0, 1  # a port that the walk has freed at a pool, or one that it needs there
Step = tuple[int, int]  # of a walk: 0 for a circuit taken down and 1 for one put up, and its number


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Circuits to take down and to put up (int32[D, 2] and int32[U, 2] of slots), and the unit of each.

    What a unit puts up stands on ports that it frees itself or that are idle, so that units can be done in any order.
    """

    down: NDArray[np.int32]
    up: NDArray[np.int32]
    unit_of_down: NDArray[np.int32]
    unit_of_up: NDArray[np.int32]
    number: int


def units_between(ports: Ports, target: NDArray[np.int32]) -> Units:
    """Units from the present circuits to others that are known port by port (int32[M, 2] of slots): circuits that
    share a port change together."""
    S = len(ports.slots.pool)
    have, want = (np.sort(c, axis=1) if ports.one_sided else c for c in (ports.circuits, target))
    old, new = (c[:, 0].astype(np.int64) * S + c[:, 1] for c in (have, want))
    down, up = ports.circuits[~np.isin(old, new)], target[~np.isin(new, old)]
    return _components(down, up, S)


def _components(down: NDArray[np.int32], up: NDArray[np.int32], slots: int) -> Units:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([down, up])
    links = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(slots, slots))
    _, label = connected_components(links, directed=False)
    known, unit = np.unique(label[edges[:, 0]], return_inverse=True)
    own = unit.ravel().astype(np.int32)
    return Units(down, up, own[: len(down)], own[len(down) :], len(known))


def units_for(ports: Ports, counts: Counts) -> Units:
    """Units from the present circuits to a target that is known by switch and pair of blocks (int16[K, N, N]).

    Circuits that both have stay. Each walk goes circuit down, circuit up, ... from pool to pool and ends where it meets
    its first pool again, or a port that is idle or not needed again: the shortest such walks first, since ports of one
    pool are interchangeable. InfeasibleError where a pool has too few working ports.
    """
    down_rows, up_pools = _changes(ports, counts)
    pool = ports.slots.pool
    down = ports.circuits[down_rows]
    taken = np.zeros(len(pool), bool)
    taken[ports.circuits.ravel()] = True
    blocks2 = 2 * len(ports.wiring.blocks)
    down_switch, up_switch = pool[down[:, 0]] // blocks2, up_pools[:, 0] // blocks2
    up = np.full((len(up_pools), 2), -1, np.int32)
    unit_of_down, unit_of_up = np.full(len(down), -1, np.int32), np.full(len(up), -1, np.int32)
    idle = _idle_slots(ports, taken)
    number = 0
    for switch in np.union1d(down_switch, up_switch).tolist():
        own_down, own_up = np.flatnonzero(down_switch == switch), np.flatnonzero(up_switch == switch)
        walks = _Walks(pool[down[own_down]].tolist(), up_pools[own_up].tolist(), idle)
        for walk in walks.all():
            for kind, edge in walk:
                (unit_of_down if kind == 0 else unit_of_up)[(own_down if kind == 0 else own_up)[edge]] = number
            number += 1
        free = {(d, end): int(slot) for d, row in enumerate(down[own_down]) for end, slot in enumerate(row)}
        for u, ends in enumerate(walks.source):
            for end, source in enumerate(ends):
                if source is None:
                    raise InfeasibleError(_too_few(ports, up_pools[own_up[u], end]))
                own = idle[up_pools[own_up[u], end]].pop() if isinstance(source, str) else free[source]
                up[own_up[u], end] = own
    return Units(down, up, unit_of_down, unit_of_up, number)


def _too_few(ports: Ports, pool: int) -> str:
    N = len(ports.wiring.blocks)
    return (
        f"{ports.wiring.blocks[pool % N]} has too few working ports on {ports.wiring.switches[pool // (2 * N)]}; "
        "want fewer links there"
    )


def _changes(ports: Ports, counts: Counts) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Rows of the present circuits that go, and the pools of those that come, int32[U, 2]."""
    N = len(ports.wiring.blocks)
    have, want = ports.counts().astype(np.int64), counts.astype(np.int64)
    first, second = ports.circuits.T
    k, i, j = ports.switch_of[first].astype(np.int64), ports.block_of[first], ports.block_of[second]
    if ports.one_sided:  # a circuit has no direction
        have, want = (np.triu(c) + np.tril(c, -1).transpose(0, 2, 1) for c in (have, want))
        i, j = np.minimum(i, j), np.maximum(i, j)
    key = (k * N + i) * N + j
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    rank = np.empty(len(key), np.int64)
    rank[order] = np.arange(len(key)) - np.searchsorted(ordered, ordered)
    gone = np.flatnonzero(rank >= want.ravel()[key])
    more = np.maximum(want - have, 0)
    k, i, j = np.repeat(np.argwhere(more), more[more > 0], axis=0).reshape(-1, 3).T
    south = 0 if ports.one_sided else 1
    return gone, np.stack([2 * k * N + i, (2 * k + south) * N + j], axis=1).astype(np.int32)


def _idle_slots(ports: Ports, taken: NDArray[np.bool_]) -> dict[int, list[int]]:
    """Working slots without a circuit, by pool, the lowest last."""
    idle: dict[int, list[int]] = {}
    for slot in np.flatnonzero(~taken & ports.slots.usable)[::-1].tolist():
        idle.setdefault(int(ports.slots.pool[slot]), []).append(slot)
    return idle


class _Walks:
    """The walks of one switch; `source[u][end]` says on what an end of a new circuit stands: "idle", or the end of a
    circuit taken down."""

    def __init__(self, down: list[list[int]], up: list[list[int]], idle: dict[int, list[int]]) -> None:
        self.edges = (down, up)
        self.at: tuple[dict[int, list[tuple[int, int]]], ...] = ({}, {})
        for kind, edges in enumerate(self.edges):
            for e, ends in enumerate(edges):
                for end, pool in enumerate(ends):
                    self.at[kind].setdefault(pool, []).append((e, end))
        self.live = ([True] * len(down), [True] * len(up))
        self.source: list[list[str | tuple[int, int] | None]] = [[None, None] for _ in up]
        # ports that walks pass on, idle ones that walks end on, freed ones that nothing needs
        self.passed: dict[int, int] = {}
        self.ends: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for pool in self.at[0].keys() | self.at[1].keys():
            downs, ups = (len(self.at[kind].get(pool, ())) for kind in (0, 1))
            resting = min(len(idle.get(pool, ())), ups)
            self.ends[NEEDS][pool] = resting
            self.passed[pool] = min(ups - resting, downs)
            self.ends[FREED][pool] = downs - self.passed[pool]

    def all(self) -> list[list[Step]]:
        """Every circuit in one walk."""
        walks = [walk for u in range(len(self.edges[1])) if (walk := self._on_idle(u))]
        for most in LENGTHS:  # short ones first
            live = (d for d in range(len(self.edges[0])) if self.live[0][d])
            walks += [walk for d in live if (walk := self._shortest(d, most))]
        return walks + self._rest()

    def _on_idle(self, u: int) -> list[Step]:
        """A new circuit that needs none taken down."""
        p, q = self.edges[1][u]
        rest = self.ends[NEEDS]
        if rest[p] < 1 or rest[q] < 1 or (p == q and rest[p] < 2):
            return []
        rest[p] -= 1
        rest[q] -= 1
        self.source[u] = ["idle", "idle"]
        self.live[1][u] = False
        return [(1, u)]

    def _shortest(self, d: int, most: int) -> list[Step]:
        """The shortest walk through a circuit taken down; nothing where it has more than `most`, or would use up
        what another needs."""
        p = self.edges[0][d][0]
        ring, tail = self._search(d, 1, p), self._search(d, 1, None)
        head = self._search(d, 0, None) if tail is not None else None
        both = None if tail is None or head is None else (head, tail)
        ring = None if ring is None or len(ring) >= most else ring
        both = None if both is None or len(both[0]) + len(both[1]) >= most else both
        if ring is not None and (both is None or len(ring) <= len(both[0]) + len(both[1])):
            return self._take(d, [], ring, True)
        return [] if both is None else self._take(d, both[0], both[1], False)

    def _search(self, d: int, end: int, home: int | None) -> list[tuple[int, int, int]] | None:
        """Steps (kind, edge, end that it is entered by) from an end of circuit d to where a walk may end: back at the
        pool `home`, or at a port that is idle or not needed."""
        start = (self.edges[0][d][end], FREED)
        came: dict[tuple[int, int], tuple[tuple[int, int], tuple[int, int, int]] | None] = {start: None}
        queue = deque([start])
        while queue:
            here = queue.popleft()
            pool, state = here
            over = pool == home and state == NEEDS if home is not None else self.ends[state][pool] > 0
            if over and (home is None or self.passed[pool] > 0):
                steps = []
                back = came[here]
                while back is not None:
                    here, step = back
                    steps.append(step)
                    back = came[here]
                return steps[::-1]
            if self.passed[pool] < 1:
                continue
            kind = 1 if state == FREED else 0
            for e, entry in self.at[kind].get(pool, ()):
                if not self.live[kind][e] or (kind == 0 and e == d):
                    continue
                there = (self.edges[kind][e][1 - entry], NEEDS if kind else FREED)
                if there not in came:
                    came[there] = (here, (kind, e, entry))
                    queue.append(there)
        return None

    def _take(
        self, d: int, head: list[tuple[int, int, int]], tail: list[tuple[int, int, int]], ring: bool
    ) -> list[Step]:
        """Use the walk up; nothing where an edge or a port would be used twice."""
        walk: list[Step] = [(0, d), *((kind, e) for kind, e, _ in head + tail)]
        if len(set(walk)) < len(walk):
            return []
        passed: dict[int, int] = {}
        ends: list[tuple[int, int]] = []
        sources: list[tuple[int, int, str | tuple[int, int]]] = []
        for steps, end in ((tail, 1), (head, 0)):
            open_end = (d, end)  # of the circuit taken down last
            pool, state = self.edges[0][d][end], FREED
            for kind, e, entry in steps:
                passed[pool] = passed.get(pool, 0) + 1
                if kind == 1:
                    sources.append((e, entry, open_end))
                    last_up = (e, 1 - entry)
                else:
                    sources.append((*last_up, (e, entry)))
                    open_end = (e, 1 - entry)
                pool, state = self.edges[kind][e][1 - entry], NEEDS if kind else FREED
            if ring:
                if end == 1:
                    passed[pool] = passed.get(pool, 0) + 1
                    sources.append((*last_up, (d, 0)))
                continue
            ends.append((state, pool))
            if state == NEEDS:
                sources.append((*last_up, "idle"))
        for pool, uses in passed.items():
            if uses > self.passed[pool]:
                return []
        for state, pool in set(ends):
            if ends.count((state, pool)) > self.ends[state][pool]:
                return []
        for pool, uses in passed.items():
            self.passed[pool] -= uses
        for state, pool in ends:
            self.ends[state][pool] -= 1
        for u, end, source in sources:
            self.source[u][end] = source
        for kind, e in walk:
            self.live[kind][e] = False
        return walk

    def _rest(self) -> list[list[Step]]:
        """What no short walk took: ports handed on in order, and what hangs together is one walk."""
        group: dict[Step, Step] = {}

        def top(step: Step) -> Step:
            while group.setdefault(step, step) != step:
                step = group[step]
            return step

        left = [[e for e, live in enumerate(self.live[kind]) if live] for kind in (0, 1)]
        freed: dict[int, list[tuple[int, int]]] = {}
        for d in left[0]:
            top((0, d))
            for end, pool in enumerate(self.edges[0][d]):
                freed.setdefault(pool, []).append((d, end))
        for u in left[1]:
            top((1, u))
            for end, pool in enumerate(self.edges[1][u]):
                if self.ends[NEEDS][pool] > 0:
                    self.ends[NEEDS][pool] -= 1
                    self.source[u][end] = "idle"
                elif freed.get(pool):
                    source = freed[pool].pop()
                    self.source[u][end] = source
                    group[top((1, u))] = top((0, source[0]))
        walks: dict[Step, list[Step]] = {}
        for kind in (0, 1):
            for e in left[kind]:
                walks.setdefault(top((kind, e)), []).append((kind, e))
        return list(walks.values())
