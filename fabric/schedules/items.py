"""Items: what each rank does for every message, with its chunks where they lie or by way of scratch memory."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from fabric.schedules.causes import Causes, in_order
from fabric.schedules.msccl import Place
from fabric.schedules.places import States, runs
from topologies.errors import InfeasibleError

Line = tuple[str, Place, Place, int]  # kind, source, target, chunks
NOWHERE = Place("i", -1)


@dataclass(slots=True)
class Item:
    """What one rank does for one message, or at the end: steps in a row, after other items of the same rank."""

    rank: int
    chain: int  # of messages from one rank to another; -1 for what a rank does by itself
    sends: bool
    message: int
    lines: list[Line]
    after: list[int] = field(default_factory=list)


def items_of(states: States, causes: Causes) -> tuple[list[Item], list[int], int]:
    """Item 2m sends message m, 2m + 1 receives it; then what each rank does at the end. An order of all."""
    real = [m for m, join in enumerate(causes.join) if not join]
    place = {m: k for k, m in enumerate(real)}
    chains, chain = _chains(states, causes, real)
    items: list[Item] = []
    handed: dict[int, Place] = {}
    for m in real:
        send = Item(states.source[m], chain[m], True, m, [])
        send.after = [_item_at(states, place, p, send.rank) for p in causes.awaited[m]]
        items += [send, Item(states.target[m], chain[m], False, m, [])]
    staged = [_Staging(states, held) for held in chains]
    held_up = 0
    for m in sorted(real, key=lambda m: causes.level[m]):
        buffers = staged[chain[m]]
        items[2 * place[m]].lines = _sending(states, m, buffers, handed)
        receive = items[2 * place[m] + 1]
        receive.lines = _receiving(states, m, buffers, handed)
        earlier = {w for chunk in states.carried[m] if (w := states.before(m, chunk)) is not None}
        held_up += not all(causes.precedes(w, m) or causes.may_hold_up(w, m) for w in earlier)
        receive.after = [2 * place[w] + 1 for w in earlier] + [2 * place[r] for r in states.behind[m]]
    edges = [(2 * k, 2 * k + 1) for k in range(len(real))]
    edges += [(2 * place[a] + s, 2 * place[b] + s) for held in chains for a, b in pairwise(held)
              for s in (0, 1)]  # fmt: skip
    items += _endings(states, place)
    edges += [(before, i) for i, item in enumerate(items) for before in item.after]
    last = 2.0 * max(causes.level) + 2
    keys = [last if item.message < 0 else 2.0 * causes.level[item.message] + (not item.sends) for item in items]
    return items, in_order(keys, edges, len(items)), held_up


def _item_at(states: States, place: dict[int, int], message: int, rank: int) -> int:
    """The item of a message that a rank itself has to do with."""
    if states.target[message] == rank:
        return 2 * place[message] + 1
    if states.source[message] == rank:
        return 2 * place[message]
    ends = f"{states.source[message]} to {states.target[message]}"
    raise InfeasibleError(f"rank {rank} waits for a message from {ends}, of which it knows nothing")


def _chains(states: States, causes: Causes, real: list[int]) -> tuple[list[list[int]], dict[int, int]]:
    """Messages of a pair of ranks that follow each other; the chain of every message."""
    chains: list[list[int]] = []
    of_pair: dict[tuple[int, int], list[int]] = defaultdict(list)
    chain: dict[int, int] = {}
    for m in sorted(real, key=lambda m: (causes.level[m], m)):
        pair = states.source[m], states.target[m]
        found = next((c for c in of_pair[pair] if causes.precedes(chains[c][-1], m)), None)
        if found is None:
            found = len(chains)
            chains.append([])
            of_pair[pair].append(found)
        chains[found].append(m)
        chain[m] = found
    return chains, chain


@dataclass(slots=True)
class _Staging:
    """Scratch memory in which one chain gathers what it sends, and takes what it receives; asked for when needed."""

    states: States
    chain: list[int]
    at: dict[int, Place] = field(default_factory=dict)

    def on(self, rank: int) -> Place:
        """Its place on a rank."""
        if rank not in self.at:
            self.at[rank] = self.states.taken(rank, max(len(self.states.carried[m]) for m in self.chain))
        return self.at[rank]


def _sending(states: States, m: int, staging: _Staging, handed: dict[int, Place]) -> list[Line]:
    """From where the chunks lie, if side by side; else by way of scratch memory."""
    count, before = len(states.carried[m]), states.hands_on[m]
    if before >= 0:
        if states.carried[before] != states.carried[m]:
            raise InfeasibleError(f"rank {states.source[m]} would hand on a part of what came to it")
        return [("s", handed[before], handed[before], count)]
    found = runs([(place,) for place in states.sent_from(m)])
    if len(found) == 1:
        return [("s", found[0][0][0], found[0][0][0], count)]
    start, lines, done = staging.on(states.source[m]), list[Line](), 0
    for (place,), size in found:
        lines.append(("cpy", place, Place("s", start.chunk + done), size))
        done += size
    return [*lines, ("s", start, start, count)]


def _receiving(states: States, m: int, staging: _Staging, handed: dict[int, Place]) -> list[Line]:
    """To where the chunks are to lie, added to what is there before, if side by side; else by way of scratch memory."""
    rank, count = states.target[m], len(states.carried[m])
    if m in states.passed:
        handed[m] = states.taken(rank, count)
        return [("r", handed[m], handed[m], count)]
    rows = []
    for chunk in states.carried[m]:
        number = states.number[m, (rank, chunk)]
        target, before = states.state(rank, chunk, number), states.state(rank, chunk, number - 1)
        assert target is not None
        rows.append((before if states.reduces[m] and before is not None else NOWHERE, target))
    kinds = {before != NOWHERE for before, _ in rows}
    found = runs([row if row[0] != NOWHERE else row[1:] for row in rows])
    if len(found) == 1:
        places = found[0][0]
        return [("rrc" if kinds == {True} else "r", places[0], places[-1], count)]
    start, done = staging.on(rank), 0
    lines: list[Line] = [("r", start, start, count)]
    for places, size in found:
        came = Place("s", start.chunk + done)
        if len(places) == 1:
            lines.append(("cpy", came, places[0], size))
        else:
            lines += [] if places[0] == places[1] else [("cpy", places[0], places[1], size)]
            lines.append(("re", came, places[1], size))
        done += size
    return lines


def _endings(states: States, place: dict[int, int]) -> list[Item]:
    """Copies to their place of what else would end in scratch memory, and of what a rank has for itself."""
    items, homes = [], states.homes
    own: dict[int, list[tuple[Place, Place]]] = defaultdict(list)
    moved: dict[int, list[tuple[Place, Place]]] = defaultdict(list)
    waits: dict[int, set[int]] = defaultdict(set)
    if homes.collective == "all-to-all":
        for rank in range(homes.ranks):
            for part in range(homes.parts):
                at = rank * homes.parts + part
                own[rank].append((Place("i", at), Place("o", at)))
    for (rank, chunk), held in states.place.items():
        home = homes.home(rank, chunk)
        if homes.wanted(rank, chunk) and home is not None and held[-1] != home:
            assert held[-1] is not None
            last = states.arrivals[rank, chunk][-1]
            moved[last].append((held[-1], home))
            waits[last] |= {2 * place[r] for r in states.readers.get((rank, chunk), [])}
            waits[last].add(2 * place[last] + 1)
    for rank, pairs in own.items():
        items.append(Item(rank, -1, False, -1, _copies(pairs)))
    for last, pairs in moved.items():
        items.append(Item(states.target[last], -1, False, -1, _copies(sorted(pairs)), sorted(waits[last])))
    return items


def _copies(pairs: list[tuple[Place, Place]]) -> list[Line]:
    return [("cpy", source, target, size) for (source, target), size in runs(pairs)]
