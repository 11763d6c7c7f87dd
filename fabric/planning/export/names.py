"""Names: what the ports of a plan are called on the devices, by default or from a names file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fabric.planning.export.kinds import Kind
from fabric.planning.plan import Pair, Switch
from topologies.errors import ConfigError
from topologies.formats.contents import short
from topologies.optical_kinds import CircuitSwitch
from topologies.parts import Part
from topologies.toml_documents import read_toml

KEYS = ("a", "b", "ports_per_side", "any_to_any", "path", "value", "read")
MOST_PORTS = 100_000
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NUMBER = re.compile(r"\{n(?:\+(\d{1,6}))?\}")
NamesFile = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Names:
    """How the ports of one switch are called: a pattern or a list a side, where a names file gives one."""

    kind: Kind
    switch: str
    ports_per_side: int | None = None
    any_to_any: bool = False
    sides: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    paths: tuple[tuple[str, str], ...] = ()

    def name(self, side: str, port: int) -> str:
        """A port's name on side "A" or "B"; ConfigError where there is no such port, or its name does not fit."""
        most = self.ports_per_side
        if not 0 <= port < (MOST_PORTS if most is None else most):
            raise ConfigError(f"{self.switch} has no port {port} on side {side}; it has {most or MOST_PORTS}, from 0")
        given = self.sides.get(side)
        if given is None:
            try:
                name = self.kind.name_port(side, port, most)
            except ValueError as error:
                raise ConfigError(
                    f"how many ports a side has {self.switch}? {error}; give ports_per_side in a names file"
                ) from None
        elif isinstance(given, str):
            name = _NUMBER.sub(lambda found: str(port + 1 + int(found[1] or 0)), given)
        elif port < len(given):
            name = given[port]
        else:
            raise ConfigError(f"{self.switch}: the names file lists {len(given)} ports of side {side}, not port {port}")
        if not re.fullmatch(self.kind.grammar, name):
            raise ConfigError(f"{self.switch}: {short(name)} is no name of a port of {self.kind.title}")
        return name

    def pair(self, pair: Pair) -> tuple[str, str]:
        """The names of a cross-connect's ports; where any two can be joined, the lower one first."""
        if self.any_to_any:
            low, high = sorted(pair)
            return self.name("A", low), self.name("A", high)
        return self.name("A", pair[0]), self.name("B", pair[1])

    def ports(self, side: str) -> dict[str, int]:
        """Name -> port of a side, for reading back; as many as are known, else 4,096."""
        given = self.sides.get(side)
        most = 4096 if self.ports_per_side is None else self.ports_per_side
        if given is not None and not isinstance(given, str):
            most = min(most, len(given))
        return {self.name(side, port): port for port in range(most)}


def read_names(path: Path) -> NamesFile:
    """A names file: a table for a switch, a model of switches, or [all]; keys a, b (a pattern with {n} that counts from
    1, {n+16} from 17, or a list), ports_per_side, any_to_any, and gNMI's templates path, value, read.

    ConfigError names the table and key that do not fit.
    """
    document = read_toml(path, "a names file in TOML")
    for table, row in document.items():
        if not isinstance(row, dict):
            raise ConfigError(f"{path}: {short(table)} stands outside a table; begin with [all] or [SWITCH]")
        for key, value in row.items():
            if key not in KEYS:
                raise ConfigError(f"{path}: [{table}] {key}: no such key; there are {', '.join(KEYS)}")
            if not _fits(key, value):
                raise ConfigError(f"{path}: [{table}] {key} = {short(value)} does not fit; see plan export --help")
    return document


def _fits(key: str, value: Any) -> bool:
    if key == "ports_per_side":
        return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_PORTS
    if key == "any_to_any":
        return isinstance(value, bool)
    if key in ("path", "value", "read"):
        return isinstance(value, str) and value.isprintable()
    if isinstance(value, list):
        return all(isinstance(name, str) for name in value) and len(set(value)) == len(value) <= MOST_PORTS
    return isinstance(value, str) and _NUMBER.search(value) is not None


def names_of(switch: Switch, kind: Kind, parts: Mapping[str, Part], names: NamesFile) -> Names:
    """The names of a switch: [all], then its model's table, then its own, over the catalogue's number of ports.

    ConfigError where the kind cannot join ports of one side and the switch does, or where its name is no file's name.
    """
    if not SAFE.fullmatch(switch.name):
        raise ConfigError(f"a switch is called {short(switch.name)}; give names of letters, digits, dots and dashes")
    row: dict[str, Any] = {}
    for table in ("all", switch.part, switch.name):
        row |= names.get(table, {})
    model = parts.get(switch.part)
    known = model if isinstance(model, CircuitSwitch) else None
    any_to_any = row.get("any_to_any", known is not None and known.any_to_any)
    if any_to_any and not kind.any_to_any:
        raise ConfigError(
            f"{switch.name} joins any two of its ports; {kind.title} joins one of side A to one of side B: "
            "choose another device kind"
        )
    made = Names(kind, switch.name, row.get("ports_per_side", known and known.ports_per_side), any_to_any)
    sides = {side: row[side.lower()] for side in "AB" if side.lower() in row}
    paths = tuple((key, row[key]) for key, _ in kind.templates if key in row)
    return replace(made, sides=sides, paths=paths)


def all_names(
    switches: Sequence[Switch], kinds: Mapping[str, Kind], parts: Mapping[str, Part], names: NamesFile
) -> dict[str, Names]:
    """The names of every switch; `kinds` are by switch, by model, or "" for all others.

    ConfigError for a switch without a kind, and for a names table or kind that nothing is called after.
    """
    there = {switch.name for switch in switches} | {switch.part for switch in switches}
    for what, given in (("kind", {*kinds} - {""}), ("names table", {*names} - {"all"})):
        for stray in sorted(given - there):
            raise ConfigError(f"a {what} is given for {short(stray)}; there is no such switch or model")
    found = {}
    for switch in switches:
        kind = kinds.get(switch.name) or kinds.get(switch.part) or kinds.get("")
        if kind is None:
            raise ConfigError(f"no device kind for {switch.name} ({switch.part}); give one, or one for all")
        found[switch.name] = names_of(switch, kind, parts, names)
    return found
