"""Grouped: what no algorithm can beat where several groups of ranks do the same collective at once."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fabric.bounding.certificates import Bound, capacities, fullest, groupings
from fabric.bounding.cuts import entering, partitions, whole_capacity
from fabric.bounding.demand import Certificate
from fabric.bounding.reduction import reducing_nodes
from fabric.collectives import Collective
from fabric.groups import Groups
from topologies.graph import Topology

Counts = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def shared_bound(topology: Topology, collective: Collective, in_network: bool | None = None) -> Certificate:
    """The least time per byte that all groups together need of the links that they share.

    (a) The data of groups are independent, so what a cut must let through adds up over the groups that it parts: with
    `a` of a group's n ranks on one side, a S/n of its shards leave in an all-gather, S of its sums in an all-reduce.
    The cuts of `groupings` are looked at. (b) Where disjoint sets of nodes hold all accelerators and all that reduces,
    and a group touches k of them, every byte of its all-reduce enters sets 2 (k-1) times (`all_reduce_interval`).
    Both hold however accelerators outside a group help it. No schedule is known to attain either: gap 1.
    """
    assert collective.groups is not None
    bounds = [*_cuts(topology, collective), *_sets(topology, collective, in_network)]
    best = min(bounds, key=lambda bound: bound.value)
    return Certificate(1 / best.value, 1.0, False, None, best.why)


def _cuts(topology: Topology, collective: Collective) -> Iterator[Bound]:
    assert collective.groups is not None
    ends = topology.csr().accelerators
    for (label, name), capacity in zip(groupings(topology), capacities(topology), strict=True):
        places = int(label.max()) + 1
        counts = _counts(collective.groups, label[ends], places)
        out, into = _crossing(collective, counts, label[ends], places)
        yield from fullest(name, capacity, out, into)


def _counts(groups: Groups, label: NDArray[np.int64], places: int) -> Counts:
    """Group, place and number of ranks, of every group that a place parts; label int64[n] is -1 outside all places."""
    of = label[groups.members]
    keys = np.arange(len(groups))[:, None] * np.int64(places) + of
    key, number = np.unique(keys[of >= 0], return_counts=True)
    parted = number < groups.n
    return key[parted] // places, key[parted] % places, number[parted]


def _crossing(
    collective: Collective, counts: Counts, label: NDArray[np.int64], places: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What must leave and enter each place, float64[places], in bytes per byte of size."""
    group, place, number = counts
    assert collective.groups is not None
    n, one = collective.n, np.ones(len(number))
    root_here = (label[collective.groups.members[group, 0]] == place).astype(np.float64)
    own, others = number / n, (n - number) / n
    out, into = {
        "all-gather": (own, others),
        "reduce-scatter": (others, own),
        "all-reduce": (one, one),
        "broadcast": (root_here, 1 - root_here),
        "reduce": (1 - root_here, root_here),
    }[collective.name]
    leaving: NDArray[np.float64] = np.bincount(place, out, places).astype(np.float64)
    return leaving, np.bincount(place, into, places).astype(np.float64)


def _sets(topology: Topology, collective: Collective, in_network: bool | None) -> Iterator[Bound]:
    assert collective.groups is not None
    if collective.name != "all-reduce":
        return
    csr, unit = topology.csr(), whole_capacity(topology)[1]
    reducing = reducing_nodes(topology, in_network)
    for way in partitions(topology):
        if (way[reducing] < 0).any():
            continue
        touched = np.sort(way[csr.accelerators][collective.groups.members], axis=1)
        times = 2 * int((np.diff(touched, axis=1) > 0).sum())
        if times:
            rate = float(int(entering(topology, way).sum()) * unit) / times
            sets = f"{int(way.max()) + 1:,} sets of accelerators"
            why = f"all links into {sets}: all but one of those that hold a group send each byte, and get it back"
            yield Bound(rate, why)
