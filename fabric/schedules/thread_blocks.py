"""Thread blocks: the messages of an algorithm as steps of MSCCL, sends and receives in blocks that never hold each
other up."""

from collections import Counter, defaultdict
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.messages import Messages
from fabric.collectives import Collective
from fabric.schedules.causes import Causes
from fabric.schedules.items import NOWHERE, Item, items_of
from fabric.schedules.msccl import Block, Gpu, Step
from fabric.schedules.places import Homes, States
from topologies.errors import InfeasibleError

MAX_PEERS = 32  # that a GPU sends to on a channel (MSCCL_MAX_NUM_THREAD_BLOCKS_PER_CHANNEL of MSCCL's msccl.h)

Port = tuple[int, int, bool]  # a rank, a chain of messages, whether the rank sends it


class Tied(NamedTuple):
    """GPUs with their thread blocks; `chunks` is the number in which the collective's size is cut, `held_up` that of
    arrivals that wait for more than the messages say, and may come later so, `eager` that of waits for the target of a
    message, which its source does not do, so that it comes earlier, or later where it then shares a link."""

    gpus: tuple[Gpu, ...]
    chunks: int
    held_up: int
    eager: int


def thread_blocks(messages: Messages, algorithm: str, collective: Collective) -> Tied:
    """The steps of messages on every GPU.

    Every message is one step that sends and one that receives: messages between two ranks that follow each other share
    a channel, others have one each. A rank receives and sends in one thread block where neither waits longer so.
    Chunks that do not lie side by side are copied into scratch memory first.

    InfeasibleError for messages to or from switches, and for too many.

    >>> from fabric.algorithms import ALGORITHMS
    >>> from topologies.registry import build
    >>> pattern = Collective("all-gather", 4)
    >>> made = thread_blocks(ALGORITHMS["ring"](build("ring:n=4"), pattern).messages(1), "ring", pattern)
    >>> [(block.send, block.receive, len(block.steps)) for block in made.gpus[0].blocks], made.chunks, made.held_up
    ([(1, 3, 6), (3, 1, 6)], 8, 0)
    """
    if max(messages.source.max(), messages.target.max()) >= collective.n:
        raise InfeasibleError(f"{algorithm} lets switches reduce or multicast, which MSCCL does not; take another")
    causes = Causes(messages, algorithm)
    homes = Homes(collective.name, collective.n, messages.parts)
    states = States(messages, algorithm, causes, homes)
    items, order, held_up = items_of(states, causes)
    port_of, channel = _tied(items, order, causes)
    mine: list[list[int]] = [[] for _ in range(collective.n)]
    for i in order:
        mine[items[i].rank].append(i)
    gpus = []
    for rank, own in enumerate(mine):
        made = _steps(items, own, port_of)
        blocks = [Block(number, *_peers(states, items, own, port_of, port), channel[port[1]], tuple(steps))
                  for number, (port, steps) in enumerate(made.items())]  # fmt: skip
        gpus.append(Gpu(rank, _sizes(homes, states.scratch[rank]), tuple(blocks)))
    return Tied(tuple(gpus), homes.chunks, held_up, causes.eager)


def _sizes(homes: Homes, scratch: int) -> tuple[int, int, int]:
    if homes.collective == "all-to-all":
        return homes.chunks, homes.chunks, scratch
    return (0, homes.chunks, scratch) if homes.buffer == "o" else (homes.chunks, 0, scratch)


def _peers(
    states: States, items: list[Item], own: list[int], port_of: dict[int, Port], port: Port
) -> tuple[int, int]:
    """To whom a thread block sends, and from whom it receives."""
    held = [items[i] for i in own if port_of[i] == port]
    send = next((states.target[item.message] for item in held if item.sends), -1)
    receive = next((states.source[item.message] for item in held if not item.sends and item.chain >= 0), -1)
    return send, receive


