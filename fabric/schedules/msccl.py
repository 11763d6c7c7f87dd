"""MSCCL: a collective as thread blocks on each GPU that send, receive, copy and reduce chunks step by step."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fabric.schedules import Recorded
from fabric.schedules.program import Program
from topologies.errors import ConfigError
from topologies.formats.contents import MIB
from topologies.formats.elements import Element, read_tree
from topologies.formats.native_schema import short

MAX_MIB = 64
MAX_TAGS = 1_000_000  # a step has some 140 bytes
MAX_GPUS = 100_000
MAX_CHUNKS = 2**24
WANTED = "an MSCCL algorithm (<algo>)"
RECEIVES, SENDS = ("r", "rcs", "rrs", "rrc", "rrcs"), ("s", "rcs", "rrs", "rrcs")
KINDS = dict.fromkeys((*SENDS, *RECEIVES, "cpy", "re", "nop"))
BUFFERS = ("i", "o", "s")
COLLECTIVES = {
    "allreduce": "all-reduce", "allgather": "all-gather", "reducescatter": "reduce-scatter", "alltoall": "all-to-all",
    "broadcast": "broadcast", "reduce": "reduce",
}  # fmt: skip


class Place(NamedTuple):
    """A chunk of a buffer: input, output or scratch."""

    buffer: str
    chunk: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a thread block: what it does with `count` chunks from `source` to `target`, and after which step
    (thread block, number) of its GPU."""

    kind: str
    source: Place
    target: Place
    count: int
    after: tuple[int, int] | None
    line: int


@dataclass(frozen=True, slots=True)
class Block:
    """A thread block: the peers that it sends to and receives from (-1: none) on a channel, and its steps."""

    number: int
    send: int
    receive: int
    channel: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU: how many chunks its input, output and scratch buffer hold, and its thread blocks."""

    number: int
    chunks: tuple[int, int, int]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A whole file; `chunks` is the number in which the collective's size is cut."""

    name: str
    path: Path
    collective: str
    chunks: int
    in_place: bool
    gpus: tuple[Gpu, ...]
    sizes: tuple[int, int] | None


def read_msccl(path: Path) -> Recorded:
    """An MSCCL algorithm; at a size S a chunk has S / nchunksperloop bytes.

    Steps of a thread block follow each other, and wait for the step that they name as their dependency; chunks go whole
    from step to step (the library goes through them in slices, which hides part of that). ConfigError names the line.

    >>> read_msccl(Path("nowhere.xml"))
    Traceback (most recent call last):
    topologies.errors.ConfigError: nowhere.xml: No such file or directory; give an MSCCL algorithm (<algo>)
    """
    algorithm = read_algorithm(path)
    made = program(algorithm, 1.0)
    made.flows()  # what cannot run is said on reading
    notes = ["chunks go whole from step to step, without the library's slices"]
    if algorithm.sizes is not None:
        notes.append("the file is meant for sizes from {:,} to {:,} bytes".format(*algorithm.sizes))
    return Recorded(
        algorithm.name, "msccl", len(algorithm.gpus), COLLECTIVES[algorithm.collective],
        lambda size: program(algorithm, size), notes=tuple(notes),
    )  # fmt: skip


def program(algorithm: Algorithm, size_bytes: float) -> Program:
    """The operations of an algorithm on data of that size; a step that receives and sends is two.

    >>> from fabric.collectives import Collective
    >>> from fabric.algorithms import ALGORITHMS
    >>> from fabric.schedules.msccl_writing import algorithm_of
    >>> from topologies.registry import build
    >>> pattern = Collective("all-reduce", 4)
    >>> ring = algorithm_of(ALGORITHMS["ring"](build("switch:n=4"), pattern), pattern)
    >>> len(program(ring, 1e6))  # both ways, 6 rounds of 4
    96
    """
    made = Program(len(algorithm.gpus), str(algorithm.path))
    chunk = size_bytes / algorithm.chunks
    late: list[tuple[int, int, tuple[int, int]]] = []
    ends: list[dict[tuple[int, int], int]] = []
    for gpu in algorithm.gpus:
        done: dict[tuple[int, int], int] = {}
        for block in gpu.blocks:
            last: list[int] = []
            for number, step in enumerate(block.steps):
                first, last = _operations(made, gpu.number, block, number, step, chunk, last)
                done[block.number, number] = last[0]
                if step.after is not None:
                    late.append((first, gpu.number, step.after))
        ends.append(done)
    for operation, rank, after in late:
        if after not in ends[rank]:
            raise ConfigError(f"{made.told(operation)} waits for step {after[1]} of tb {after[0]}, which is not there")
        made.waiting.append(operation)
        made.awaited.append(ends[rank][after])
    return made


def _operations(
    made: Program, rank: int, block: Block, number: int, step: Step, chunk: float, after: list[int]
) -> tuple[int, list[int]]:
    """Add a step; its first operation and its last one."""
    name = f"line {step.line} (tb {block.number} step {number}, {step.kind})"
    added: list[int] = []
    if step.kind in RECEIVES:
        added.append(made.receive(rank, name, block.receive, block.channel, step.count * chunk, after))
    if step.kind in SENDS:
        added.append(made.send(rank, name, block.send, block.channel, step.count * chunk, added or after))
    if not added:
        added.append(made.compute(rank, name, 0.0, after))
    return added[0], added[-1:]


