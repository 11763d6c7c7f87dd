"""Which adapters of a subnet are in one server: as the user states it, else as names, GUIDs and leaves tell it."""

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from topologies.errors import ConfigError
from topologies.formats.adapters import Adapter
from topologies.formats.contents import name_of, read_whole, short, whole
from topologies.formats.subnet import Device
from topologies.toml_documents import read_toml

ONE_CARD = 8  # GUIDs of the chips of one card are at most so far apart
LEAST_SEEN = 8  # named pairs of a kind before unnamed ones of that kind are taken as one card
MOST_STRAY = 0.02  # of named neighbours may be of two servers of such a kind, or of servers off their port
WANTED = "a table with the columns guid and server, and rail and domain if need be"
_NUMBER = re.compile(r"(.*?)([0-9]+)$")


@dataclass(frozen=True, slots=True)
class Grouping:
    """How adapters are put into servers."""

    servers: Annotated[
        str | None, "CSV (guid,server,rail,domain) or TOML ([servers], name = [guids]) that states servers"
    ] = None
    infer: Annotated[
        Literal["all", "names", "none"],
        "servers that are not stated: by names, GUIDs and leaf ports; by names; none",
    ] = "all"
    domain: Annotated[str | None, "regular expression on a server's name; its first group is the scale-up domain"] = (
        None
    )


@dataclass(slots=True)
class Place:
    """The server of an adapter, its rail there, its scale-up domain."""

    server: str
    rail: int | None = None
    domain: str | None = None


@dataclass(slots=True)
class _Groups:
    """Adapters that belong together (union-find), by key."""

    parent: dict[str, str]
    size: Counter[str] = field(default_factory=Counter)
    leaves: dict[str, set[str]] = field(default_factory=dict)
    name: dict[str, str] = field(default_factory=dict)

    def find(self, key: str) -> str:
        """The one that stands for all."""
        while self.parent[key] != key:
            self.parent[key] = self.parent[self.parent[key]]
            key = self.parent[key]
        return key

    def join(self, a: str, b: str, most: int | None = None) -> bool:
        """Put two together; False where they have two names, share a leaf, or would be more than `most`."""
        a, b = self.find(a), self.find(b)
        names = {self.name[root] for root in (a, b) if root in self.name}
        if a == b or len(names) > 1:
            return False
        if most is not None and (self.size[a] + self.size[b] > most or self.leaves[a] & self.leaves[b]):
            return False
        self.parent[b] = a
        self.size[a] += self.size[b]
        self.leaves[a] |= self.leaves[b]
        if names:
            self.name[a] = names.pop()
        return True


def places(
    devices: Mapping[str, Device], found: Sequence[Adapter], how: Grouping, path: Path
) -> tuple[dict[str, Place], list[str]]:
    """The place of each compute adapter that is known, by key, and the notes on how it is.

    ConfigError for a map that cannot be read or names an adapter that is not there.
    """
    compute = {f"H-{adapter.guid}": adapter for adapter in found if adapter.role == "compute"}
    stated = {} if how.servers is None else dict(_stated(Path(how.servers), compute, devices))
    notes = [f"{len(stated)} adapters are in servers as {how.servers} states"] if stated else []
    rest = {key: adapter for key, adapter in compute.items() if key not in stated}
    inferred: dict[str, Place] = {}
    if how.infer != "none" and rest:
        inferred, told = _inferred(devices, rest, how.infer == "all")
        notes += told
    every = {**inferred, **stated}
    sizes = Counter(place.server for place in every.values())
    every = {key: place for key, place in every.items() if sizes[place.server] > 1 or key in stated}
    _add_domains(every, how, path)
    grouped = Counter(Counter(place.server for place in every.values()).values())
    listed = ", ".join(f"{n} of {size}" for size, n in sorted(grouped.items(), reverse=True)) or "none"
    return every, [*notes, f"servers by adapters: {listed}; {len(compute) - len(every)} adapters alone"]


def _add_domains(every: Mapping[str, Place], how: Grouping, path: Path) -> None:
    """A server is its own domain, unless a pattern or the map says which one it is in."""
    try:
        pattern = None if how.domain is None else re.compile(how.domain)
    except re.error as error:
        raise ConfigError(f"domain = {short(how.domain)} is no regular expression: {error}") from None
    if pattern is not None and pattern.groups < 1:
        raise ConfigError(f"domain = {short(how.domain)} has no group; write it like '(.*)-c[0-9]+'")
    met = False
    for place in every.values():
        match = pattern.match(place.server) if pattern is not None else None
        met |= match is not None
        if place.domain is None:
            place.domain = place.server if match is None or not match[1] else match[1]
    if pattern is not None and every and not met:
        raise ConfigError(
            f"{path}: domain = {short(how.domain)} fits none of the servers, e.g. {next(iter(every.values())).server}"
        )