def _tied(items: list[Item], order: list[int], causes: Causes) -> tuple[dict[int, Port], dict[int, int]]:
    """The thread block of every item, named by one of its ports, and the channel of every chain: what a rank sends is
    in one block with the chain that feeds it where that holds nobody up."""
    ports: dict[Port, list[int]] = defaultdict(list)
    for i in order:
        ports[items[i].rank, items[i].chain, items[i].sends].append(i)
    position = {i: k for k, i in enumerate(order)}
    tracks = _Tracks(items)
    joined: dict[Port, Port] = {}
    for port, held in ports.items():
        rank, chain, sends = port
        fed = Counter(items[p].chain for i in held for p in items[i].after if sends and not items[p].sends)
        for other, _ in fed.most_common():
            feeding = (rank, other, False)
            both = sorted([*held, *ports[feeding]], key=position.__getitem__)
            smooth = all(_smooth(items[a], items[b], causes) for a, b in pairwise(both))
            if smooth and feeding not in joined and tracks.join(chain, other):
                joined[feeding] = port
                break
    port_of = {i: joined.get(port, port) for port, held in ports.items() for i in held}
    return port_of, tracks.channels()


def _smooth(a: Item, b: Item, causes: Causes) -> bool:
    """May item b follow item a in a thread block without a delay to anybody?"""
    if a.sends == b.sends or causes.precedes(a.message, b.message):
        return True
    return not b.sends and causes.may_hold_up(a.message, b.message)


class _Tracks:
    """Chains that share a channel since a thread block receives the one and sends the other; never two of one pair of
    ranks."""

    def __init__(self, items: list[Item]) -> None:
        ends: dict[int, list[int]] = defaultdict(lambda: [-1, -1])
        for item in items:
            ends[item.chain][item.sends] = item.rank
        self.pairs = {chain: {(found[1], found[0])} for chain, found in ends.items()}
        self.track = {chain: chain for chain in ends}
        self.members = {chain: [chain] for chain in ends}

    def join(self, a: int, b: int) -> bool:
        """Put two chains on one track; False where that cannot be."""
        one, other = self.track[a], self.track[b]
        if one == other:
            return True
        if self.pairs[one] & self.pairs[other]:
            return False
        if len(self.members[one]) < len(self.members[other]):
            one, other = other, one
        self.pairs[one] |= self.pairs.pop(other)
        self.track |= dict.fromkeys(self.members[other], one)
        self.members[one] += self.members.pop(other)
        return True

    def channels(self) -> dict[int, int]:
        """The channel of every chain: the first on which no other track has one of its pairs of ranks, and on which all
        its ranks have room for another peer."""
        used: set[tuple[int, tuple[int, int]]] = set()
        peers: Counter[tuple[int, int, int]] = Counter()  # of a channel, a rank and a side
        channel: dict[int, int] = {}
        for track, pairs in self.pairs.items():
            free = 0
            while any(
                (free, pair) in used or max(peers[free, pair[0], 0], peers[free, pair[1], 1]) >= MAX_PEERS
                for pair in pairs
            ):
                free += 1
            for source, target in pairs:
                used.add((free, (source, target)))
                peers[free, source, 0] += 1
                peers[free, target, 1] += 1
            channel |= dict.fromkeys(self.members[track], free)
        return channel


def _steps(items: list[Item], mine: list[int], port_of: dict[int, Port]) -> dict[Port, list[Step]]:
    """The steps of a rank's thread blocks.

    An item waits for those steps alone that what it waits for anyway does not tell of; a step waits for one other, so
    more take steps that do nothing.
    """
    numbers = {port: k for k, port in enumerate(dict.fromkeys(port_of[i] for i in mine))}
    steps: dict[Port, list[Step]] = {port: [] for port in numbers}
    done: dict[int, NDArray[np.int64]] = {}  # steps of every thread block that are done when an item is
    last = {port: np.zeros(len(numbers), np.int64) for port in numbers}
    place = {i: k for k, i in enumerate(mine)}
    for i in mine:
        port = port_of[i]
        known, awaited = last[port].copy(), list[tuple[int, int]]()
        for before in sorted(set(items[i].after), key=place.__getitem__, reverse=True):
            other = numbers[port_of[before]]
            if known[other] < done[before][other]:
                awaited.append((other, int(done[before][other]) - 1))
                known = np.maximum(known, done[before])
        own = steps[port]
        own += [Step("nop", NOWHERE, NOWHERE, 0, after, 0) for after in awaited[:-1]]
        for kind, source, target, count in items[i].lines:
            own.append(Step(kind, source, target, count, awaited.pop() if awaited else None, 0))
            awaited.clear()
        known[numbers[port]] = len(own)
        done[i] = last[port] = known
    return steps
