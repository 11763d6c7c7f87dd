"""Programs of two and more ranks by hand."""

import pytest

from fabric.schedules import Recorded
from fabric.schedules.program import Program


def recorded(program):
    return Recorded("by hand", "goal", program.ranks, None, lambda size: program)


@pytest.fixture
def hand():
    """A recorded schedule of a program, and an empty program of so many ranks."""
    return lambda made: Program(made, "by hand") if isinstance(made, int) else recorded(made)
