"""Chakra execution traces: nodes of each rank that compute, send, receive or take part in a collective."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fabric.schedules import Recorded
from fabric.schedules.chakra_nodes import (
    COLLECTIVE,
    COMPUTE,
    LOAD,
    RECEIVE,
    SEND,
    STORE,
    WANTED,
    Nodes,
    read_nodes,
)
from fabric.schedules.program import ALONE, Exchange, Program
from fabric.schedules.program import COMPUTE as COMPUTES
from fabric.schedules.program import RECEIVE as RECEIVES
from fabric.schedules.program import SEND as SENDS
from topologies.errors import ConfigError
from topologies.formats.native_schema import short

MAX_MIB = 64  # of one file
MAX_RANKS = 100_000
READ_BYTES = 2**22  # of files that are taken apart at once; their columns are 15 times as large
KINDS = {COMPUTE: "computation", SEND: "send", RECEIVE: "receive", COLLECTIVE: "collective"}
# CollectiveCommType of the schema; sizes as ASTRA-sim's ring takes them: all-gather's is what one rank gives
TYPES = {
    0: "all-reduce", 1: "reduce", 2: "all-gather", 5: "broadcast", 6: "all-to-all", 7: "reduce-scatter",
    8: "reduce-scatter", 9: "barrier",
}  # fmt: skip


def read_chakra(path: Path) -> Recorded:
    """Traces of all ranks: a folder, a prefix, or one of the files; rank R is what `PREFIX.R.et` holds.

    Nodes wait for their data and control dependencies; sends and receives match by ranks and `comm_tag`, in their
    order; computations take `duration_micros`, or without one what the fabric's accelerator needs for their `num_ops`,
    those of a rank's accelerator one after the other, and so those of its CPU (`is_cpu_op`); a collective of a process
    group goes by an algorithm of ours. A trace that says it was made from a collective algorithm holds the reductions
    of that as computations, whose times stand for nothing measured: they are left out, as in MSCCL's and our own
    algorithms, and a note says so.

    ConfigError names file and node: cut off, no protocol buffer, dependencies that are missing or go round in a circle,
    ranks that are missing, sends without receives, collectives that the ranks of a group do not agree on.

    >>> read_chakra(Path("nowhere.0.et"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    topologies.errors.ConfigError: nowhere.0.et: No such file or directory; give Chakra traces PREFIX.0.et, ...
    """
    files = _files(path)
    name = re.sub(r"\.?0\.et$", "", files[0].name) or path.name
    program = Program(len(files), str(path))
    calls: list[list[_Call]] = [[] for _ in files]
    longest, untimed = 0.0, 0
    for first, texts in _texts(files):
        nodes = read_nodes(files[first : first + len(texts)], texts)
        skipped = nodes.of_collective[nodes.file]
        reductions = np.bincount(nodes.file, nodes.micros * (skipped & (nodes.kind == COMPUTE)), len(texts))
        longest = max(longest, float(reductions.max(initial=0)))
        untimed += _untimed(nodes)
        _add_ranks(program, first, nodes, calls)
    _add_exchanges(program, calls)
    if not len(program):
        raise ConfigError(f"{path}: the traces hold no node that computes or communicates")
    notes = []
    if longest:
        notes.append(f"reductions of the algorithm take no time; the trace gives them {longest:g} us on a rank")
    if untimed:
        notes.append(f"{untimed:,} memory nodes give bytes (tensor_size), no microseconds: they take no time")
    return Recorded(name, "chakra", len(files), None, lambda size: program, bool(program.exchanges), tuple(notes))


def _files(path: Path) -> list[Path]:
    """The files of all ranks in their order."""
    if path.is_dir():
        prefixes = {p.name.rpartition(".")[0].rpartition(".")[0] for p in path.glob("*.et")}
        if len(prefixes) != 1:
            told = f"traces of {', '.join(sorted(prefixes)[:4])}; name one prefix" if prefixes else f"give {WANTED}"
            raise ConfigError(f"{path}: the folder holds {'no *.et; ' if not prefixes else ''}{told}")
        folder, prefix = path, prefixes.pop()
    else:
        folder, prefix = path.parent, re.sub(r"\.[0-9]+\.et$", "", path.name)
        if path.suffix.lower() == ".et" and not path.is_file():
            raise ConfigError(f"{path}: No such file or directory; give {WANTED}")
    found: dict[int, Path] = {}
    start = f"{prefix}." if prefix else ""
    for file in folder.iterdir():
        number = re.fullmatch(r"([0-9]{1,9})\.et", file.name.removeprefix(start))
        if file.name.startswith(start) and number:
            if int(number[1]) in found:
                raise ConfigError(f"{file}: rank {int(number[1])} has another file, {found[int(number[1])].name}")
            found[int(number[1])] = file
    missing = next((rank for rank in range(len(found)) if rank not in found), None)
    if not found or missing is not None:
        what = f"rank {missing} of {max(found) + 1} is missing" if found else f"no file {start}0.et"
        raise ConfigError(f"{path}: {what}; give {WANTED}")
    if len(found) > MAX_RANKS:
        raise ConfigError(f"{path}: {len(found):,} ranks; at most {MAX_RANKS:,} are read")
    return [found[rank] for rank in range(len(found))]


def _texts(files: list[Path]) -> Iterator[tuple[int, list[bytes]]]:
    """The bytes of some files at a time, and the first rank of those."""
    first, texts, held = 0, list[bytes](), 0
    for rank, file in enumerate(files):
        texts.append(_bytes(file))
        held += len(texts[-1])
        if held >= READ_BYTES or rank == len(files) - 1:
            yield first, texts
            first, texts, held = rank + 1, [], 0


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_MIB * 2**20 + 1)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}; give {WANTED}") from error
    if len(data) > MAX_MIB * 2**20:
        raise ConfigError(f"{file}: at most {MAX_MIB} MiB a rank are read")
    return data


def _untimed(nodes: Nodes) -> int:
    """How many memory nodes say what they move, but not how long it takes."""
    moves = np.isin(nodes.kind, (LOAD, STORE)) & (nodes.places("tensor_size") >= 0)
    return int(np.count_nonzero((nodes.micros == 0) & moves))


@dataclass(frozen=True, slots=True)
class _Call:
    """A rank's part in a collective: its pattern, size, group, and the operations before and after."""

    collective: str
    bytes: int
    group: str
    where: str
    entry: int
    exit: int


def _add_ranks(program: Program, first_rank: int, nodes: Nodes, calls: list[list[_Call]]) -> None:
    """The operations of ranks, then what each waits for; a collective is one before and one after it."""
    count, kind = len(nodes.id), nodes.kind
    sends, receives = np.flatnonzero(kind == SEND), np.flatnonzero(kind == RECEIVE)
    computes, collectives = np.flatnonzero(kind == COMPUTE), np.flatnonzero(kind == COLLECTIVE)
    messages = np.sort(np.concatenate([sends, receives]))
    peer, tag, size = np.full(count, -1), np.zeros(count, np.int64), np.zeros(count)
    peer[sends], peer[receives] = nodes.numbers("comm_dst", sends), nodes.numbers("comm_src", receives)
    size[messages], tag[messages] = nodes.numbers("comm_size", messages), nodes.numbers("comm_tag", messages, 0)
    processor = np.full(count, ALONE)
    processor[computes] = nodes.numbers("is_cpu_op", computes, 0) > 0
    operation = np.full(count, COMPUTES)
    operation[sends], operation[receives] = SENDS, RECEIVES
    timed = ~np.isin(kind, (SEND, RECEIVE, COLLECTIVE)) & ~nodes.of_collective[nodes.file]
    rank = first_rank + nodes.file
    name = [
        f"node {number} ({short(text) if text else KINDS.get(what, 'metadata')})"
        for number, text, what in zip(nodes.id.tolist(), nodes.name, kind.tolist(), strict=True)
    ]
    columns = rank, peer, tag, size, nodes.micros * timed * 1e-6, processor
    ranks, *rest = (column.tolist() for column in columns)
    first = program.extend(ranks, name, operation.tolist(), *rest)
    leaves = [
        program.compute(ranks[node], name[node], 0.0, after=[first + node]) for node in collectives.tolist()
    ]  # fmt: skip
    bare = np.flatnonzero((processor == 0) & (nodes.micros == 0) & timed & (nodes.places("num_ops") >= 0))
    work = nodes.numbers("num_ops", bare), nodes.numbers("tensor_size", bare, 0)
    for node, operations, moved in zip(bare.tolist(), *(column.tolist() for column in work), strict=True):
        program.work(first + node, operations, moved)
    last = first + np.arange(count)
    last[collectives] = leaves
    program.waiting.extend((first + nodes.waiting).tolist())
    program.awaited.extend(last[nodes.awaited].tolist())
    for node, leave, call in zip(collectives.tolist(), leaves, _calls(nodes, collectives), strict=True):
        calls[ranks[node]].append(_Call(*call, nodes.where(node), first + node, leave))


def _calls(nodes: Nodes, collectives: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Iterator[tuple[str, int, str]]:
    """Pattern, size and group of each collective."""
    kinds = nodes.numbers("comm_type", collectives)
    root, group = nodes.places("root")[collectives], nodes.places("pg_name")[collectives]
    sized = collectives[kinds != 9]
    size = np.zeros(len(nodes.id), np.int64)
    size[sized] = nodes.numbers("comm_size", sized)
    told = nodes.attributes.told
    for node, kind, at_root, at_group in zip(
        collectives.tolist(), kinds.tolist(), root.tolist(), group.tolist(), strict=True
    ):
        if kind not in TYPES:
            named = ", ".join(dict.fromkeys(TYPES.values()))
            raise ConfigError(f"{nodes.where(node)}: collective type {kind} is not taken; {named} are")
        if at_root >= 0 and told(at_root) != 0:
            given = short(told(at_root))
            raise ConfigError(f"{nodes.where(node)}: root {given}; collectives from and to rank 0 are taken")
        yield TYPES[kind], int(size[node]), str(told(at_group)) if at_group >= 0 else ""


def _add_exchanges(program: Program, calls: list[list[_Call]]) -> None:
    """Match the collectives of the ranks: all of a process group call its collectives in the same order, who calls none
    of a named group is not in it."""
    groups: dict[str, dict[int, list[_Call]]] = {}
    for rank, own in enumerate(calls):
        for call in own:
            groups.setdefault(call.group, {}).setdefault(rank, []).append(call)
    for group, callers in groups.items():
        of_rank = callers if group else {rank: callers.get(rank, []) for rank in range(len(calls))}
        members, most = tuple(of_rank), max(of_rank.values(), key=len)
        short = next((rank for rank, own in of_rank.items() if len(own) < len(most)), None)
        if short is not None:
            named = f" of process group '{group[:40]}'" if group else ""
            told = most[len(of_rank[short])]
            few = f"but rank {short} calls {len(of_rank[short])} of {len(most)} there"
            raise ConfigError(f"{told.where}: {told.collective}{named}, {few}")
        for same in zip(*of_rank.values(), strict=True):
            odd = next((c for c in same if (c.collective, c.bytes) != (same[0].collective, same[0].bytes)), None)
            if odd is not None:
                raise ConfigError(
                    f"{odd.where}: {odd.collective} of {odd.bytes:,} bytes, where rank {members[0]} calls "
                    f"{same[0].collective} of {same[0].bytes:,}"
                )
            size = float(same[0].bytes * (len(members) if same[0].collective == "all-gather" else 1))
            entry, leave = [c.entry for c in same], [c.exit for c in same]
            program.exchanges.append(Exchange(same[0].collective, size, entry, leave, members))
