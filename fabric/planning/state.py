"""State files: circuit switches, the block at each of their ports, and their cross-connects, as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from topologies.circuits import SIDE_A, SIDE_B, CircuitLayer
from topologies.errors import ConfigError, unknown
from topologies.formats.writing import write_whole
from topologies.parts import Catalogue, CircuitSwitch, catalogue

SCHEMA = "aifabric.state/1"
KEYS = ("schema", "fibres", "lanes", "blocks", "switches")
SWITCH_KEYS = ("name", "part", "domain", "a", "b", "failed", "cross_connects")
MOST_BYTES = 1_000_000_000
MOST_FIBRES, MOST_LANES = 2, 64


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A live circuit layer by blocks (its ends are blocks), and the names and failure domains of its switches."""

    layer: CircuitLayer
    switches: tuple[str, ...]
    domains: tuple[int, ...]


def state_of(layer: CircuitLayer, domains: Sequence[int] | None = None) -> State:
    """The state of a fabric, its ends gathered to blocks; four failure domains of successive switches unless told."""
    count = layer.devices
    own = tuple(k * 4 // count for k in range(count)) if domains is None else tuple(domains)
    return State(by_blocks(layer), tuple(f"ocs-{k}" for k in range(count)), own)


def by_blocks(layer: CircuitLayer) -> CircuitLayer:
    """The same layer with blocks as its ends, each at the rate of its slowest end."""
    from dataclasses import replace

    blocks = list(dict.fromkeys(layer.blocks))
    if list(layer.ends) == blocks:
        return layer
    place = {name: b for b, name in enumerate(blocks)}
    of_end = np.array([place[name] for name in layer.blocks], np.int32)
    strands = layer.strands.copy()
    strands[:, 3] = of_end[strands[:, 3]]
    links, generation = layer.end_links
    slowest = np.full(len(blocks), -1, np.int32)
    for end, b in enumerate(of_end.tolist()):
        g = int(generation[end])
        if slowest[b] < 0 or links[g]["rate_gbps"] < links[slowest[b]]["rate_gbps"]:
            slowest[b] = g
    many = len(links) > 1
    return replace(layer, strands=strands, ends=blocks, blocks=blocks,
                   generation=slowest if many else np.empty(0, np.int32))  # fmt: skip


def document(state: State) -> dict[str, Any]:
    """The keys of a state file: `a` and `b` name the block at each port of either side (null for none), `failed` the
    ports that no circuit may use, `cross_connects` ports on A and B (or two ports of an any-to-any switch).

    >>> from topologies.registry import build
    >>> switch = document(state_of(build("jupiter:blocks=2,uplinks=2").circuits))["switches"][0]
    >>> switch["a"], switch["b"], switch["cross_connects"]
    (['block-0', 'block-1'], ['block-0', 'block-1'], [[0, 1], [1, 0]])
    """
    layer = state.layer
    widest = [layer.strands[(layer.strands[:, 0] == k)] for k in range(layer.devices)]
    switches = []
    for k, own in enumerate(widest):
        sides: list[list[str | None]] = []
        for side in (SIDE_A, SIDE_B):
            ports = own[own[:, 1] == side]
            names: list[str | None] = [None] * (int(ports[:, 2].max(initial=-1)) + 1)
            for _, _, port, end in ports.tolist():
                names[port] = layer.blocks[end]
            sides.append(names)
        row: dict[str, Any] = {"name": state.switches[k], "part": layer.model(k).name, "domain": state.domains[k]}
        row["a"] = sides[0]
        if not layer.model(k).any_to_any:
            row["b"] = sides[1]
        failed = layer.failed[layer.failed[:, 0] == k]
        if len(failed):
            row["failed"] = [f"{'AB'[side]}{port}" for _, side, port in failed.tolist()]
        row["cross_connects"] = sorted(layer.state[layer.state[:, 0] == k][:, 1:].tolist())
        switches.append(row)
    rates = dict(zip(layer.blocks, layer.end_rates_gbps.tolist(), strict=True))
    return {"schema": SCHEMA, "fibres": layer.fibres, "lanes": layer.lanes, "blocks": rates, "switches": switches}


def state_text(state: State) -> str:
    """A state file; the same bytes for the same state, a switch's lists on one line each."""
    whole = document(state)
    head = {key: whole[key] for key in KEYS[:4]}
    lines = [json.dumps(head, indent=1)[:-2] + ",", ' "switches": [']
    rows = []
    for switch in whole["switches"]:
        keys = ",\n   ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in switch.items())
        rows.append("  {" + keys + "}")
    return "\n".join(lines) + "\n" + ",\n".join(rows) + "\n ]\n}\n"


def write_state(state: State, path: Path) -> None:
    """Write a state file, whole or not at all; ConfigError where that fails."""
    write_whole(state_text(state), path)


def is_state(text: str) -> bool:
    """Does a FROM or TO name a state file? Graphs are JSON too: what is there says which."""
    if not text.lower().endswith(".json"):
        return False
    try:
        with Path(text).open(encoding="utf-8", errors="replace") as file:
            return f'"{SCHEMA.partition("/")[0]}/' in file.read(200)
    except OSError:
        return True


def read_state(path: Path, parts: Catalogue | None = None) -> State:
    """The state of a file; ConfigError, of one line, for one that cannot be read or contradicts itself."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{path}: larger than {MOST_BYTES:,} bytes; no state file is")
        whole = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a state file ({SCHEMA})") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON: {error}") from None
    if not isinstance(whole, dict) or whole.get("schema") != SCHEMA:
        raise ConfigError(f"{path}: no state file; its schema would be {SCHEMA}")
    try:
        return _read(whole, parts or catalogue())
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _read(whole: Mapping[str, Any], parts: Catalogue) -> State:
    for key in KEYS[3:]:
        if key not in whole:
            raise ConfigError(f"no '{key}'; a state file has {', '.join(KEYS)}")
    if stray := set(whole) - set(KEYS):
        raise ConfigError(unknown("key", min(stray), KEYS))
    rates, switches = whole["blocks"], whole["switches"]
    if not isinstance(rates, dict) or not rates or not all(_is_rate(rate) for rate in rates.values()):
        raise ConfigError("'blocks' is no table of blocks and their Gb/s; write {\"block-0\": 400}")
    if not isinstance(switches, list) or not switches or not all(isinstance(row, dict) for row in switches):
        raise ConfigError("'switches' is no list of switches; give name, part, a, b and cross_connects of each")
    place = {name: b for b, name in enumerate(rates)}
    rows = [_switch(row, k, place, parts) for k, row in enumerate(switches)]
    names = [row[0] for row in rows]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"switch '{min(twice)}' stands there twice; give each a name of its own")
    kinds = sorted({float(rate) for rate in rates.values()}, reverse=True)
    links = [{"rate_gbps": rate, "medium": "circuit"} for rate in kinds]
    strands = np.array([row for own in rows for row in own[3]], np.int32).reshape(-1, 4)
    layer = CircuitLayer(
        part=rows[0][1],
        devices=len(rows),
        strands=strands[np.lexsort(strands[:, 2::-1].T)],
        state=np.array([row for own in rows for row in own[5]], np.int32).reshape(-1, 3),
        ends=list(rates),
        blocks=list(rates),
        link=links[0],
        fibres=_count(whole, "fibres", MOST_FIBRES),
        other_parts={k: row[1] for k, row in enumerate(rows) if row[1] is not rows[0][1]},
        failed=np.array([row for own in rows for row in own[4]], np.int32).reshape(-1, 3),
        lanes=_count(whole, "lanes", MOST_LANES),
        other_links=links[1:],
        generation=np.array([kinds.index(float(rate)) for rate in rates.values()] if links[1:] else [], np.int32),
    )
    return State(layer, tuple(names), tuple(row[2] for row in rows))


def _is_rate(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9


def _count(table: Mapping[str, Any], key: str, most: int) -> int:
    value = table.get(key, 1)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ConfigError(f"'{key}' is {value!r:.40}; give 1 to {most}")
    return value


Row = tuple[str, CircuitSwitch, int, list[tuple[int, ...]], list[tuple[int, ...]], list[tuple[int, ...]]]


def _switch(row: Mapping[str, Any], k: int, place: Mapping[str, int], parts: Catalogue) -> Row:
    """Name, part, domain, strands, failed ports and cross-connects of one switch."""
    name = row.get("name", f"ocs-{k}")
    if not isinstance(name, str) or not name:
        raise ConfigError(f"switch {k} has the name {name!r:.40}; give text")
    if stray := set(row) - set(SWITCH_KEYS):
        raise ConfigError(f"{name}: {unknown('key', min(stray), SWITCH_KEYS)}")
    part = parts.part(str(row.get("part", "")), CircuitSwitch)
    domain = row.get("domain", 0)
    if not isinstance(domain, int) or isinstance(domain, bool) or not 0 <= domain < 100_000:
        raise ConfigError(f"{name}: domain {domain!r:.40} is no number from 0; give the failure domain's")
    if part.any_to_any and "b" in row:
        raise ConfigError(f"{name}: a {part.name} has one side; list all its ports under a")
    strands: list[tuple[int, ...]] = []
    for side, key in enumerate("ab"):
        ports = row.get(key, [])
        if not isinstance(ports, list) or len(ports) > part.ports_per_side:
            raise ConfigError(f"{name}: '{key}' is no list of up to {part.ports_per_side} blocks, one a port")
        for port, block in enumerate(ports):
            if block is None:
                continue
            if not isinstance(block, str) or block not in place:
                raise ConfigError(f"{name}: port {port} of side {key}: {unknown('block', str(block), place)}")
            strands.append((k, side, port, place[block]))
    failed, crosses = row.get("failed", []), row.get("cross_connects", [])
    if not isinstance(failed, list) or not isinstance(crosses, list):
        raise ConfigError(f"{name}: 'failed' and 'cross_connects' are lists")
    dead: list[tuple[int, ...]] = []
    for text in failed:
        if not isinstance(text, str) or text[:1] not in ("A", "B") or not (text[1:].isascii() and text[1:7].isdigit()):
            raise ConfigError(f"{name}: failed port {text!r:.40} cannot be read; write side and number, e.g. A17")
        dead.append((k, "AB".index(text[0]), int(text[1:7])))
    joined: list[tuple[int, ...]] = []
    for pair in crosses:
        ports_fit = isinstance(pair, list) and len(pair) == 2 and all(
            isinstance(p, int) and not isinstance(p, bool) and 0 <= p < part.ports_per_side for p in pair
        )  # fmt: skip
        if not ports_fit:
            raise ConfigError(f"{name}: cross-connect {pair!r:.40} is no pair of ports below {part.ports_per_side}")
        joined.append((k, *pair))
    return name, part, domain, strands, dead, joined
