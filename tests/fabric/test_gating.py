"""Gating: probabilities against all choices counted out, hypergeometric closed forms, and sampled routing."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.gating import random, spread, zipf_odds


def counted(odds, rank_of, domain_of, topk, most):
    """The same by going through every choice."""
    total, to_rank, picks = 0.0, np.zeros(len(domain_of)), np.zeros(len(domain_of))
    to_domain = np.zeros(domain_of.max() + 1)
    for chosen in combinations(range(len(odds)), topk):
        ranks = rank_of[list(chosen)]
        domains = np.unique(domain_of[ranks])
        if most is not None and len(domains) > most:
            continue
        weight = float(np.prod(odds[list(chosen)]))
        total += weight
        to_rank[np.unique(ranks)] += weight
        to_domain[domains] += weight
        np.add.at(picks, ranks, weight)
    return to_rank / total, to_domain / total, picks / total


@given(st.data())
def test_every_choice_counted(data):
    experts = data.draw(st.integers(2, 11))
    n = data.draw(st.integers(1, min(experts, 6)))
    domain_of = np.unique(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), return_inverse=True)[1]
    rank_of = np.arange(experts) * n // experts
    odds = np.array(data.draw(st.lists(st.floats(0.01, 100), min_size=experts, max_size=experts)))
    topk = data.draw(st.integers(1, min(experts, 4)))
    smallest = np.sort(np.bincount(domain_of[rank_of])).cumsum()
    most = data.draw(st.none() | st.integers(1, len(smallest)).filter(lambda m: smallest[m - 1] >= topk))
    found = random(odds, rank_of, domain_of, topk, most)
    for values, expected in zip(
        (found.to_rank, found.to_domain, found.picks), counted(odds, rank_of, domain_of, topk, most), strict=True
    ):
        assert values == pytest.approx(expected, abs=1e-9)


def test_equal_odds_are_hypergeometric():
    found = random(np.ones(256), np.arange(256) // 8, np.arange(32) // 8, 8, None)
    assert found.to_rank == pytest.approx(1 - comb(248, 8) / comb(256, 8))
    assert found.to_domain == pytest.approx(1 - comb(192, 8) / comb(256, 8))
    assert found.picks == pytest.approx(8 / 32)


def test_sampled_routing_with_a_limit_of_domains():
    # DeepSeek-V3's shape made small: 32 experts on 8 ranks in 4 domains, 4 experts a token in at most 2 domains
    rng, tokens = np.random.default_rng(3), 40_000
    rank_of, domain_of, odds = np.arange(32) // 4, np.arange(8) // 2, zipf_odds(32, 0.7, 5)
    hits, kept = np.zeros(8), 0
    for chosen in (rng.random((tokens, 32)) < odds / (1 + odds)):  # a choice of any size, likely as its odds' product
        ranks = rank_of[chosen]
        if len(ranks) == 4 and len(np.unique(domain_of[ranks])) <= 2:
            hits[np.unique(ranks)] += 1
            kept += 1
    found = random(odds, rank_of, domain_of, 4, 2).to_rank
    error = np.sqrt(found * (1 - found) / kept)
    assert kept > 500 and np.all(np.abs(hits / kept - found) < 4 * error)


def test_even_spread():
    found = spread(32, np.arange(32) // 8, 8, None)  # 8 ranks of 32, in all 4 domains
    assert found.to_rank == pytest.approx(0.25) and found.to_domain == pytest.approx(1) and found.picks.sum() == 8
    limited = spread(64, np.arange(64) // 8, 8, 4)  # 2 ranks in each of 4 of 8 domains
    assert limited.to_rank.sum() == pytest.approx(8) and limited.to_domain == pytest.approx(0.5)
    assert spread(4, np.zeros(4, int), 8, None).to_rank == pytest.approx(1)


@pytest.mark.parametrize("most", [None, 4])
def test_large_layers_stay_exact(most):
    found = random(zipf_odds(30_000, 0.5, 0), np.arange(30_000) // 3, np.arange(10_000) // 8, 8, most)
    assert found.picks.sum() == pytest.approx(8) and np.all(found.to_rank <= found.picks * (1 + 1e-12))
    if most:
        assert found.to_domain.sum() <= most
