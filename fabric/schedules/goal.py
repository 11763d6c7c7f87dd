"""GOAL: sends, receives and computations of each rank with labels, and which requires which."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fabric.schedules import Recorded
from fabric.schedules.program import ALONE, COMPUTE, RECEIVE, SEND, Program
from topologies.errors import ConfigError
from topologies.formats.contents import read_whole

MAX_MIB = 256
MAX_RANKS = 1_000_000
PIECE = 2**20
Row = tuple[str, int, int, int, float, float, int]  # name, kind, peer, tag, bytes, seconds, processor
WANTED = "a GOAL schedule (num_ranks N, then rank R { ... })"

_HEADER = re.compile(r"num_ranks\s+([0-9]{1,9})$")
_RANK = re.compile(r"rank\s+([0-9]{1,9})\s*\{$")
_OPERATION = re.compile(
    r"(?:([A-Za-z_][A-Za-z0-9_.]*)\s*:\s*)?"
    r"(?:(send|recv)\s+([0-9]{1,18})b\s+(to|from)\s+([0-9]{1,9}|-1)(?:\s+tag\s+([0-9]{1,18}|-1))?|calc\s+([0-9]{1,18}))"
    r"((?:\s+(?:cpu|nic)\s+[0-9]{1,9})*)$"
)
_REQUIRES = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)\s+(i?requires)\s+([A-Za-z_][A-Za-z0-9_.]*)$")
_CPU = re.compile(r"cpu\s+([0-9]+)")
_BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_LINE_COMMENT = re.compile(r"//.*|#.*")


@dataclass(slots=True)
class _Rank:
    """A rank's operations, labels (label -> which of them) and requirements, checked when its block ends."""

    number: int
    line: int
    rows: list[Row] = field(default_factory=list)
    label: dict[str, int] = field(default_factory=dict)
    wanted: list[tuple[str, str, bool, int]] = field(default_factory=list)  # label, label, at its start, line


def read_goal(path: Path) -> Recorded:
    """A GOAL schedule (Hoefler, Siebert, Lumsdaine, ICPP 2009) as LogGOPSim reads it: text, bytes, nanoseconds.

    `A requires B`: A starts when B is done; `A irequires B`: when B starts. Computations of a rank on one `cpu` (0
    where none is said) take turns, the first that is ready first; messages occupy no processor, and `nic` is passed
    over: overheads and gaps of LogGP are no part of the file, latency and rates are the fabric's, and every send is
    eager. What waits for the start of a computation waits until that is ready, not for its turn.

    ConfigError names the line of what cannot be read, a rank that is missing, a send or receive without a partner, and
    requirements in a circle.

    >>> read_goal(Path("nowhere.goal"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    topologies.errors.ConfigError: nowhere.goal: No such file or directory; give a GOAL schedule (num_ranks N, ...
    """
    program: Program | None = None
    current: _Rank | None = None
    seen: dict[int, int] = {}
    text = _BLOCK_COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), read_whole(path, WANTED, MAX_MIB))
    for number, raw in enumerate(_lines(text), start=1):
        line = (_LINE_COMMENT.sub("", raw) if "/" in raw or "#" in raw else raw).strip()
        if not line:
            continue
        if program is None:
            program = _header(line, path, number)
        elif current is None:
            current = _opened(line, path, program, seen, number)
        elif line == "}":
            _close(program, current, path)
            current = None
        elif needs := _REQUIRES.match(line) if "requires" in line else None:
            current.wanted.append((needs[1], needs[3], needs[2] == "irequires", number))
        else:
            _operation(line, path, current, number)
    if program is None:
        raise ConfigError(f"{path}: the file is empty; give {WANTED}")
    if current is not None:
        raise ConfigError(f"{path}: rank {current.number} (line {current.line}) does not end; the file is cut off")
    missing = next((rank for rank in range(program.ranks) if rank not in seen), None)
    if missing is not None:
        raise ConfigError(f"{path}: rank {missing} of {program.ranks} is missing; give each a block, empty if need be")
    made = program
    return Recorded(path.stem, "goal", made.ranks, None, lambda size: made)


