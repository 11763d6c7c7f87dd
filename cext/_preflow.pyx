"""Max-flow by push-relabel, for callers that run it many times: one run costs what it touches."""

import numpy as np

from cext._types cimport index_t, offset_t


cdef class Preflow:
    """FIFO push-relabel from nodes with excess to nodes with room; first phase only: a value and a cut.

    A node with room has label 1, and 1 is a valid label for every node that no run has touched yet. So a run that
    finds room nearby costs what it touches, and forget() makes the next one start clean at that cost.
    """

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
