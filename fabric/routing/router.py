"""What every routing takes and gives: options, and the loads of arcs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from fabric.traffic import Traffic
from topologies.graph import Topology, once


@dataclass(frozen=True, slots=True)
class RoutingOptions:
    """What a routing may ask for. `argument` is what follows the colon of its name (K of `ksp:K`); `threads` change no
    byte of an answer."""

    tie: str = "split"
    seed: int = 0
    flows_per_pair: int = 1
    hedge: float = 0.0
    gap: float = 0.01
    threads: int = 0
    argument: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Numbers of all arcs, by the arcs that have one where most are 0: the steps of a schedule are many, and the later
    ones of a tree touch little of a large fabric. `where` int32[used], None: all."""

    size: int
    where: NDArray[np.int32] | None
    values: NDArray[np.float64]

    @classmethod
    def of(cls, numbers: NDArray[np.float64]) -> "Packed":
        """Packed, or as they are where that would not save half.

        >>> few = Packed.of(np.array([0.0, 0, 0, 2])); few.where, few.dense()
        (array([3], dtype=int32), array([0., 0., 0., 2.]))
        """
        used = np.flatnonzero(numbers)
        if 3 * len(used) > len(numbers):
            return cls(len(numbers), None, numbers)
        return cls(len(numbers), used.astype(np.int32), numbers[used])

    def dense(self) -> NDArray[np.float64]:
        """All numbers, float64[A]; not to be changed."""
        if self.where is None:
            return self.values
        numbers = np.zeros(self.size)
        numbers[self.where] = self.values
        return numbers

    def times(self, factor: float) -> "Packed":
        """All numbers times a factor."""
        return replace(self, values=self.values * factor)


@dataclass(frozen=True, slots=True, eq=False)
class Loads:
    """What traffic puts on a topology: bytes on each arc (float64[A], in the units of the traffic), and the zero-load
    latency of the pairs that exchange any: the longest, and the mean of a byte (s).

    `gap` is how far, relatively, the largest load may lie above the best that the routing allows; 0 where exact.
    `peaks` is, where parallel links of an arc are not loaded alike, their number times the load of the fullest.
    """

    carried: Packed
    latency_s: float
    mean_latency_s: float
    gap: float = 0.0
    fullest: Packed | None = None

    @classmethod
    def of(
        cls, arcs: NDArray[np.float64], latency_s: float, mean_latency_s: float, gap: float = 0.0,
        peaks: NDArray[np.float64] | None = None,
    ) -> "Loads":  # fmt: skip
        """Loads of the arcs, and peaks of theirs."""
        fullest = None if peaks is None else Packed.of(peaks)
        return cls(Packed.of(arcs), latency_s, mean_latency_s, gap, fullest)

    @property
    def arcs(self) -> NDArray[np.float64]:
        """Bytes on each arc, float64[A]."""
        return self.carried.dense()

    @property
    def peaks(self) -> NDArray[np.float64] | None:
        """What each arc would carry if all its links were as full as the fullest; None where they are."""
        return None if self.fullest is None else self.fullest.dense()

    @property
    def binding(self) -> NDArray[np.float64]:
        """What each arc would carry if all its links were as full as the fullest."""
        return (self.fullest or self.carried).dense()

    def carrying(self, arcs: NDArray[np.float64]) -> "Loads":
        """The same latencies with other bytes on the arcs."""
        return replace(self, carried=Packed.of(arcs))

    def times(self, factor: float) -> "Loads":
        """Those of so many times the traffic."""
        fullest = None if self.fullest is None else self.fullest.times(factor)
        return replace(self, carried=self.carried.times(factor), fullest=fullest)


Router = Callable[[Topology, Traffic, RoutingOptions], Loads]


def loads_of(
    topology: Topology, traffic: Traffic, arcs: NDArray[np.float64], latency_s: float, gap: float = 0.0,
    peaks: NDArray[np.float64] | None = None,
) -> Loads:  # fmt: skip
    """Loads with the mean latency of a byte, which follows from the bytes on arcs."""
    csr = topology.csr()
    seconds = csr.latency + csr.node_latency[csr.heads]  # accelerators that forward add none
    total = traffic.total
    return Loads.of(arcs, latency_s, float(arcs @ seconds) / total if total else 0.0, gap, peaks)


def remembered(router: Router, topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """What the router gives, worked out once: steps share their traffic, and routings build on each other.

    Traffic that is uniform is a multiple of one byte between every two ranks.
    """
    asked = (router, replace(options, threads=0))
    if not traffic.is_uniform:
        found = _loads(topology).setdefault(traffic, {})
        if asked not in found:
            found[asked] = router(topology, traffic, options)
        return found[asked]
    known, amount = _uniform_loads(topology), float(traffic.list_amount[0] * traffic.entry_scale[0])
    if asked not in known:
        known[asked] = router(topology, Traffic.uniform(traffic.n, 1.0), options)
    return known[asked].times(amount)


Known = dict[tuple[Router, RoutingOptions], Loads]


@once
def _loads(topology: Topology) -> WeakKeyDictionary[Traffic, Known]:
    """Loads of traffic that is not uniform, for as long as it lives."""
    return WeakKeyDictionary()


@once
def _uniform_loads(topology: Topology) -> Known:
    """Loads of one byte between every two ranks, as they become known."""
    return {}
