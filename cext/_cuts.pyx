"""Max-flow and the cuts that bound collectives: integers only, so that an answer is an exact fraction."""

from fractions import Fraction

import numpy as np

from cpython.exc cimport PyErr_CheckSignals

from cext import _checks

from cext._types cimport flag_t, index_t, offset_t

cdef enum:
    CHUNK = 50_000_000         # arcs looked at between two looks for Ctrl-C
cdef offset_t ENDLESS = 1 << 62  # room that no flow fills


cdef class _Preflow:
    """FIFO push-relabel from nodes with excess to nodes with room; first phase only: a value and a cut.

    A node with room has label 1, and 1 is a valid label for every node that no run has touched yet. So a run that
    finds room nearby costs what it touches, and forget() makes the next one start clean at that cost.
    """

    cdef const offset_t[::1] indptr
    cdef const index_t[::1] heads, twin
    cdef const offset_t[::1] capacity   # of each arc, in the direction that excess goes
    cdef offset_t[::1] residual, excess, room, current
    cdef index_t[::1] label, count, queue, touched, search, visit
    cdef flag_t[::1] seen, queued, endless, supplied
    cdef offset_t[::1] changed, came
    cdef flag_t[::1] is_changed
    cdef offset_t changes, work, since_global, short, supply
    cdef index_t nodes, dead, head, waiting, touches, visits

    def __init__(self, indptr, heads, twin, capacity):
        V, A = indptr.size - 1, heads.size
        self.nodes, self.dead = V, V + 2
        self.indptr, self.heads, self.twin, self.capacity = indptr, heads, twin, capacity
        self.residual = capacity.copy()
        self.excess, self.room = np.zeros(V, np.int64), np.zeros(V, np.int64)
        self.current = indptr[:V].copy()
        self.label, self.count = np.ones(V, np.int32), np.zeros(V + 3, np.int32)
        self.queue, self.touched, self.search = np.empty((3, V), np.int32)
        self.seen, self.queued, self.endless, self.supplied = np.zeros((4, V), np.uint8)
        self.changed, self.is_changed = np.empty(A, np.int64), np.zeros(A, np.uint8)
        self.short = self.supply = self.changes = self.work = self.since_global = 0
        self.head = self.waiting = self.touches = self.visits = 0
        self.visit, self.came = np.zeros(V, np.int32), np.empty(V, np.int64)

    cdef void scale(self, const offset_t[::1] capacity, offset_t supply) noexcept nogil:
        """Start clean with other capacities, and room for ``supply`` at every supplied node."""
        cdef offset_t a
        cdef index_t u
        self.forget()
        self.capacity, self.supply = capacity, supply
        for a in range(capacity.shape[0]):
            self.residual[a] = capacity[a]
        for u in range(self.nodes):
            self.room[u] = ENDLESS if self.endless[u] else (supply if self.supplied[u] else 0)

    cdef void forget(self) noexcept nogil:
        """Undo the last run."""
        cdef offset_t i, a
        cdef index_t u
        for i in range(self.changes):
            a = self.changed[i]
            self.residual[a], self.is_changed[a] = self.capacity[a], 0
        for i in range(self.touches):
            u = self.touched[i]
            self.count[self.label[u]] = 0
            self.excess[u], self.label[u], self.current[u] = 0, 1, self.indptr[u]
            self.seen[u] = self.queued[u] = 0
            self.room[u] = ENDLESS if self.endless[u] else (self.supply if self.supplied[u] else 0)
        self.changes = self.touches = self.head = self.waiting = 0
        self.short = self.since_global = 0

    cdef void touch(self, index_t u) noexcept nogil:
        if not self.seen[u]:
            self.seen[u] = 1
            self.touched[self.touches] = u
            self.touches += 1
            self.count[self.label[u]] += 1

    cdef void add(self, index_t u, offset_t amount) noexcept nogil:
        """Give excess to a node."""
        self.touch(u)
        self.excess[u] += amount
        self.short += amount
        self.enqueue(u)

    cdef void augment(self, index_t s) noexcept nogil:
        """Carry excess of s along shortest paths to endless room, while that is cheap; what is left waits for run().

        Labels start at 1, far too low where rooms are few, so that run() would wander; a search does not.
        """
        cdef offset_t stop = self.work + 4 * (self.heads.shape[0] + <offset_t> self.nodes), a, amount
        cdef index_t u, t
        while self.excess[s] > 0 and self.work < stop:
            t = self.nearest(s)
            if t < 0:
                return
            amount, u = self.excess[s], t
            while u != s:
                a = self.came[u]
                amount = min(amount, self.residual[a])
                u = self.heads[self.twin[a]]
            u = t
            while u != s:
                a = self.came[u]
                self.change(a, -amount)
                self.change(self.twin[a], amount)
                u = self.heads[self.twin[a]]
            self.excess[s] -= amount
            self.short -= amount

    cdef index_t nearest(self, index_t s) noexcept nogil:
        """The first endless node that a search from s meets, with the way there in ``came``; -1 if none."""
        cdef index_t u, v, head = 0, tail = 1
        cdef offset_t a
        if self.visits == 0x7fffffff:
            self.visit[:] = 0
            self.visits = 0
        self.visits += 1
        self.visit[s] = self.visits
        self.search[0] = s
        while head < tail:
            u = self.search[head]
            head += 1
            for a in range(self.indptr[u], self.indptr[u + 1]):
                self.work += 1
                v = self.heads[a]
                if self.visit[v] == self.visits or self.residual[a] == 0:
                    continue
                self.visit[v], self.came[v] = self.visits, a
                if self.endless[v]:
                    return v
                self.search[tail] = v
                tail += 1
        return -1

    cdef void enqueue(self, index_t u) noexcept nogil:
        cdef offset_t place
        if self.queued[u] or self.label[u] >= self.dead:
            return
        place = <offset_t> self.head + self.waiting
        self.queue[place if place < self.nodes else place - self.nodes] = u
        self.waiting += 1
        self.queued[u] = 1

    cdef void change(self, offset_t a, offset_t by) noexcept nogil:
        self.residual[a] += by
        if not self.is_changed[a]:
            self.is_changed[a] = 1
            self.changed[self.changes] = a
            self.changes += 1

    cdef bint run(self) noexcept nogil:
        """Discharge until nothing moves, and return True, or for a chunk of work, and return False."""
        cdef offset_t stop = self.work + CHUNK
        cdef index_t u
        while self.waiting:
            if self.work > stop:
                return False
            u = self.queue[self.head]
            self.head = self.head + 1 if self.head + 1 < self.nodes else 0
            self.waiting -= 1
            self.queued[u] = 0
            if self.label[u] < self.dead:
                self.discharge(u)
            if self.since_global > 6 * (self.heads.shape[0] + <offset_t> self.nodes):
                self.relabel_all()
        return True

    cdef void discharge(self, index_t u) noexcept nogil:
        """Fill the node's own room, push along admissible arcs, then lift it if excess is left."""
        cdef offset_t a, amount
        cdef index_t v, below
        if self.label[u] == 1 and self.room[u] > 0:
            amount = min(self.excess[u], self.room[u])
            self.excess[u] -= amount
            self.room[u] -= amount
            self.short -= amount
        if self.excess[u] == 0:
            return
        below = self.label[u] - 1
        if below > 0:
            for a in range(self.current[u], self.indptr[u + 1]):
                self.work += 1
                v = self.heads[a]
                if self.residual[a] == 0 or self.label[v] != below:
                    continue
                amount = min(self.excess[u], self.residual[a])
                self.change(a, -amount)
                self.change(self.twin[a], amount)
                self.touch(v)
                self.excess[u] -= amount
                self.excess[v] += amount
                self.enqueue(v)
                if self.excess[u] == 0:
                    self.current[u] = a
                    return
        self.lift(u)
        self.enqueue(u)

    cdef void lift(self, index_t u) noexcept nogil:
        """Relabel just above the lowest neighbour within reach; where that leaves a gap, what is above it is dead."""
        cdef index_t old = self.label[u], lowest = self.dead, v, i
        cdef offset_t a, first = self.indptr[u + 1]
        for a in range(self.indptr[u], self.indptr[u + 1]):
            self.work += 1
            self.since_global += 1
            v = self.heads[a]
            if self.residual[a] > 0 and self.label[v] < lowest:
                lowest, first = self.label[v], a
                if lowest <= old:
                    break
        self.count[old] -= 1
        self.label[u] = min(lowest + 1, self.dead)
        self.current[u] = first
        self.count[self.label[u]] += 1
        if old > 1 and self.count[old] == 0:
            for i in range(self.touches):
                v = self.touched[i]
                if old < self.label[v] < self.dead:
                    self.count[self.label[v]] -= 1
                    self.label[v] = self.dead
                    self.count[self.dead] += 1
            self.work += self.touches

    cdef void relabel_all(self) noexcept nogil:
        """Exact labels: the hops to the nearest room, by one search backwards from all of it."""
        cdef index_t u, v, head = 0, tail = 0
        cdef offset_t a
        for u in range(self.nodes):
            if not self.seen[u]:
                self.seen[u] = 1
                self.touched[self.touches] = u
                self.touches += 1
            self.label[u], self.current[u], self.count[u] = self.dead, self.indptr[u], 0
            if self.room[u] > 0:
                self.label[u] = 1
                self.search[tail] = u
                tail += 1
        self.count[self.nodes] = self.count[self.nodes + 1] = 0
        self.count[self.dead] = self.nodes
        while head < tail:
            u = self.search[head]
            head += 1
            self.count[self.dead] -= 1
            self.count[self.label[u]] += 1
            for a in range(self.indptr[u], self.indptr[u + 1]):
                v = self.heads[a]
                if self.label[v] == self.dead and self.residual[self.twin[a]] > 0:
                    self.label[v] = self.label[u] + 1
                    self.search[tail] = v
                    tail += 1
        self.work += self.heads.shape[0]
        self.since_global = 0

    cdef void reach(self, flag_t[::1] mark) noexcept nogil:
        """Spread the marks along what capacity is left."""
        cdef index_t u, v, head = 0, tail = 0
        cdef offset_t a
        for u in range(self.nodes):
            if mark[u]:
                self.search[tail] = u
                tail += 1
        while head < tail:
            u = self.search[head]
            head += 1
            for a in range(self.indptr[u], self.indptr[u + 1]):
                v = self.heads[a]
                if not mark[v] and self.residual[a] > 0:
                    mark[v] = 1
                    self.search[tail] = v
                    tail += 1
        self.work += self.heads.shape[0]


