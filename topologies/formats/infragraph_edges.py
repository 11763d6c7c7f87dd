"""The connections of an InfraGraph, in both of its spellings, as pairs of places with the link between them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from topologies.errors import ConfigError
from topologies.formats.contents import name_of, short, whole
from topologies.formats.yaml_documents import table

MAX_EDGES = 4_000_000
_SLICE = re.compile(r"([^\[\].]{1,100})(?:\[([0-9]{0,7})(:?)([0-9]{0,7})\])?$")


@dataclass(frozen=True, slots=True)
class Place:
    """A component, or a component of an instance; names with their numbers."""

    instance: tuple[str, int] | None
    component: tuple[str, int]


@dataclass(frozen=True, slots=True)
class Edge:
    """Two places, the name of the link between them, and where that is stated."""

    a: Place
    b: Place
    link: str
    where: str


def from_text(text: Any, where: str) -> Edge:
    """A connection in dots: component.0.link.component.1, or instance.0.component.0.link.instance.1.component.0.

    >>> from_text("xpu.0.nvlink.nvlsw.3", "edge 1").b.component
    ('nvlsw', 3)
    """
    words = name_of(text, where, "connection").split(".")
    if len(words) == 5:
        return Edge(Place(None, _numbered(words[:2], where)), Place(None, _numbered(words[3:], where)), words[2], where)
    if len(words) == 9:
        a = Place(_numbered(words[:2], where), _numbered(words[2:4], where))
        return Edge(a, Place(_numbered(words[5:7], where), _numbered(words[7:], where)), words[4], where)
    raise ConfigError(f"{where}: '{text[:60]}' has {len(words)} words between its dots; a connection has 5 or 9")


def _numbered(words: Sequence[str], where: str) -> tuple[str, int]:
    return words[0], whole(words[1], where, f"the number of {words[0][:40]}", least=0)


def from_row(row: Any, where: str, counts: "Counts") -> Iterator[Edge]:
    """An edge row: `ep1`, `ep2` with `component` and `instance` as name, name[2] or name[0:4]; `link`; `scheme`."""
    edge = table(row, where, "it")
    link = name_of(edge.get("link"), where, "link")
    scheme = edge.get("scheme", "one2one")
    a, b = (list(_places(edge.get(key), f"{where}: {key}", counts)) for key in ("ep1", "ep2"))
    if scheme == "one2one":
        if len(a) != len(b) and min(len(a), len(b)) > 1:
            raise ConfigError(f"{where}: one2one joins {len(a)} places with {len(b)}; give as many of each")
        pairs: Iterator[tuple[Place, Place]] = zip(a, b, strict=False)
    elif scheme in ("many2many", "all2all"):
        if len(a) * len(b) > MAX_EDGES:
            raise ConfigError(f"{where}: {len(a):,} x {len(b):,} places; at most {MAX_EDGES:,} links are read")
        pairs = ((x, y) for i, x in enumerate(a) for j, y in enumerate(b) if x != y and (a != b or i < j))
    elif scheme == "ring":
        every = a if a == b else a + b
        pairs = ((x, every[(i + 1) % len(every)]) for i, x in enumerate(every) if len(every) > 2 or i == 0)
    else:
        raise ConfigError(f"{where}: scheme {short(scheme)} is not read; there are one2one, many2many, ring")
    return (Edge(x, y, link, where) for x, y in pairs)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are of each instance, and of each component, in an instance's device or in the one at hand."""

    instances: dict[str, int]
    components: dict[str | None, dict[str, int]]


def _places(end: Any, where: str, counts: Counts) -> Iterator[Place]:
    """The places that one end of an edge row names."""
    row = table(end, where, "it")
    component = name_of(row.get("component"), where, "component")
    name = row.get("instance", row.get("device"))
    if name is None:
        for one in _numbers(component, counts.components.get(None, {}), where):
            yield Place(None, one)
        return
    for instance in _numbers(name_of(name, where, "instance"), counts.instances, where):
        for one in _numbers(component, counts.components.get(instance[0], {}), where):
            yield Place(instance, one)


def _numbers(text: str, counts: dict[str, int], where: str) -> list[tuple[str, int]]:
    """name: all of them; name[2]: one; name[0:4]: from the first up to, not with, the last."""
    match = _SLICE.match(text)
    if match is None:
        raise ConfigError(f"{where}: '{text[:60]}' is not read; write name, name[2] or name[0:4]")
    name, first, colon, last = match[1], match[2], match[3], match[4]
    if first is None and not colon:
        if name not in counts:
            raise ConfigError(f"{where}: '{name[:60]}' is not among {', '.join(counts)[:80] or 'nothing'}")
        return [(name, i) for i in range(counts[name])]
    if not colon:
        return [(name, whole(first, where, "number", least=0))]
    count = counts.get(name)
    start = int(first or 0)
    stop = int(last) if last else count
    if stop is None or stop <= start or (count is not None and stop > count):
        raise ConfigError(f"{where}: '{text[:60]}' is outside of {count} {name[:40]}")
    return [(name, i) for i in range(start, stop)]
