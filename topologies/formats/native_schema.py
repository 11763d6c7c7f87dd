"""The keys of a topology file, what each may hold, and the one-line error of what it may not."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from topologies.errors import ConfigError, closest
from topologies.invariants import NODE_KINDS
from topologies.links import MEDIA

NAME = "aifabric.topology/1"

Test = Callable[[Any], bool]
MAX_DEPTH = 8  # lists within lists, of labels and parameters
MAX_RANKS = 2**24


class Key(NamedTuple):
    """What a value must be, in words and as a test; whether it may be absent."""

    words: str
    test: Test
    required: bool = True


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _line(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _positive(value: Any) -> bool:
    return _number(value) and value > 0


def _label(value: Any, depth: int = MAX_DEPTH) -> bool:
    if isinstance(value, list):
        return depth > 0 and all(_label(item, depth - 1) for item in value)
    return _line(value) or _number(value)


def _parameter(value: Any, depth: int = MAX_DEPTH) -> bool:
    if isinstance(value, list):
        return depth > 0 and all(_parameter(item, depth - 1) for item in value)
    return value is None or _text(value) or _flag(value) or _number(value)


def _each(test: Test) -> Test:
    return lambda value: isinstance(value, list) and all(map(test, value))


def _table(test: Test) -> Test:
    return lambda value: isinstance(value, dict) and all(_text(k) and test(v) for k, v in value.items())


def _or_none(test: Test) -> Test:
    return lambda value: value is None or test(value)


def _rank(value: Any) -> bool:
    return _whole(value) and 0 <= value < MAX_RANKS


def _dimension(value: Any) -> bool:
    return _whole(value) and 1 <= value <= MAX_RANKS


def _count(value: Any) -> bool:
    return _whole(value) and 1 <= value < 2**31


def _rows(width: int) -> Test:
    return lambda value: (
        isinstance(value, list)
        and all(isinstance(row, list) and len(row) == width and all(map(_rank, row)) for row in value)
    )


DOCUMENT = {
    "schema": Key("text", _text),
    "name": Key("text", _line),
    "family": Key("text", _line),
    "parameters": Key("an object of text, numbers, true, false, null and lists of them", _table(_parameter)),
    "notes": Key("a list of text", _each(_text)),
    "racks": Key("an object of text", _table(_text)),
    "halves": Key("a list of lists of ranks", _each(_each(_rank))),
    "tours": Key("a list of lists of ranks", _each(_each(_rank)), required=False),
    "grid": Key("an object", lambda value: isinstance(value, dict), required=False),
    "left_out": Key("a list of text", _each(_line), required=False),
    "circuits": Key("an object", lambda value: isinstance(value, dict), required=False),
    "nodes": Key("a list", lambda value: isinstance(value, list)),
    "links": Key("a list", lambda value: isinstance(value, list)),
}
GRID = {
    "dims": Key("a list of whole numbers above zero", _each(_dimension)),
    "wrap": Key("a list of true and false", _each(_flag)),
    "twist": Key("true or false", _flag),
}
NODE = {
    "id": Key("text, a number, or a list of them", _label),
    "kind": Key(f"one of {', '.join(NODE_KINDS)}", lambda value: value in NODE_KINDS),
    "forwards": Key("true or false", _flag),
    "part": Key("the name of a part, or null", _or_none(_line), required=False),
    "parts": Key("an object of whole numbers above zero", _table(_count), required=False),
    "domain": Key("text, a number, a list of them, or null", _or_none(_label), required=False),
    "tier": Key("a whole number, or null", _or_none(_whole), required=False),
    "tray": Key("text, a number, a list of them, or null", _or_none(_label), required=False),
    "rack": Key("text, a number, a list of them, or null", _or_none(_label), required=False),
    "position": Key("a list of numbers, or null", _or_none(_each(_number)), required=False),
    "rail": Key("a whole number, or null", _or_none(_whole), required=False),
    "layer": Key("text, or null", _or_none(_line), required=False),
    "reduces": Key("true or false", _flag, required=False),
    "guid": Key("text", _line, required=False),
    "lid": Key("a whole number", _whole, required=False),
    "ports": Key(
        "an object of ids of nodes, or a number of ports", lambda v: _count(v) or _table(_line)(v), required=False
    ),
}
LINK = {
    "from": Key("the id of a node", _label),
    "to": Key("the id of a node", _label),
    "rate_gbps": Key("a number above zero", _positive),
    "count": Key("a whole number above zero", _count),
    "medium": Key(f"one of {', '.join(MEDIA)}", lambda value: value in MEDIA),
    "technology": Key("text", _line),
    "length_m": Key("a number, zero or above", lambda value: _number(value) and value >= 0),
    "cable": Key("the name of a part", _line),
    "latency_ns": Key("a number, zero or above", lambda value: _number(value) and value >= 0),
    "duty": Key("a number above 0, at most 1", lambda value: _positive(value) and value <= 1),
    "wait_ns": Key("a number, zero or above", lambda value: _number(value) and value >= 0, required=False),
    "worst_wait_ns": Key("a number, zero or above", lambda value: _number(value) and value >= 0, required=False),
    "nic": Key("the name of a part", _line, required=False),
    "hops": Key("a whole number above zero", _count, required=False),
    "layer": Key("text, or null", _or_none(_line), required=False),
}
CIRCUITS = {
    "part": Key("the name of a circuit switch", _line),
    "devices": Key("a whole number above zero", _dimension),
    "share": Key("a number above 0, at most 1", lambda value: _positive(value) and value <= 1),
    "ends": Key("a list of ids of nodes", _each(_label)),
    "blocks": Key("a list of text", _each(_line)),
    "fibres": Key("1 or 2", lambda value: value in (1, 2) and _whole(value)),
    "lanes": Key("a whole number above zero", _count),
    "other_parts": Key("an object of names of circuit switches by device", _table(_line)),
    "link": Key("an object", lambda value: isinstance(value, dict)),
    "other_links": Key("a list of objects", _each(lambda value: isinstance(value, dict))),
    "generation": Key("a list of whole numbers, one an end", _each(_rank)),
    "strands": Key("a list of [device, side, port, end]", _rows(4)),
    "state": Key("a list of [device, port, port]", _rows(3)),
    "failed": Key("a list of [device, side, port]", _rows(3)),
}
CIRCUIT_LINK = {key: row for key, row in LINK.items() if key not in ("from", "to", "count")} | {
    "count": Key("a whole number above zero", _count, required=False)
}


def check_row(row: Any, keys: Mapping[str, Key], where: str) -> None:
    """Raise ConfigError for a key that is unknown, missing or of the wrong type.

    >>> check_row({"dims": [4], "wrap": ["yes"], "twist": False}, GRID, "grid")
    Traceback (most recent call last):
    topologies.errors.ConfigError: grid: wrap = ['yes'] is not a list of true and false
    """
    if not isinstance(row, dict):
        raise ConfigError(f"{where} is not an object")
    for key in row:
        if key not in keys:
            raise ConfigError(f"{where}: {NAME} has no key {short(key)}{closest(str(key)[:60], list(keys))}")
    for key, (words, test, required) in keys.items():
        if key not in row and required:
            raise ConfigError(f"{where}: '{key}' is missing; give {words}")
        if key in row and not test(row[key]):
            raise ConfigError(f"{where}: {key} = {short(row[key])} is not {words}")


def short(value: Any) -> str:
    """A value on one line of at most 60 characters.

    >>> short("leaf-0"), short("a\\nb")
    ('leaf-0', "'a\\\\nb'")
    """
    text = value if _line(value) and value else " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def frozen(value: Any) -> Any:
    """A JSON value with its lists as tuples.

    >>> frozen([4, [1, 2]])
    (4, (1, 2))
    """
    return tuple(frozen(item) for item in value) if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """A value as JSON has it: tuples as lists, NumPy scalars as Python's.

    >>> plain((4, np.int64(2)))
    [4, 2]
    """
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
