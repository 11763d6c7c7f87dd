"""Nodes of Chakra traces in columns: those of many files at once, as the schema has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fabric.schedules.wire import BYTES, FIELDS, MESSAGES, NUMBERS, Items, Offsets, WireError, read, signed, zigzag
from topologies.errors import ConfigError
from topologies.formats.native_schema import short

WANTED = "Chakra traces PREFIX.0.et, PREFIX.1.et, ..., one file a rank"
MAX_NODES = 1_000_000  # of one file
# NodeType of the schema (mlcommons/chakra, et_def.proto)
METADATA, LOAD, STORE, COMPUTE, SEND, RECEIVE, COLLECTIVE = range(1, 8)
# fields of Node and GlobalMetadata
_ID, _NAME, _KIND, _CONTROL, _DATA, _MICROS, _ATTRIBUTE, _METADATA_ATTRIBUTE = 1, 2, 3, 4, 5, 7, 10, 2
# fields of AttributeProto: its name, and which of its values are whole numbers (of how many bits, if signed), or text
_KEY, _TEXT = 1, 29
_SIGNED, _ZIGZAG, _UNSIGNED = {7: 64, 9: 64, 23: 32, 25: 64}, (15, 17), (11, 13, 19, 21, 27)
_NUMBERS = (*_SIGNED, *_ZIGZAG, *_UNSIGNED)


@dataclass(frozen=True, slots=True, eq=False)
class Attributes:
    """Attributes that are whole numbers or text: `owner` int32[A] has the one whose key is `data` from `key_start` on,
    `key_size` bytes, and whose value is the item of the same place of `value`."""

    data: bytes
    owner: NDArray[np.int32]
    key_start: Offsets
    key_size: Offsets
    value: Items

    def of(self, key: str) -> Offsets:
        """Places of those with a key."""
        text = np.frombuffer(key.encode(), np.uint8)
        found = np.flatnonzero(self.key_size == len(text))
        view = np.frombuffer(self.data, np.uint8)
        for at, byte in enumerate(text.tolist()):
            found = found[view[self.key_start[found] + at] == byte]
        return found

    def numbers(self, places: Offsets) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Their values, and which are whole numbers of zero or more and below 2^63."""
        item = self.value.where(places)
        found, whole = item.value.astype(np.int64), np.isin(item.number, _NUMBERS)
        for number, bits in _SIGNED.items():
            own = item.number == number
            found[own] = signed(item.value[own], bits)
        own = np.isin(item.number, _ZIGZAG)
        found[own] = zigzag(item.value[own])
        return found, whole & (found >= 0)

    def told(self, place: int) -> int | str:
        """The value at a place, for people."""
        item = self.value.where(np.array([place]))
        if item.number[0] == _TEXT:
            start = int(item.start[0])
            return self.data[start : start + min(int(item.size[0]), 200)].decode("utf-8", errors="replace")
        value = int(self.numbers(np.array([place]))[0][0])
        return value if value >= 0 or item.number[0] not in _UNSIGNED else value + (1 << 64)


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """N nodes of F files, in their order.

    `file` int64[N], `id` uint64[N], `kind` int64[N], `micros` float64[N]; `name` of each; node `waiting` int64[D] waits
    for node `awaited` int64[D], by their places; `of_collective` bool[F]: the metadata name a collective.
    """

    files: Sequence[Path]
    file: Offsets
    id: NDArray[np.uint64]
    kind: Offsets
    micros: NDArray[np.float64]
    name: list[str]
    waiting: Offsets
    awaited: Offsets
    attributes: Attributes
    of_collective: NDArray[np.bool_]

    def where(self, node: int) -> str:
        """File and node, for messages."""
        return f"{self.files[int(self.file[node])]}: node {int(self.id[node])}"

    def places(self, key: str) -> Offsets:
        """int64[N]: where each node's attribute of that key is, the last if there are several; -1 for none."""
        found = self.attributes.of(key)
        return _last(len(self.id), self.attributes.owner[found], found, -1)

    def numbers(self, key: str, nodes: Offsets, missing: int | None = None) -> NDArray[np.int64]:
        """Whole numbers of zero or more that these nodes must have, unless there is one for those that have none."""
        places = self.places(key)[nodes]
        there = places >= 0
        found = np.full(len(nodes), 0 if missing is None else missing)
        found[there], good = self.attributes.numbers(places[there])
        wrong = nodes[there][~good] if missing is not None else np.concatenate([nodes[~there], nodes[there][~good]])
        if wrong.size:
            node = int(wrong.min())
            place = int(self.places(key)[node])
            given = "has no" if place < 0 else f"has {short(self.attributes.told(place))} as"
            raise ConfigError(f"{self.where(node)} {given} {key}; it needs a whole number, zero or more and below 2^63")
        return found


