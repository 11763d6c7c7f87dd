"""Causes: which messages of an algorithm are done before which, and an order in which all can go."""

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

from fabric.algorithms.messages import Messages
from topologies.errors import InfeasibleError

MAX_MESSAGES = 30_000  # whose order is known pair by pair: 110 MB


class Causes:
    """Of M messages: `level` int[M], the longest chain before each; `awaited[m]`, the messages (joins looked through)
    that m waits for itself; `awaiting[m]` those (joins too) that wait for m to arrive at where they start.

    What a message waits for at its target is left out, `eager` counts that: a rank that sends does not know of it, and
    the target adds one after the other.

    InfeasibleError above 30,000 messages, joins included.

    >>> from fabric.algorithms import ALGORITHMS
    >>> from fabric.collectives import collective
    >>> from topologies.registry import build
    >>> ring = ALGORITHMS["ring"](build("ring:n=3"), collective("all-gather", 3))
    >>> causes = Causes(ring.messages(1), "ring")
    >>> causes.level, causes.awaited[7], causes.precedes(0, 7)
    ([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1], [0, 1], True)
    """

    def __init__(self, messages: Messages, algorithm: str) -> None:
        count = len(messages)
        if count > MAX_MESSAGES:
            raise InfeasibleError(
                f"{algorithm} has {count:,} messages; at most {MAX_MESSAGES:,} are laid out in thread blocks"
            )
        source, target = messages.source.tolist(), messages.target.tolist()
        pointers = messages.pred_ptr.tolist()
        wanted = [messages.pred[a:b].tolist() for a, b in pairwise(pointers)]
        preds = [[p for p in found if source[m] in (source[p], target[p])] for m, found in enumerate(wanted)]
        self.eager = sum(map(len, wanted)) - sum(map(len, preds))
        self.awaiting: list[list[int]] = [[] for _ in range(count)]
        for m, found in enumerate(preds):
            for p in found:
                if target[p] == source[m]:
                    self.awaiting[p].append(m)
        self.join = ((messages.source == messages.target) & (messages.amount == 0)).tolist()
        self.level = [0] * count
        self.awaited: list[list[int]] = [[] for _ in range(count)]
        self._before = [0] * count
        edges = ((p, m) for m, found in enumerate(preds) for p in found)
        for m in in_order(range(count), edges, count):
            self.level[m] = 1 + max((self.level[p] for p in preds[m]), default=-1)
            seen = dict.fromkeys(q for p in preds[m] for q in (self.awaited[p] if self.join[p] else [p]))
            self.awaited[m] = list(seen)
            for p in preds[m]:
                self._before[m] |= self._before[p] | 1 << p

    def precedes(self, a: int, b: int) -> bool:
        """Is message a done before b starts, by what b waits for, directly or not?"""
        return bool(self._before[b] >> a & 1)

    def may_hold_up(self, a: int, b: int) -> bool:
        """May the arrival of message b wait for message a without a delay? Whoever waits for it waits for a, too."""
        return not self.precedes(b, a) and all(self.precedes(a, later) for later in self.awaiting[b])


def in_order(keys: Sequence[float], edges: Iterable[tuple[int, int]], count: int) -> list[int]:
    """Things 0 to count - 1, each after those that an edge (before, after) names; those with the least key first.

    InfeasibleError where they wait for each other.

    >>> in_order([3, 2, 1], [(0, 2)], 3)
    [1, 0, 2]
    """
    after: list[list[int]] = [[] for _ in range(count)]
    waits = [0] * count
    for before, later in edges:
        after[before].append(later)
        waits[later] += 1
    ready = [(keys[i], i) for i in range(count) if not waits[i]]
    heapify(ready)
    order = []
    while ready:
        _, i = heappop(ready)
        order.append(i)
        for later in after[i]:
            waits[later] -= 1
            if not waits[later]:
                heappush(ready, (keys[later], later))
    if len(order) < count:
        raise InfeasibleError("the messages of this algorithm wait for each other")
    return order