def _inferred(
    devices: Mapping[str, Device], compute: Mapping[str, Adapter], every_rule: bool
) -> tuple[dict[str, Place], list[str]]:
    """Servers by host names; adapters without one join by the GUID next to theirs and by their port on the leaves."""
    groups = _Groups({key: key for key in compute})
    for key in compute:
        groups.size[key] = 1
        groups.leaves[key] = {port.peer for port in devices[key].ports.values()}
    by_name: dict[str, list[str]] = defaultdict(list)
    for key, adapter in compute.items():
        if adapter.named:
            by_name[adapter.description.split(" ")[0]].append(key)
    for name, keys in by_name.items():
        groups.name[keys[0]] = name
        for key in keys[1:]:
            groups.join(keys[0], key)
    named = sum(map(len, by_name.values()))
    notes = [f"{named} adapters are in {len(by_name)} servers by the host name in their description"] if named else []
    rail_of = _rails(compute, devices)
    unnamed = [key for key, adapter in compute.items() if not adapter.named]
    if every_rule and unnamed:
        most = max(map(len, by_name.values()), default=0)
        notes += _by_guid(groups, compute, rail_of, most) + _by_port(groups, devices, compute, by_name, most)
    lowest: dict[str, str] = {}
    for key in sorted(compute):
        lowest.setdefault(groups.find(key), key[2:])
    found = {}
    for key in compute:
        root = groups.find(key)
        found[key] = Place(groups.name.get(root, f"server-{lowest[root]}"), rail_of.get(key))
    return found, notes


def _by_guid(groups: _Groups, compute: Mapping[str, Adapter], rail_of: Mapping[str, int], most: int) -> list[str]:
    """Neighbouring GUIDs are the chips of one card: where that holds for named adapters as far apart, of such rails."""
    ordered = sorted(compute, key=lambda key: int(key[2:], 16))
    met: dict[tuple[int, int | None, int | None], Counter[bool]] = defaultdict(Counter)
    open_pairs = []
    for a, b in pairwise(ordered):
        apart = int(b[2:], 16) - int(a[2:], 16)
        pattern = apart, rail_of.get(a), rail_of.get(b)
        if apart <= ONE_CARD and compute[a].named and compute[b].named:
            met[pattern][groups.find(a) == groups.find(b)] += 1
        elif apart <= ONE_CARD:
            open_pairs.append((a, b, pattern))
    sure = {pattern for pattern, seen in met.items() if seen[True] >= LEAST_SEEN and _few(seen[False], seen)}
    joined = sum(groups.join(a, b, most or None) for a, b, pattern in open_pairs if pattern in sure)
    alike = sum(met[pattern][True] for pattern in sure)
    told = f"{joined} pairs of adapters are on one card, by GUIDs at most {ONE_CARD} apart and their rails"
    return [f"{told}, as are {alike} such pairs of named ones"] if joined else []


def _few(stray: int, seen: Counter[bool]) -> bool:
    return stray <= MOST_STRAY * seen.total()


def _by_port(
    groups: _Groups,
    devices: Mapping[str, Device],
    compute: Mapping[str, Adapter],
    by_name: Mapping[str, Sequence[str]],
    most: int,
) -> list[str]:
    """A server has the same port on each of the leaves that its kind shares: only on leaves where named ones have."""
    set_of = _leaf_sets(devices, by_name)
    same: dict[str, Counter[bool]] = defaultdict(Counter)
    for keys in by_name.values():
        if len(keys) > 1:
            ports = {_first(devices[key])[1] for key in keys}
            same[set_of[_first(devices[keys[0]])[0]]][len(ports) == 1] += 1
    straight = {name for name, met in same.items() if _few(met[False], met)}
    spots: dict[tuple[str, int], list[str]] = defaultdict(list)
    for key in compute:
        leaf, port = _first(devices[key])
        if set_of.get(leaf) in straight:
            spots[set_of[leaf], port].append(key)
    joined = 0
    for keys in spots.values():
        if any(not compute[key].named for key in keys) and len(keys) > 1:
            joined += sum(groups.join(keys[0], key, most) for key in keys[1:])
    servers = sum(met.total() for name, met in same.items() if name in straight)
    told = f"{joined} groups of adapters are joined as they have the same port on the leaves of one set"
    return [f"{told}, as have all but a few of the {servers} named servers there"] if joined else []


