"""Search: the last fabric of a ladder that is within the limits, and the first that is not."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf, log

from fabric.sizing.ladders import Ladder
from fabric.sizing.limits import Limits, Weight, over, share, weigh
from topologies.errors import FabricError, TopologyError
from topologies.graph import Topology

REACH = 64  # the largest stride ahead: what a candidate takes tells little of one 64 times as large
PATIENCE = 4  # steps that do not halve what is left, before one that does
FLATTEST = 0.25  # the least power of the size by which what is taken is believed to grow
FIRST = 4096  # candidates among which one that can be built is looked for


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fabric that was built and weighed; `why` says why it could not be built, `over` what it exceeds."""

    index: int
    name: str
    weight: Weight | None
    over: tuple[str, ...]
    share: float
    why: str | None = None

    @property
    def fits(self) -> bool:
        """Is it within every limit?"""
        return self.why is None and not self.over


@dataclass(frozen=True, slots=True)
class Found:
    """The last candidate that is in and its topology, the first that is out, and all that were built, by size; `dips`
    names those that take less of a limit than one before them, which a search by halving may miss."""

    inside: Candidate | None
    outside: Candidate | None
    built: tuple[Candidate, ...]
    topology: Topology | None
    dips: tuple[str, ...]


def search(rungs: Ladder, limits: Limits) -> Found:
    """The largest fabric of a ladder within the limits, by interpolation and halving.

    It takes that watts, dollars and racks grow from candidate to candidate, and that one that cannot be built, after
    one that can, is followed by none. FabricError where none can, or one cannot be weighed.
    """
    kept: list[tuple[Candidate, Topology]] = []

    def built(index: int) -> Candidate:
        made, topology = _candidate(rungs, index, limits)
        if topology is not None and made.fits:
            kept[:] = [(made, topology)]
        return made

    seen = _bracketed(built, rungs)
    inside = max((c for c in seen if c.fits), key=lambda c: c.index, default=None)
    beyond = [c for c in seen if not c.fits and (c.why is None or (inside is not None and c.index > inside.index))]
    outside = min(beyond, key=lambda c: c.index, default=None)
    topology = kept[0][1] if kept and inside is not None and kept[0][0].index == inside.index else None
    ordered = tuple(sorted(seen, key=lambda c: c.index))
    return Found(inside, outside, ordered, topology, _dips(ordered))


def _candidate(rungs: Ladder, index: int, limits: Limits) -> tuple[Candidate, Topology | None]:
    """One rung, built and weighed; what cannot be weighed is no question of size."""
    try:
        topology = rungs.build(index)
    except FabricError as error:
        return Candidate(index, rungs.name(index), None, (), inf, str(error)), None
    weight = weigh(topology, limits)
    return Candidate(index, rungs.name(index), weight, over(weight.used, limits), share(weight.used, limits)), topology


def _bracketed(built: Callable[[int], Candidate], rungs: Ladder) -> list[Candidate]:
    """Candidates until one that is in has a neighbour that is out, or the ladder ends."""
    seen = _first(built, rungs.length)
    low, high, slow = seen[-1].index - 1 if len(seen) == 1 else seen[-2].index, rungs.length, 0
    edge: Candidate | None = None
    if seen[-1].fits:
        low = seen[-1].index
    else:
        high, edge = seen[-1].index, seen[-1]
    while high - low > 1:
        inside = sorted((c for c in seen if c.fits), key=lambda c: c.index)
        guess = _guess(inside, edge, rungs.first, slow) if inside else (low + high) // 2
        candidate, before = built(min(max(guess, low + 1), high - 1)), high - low
        seen.append(candidate)
        if candidate.fits or (candidate.why is not None and not inside):
            low = candidate.index
        else:
            high, edge = candidate.index, candidate
        slow = slow + 1 if high - low > before / 2 else 0
    return seen


def _first(built: Callable[[int], Candidate], length: int) -> list[Candidate]:
    """Candidates, each place twice the last, up to the first that can be built: some fabrics have a least size."""
    seen = [built(0)]
    while seen[-1].why is not None and 2 * seen[-1].index + 1 < min(length, FIRST):
        seen.append(built(2 * seen[-1].index + 1))
    if seen[-1].why is not None:
        raise TopologyError(seen[0].why or "")
    return seen


def _guess(inside: list[Candidate], outside: Candidate | None, first: int, slow: int) -> int:
    """Where the limit is met, if what is taken goes by a power of the size from the candidate that is nearest to it;
    the middle where that has not helped for some steps. A candidate's size is its place from `first` on."""
    last = inside[-1]
    if outside is not None and (outside.share == inf or slow >= PATIENCE):
        return (last.index + outside.index) // 2
    other = outside if outside is not None else inside[-2] if len(inside) > 1 else None
    if other is None or last.share <= 0 or other.share <= 0:
        return 2 * last.index + 1
    power = log(other.share / last.share) / log((other.index + first) / (last.index + first))
    near = min((last, other), key=lambda c: abs(log(c.share)))
    ahead = exp(-log(near.share) / max(power, FLATTEST))
    return int((near.index + first) * min(ahead, REACH)) - first


def _dips(ordered: tuple[Candidate, ...]) -> tuple[str, ...]:
    """Candidates that take less of something than a smaller one."""
    weighed = [c for c in ordered if c.weight is not None]
    found = []
    for small, large in pairwise(weighed):
        assert small.weight is not None and large.weight is not None
        pairs = zip(small.weight.used.values(), large.weight.used.values(), strict=True)
        if any(a is not None and b is not None and b < a for a, b in pairs):
            found.append(large.name)
    return tuple(found)
