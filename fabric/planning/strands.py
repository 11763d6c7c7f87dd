"""Which port each new circuit of a switch stands on: ports of one block and side are alike but for what they lose."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
MOST_EXACT = 4000  # pairs of ports up to which the least loss is proven
FORBIDDEN_DB = 1e6  # the price of a forbidden pair while others are looked for
RELAID_DB = 1e4  # of a circuit that moves though its blocks stay joined: fewest first, dB second
ABSENT_DB = 1e9  # of a port that a circuit cannot have
TURNS = 20
IDLE, HELD = -1, -2  # owners of slots: nobody, and a circuit that stays


def _none() -> NDArray[np.int64]:
    return np.empty((0, 2), np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """New circuits of a switch (int64[C, 2] of slots now, int32[C, 2] of pools, int32[C] of units) and the slots that
    they may stand on: pool int32[L], `owner` int32[L] the unit that frees it, IDLE, or HELD by one of the circuits that
    stay (`kept` int64[R, 2] of slots); `loss_db` and `forbidden` [L, L] of pairs of slots."""

    now: NDArray[np.int64]
    pools: NDArray[np.int32]
    unit: NDArray[np.int32]
    pool: NDArray[np.int32]
    owner: NDArray[np.int32]
    loss_db: Matrix
    forbidden: NDArray[np.bool_]
    kept: NDArray[np.int64] = field(default_factory=_none)

    def holds(self, chosen: NDArray[np.int64]) -> bool:
        """Whether no pair of these is forbidden."""
        return not self.forbidden[chosen[:, 0], chosen[:, 1]].any()

    @property
    def price(self) -> Matrix:
        """dB of a pair of slots, beyond any where it is forbidden."""
        return np.where(self.forbidden, FORBIDDEN_DB, self.loss_db)

    def may(self, end: int, merged: bool = False) -> NDArray[np.bool_]:
        """bool[C, L]: slots that an end of each circuit may take; those of all units where they are merged."""
        fits = self.pools[:, end, None] == self.pool
        free = (self.owner == IDLE) | (self.owner == self.unit[:, None])
        both: NDArray[np.bool_] = fits & ((self.owner != HELD) if merged else free)
        return both


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Slots of the circuits to put up, int64[C, 2]; `exchanged` where units share ports, and `relaid` the kept circuits
    (int64[M], positions in `kept`) that are taken down and laid anew, after the new ones in `circuits`."""

    circuits: NDArray[np.int64]
    exchanged: bool
    relaid: NDArray[np.int64]


def choose_ports(choice: Choice) -> Chosen | None:
    """Slots for every circuit without a forbidden pair and with the least loss in sum; None where there are none.

    Units keep to their own ports and idle ones while they can; where they cannot, units exchange ports; where that is
    not enough, the fewest kept circuits are laid anew. Exact, by a mixed-integer program, up to `MOST_EXACT` pairs and
    whenever the exchange of one side after the other (each an exact assignment) leaves a forbidden pair.
    """
    found = None
    if _pairs(choice) > MOST_EXACT:
        found = _by_turns(choice)
    if found is None or not choice.holds(found):
        found = _exact(choice, merged=False)
    if found is not None:
        return Chosen(found, False, np.empty(0, np.int64))
    found = _exact(choice, merged=True)
    if found is not None:
        return Chosen(found, True, np.empty(0, np.int64))
    return _relaying(choice)


def _by_turns(choice: Choice) -> NDArray[np.int64]:
    """Exchange first ends, then second ends, while that helps."""
    from scipy.optimize import linear_sum_assignment

    chosen, price = choice.now.copy(), choice.price
    before = np.inf
    for _ in range(TURNS):
        for end in (0, 1):
            other = chosen[:, 1 - end]
            cost = price[:, other].T if end == 0 else price[other]
            may = choice.may(end)
            may[:, other] = False
            _, column = linear_sum_assignment(np.where(may, cost, ABSENT_DB))
            chosen[:, end] = column
        loss = float(price[chosen[:, 0], chosen[:, 1]].sum())
        if loss >= before - 1e-9:
            break
        before = loss
    return chosen


