"""Who takes part: lists of ranks, dimensions of parallelism, placements; and what is wrong with them, in one line."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.groups import Groups
from fabric.membership import check_membership, chosen_ranks, groups_of
from fabric.placement import placed
from topologies.errors import ConfigError
from topologies.registry import build

RAIL = "rail:servers=4,gpus=4"


def members(spec, **asked):
    return groups_of(build(spec), **asked).members.tolist()


def test_the_first_dimension_varies_fastest_as_in_megatron():
    """Rank = tp + 2 (pp + 2 dp): a group over dp holds ranks 4 apart, the groups count up tp, then pp."""
    found = members("switch:n=16", group="tp=2,pp=2,dp=4", over="dp")
    assert found == [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]]
    assert members("switch:n=8", group="tp=2,pp=2,dp=2", over="tp,dp") == [[0, 1, 4, 5], [2, 3, 6, 7]]


def test_what_the_product_leaves_over_is_more_groups():
    assert members("switch:n=8", group="tp=2") == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert members("switch:n=8", ranks="4-7", group={"tp": 2}, over=["tp"]) == [[4, 5], [6, 7]]


@given(st.dictionaries(st.sampled_from(["tp", "cp", "ep", "pp", "dp"]), st.integers(1, 4), min_size=1), st.data())
def test_groups_part_the_ranks_and_vary_in_their_dimensions_alone(sizes, data):
    total = prod(sizes.values())
    over = data.draw(st.sets(st.sampled_from(sorted(sizes)), min_size=1))
    if prod(sizes[name] for name in over) < 2:
        return
    found = groups_of(build(f"switch:n={max(2, total)}"), ranks=range(total), group=sizes, over=sorted(over))
    assert sorted(found.members.ravel().tolist()) == list(range(total))
    strides = dict(zip(sizes, np.cumprod([1, *sizes.values()]), strict=False))
    for name, size in sizes.items():
        digit = found.members // strides[name] % size
        same_in_group = (digit == digit[:, :1]).all()
        assert same_in_group == (name not in over or size == 1)


def test_striped_deals_out_over_domains_then_leaves():
    assert placed(build(RAIL), "striped")[:6].tolist() == [0, 4, 8, 12, 1, 5]
    tree = build("clos:hosts=6,leaf_hosts=4,uplinks=2,spines=1")  # leaves of 4 and 2: the full one is passed by
    assert placed(tree, "striped").tolist() == [0, 4, 1, 5, 2, 3]
    assert placed(build("switch:n=4"), "striped").tolist() == [0, 1, 2, 3]


def test_random_is_a_permutation_that_hangs_on_the_seed():
    torus = build("torus:dims=4x4")
    one, again, other = (placed(torus, "random", seed).tolist() for seed in (1, 1, 2))
    assert one == again != other
    assert sorted(one) == list(range(16))


def test_a_file_names_the_node_of_each_rank(tmp_path):
    file = tmp_path / "nodes.txt"
    file.write_text("gpu-1-0  # rank 0\n\n# idle: the rest\ngpu-0-3\ngpu-0-0\n")
    found = groups_of(build(RAIL), placement=file)
    assert found.members.tolist() == [[4, 3, 0]]
    assert members(RAIL, placement=["gpu-1-0", "gpu-0-3", "gpu-0-0"], ranks="2,0") == [[0, 4]]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"ranks": "0-16"}, "16 is out of range.*0 to 15"),
        ({"ranks": "0-999999999"}, "out of range"),
        ({"ranks": [-1, 2]}, "-?1.* is out of range|out of range"),
        ({"ranks": "1,0-3"}, "1 is given twice"),
        ({"ranks": "3"}, "one rank"),
        ({"ranks": []}, "one rank|no rank"),
        ({"ranks": [1.5]}, "whole numbers"),
        ({"group": "tp=3"}, "tp 3 = 3 does not divide the 16 ranks"),
        ({"group": "tp=4,dp=5", "over": "tp"}, "tp 4 x dp 5 = 20 does not divide"),
        ({"group": "tp=1,dp=16", "over": "tp"}, "one rank"),
        ({"group": {"tp": 0}}, "size of 1 or more"),
        ({"placement": "stripped"}, "packed, striped, random"),
        ({"placement": ["gpu-9-9", "gpu-0-0"]}, "'gpu-9-9' is no accelerator"),
        ({"placement": ["gpu-0-0", "gpu-0-0"]}, "gpu-0-0 is given to 2 ranks"),
    ],
)
def test_what_does_not_fit_is_named(asked, words):
    with pytest.raises(ConfigError, match=words) as caught:
        groups_of(build(RAIL), **asked)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("ranks", "group", "over", "words"),
    [
        ("a-b", None, None, "'a-b' is no rank"),
        ("0-7,", None, None, "'' is no rank"),
        ("7-0", None, None, "backwards"),
        (None, "tp", None, "'tp' is not a dimension"),
        (None, "tp=8,tp=2", None, "tp is given twice"),
        (None, "tp=-8", None, "not a dimension"),
        (None, "tp=2,dp=2", None, "--over tp or dp"),
        (None, "tp=2,dp=2", "pp", "--over pp"),
        (None, "tp=2,dp=2", "tp,tp", "twice"),
        (None, None, "tp", "--group"),
    ],
)
def test_what_no_fabric_could_answer_is_refused_without_one(ranks, group, over, words):
    with pytest.raises(ConfigError, match=words):
        check_membership(ranks, group, over)


def test_striped_needs_something_to_deal_out_over():
    with pytest.raises(ConfigError, match="one accelerator on each"):
        placed(build("torus:dims=4x4"), "striped")


@given(st.lists(st.integers(0, 99), min_size=1, max_size=30, unique=True))
def test_lists_of_ranks_are_read_as_written(ranks):
    assert chosen_ranks(",".join(map(str, ranks)), 100).tolist() == ranks


def test_kinds_part_groups_by_what_algorithms_see():
    torus = build("torus:dims=4x4")
    lines = Groups(np.array([[0, 1, 2, 3], [4, 5, 6, 7], [8, 12, 9, 13], [10, 11, 14, 15]]))
    kinds = [rows.tolist() for rows in lines.kinds(torus)]
    assert kinds == [[0, 1], [2, 3]]  # rings along x; blocks of two by two, whichever way they are numbered
    assert [rows.tolist() for rows in Groups(np.arange(16).reshape(4, 4)).kinds(build(RAIL))] == [[0, 1, 2, 3]]