def _leaf_sets(devices: Mapping[str, Device], by_name: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Leaves that named servers have in common, each with the one that stands for its set."""
    parent: dict[str, str] = {}

    def find(leaf: str) -> str:
        parent.setdefault(leaf, leaf)
        while parent[leaf] != leaf:
            parent[leaf] = parent[parent[leaf]]
            leaf = parent[leaf]
        return leaf

    for keys in by_name.values():
        first = find(_first(devices[keys[0]])[0])
        for key in keys[1:]:
            parent[find(_first(devices[key])[0])] = first
    return {leaf: find(leaf) for leaf in list(parent)}


def _first(device: Device) -> tuple[str, int]:
    """The switch and its port that an adapter's first port leads to."""
    port = device.ports[min(device.ports)]
    return port.peer, port.peer_port


def _rails(compute: Mapping[str, Adapter], devices: Mapping[str, Device]) -> dict[str, int]:
    """The place of an adapter's device number among those of its spelling: mlx5_0, _1, _4, _5 are rails 0 to 3.

    One without a device number is on the rail that nine in ten of the others on its leaf are on.
    """
    spelt: dict[str, set[int]] = defaultdict(set)
    number: dict[str, tuple[str, int]] = {}
    for key, adapter in compute.items():
        words = adapter.description.split(" ")
        match = _NUMBER.match(words[-1]) if len(words) > 1 and adapter.named else None
        if match is not None and len(match[2]) < 10:
            number[key] = match[1], int(match[2])
            spelt[match[1]].add(int(match[2]))
    ranked = {prefix: {n: i for i, n in enumerate(sorted(found))} for prefix, found in spelt.items()}
    rails = {key: ranked[prefix][n] for key, (prefix, n) in number.items()}
    on_leaf: dict[str, Counter[int]] = defaultdict(Counter)
    for key, rail in rails.items():
        on_leaf[_first(devices[key])[0]][rail] += 1
    for key in compute:
        leaf = on_leaf.get(_first(devices[key])[0])
        if key not in rails and leaf:
            rail, times = leaf.most_common(1)[0]
            if times >= 0.9 * leaf.total():
                rails[key] = rail
    return rails


def _stated(path: Path, compute: Mapping[str, Adapter], devices: Mapping[str, Device]) -> Iterator[tuple[str, Place]]:
    """The map's adapters, each by its GUID or that of one of its ports."""
    known = {key[2:]: key for key in compute}
    known |= {port.guid: key for key in compute for port in devices[key].ports.values() if port.guid is not None}
    seen: set[str] = set()
    for where, guid, place in _table(path) if path.suffix.lower() == ".toml" else _rows(path):
        digits = guid.lower().removeprefix("0x").removeprefix("h-").zfill(16)
        key = known.get(digits)
        if key is None:
            raise ConfigError(f"{where}: no compute adapter has the GUID {short(guid)}")
        if key in seen:
            raise ConfigError(f"{where}: adapter {short(guid)} stands there twice")
        seen.add(key)
        yield key, place


def _table(path: Path) -> Iterator[tuple[str, str, Place]]:
    table = read_toml(path, WANTED, 64).get("servers")
    if not isinstance(table, dict) or not all(isinstance(guids, list) for guids in table.values()):
        raise ConfigError(f"{path}: no [servers] table of name = [guids]")
    for name, guids in table.items():
        for rail, guid in enumerate(guids):
            yield f"{path}: {name[:60]}", name_of(guid, f"{path}: {name[:60]}", "a GUID"), Place(name, rail)


def _rows(path: Path) -> Iterator[tuple[str, str, Place]]:
    lines = read_whole(path, WANTED, 64).splitlines()
    head = [cell.strip().lower() for cell in lines[0].split(",")]
    if head.count("guid") != 1 or head.count("server") != 1:
        raise ConfigError(f"{path}: line 1: the columns are {', '.join(head)[:80]}; give {WANTED}")
    try:
        for line, cells in enumerate(csv.reader(lines[1:], strict=True), start=2):
            if not cells:
                continue
            where = f"{path}: line {line}"
            if len(cells) != len(head):
                raise ConfigError(f"{where}: {len(cells)} of {len(head)} columns; is it cut off?")
            row = dict(zip(head, (cell.strip() for cell in cells), strict=True))
            rail = whole(row["rail"], where, "rail", least=0) if row.get("rail") else None
            domain = row.get("domain") or None
            yield where, row["guid"], Place(name_of(row["server"], where, "server"), rail, domain)
    except csv.Error as error:
        raise ConfigError(f"{path}: not a table: {error}; give {WANTED}") from None