cdef offset_t _screen(
    _Preflow flow, const index_t[::1] order, offset_t start, offset_t need,
) except -1:
    """Of the sinks in order from start on, the first that cannot get ``need``; its run is left to be read.

    A sink that can joins the nodes of endless room: a cut that fails a later sink has them all on its other side.
    """
    cdef offset_t i, pause = flow.work + CHUNK
    cdef bint still
    for i in range(start, order.shape[0]):
        with nogil:
            flow.forget()
            flow.add(order[i], need)
            flow.augment(order[i])
            still = flow.run()
        while not still or flow.work > pause:
            PyErr_CheckSignals()
            pause = flow.work + CHUNK
            with nogil:
                still = flow.run()
        if flow.short:
            return i
        flow.endless[order[i]] = 1
        flow.room[order[i]] = ENDLESS
    return order.shape[0]


def max_flow(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const index_t[::1] twin,
    const offset_t[::1] capacity,
    const index_t[::1] sources,
    const index_t[::1] sinks,
):
    """Value of a maximum flow from all sources to all sinks, and the source side of a minimum cut, uint8[V].

    See ``_cuts.pyi``. Raises ValueError for a malformed array, or a node that is both source and sink.

    >>> import numpy as np                              # a path of three nodes, 5 then 3
    >>> i = np.int32
    >>> graph = np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1], i), np.array([1, 0, 3, 2], i)
    >>> max_flow(*graph, np.array([5, 5, 3, 3]), np.array([0], i), np.array([2], i))
    (3, array([1, 1, 0], dtype=uint8))
    """
    _check(indptr, indices, twin, capacity, sources, sinks)
    if np.intersect1d(sources, sinks).size:
        raise ValueError("sources and sinks must be distinct nodes")
    cdef _Preflow flow = _Preflow(*map(np.asarray, (indptr, indices, twin, capacity)))
    cdef offset_t i, given = 0, amount
    side = np.zeros(flow.nodes, np.uint8)
    for i in range(sinks.shape[0]):
        flow.room[sinks[i]] = ENDLESS
    flow.relabel_all()
    for i in range(sources.shape[0]):
        amount = _sum(capacity[indptr[sources[i]]:indptr[sources[i] + 1]])
        given += amount
        flow.add(sources[i], amount)
        side[sources[i]] = 1
    while not flow.run():
        PyErr_CheckSignals()
    side[np.asarray(flow.excess) > 0] = 1
    flow.reach(side)
    return given - flow.short, side


