"""Our own ring and direct schedules as MSCCL algorithms."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from fabric.algorithms.ring import rings_of
from fabric.schedules.delivery import MAX_ORDERED, check_delivery
from fabric.schedules.msccl import COLLECTIVES, Algorithm, Block, Gpu, Place, Step
from topologies.errors import ConfigError, InfeasibleError
from topologies.formats.writing import Exported
from topologies.formats.writing.xml_text import attributes
from topologies.graph import Topology

MAX_STEPS = 256  # of a thread block (MSCCL_MAX_NUM_STEPS)
WRITTEN = {"ring": ("all-reduce", "all-gather", "reduce-scatter"), "direct": (*list(COLLECTIVES.values())[:4],)}
_NAMES = {ours: theirs for theirs, ours in COLLECTIVES.items()}
_NONE = Place("i", -1)


def msccl_text(topology: Topology, collective: str, algorithm: str) -> Exported:
    """An MSCCL algorithm file of our ring or direct schedule on a fabric, in place but for all-to-all.

    A ring goes round on the channels that our own takes, one for each ring and direction; direct sends from each rank
    to each other one on one channel, its steps one after the other (`--overlap phased`). Up to 20,000 steps the
    algorithm is run symbolically before it is written.

    ConfigError for what is not written, InfeasibleError where a ring passes a rank twice.

    >>> from topologies.registry import build
    >>> print(msccl_text(build("switch:n=2"), "all-gather", "direct").text.splitlines()[0])
    <algo name="aifabric-direct-all-gather" nchannels="1" nchunksperloop="2" proto="Simple" ngpus="2" \