def _lines(text: str) -> Iterator[str]:
    """The lines of a text, cut up piece by piece: all at once take six times its memory."""
    at = 0
    while at < len(text):
        end = text.find("\n", at + PIECE)
        end = len(text) if end < 0 else end
        yield from text[at:end].split("\n")
        at = end + 1


def _header(line: str, path: Path, number: int) -> Program:
    found = _HEADER.match(line)
    if found is None:
        raise ConfigError(f"{path}: line {number}: '{line[:40]}' is not num_ranks N; give {WANTED}")
    ranks = int(found[1])
    if not 1 <= ranks <= MAX_RANKS:
        raise ConfigError(f"{path}: line {number}: num_ranks {ranks} is not from 1 to {MAX_RANKS:,}")
    return Program(ranks, str(path))


def _opened(line: str, path: Path, program: Program, seen: dict[int, int], number: int) -> _Rank:
    where = f"{path}: line {number}"
    found = _RANK.match(line)
    if found is None:
        raise ConfigError(f"{where}: '{line[:40]}' is not rank R {{")
    rank = int(found[1])
    if rank >= program.ranks:
        raise ConfigError(f"{where}: rank {rank} of {program.ranks}; ranks are 0 to {program.ranks - 1}")
    if rank in seen:
        raise ConfigError(f"{where}: rank {rank} stands in line {seen[rank]} too")
    seen[rank] = number
    return _Rank(rank, number)


def _operation(line: str, path: Path, current: _Rank, number: int) -> None:
    """Add what a line says to its rank."""
    found = _OPERATION.match(line)
    if found is None:
        raise ConfigError(f"{path}: line {number}: '{line[:60]}' is no send, recv, calc or requires")
    label, kind, size, way, peer, tag, calc, place = found.groups()
    if label is not None:
        if label in current.label:
            raise ConfigError(f"{path}: line {number}: label {label[:40]} stands there twice in rank {current.number}")
        current.label[label] = len(current.rows)
    name = label or f"line {number}"
    if calc is not None:
        cpu = _CPU.search(place) if place else None
        current.rows.append((name, COMPUTE, -1, 0, 0.0, int(calc) * 1e-9, int(cpu[1]) if cpu else 0))
        return
    if (kind == "send") != (way == "to"):
        raise ConfigError(f"{path}: line {number}: '{line[:60]}'; write send ... to, recv ... from")
    if peer == "-1" or tag == "-1":
        raise ConfigError(
            f"{path}: line {number}: '{line[:60]}'; any rank and any tag (-1) are not taken: name those of the message"
        )
    current.rows.append((name, SEND if kind == "send" else RECEIVE, int(peer), int(tag or 0), float(size), 0.0, ALONE))


def _close(program: Program, current: _Rank, path: Path) -> None:
    """Add a rank, turning labels into operations; what another waits for the start of begins with a meeting point."""
    start: dict[int, int] = {}
    pairs = []
    for own, other, at_start, line in current.wanted:
        first, second = current.label.get(own), current.label.get(other)
        if first is None or second is None:
            lost = own if first is None else other
            raise ConfigError(f"{path}: line {line}: rank {current.number} has no label {lost[:40]}")
        if at_start and second not in start:
            start[second] = len(current.rows)
            current.rows.append((f"start of {other}", COMPUTE, -1, 0, 0.0, 0.0, ALONE))
        pairs.append((first, second, at_start))
    columns = zip(*current.rows, strict=True) if current.rows else [()] * 7
    base = program.extend([current.number] * len(current.rows), *columns)
    for first, second, at_start in pairs:
        program.waiting.append(base + start.get(first, first))
        program.awaited.append(base + (start[second] if at_start else second))
    for operation, meeting in start.items():
        program.waiting.append(base + operation)
        program.awaited.append(base + meeting)
