"""Programs of two and more ranks by hand, and where the real inputs are."""

from pathlib import Path

import pytest

from fabric.schedules import Recorded
from fabric.schedules.program import Program

INPUTS = Path(__file__).parents[4] / "shared/inputs"


@pytest.fixture(scope="session")
def real():
    """A path among the real inputs; the test skips where they are absent."""

    def find(name):
        if not INPUTS.is_dir():
            pytest.skip("the real inputs (../shared/inputs) are not here")
        return INPUTS / name

    return find


def recorded(program):
    return Recorded("by hand", "goal", program.ranks, None, lambda size: program)


@pytest.fixture
def hand():
    """A recorded schedule of a program, and an empty program of so many ranks."""
    return lambda made: Program(made, "by hand") if isinstance(made, int) else recorded(made)
