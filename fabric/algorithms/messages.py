"""Messages: what an algorithm sends, message by message, which data each carries and what it waits for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Chunks = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class Messages:
    """M messages of an algorithm at a size of one byte, each after all that it waits for.

    `source`, `target` int32[M] are ranks; n + v stands for node v, a switch that reduces or multicasts. `amount`
    float64[M]: bytes per byte of size. `reduces` bool[M]: the target adds what comes to what it has; otherwise it
    stores it. `hands_on` int32[M]: the message whose data the source passes on as they came, keeping nothing of them;
    -1 where it sends from its memory. Message m waits for messages pred[pred_ptr[m]:pred_ptr[m + 1]] (int64[M + 1],
    int32) to arrive. A join is a message of no bytes from a rank to itself: it is there for others to wait for.

    Data are cut into equal chunks: the vector of all-reduce, broadcast and reduce into `parts`; of all-gather and
    reduce-scatter every rank's block into `parts` (part p of block b is chunk b parts + p), as what rank b has for its
    target in send-recv and permutation; of all-to-all what rank s has for rank t (chunk (s n + t) parts + p).
    `carried()` gives chunk_ptr int64[M + 1] and chunk int64: message m carries chunk[chunk_ptr[m]:chunk_ptr[m + 1]].
    It is worked out when asked for: exchanges carry more chunks than a large fabric has memory for, and times do not
    need them. A message sends what its source had at the start and got by what the message waits for, directly or not;
    what arrives meanwhile to be added waits in a buffer of its own.
    """

    parts: int
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    amount: NDArray[np.float64]
    reduces: NDArray[np.bool_]
    hands_on: NDArray[np.int32]
    pred_ptr: NDArray[np.int64]
    pred: NDArray[np.int32]
    carried: Callable[[], Chunks]

    def __len__(self) -> int:
        return len(self.source)

    def over(self, members: NDArray[np.int64], n: int) -> "Messages":
        """The same in every group at once: rank r of group g is rank members[g, r] (int64[groups, ranks]) of n. Groups
        number their chunks each for itself, and share the switches."""
        groups, count, ranks = len(members), len(self), members.shape[1]
        first = np.arange(groups)[:, None]

        def placed(node: NDArray[np.int32]) -> NDArray[np.int32]:
            rank = members[:, np.minimum(node, ranks - 1)]
            return np.where(node < ranks, rank, node - ranks + n).ravel().astype(np.int32)

        def carried() -> Chunks:
            ptr, chunk = self.carried()
            return np.append(0, (ptr[1:] + first * ptr[-1]).ravel()), np.tile(chunk, groups)

        ends = self.pred_ptr[1:] + first * len(self.pred)
        return Messages(
            self.parts, placed(self.source), placed(self.target), np.tile(self.amount, groups),
            np.tile(self.reduces, groups),
            np.where(self.hands_on < 0, -1, self.hands_on + first * count).ravel().astype(np.int32),
            np.append(0, ends.ravel()), (self.pred + first * count).ravel().astype(np.int32), carried,
        )  # fmt: skip

    @classmethod
    def joined(cls, made: "Sequence[Messages]") -> "Messages":
        """Messages side by side, none of which waits for those of another."""
        starts = np.cumsum([0, *map(len, made)])
        waits = np.cumsum([0, *(len(one.pred) for one in made)])
        pairs = list(zip(made, starts.tolist(), strict=False))

        def carried() -> Chunks:
            each = [one.carried() for one in made]
            ends = np.cumsum([0, *(len(chunk) for _, chunk in each)])
            ptr = [ptr[1:] + end for (ptr, _), end in zip(each, ends, strict=False)]
            return np.concatenate([[0], *ptr]), np.concatenate([chunk for _, chunk in each])

        return cls(
            max(one.parts for one in made),
            np.concatenate([one.source for one in made]),
            np.concatenate([one.target for one in made]),
            np.concatenate([one.amount for one in made]),
            np.concatenate([one.reduces for one in made]),
            np.concatenate([np.where(one.hands_on < 0, -1, one.hands_on + at) for one, at in pairs]).astype(np.int32),
            np.concatenate([[0], *(one.pred_ptr[1:] + at for one, at in zip(made, waits, strict=False))]),
            np.concatenate([one.pred + at for one, at in pairs]).astype(np.int32),
            carried,
        )
