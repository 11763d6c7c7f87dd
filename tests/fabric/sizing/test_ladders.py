"""Ladders: every family grows, by its row, and what a user states stays."""

import pytest

from fabric.sizing.ladders import ladder
from fabric.sizing.rules import rules
from topologies.errors import ConfigError
from topologies.families import FAMILIES
from topologies.parts import catalogue
from topologies.registry import build

PARTS = catalogue()


def test_every_family_has_a_row():
    assert set(rules()) == set(FAMILIES)


@pytest.mark.parametrize("family", sorted(rules()))
def test_each_candidate_is_larger_than_the_one_before(family):
    grown = ladder(rules()[family].spec, 4096, PARTS)
    counts = [len(grown.build(i).accelerators) for i in range(3)]
    assert counts[0] < counts[1] < counts[2]


@pytest.mark.parametrize("spec", ["tpu-v4-64", "fat-tree:k=4", "nvl72-x64", "hyperx:dims=4x4", "torus:dims=4x4"])
def test_a_candidate_is_the_fabric_that_its_name_builds(spec):
    grown = ladder(spec, 4096, PARTS)
    for i in (0, 3):
        made, named = grown.build(i), build(grown.name(i))
        assert made.name == named.name == grown.name(i)
        assert made.parameters == named.parameters and made.nodes == named.nodes


def test_shapes_grow_as_evenly_as_they_can():
    slices = [ladder("tpu-v4-64", 2048, PARTS).name(i).partition("slice=")[2] for i in range(6)]
    assert slices == ["4x4x4", "4x4x8", "4x8x8", "8x8x8", "8x8x12", "8x8x16"]


def test_twisted_shapes_are_those_that_can_be_twisted():
    grown = ladder("torus:dims=4x4x8,twist=true,accelerator=tpu-v5p", 4096, PARTS)
    shapes = [grown.build(i).parameters["dims"] for i in range(4)]
    assert shapes == [(4, 4, 8), (4, 8, 8), (8, 8, 16), (8, 16, 16)]


def test_what_follows_from_the_size_of_a_system_follows_and_what_the_user_states_stays():
    assert ladder("nvl72-x64", 4096, PARTS).name(0) == "nvl72-x64:tiers=none,cores=none,servers=2"
    assert ladder("nvl72-x64:cores=4", 4096, PARTS).name(0) == "nvl72-x64:cores=4,tiers=none,servers=2"


def test_a_domain_grows_by_whole_domains_on_its_network():
    grown = ladder("nvl72", 4096, PARTS, "rail:rails=4,nic=cx8-800g,rate_gbps=800,switch=q3400")
    assert grown.build(0).name == "nvl72"
    three = grown.build(2)
    assert (len(three.accelerators), len(three.domains), len(three.racks)) == (216, 3, 5)  # two of switches
    assert {d.get("nic") for _, _, d in three.edges} == {None, "cx8-800g"}


def test_a_composition_grows_by_whole_multiples_of_its_mix(tmp_path):
    pod = tmp_path / "pod.toml"
    pod.write_text(
        '[[racks]]\nunit = "nvl72"\ncount = 4\n[[racks]]\nunit = "hgx-h100"\ncount = 6\n'
        '[scale_out]\nfamily = "clos"\n', encoding="utf-8",
    )  # fmt: skip
    grown = ladder(str(pod), 4096, PARTS)
    assert [len(grown.build(i).accelerators) for i in (0, 1)] == [2 * 72 + 3 * 8, 4 * 72 + 6 * 8]


@pytest.mark.parametrize(
    ("spec", "scale_out", "said"),
    [
        ("pod.json", None, "is one fabric as it stands"),
        ("tpu-v4-64", "rail:rails=4", "has a network of its own"),
        ("nvl72", "pod.toml", "is a file"),
        ("xpander:n=8,degree=three,p=2", None, "grows by degree"),
        ("nvl27", None, "did you mean"),
    ],
)
def test_what_cannot_grow(spec, scale_out, said):
    with pytest.raises(ConfigError, match=said):
        ladder(spec, 4096, PARTS, scale_out)
