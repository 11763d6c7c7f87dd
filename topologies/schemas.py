"""JSON schemas of the files that a user writes, told from what their readers check."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from topologies.formats import native_schema as native
from topologies.kinds import KINDS
from topologies.nameplate import Part
from topologies.parts import CHOICES

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TEXT = {"type": "string"}
_ABOUT = {
    "name": "in lower case; one of the catalogue's changes that row", "title": "what it is", "source": "of its values",
    "year": "of the source", "confidence": "in the source", "sources": "of single values, by key",
    "estimates": "how single values were estimated, by key",
}  # fmt: skip


def parts_schema() -> dict[str, Any]:
    """Of a file of [[part]] tables: by kind what a row may hold, with `_low` and `_high` beside every number.

    A row that changes one of the catalogue's states its name and what differs; a new one needs what its kind requires.

    >>> schema = parts_schema()["$defs"]["nic"]
    >>> schema["properties"]["rate_gbps"], schema["properties"]["rate_gbps_high"]
    ({'type': 'number'}, {'type': 'number'})
    """
    rows = {kind: _kind(kind, cls) for kind, cls in KINDS.items()}
    change = {"type": "object", "required": ["name"], "not": {"required": ["kind"]}}
    refs = [{"$ref": f"#/$defs/{kind}"} for kind in rows]
    table = {"type": "array", "minItems": 1, "items": {"anyOf": [*refs, change]}}
    return {**_head("parts file", {"part": table}, ["part"]), "$defs": rows}


def _kind(kind: str, cls: type[Part]) -> dict[str, Any]:
    properties: dict[str, Any] = {"kind": {"const": kind}}
    for spec in fields(cls):
        if spec.name == "ranges":
            continue
        told = {"description": _ABOUT[spec.name]} if spec.name in _ABOUT else {}
        properties[spec.name] = {**_type(spec), **told}
        if properties[spec.name].get("type") in ("number", "integer") and spec.name != "year":
            properties |= {f"{spec.name}_{end}": {"type": "number"} for end in ("low", "high")}
    return {
        "type": "object",
        "description": (cls.__doc__ or "").split("\n")[0],
        "properties": properties,
        "required": ["name", "kind"],
        "additionalProperties": False,
        "x-required-of-a-new-part": [
            spec.name for spec in fields(cls) if spec.default is MISSING and spec.default_factory is MISSING
        ],
    }


def _type(spec: "Field[Any]") -> dict[str, Any]:
    spelt = spec.type.__name__ if isinstance(spec.type, type) else str(spec.type)
    if spec.name in CHOICES:
        return {"enum": list(CHOICES[spec.name])}
    for start, told in (("float", "number"), ("int", "integer"), ("bool", "boolean"), ("str", "string")):
        if spelt.startswith(start):
            return {"type": told}
    if spelt.startswith("tuple"):
        return {"type": "array", "items": {"type": "string" if spelt.startswith("tuple[str") else "number"}}
    return {"type": "object"}


def fabric_schema() -> dict[str, Any]:
    """Of a fabric in our own JSON, as `import` and `export` write it.

    >>> fabric_schema()["properties"]["nodes"]["items"]["required"]
    ['id', 'kind', 'forwards']
    """
    nodes, links, grid = (_row(keys) for keys in (native.NODE, native.LINK, native.GRID))
    whole = _row(native.DOCUMENT)
    whole["properties"] |= {
        "schema": {"const": native.NAME}, "grid": grid,
        "nodes": {"type": "array", "items": nodes}, "links": {"type": "array", "items": links},
    }  # fmt: skip
    return {"$schema": DRAFT, "title": "aifabric fabric", **whole}


def _row(keys: Mapping[str, native.Key]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: _worded(key.words) for name, key in keys.items()},
        "required": [name for name, key in keys.items() if key.required],
        "additionalProperties": False,
    }


def _worded(words: str) -> dict[str, Any]:
    """The type that a key's words begin with; what is one of several types has the words alone."""
    told = {"description": words}
    if words.startswith("one of "):
        return {**told, "enum": words.removeprefix("one of ").split(", ")}
    for start, kind in (("the ", "string"), ("true", "boolean"), ("a whole", "integer"), ("a number", "number"),
                        ("an object", "object"), ("a list", "array"), ("text", "string")):  # fmt: skip
        if words.startswith(start):
            several = words.startswith("text, ") or words.endswith(", or null")
            return told if several else {**told, "type": kind}
    return told


def _head(title: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "$schema": DRAFT, "title": f"aifabric {title}", "type": "object", "properties": properties,
        "required": required, "additionalProperties": False,
    }  # fmt: skip
