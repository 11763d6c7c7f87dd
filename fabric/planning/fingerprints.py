"""Fingerprints: a short proof that a switch holds exactly the cross-connects that a plan expects."""

from collections.abc import Iterable
from hashlib import sha256

from fabric.planning.plan import Pair


def fingerprint(pairs: Iterable[Pair], any_to_any: bool = False) -> str:
    """SHA-256, in hexadecimal, of a switch's cross-connects: a line `a-b` of port numbers each, in ascending order.

    Where a switch joins any two ports the order of the two says nothing, so that the lower one stands first.

    >>> fingerprint([(2, 7), (0, 5)]) == fingerprint([(0, 5), (2, 7)]) != fingerprint([(5, 0), (2, 7)])
    True
    >>> fingerprint([(5, 0)], any_to_any=True) == fingerprint([(0, 5)], any_to_any=True)
    True
    """
    ordered = sorted((min(a, b), max(a, b)) if any_to_any else (int(a), int(b)) for a, b in pairs)
    return sha256("".join(f"{a}-{b}\n" for a, b in ordered).encode()).hexdigest()
