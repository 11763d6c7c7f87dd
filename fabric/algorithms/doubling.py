"""Recursive doubling: partners at distance 1, 2, 4, ... exchange all they have."""

from functools import partial

import numpy as np

from fabric.algorithms.draft import Ids
from fabric.algorithms.rounds import Fold, Round, phased, spans, whole
from fabric.algorithms.schedule import NotApplicable, Schedule
from fabric.collectives import Collective
from topologies.graph import Topology


def recursive_doubling(topology: Topology, collective: Collective) -> Schedule:
    """log2 n rounds with rank XOR 2^s: the whole vector for all-reduce, the blocks got so far for all-gather.

    log2 n (alpha + S beta) and log2 n alpha + (n-1)/n S beta; where n is no power of two the ranks above one fold: a
    round before and one after of S more (Thakur, Rabenseifner, Gropp, IJHPCA 2005, sections 4.1 and 4.5).
    """
    n = collective.n
    fold = Fold.of(n)
    if collective.name == "all-reduce":
        rounds = fold.around([_sum(fold, bit) for bit in range(fold.bits)], fold.leave(1), fold.back(1))
    elif collective.name == "all-gather":
        rounds = fold.around([_gather(fold, n, bit) for bit in range(fold.bits)], _block(fold, n), _rest(fold, n))
    else:
        raise NotApplicable(f"recursive-doubling does all-reduce and all-gather, not {collective.name}")
    return phased("recursive-doubling", n, 1, rounds)


def _sum(fold: Fold, bit: int) -> Round:
    partner = fold.rank[np.arange(fold.size) ^ (1 << bit)]
    return Round.of(f"distance {1 << bit}", fold.rank, partner, 1.0, partial(whole, fold.size), reduces=True)


def _gather(fold: Fold, n: int, bit: int) -> Round:
    """Each sends the blocks of the 2^s places that it has exchanged with."""
    place = np.arange(fold.size)
    begin = place >> bit << bit
    first = fold.start(begin)
    count: Ids = fold.start(begin + (1 << bit)) - first
    partner = fold.rank[place ^ (1 << bit)]
    return Round.of(f"distance {1 << bit}", fold.rank, partner, count / n, partial(spans, first, count, n))


def _block(fold: Fold, n: int) -> Round:
    return Round.of("fold", fold.folded, fold.keeper, 1 / n, lambda: fold.folded[:, None])


def _rest(fold: Fold, n: int) -> Round:
    """All blocks but its own to each folded rank."""
    others = partial(spans, fold.folded + 1, np.full(len(fold.folded), n - 1), n)
    return Round.of("unfold", fold.keeper, fold.folded, (n - 1) / n, others)