def read_nodes(files: Sequence[Path], texts: Sequence[bytes]) -> Nodes:
    """The nodes of files; ConfigError names file and node of what is cut off, no protocol buffer, or not there."""
    data = b"".join(texts)
    end = np.cumsum([len(text) for text in texts])
    start = end - np.array([len(text) for text in texts])
    try:
        messages = read(data, start, end, MESSAGES)
    except WireError as error:
        raise _unread(files, error.stretch, error.before, error) from None
    count = np.bincount(messages.owner, minlength=len(files))
    if not count.all():
        raise ConfigError(f"{files[int(np.argmin(count))]}: the file is empty; give {WANTED}")
    if count.max() > MAX_NODES + 1:
        raise ConfigError(f"{files[int(np.argmax(count))]}: more than {MAX_NODES:,} nodes; cut the trace in pieces")
    place = np.arange(len(messages.owner)) - np.repeat(np.cumsum(count) - count, count)
    try:
        fields = read(data, messages.start, messages.start + messages.size, FIELDS)
        head = place[fields.owner] == 0
        of_file = fields.where(head & (fields.number == _METADATA_ATTRIBUTE) & (fields.kind == BYTES))
        metadata = _attributes(data, of_file)
        node = np.cumsum(place > 0) - 1  # of each message
        own = fields.where(~head)
        owners = own.owner
        _check_types(own)
        nodes = int(np.count_nonzero(place > 0))
        fields = Items(node[own.owner].astype(np.int32), own.number, own.kind, own.value, own.size)
        attributes = _attributes(data, fields.where(fields.number == _ATTRIBUTE), owners[fields.number == _ATTRIBUTE])
        waiting, dep = _dependencies(data, fields, owners)
    except WireError as error:
        message = error.stretch
        raise _unread(files, int(messages.owner[message]), int(place[message]), error) from None
    file = messages.owner[place > 0].astype(np.int64)
    kind, identity = _numbers(fields, _KIND, nodes), _numbers(fields, _ID, nodes)
    odd = np.flatnonzero((kind < METADATA) | (kind > COLLECTIVE))
    if odd.size:
        at = int(odd[0])
        told = f"node number {int(place[place > 0][at])}: type {int(kind[at])} is none of 1 to {COLLECTIVE}"
        raise ConfigError(f"{files[int(file[at])]}: {told}; give {WANTED}")
    awaited = _resolved(files, file, identity, waiting, dep)
    names = _names(data, fields, nodes, files, file, place[place > 0])
    of_collective = np.zeros(len(files), bool)
    of_collective[messages.owner[metadata.owner[metadata.of("collective")]]] = True
    micros = _numbers(fields, _MICROS, nodes).astype(np.float64)
    return Nodes(
        files, file, identity, kind.astype(np.int64), micros, names, waiting, awaited, attributes, of_collective
    )


def _unread(files: Sequence[Path], file: int, place: int, told: object) -> ConfigError:
    where = f"node number {place}" if place else "the metadata"
    return ConfigError(f"{files[file]}: {where}: {told}; give {WANTED}")


def _last(count: int, owner: NDArray[np.int32], value: NDArray[np.int64], none: int) -> NDArray[np.int64]:
    found = np.full(count, none)
    found[owner] = value
    return found


def _numbers(fields: Items, number: int, count: int) -> NDArray[np.uint64]:
    own = fields.number == number
    return _last(count, fields.owner[own], fields.value[own].view(np.int64), 0).view(np.uint64)


