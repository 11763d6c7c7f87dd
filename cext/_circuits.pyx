"""Circuits on switches with the fewest moved: ports may hold too many for a while, and chains put that right."""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport exp, pow
from libc.stdint cimport int16_t

from cext import _checks

from cext._draws cimport _unit, _word, mixed
from cext._types cimport index_t, offset_t, word_t

cdef enum:
    OVER = 10       # of 16 steps look at a port that holds too many, while there is one
    MOVED = 13      # up to here at a circuit that was moved, beyond at one that was taken down
    CLASSES = 6     # of places: is a circuit of today put back, times how many ports are full
    NOWHERE = 6
    CHUNK = 1 << 14
    REFRESH = 64    # steps at one temperature


cdef class _Set:
    """Numbers below a limit, one of them at random in constant time."""
    cdef index_t[::1] held, place
    cdef readonly index_t size

    def __init__(self, offset_t limit):
        self.held = np.empty(limit, np.int32)
        self.place = np.full(limit, -1, np.int32)

    cdef inline void set(self, index_t item, bint wanted) noexcept nogil:
        cdef index_t at = self.place[item], last
        if wanted and at < 0:
            self.held[self.size], self.place[item] = item, self.size
            self.size += 1
        elif not wanted and at >= 0:
            self.size -= 1
            last = self.held[self.size]
            self.held[at], self.place[last], self.place[item] = last, at, -1