coll="allgather" inplace="1" outofplace="0">
    """
    if algorithm not in WRITTEN or collective not in WRITTEN[algorithm]:
        does = "; ".join(f"{name} for {', '.join(kinds)}" for name, kinds in WRITTEN.items())
        raise ConfigError(f"msccl is written of {does}, not of {algorithm} for {collective}")
    ranks = len(topology.accelerators)
    if algorithm == "ring":
        orders = [order.tolist() for order in rings_of(topology)[0]]
        if any(len(set(order)) < len(order) for order in orders):
            raise InfeasibleError(f"{topology.name}: its rings pass a rank twice, which MSCCL's chunks do not")
        made = ring_algorithm(orders, collective, ranks)
    else:
        made = direct_algorithm(collective, ranks)
    notes = []
    operations = sum(len(block.steps) for gpu in made.gpus for block in gpu.blocks)
    if operations <= MAX_ORDERED:
        check_delivery(made)
    else:
        notes.append(f"{operations:,} steps: the algorithm was not run symbolically")
    longest = max(len(block.steps) for gpu in made.gpus for block in gpu.blocks)
    if longest > MAX_STEPS:
        notes.append(f"thread blocks have up to {longest} steps; MSCCL's interpreter takes {MAX_STEPS}")
    return Exported("".join(_lines(made)), tuple(notes))


def ring_algorithm(orders: Sequence[Sequence[int]], collective: str, ranks: int) -> Algorithm:
    """Every ring both ways round, each on a channel with chunks of its own.

    At position p of a ring, round t of the reduce-scatter passes on the chunk of position p - 1 - t, which ends where
    it belongs; round t of the all-gather that of position p - t (Patarasu and Yuan, JPDC 2009).

    >>> ring_algorithm([range(4)], "all-gather", 4).chunks
    8
    """
    ways = [list(way) for order in orders for way in (order, [*order[:1], *order[:0:-1]])]
    channels = len(ways)
    buffer = "o" if collective == "all-gather" else "i"
    blocks: list[list[Block]] = [[] for _ in range(ranks)]
    for channel, way in enumerate(ways):
        for position, rank in enumerate(way):

            def place(turn: int, way: list[int] = way, channel: int = channel) -> Place:
                return Place(buffer, way[turn % ranks] * channels + channel)

            steps: list[Step] = []
            turns = range(ranks - 1)
            if collective != "all-gather":
                for t in turns:
                    steps += [_step("s", place(position - 1 - t)), _step("rrc", place(position - 2 - t))]
            if collective != "reduce-scatter":
                for t in turns:
                    steps += [_step("s", place(position - t)), _step("r", place(position - 1 - t))]
            after, before = way[(position + 1) % ranks], way[position - 1]
            blocks[rank].append(Block(channel, after, before, channel, tuple(steps)))
    return _algorithm("ring", collective, ranks * channels, blocks)


def direct_algorithm(collective: str, ranks: int) -> Algorithm:
    """One thread block for each rank to send to and one for each to receive from; sums are made in the order of ranks.

    >>> len(direct_algorithm("all-reduce", 4).gpus[0].blocks)
    6
    """
    return _algorithm("direct", collective, ranks, [list(_direct(collective, ranks, rank)) for rank in range(ranks)])


def _direct(collective: str, ranks: int, rank: int) -> Iterator[Block]:
    peers = [(rank + k) % ranks for k in range(1, ranks)]
    scatters, gathers = collective in ("all-reduce", "reduce-scatter"), collective in ("all-reduce", "all-gather")
    buffer = "o" if collective == "all-gather" else "i"
    own, last = Place(buffer, rank), 2 * len(peers) - 1
    for number, peer in enumerate(peers):
        steps = []
        if collective == "all-to-all":
            steps.append(_step("s", Place("i", peer), Place("o", rank)))
        if scatters:
            steps.append(_step("s", Place("i", peer)))
        if gathers:  # the sum is whole when the last thread block has added its part
            steps.append(_step("s", own, after=(last, 0) if scatters else None))
        yield Block(number, peer, -1, 0, tuple(steps))
    for number, peer in enumerate(reversed(peers), start=len(peers)):
        steps = []
        if collective == "all-to-all":
            steps.append(_step("r", Place("o", peer)))
        if scatters:
            steps.append(_step("rrc", own, after=(number - 1, 0) if number > len(peers) else None))
        if gathers:
            steps.append(_step("r", Place(buffer, peer)))
        yield Block(number, -1, peer, 0, tuple(steps))
    if collective == "all-to-all":
        yield Block(2 * len(peers), -1, -1, 0, (_step("cpy", Place("i", rank), Place("o", rank)),))


def _step(kind: str, source: Place, target: Place | None = None, after: tuple[int, int] | None = None) -> Step:
    return Step(kind, source, target or source, 1, after, 0)


def _algorithm(name: str, collective: str, chunks: int, blocks: list[list[Block]]) -> Algorithm:
    own = chunks // len(blocks)
    sizes = {
        "all-reduce": (chunks, 0, 0), "reduce-scatter": (chunks, 0, 0), "all-gather": (0, chunks, 0),
        "all-to-all": (own * len(blocks), chunks, 0),
    }[collective]  # fmt: skip
    gpus = tuple(Gpu(rank, sizes, tuple(held)) for rank, held in enumerate(blocks))
    label = f"aifabric-{name}-{collective}"
    return Algorithm(label, Path(label), _NAMES[collective], chunks, collective != "all-to-all", gpus, None)


def _lines(made: Algorithm) -> Iterator[str]:
    channels = 1 + max(block.channel for gpu in made.gpus for block in gpu.blocks)
    head = attributes(
        name=made.name, nchannels=channels, nchunksperloop=made.chunks, proto="Simple", ngpus=len(made.gpus),
        coll=made.collective, inplace=int(made.in_place), outofplace=int(not made.in_place),
    )  # fmt: skip
    yield f"<algo{head}>\n"
    for gpu in made.gpus:
        i, o, s = gpu.chunks
        yield f"  <gpu{attributes(id=gpu.number, i_chunks=i, o_chunks=o, s_chunks=s)}>\n"
        awaited = {step.after for block in gpu.blocks for step in block.steps}
        for block in gpu.blocks:
            yield f"    <tb{attributes(id=block.number, send=block.send, recv=block.receive, chan=block.channel)}>\n"
            for number, step in enumerate(block.steps):
                after = step.after or (-1, -1)
                told = attributes(
                    s=number, type=step.kind, srcbuf=step.source.buffer, srcoff=step.source.chunk,
                    dstbuf=step.target.buffer, dstoff=step.target.chunk, cnt=step.count, depid=after[0], deps=after[1],
                    hasdep=int((block.number, number) in awaited),
                )  # fmt: skip
                yield f"      <step{told}/>\n"
            yield "    </tb>\n"
        yield "  </gpu>\n"
    yield "</algo>\n"
