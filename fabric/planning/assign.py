"""Assignment: the wanted links on circuit switches, with the fewest circuits taken down, beside a proven bound."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cext import settle, untangle
from fabric.planning.exact import MOST_BLOCKS, solve_exactly
from fabric.planning.wiring import Counts, Wiring, lower_bound
from topologies.errors import ConfigError, InfeasibleError

EFFORTS = {"low": 0.125, "normal": 1.0, "high": 8.0}
WORK = 2e9  # of a chain at normal effort, in places looked at
STEP = 100  # places that a step costs besides those of its switches
STEPS_PER_PORT_GROUP = 40_000  # beyond which small fabrics gain nothing
STEPS_PER_CHASE = 20
# Chains annealed side by side, whatever the number of threads: heat and price of a port too many, from start to end, in
# circuits taken down. Cheap ports at first let links pass each other. Found on the 64-block cases; heat from 0.08 to
# 0.15 and prices from 0.4 to 0.6 are within a few circuits of each other there.
SCHEDULES = (((0.08, 0.04), (0.4, 1.5)), ((0.1, 0.05), (0.5, 1.2)))
# Ejection chains after that: heat of their links, price of a port too many, and how long a chain may get; the first in
# all chains, the others, in turn, in the best of them until no port holds too many.
CHASE = (0.2, 6.0, 12)
LAST_CHASES = ((0.15, 15.0, 40), (0.2, 40.0, 40)) * 6


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """Circuits by switch and pair of blocks, int16[K, N, N]; `down` of today's are taken away, at least `bound` by any
    plan; `exact` says that no plan takes fewer."""

    counts: Counts
    down: int
    bound: int
    exact: bool

    @property
    def gap(self) -> float:
        """How far, as a share of what is taken down, the optimum may lie below."""
        return 0.0 if self.exact or not self.down else 1 - self.bound / self.down


def assign(
    wiring: Wiring,
    before: Counts,
    wanted: NDArray[np.int64],
    *,
    effort: str = "normal",
    seed: int = 0,
    pinned: Counts | None = None,
    threads: int = 0,
) -> Assignment:
    """Place the wanted links (int64[N, N], symmetric; directed for simplex wiring) with the fewest circuits moved.

    Annealing in which ports may hold too many circuits at a growing price, from two seeds, and ejection chains for
    what is then left over; up to ten blocks a mixed-integer program proves or beats it. `pinned` circuits stay where
    they are. The same seed gives the same bytes.

    ConfigError for an unknown effort, InfeasibleError where links exceed ports or no placement was found.

    >>> ports = np.full((3, 2), 2, np.int32)
    >>> ring = Wiring("bidi", "abc", ["ocs-0", "ocs-1"], ports, ports, np.zeros(2, np.int32))
    >>> before = np.zeros((2, 3, 3), np.int16)
    >>> before[:, [0, 1, 2], [1, 2, 0]] = 1
    >>> assign(ring, before, np.array([[0, 1, 3], [1, 0, 2], [3, 2, 0]])).down
    1
    """
    if effort not in EFFORTS:
        raise ConfigError(f"effort '{effort}' is not one of {', '.join(EFFORTS)}")
    held = np.zeros_like(before) if pinned is None else pinned
    free, stood, left = _without_pinned(wiring, before, wanted, held)
    _refuse_impossible(free, left)
    bound = _bound(free, stood, left)
    if bound == 0 and (free.links(stood) == left).all():
        return Assignment(before, 0, 0, True)
    counts, missing = _heuristic(free, stood, left, effort, seed, threads)
    down = int(np.maximum(stood - counts, 0).sum())
    exact = missing == 0 and down == bound
    if not exact and len(free.blocks) <= MOST_BLOCKS:
        better = solve_exactly(free, stood, left)
        if better is not None:
            counts, missing, exact = better.counts, 0, better.proven
            down = int(np.maximum(stood - counts, 0).sum())
            bound = down if exact else bound
    if missing:
        raise InfeasibleError(
            f"no placement found for {missing} of {int(left.sum()) // 2:,} links; give more effort, or a target that "
            "leaves ports idle (--slack)"
        )
    return Assignment((counts + held).astype(np.int16), down, bound, exact)


def _without_pinned(
    wiring: Wiring, before: Counts, wanted: NDArray[np.int64], pinned: Counts
) -> tuple[Wiring, Counts, NDArray[np.int64]]:
    """The problem that remains when some circuits stay."""
    from dataclasses import replace

    if (pinned > before).any():
        raise ConfigError("a pinned circuit is not up today")
    out, into = (pinned.sum(axis=axis, dtype=np.int32).T for axis in (2, 1))
    if wiring.kind == "duplex":
        out = into = out + into
    free = replace(wiring, north=np.ascontiguousarray(wiring.north - out),
                   south=np.ascontiguousarray(wiring.south - into))  # fmt: skip
    left = wanted - wiring.links(pinned)
    if (left < 0).any():
        i, j = np.argwhere(left < 0)[0]
        raise InfeasibleError(
            f"{wiring.blocks[i]} and {wiring.blocks[j]} keep {int(wanted[i, j] - left[i, j])} pinned links, "
            f"the target has {int(wanted[i, j])}"
        )
    return free, before - pinned, left


def _refuse_impossible(wiring: Wiring, wanted: NDArray[np.int64]) -> None:
    if np.diag(wanted).any():
        raise InfeasibleError(f"{wiring.blocks[int(np.argmax(np.diag(wanted)))]} would be linked to itself")
    if wiring.kind == "simplex":
        limits = [(wanted.sum(axis=1), wiring.north.sum(axis=1)), (wanted.sum(axis=0), wiring.south.sum(axis=1))]
    else:
        both = wiring.north if wiring.kind == "duplex" else wiring.north + wiring.south
        limits = [(wanted.sum(axis=1), both.sum(axis=1))]
    for links, ports in limits:
        if (links > ports).any():
            i = int(np.argmax(links - ports))
            raise InfeasibleError(
                f"{wiring.blocks[i]} shall have {int(links[i])} links on {int(ports[i])} ports; want fewer links"
            )


def _bound(wiring: Wiring, before: Counts, wanted: NDArray[np.int64]) -> int:
    """Links that pairs of blocks have today beyond what they shall have."""
    if wiring.kind == "simplex":
        return int(np.maximum(wiring.links(before) - wanted, 0).sum())
    return lower_bound(wiring.links(before), wanted)


def _heuristic(
    wiring: Wiring, before: Counts, wanted: NDArray[np.int64], effort: str, seed: int, threads: int
) -> tuple[Counts, int]:
    """Circuits, and how many are too many for their ports."""
    blocks, switches = wiring.north.shape
    work = WORK * EFFORTS[effort] / (2 * switches + STEP)
    steps = int(min(work, max(2e5, STEPS_PER_PORT_GROUP * blocks * switches * EFFORTS[effort])))
    stood = np.ascontiguousarray(before.transpose(1, 2, 0))

    turns, one_sided = wiring.kind != "simplex", wiring.kind == "duplex"
    bound = _bound(wiring, before, wanted)

    def chain(number: int) -> tuple[float, int, Counts]:
        own = seed * len(SCHEDULES) + number
        now = _start(stood, wanted, wiring.kind, np.random.default_rng(own))
        settle(stood, now, wiring.north, wiring.south, turns, one_sided, steps, *SCHEDULES[number], own)
        waste, excess = chase(now, *CHASE, own)
        return waste + CHASE[1] * excess, excess, now

    def chase(now: Counts, heat: float, price: float, depth: int, own: int) -> tuple[int, int]:
        tries = steps // STEPS_PER_CHASE
        return untangle(stood, now, wiring.north, wiring.south, turns, one_sided, tries, bound, heat, price, depth, own)

    with ThreadPoolExecutor(threads or None) as pool:
        _, excess, now = min(pool.map(chain, range(len(SCHEDULES))), key=lambda one: one[0])
    for number, last in enumerate(LAST_CHASES if excess else ()):
        if excess:
            _, excess = chase(now, *last, seed + number)
    return np.ascontiguousarray(now.transpose(2, 0, 1)), excess


def _start(before: Counts, wanted: NDArray[np.int64], kind: str, draws: np.random.Generator) -> NDArray[np.int16]:
    """int16[N, N, K]: today's circuits less those too many of a pair, and new links on any switch, ports or not."""
    now: NDArray[np.int16] = before.copy()
    directed = kind == "simplex"
    have = before.sum(axis=2, dtype=np.int64)
    have = have if directed else have + have.T
    changed = wanted - have if directed else np.triu(wanted - have)
    for i, j in np.argwhere(changed):
        sides = now[i, j][None] if directed else np.stack([now[i, j], now[j, i]])
        more = int(changed[i, j])
        if more < 0:
            place = draws.choice(np.repeat(np.arange(sides.size), sides.ravel()), -more, replace=False)
        else:
            place = draws.integers(sides.size, size=more)
        sides = sides + np.sign(more) * np.bincount(place, minlength=sides.size).reshape(sides.shape)
        now[i, j] = sides[0]
        if not directed:
            now[j, i] = sides[1]
    return now
