"""Draws that depend on a counter, not on who draws first: the same bytes for any number of threads."""

from libc.math cimport floor, log, sqrt

from cext._types cimport offset_t, value_t, word_t

cdef extern from *:
    int __builtin_popcountll(unsigned long long) noexcept nogil

cdef enum:
    FEW = 512  # halving up to so many flows counts random bits; more are drawn by rejection


cdef inline word_t _avalanche(word_t z) noexcept nogil:
    """The finaliser of SplitMix64 (Steele et al., OOPSLA 2014)."""
    z = (z ^ (z >> 30)) * <word_t> 0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <word_t> 0x94D049BB133111EB
    return z ^ (z >> 31)


cdef inline word_t mixed(word_t state, word_t counter) noexcept nogil:
    """The state of the stream that a counter has below a state."""
    return _avalanche(state ^ (_avalanche(counter + <word_t> 0x9E3779B97F4A7C15) + <word_t> 0xD1B54A32D192ED03))


cdef inline word_t _word(word_t* state) noexcept nogil:
    """The next 64 random bits of a stream."""
    state[0] += <word_t> 0x9E3779B97F4A7C15
    return _avalanche(state[0])


cdef inline value_t _unit(word_t* state) noexcept nogil:
    """Uniform in (0, 1)."""
    return ((_word(state) >> 12) + 0.5) * 2.0**-52


cdef inline value_t _stirling(value_t k) noexcept nogil:
    """log k! less Stirling's formula of it, by its series where that is good to 1e-16 relative to log k!."""
    cdef value_t next = k + 1, square = next * next
    return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - 1.0 / 1680 / square) / square) / square) / next


cdef inline offset_t _half_of_many(offset_t flows, word_t* state) noexcept nogil:
    """Binomial(flows, 1/2) by transformed rejection with squeeze: BTRS of Hoermann, J. Stat. Comput. Simul. 1993."""
    cdef value_t n = <value_t> flows, spread = sqrt(n) / 2
    cdef value_t b = 1.15 + 2.53 * spread, a = -0.0873 + 0.0248 * b + 0.005
    cdef value_t alpha = (2.83 + 5.1 / b) * spread, good = 0.92 - 4.2 / b
    cdef value_t mode = floor((n + 1) / 2), u, v, us, k
    while True:
        u = _unit(state) - 0.5
        v = _unit(state)
        us = 0.5 - (u if u >= 0 else -u)
        k = floor((2 * a / us + b) * u + n / 2 + 0.5)
        if us >= 0.07 and v <= good:
            return <offset_t> k
        if k < 0 or k > n:
            continue
        v = log(v * alpha / (a / (us * us) + b))
        if v <= (
            (mode + 0.5) * log((mode + 1) / (n - mode + 1)) + (n + 1) * log((n - mode + 1) / (n - k + 1))
            + (k + 0.5) * log((n - k + 1) / (k + 1))
            + _stirling(mode) + _stirling(n - mode) - _stirling(k) - _stirling(n - k)
        ):
            return <offset_t> k


cdef inline offset_t _half(offset_t flows, word_t* state) noexcept nogil:
    """How many of the flows a fair coin sends left."""
    cdef offset_t heads = 0
    if flows > FEW:
        return _half_of_many(flows, state)
    while flows >= 64:
        heads += __builtin_popcountll(_word(state))
        flows -= 64
    if flows:
        heads += __builtin_popcountll(_word(state) >> (64 - flows))
    return heads


cdef inline offset_t _part(offset_t flows, offset_t k, offset_t n, word_t* state) noexcept nogil:
    """Binomial(flows, k/n): each flow compares its random bits with those of k/n, all flows a bit at a time."""
    cdef offset_t less = 0, heads
    if 2 * k == n:
        return _half(flows, state)
    while flows and k:
        k *= 2
        heads = _half(flows, state)  # their bit is 1
        if k >= n:
            k -= n
            less += flows - heads
            flows = heads
        else:
            flows -= heads
    return less


cdef inline void scattered(word_t state, offset_t flows, offset_t links, offset_t* counts) noexcept nogil:
    """Add to counts how many of the flows take each link, every flow one of them with equal chance."""
    cdef offset_t[64] lows
    cdef offset_t[64] highs
    cdef offset_t[64] held
    cdef offset_t depth = 1, low, high, middle, left, j
    lows[0], highs[0], held[0] = 0, links, flows
    while depth:
        depth -= 1
        low, high, left = lows[depth], highs[depth], held[depth]
        if high - low == 1:
            counts[low] += left
        elif left <= 3 * (high - low):
            for j in range(left):
                counts[low + <offset_t> (((_word(&state) >> 32) * <word_t> (high - low)) >> 32)] += 1
        else:
            middle = (low + high) // 2
            lows[depth], highs[depth] = middle, high
            held[depth] = left - _part(left, middle - low, high - low, &state)
            lows[depth + 1], highs[depth + 1] = low, middle
            held[depth + 1] = left - held[depth]
            depth += 2
