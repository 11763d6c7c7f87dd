"""Plugins: another distribution's families, listed with their origin, harmless where they are broken."""

import sys
from pathlib import Path

import pytest

from topologies.errors import ConfigError
from topologies.families import FAMILIES, family, systems
from topologies.plugins import faults, plugins
from topologies.registry import build

FOLDER = Path(__file__).parents[1] / "plugin"


@pytest.fixture
def installed(monkeypatch):
    """The distribution on the path, as pip --target leaves it."""
    monkeypatch.syspath_prepend(str(FOLDER))
    family.cache_clear()
    yield
    family.cache_clear()
    sys.modules.pop("petal", None)


def test_a_plugin_builds_by_its_name(installed):
    built = build("petal:n=5")
    assert (built.name, built.family, built.links, len(built.accelerators)) == ("petal:n=5", "petal", 5, 6)
    assert {edge["rate_gbps"] for *_, edge in build("petal:n=5,rate_gbps=800G").edges} == {800}
    found = family("petal")
    assert (found.origin, found.source) == ("aifabric-petal 1.2", "a garden, 2026")
    assert found.parameters["n"].meaning == "petals" and found.summary.startswith("A wheel")


def test_plugins_are_listed_with_their_origin(installed):
    assert [(p.name, p.origin) for p in plugins() if p.origin == "aifabric-petal 1.2"] == [
        (name, "aifabric-petal 1.2") for name in ("petal", "rootless", "torus", "wilted")
    ]


def test_a_plugin_does_not_shadow_what_is_built_in(installed):
    assert build("torus:dims=4x4").family == "torus" and not family("torus").origin
    wrong = faults({*FAMILIES, *systems()})
    assert "the built-in 'torus' has that name" in wrong["torus", "aifabric-petal 1.2"]
    assert "no water" in wrong["wilted", "aifabric-petal 1.2"]
    assert ("petal", "aifabric-petal 1.2") not in wrong


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("wilted:n=3", "'wilted' of aifabric-petal 1.2 cannot be loaded: .*wilted.py line 3: ImportError: no water"),
        ("rootless", "plugin 'rootless' of aifabric-petal 1.2 cannot be loaded"),
        ("petl:n=3", "did you mean 'petal'"),
        ("petal:n=0", "petal: n = 0 is below 1"),
    ],
)
def test_a_broken_plugin_has_one_line(installed, spec, said):
    with pytest.raises(ConfigError, match=said) as error:
        build(spec)
    assert "\n" not in str(error.value)
    assert build("ring:n=4").links == 4


def test_without_the_distribution_there_is_no_such_family():
    with pytest.raises(ConfigError, match="no topology is named 'petal'"):
        build("petal:n=5")
