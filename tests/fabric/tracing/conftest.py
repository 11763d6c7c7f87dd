"""Programs of two and more ranks by hand."""

import pytest

from fabric.schedules import Recorded
from fabric.schedules.program import Exchange, Program


def recorded(program):
    return Recorded("by hand", "goal", program.ranks, None, lambda size: program)


@pytest.fixture
def hand():
    """A recorded schedule of a program, and an empty program of so many ranks."""
    return lambda made: Program(made, "by hand") if isinstance(made, int) else recorded(made)


@pytest.fixture
def written():
    """A recorded schedule of ranks that call collectives of so many bytes, one after the other."""

    def make(calls, ranks):
        made, last = Program(ranks, "calls"), [[] for _ in range(ranks)]
        for name, size in calls:
            entry = [made.compute(rank, name, 0.0, after=last[rank]) for rank in range(ranks)]
            leave = [made.compute(rank, name, 0.0, after=[entry[rank]]) for rank in range(ranks)]
            made.exchanges.append(Exchange(name, size, entry, leave, tuple(range(ranks))))
            last = [[operation] for operation in leave]
        return recorded(made)

    return make
