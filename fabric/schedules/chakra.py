"""Chakra execution traces: nodes of each rank that compute, send, receive or take part in a collective."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fabric.schedules import Recorded
from fabric.schedules.program import Exchange, Program
from fabric.schedules.wire import BYTES, WireError, numbers, read_fields, read_messages, signed, zigzag
from topologies.errors import ConfigError
from topologies.formats.native_schema import short

WANTED = "Chakra traces PREFIX.0.et, PREFIX.1.et, ..., one file a rank"
MAX_MIB = 64  # of one file
MAX_NODES = 1_000_000  # of one file
MAX_RANKS = 100_000
# NodeType of the schema (mlcommons/chakra, et_def.proto)
METADATA, LOAD, STORE, COMPUTE, SEND, RECEIVE, COLLECTIVE = range(1, 8)
KINDS = {COMPUTE: "computation", SEND: "send", RECEIVE: "receive", COLLECTIVE: "collective"}
# CollectiveCommType of the schema; sizes as ASTRA-sim's ring takes them: all-gather's is what one rank gives
TYPES = {
    0: "all-reduce", 1: "reduce", 2: "all-gather", 5: "broadcast", 6: "all-to-all", 7: "reduce-scatter",
    8: "reduce-scatter", 9: "barrier",
}  # fmt: skip
# fields of AttributeProto's value: how a number on the wire is meant; text
_INTEGERS: dict[int, Callable[[int], int]] = {
    **dict.fromkeys((7, 9), signed), **dict.fromkeys((11, 13, 19, 21, 23, 25, 27), int),
    **dict.fromkeys((15, 17), zigzag),
}  # fmt: skip
_TEXT = 29
_NOTHING: int | str = "no value that is read"


@dataclass(slots=True)
class Node:
    """A node of a trace; `values` are its attributes that are numbers or text."""

    id: int = 0
    name: str = ""
    kind: int = 0
    deps: list[int] = field(default_factory=list)
    micros: int = 0
    values: dict[str, int | str] = field(default_factory=dict)

    def number(self, key: str, where: str) -> int:
        """A whole number of zero or more that must be there."""
        value = self.values.get(key)
        if not isinstance(value, int) or not 0 <= value < 2**63:
            given = "has no" if value is None else f"has {short(value)} as"
            raise ConfigError(f"{where} {given} {key}; it needs a whole number, zero or more and below 2^63")
        return value


def read_chakra(path: Path) -> Recorded:
    """Traces of all ranks: a folder, a prefix, or one of the files; rank R is what `PREFIX.R.et` holds.

    Nodes wait for their data and control dependencies; sends and receives match by ranks and `comm_tag`, in their
    order; computations take `duration_micros`; a collective of a process group goes by an algorithm of ours. A trace
    that says it was made from a collective algorithm holds the reductions of that as computations, whose times
    stand for nothing measured: they are left out, as in MSCCL's and our own algorithms, and a note says so.

    ConfigError names file and node: cut off, no protocol buffer, dependencies that are missing or go round in a circle,
    ranks that are missing, sends without receives, collectives that the ranks of a group do not agree on.

    >>> read_chakra(Path("nowhere.0.et"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    topologies.errors.ConfigError: nowhere.0.et: No such file or directory; give Chakra traces PREFIX.0.et, ...
    """
    files = _files(path)
    name = re.sub(r"\.?0\.et$", "", files[0].name) or path.name
    program = Program(len(files), str(path))
    calls: list[list[_Call]] = []
    made_from: set[bool] = set()
    longest = 0
    for rank, file in enumerate(files):
        metadata, nodes = _trace(file)
        made_from.add("collective" in metadata)
        own: list[_Call] = []
        skipped = "collective" in metadata
        longest = max(longest, sum(node.micros for node in nodes if skipped and node.kind == COMPUTE))
        _add_rank(program, rank, file, nodes, own, skipped)
        calls.append(own)
    _add_exchanges(program, calls)
    if not len(program):
        raise ConfigError(f"{path}: the traces hold no node that computes or communicates")
    notes: tuple[str, ...] = ()
    if longest:
        notes = (f"reductions of the algorithm take no time; the trace gives them {longest} us on a rank",)
    return Recorded(name, "chakra", len(files), None, lambda size: program, bool(program.exchanges), notes)


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


def _trace(file: Path) -> tuple[Mapping[str, int | str], list[Node]]:
    """The metadata and nodes of one file."""
    try:
        size = file.stat().st_size
        if size > MAX_MIB * 2**20:
            raise ConfigError(f"{file}: {size / 2**20:,.0f} MiB; at most {MAX_MIB} MiB a rank are read")
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}; give {WANTED}") from error
    place = "the metadata"
    try:
        messages = read_messages(data)
        first = next(messages, None)
        if first is None:
            raise ConfigError(f"{file}: the file is empty; give {WANTED}")
        metadata = dict(_attributes(first, 2))
        nodes: dict[int, Node] = {}
        for number, message in enumerate(messages, start=1):
            place = f"node number {number}"
            node = _node(message, f"{file}: {place}")
            if node.id in nodes:
                raise ConfigError(f"{file}: node {node.id} stands there twice")
            if number > MAX_NODES:
                raise ConfigError(f"{file}: more than {MAX_NODES:,} nodes; cut the trace in pieces")
            nodes[node.id] = node
    except (WireError, UnicodeDecodeError) as error:
        told = "text that is not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        raise ConfigError(f"{file}: {place}: {told}; give {WANTED}") from None
    return metadata, list(nodes.values())


def _node(message: bytes, where: str) -> Node:
    node = Node()
    for number, wire, value in read_fields(message):
        if number in (4, 5):
            node.deps += numbers(value)
        elif number in (1, 3, 7) and isinstance(value, int):
            setattr(node, {1: "id", 3: "kind", 7: "micros"}[number], value)
        elif number == 2 and isinstance(value, bytes):
            node.name = value.decode("utf-8")
        elif number in (1, 2, 3, 7) or (number == 10 and wire != BYTES):
            raise WireError(f"field {number} has wire type {wire}")
    if not METADATA <= node.kind <= COLLECTIVE:
        raise ConfigError(f"{where}: type {node.kind} is none of 1 to {COLLECTIVE}; give {WANTED}")
    node.values = dict(_attributes(message, 10))
    return node


def _attributes(message: bytes, field_number: int) -> Iterator[tuple[str, int | str]]:
    """Name and value of each attribute that is a number or text."""
    for number, _, value in read_fields(message):
        if number != field_number or not isinstance(value, bytes):
            continue
        name, found = "", _NOTHING
        for inner, _, held in read_fields(value):
            if inner == 1 and isinstance(held, bytes):
                name = held.decode("utf-8")
            elif inner in _INTEGERS and isinstance(held, int):
                found = _INTEGERS[inner](held)
            elif inner == _TEXT and isinstance(held, bytes):
                found = held[:200].decode("utf-8", errors="replace")
        if found is not _NOTHING:
            yield name, found


@dataclass(frozen=True, slots=True)
class _Call:
    """A rank's part in a collective: its pattern, size, group, and the operations before and after."""

    collective: str
    bytes: int
    group: str
    where: str
    entry: int
    exit: int


def _add_rank(program: Program, rank: int, file: Path, nodes: list[Node], calls: list[_Call], skipped: bool) -> None:
    """The operations of a rank, then what each waits for; `skipped`: computations take no time."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for node in nodes:
        where = f"{file}: node {node.id}"
        name = f"node {node.id} ({short(node.name) if node.name else KINDS.get(node.kind, 'metadata')})"
        if node.kind in (SEND, RECEIVE):
            key, add = ("comm_dst", program.send) if node.kind == SEND else ("comm_src", program.receive)
            size = float(node.number("comm_size", where))
            tag = node.number("comm_tag", where) if "comm_tag" in node.values else 0
            first[node.id] = last[node.id] = add(rank, name, node.number(key, where), tag, size)
        elif node.kind == COLLECTIVE:
            first[node.id] = program.compute(rank, name, 0.0)
            last[node.id] = program.compute(rank, name, 0.0, after=[first[node.id]])
            calls.append(_call(node, where, first[node.id], last[node.id]))
        else:
            seconds = 0.0 if skipped else node.micros * 1e-6
            first[node.id] = last[node.id] = program.compute(rank, name, seconds)
    for node in nodes:
        for dep in node.deps:
            if dep not in last:
                raise ConfigError(f"{file}: node {node.id} waits for node {dep}, which is not there")
            program.waiting.append(first[node.id])
            program.awaited.append(last[dep])


def _call(node: Node, where: str, entry: int, leave: int) -> _Call:
    kind = node.number("comm_type", where)
    if kind not in TYPES:
        raise ConfigError(f"{where}: collective type {kind} is not taken; {', '.join(TYPES.values())} are")
    if node.values.get("root", 0) != 0:
        raise ConfigError(f"{where}: root {node.values['root']}; collectives from and to rank 0 are taken")
    size = node.number("comm_size", where) if TYPES[kind] != "barrier" else 0
    return _Call(TYPES[kind], size, str(node.values.get("pg_name", "")), where, entry, leave)


def _add_exchanges(program: Program, calls: list[list[_Call]]) -> None:
    """Match the collectives of the ranks: all of a process group call its collectives in the same order, who calls none
    of a named group is not in it."""
    groups = dict.fromkeys(call.group for own in calls for call in own)
    for group in groups:
        of_rank = [[call for call in own if call.group == group] for own in calls]
        most = max(of_rank, key=len)
        members = tuple(rank for rank, own in enumerate(of_rank) if own or not group)
        short = next((rank for rank in members if len(of_rank[rank]) < len(most)), None)
        if short is not None:
            named = f" of process group '{group[:40]}'" if group else ""
            told = most[len(of_rank[short])]
            few = f"but rank {short} calls {len(of_rank[short])} of {len(most)} there"
            raise ConfigError(f"{told.where}: {told.collective}{named}, {few}")
        for same in zip(*(of_rank[rank] for rank in members), strict=True):
            odd = next((c for c in same if (c.collective, c.bytes) != (same[0].collective, same[0].bytes)), None)
            if odd is not None:
                raise ConfigError(
                    f"{odd.where}: {odd.collective} of {odd.bytes:,} bytes, where rank {members[0]} calls "
                    f"{same[0].collective} of {same[0].bytes:,}"
                )
            size = float(same[0].bytes * (len(members) if same[0].collective == "all-gather" else 1))
            entry, leave = [c.entry for c in same], [c.exit for c in same]
            program.exchanges.append(Exchange(same[0].collective, size, entry, leave, members))
