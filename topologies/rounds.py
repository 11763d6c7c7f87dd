"""Rounds: rings and matchings of nodes laid onto circuit switches, each on one device that can rearrange it at will."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topologies.circuits import SIDE_A, SIDE_B, CircuitLayer, strands_of
from topologies.errors import ConfigError, TopologyError
from topologies.links import LinkOptions
from topologies.parts import Catalogue, CircuitSwitch, Optic


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """Links from left[i] to right[i], int64[L] positions of nodes: a ring takes two ports of a node, a matching one."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]


def ring_round(order: NDArray[np.int64]) -> Round:
    """A closed tour of the nodes in that order."""
    return Round(order, np.roll(order, -1))


def opposite_round(order: NDArray[np.int64]) -> Round:
    """A matching of each node with that half way round; an even number of them."""
    half = len(order) // 2
    return Round(order[:half], order[half:])


def totient_strides(n: int, rings: int) -> list[int]:
    """Strides without a common factor with n, at most n/2, near 1, q, q^2, ... for q = n^(1/rings).

    TotientPerms and SelectPermutations of TopoOpt (Wang et al., NSDI 2023, section 4 and algorithm 3): each stride is a
    ring through all nodes, and a geometric series of them keeps the diameter near n^(1/rings). Where there are fewer
    strides than rings they are used again.

    >>> totient_strides(16, 3), totient_strides(12, 2), totient_strides(6, 2)
    ([1, 3, 7], [1, 5], [1, 1])
    """
    free = [p for p in range(1, n // 2 + 1) if gcd(p, n) == 1]
    if not rings:
        return []
    if rings >= len(free):
        return list(islice(cycle(free), rings))
    chosen = [1]
    free.remove(1)
    for i in range(1, rings):
        target = n ** (i / rings)
        best = min(free, key=lambda p: (abs(p - target), p))
        free.remove(best)
        chosen.append(best)
    return chosen


def regular_rounds(n: int, degree: int) -> tuple[list[Round], int]:
    """Rounds that join n nodes with `degree` ports each as evenly as can be, and how many ports of a node stay free.

    Every pair gets floor(degree / (n - 1)) links: the strides up to n/2, where n is even the last a matching. What is
    left goes to strides without a common factor with n, an odd port to the node half way round (none where n is odd).

    >>> [len(r.left) for r in regular_rounds(4, 3)[0]], regular_rounds(5, 5)[1], len(regular_rounds(16, 5)[0])
    ([4, 2], 1, 3)
    """
    order = np.arange(n)
    whole, left = divmod(degree, n - 1)
    every = [Round(order, (order + t) % n) for t in range(1, (n + 1) // 2)]
    every += [opposite_round(order)] * (n % 2 == 0)
    rounds = every * whole
    rounds += [Round(order, (order + t) % n) for t in totient_strides(n, left // 2)]
    odd = left % 2
    if odd and n % 2 == 0:
        rounds.append(opposite_round(order))
        odd = 0
    return rounds, odd


def circuit_link(
    parts: Catalogue, optic: str, rate_gbps: float, latency_ns: float | None, length_m: float, nic: str | None = None
) -> tuple[dict[str, Any], tuple[int, int]]:
    """Edge attributes of a link of two fibres of that length through a circuit switch, one module at either end, and
    the fibres and lanes of its strands.

    ConfigError for a module slower than the link, which would take strands of a second one.
    """
    row = parts.part(optic, Optic)
    if row.rate_gbps < rate_gbps:
        raise ConfigError(f"module '{optic}' carries {row.rate_gbps:g} Gb/s, the link {rate_gbps:g}; name another one")
    lane = LinkOptions(rate_gbps, latency_ns, 2 * length_m, cable=optic)
    return lane.attributes(parts, nic=nic, circuit=True), strands_of(row, rate_gbps)


def rounds_layer(
    family: str,
    part: CircuitSwitch,
    ends: Sequence[str],
    rounds: Iterable[Round],
    link: dict[str, Any],
    strands: tuple[int, int],
    *,
    devices: int | None = None,
    blocks: Sequence[str] | None = None,
    apart: Container[int] = (),
) -> CircuitLayer:
    """The rounds on as many circuit switches as they fill one after the other, or within `devices`.

    A round takes a port of side A for each left end and of side B for each right one (two ports of an any-to-any
    device), in each lane; where a strand carries one way only it has its return, from right to left. Ports are in the
    order of their nodes, so that the fibres are the same whatever the state. `strands` are fibres and lanes of a link's
    end. The rounds of which `apart` holds the number begin a device. TopologyError with
    both numbers where a round exceeds one device, or all of them the devices that there are.
    """
    fibres, lanes = strands
    usable = part.usable_ports
    wide, second = (2, SIDE_A) if part.any_to_any else (1, SIDE_B)
    rows, state = [], []
    device, used = 0, 0
    for number, each in enumerate(rounds):
        links = len(each.left)
        if wide * links > usable:
            raise TopologyError(
                f"{family}: {links} links that can be rearranged at will take {2 * links} strands of one {part.name}, "
                f"which has {usable * (2 // wide)} ports for them beside its spares; use a larger one"
            )
        if number in apart and used:
            device, used = device + 1, 0
        for left, right in [(each.left, each.right), (each.right, each.left)][:fibres] * lanes:
            if used + wide * links > usable:
                device, used = device + 1, 0
            first, last = (used + np.argsort(np.argsort(end)) for end in (left, right))
            last = last + links * (wide - 1)
            at = np.full(links, device)
            rows += [
                np.stack([at, np.full(links, side), port, end], 1)
                for side, port, end in ((SIDE_A, first, left), (second, last, right))
            ]
            state.append(np.stack([at, first, last], 1))
            used += wide * links
    table = np.concatenate(rows)
    if devices is not None and device + 1 > devices:
        raise TopologyError(
            f"{family}: {len(table)} strands take {device + 1} {part.name}, {devices} are given, which have "
            f"{devices * usable * (2 // wide)} ports beside their spares; give devices={device + 1} or fewer links"
        )
    return CircuitLayer(
        part=part,
        devices=device + 1 if devices is None else devices,
        strands=table[np.lexsort(table[:, 2::-1].T)].astype(np.int32),
        state=np.concatenate(state).astype(np.int32),
        ends=ends,
        blocks=list(ends) if blocks is None else blocks,
        link=link,
        fibres=fibres,
        lanes=lanes,
    )
