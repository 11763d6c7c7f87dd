"""Topologies that many tests look at, built once, and where the real inputs are."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from topologies.graph import Topology
from topologies.registry import build

INPUTS = Path(__file__).parents[3] / "shared/inputs"


@pytest.fixture(scope="session")
def built() -> Callable[[str], Topology]:
    """The topology of a spec, the same one every time: to look at, not to change."""
    return cache(build)


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """A path among the real inputs; the test skips where they are absent."""

    def find(name: str) -> Path:
        if not INPUTS.is_dir():
            pytest.skip("the real inputs (../shared/inputs) are not here")
        return INPUTS / name

    return find
