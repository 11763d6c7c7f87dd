"""Every parameter of every family and ready-made system changes what `show` says, or is refused."""

from types import NoneType
from typing import get_args, get_origin

import pytest

from fabric.describing import describe
from topologies.errors import ConfigError, FabricError
from topologies.families import FAMILIES, family, systems
from topologies.parameters import example
from topologies.registry import build

# smaller fabrics of the same make, and families whose example has only one switch
SMALL = {
    "rail": "servers=40", "multi-plane": "servers=8,uplinks=24", "jupiter": "blocks=4,uplinks=6", "clos": "hosts=128",
    "jupiter-64x512": "blocks=4,uplinks=6",
    "nvl72-x8": "servers=2,gpus=8", "tpu-v4-512": "slice=4x4x4", "tpu-v4-1024": "slice=4x4x8",
    "tpu-v4-4096": "slice=4x4x8",
    **{name: "servers=8" for name, system in systems().items() if system.family == "rail" and name != "nvl72-x8"},
    **{name: "servers=2,gpus=8" for name in systems() if "nvl72-x" in name and "rail-only" not in name},
    **{name: "servers=4" for name, system in systems().items() if system.family == "server"},
    "nvl72-x64-rail-only": "servers=2,gpus=8,rails=8", "alibaba-hpn-pod": "servers=256", "cloudmatrix": "servers=4",
    "colossus-100k": "servers=512",
    "meta-24k": "servers=32,pod_leaves=8,spines=4", "cloudmatrix384": "servers=4", "server": "servers=4",
    "rotornet-128": "racks=8", "opus-2048": "servers=8,ports=4", "infinitehbd-2880": "nodes=12", "topoopt-128": "n=16",
    "mixnet-1024": "servers=16", "dragonfly": "p=1,a=4,h=2", "bcube": "n=2,k=1", "photonic-rail": "servers=8,ports=4",
    "nvl576-copper": "gpus=144,links=2", "nvl576-cpo": "gpus=144,links=2", "dgx-h100-rail-only-1024": "servers=72",
}  # fmt: skip
# values that differ from any default; several, as some do not fit some fabrics
OTHER = {
    "accelerator": ["h100-sxm", "gb200", "tpu-v4"],
    "switch": ["sn5600", "nvswitch6", "th6-128x800g"],
    "scaleup_switch": ["nvswitch4", "nvswitch6"],
    "nic": ["cx8-800g", "cx7-400g"],
    "ocs": ["polatis-384"],
    "optic": ["400g-dr4", "400g-fr4"],
    "ocs_optic": ["400g-fr4"],
    "cable": ["aoc-800g", "800g-lpo"],
    "scaleup_cable": ["nvlink5-board", "nvlink5-cartridge", "xgmi-board"],
    "technology": ["pluggable", "cpo", "dac", "cartridge"],
    "dims": ["4x4", "8x8"],
    "slice": ["4x8x8"],
}


def values(parameter):
    """Spec texts of a parameter that are none of its defaults."""
    if parameter.name in OTHER:
        return OTHER[parameter.name]
    kinds = get_args(parameter.type) if NoneType in get_args(parameter.type) else (parameter.type,)
    kind = next(k for k in kinds if k is not NoneType)
    if get_args(kind) and get_origin(kind) is not tuple:
        return [str(choice) for choice in get_args(kind)]
    if kind is bool:
        return ["true", "false"]
    if get_origin(kind) is tuple:
        return ["false", "true"]
    return {int: ["2", "3", "6"], float: ["200", "3", "7"]}.get(kind, ["odd"])


def spec_of(name):
    small = SMALL.get(name)
    if small is not None:
        return f"{name}:{small}"
    return name if name in systems() else example(family(name))


def with_value(spec, key, value):
    """The spec with a key set, in place of what it gives."""
    name, _, rest = spec.partition(":")
    given = dict(pair.split("=") for pair in rest.split(",") if pair) | {key: value}
    return f"{name}:{','.join(f'{k}={v}' for k, v in given.items())}"


def shown(spec):
    try:
        found = describe(build(spec))
    except FabricError as error:
        return str(error)
    return {key: value for key, value in found.items() if key not in ("name", "parameters")}


