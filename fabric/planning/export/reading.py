"""Reading back: the cross-connects that a device's own file says it has, as the ports of a plan."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from fabric.planning.export.names import Names
from fabric.planning.export.sonic_patch import TABLE
from fabric.planning.fingerprints import fingerprint
from fabric.planning.plan import Pair, Plan
from topologies.errors import ConfigError
from topologies.formats.contents import read_head, read_json, short
from topologies.formats.elements import Element, read_tree

_ROOT = re.compile(r"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)[\s/>]")
_ROOTS = ("rpc-reply", "data", "config", "cross-connects")


def read_config_db(path: Path) -> list[tuple[str, str]]:
    """The cross-connects of a SONiC-OCS CONFIG_DB as JSON (config_db.json): port names on side A and B.

    ConfigError for what is not one, and where a key does not say what its fields say.
    """
    wanted = "the CONFIG_DB of a SONiC-OCS (config_db.json)"
    document = read_json(path, wanted)
    table = document.get(TABLE, {}) if isinstance(document, dict) else None
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: no object with a table {TABLE}; give {wanted}")
    pairs = []
    for key, row in table.items():
        fields = row if isinstance(row, dict) else {}
        a, b = fields.get("a_side"), fields.get("b_side")
        if not isinstance(a, str) or not isinstance(b, str) or key != f"{a}-{b}":
            raise ConfigError(f"{path}: {TABLE} {short(key)} does not say a_side and b_side as its key does")
        pairs.append((a, b))
    return pairs


def read_polatis(path: Path) -> list[tuple[str, str]]:
    """The cross-connects of a Polatis as NETCONF gives them (a reply, its data, or <cross-connects>): ingress, egress.

    Firmware that says `pairs` for `pair` is read too. ConfigError names the line of a pair that is incomplete.
    """
    head = re.sub(r"<\?.*?\?>|<!--.*?-->", "", read_head(path), flags=re.DOTALL)
    if "<!DOCTYPE" in head:
        raise ConfigError(f"{path}: a document type is declared; NETCONF has none (RFC 6241, section 3.2)")
    found = _ROOT.search(head)
    root = found[1] if found else ""
    if root not in _ROOTS:
        raise ConfigError(f"{path}: no NETCONF answer of a Polatis; give a file with {', '.join(_ROOTS)} as its root")
    pairs = []
    for holder in _named(read_tree(path, root), "cross-connects"):
        for pair in holder.children:
            if pair.tag in ("pair", "pairs"):
                ports = {child.tag: child.text.strip() for child in pair.children}
                if not ports.get("ingress") or not ports.get("egress"):
                    raise ConfigError(f"{pair.at(path)} has no ingress or no egress; it needs both")
                pairs.append((ports["ingress"], ports["egress"]))
    return pairs


def _named(element: Element, tag: str) -> Iterable[Element]:
    if element.tag == tag:
        yield element
    for child in element.children:
        yield from _named(child, tag)


# device kind -> reader of the file that such a device gives
READERS: dict[str, Callable[[Path], list[tuple[str, str]]]] = {
    "sonic-cli": read_config_db,
    "sonic-patch": read_config_db,
    "sonic-config-db": read_config_db,
    "polatis-netconf": read_polatis,
    "polatis-restconf": read_polatis,
    "polatis-tl1": read_polatis,
    "polatis-scpi": read_polatis,
}


def ports_of(named: Iterable[tuple[str, str]], names: Names, where: str) -> list[Pair]:
    """Cross-connects in the plan's ports, sorted; ConfigError for an unknown port."""
    first = names.ports("A")
    second = first if names.any_to_any else names.ports("B")
    pairs: list[Pair] = []
    for a, b in named:
        if a not in first or b not in second:
            raise ConfigError(f"{where}: {short(a)} or {short(b)} is no port of {names.switch}; see its names")
        one, two = first[a], second[b]
        pairs.append((min(one, two), max(one, two)) if names.any_to_any else (one, two))
    return sorted(pairs)


def read_state(path: Path, names: Names) -> list[Pair]:
    """The cross-connects in a device's file, in the plan's ports.

    ConfigError where that device kind's files are not read, or the file is not one.
    """
    if names.kind.name not in READERS:
        raise ConfigError(
            f"{path}: files of {names.kind.title} are not read back; there are readers for {', '.join(READERS)}"
        )
    pairs = ports_of(READERS[names.kind.name](path), names, str(path))
    used = [port for a, b in pairs for port in ((0, a), (0 if names.any_to_any else 1, b))]
    if len(set(used)) < len(used):
        raise ConfigError(f"{path}: a port of {names.switch} is in two cross-connects; each takes one")
    return pairs


def place_in_plan(plan: Plan, switch: str, pairs: Iterable[Pair], any_to_any: bool = False) -> list[int]:
    """After which stages the plan expects a switch to be in this state: 0 is the base; none where it is foreign."""
    own = fingerprint(pairs, any_to_any)
    expected: list[Any] = [plan.base.get(switch)]
    for stage in plan.stages:
        after = [change.after for change in stage.changes if change.switch == switch]
        expected.append(after[0] if after else expected[-1])
    return [number for number, wanted in enumerate(expected) if wanted == own]
