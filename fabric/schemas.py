"""Which files a user writes have a JSON schema, and where it comes from."""

from importlib import import_module
from typing import Any

from topologies.errors import ConfigError, unknown

# name -> where its function is, what the file is for
SCHEMAS = {
    "topology": ("topologies.composition_model:topology_schema", "a SPEC in TOML: one family, or a composition"),
    "parts": ("topologies.schemas:parts_schema", "devices to add or change, for --parts"),
    "fabric": ("topologies.schemas:fabric_schema", "a fabric in our own JSON, as import and export write it"),
    "model": ("fabric.schemas:model_schema", "the shapes of a model of your own, for workload and models"),
    "cases": ("fabric.schemas:cases_schema", "published figures of your own, for validate --file"),
}


def schema(name: str) -> dict[str, Any]:
    """The JSON schema of that name; ConfigError with the nearest name where there is none.

    >>> schema("topology")["title"], sorted(SCHEMAS)
    ('aifabric topology file', ['cases', 'fabric', 'model', 'parts', 'topology'])
    """
    if name not in SCHEMAS:
        raise ConfigError(unknown("schema", name, SCHEMAS))
    module, _, function = SCHEMAS[name][0].partition(":")
    made: dict[str, Any] = getattr(import_module(module), function)()
    return made


def model_schema() -> dict[str, Any]:
    """Of a file of one model's shapes: the keys of `fabric.workloads.models.model.Model`, which says what they mean.

    >>> model_schema()["required"], model_schema()["properties"]["gated"]
    (['layers', 'hidden', 'heads', 'vocab', 'sequence'], {'type': 'boolean'})
    """
    from dataclasses import MISSING, fields

    from fabric.workloads.models.model import Model

    text, number = {"type": "string"}, {"type": "integer", "minimum": 0}
    several = {"type": "array", "items": text}
    kinds: dict[object, Any] = {str: text, bool: {"type": "boolean"}, int: number, int | None: number}
    named = {field.name: kinds.get(field.type, several) for field in fields(Model)}
    filled = ("name", "title", "source")  # by the file's name where they are not given
    required = [field.name for field in fields(Model) if field.default is MISSING and field.name not in filled]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "aifabric model file", "type": "object",
        "description": Model.__doc__, "properties": named, "required": required, "additionalProperties": False,
    }  # fmt: skip


def cases_schema() -> dict[str, Any]:
    """Of a file of [[case]] and [[left_out]] tables; `fabric.validation` says what a `compute` table holds.

    >>> cases_schema()["properties"]["case"]["items"]["required"][:3]
    ['id', 'system', 'kind']
    """
    text, value = {"type": "string"}, {"type": ["number", "string", "boolean", "array", "object", "null"]}
    texts = ("id", "system", "kind", "quantity", "unit", "source")
    tolerance = {"type": "object", "description": "abs, rel, or both"}
    compute = {"description": "what is asked of which topology", "anyOf": [{"type": "object"}, {"type": "array"}]}
    properties = {**dict.fromkeys(texts, text), "expected": value, "tolerance": tolerance, "compute": compute}
    named = {"name": text, "compute": compute}
    boundary = {
        "type": "array", "description": "in the place of compute: readings of what the figure counts",
        "items": {"type": "object", "properties": named, "required": list(named), "additionalProperties": False},
    }  # fmt: skip
    case = {
        "type": "object", "properties": {**properties, "boundary": boundary, "confidence": text, "note": text},
        "required": [key for key in properties if key != "compute"], "additionalProperties": False,
        "oneOf": [{"required": ["compute"]}, {"required": ["boundary"]}],
    }  # fmt: skip
    left = {
        "type": "object", "properties": {"id": text, "reason": text}, "required": ["id", "reason"],
        "additionalProperties": False,
    }  # fmt: skip
    tables = {"case": {"type": "array", "items": case}, "left_out": {"type": "array", "items": left}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "aifabric cases file", "type": "object",
        "properties": tables, "additionalProperties": False,
    }  # fmt: skip
