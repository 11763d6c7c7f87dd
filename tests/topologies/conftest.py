"""Topologies that many tests look at, built once."""

from collections.abc import Callable
from functools import cache

import pytest

from topologies.graph import Topology
from topologies.registry import build

collect_ignore = ["simgrid_driver.py"]  # for the Python that has SimGrid


@pytest.fixture(scope="session")
def built() -> Callable[[str], Topology]:
    """The topology of a spec, the same one every time: to look at, not to change."""
    return cache(build)
