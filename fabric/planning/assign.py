"""Assignment: the wanted links on circuit switches, with the fewest circuits taken down, beside a proven bound."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cext import settle, share_out
from fabric.planning.exact import MOST_BLOCKS, solve_exactly
from fabric.planning.wiring import Counts, Wiring, lower_bound
from topologies.errors import ConfigError, InfeasibleError

EFFORTS = {"low": 0.125, "normal": 1.0, "high": 8.0}
WORK = 1.2e9  # of a chain at normal effort, in places looked at
STEP = 100  # places that a step costs besides those of its switches
STEPS_PER_PORT_GROUP = 4000  # beyond which small fabrics gain nothing
CHAINS = 2  # annealed side by side from different seeds, whatever the number of threads
# Heat and price of a port too many, from start to end, in circuits taken down: the cheap ports of the start let links
# pass each other; found on the 64-block retune case, and much the same from 0.4 to 0.6 and 0.08 to 0.12.
HEAT, PRICE = (0.1, 0.05), (0.5, 1.2)
GROUP = 6  # switches that share out their links anew together
ROUNDS = {"low": 100, "normal": 400, "high": 2000}
PATIENCE = 25  # rounds without gain, and rounds after which a link that finds a place may cost more
WORTH = (1, 2, 3, 4, 6, 1000)  # of today's circuits


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

    Annealing in which ports may hold too many circuits at a growing price, from two seeds; what is then left over is
    placed, and groups of switches share out their links anew, by exact flows (one switch against the rest: Zhao et al.,
    Minimal Rewiring, NSDI 2019, in the recursive form of arXiv:2305.04550); up to ten blocks a mixed-integer program
    proves or beats it. `pinned` circuits stay where they are. The same seed gives the same bytes.

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
    bound = lower_bound(free.links(stood), left) if wiring.kind != "simplex" else _directed_bound(stood, left)
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


def _directed_bound(before: Counts, wanted: NDArray[np.int64]) -> int:
    return int(np.maximum(before.sum(axis=0, dtype=np.int64) - wanted, 0).sum())


def _heuristic(
    wiring: Wiring, before: Counts, wanted: NDArray[np.int64], effort: str, seed: int, threads: int
) -> tuple[Counts, int]:
    """Circuits and the links that found no place."""
    blocks, switches = wiring.north.shape
    work = WORK * EFFORTS[effort] / (2 * switches + STEP)
    steps = int(min(work, max(2e5, STEPS_PER_PORT_GROUP * blocks * switches * EFFORTS[effort])))
    stood = np.ascontiguousarray(before.transpose(1, 2, 0))

    def chain(number: int) -> tuple[int, int, Counts]:
        now = _start(stood, wanted, wiring.kind, np.random.default_rng([seed, number]))
        waste, excess = settle(
            stood, now, wiring.north, wiring.south, wiring.kind != "simplex", wiring.kind == "duplex",
            steps, HEAT, PRICE, seed * CHAINS + number,
        )  # fmt: skip
        return waste + 2 * excess, excess, np.ascontiguousarray(now.transpose(2, 0, 1))

    with ThreadPoolExecutor(threads or None) as pool:
        found = list(pool.map(chain, range(CHAINS)))
    _, excess, counts = min(found, key=lambda one: one[0])
    if wiring.kind == "duplex":  # no flow splits links that have no direction
        return counts, excess
    return _polish(wiring, before, counts, ROUNDS[effort], np.random.default_rng([seed, CHAINS]), threads)


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


def _polish(
    wiring: Wiring, before: Counts, now: Counts, rounds: int, draws: np.random.Generator, threads: int
) -> tuple[Counts, int]:
    """Take circuits off ports that hold too many, and let groups of switches share out their links until all have a
    place and nothing was gained for a while."""
    loose = _taken_off(wiring, now)
    switches = len(wiring.switches)
    least, idle = int(np.maximum(before - now, 0).sum()), 0
    bound = lower_bound(wiring.links(before), wiring.links(now) + _as_links(loose, len(wiring.blocks)))
    for turn in range(rounds):
        if idle > PATIENCE or (not len(loose) and least == bound):
            break
        members, ptr, at = _groups(wiring, now, loose, draws)
        flipped = np.zeros(switches, np.uint8)
        if wiring.kind != "simplex":
            flipped = draws.integers(0, 2, switches).astype(np.uint8)
        tie = draws.integers(-1, 2, len(ptr) - 1).astype(np.int32) * 8
        worth = WORTH[min(turn // PATIENCE, len(WORTH) - 1)]
        share_out(before, now, wiring.north, wiring.south, flipped, ptr, members, at, loose, tie, worth,
                  int(draws.integers(2**62)), threads)  # fmt: skip
        left = loose[loose[:, 0] >= 0]
        down = int(np.maximum(before - now, 0).sum())
        idle = 0 if len(loose) or down < least else idle + 1
        loose, least = np.ascontiguousarray(draws.permutation(left)), down
    return now, len(loose)


def _as_links(loose: NDArray[np.int32], blocks: int) -> NDArray[np.int64]:
    links = np.zeros((blocks, blocks), np.int64)
    np.add.at(links, tuple(loose.T), 1)
    return links + links.T


def _taken_off(wiring: Wiring, now: Counts) -> NDArray[np.int32]:
    """int32[L, 2]: links taken off ports that hold too many, in place."""
    loose = []
    for axis, ports in ((2, wiring.north), (1, wiring.south)):
        excess = now.sum(axis=axis).T - ports
        for block, switch in np.argwhere(excess > 0):
            line = now[switch, block] if axis == 2 else now[switch, :, block]
            for _ in range(int(excess[block, switch])):
                other = int(np.argmax(line))
                line[other] -= 1
                loose.append((block, other) if axis == 2 else (other, block))
    return np.array(loose, np.int32).reshape(-1, 2)


def _groups(
    wiring: Wiring, now: Counts, loose: NDArray[np.int32], draws: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Switches in groups, in random order: members, where each group begins, and where the links begin that it shall
    place. As many groups as there are links without a place have switches with a free port at the ends of one."""
    order = draws.permutation(len(wiring.switches)).tolist()
    ptr = np.append(np.arange(0, len(order), GROUP), len(order)).astype(np.int64)
    groups = len(ptr) - 1
    served = min(len(loose), groups)
    free = (wiring.north + wiring.south - (now.sum(axis=2) + now.sum(axis=1)).T)[:, order] > 0
    taken = np.zeros(len(order), bool)
    chosen: list[list[int]] = [[] for _ in range(groups)]
    for g in range(served):
        for end in loose[g]:
            able = np.flatnonzero(free[end] & ~taken)[: GROUP // 3]
            taken[able] = True
            chosen[g] += able.tolist()
    rest = iter(np.flatnonzero(~taken).tolist())
    for g in range(groups):
        size = int(ptr[g + 1] - ptr[g])
        chosen[g] += [place for _, place in zip(range(size - len(chosen[g])), rest, strict=False)]
    spare = list(rest)
    members = np.array([order[place] for group in chosen for place in group] + [order[place] for place in spare])
    bounds = np.append(0, np.cumsum([len(group) for group in chosen])).astype(np.int64)
    bounds[-1] = len(order)
    at = np.minimum(np.arange(groups + 1), served)
    return members.astype(np.int32), bounds, at.astype(np.int64)
