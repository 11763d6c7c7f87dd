"""Messages: what an algorithm sends, message by message, which data each carries and what it waits for."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Chunks = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class Messages:
    """M messages of an algorithm at a size of one byte, each after all that it waits for.

    `source`, `target` int32[M] are ranks; n + k stands for the k-th switch that reduces or multicasts. `amount`
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
