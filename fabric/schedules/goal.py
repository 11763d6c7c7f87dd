"""GOAL: sends, receives and computations of each rank with labels, and which requires which."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from fabric.schedules import Recorded
from fabric.schedules.program import Program
from topologies.errors import ConfigError
from topologies.formats.contents import read_whole

MAX_MIB = 256
MAX_RANKS = 1_000_000
WANTED = "a GOAL schedule (num_ranks N, then rank R { ... })"

_HEADER = re.compile(r"num_ranks\s+([0-9]{1,9})$")
_RANK = re.compile(r"rank\s+([0-9]{1,9})\s*\{$")
_LABEL = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)\s*:\s*")
_PLACE = r"((?:\s+(?:cpu|nic)\s+[0-9]{1,9})*)$"  # where it runs: one processor and one adapter a rank are taken
_MESSAGE = re.compile(r"(send|recv)\s+([0-9]{1,18})b\s+(to|from)\s+([0-9]{1,9})(?:\s+tag\s+([0-9]{1,18}))?" + _PLACE)
_CALC = re.compile(r"calc\s+([0-9]{1,18})" + _PLACE)
_REQUIRES = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)\s+(i?requires)\s+([A-Za-z_][A-Za-z0-9_.]*)$")


@dataclass(slots=True)
class _Rank:
    """A rank's labels (label -> operation) and requirements, checked when its block ends."""

    number: int
    line: int
    label: dict[str, int] = field(default_factory=dict)
    wanted: list[tuple[str, str, bool, int]] = field(default_factory=list)  # label, label, at its start, line


def read_goal(path: Path) -> Recorded:
    """A GOAL schedule (Hoefler, Siebert, Lumsdaine, ICPP 2009) as LogGOPSim reads it: text, bytes, nanoseconds.

    `A requires B`: A starts when B is done; `A irequires B`: when B starts. `cpu` and `nic` are read and passed over:
    what does not depend on each other runs at once. ConfigError names the line of what cannot be read, a rank that is
    missing, a send or receive without a partner, and requirements in a circle.

    >>> read_goal(Path("nowhere.goal"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    topologies.errors.ConfigError: nowhere.goal: No such file or directory; give a GOAL schedule (num_ranks N, ...
    """
    lines = read_whole(path, WANTED, MAX_MIB).split("\n")
    program: Program | None = None
    current: _Rank | None = None
    seen: dict[int, int] = {}
    placed = False
    for number, raw in enumerate(lines, start=1):
        line, where = re.sub(r"//.*|#.*", "", raw).strip(), f"{path}: line {number}"
        if not line:
            continue
        if program is None:
            program = _header(line, path, where)
        elif current is None:
            current = _opened(line, where, program, seen, number)
        elif line == "}":
            _require(program, current, path)
            current = None
        else:
            placed |= _operation(line, where, program, current, number)
    if program is None:
        raise ConfigError(f"{path}: the file is empty; give {WANTED}")
    if current is not None:
        raise ConfigError(f"{path}: rank {current.number} (line {current.line}) does not end; the file is cut off")
    missing = next((rank for rank in range(program.ranks) if rank not in seen), None)
    if missing is not None:
        raise ConfigError(f"{path}: rank {missing} of {program.ranks} is missing; give each a block, empty if need be")
    made = program
    notes = ("cpu and nic are passed over: what does not depend on each other runs at once",) if placed else ()
    return Recorded(path.stem, "goal", made.ranks, None, lambda size: made, notes=notes)


def _header(line: str, path: Path, where: str) -> Program:
    found = _HEADER.match(line)
    if found is None:
        raise ConfigError(f"{where}: '{line[:40]}' is not num_ranks N; give {WANTED}")
    ranks = int(found[1])
    if not 1 <= ranks <= MAX_RANKS:
        raise ConfigError(f"{where}: num_ranks {ranks} is not from 1 to {MAX_RANKS:,}")
    return Program(ranks, str(path))


def _opened(line: str, where: str, program: Program, seen: dict[int, int], number: int) -> _Rank:
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


def _operation(line: str, where: str, program: Program, current: _Rank, number: int) -> bool:
    """Add what a line says; is it bound to a processor or adapter other than the first?"""
    if needs := _REQUIRES.match(line):
        current.wanted.append((needs[1], needs[3], needs[2] == "irequires", number))
        return False
    label = _LABEL.match(line)
    rest = line[label.end() :] if label else line
    name = label[1] if label else f"line {number}"
    if message := _MESSAGE.match(rest):
        kind, size, way, peer, tag, place = message.groups()
        if (kind == "send") != (way == "to"):
            raise ConfigError(f"{where}: '{line[:60]}'; write send ... to, recv ... from")
        add = program.send if kind == "send" else program.receive
        operation = add(current.number, name, int(peer), int(tag or 0), float(size))
    elif calc := _CALC.match(rest):
        operation, place = program.compute(current.number, name, int(calc[1]) * 1e-9), calc[2]
    else:
        raise ConfigError(f"{where}: '{line[:60]}' is no send, recv, calc or requires")
    if label:
        if name in current.label:
            raise ConfigError(f"{where}: label {name[:40]} stands there twice in rank {current.number}")
        current.label[name] = operation
    return any(word not in ("cpu", "nic", "0") for word in place.split())


def _require(program: Program, current: _Rank, path: Path) -> None:
    """Turn labels into operations; what another waits for the start of begins with a meeting point."""
    start: dict[int, int] = {}
    pairs = []
    for own, other, at_start, line in current.wanted:
        lost = next((label for label in (own, other) if label not in current.label), None)
        if lost is not None:
            raise ConfigError(f"{path}: line {line}: rank {current.number} has no label {lost[:40]}")
        first, second = current.label[own], current.label[other]
        if at_start and second not in start:
            start[second] = program.compute(current.number, f"start of {other}", 0.0)
        pairs.append((first, second, at_start))
    for first, second, at_start in pairs:
        program.waiting.append(start.get(first, first))
        program.awaited.append(start[second] if at_start else second)
    for operation, meeting in start.items():
        program.waiting.append(operation)
        program.awaited.append(meeting)
