"""Halving: partners exchange half of what is left to sum; for all-reduce then the sums, by doubling."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.draft import Ids
from fabric.algorithms.rounds import Fold, Round, phased, spans
from fabric.algorithms.schedule import NotApplicable, Schedule
from fabric.collectives import Collective
from topologies.graph import Topology


def halving(topology: Topology, collective: Collective) -> Schedule:
    """Recursive halving and doubling (Rabenseifner): 2 log2 n rounds for all-reduce, log2 n for reduce-scatter.

    2 log2 n alpha + 2 (n-1)/n S beta, half of that for reduce-scatter. The largest halves of an all-reduce go to the
    nearest rank (distance doubling), those of a reduce-scatter to the furthest, which leaves block r at rank r. Where n
    is no power of two the ranks above one fold: a round before of S, and one after of S, of S/n for reduce-scatter
    (Thakur, Rabenseifner, Gropp, IJHPCA 2005, sections 4.2 and 4.5).
    """
    n = collective.n
    fold = Fold.of(n)
    if collective.name == "all-reduce":
        down = [_half(fold, bit, adds=True) for bit in range(fold.bits)]
        up = [_half(fold, bit, adds=False) for bit in reversed(range(fold.bits))]
        return phased("halving", n, fold.size, fold.around(down + up, fold.leave(fold.size), fold.back(fold.size)))
    if collective.name == "reduce-scatter":
        down = [_blocks(fold, n, bit) for bit in reversed(range(fold.bits))]
        own = Round.of("unfold", fold.keeper, fold.folded, 1 / n, lambda: fold.folded[:, None])
        return phased("halving", n, 1, fold.around(down, fold.leave(n), own))
    raise NotApplicable(f"halving does all-reduce and reduce-scatter, not {collective.name}")


def _half(fold: Fold, bit: int, *, adds: bool) -> Round:
    """With the place that differs in a bit: the parts that agree with it in this bit and with both in those below, of
    which it takes the sum; back, the sums of those that agree with oneself."""
    place = np.arange(fold.size)
    partner = place ^ (1 << bit)
    wanted = (partner if adds else place) & ((2 << bit) - 1)
    name = f"{'halving' if adds else 'doubling'}, distance {1 << bit}"
    carried = partial(_parts, fold.size, bit, wanted)
    return Round.of(name, fold.rank, fold.rank[partner], 0.5 / (1 << bit), carried, reduces=adds)


def _parts(size: int, bit: int, low: Ids) -> NDArray[np.int64]:
    """All of `size` parts with these low bits."""
    return low[:, None] + np.arange(0, size, 2 << bit)


def _blocks(fold: Fold, n: int, bit: int) -> Round:
    """The blocks of the other half of the 2^(s+1) places around."""
    partner = np.arange(fold.size) ^ (1 << bit)
    begin = partner >> bit << bit
    first = fold.start(begin)
    count: Ids = fold.start(begin + (1 << bit)) - first
    carried = partial(spans, first, count, n)
    return Round.of(f"distance {1 << bit}", fold.rank, fold.rank[partner], count / n, carried, reduces=True)
