"""Search against a look at every candidate."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.costing.dollars import Usd
from fabric.sizing import search as searching
from fabric.sizing.ladders import Ladder
from fabric.sizing.limits import Limits, Weight
from topologies.errors import TopologyError


def made_of(watts, first_good=0, last_good=None):
    """A ladder whose candidate i takes watts[i], and cannot be built outside two places."""

    def build(i):
        if i < first_good or (last_good is not None and i > last_good):
            raise TopologyError(f"{i} cannot be built")
        return i

    return Ladder("made", "one by one", len(watts), 1, str, build)


def weighing(watts):
    """A stand-in for the weight of a topology: that of its place."""

    def weigh(i, limits):
        return Weight(i + 1, None, None, None, None, None, watts[i], None, Usd(0, 0, 0), (), ())

    return weigh


def searched(monkeypatch, watts, limit, **places):
    monkeypatch.setattr(searching, "weigh", weighing(watts))
    return searching.search(made_of(watts, **places), Limits(facility_w=limit))


STEPS = st.lists(st.floats(0.0, 10.0), min_size=1, max_size=300)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.floats(0.1, 3000.0), st.integers(0, 40), st.integers(0, 300))
def test_as_a_look_at_every_candidate(steps, limit, first, span):
    import pytest

    watts = [sum(steps[: i + 1]) + 1e-3 * i for i in range(len(steps))]
    first = min(first, len(watts) - 1)
    last = min(first + span, len(watts) - 1)
    fitting = [i for i in range(first, last + 1) if watts[i] <= limit]
    with pytest.MonkeyPatch.context() as patch:
        try:
            found = searched(patch, watts, limit, first_good=first, last_good=last)
        except TopologyError:  # every place that was tried on the way up cannot be built
            assert not any(first <= 2**k - 1 <= last for k in range(12))
            return
    assert (None if found.inside is None else found.inside.index) == (fitting[-1] if fitting else None)
    if fitting and fitting[-1] + 1 < len(watts):
        assert found.outside.index == fitting[-1] + 1
    assert len(found.built) <= 60


def test_few_are_built_where_what_is_taken_is_proportional(monkeypatch):
    watts = [1.7 * (i + 1) for i in range(100_000)]
    found = searched(monkeypatch, watts, 143_210.0)
    assert found.inside.index + 1 == int(143_210 / 1.7)
    assert len(found.built) <= 8


def test_few_are_built_where_it_grows_by_the_cube(monkeypatch):
    watts = [0.25 * (2 * (i + 1)) ** 3 for i in range(5_000)]
    found = searched(monkeypatch, watts, 1e6)
    assert 2 * (found.inside.index + 1) == 158 and len(found.built) <= 10


def test_a_dip_between_candidates_is_told(monkeypatch):
    watts = [1.0, 2.0, 8.0, 4.0, 5.0, 6.0]
    found = searched(monkeypatch, watts, 5.5)
    assert found.inside.index == 4 or found.dips