def cut_ratio(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const index_t[::1] twin,
    const offset_t[::1] capacity,
    const index_t[::1] compute,
    const index_t[::1] sinks,
):
    """Least capacity out of a set over the compute nodes in it, of all sets that leave out a sink: an exact fraction.

    Returns (numerator, denominator, cut): uint8[V], 1 in the set. See ``_cuts.pyi``. Raises ValueError for a
    malformed array, fewer than two compute nodes, or capacities too large to stay exact.

    >>> import numpy as np                              # a path of three nodes, 5 then 3
    >>> i = np.int32
    >>> graph = np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1], i), np.array([1, 0, 3, 2], i)
    >>> cut_ratio(*graph, np.array([5, 5, 3, 3]), np.arange(3, dtype=i), np.arange(3, dtype=i))
    (3, 2, array([1, 1, 0], dtype=uint8))
    """
    _check(indptr, indices, twin, capacity, compute, sinks)
    n = len(compute)
    if n < 2 or len(sinks) == 0 or not np.isin(sinks, compute).all():
        raise ValueError("compute must be 2 or more nodes, and sinks 1 or more of them")
    graph = tuple(map(np.asarray, (indptr, indices, twin)))
    whole = np.asarray(capacity)[graph[2]]              # room lies at the sources: excess goes against the arcs
    tails = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    into = np.zeros(len(indptr) - 1, np.int64)
    np.add.at(into, tails, whole)
    narrow = int(sinks[int(np.argmin(into[sinks]))])
    best = Fraction(int(into[narrow]), n - 1)
    if max(int(whole.max(initial=0)) * n, int(into[narrow]) * n) >= 1 << 61:
        raise ValueError(f"capacities must stay below 2^61 times {n} compute nodes; divide out a common unit")
    cdef _Preflow flow = _Preflow(*graph, whole)
    for u in compute:
        flow.supplied[u] = 1
    cdef const index_t[::1] order = _nearby(*graph, np.asarray(sinks))
    cdef offset_t place = 0, need
    while True:
        flow.scale(whole * best.denominator, best.numerator)
        need = n * best.numerator
        place = _screen(flow, order, place, need)
        if place == len(order):
            break
        narrow = order[place]
        inside = _starved(flow, narrow)
        best = _ratio(graph, whole, tails, inside, np.asarray(compute))
    np.asarray(flow.endless)[:] = 0
    flow.scale(whole * best.denominator, best.numerator)
    _screen(flow, np.array([narrow], np.int32), 0, need)
    inside = _starved(flow, narrow)                     # the smallest of the tightest sets around the sink
    assert _ratio(graph, whole, tails, inside, np.asarray(compute)) == best
    return best.numerator, best.denominator, 1 - inside


