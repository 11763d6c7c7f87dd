"""Which port each new circuit of a switch stands on: ports of one block and side are alike but for what they lose."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
MOST_EXACT = 4000  # pairs of ports up to which the least loss is proven
FORBIDDEN_DB = 1e6  # the price of a forbidden pair while others are looked for
ABSENT_DB = 1e9  # of a port that a circuit cannot have
TURNS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """New circuits of a switch (int64[C, 2] of slots now, int32[C, 2] of pools, int32[C] of units) and the slots that
    they may stand on: pool int32[L], `owner` int32[L] the unit that frees it, -1 for an idle one; `loss_db` and
    `forbidden` [L, L] of pairs of slots."""

    now: NDArray[np.int64]
    pools: NDArray[np.int32]
    unit: NDArray[np.int32]
    pool: NDArray[np.int32]
    owner: NDArray[np.int32]
    loss_db: Matrix
    forbidden: NDArray[np.bool_]

    def holds(self, chosen: NDArray[np.int64]) -> bool:
        """Whether no pair of these is forbidden."""
        return not self.forbidden[chosen[:, 0], chosen[:, 1]].any()

    def loss(self, chosen: NDArray[np.int64]) -> float:
        """dB in sum, a forbidden pair at its price."""
        return float(self.price[chosen[:, 0], chosen[:, 1]].sum())

    @property
    def price(self) -> Matrix:
        """dB of a pair of slots, beyond any where it is forbidden."""
        return np.where(self.forbidden, FORBIDDEN_DB, self.loss_db)

    def may(self, end: int, merged: bool = False) -> NDArray[np.bool_]:
        """bool[C, L]: slots that an end of each circuit may take; those of all units where they are merged."""
        fits = self.pools[:, end, None] == self.pool
        free = (self.owner < 0) | merged | (self.owner == self.unit[:, None])
        both: NDArray[np.bool_] = fits & free
        return both


def choose_ports(choice: Choice) -> NDArray[np.int64] | None:
    """The slots of every circuit, int64[C, 2], without a forbidden pair and with the least loss in sum; None where
    there are none.

    Exact, by a mixed-integer program, up to `MOST_EXACT` pairs and whenever the exchange of one side after the other
    (each an exact assignment) leaves a forbidden pair; units keep to their own ports and idle ones while they can.
    """
    if _pairs(choice, False) <= MOST_EXACT:
        found = _exact(choice, merged=False)
    else:
        found = _by_turns(choice)
        if not choice.holds(found):
            found_exactly = _exact(choice, merged=False)
            found = found_exactly if found_exactly is not None else found
    if found is not None and choice.holds(found):
        return found
    return _exact(choice, merged=True)


def _by_turns(choice: Choice) -> NDArray[np.int64]:
    """Exchange first ends, then second ends, while that helps."""
    from scipy.optimize import linear_sum_assignment

    chosen, price = choice.now.copy(), choice.price
    for _ in range(TURNS):
        before = choice.loss(chosen)
        for end in (0, 1):
            other = chosen[:, 1 - end]
            cost = price[:, other].T if end == 0 else price[other]
            may = choice.may(end)
            may[:, other] = False
            _, column = linear_sum_assignment(np.where(may, cost, ABSENT_DB))
            chosen[:, end] = column
        if choice.loss(chosen) >= before - 1e-9:
            break
    return chosen


def _groups(choice: Choice, merged: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Circuits that may have the same slots: the first of each group, and the group of each circuit."""
    unit = np.zeros_like(choice.unit) if merged else choice.unit
    keys = np.column_stack([unit, choice.pools])
    _, first, of = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return first, of.reshape(-1)


def _pairs(choice: Choice, merged: bool) -> int:
    first, _ = _groups(choice, merged)
    return int((choice.may(0, merged)[first].sum(axis=1) * choice.may(1, merged)[first].sum(axis=1)).sum())


def _exact(choice: Choice, *, merged: bool) -> NDArray[np.int64] | None:
    """min sum of dB over pairs of slots: as many pairs for each group as it has circuits, a slot in one pair."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_array, csr_array

    first, of = _groups(choice, merged)
    rows = []
    for group, (one, two) in enumerate(zip(choice.may(0, merged)[first], choice.may(1, merged)[first], strict=True)):
        a, b = np.nonzero(one[:, None] & two & ~choice.forbidden & ~np.eye(len(one), dtype=bool))
        rows.append(np.stack([np.full(len(a), group), a, b], axis=1))
    pairs = np.concatenate(rows)
    wanted = np.bincount(of, minlength=len(first))
    if not len(pairs) or (np.bincount(pairs[:, 0], minlength=len(first)) < wanted).any():
        return None
    number, ones = np.arange(len(pairs)), np.ones(len(pairs))
    each = coo_array((ones, (pairs[:, 0], number)), (len(first), len(pairs)))
    slots = coo_array((np.ones(2 * len(pairs)), (pairs[:, 1:].T.ravel(), np.tile(number, 2))),
                      (len(choice.pool), len(pairs)))  # fmt: skip
    solved = milp(
        choice.loss_db[pairs[:, 1], pairs[:, 2]], integrality=ones, bounds=Bounds(0, 1),
        constraints=[LinearConstraint(csr_array(each), wanted, wanted), LinearConstraint(csr_array(slots), -np.inf, 1)],
        options={"mip_rel_gap": 0.0},
    )  # fmt: skip
    if solved.x is None:
        return None
    chosen = np.empty_like(choice.now)
    taken = pairs[np.asarray(solved.x) > 0.5]
    taken = taken[np.lexsort(taken.T[::-1])]
    chosen[np.argsort(of, kind="stable")] = taken[np.argsort(taken[:, 0], kind="stable"), 1:]
    return chosen
