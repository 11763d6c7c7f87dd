"""Our own schedules as MSCCL algorithms."""

from collections.abc import Iterator
from pathlib import Path

from fabric.algorithms import ALGORITHMS, Schedule, parse_overlap
from fabric.collectives import Collective, collective
from fabric.schedules.causes import MAX_MESSAGES
from fabric.schedules.delivery import MAX_ORDERED, check_delivery
from fabric.schedules.msccl import COLLECTIVES, Algorithm
from fabric.schedules.thread_blocks import thread_blocks
from topologies.errors import ConfigError, InfeasibleError, unknown
from topologies.formats.writing import Exported
from topologies.formats.writing.xml_text import attributes
from topologies.graph import Topology

# what MSCCL's interpreter takes (its msccl.h: MSCCL_MAX_NUM_STEPS, _COUNT, _THREAD_BLOCKS; NCCL's MAXCHANNELS)
MAX_STEPS, MAX_COUNT, MAX_BLOCKS, MAX_CHANNELS = 256, 71, 216, 32
PROTOCOLS = ("Simple", "LL", "LL128")
NAMES = {ours: theirs for theirs, ours in COLLECTIVES.items()}


def msccl_text(topology: Topology, collective_name: str, algorithm: str, overlap: str = "auto") -> Exported:
    """An MSCCL algorithm file of a schedule of ours on a fabric.

    The data go through it whole, or in so many chunks as an overlap `chunked:k` says: the library cuts them into slices
    that follow each other itself.

    ConfigError for a collective that MSCCL has no name for, InfeasibleError where the algorithm does not apply, or has
    no messages that MSCCL could send.

    >>> from topologies.registry import build
    >>> print(msccl_text(build("switch:n=2"), "all-gather", "direct").text.splitlines()[0])
    <algo name="aifabric-direct-all-gather" nchannels="1" nchunksperloop="2" proto="Simple" ngpus="2" \
coll="allgather" inplace="1" outofplace="0">
    """
    if algorithm not in ALGORITHMS:
        raise ConfigError(unknown("algorithm", algorithm, ALGORITHMS))
    if collective_name not in NAMES:
        raise ConfigError(f"msccl has no collective {collective_name}; it has {', '.join(NAMES)}")
    pattern = collective(collective_name, len(topology.accelerators))
    schedule = ALGORITHMS[algorithm](topology, pattern)
    return msccl_of(schedule if overlap == "auto" else schedule.overlapped(overlap), pattern)


def msccl_of(
    schedule: Schedule, pattern: Collective, sizes: tuple[int, int] | None = None, protocol: str | None = None
) -> Exported:
    """The file of a schedule, meant for sizes from and to so many bytes where they are given, and what to know of it;
    Simple is the protocol unless another one of MSCCL's is given.

    It is run symbolically before it is written: every rank ends with what the collective promises.
    """
    made, notes = _made(schedule, pattern, sizes)
    check_delivery(made)
    operations = sum(len(block.steps) for gpu in made.gpus for block in gpu.blocks)
    if operations > MAX_ORDERED:
        notes.append(f"{operations:,} steps: they deliver, but which may race was not checked")
    notes += _beyond_interpreter(made)
    return Exported("".join(_lines(made, protocol if protocol in PROTOCOLS else PROTOCOLS[0])), tuple(notes))


def algorithm_of(schedule: Schedule, pattern: Collective) -> Algorithm:
    """The thread blocks of a schedule: in place but for all-to-all, at most 30,000 messages.

    >>> from topologies.registry import build
    >>> pattern = collective("all-gather", 4)
    >>> algorithm_of(ALGORITHMS["ring"](build("switch:n=4"), pattern), pattern).chunks
    8
    """
    return _made(schedule, pattern, None)[0]


def _beyond_interpreter(made: Algorithm) -> list[str]:
    """In what MSCCL's interpreter does not take an algorithm."""
    blocks = [block for gpu in made.gpus for block in gpu.blocks]
    sizes = [
        (max(len(block.steps) for block in blocks), MAX_STEPS, "steps in a thread block"),
        (max(step.count for block in blocks for step in block.steps), MAX_COUNT, "chunks in a step"),
        (max(len(gpu.blocks) for gpu in made.gpus), MAX_BLOCKS, "thread blocks on a GPU"),
        (1 + max(block.channel for block in blocks), MAX_CHANNELS, "channels"),
    ]
    return [f"up to {size:,} {what}; MSCCL's interpreter takes {most}" for size, most, what in sizes if size > most]


def _made(schedule: Schedule, pattern: Collective, sizes: tuple[int, int] | None) -> tuple[Algorithm, list[str]]:
    """The algorithm, and in what it differs from the messages."""
    name = schedule.algorithm
    if pattern.name not in NAMES:
        raise ConfigError(f"msccl has no collective {pattern.name}; it has {', '.join(NAMES)}")
    if schedule.messages is None:
        raise InfeasibleError(f"{name} has no exact messages that a schedule could be written of")
    least = sum(step.traffic.entries - pattern.n for step in schedule.steps) * parse_overlap(schedule.overlap)[1]
    if least > MAX_MESSAGES:
        many = f"{name} has {least:,} messages or more"
        raise InfeasibleError(f"{many}; at most {MAX_MESSAGES:,} are laid out in thread blocks")
    made = thread_blocks(schedule.messages(parse_overlap(schedule.overlap)[1]), name, pattern)
    label = f"aifabric-{name}-{pattern.name}"
    in_place = pattern.name != "all-to-all"
    whole = Algorithm(label, Path(label), NAMES[pattern.name], made.chunks, in_place, made.gpus, sizes)
    notes = [f"{made.held_up:,} receives wait for another one that adds to the same chunk"] if made.held_up else []
    if made.eager:
        notes.append(f"{made.eager:,} sends do not wait until their target is ready, as ours do: times may differ")
    return whole, notes


def _lines(made: Algorithm, protocol: str) -> Iterator[str]:
    channels = 1 + max(block.channel for gpu in made.gpus for block in gpu.blocks)
    head = attributes(
        name=made.name, nchannels=channels, nchunksperloop=made.chunks, proto=protocol, ngpus=len(made.gpus),
        coll=made.collective, inplace=int(made.in_place), outofplace=int(not made.in_place),
    )  # fmt: skip
    if made.sizes is not None:
        head += attributes(minBytes=made.sizes[0], maxBytes=made.sizes[1])
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
