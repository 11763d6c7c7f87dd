"""Traffic: what ranks send each other, without pair lists."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Traffic:
    """Demand between n ranks as lists of sources and, for each target, the lists that send to it.

    List k holds ranks list_rank[list_ptr[k]:list_ptr[k+1]] with amounts list_amount; entry e says that every rank of
    list entry_list[e] sends entry_scale[e] times its amount to rank entry_target[e]; what a rank would send to itself
    is no traffic. Memory is linear in ranks for uniform, grouped and permuted demand. Amounts are in bytes, or in bytes
    per byte of a collective's size. Where switches reduce or multicast they are ends too: end n + v is node v of the
    topology (`Csr.ends`), and the traffic's n counts all ends.
    """

    n: int
    list_ptr: NDArray[np.int64]
    list_rank: NDArray[np.int32]
    list_amount: NDArray[np.float64]
    entry_target: NDArray[np.int32]
    entry_list: NDArray[np.int32]
    entry_scale: NDArray[np.float64]

    @classmethod
    def uniform(cls, n: int, amount: float) -> "Traffic":
        """Every rank sends `amount` to every other.

        >>> Traffic.uniform(4, 0.25).total
        3.0
        """
        return cls.within([np.arange(n)], n, amount)

    @classmethod
    def within(cls, groups: "list[NDArray[np.int64]] | NDArray[np.int64]", n: int, amount: float) -> "Traffic":
        """In every group, every rank sends `amount` to every other of its group; no rank is in two groups.

        >>> Traffic.within([np.array([0, 1]), np.array([2, 3])], 4, 1.0).total
        4.0
        """
        sizes = [len(g) for g in groups]
        ranks = np.concatenate([np.asarray(g) for g in groups]).astype(np.int32)
        return cls(
            n,
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            ranks,
            np.full(len(ranks), amount),
            ranks,
            np.repeat(np.arange(len(sizes)), sizes).astype(np.int32),
            np.ones(len(ranks)),
        )

    @classmethod
    def pairs(cls, n: int, source: ArrayLike, target: ArrayLike, amount: ArrayLike) -> "Traffic":
        """source[i] sends amount[i] to target[i]; a pair may stand there more than once.

        >>> Traffic.pairs(3, [0, 1], [1, 2], 1.0).total
        2.0
        """
        sources, targets, amounts = np.broadcast_arrays(source, target, np.asarray(amount, np.float64))
        order = np.argsort(targets, kind="stable")
        distinct, first = np.unique(targets[order], return_index=True)
        return cls(
            n,
            np.append(first, len(order)).astype(np.int64),
            sources[order].astype(np.int32),
            amounts[order].astype(np.float64),
            distinct.astype(np.int32),
            np.arange(len(distinct), dtype=np.int32),
            np.ones(len(distinct)),
        )

    def over(self, members: NDArray[np.int64], n: int) -> "Traffic":
        """The same in every group at once: rank r of group g is rank members[g, r] (int64[groups, ranks]) of n;
        they share the switches.

        >>> Traffic.uniform(2, 1.0).over(np.array([[0, 2], [1, 3]]), 4).as_pairs()[0].tolist()
        [2, 0, 3, 1]
        """
        groups, lists, ranks = len(members), len(self.list_ptr) - 1, members.shape[1]

        def placed(end: NDArray[np.int32]) -> NDArray[np.int32]:
            rank = members[:, np.minimum(end, ranks - 1)]
            return np.where(end < ranks, rank, end - ranks + n).ravel().astype(np.int32)

        starts = np.arange(groups)[:, None]
        ends = (self.list_ptr[1:] + starts * len(self.list_rank)).ravel()
        return Traffic(
            n + self.n - ranks,
            np.concatenate([[0], ends]).astype(np.int64),
            placed(self.list_rank),
            np.tile(self.list_amount, groups),
            placed(self.entry_target),
            (self.entry_list + starts * lists).ravel().astype(np.int32),
            np.tile(self.entry_scale, groups),
        )

    @classmethod
    def joined(cls, parts: "Sequence[Traffic]") -> "Traffic":
        """All of it at once, between the same ranks.

        >>> Traffic.joined([Traffic.uniform(3, 1.0), Traffic.pairs(3, [0], [2], 4.0)]).total
        10.0
        """
        ranks = np.cumsum([0, *(len(part.list_rank) for part in parts)])
        lists = np.cumsum([0, *(len(part.list_ptr) - 1 for part in parts)])
        ends = [part.list_ptr[1:] + start for part, start in zip(parts, ranks, strict=False)]
        entry_lists = [part.entry_list + start for part, start in zip(parts, lists, strict=False)]
        return cls(
            max(part.n for part in parts),
            np.concatenate([[0], *ends]).astype(np.int64),
            np.concatenate([part.list_rank for part in parts]),
            np.concatenate([part.list_amount for part in parts]),
            np.concatenate([part.entry_target for part in parts]),
            np.concatenate(entry_lists).astype(np.int32),
            np.concatenate([part.entry_scale for part in parts]),
        )

    def scaled(self, factor: float) -> "Traffic":
        """The same traffic times a factor.

        >>> Traffic.uniform(4, 0.25).scaled(4).total
        12.0
        """
        return replace(self, list_amount=self.list_amount * factor)

    @property
    def sent(self) -> NDArray[np.float64]:
        """float64[n]: what each rank sends to others."""
        fan = np.bincount(self.entry_list, self.entry_scale, minlength=len(self.list_ptr) - 1)
        sent = np.bincount(self.list_rank, self.list_amount * fan[self.list_of], minlength=self.n)
        own: NDArray[np.float64] = sent - self._to_itself()
        return own

    @property
    def received(self) -> NDArray[np.float64]:
        """float64[n]: what each rank receives from others."""
        sums = np.bincount(self.list_of, self.list_amount, minlength=len(self.list_ptr) - 1)
        received = np.bincount(self.entry_target, self.entry_scale * sums[self.entry_list], minlength=self.n)
        own: NDArray[np.float64] = received - self._to_itself()
        return own

    def crossing(self, group: NDArray[np.int64], groups: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """float64[groups] twice: what leaves each group of ranks and what enters it; `group` int64[n] is each rank's.

        >>> [side.tolist() for side in Traffic.uniform(4, 1.0).crossing(np.array([0, 0, 0, 1]), 2)]
        [[3.0, 3.0], [3.0, 3.0]]
        """
        lists = len(self.list_ptr) - 1
        sends, sent = _summed(self.list_of * groups + group[self.list_rank], self.list_amount)
        takes, taken = _summed(self.entry_list * np.int64(groups) + group[self.entry_target], self.entry_scale)
        of_list = np.bincount(sends // groups, sent, minlength=lists)
        fan = np.bincount(takes // groups, taken, minlength=lists)
        place = np.minimum(np.searchsorted(takes, sends), len(takes) - 1)
        inside = np.where(takes[place] == sends, sent * taken[place], 0.0)
        out = np.bincount(sends % groups, sent * fan[sends // groups], minlength=groups)
        into = np.bincount(takes % groups, taken * of_list[takes // groups], minlength=groups)
        stays = np.bincount(sends % groups, inside, minlength=groups)
        return (out - stays).astype(np.float64), (into - stays).astype(np.float64)

    def inside(self, group: NDArray[np.int64]) -> "Traffic | None":
        """What ranks of one group send each other, as lists of a group each; None where that is nothing. `group`
        int64[n] is each rank's.

        >>> Traffic.uniform(4, 1.0).inside(np.array([0, 0, 1, 1])).total
        4.0
        """
        if not len(self.list_rank):
            return None
        blocks = _Blocks(self, group)
        found = np.flatnonzero(blocks.shared)
        if not len(found):
            return None
        used, lists = np.unique(blocks.at[found], return_inverse=True)
        return self._of_lists(blocks.ranges(blocks.start[used], blocks.size[used]), blocks.size[used], found, lists)

    def between(self, group: NDArray[np.int64], most: int) -> "Traffic | None":
        """All but that; None where that is nothing. A list that holds ranks of the group that it goes to is listed
        anew without them, once for each such group: ValueError where that is more than `most` ranks.

        >>> Traffic.uniform(4, 1.0).between(np.array([0, 0, 1, 1]), 8).total
        8.0
        """
        if not len(self.list_rank):
            return None
        blocks = _Blocks(self, group)
        away = np.flatnonzero(~blocks.meets)
        mixed = np.flatnonzero(blocks.meets & (np.diff(self.list_ptr)[self.entry_list] > blocks.size[blocks.at]))
        if not len(away) and not len(mixed):
            return None
        used, cut = np.unique(blocks.at[mixed], return_inverse=True)
        kept, whole = np.unique(self.entry_list[away], return_inverse=True)
        of = blocks.list[used]
        begin, end = self.list_ptr[of], self.list_ptr[of + 1]
        ahead, behind = blocks.start[used] - begin, end - blocks.start[used] - blocks.size[used]
        own = np.diff(self.list_ptr)[kept]
        if own.sum() + (ahead + behind).sum() > most:
            raise ValueError(f"lists of {own.sum() + (ahead + behind).sum():,} ranks, more than {most:,}")
        starts = np.column_stack([begin, blocks.start[used] + blocks.size[used]]).ravel()
        places = np.concatenate([
            blocks.ranges(starts, np.column_stack([ahead, behind]).ravel()),
            blocks.ranges(self.list_ptr[kept], own),
        ])  # fmt: skip
        return self._of_lists(
            places, np.concatenate([ahead + behind, own]), np.concatenate([mixed, away]),
            np.concatenate([cut, whole + len(used)]),
        )  # fmt: skip

    def _of_lists(
        self, places: NDArray[np.int64], sizes: NDArray[np.int64], entries: NDArray[np.int64], lists: NDArray[np.int64]
    ) -> "Traffic":
        """Other lists, of so many places of list_rank each, and some of the entries, which take these."""
        return Traffic(
            self.n,
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            self.list_rank[places],
            self.list_amount[places],
            self.entry_target[entries],
            lists.astype(np.int32),
            self.entry_scale[entries],
        )

    @property
    def entries(self) -> int:
        """How many pairs it lists, those of a rank with itself included.

        >>> Traffic.uniform(4, 1.0).entries
        16
        """
        return int(np.diff(self.list_ptr)[self.entry_list].sum())

    @property
    def peers(self) -> int:
        """To how many ranks the busiest sender sends, itself included where it is listed.

        >>> Traffic.uniform(4, 1.0).peers, Traffic.pairs(3, [0, 0, 1], [1, 2, 2], 1.0).peers
        (4, 2)
        """
        fan = np.bincount(self.entry_list, minlength=len(self.list_ptr) - 1)
        return int(np.bincount(self.list_rank, fan[self.list_of]).max(initial=0))

    @property
    def total(self) -> float:
        """All that is sent."""
        return float(self.sent.sum())

    @property
    def list_of(self) -> NDArray[np.int64]:
        """The list that each place of list_rank belongs to."""
        return np.repeat(np.arange(len(self.list_ptr) - 1), np.diff(self.list_ptr))

    @property
    def is_uniform(self) -> bool:
        """One list that holds every rank alike, sent to every rank alike."""
        return (
            len(self.list_ptr) == 2
            and len(self.list_rank) == self.n == len(self.entry_target)
            and bool(np.all(self.list_amount == self.list_amount[0]))
            and bool(np.all(self.entry_scale == self.entry_scale[0]))
        )

    def _to_itself(self) -> NDArray[np.float64]:
        """What the lists would have each rank send to itself."""
        keys, where = np.unique(self.list_of * self.n + self.list_rank, return_inverse=True)
        amounts = np.bincount(where, self.list_amount, minlength=len(keys))
        wanted = self.entry_list.astype(np.int64) * self.n + self.entry_target
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        amount = np.where(keys[place] == wanted, amounts[place] * self.entry_scale, 0.0)
        own: NDArray[np.float64] = np.bincount(self.entry_target, amount, minlength=self.n).astype(np.float64)
        return own

    def as_pairs(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
        """Source, target and amount of every pair: quadratic for uniform demand, for small cases only."""
        sizes = np.diff(self.list_ptr)[self.entry_list]
        start = np.repeat(self.list_ptr[self.entry_list], sizes)
        within = np.arange(len(start)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        place = start + within
        target = np.repeat(self.entry_target, sizes)
        amount = self.list_amount[place] * np.repeat(self.entry_scale, sizes)
        other = self.list_rank[place] != target
        return self.list_rank[place][other], target[other], amount[other]


class _Blocks:
    """The ranks of each list group by group: block b is those of one group in `list` b, `size` of them from place
    `start` of the lists in this order. `at` is, for each entry, the block of its list in its target's group if it
    `meets` that group there; `shared` where it meets another rank than the target."""

    def __init__(self, traffic: Traffic, group: NDArray[np.int64]) -> None:
        groups = int(group.max()) + 1
        keys = traffic.list_of * groups + group[traffic.list_rank]
        self._order = np.argsort(keys, kind="stable")
        blocks, self.start, self.size = np.unique(keys[self._order], return_index=True, return_counts=True)
        self.list = blocks // groups
        wanted = traffic.entry_list * np.int64(groups) + group[traffic.entry_target]
        self.at = np.minimum(np.searchsorted(blocks, wanted), len(blocks) - 1)
        self.meets = blocks[self.at] == wanted
        first = traffic.list_rank[self._order[self.start[self.at]]]
        self.shared = self.meets & ((self.size[self.at] > 1) | (first != traffic.entry_target))

    def ranges(self, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places of list_rank in stretches of this order."""
        ahead = np.cumsum(sizes) - sizes
        places: NDArray[np.int64] = self._order[np.arange(sizes.sum()) + np.repeat(starts - ahead, sizes)]
        return places


def _summed(keys: NDArray[np.int64], amounts: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Different keys in order, and the sum of the amounts of each."""
    distinct, where = np.unique(keys, return_inverse=True)
    return distinct, np.bincount(where, amounts, minlength=len(distinct)).astype(np.float64)
