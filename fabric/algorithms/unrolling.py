"""Unrolling: a schedule to the graph of its flows, message by message, each waiting for what it depends on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.lanes import Lanes
from fabric.algorithms.schedule import Schedule, Step
from fabric.flows import Flows
from topologies.errors import InfeasibleError

MAX_FLOWS = 30_000_000

Column = NDArray[np.int64]


def unroll(schedule: Schedule, n: int, size_bytes: float, chunks: int = 1) -> Flows:
    """The flows of a schedule over n ranks; of `chunks` equal parts of the data each goes through the steps by itself.

    A message waits for the one before it on its edge (the last of the chunk before for a first one), for the message
    that feeds it, and in later steps until its sender has all of its chunk (of its copy, where there are several) from
    the step before: a join, which is a flow of no bytes from a rank to itself. InfeasibleError above 30 million flows.

    >>> from fabric.algorithms import ALGORITHMS
    >>> from fabric.collectives import collective
    >>> from topologies.registry import build
    >>> ring = ALGORITHMS["ring"](build("ring:n=4"), collective("all-reduce", 4))
    >>> len(unroll(ring, 4, 1e6).source)  # 6 rounds, 4 ranks, both ways round
    48
    """
    wanted = sum(_messages(step) for step in schedule.steps) * chunks
    if wanted > MAX_FLOWS:
        raise InfeasibleError(
            f"{schedule.algorithm} on {n:,} ranks has {wanted:,.0f} flows; fluid takes at most {MAX_FLOWS:,}: "
            "use --fidelity steady"
        )
    lanes = [_lanes_of(step) for step in schedule.steps]
    copies = 1 + max(int(edges.copy.max(initial=0)) for edges in lanes)
    blocks: list[_Block] = []
    for chunk in range(chunks):
        for index, edges in enumerate(lanes):
            above = blocks[-1] if index else None
            before = blocks[-len(lanes)] if chunk else None
            start = 0 if not blocks else blocks[-1].stop
            joins = 0 if index == len(lanes) - 1 else n * copies
            blocks.append(_block(edges, n, joins, size_bytes / chunks, start, above, before))
    waiting = np.concatenate([block.waiting for block in blocks])
    feeding = np.concatenate([block.feeding for block in blocks])
    order = np.argsort(waiting, kind="stable")
    flows = blocks[-1].stop
    pred_ptr = np.zeros(flows + 1, np.int64)
    np.cumsum(np.bincount(waiting, minlength=flows), out=pred_ptr[1:])
    return Flows(
        source=np.concatenate([block.source for block in blocks]).astype(np.int32),
        target=np.concatenate([block.target for block in blocks]).astype(np.int32),
        bytes=np.concatenate([block.bytes for block in blocks]),
        release=np.zeros(flows),
        duration=np.zeros(flows),
        pred_ptr=pred_ptr,
        pred=feeding[order].astype(np.int32),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """One step of one chunk: its messages by edge and round, then joins for every copy and rank (none if last).

    first[e] and last[e] are the flows of edge e's first and last message, join that of copy 0 and rank 0; waiting[i]
    waits for feeding[i].
    """

    source: Column
    target: Column
    bytes: NDArray[np.float64]
    first: Column
    last: Column
    join: int
    stop: int
    waiting: Column
    feeding: Column


def _messages(step: Step) -> float:
    if step.lanes is not None:
        return float(step.lanes.rounds.sum())
    traffic = step.traffic
    return float(np.diff(traffic.list_ptr)[traffic.entry_list].sum())


def _lanes_of(step: Step) -> Lanes:
    """The step's lanes; pairs that exchange are edges of one message that nothing feeds."""
    if step.lanes is not None:
        return step.lanes
    source, target, amount = step.traffic.as_pairs()
    one = np.ones(len(source), np.int64)
    return Lanes(source.astype(np.int64), target.astype(np.int64), amount, one, -one, one, 0 * one)


def _block(
    edges: Lanes,
    n: int,
    joins: int,
    size_bytes: float,
    start: int,
    above: _Block | None,
    before: _Block | None,
) -> _Block:
    first = start + np.cumsum(edges.rounds) - edges.rounds
    final = first + edges.rounds - 1
    edge = np.repeat(np.arange(len(first)), edges.rounds)
    flow = start + np.arange(len(edge))
    turn = flow - first[edge]
    fed = turn - edges.lag[edge]
    waits = [
        (flow[turn > 0], flow[turn > 0] - 1),
        (flow[mask := (edges.feed[edge] >= 0) & (fed >= 0)], (first[edges.feed[edge]] + fed)[mask]),
    ]
    if above is not None:
        waits.append((first, above.join + edges.copy * n + edges.source))
    if before is not None:
        waits.append((first, before.last))
    join = start + len(edge)
    own = np.arange(joins)
    if joins:
        waits.append((join + edges.copy * n + edges.target, final))
        if above is not None:
            waits.append((join + own, above.join + own))
    return _Block(
        source=np.concatenate([edges.source[edge], own % n]),
        target=np.concatenate([edges.target[edge], own % n]),
        bytes=np.concatenate([(edges.amount * size_bytes / edges.rounds)[edge], np.zeros(len(own))]),
        first=first,
        last=final,
        join=join,
        stop=join + len(own),
        waiting=np.concatenate([w for w, _ in waits]),
        feeding=np.concatenate([f for _, f in waits]),
    )
