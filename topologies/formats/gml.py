"""GML, as NetworkX and the Topology Zoo write it."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from topologies.errors import ConfigError
from topologies.formats.attributed import Columns, fabric
from topologies.formats.contents import read_whole, short
from topologies.formats.draft import Cabling, Draft
from topologies.graph import Topology
from topologies.parts import Catalogue

WANTED = "GML: graph [ node [ id 0 ] edge [ source 0 target 1 ] ]"
MAX_DEPTH = 20
MAX_WORDS = 8_000_000
_TOKEN = re.compile(
    r'\s*(?:#[^\n]*\n)?(?:([A-Za-z_][A-Za-z0-9_]{0,200})|([+-]?[0-9.][0-9.eE+-]{0,60}|[+-](?:INF|NAN))|"([^"]*)"|([\[\]]))'
)


def read_gml(path: Path, columns: Columns = Columns(), cabling: Cabling = Cabling(), *, parts: Catalogue) -> Topology:
    """A GML file of one graph: nodes go by their `label` where every one has its own, by their `id` otherwise.

    ConfigError names the line that cannot be read.
    """
    text = read_whole(path, WANTED, 256)
    document = dict(_pairs(_Tokens(text, path), 0))
    graph = document.get("graph")
    if not isinstance(graph, list):
        raise ConfigError(f"{path}: no graph [ ]; give {WANTED}")
    held = [(key, dict(value), f"{path}: {key} {i}") for i, (key, value) in enumerate(_blocks(graph), start=1)]
    found = [(attributes, where) for key, attributes, where in held if key == "node"]
    for attributes, where in found:
        if "id" not in attributes:
            raise ConfigError(f"{where} has no id; it needs one")
    labels = [attributes.get("label") for attributes, _ in found]
    own = all(isinstance(label, str) and label.strip() for label in labels) and len(set(labels)) == len(labels)
    names = {str(attributes["id"]): str(attributes["label" if own else "id"]) for attributes, _ in found}
    if len(names) < len(found):
        raise ConfigError(f"{path}: two nodes have the same id; rename one")
    nodes = [(names[str(attributes["id"])], attributes, where) for attributes, where in found]
    edges = []
    for key, attributes, where in held:
        if key == "edge":
            ends = [str(attributes.get(end)) for end in ("source", "target")]
            for end in ends:
                if end not in names:
                    raise ConfigError(f"{where}: it ends at {short(end)}, which is no node; is the file cut off?")
            edges.append((names[ends[0]], names[ends[1]], attributes, where))
    directed = dict(graph).get("directed") == 1
    return fabric(Draft(path, "gml", parts), nodes, edges, columns, cabling, directed)


def _blocks(graph: list[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    return ((key, value) for key, value in graph if key in ("node", "edge") and isinstance(value, list))


class _Tokens:
    """Words of a GML text, one after the other, with their line for what is wrong."""

    def __init__(self, text: str, path: Path) -> None:
        self.text, self.path, self.at, self.words = text, path, 0, 0

    def fail(self, what: str) -> ConfigError:
        line = self.text.count("\n", 0, self.at) + 1
        return ConfigError(f"{self.path}: line {line}: {what}; give {WANTED}")

    def next(self) -> re.Match[str] | None:
        """The next word; None at the end."""
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            if self.text[self.at :].strip():
                raise self.fail(f"{short(self.text[self.at :].split()[0])} cannot be read")
            return None
        self.at = match.end()
        self.words += 1
        if self.words > MAX_WORDS:
            raise self.fail(f"more than {MAX_WORDS:,} words")
        return match


def _pairs(tokens: _Tokens, depth: int) -> list[tuple[str, Any]]:
    """Key and value pairs up to the closing bracket, or to the end of the text."""
    if depth > MAX_DEPTH:
        raise tokens.fail(f"brackets within brackets, more than {MAX_DEPTH} deep")
    found: list[tuple[str, Any]] = []
    while True:
        word = tokens.next()
        if word is None or word[4] == "]":
            if (word is None) != (depth == 0):
                raise tokens.fail("brackets do not fit; is the file cut off?")
            return found
        if word[1] is None:
            raise tokens.fail(f"{short(word[0].strip())} stands where a key should")
        value = tokens.next()
        if value is None or value[4] == "]" or value[1] is not None:
            raise tokens.fail(f"{short(word[1])} has no value")
        found.append((word[1], _pairs(tokens, depth + 1) if value[4] == "[" else _value(tokens, value)))


def _value(tokens: _Tokens, word: re.Match[str]) -> Any:
    if word[3] is not None:
        return html.unescape(word[3])
    try:
        return int(word[2]) if re.fullmatch(r"[+-]?[0-9]+", word[2]) else float(word[2])
    except ValueError:
        raise tokens.fail(f"{short(word[2])} is not a number") from None