def read_algorithm(path: Path) -> Algorithm:
    """The thread blocks and steps of a file; ConfigError names the line of what is wrong."""
    try:
        size = path.stat().st_size
        if size > MAX_MIB * MIB:
            raise ConfigError(f"{path}: {size / MIB:,.0f} MiB; at most {MAX_MIB} MiB are read; give {WANTED}")
        tags = path.read_bytes().count(b"<")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give {WANTED}") from error
    if tags > MAX_TAGS:
        raise ConfigError(f"{path}: {tags:,} tags; at most {MAX_TAGS:,} are read; give {WANTED}")
    root = read_tree(path, "algo")
    where = root.at(path)
    collective = root.need("coll", path).lower().replace("_", "")
    if collective not in COLLECTIVES:
        raise ConfigError(f"{where}: collective '{collective[:40]}' is not one of {', '.join(COLLECTIVES)}")
    number = _whole(root, path, "ngpus", 1, MAX_GPUS)
    gpus: dict[int, Gpu] = {}
    for element in root.all("gpu"):
        gpu = _gpu(element, path, number)
        if gpu.number in gpus:
            raise ConfigError(f"{element.at(path)}: gpu {gpu.number} stands there twice")
        gpus[gpu.number] = gpu
    missing = next((rank for rank in range(number) if rank not in gpus), None)
    if missing is not None:
        raise ConfigError(f"{where}: gpu {missing} of {number} is missing; give each a <gpu>")
    limits = None
    if "minBytes" in root.attributes and "maxBytes" in root.attributes:
        limits = _whole(root, path, "minBytes", 0, 2**63), _whole(root, path, "maxBytes", 0, 2**63)
    return Algorithm(
        name=short(root.attributes.get("name") or path.stem),
        path=path,
        collective=collective,
        chunks=_whole(root, path, "nchunksperloop", 1, MAX_CHUNKS),
        in_place=_whole(root, path, "inplace", 0, 1) == 1 if "inplace" in root.attributes else False,
        gpus=tuple(gpus[rank] for rank in range(number)),
        sizes=limits,
    )


def _gpu(element: Element, path: Path, gpus: int) -> Gpu:
    rank = _whole(element, path, "id", 0, gpus - 1)
    i, o, s = (_whole(element, path, f"{buffer}_chunks", 0, MAX_CHUNKS) for buffer in BUFFERS)
    blocks: dict[int, Block] = {}
    users: dict[tuple[str, int, int], int] = {}
    for tb in element.all("tb"):
        block = _block(tb, path, rank, gpus)
        if block.number in blocks:
            raise ConfigError(f"{tb.at(path)}: tb {block.number} stands there twice in gpu {rank}")
        blocks[block.number] = block
        for way, peer, kinds in (("sends to", block.send, SENDS), ("receives from", block.receive, RECEIVES)):
            if any(step.kind in kinds for step in block.steps):
                other = users.setdefault((way, peer, block.channel), block.number)
                if other != block.number:
                    told = f"tb {other} and tb {block.number} of gpu {rank} both {way.replace('s ', ' ', 1)}"
                    raise ConfigError(f"{tb.at(path)}: {told} gpu {peer} on channel {block.channel}; one may")
    return Gpu(rank, (i, o, s), tuple(blocks.values()))


def _block(tb: Element, path: Path, rank: int, gpus: int) -> Block:
    number, channel = _whole(tb, path, "id", 0, 2**20), _whole(tb, path, "chan", 0, 2**20)
    send, receive = _whole(tb, path, "send", -1, gpus - 1), _whole(tb, path, "recv", -1, gpus - 1)
    steps = []
    for place, element in enumerate(tb.all("step")):
        step = _step(element, path, place)
        for kinds, peer, key in ((SENDS, send, "send"), (RECEIVES, receive, "recv")):
            if step.kind in kinds and peer in (-1, rank):
                raise ConfigError(f"{element.at(path)}: type {step.kind} in a thread block with {key}={peer}")
        steps.append(step)
    return Block(number, send, receive, channel, tuple(steps))


def _step(element: Element, path: Path, place: int) -> Step:
    if _whole(element, path, "s", 0, 2**20) != place:
        raise ConfigError(f"{element.at(path)}: step {element.attributes['s']} in place {place}; number them from 0")
    kind = element.need("type", path)
    if kind not in KINDS:
        raise ConfigError(f"{element.at(path)}: type '{kind[:20]}' is not one of {', '.join(KINDS)}")
    source, target = (
        Place(_buffer(element, path, f"{end}buf"), _whole(element, path, f"{end}off", -1, MAX_CHUNKS))
        for end in ("src", "dst")
    )
    after = _whole(element, path, "depid", -1, 2**20), _whole(element, path, "deps", -1, 2**20)
    count = _whole(element, path, "cnt", 0 if kind == "nop" else 1, MAX_CHUNKS)
    return Step(kind, source, target, count, after if after[0] >= 0 else None, element.line)


def _buffer(element: Element, path: Path, key: str) -> str:
    value = element.need(key, path)
    if value not in BUFFERS:
        raise ConfigError(f"{element.at(path)}: {key} '{value[:20]}' is not one of {', '.join(BUFFERS)}")
    return value


def _whole(element: Element, path: Path, key: str, least: int, most: int) -> int:
    value = element.need(key, path)
    if re.fullmatch(r"-?[0-9]{1,19}", value) is None or not least <= int(value) <= most:
        raise ConfigError(f"{element.at(path)}: {key} = '{value[:30]}' is not a whole number from {least} to {most:,}")
    return int(value)