def _groups(keys: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Circuits that may have the same slots: the first of each group, and the group of each circuit."""
    _, first, of = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return first, of.reshape(-1)


def _keys(choice: Choice, merged: bool) -> NDArray[np.int32]:
    return choice.pools if merged else np.column_stack([choice.unit, choice.pools])


def _pairs(choice: Choice) -> int:
    first, _ = _groups(_keys(choice, False))
    return int((choice.may(0)[first].sum(axis=1) * choice.may(1)[first].sum(axis=1)).sum())


def _exact(choice: Choice, *, merged: bool) -> NDArray[np.int64] | None:
    """The least loss, by the program below."""
    first, of = _groups(_keys(choice, merged))
    may = np.stack([choice.may(end, merged)[first] for end in (0, 1)], axis=1)
    taken = _solved(may, np.bincount(of, minlength=len(first)), choice.price)
    if taken is None:
        return None
    chosen = np.empty_like(choice.now)
    chosen[np.argsort(of, kind="stable")] = taken
    return chosen


def _relaying(choice: Choice) -> Chosen | None:
    """The fewest kept circuits laid anew so that the new ones find ports, then the least loss: first only those that
    share a pool with a new circuit that has no pair of its own, then any."""
    if not len(choice.kept):
        return None
    ends = choice.pool[choice.kept]
    free = choice.price.copy()
    held = choice.owner == HELD
    free[held], free[:, held] = FORBIDDEN_DB, FORBIDDEN_DB
    may = free < FORBIDDEN_DB
    stuck = [(p, q) for p, q in choice.pools.tolist() if not may[np.ix_(choice.pool == p, choice.pool == q)].any()]
    near = np.isin(ends, np.array(stuck).ravel()).any(axis=1) if stuck else np.ones(len(ends), bool)
    for own in [near] if near.all() else [near, np.ones(len(ends), bool)]:
        found = _relaid(choice, np.flatnonzero(own))
        if found is not None:
            return found
    return None


def _relaid(choice: Choice, own: NDArray[np.int64]) -> Chosen | None:
    kept = choice.kept[own]
    pools = np.concatenate([choice.pools, choice.pool[kept]])
    first, of = _groups(pools)
    wanted = np.bincount(of, minlength=len(first))
    fixed = np.zeros(len(choice.pool), bool)
    fixed[np.delete(choice.kept, own, axis=0).ravel()] = True
    may = (pools[first][:, :, None] == choice.pool) & ~fixed
    price = choice.price + RELAID_DB
    price[kept[:, 0], kept[:, 1]] = 0.0  # what stays costs nothing, whatever it loses
    taken = _solved(may, wanted, price)
    if taken is None:
        return None
    size = len(choice.pool)
    stays = np.isin(taken[:, 0] * size + taken[:, 1], kept[:, 0] * size + kept[:, 1])
    gone = ~np.isin(kept[:, 0] * size + kept[:, 1], taken[:, 0] * size + taken[:, 1])
    return Chosen(taken[~stays], True, own[gone])


def _solved(may: NDArray[np.bool_], wanted: NDArray[np.int64], price: Matrix) -> NDArray[np.int64] | None:
    """min sum of prices over pairs of slots: as many for each group as it has circuits, a slot in one pair.

    `may` bool[G, 2, L] are the slots that the ends of each group may take. Pairs int64[C, 2] group by group, or None.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_array, csr_array

    rows = []
    for group, (one, two) in enumerate(may):
        a, b = np.nonzero(one[:, None] & two & (price < FORBIDDEN_DB) & ~np.eye(len(one), dtype=bool))
        rows.append(np.stack([np.full(len(a), group), a, b], axis=1))
    pairs = np.concatenate(rows)
    if not len(pairs) or (np.bincount(pairs[:, 0], minlength=len(may)) < wanted).any():
        return None
    number, ones = np.arange(len(pairs)), np.ones(len(pairs))
    each = coo_array((ones, (pairs[:, 0], number)), (len(may), len(pairs)))
    slots = coo_array((np.ones(2 * len(pairs)), (pairs[:, 1:].T.ravel(), np.tile(number, 2))),
                      (len(price), len(pairs)))  # fmt: skip
    solved = milp(
        price[pairs[:, 1], pairs[:, 2]], integrality=ones, bounds=Bounds(0, 1),
        constraints=[LinearConstraint(csr_array(each), wanted, wanted), LinearConstraint(csr_array(slots), -np.inf, 1)],
        options={"mip_rel_gap": 0.0},
    )  # fmt: skip
    if solved.x is None:
        return None
    taken = pairs[np.asarray(solved.x) > 0.5]
    ordered: NDArray[np.int64] = taken[np.lexsort(taken.T[::-1]), 1:]
    return ordered
