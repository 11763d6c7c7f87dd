"""Places: in which buffer and where each rank keeps every state of every chunk, so that no write destroys what is
still to be read."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from fabric.algorithms.messages import Messages
from fabric.schedules.causes import Causes, in_order
from fabric.schedules.msccl import Place
from topologies.errors import InfeasibleError

MAX_CARRIED = 2_000_000  # chunks of all messages together
Key = tuple[int, int]  # rank, chunk


class Homes:
    """Where a chunk of a collective is at the start and at the end: in place, but for all-to-all."""

    def __init__(self, collective: str, ranks: int, parts: int) -> None:
        self.collective, self.ranks, self.parts = collective, ranks, parts
        self.blocks = collective in ("all-gather", "reduce-scatter")
        self.chunks = parts * ranks if self.blocks or collective == "all-to-all" else parts
        self.buffer = "o" if collective == "all-gather" else "i"

    def given(self, rank: int, chunk: int) -> Place | None:
        """Where a rank's own data of a chunk is at the start, None where it has none."""
        if self.collective == "all-to-all":
            source, rest = divmod(chunk, self.chunks)
            return Place("i", rest) if source == rank else None
        if self.collective == "all-gather" and chunk // self.parts != rank:
            return None
        return None if self.collective == "broadcast" and rank else Place(self.buffer, chunk)

    def wanted(self, rank: int, chunk: int) -> bool:
        """Is a chunk part of what a rank is to have in the end?"""
        if self.collective == "all-to-all":
            return chunk % self.chunks // self.parts == rank
        if self.collective == "reduce-scatter":
            return chunk // self.parts == rank
        return self.collective != "reduce" or rank == 0

    def home(self, rank: int, chunk: int) -> Place | None:
        """Where a rank may keep a chunk outside of scratch memory: at its place in the result, or over input that the
        collective gives up; None where it has no such place."""
        if self.collective == "all-to-all":
            source = chunk // self.chunks
            return Place("o", source * self.parts + chunk % self.parts) if self.wanted(rank, chunk) else None
        return Place(self.buffer, chunk) if self.collective != "reduce" or rank == 0 else None