cdef class _Circuits:
    """Circuits of blocks i > j on switch k, and what is free of every port group."""
    cdef index_t n, switches
    cdef bint turns, one_sided
    cdef const int16_t[:, :, ::1] before    # [n, n, switches]
    cdef int16_t[:, :, ::1] now, out, back  # [n, n, switches], and by switch: [switches, n, n], and turned round
    cdef int16_t[::1] free                  # [2 n switches]: ports not in use, below 0 where too many are
    cdef int16_t[::1] kind                  # [2 switches]
    cdef _Set down, moved, over
    cdef index_t[:, ::1] undo               # what a chain did: i, j, k, units
    cdef index_t moves
    cdef readonly offset_t waste, excess

    def __init__(self, before, now, north, south, bint turns, bint one_sided):
        cdef index_t i, j, k
        self.n, self.switches = now.shape[0], now.shape[2]
        self.turns, self.one_sided = turns, one_sided
        self.before, self.now = before, np.zeros_like(now)
        self.out = np.zeros((self.switches, self.n, self.n), np.int16)
        self.back = np.zeros((self.switches, self.n, self.n), np.int16)
        self.free = np.concatenate([north.ravel(), south.ravel()]).astype(np.int16)
        self.kind = np.empty(2 * self.switches, np.int16)
        self.down, self.moved = _Set(now.size), _Set(now.size)
        self.over = _Set(2 * self.n * self.switches)
        self.waste = int(before.sum())
        for cell in np.flatnonzero(before).tolist():
            self.down.set(cell, True)
        for i, j, k in np.argwhere(now).tolist():
            self.put(i, j, k, now[i, j, k])

    cdef inline index_t port(self, index_t block, index_t k, bint south) noexcept nogil:
        return (self.n if south and not self.one_sided else 0) * self.switches + block * self.switches + k

    cdef inline void use(self, index_t port, index_t units) noexcept nogil:
        cdef index_t had = self.free[port]
        self.free[port] -= <int16_t> units
        self.excess += max(0, units - had) - max(0, -had)
        self.over.set(port, had < units)

    cdef inline void put(self, index_t i, index_t j, index_t k, index_t units) noexcept nogil:
        """Add circuits from i to j on switch k, or take some away."""
        cdef index_t cell = (i * self.n + j) * self.switches + k, had = self.now[i, j, k]
        cdef index_t stood = self.before[i, j, k], have = had + units
        self.now[i, j, k] = <int16_t> have
        self.out[k, i, j] = <int16_t> have
        self.back[k, j, i] = <int16_t> have
        self.waste += max(0, stood - have) - max(0, stood - had)
        self.down.set(cell, have < stood)
        self.moved.set(cell, have > stood)
        self.use(self.port(i, k, False), units)
        self.use(self.port(j, k, True), units)

    cdef inline void circuit_on(self, index_t port, word_t *draws, index_t *found) noexcept nogil:
        """One of the circuits on a port at random: i, j, k; i is -1 if there is none."""
        cdef bint south = port >= self.n * self.switches
        cdef index_t own = port - (self.n * self.switches if south else 0)
        cdef index_t block = own // self.switches, k = own % self.switches, total = 0, q, unit
        for q in range(self.n):
            total += self.back[k, block, q] if south else self.out[k, block, q]
        if self.one_sided:
            for q in range(self.n):
                total += self.back[k, block, q]
        found[0] = -1
        if total == 0:
            return
        unit = <index_t> (((_word(draws) >> 32) * <word_t> total) >> 32)
        for q in range(self.n):
            if not south:
                unit -= self.out[k, block, q]
                if unit < 0:
                    found[0], found[1], found[2] = block, q, k
                    return
            if south or self.one_sided:
                unit -= self.back[k, block, q]
                if unit < 0:
                    found[0], found[1], found[2] = q, block, k
                    return

    cdef inline void places(self, index_t i, index_t j, index_t at) noexcept nogil:
        """The class of every switch for one more circuit from i to j."""
        cdef const int16_t *stood = &self.before[i, j, 0]
        cdef const int16_t *have = &self.now[i, j, 0]
        cdef const int16_t *north = &self.free[self.port(i, 0, False)]
        cdef const int16_t *south = &self.free[self.port(j, 0, True)]
        cdef int16_t *kind = &self.kind[at]
        cdef index_t k
        for k in range(self.switches):
            kind[k] = <int16_t> (3 * (have[k] < stood[k]) + (north[k] <= 0) + (south[k] <= 0))

    cdef inline void sources(self, index_t i, index_t j, index_t at) noexcept nogil:
        """The class of every switch for one circuit from i to j less; NOWHERE where there is none."""
        cdef const int16_t *stood = &self.before[i, j, 0]
        cdef const int16_t *have = &self.now[i, j, 0]
        cdef const int16_t *north = &self.free[self.port(i, 0, False)]
        cdef const int16_t *south = &self.free[self.port(j, 0, True)]
        cdef int16_t *kind = &self.kind[at]
        cdef index_t k
        for k in range(self.switches):
            kind[k] = <int16_t> (
                3 * (have[k] <= stood[k]) + (north[k] < 0) + (south[k] < 0) if have[k] > 0 else NOWHERE
            )

    cdef inline index_t chosen(self, const double *weight, double stay, index_t ways, word_t *draws) noexcept nogil:
        """A place at random, each with the weight of its class; -1 where staying as it is was drawn."""
        cdef index_t[CLASSES] count
        cdef index_t places = ways * self.switches, c, k, unit
        cdef int16_t number
        cdef double total = stay, drawn
        for c in range(CLASSES):
            number = 0
            for k in range(places):
                number += self.kind[k] == c
            count[c] = number
            total += count[c] * weight[c]
        drawn = _unit(draws) * total - stay
        if drawn < 0:
            return -1
        for c in range(CLASSES):
            if drawn < count[c] * weight[c]:
                unit = <index_t> (drawn / weight[c])
                for k in range(places):
                    if self.kind[k] == c:
                        if unit == 0:
                            return k
                        unit -= 1
            drawn -= count[c] * weight[c]
        return -1

    cdef inline void step(self, const double *weight, const double *inverse, word_t *draws) noexcept nogil:
        cdef index_t look = <index_t> (_word(draws) >> 60), cell, to, ways = 2 if self.turns else 1
        cdef index_t[3] it
        if self.over.size and look < OVER:
            self.circuit_on(self.over.held[<index_t> (((_word(draws) >> 32) * self.over.size) >> 32)], draws, it)
            if it[0] < 0:
                return
        elif self.moved.size and look < MOVED:
            cell = self.moved.held[<index_t> (((_word(draws) >> 32) * self.moved.size) >> 32)]
            it[0], it[1] = cell // self.switches // self.n, cell // self.switches % self.n
            it[2] = cell % self.switches
        elif self.down.size:
            cell = self.down.held[<index_t> (((_word(draws) >> 32) * self.down.size) >> 32)]
            it[0], it[1] = cell // self.switches // self.n, cell // self.switches % self.n
            self.restore(it[0], it[1], cell % self.switches, weight, inverse, draws)
            return
        else:
            return
        self.put(it[0], it[1], it[2], -1)
        self.places(it[0], it[1], 0)
        if self.turns:
            self.places(it[1], it[0], self.switches)
        to = self.chosen(weight, 0, ways, draws)
        if to < 0:
            self.put(it[0], it[1], it[2], 1)
        elif to < self.switches:
            self.put(it[0], it[1], to, 1)
        else:
            self.put(it[1], it[0], to - self.switches, 1)

    cdef inline void restore(
        self, index_t i, index_t j, index_t k, const double *weight, const double *inverse, word_t *draws
    ) noexcept nogil:
        """Put a circuit of today back with a link that stands elsewhere, or leave it down."""
        cdef index_t full = (self.free[self.port(i, k, False)] <= 0) + (self.free[self.port(j, k, True)] <= 0)
        cdef index_t ways = 2 if self.turns else 1, source, was
        self.sources(i, j, 0)
        if self.turns:
            self.sources(j, i, self.switches)
        was = self.kind[k]
        self.kind[k] = NOWHERE
        source = self.chosen(inverse, 1 / weight[3 + full], ways, draws)
        self.kind[k] = <int16_t> was
        if source < 0:
            return
        if source < self.switches:
            self.put(i, j, source, -1)
        else:
            self.put(j, i, source - self.switches, -1)
        self.put(i, j, k, 1)

    cdef inline void noted(self, index_t i, index_t j, index_t k, index_t units) noexcept nogil:
        """As `put`, to be taken back by `take_back`."""
        self.put(i, j, k, units)
        self.undo[self.moves, 0], self.undo[self.moves, 1] = i, j
        self.undo[self.moves, 2], self.undo[self.moves, 3] = k, -units
        self.moves += 1

    cdef inline void take_back(self) noexcept nogil:
        while self.moves:
            self.moves -= 1
            self.put(self.undo[self.moves, 0], self.undo[self.moves, 1], self.undo[self.moves, 2],
                     self.undo[self.moves, 3])

    cdef inline index_t fuller(self, index_t i, index_t j, index_t k, word_t *draws) noexcept nogil:
        """A port of a circuit that holds too many, either if both do; -1 if none does."""
        cdef index_t north = self.port(i, k, False), south = self.port(j, k, True)
        if self.free[north] < 0 and (self.free[south] >= 0 or _word(draws) >> 63):
            return north
        return south if self.free[south] < 0 else -1

    cdef inline index_t any_over(self, word_t *draws) noexcept nogil:
        if not self.over.size:
            return -1
        return self.over.held[<index_t> (((_word(draws) >> 32) * self.over.size) >> 32)]

    cdef inline index_t start_at_home(self, const double *inverse, word_t *draws) noexcept nogil:
        """Put a circuit of today back in place of another of its pair; the port that then holds too many, or -1."""
        cdef index_t[3] it
        cdef index_t cell, source, ways = 2 if self.turns else 1
        if not self.down.size:
            return -1
        cell = self.down.held[<index_t> (((_word(draws) >> 32) * self.down.size) >> 32)]
        it[0], it[1] = cell // self.switches // self.n, cell // self.switches % self.n
        it[2] = cell % self.switches
        self.sources(it[0], it[1], 0)
        if self.turns:
            self.sources(it[1], it[0], self.switches)
        self.kind[it[2]] = NOWHERE
        source = self.chosen(inverse, 0, ways, draws)
        if source < 0:
            return -1
        if source < self.switches:
            self.noted(it[0], it[1], source, -1)
        else:
            self.noted(it[1], it[0], source - self.switches, -1)
        self.noted(it[0], it[1], it[2], 1)
        return self.fuller(it[0], it[1], it[2], draws)

    cdef void chain(
        self, const double *weight, const double *inverse, double price, index_t depth, bint home, word_t *draws,
    ) noexcept nogil:
        """One circuit after the other makes room for the last, from a port that holds too many or from a circuit that
        is put back; all is taken back unless it pays, or costs nothing."""
        cdef index_t _d, port, to, ways = 2 if self.turns else 1
        cdef index_t[3] it
        cdef double had = self.waste + price * self.excess, have
        self.moves = 0
        port = self.start_at_home(inverse, draws) if home else self.any_over(draws)
        for _d in range(depth):
            have = self.waste + price * self.excess
            if self.moves and have <= had and (have < had or _d > 1 or port < 0):
                return
            if port < 0:
                port = self.any_over(draws)
            if port < 0:
                break
            self.circuit_on(port, draws, it)
            if it[0] < 0:
                break
            self.noted(it[0], it[1], it[2], -1)
            self.places(it[0], it[1], 0)
            self.kind[it[2]] = NOWHERE
            if self.turns:
                self.places(it[1], it[0], self.switches)
            to = self.chosen(weight, 0, ways, draws)
            if to < 0:
                break
            if to >= self.switches:
                to -= self.switches
                it[0], it[1] = it[1], it[0]
            self.noted(it[0], it[1], to, 1)
            port = self.fuller(it[0], it[1], to, draws)
        if self.waste + price * self.excess > had:
            self.take_back()