def min_connectivity(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const index_t[::1] twin,
    const offset_t[::1] capacity,
    index_t root,
    const index_t[::1] sinks,
):
    """Least max-flow from the root to any sink, and the root's side of the minimum cut, uint8[V].

    See ``_cuts.pyi``. Raises ValueError for a malformed array, no sinks, or a root among them.

    >>> import numpy as np                              # a path of three nodes, 5 then 3
    >>> i = np.int32
    >>> graph = np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1], i), np.array([1, 0, 3, 2], i)
    >>> min_connectivity(*graph, np.array([5, 5, 3, 3]), 0, np.array([1, 2], i))
    (3, array([1, 1, 0], dtype=uint8))
    """
    _check(indptr, indices, twin, capacity, np.array([root], np.int32), sinks)
    if len(sinks) == 0 or root in np.asarray(sinks):
        raise ValueError("sinks must be 1 or more nodes other than the root")
    graph = tuple(map(np.asarray, (indptr, indices, twin)))
    whole = np.asarray(capacity)[graph[2]]
    tails = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    into = np.zeros(len(indptr) - 1, np.int64)
    np.add.at(into, tails, whole)
    narrow = int(sinks[int(np.argmin(into[sinks]))])
    best = int(into[narrow])
    inside = np.zeros(len(indptr) - 1, np.uint8)
    inside[narrow] = 1
    cdef _Preflow flow = _Preflow(*graph, whole)
    flow.endless[root] = 1
    flow.room[root] = ENDLESS
    cdef const index_t[::1] order = _nearby(*graph, np.append(root, np.asarray(sinks)).astype(np.int32))[1:]
    cdef offset_t place = 0
    while True:
        place = _screen(flow, order, place, best)
        if place == len(order):
            return best, 1 - inside
        inside = _starved(flow, order[place])
        best = int(whole[(inside[tails] == 1) & (inside[graph[1]] == 0)].sum())


