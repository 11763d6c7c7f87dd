"""Gating: how likely a token goes to a rank or a scale-up domain, exactly, where a gate picks some of many experts."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Gates:
    """What a gate does to n ranks and their D domains.

    `to_rank` float64[n] and `to_domain` float64[D] are the probabilities that a token goes to any expert there, `picks`
    float64[n] the expected number of its experts on a rank (which sum to top-k).
    """

    to_rank: Floats
    to_domain: Floats
    picks: Floats


def spread(n: int, domain_of: NDArray[np.int64], topk: int, most_domains: int | None) -> Gates:
    """Every token to as many ranks as it has experts, evenly over them: what benchmarks call balanced routing.

    >>> spread(16, np.arange(16) // 8, 8, None).to_rank[0], spread(4, np.zeros(4, int), 8, None).picks[0]
    (np.float64(0.5), np.float64(2.0))
    """
    sizes = np.bincount(domain_of)
    reached = min(len(sizes), topk, most_domains or topk)
    ranks = np.minimum(topk / reached, sizes) * reached / len(sizes) / sizes
    return Gates(np.minimum(ranks[domain_of], 1.0), np.full(len(sizes), reached / len(sizes)), np.full(n, topk / n))


def random(
    odds: Floats, rank_of: NDArray[np.int64], domain_of: NDArray[np.int64], topk: int, most_domains: int | None
) -> Gates:
    """Every choice of `topk` experts on at most `most_domains` domains, likely in proportion to the product of its
    experts' `odds` float64[E].

    The gate of largest entropy for given popularities (conditional Poisson sampling: Chen, Dempster, Liu, Biometrika
    81, 1994); with equal odds every allowed choice is as likely. Probabilities are ratios of elementary symmetric
    polynomials, summed from positive terms only, so exact up to rounding. `rank_of` int64[E] climbs; `domain_of`
    int64[n] is any order.

    >>> gates = random(np.ones(256), np.arange(256) // 32, np.zeros(8, int), 8, None)
    >>> round(gates.to_rank.sum(), 3)  # 8 experts on 5.3 of 8 ranks: 8 (1 - C(224, 8) / C(256, 8))
    np.float64(5.295)
    """
    n, domains = len(domain_of), int(domain_of.max()) + 1
    most = min(most_domains or topk, topk, domains)
    ranks = _of_ranks(odds * (topk / odds.sum()), rank_of, n, topk)
    table = _by_domain(domain_of)
    padded = np.concatenate([ranks, _one(topk)[None]])[table]  # [D, g, k + 1]; where a domain has no rank, 1
    others, whole = _without_each(padded, _times)  # of the other ranks of a domain, and of all its ranks
    below, upto = _rest(whole, most, domains)  # of the other domains, fewer than `most` of them and at most `most`
    total = whole[0, 1:] @ below[0, topk - 1 :: -1] + upto[0, topk]
    missing = (others[:, :, 1:] * below[:, None, topk - 1 :: -1]).sum(-1) + upto[:, None, topk]
    on_rank = np.zeros(padded.shape[:2])
    for picked in range(1, topk + 1):
        left = (others[:, :, : topk - picked + 1] * below[:, None, topk - picked :: -1]).sum(-1)
        on_rank += picked * padded[:, :, picked] * left
    held = table < n
    to_rank, picks = np.zeros(n), np.zeros(n)
    to_rank[table[held]] = 1 - missing[held] / total
    picks[table[held]] = on_rank[held] / total
    return Gates(to_rank, 1 - upto[:, topk] / total, picks)


def zipf_odds(experts: int, exponent: float, seed: int) -> Floats:
    """float64[E]: odds that fall with the popularity's rank to the power of `exponent`, in an order drawn by the seed.

    >>> zipf_odds(3, 0.0, 1).tolist(), sorted(zipf_odds(2, 1.0, 1).tolist())
    ([1.0, 1.0, 1.0], [0.5, 1.0])
    """
    order = np.random.default_rng(seed).permutation(experts)
    odds: Floats = np.power(order + 1.0, -exponent)
    return odds


def _one(degree: int) -> Floats:
    one = np.zeros(degree + 1)
    one[0] = 1.0
    return one


def _times(a: Floats, b: Floats) -> Floats:
    """Products of polynomials along the last axis, up to its degree."""
    out = np.zeros(np.broadcast_shapes(a.shape, b.shape))
    for power in range(a.shape[-1]):
        out[..., power:] += a[..., power, None] * b[..., : b.shape[-1] - power]
    return out


def _of_ranks(odds: Floats, rank_of: NDArray[np.int64], n: int, degree: int) -> Floats:
    """float64[n, k + 1]: the product of 1 + odds x over the experts of each rank."""
    out = np.tile(_one(degree), (n, 1))
    place = np.arange(len(odds)) - np.searchsorted(rank_of, rank_of)
    for turn in range(int(place.max()) + 1):
        mine = place == turn
        out[rank_of[mine], 1:] += odds[mine, None] * out[rank_of[mine], :-1]
    return out


def _by_domain(domain_of: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[D, g]: the ranks of each domain, n where it has fewer than the largest."""
    n, sizes = len(domain_of), np.bincount(domain_of)
    order = np.argsort(domain_of, kind="stable")
    place = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    table = np.full((len(sizes), int(sizes.max())), n)
    table[domain_of[order], place] = order
    return table


def _without_each(factors: Floats, times: Times) -> tuple[Floats, Floats]:
    """For factors [B, g, ...]: their product over g without each one, and the whole [B, ...].

    Up and down a tree of pairs: dividing the whole by each one would cancel.
    """
    count, one = factors.shape[1], np.zeros((1, 1, *factors.shape[2:]))
    one.flat[0] = 1.0
    spare = (1 << (count - 1).bit_length()) - count
    levels = [np.concatenate([factors, np.tile(one, (len(factors), spare, *[1] * (one.ndim - 2)))], axis=1)]
    while levels[-1].shape[1] > 1:
        levels.append(times(levels[-1][:, 0::2], levels[-1][:, 1::2]))
    others = np.tile(one, (len(factors), 1, *[1] * (one.ndim - 2)))
    for level in reversed(levels[:-1]):
        partner = np.arange(level.shape[1]) ^ 1
        others = times(np.repeat(others, 2, axis=1), level[:, partner])
    return others[:, :count], levels[-1][:, 0]


def _rest(whole: Floats, most: int, domains: int) -> tuple[Floats, Floats]:
    """For each domain, the product over the others with fewer than `most` of them touched, and with at most `most`:
    float64[D, k + 1] each."""
    degree = whole.shape[1] - 1
    if most >= min(degree, domains):  # no limit: of `degree` picks beside one here, fewer than `degree` are left
        rest = _without_each(whole[None], _times)[0][0]
        return rest, rest
    touched = np.zeros((1, domains, most + 1, degree + 1))  # by the number of touched domains, 0 or 1
    touched[0, :, 0, 0] = 1.0
    touched[0, :, 1, 1:] = whole[:, 1:]
    by_count = _without_each(touched, _times_counted)[0][0]
    return by_count[:, :most].sum(1), by_count.sum(1)


def _times_counted(a: Floats, b: Floats) -> Floats:
    """Products of polynomials in two variables along the last two axes, up to their degrees."""
    out = np.zeros(np.broadcast_shapes(a.shape, b.shape))
    for used in range(a.shape[-2]):
        out[..., used:, :] += _times(a[..., used, None, :], b[..., : b.shape[-2] - used, :])
    return out
