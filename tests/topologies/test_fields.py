"""Finite fields: the axioms, over all elements."""

import numpy as np
import pytest

from topologies.errors import ConfigError
from topologies.fields import field, needs_prime_power, prime_power


@pytest.mark.parametrize("q", [2, 3, 4, 5, 7, 8, 9, 16, 25, 27, 31, 49])
def test_axioms(q):
    gf = field(q)
    every = np.arange(q)
    a, b, c = np.meshgrid(every, every, every, indexing="ij")
    for combine in (gf.add, gf.multiply):
        assert np.array_equal(combine(a, b), combine(b, a))
        assert np.array_equal(combine(combine(a, b), c), combine(a, combine(b, c)))
        assert combine(a, b).min() >= 0 and combine(a, b).max() < q
    assert np.array_equal(gf.multiply(a, gf.add(b, c)), gf.add(gf.multiply(a, b), gf.multiply(a, c)))
    assert np.array_equal(gf.add(every, 0 * every), every) and np.array_equal(gf.multiply(every, 0 * every + 1), every)
    assert not gf.add(every, gf.negative(every)).any()
    assert (gf.multiply(every, gf.inverse(every))[1:] == 1).all()
    assert sorted(gf.powers.tolist()) == list(range(1, q))  # the powers of one element are all but 0
    times = 0 * every
    for _ in range(gf.characteristic):
        times = gf.add(times, every)
    assert not times.any()


def test_primes_are_integers_modulo():
    gf, every = field(13), np.arange(13)
    assert np.array_equal(gf.sums, (every[:, None] + every) % 13)
    assert np.array_equal(gf.products, every[:, None] * every % 13)


def test_prime_powers():
    found = [q for q in range(1, 50) if prime_power(q) is not None]
    assert found == [2, 3, 4, 5, 7, 8, 9, 11, 13, 16, 17, 19, 23, 25, 27, 29, 31, 32, 37, 41, 43, 47, 49]
    assert (prime_power(64), prime_power(243), prime_power(2003)) == (2, 3, 2003)


@pytest.mark.parametrize(
    ("q", "least", "near"),
    [(6, 2, "q = 5 or q = 7"), (10, 3, "q = 9 or q = 11"), (12, 3, "q = 11 or q = 13"), (24, 2, "q = 23 or q = 25"),
     (1, 2, "q = 2"), (2, 3, "q = 3"), (1327 + 1, 2, "q = 1327 or q = 1331")],
)  # fmt: skip
def test_what_is_none_is_told_its_neighbours(q, least, near):
    with pytest.raises(ConfigError, match=f"q = {q} is not a prime power.*; give {near}$"):
        needs_prime_power("slim-fly", q, least)
