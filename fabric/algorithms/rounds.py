"""Rounds: algorithms in which every rank sends at most one message and receives at most one at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fabric.algorithms.draft import Carried, Draft, Ids
from fabric.algorithms.messages import Messages
from fabric.algorithms.schedule import Schedule, Step
from fabric.traffic import Traffic


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """source[i] sends `amount` bytes per byte of size to target[i], all different; `carried()` gives the chunks."""

    name: str
    source: Ids
    target: Ids
    amount: NDArray[np.float64]
    carried: Carried
    reduces: bool = False

    @classmethod
    def of(
        cls, name: str, source: Ids, target: Ids, amount: ArrayLike, carried: Carried, *, reduces: bool = False
    ) -> "Round":
        """A round whose messages are alike, or not."""
        amounts = np.broadcast_to(np.asarray(amount, np.float64), source.shape)
        return cls(name, source, target, amounts, carried, reduces)


def phased(algorithm: str, n: int, parts: int, rounds: Sequence[Round]) -> Schedule:
    """Rounds one after the other: a message leaves when both its ends are through with what they did before, so that
    no rank sends or receives two at once.

    >>> there = Round.of("there", np.array([0, 1]), np.array([1, 0]), 0.5, lambda: np.array([[1], [0]]))
    >>> phased("exchange", 2, 2, [there]).steps[0].traffic.total
    1.0
    """
    known: dict[tuple[bytes, ...], Traffic] = {}  # rounds that mirror others share their traffic, and its routes
    steps = []
    for now in rounds:
        key = now.source.tobytes(), now.target.tobytes(), now.amount.tobytes()
        if key not in known:
            known[key] = Traffic.pairs(n, now.source, now.target, now.amount)
        steps.append(Step(now.name, known[key], 1))
    return Schedule(algorithm, "phased", tuple(steps), None, partial(_messages, algorithm, n, parts, rounds))


def _messages(algorithm: str, n: int, parts: int, rounds: Sequence[Round], chunks: int) -> Messages:
    draft = Draft(algorithm, n, parts, 2 * sum(len(r.source) for r in rounds), chunks)
    follow(draft, rounds)
    return draft.messages()


def follow(draft: Draft, rounds: Sequence[Round], ready: Ids | None = None) -> Ids:
    """The messages of rounds in a draft, after `ready`; by rank, what to wait for until it is through."""
    came = np.full(draft.nodes, -1) if ready is None else ready
    sent = np.full(draft.nodes, -1)
    for now in rounds:
        after = [came[now.source], sent[now.source], came[now.target], sent[now.target]]
        ids = draft.send(now.source, now.target, now.amount, now.carried, after=after, reduces=now.reduces)
        sent[now.source] = ids
        before = came.copy()
        before[now.source] = -1  # what it sent now has waited for it
        came = draft.arrived(ids, now.target, also=before)
    ranks = np.flatnonzero(sent >= 0)
    return draft.arrived(sent[ranks], ranks, also=came)


def log2_ceil(n: int) -> int:
    """Rounds in which what doubles reaches n.

    >>> [log2_ceil(n) for n in (1, 2, 3, 4, 5)]
    [0, 1, 2, 2, 3]
    """
    return (n - 1).bit_length()


def whole(messages: int) -> NDArray[np.int64]:
    """The one chunk of messages that carry the whole vector."""
    return np.zeros((messages, 1), np.int64)


def spans(first: Ids, count: Ids, n: int, parts: int = 1) -> NDArray[np.int64]:
    """The chunks of `count` blocks from `first` on, of n in a circle, a row for each; -1 where a row is shorter.

    >>> spans(np.array([1, 2]), np.array([2, 1]), 3).tolist()
    [[1, 2], [2, -1]]
    """
    ahead = np.arange(int(count.max(initial=0)))
    block = (first[:, None] + ahead) % n
    chunk = block[:, :, None] * parts + np.arange(parts)
    kept: NDArray[np.int64] = np.where((ahead < count[:, None])[:, :, None], chunk, -1).reshape(len(first), -1)
    return kept


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """n ranks as 2^q that take part: of the first 2 (n - 2^q) ranks the even ones leave their part to the odd ones
    behind them (Thakur, Rabenseifner, Gropp, IJHPCA 2005, section 4.5).

    `rank` int64[2^q] are those that take part; `folded` and `keeper` int64[n - 2^q] the others and who acts for them.
    """

    bits: int
    rank: Ids
    folded: Ids
    keeper: Ids

    @classmethod
    def of(cls, n: int) -> "Fold":
        """The fold of n ranks.

        >>> fold = Fold.of(6)
        >>> fold.bits, fold.rank.tolist(), fold.folded.tolist(), fold.keeper.tolist()
        (2, [1, 3, 4, 5], [0, 2], [1, 3])
        """
        bits = n.bit_length() - 1
        extra = n - (1 << bits)
        folded = 2 * np.arange(extra)
        return cls(bits, np.concatenate([folded + 1, np.arange(2 * extra, n)]), folded, folded + 1)

    @property
    def size(self) -> int:
        """2^q."""
        return 1 << self.bits

    def start(self, place: Ids) -> Ids:
        """The first of the blocks that places 0, 1, ... of the 2^q stand for: their own, and before it that of whom
        they act for; those of a run of places follow each other."""
        return place + np.minimum(place, len(self.folded))

    def leave(self, chunks: int) -> Round:
        """The folded ranks add all they have, so many chunks, to their keepers'."""
        return Round.of("fold", self.folded, self.keeper, 1.0, partial(self._every, chunks), reduces=True)

    def back(self, chunks: int) -> Round:
        """They get the result from them."""
        return Round.of("unfold", self.keeper, self.folded, 1.0, partial(self._every, chunks))

    def _every(self, chunks: int) -> NDArray[np.int64]:
        """All chunks for each folded rank, made only when asked for: of 100,000 ranks they are gigabytes."""
        return np.tile(np.arange(chunks), (len(self.folded), 1))

    def around(self, rounds: Sequence[Round], *ends: Round) -> list[Round]:
        """Rounds of those who take part, with a first and a last one where any rank is folded."""
        if not len(self.folded):
            return list(rounds)
        return [*ends[:1], *rounds, *ends[1:]]