class States:
    """The states of every chunk at every rank: state k is what the rank had at the start and the first k arrivals.

    `carried[m]` are the chunks of message m, rising. `arrivals[rank, chunk]` are messages in the order in which they
    come in; `read[m]` the state of each chunk that m sends. `place[rank, chunk][k]` is where state k stands, None for
    no data. `scratch[rank]` counts chunks of scratch memory.
    """

    def __init__(self, messages: Messages, algorithm: str, causes: Causes, homes: Homes) -> None:
        self.source, self.target = messages.source.tolist(), messages.target.tolist()
        self.hands_on = messages.hands_on.tolist()
        self.passed = {q for q in self.hands_on if q >= 0}
        self.causes, self.homes = causes, homes
        self.reduces = messages.reduces.tolist()
        pointers, chunks = messages.carried()
        if len(chunks) > MAX_CARRIED:
            raise InfeasibleError(
                f"messages of {algorithm} carry {len(chunks):,} chunks; at most {MAX_CARRIED:,} are laid out"
            )
        if not np.allclose(messages.amount * homes.chunks, np.diff(pointers)):
            raise InfeasibleError(f"{algorithm} does not cut its data into equal chunks, as MSCCL does")
        numbers, ends = chunks.tolist(), pointers.tolist()
        self.carried = [sorted(numbers[a:b]) for a, b in pairwise(ends)]
        self.arrivals: dict[Key, list[int]] = defaultdict(list)
        self.readers: dict[Key, list[int]] = defaultdict(list)
        for m, held in enumerate(self.carried):
            for chunk in held:
                if m not in self.passed:
                    self.arrivals[self.target[m], chunk].append(m)
                if self.hands_on[m] < 0:
                    self.readers[self.source[m], chunk].append(m)
        self.read: list[dict[int, int]] = [{} for _ in self.carried]
        for key, arrivals in self.arrivals.items():
            self._number(key, arrivals)
        self.number = {(m, key): k + 1 for key, found in self.arrivals.items() for k, m in enumerate(found)}
        self.place: dict[Key, list[Place | None]] = {}
        self.scratch = [0] * homes.ranks
        self.behind: list[set[int]] = [set() for _ in self.carried]  # sends that an arrival must wait for, too
        for m in self._by_arrival():
            self._settle(m)

    def state(self, rank: int, chunk: int, number: int) -> Place | None:
        """Where state `number` of a chunk stands."""
        held = self.place.get((rank, chunk))
        return self.homes.given(rank, chunk) if held is None else held[number]

    def before(self, m: int, chunk: int) -> int | None:
        """The arrival before message m in a chunk at its target."""
        if m in self.passed:
            return None
        key = (self.target[m], chunk)
        number = self.number[m, key]
        return self.arrivals[key][number - 2] if number > 1 else None

    def sent_from(self, m: int) -> list[Place]:
        """Where message m reads each of its chunks, passed-on ones apart."""
        rank, found = self.source[m], []
        for chunk in self.carried[m]:
            place = self.state(rank, chunk, self.read[m].get(chunk, 0))
            if place is None:
                raise InfeasibleError(f"rank {rank} sends chunk {chunk}, which it does not have")
            found.append(place)
        return found

    def taken(self, rank: int, count: int) -> Place:
        """So many chunks of scratch memory."""
        start = self.scratch[rank]
        self.scratch[rank] += count
        return Place("s", start)

    def _number(self, key: Key, arrivals: list[int]) -> None:
        """Put arrivals into an order in which every reader reads what the first few make, and note how many."""
        readers = self.readers.get(key, [])
        seen = {m: [w for w in arrivals if self.causes.precedes(w, m)] for m in readers}
        many = dict.fromkeys(arrivals, 0)
        for found in seen.values():
            for w in found:
                many[w] += 1
        arrivals.sort(key=lambda w: (-many[w], self.causes.level[w], w))
        for m, found in seen.items():
            if set(found) != set(arrivals[: len(found)]):
                sums = f"two sums of chunk {key[1]}, neither of which is part of the other"
                raise InfeasibleError(f"rank {key[0]} needs {sums}")
            self.read[m][key[1]] = len(found)

    def _by_arrival(self) -> Iterator[int]:
        """Messages, each after those that come into its chunks before it."""
        edges = [pair for found in self.arrivals.values() for pair in pairwise(found)]
        edges += [(w, m) for m, awaited in enumerate(self.causes.awaited) for w in awaited]
        yield from in_order(self.causes.level, edges, len(self.carried))

    def _settle(self, m: int) -> None:
        """Give what comes with message m its places: over older states that nobody reads any more, else in scratch."""
        if m in self.passed:
            return
        rank, fresh = self.target[m], []
        for chunk in self.carried[m]:
            key = (rank, chunk)
            held = self.place.setdefault(key, [self.homes.given(rank, chunk)])
            options = [self.homes.home(rank, chunk), *(place for place in held if place and place.buffer == "s")]
            free = next((place for place in options if place is not None and self._free(m, key, place)), None)
            held.append(free)
            if free is None:
                fresh.append(chunk)
        start = self.taken(rank, len(fresh)).chunk
        for k, chunk in enumerate(fresh):
            self.place[rank, chunk][-1] = Place("s", start + k)

    def _free(self, m: int, key: Key, place: Place) -> bool:
        """May message m write there? All sends of older states there are done, or it may wait for them."""
        held = self.place[key]
        old = {k for k, other in enumerate(held) if other == place}
        readers = [r for r in self.readers.get(key, []) if self.read[r].get(key[1], 0) in old]
        late = {r for r in readers if not self.causes.precedes(r, m)}
        if not all(self.causes.may_hold_up(r, m) for r in late):
            return False
        self.behind[m] |= late
        return True


def runs(places: Sequence[tuple[Place, ...]]) -> list[tuple[tuple[Place, ...], int]]:
    """Rows of places cut where any column does not go on with the next chunk; the first of each, and how many.

    >>> runs([(Place("i", 0),), (Place("i", 1),), (Place("i", 5),)])
    [((Place(buffer='i', chunk=0),), 2), ((Place(buffer='i', chunk=5),), 1)]
    """
    found: list[tuple[tuple[Place, ...], int]] = []
    for row in places:
        if found:
            first, count = found[-1]
            if row == tuple(Place(p.buffer, p.chunk + count) for p in first):
                found[-1] = first, count + 1
                continue
        found.append((row, 1))
    return found
