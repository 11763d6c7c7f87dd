"""Names of routings: what auto picks, what is refused."""

import pytest

from fabric.routing.policy import parse_routing, preferred
from fabric.routing.registry import resolve, route
from fabric.routing.router import RoutingOptions
from fabric.traffic import Traffic
from topologies.errors import ConfigError
from topologies.registry import build


def test_auto_picks_by_geometry():
    assert resolve(build("torus:dims=4x4x8,twist=true"), "auto") == "ecmp"
    assert resolve(build("fat-tree:k=4"), "auto") == "ecmp"
    assert resolve(build("mesh:dims=4x4"), "auto") == "dor"
    assert resolve(build("mesh:dims=4x4"), "ecmp") == "ecmp"


@pytest.mark.parametrize(
    ("spec", "routing", "said"),
    [
        ("fat-tree:k=4", "dor", "it is no grid; use ecmp"),
        ("torus:dims=4x4x8,twist=true", "dor", "its wraparound is twisted; use ecmp"),
        ("fat-tree:k=4", "ecpm", "did you mean 'ecmp'"),
    ],
)
def test_refused(spec, routing, said):
    with pytest.raises(ConfigError) as error:
        resolve(build(spec), routing)
    assert said in str(error.value)


def test_an_unknown_tie_is_refused():
    with pytest.raises(ConfigError, match="tie 'even' is not one of split, positive"):
        route(build("ring:n=4"), Traffic.uniform(4, 1.0), "dor", RoutingOptions(tie="even"))


def test_flows_per_pair_is_positive():
    with pytest.raises(ConfigError, match="flows per pair = 0 is below 1"):
        route(build("ring:n=4"), Traffic.uniform(4, 1.0), "hash", RoutingOptions(flows_per_pair=0))


@pytest.mark.parametrize(
    ("spec", "picked"),
    [
        ("torus:dims=4x4", "dor"), ("mesh:dims=4x4", "dor"), ("torus:dims=4x4x8,twist=true", "ecmp"),
        ("tpu-v4-512", "dor"), ("nvl72", "adaptive"), ("dgx-h100-superpod-256", "adaptive"),
        ("clos:hosts=128", "adaptive"), ("clos:hosts=128,switch=sn5600", "adaptive"),
        ("clos:hosts=64,switch=th4-64x400g", "hash"), ("rail:servers=4,switch=th4-64x400g", "hash"),
        ("jupiter:blocks=5,uplinks=6,hosts=2", "te"), ("dragonfly:p=1,a=2,h=1,switch=qm9700", "ugal"),
        ("jellyfish:n=7,degree=2,p=2", "ugal"), ("xpander:n=8,degree=3,p=1", "ugal"),
        ("fat-tree:k=4", "ecmp"), ("full-mesh:n=4", "ecmp"), ("switch:n=4", "ecmp"),
    ],
)  # fmt: skip
def test_auto_is_what_the_real_fabric_does(spec, picked):
    topology = build(spec)
    assert preferred(topology) == picked
    assert resolve(topology, "auto") == picked


@pytest.mark.parametrize(
    ("routing", "said"),
    [
        ("ksp", "routing 'ksp' needs the number of shortest paths; write ksp:8"),
        ("ksp:", "routing 'ksp' needs the number of shortest paths; write ksp:8"),
        ("ksp:0", "'0' is no whole number of 1 or more"),
        ("ksp:x", "'x' is no whole number of 1 or more"),
        ("vlb:-1", "'-1' is no whole number of 1 or more"),
        ("lft", "needs a file of forwarding tables"),
        ("ecmp:3", "routing 'ecmp' takes no argument, '3' was given; write ecmp"),
    ],
)
def test_names_that_cannot_be_read(routing, said):
    with pytest.raises(ConfigError) as error:
        resolve(build("ring:n=4"), routing)
    assert said in str(error.value) and "\n" not in str(error.value)
    assert parse_routing("ksp:12") == ("ksp", "12")
