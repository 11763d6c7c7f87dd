"""Finite fields: what the algebraic families do their sums in."""

from dataclasses import dataclass
from functools import cache
from itertools import product
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from topologies.errors import ConfigError

Elements = NDArray[np.int64]
OneOrMany = Elements | np.int64  # one or many


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """GF(order): its elements are 0 .. order - 1, the digits to the base `characteristic` of a polynomial's
    coefficients.

    `sums` and `products` are int64[order, order]; `powers` int64[order - 1] are those of a primitive element, from its
    zeroth on.
    """

    order: int
    characteristic: int
    sums: Elements
    products: Elements
    powers: Elements

    def add(self, a: OneOrMany, b: OneOrMany) -> Elements:
        """Sums of elements, any shapes that broadcast."""
        found: Elements = self.sums[a, b]
        return found

    def multiply(self, a: OneOrMany, b: OneOrMany) -> Elements:
        """Products of elements."""
        found: Elements = self.products[a, b]
        return found

    def negative(self, a: OneOrMany) -> Elements:
        """What each element adds up to 0 with."""
        found: Elements = np.argmin(self.sums, axis=1)[a]
        return found

    def inverse(self, a: OneOrMany) -> Elements:
        """What each element but 0 multiplies to 1 with; 0 gives 0."""
        found: Elements = np.argmax(self.products == 1, axis=1)[a]
        return found

    @property
    def basis(self) -> list[int]:
        """Elements whose sums, taken again and again, give every element: 1, x, x^2, ..."""
        return [self.characteristic**k for k in range(_degree(self.order, self.characteristic))]


def prime_power(q: int) -> int | None:
    """The prime of which q is a power; None where q is none.

    >>> prime_power(27), prime_power(12), prime_power(1)
    (3, None, None)
    """
    if q < 2:
        return None
    p = next((d for d in range(2, isqrt(q) + 1) if q % d == 0), q)
    while q % p == 0:
        q //= p
    return p if q == 1 else None


def needs_prime_power(family: str, q: int, least: int = 2) -> None:
    """ConfigError with the nearest prime powers below and above where q is none, or less than the least.

    >>> needs_prime_power("polarfly", 9)
    """

    def fits(n: int) -> bool:
        return n >= least and prime_power(n) is not None

    if fits(q):
        return
    below = [n for n in range(max(least, q // 2), q) if fits(n)][-1:]
    above = next(n for n in range(max(q + 1, least), 4 * q + 9) if fits(n))  # Bertrand: there is a prime below 2 q
    said = " or ".join(f"q = {n}" for n in (*below, above))
    of = "a prime power" if least == 2 else f"a prime power from {least} on"
    raise ConfigError(f"{family}: q = {q} is not {of}; give {said}")


@cache
def field(q: int) -> Field:
    """GF(q) for a prime power q; its primitive element is a root of the first primitive polynomial.

    Tables of q^2 elements; ValueError where q is no prime power.

    >>> f = field(9); int(f.multiply(f.powers[3], f.powers[6])), f.basis
    (3, [1, 3])
    """
    p = prime_power(q)
    if p is None:
        raise ValueError(f"q = {q} is no prime power")
    degree = _degree(q, p)
    digits = np.arange(q)[:, None] // p ** np.arange(degree) % p
    sums = ((digits[:, None] + digits) % p) @ p ** np.arange(degree)
    powers = _prime_powers(p) if degree == 1 else _primitive_powers(p, degree)
    place = np.zeros(q, np.int64)
    place[powers] = np.arange(q - 1)
    products = powers[(place[:, None] + place) % (q - 1)]
    products[0], products[:, 0] = 0, 0
    return Field(q, p, sums, products, powers)


def _degree(q: int, p: int) -> int:
    return next(k for k in range(1, q.bit_length() + 1) if p**k == q)


def _prime_powers(p: int) -> Elements:
    """Powers of the least primitive root of a prime."""
    for root in range(1, p):
        found = [1]
        while (following := found[-1] * root % p) != 1:
            found.append(following)
        if len(found) == p - 1:
            return np.array(found)
    raise AssertionError(f"{p} has no primitive root: it is no prime")


def _primitive_powers(p: int, degree: int) -> Elements:
    """Powers of x modulo the first monic polynomial of that degree of which x is a primitive root."""
    q = p**degree
    for low in product(range(p), repeat=degree):
        found, element = [], [1] + [0] * (degree - 1)
        for _ in range(q - 1):
            found.append(sum(c * p**k for k, c in enumerate(element)))
            top = element[-1]
            element = [(c - top * r) % p for c, r in zip([0, *element[:-1]], low, strict=True)]
            if found[0] == sum(c * p**k for k, c in enumerate(element)) or not any(element):
                break
        if len(found) == q - 1 and len(set(found)) == q - 1 and 0 not in found:
            return np.array(found)
    raise AssertionError(f"no primitive polynomial of degree {degree} over GF({p})")