def _check_types(fields: Items) -> None:
    """Are numbers numbers, and text and attributes bytes?"""
    is_bytes = fields.kind == BYTES
    wrong = np.isin(fields.number, (_ID, _KIND, _MICROS)) & is_bytes
    wrong |= np.isin(fields.number, (_NAME, _ATTRIBUTE)) & ~is_bytes
    if wrong.any():
        at = int(np.argmax(wrong))
        raise WireError(f"field {fields.number[at]} has wire type {fields.kind[at]}", int(fields.owner[at]), 0)


def _inner(data: bytes, outer: Items, what: int, message: NDArray[np.int32]) -> Items:
    """What the bytes of fields hold; an error is of the message that a field is in."""
    try:
        return read(data, outer.start, outer.start + outer.size, what)
    except WireError as error:
        raise WireError(str(error), int(message[error.stretch]), 0) from None


def _attributes(data: bytes, outer: Items, message: NDArray[np.int32] | None = None) -> Attributes:
    """Attributes of the owners of fields; of several values and keys the last counts."""
    inner = _inner(data, outer, FIELDS, outer.owner if message is None else message)
    text = inner.kind == BYTES
    count, every = len(outer.owner), np.arange(len(inner.owner))
    key = _last(count, inner.owner[text & (inner.number == _KEY)], every[text & (inner.number == _KEY)], -1)
    held = (~text & np.isin(inner.number, _NUMBERS)) | (text & (inner.number == _TEXT))
    value = _last(count, inner.owner[held], every[held], -1)
    kept = np.flatnonzero((key >= 0) & (value >= 0))
    keys = inner.where(key[kept])
    return Attributes(data, outer.owner[kept], keys.start, keys.size, inner.where(value[kept]))


def _dependencies(data: bytes, fields: Items, message: NDArray[np.int32]) -> tuple[Offsets, NDArray[np.uint64]]:
    """Nodes that wait, and ids that they wait for: numbers alone, or packed."""
    own = np.isin(fields.number, (_CONTROL, _DATA))
    alone, packed = fields.where(own & (fields.kind != BYTES)), fields.where(own & (fields.kind == BYTES))
    inner = _inner(data, packed, NUMBERS, message[own & (fields.kind == BYTES)])
    waiting = np.concatenate([alone.owner, packed.owner[inner.owner]]).astype(np.int64)
    return waiting, np.concatenate([alone.value, inner.value])


def _resolved(
    files: Sequence[Path], file: Offsets, identity: NDArray[np.uint64], waiting: Offsets, dep: NDArray[np.uint64]
) -> Offsets:
    """The nodes of ids, each within the file of the node that waits; ids that stand there twice are refused."""
    known = np.unique(identity)
    key = file * len(known) + np.searchsorted(known, identity)
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    again = order[1:][np.diff(ordered) == 0]
    if again.size:
        at = int(again.min())
        raise ConfigError(f"{files[int(file[at])]}: node {int(identity[at])} stands there twice")
    code = np.minimum(np.searchsorted(known, dep), max(0, len(known) - 1))
    wanted = file[waiting] * len(known) + code
    found = np.minimum(np.searchsorted(ordered, wanted), max(0, len(ordered) - 1))
    lost = np.flatnonzero((known[code] != dep) | (ordered[found] != wanted))
    if lost.size:
        at = int(waiting[lost[0]])
        where = f"{files[int(file[at])]}: node {int(identity[at])}"
        raise ConfigError(f"{where} waits for node {int(dep[lost[0]])}, which is not there")
    return order[found]


def _names(
    data: bytes, fields: Items, count: int, files: Sequence[Path], file: Offsets, place: Offsets
) -> list[str]:  # fmt: skip
    own = np.flatnonzero(fields.number == _NAME)
    start, size = np.zeros(count, np.int64), np.zeros(count, np.int64)
    start[fields.owner[own]], size[fields.owner[own]] = fields.start[own], fields.size[own]
    names: list[str] = []
    try:
        for a, n in zip(start.tolist(), size.tolist(), strict=True):
            names.append(data[a : a + n].decode())
    except UnicodeDecodeError:
        at = len(names)
        raise _unread(files, int(file[at]), int(place[at]), "text that is not UTF-8") from None
    return names