def _ratio(graph, whole, tails, inside, compute):
    """Capacity into a set over the compute nodes outside it; ``whole`` goes against the arcs."""
    entering = whole[(inside[tails] == 1) & (inside[graph[1]] == 0)].sum()
    return Fraction(int(entering), len(compute) - int(inside[compute].sum()))


def _starved(_Preflow flow, index_t sink):
    """What a sink, and excess that is left, can still reach: nothing enters it but in full arcs."""
    inside = (np.asarray(flow.excess) > 0).astype(np.uint8)
    inside[sink] = 1
    flow.reach(inside)
    return inside


def _sum(amounts):
    return int(np.asarray(amounts).sum())


def _nearby(indptr, heads, twin, sinks):
    """The sinks as a search from the first of them meets them, int32: each close to those before it."""
    cdef const offset_t[::1] rows = indptr
    cdef const index_t[::1] ends = heads
    cdef index_t[::1] met = np.empty(indptr.size - 1, np.int32)
    cdef flag_t[::1] seen = np.zeros(indptr.size - 1, np.uint8)
    cdef index_t head = 0, tail = 1, v
    cdef offset_t a
    met[0] = sinks[0]
    seen[met[0]] = 1
    while head < tail:
        for a in range(rows[met[head]], rows[met[head] + 1]):
            v = ends[a]
            if not seen[v]:
                seen[v] = 1
                met[tail] = v
                tail += 1
        head += 1
    order = np.asarray(met)[:tail]
    near = order[np.isin(order, sinks)]
    return np.concatenate([near, np.setdiff1d(sinks, near)]).astype(np.int32)


def _check(indptr, indices, twin, capacity, *nodes):
    indptr, indices, twin, capacity = map(np.asarray, (indptr, indices, twin, capacity))
    _checks.check_graph(indptr, indices)
    _checks.check_twin(indptr, indices, twin)
    _checks.check_capacity(indices.size, capacity)
    for named in map(np.asarray, nodes):
        _checks.check_range("compute, sources and sinks", named, indptr.size - 1)
        if np.unique(named).size < named.size:
            raise ValueError("compute, sources and sinks must each be distinct nodes")