# of systems alike in what they set, one; of the first of a family every parameter, of the others what they set
ALIKE = {(system.family, *system.parameters): name for name, system in reversed(systems().items())}
FIRST = {systems()[name].family: name for name in ALIKE.values()}
SAME = {
    ("meta-24k", "core"),  # one rail: with spines above it or without any between rails, it is one network
    ("meta-24k", "tiers"),  # 3 is what it comes to, 2 is refused
}
CASES = [(name, key) for name in FAMILIES for key in family(name).parameters] + [
    (name, key)
    for name in sorted(ALIKE.values())
    for key in family(systems()[name].family).parameters
    if (name in FIRST.values() or key in systems()[name].parameters) and (name, key) not in SAME
]


@pytest.fixture(scope="module")
def plain():
    """What each fabric shows without the change, once."""
    known = {}

    def described(name):
        if name not in known:
            known[name] = shown(spec_of(name))
        return known[name]

    return described


@pytest.mark.parametrize(("name", "key"), CASES, ids=[f"{name}:{key}" for name, key in CASES])
def test_a_parameter_counts_or_is_refused(name, key, plain):
    """Of the values that are taken and are not what the default comes to, one at least changes what is shown."""
    spec = spec_of(name)
    chosen = family(systems()[name].family if name in systems() else name)
    default = build(spec).parameters[key]
    taken = []
    for value in values(chosen.parameters[key]):
        try:
            changed = build(with_value(spec, key, value))
        except FabricError as error:
            assert str(error)
            continue
        if changed.parameters[key] != default:
            taken.append(value)
    assert not taken or any(shown(with_value(spec, key, value)) != plain(name) for value in taken)


@pytest.mark.parametrize(
    "spec",
    [
        "clos:hosts=8,oversubscription=2", "rail:servers=4,rails=1,tiers=3",
        "rail:servers=4,rails=1,oversubscription=2",
        "rail:servers=4,core=none,tiers=3", "rail:servers=64,ocs=polatis-384", "rail:servers=64,ocs_optic=400g-fr4",
        "nvl:gpus=144,layers=2,switches_per_tray=4", "jupiter:blocks=4,uplinks=6,optic=400g-dr4",
        "jupiter:blocks=4,uplinks=6,spine=true,ocs=polatis-384", "jupiter:spine=true,ocs_optic=400g-fr4",
    ],
)  # fmt: skip
def test_what_has_no_effect_is_refused(spec):
    with pytest.raises(ConfigError, match="has no effect"):
        build(spec)


def cables(topology):
    return {edge["cable"] for _, _, edge in topology.edges}


@pytest.mark.parametrize(
    ("spec", "inside"),
    [
        ("tpu-v4-64", {"ici-v4-copper", "ici-osfp-400g"}),
        ("tpu-v4-64:technology=pluggable", {"800g-2xdr4", "ici-osfp-400g"}),
        ("tpu-pod:slice=4x4x4,technology=aec", {"aec-400g", "ici-osfp-400g"}),
        ("tpu-v4-64:technology=dac", {"ici-v4-copper", "ici-osfp-400g"}),  # the system's own is one
        ("tpu-v5e-256", {"ici-v5e-copper"}), ("tpu-v5e-256:technology=cpo", {"1600g-cpo"}),
        ("tpu-v5e-256:technology=pluggable,cable=800g-sr8", {"800g-sr8"}), ("ring:n=4,cable=aec-400g", {"aec-400g"}),
        ("nvl72:technology=pluggable", {"1600g-dr8"}),
    ],
)  # fmt: skip
def test_a_technology_given_puts_aside_a_cable_that_is_set(spec, inside):
    assert cables(build(spec)) == inside


def test_a_file_overrides_like_a_spec(tmp_path):
    (tmp_path / "t.toml").write_text('family = "tpu-v5e-256"\n[parameters]\ntechnology = "aec"\n')
    assert cables(build(str(tmp_path / "t.toml"))) == {"aec-400g"}


@pytest.mark.parametrize("spec", ["ring:n=4,technology=lpo,cable=dac-400g", "nvl72:technology=cpo,cable=1600g-dr8"])
def test_technology_and_cable_must_agree(spec):
    with pytest.raises(ConfigError, match=r"cable '.*' is of technology .*, not .*; give one of the two"):
        build(spec)