cdef _Circuits _opened(before, now, north, south, bint turns, bint one_sided):
    """The circuits of checked arrays."""
    if before.shape[0] != now.shape[0] or before.shape[2] != now.shape[2]:
        raise ValueError(f"before must have the shape of now, {np.shape(now)}, got {np.shape(before)}")
    _checks.check_circuits(
        np.asarray(before).transpose(2, 0, 1), np.asarray(now).transpose(2, 0, 1), np.asarray(north), np.asarray(south)
    )
    return _Circuits(*map(np.asarray, (before, now, north, south)), turns, one_sided)


def settle(
    const int16_t[:, :, ::1] before,
    int16_t[:, :, ::1] now,
    const index_t[:, ::1] north,
    const index_t[:, ::1] south,
    bint turns,
    bint one_sided,
    offset_t steps,
    tuple heat,
    tuple price,
    unsigned long long seed,
):
    """See ``_circuits.pyi``."""
    _checks.check_positive(heat=np.array(heat, np.float64), price=np.array(price, np.float64))
    cdef _Circuits circuits = _opened(before, now, north, south, turns, one_sided)
    cdef double[CLASSES] weight
    cdef double[CLASSES] inverse
    cdef double first = heat[0], last = heat[1], low = price[0], high = price[1], share, temperature, of_port
    cdef word_t draws = mixed(seed, 0)
    cdef offset_t done = 0, stop
    cdef index_t c
    while done < steps and (circuits.over.size or circuits.moved.size):
        stop = min(steps, done + CHUNK)
        with nogil:
            while done < stop:
                if done % REFRESH == 0:
                    share = <double> done / steps
                    temperature = first * pow(last / first, share)
                    of_port = low + (high - low) * share
                    for c in range(CLASSES):
                        weight[c] = exp((c // 3 - of_port * (c % 3)) / temperature)
                        inverse[c] = 1 / weight[c]
                circuits.step(weight, inverse, &draws)
                done += 1
        PyErr_CheckSignals()
    now[...] = circuits.now
    return circuits.waste, circuits.excess


def untangle(
    const int16_t[:, :, ::1] before,
    int16_t[:, :, ::1] now,
    const index_t[:, ::1] north,
    const index_t[:, ::1] south,
    bint turns,
    bint one_sided,
    offset_t tries,
    offset_t least,
    double heat,
    double price,
    index_t depth,
    unsigned long long seed,
):
    """See ``_circuits.pyi``."""
    cdef _Circuits circuits = _opened(before, now, north, south, turns, one_sided)
    cdef double[CLASSES] weight
    cdef double[CLASSES] inverse
    cdef word_t draws = mixed(seed, 1)
    cdef offset_t done = 0, stop
    cdef index_t c
    _checks.check_positive(heat=np.array(heat), price=np.array(price))
    circuits.undo = np.empty((2 * max(0, depth) + 4, 4), np.int32)
    for c in range(CLASSES):
        weight[c] = exp((c // 3 - c % 3) / heat)
        inverse[c] = 1 / weight[c]
    while done < tries and (circuits.over.size or circuits.waste > least):
        stop = min(tries, done + CHUNK)
        with nogil:
            while done < stop and (circuits.over.size or circuits.waste > least):
                circuits.chain(weight, inverse, price, depth, not circuits.over.size or done & 3 == 0, &draws)
                done += 1
        PyErr_CheckSignals()
    now[...] = circuits.now
    return circuits.waste, circuits.excess
