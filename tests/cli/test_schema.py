"""Schemas: every file of the kind that is at hand obeys its own, as far as its keys go."""

import json
import tomllib
from pathlib import Path

import pytest

from fabric.schemas import SCHEMAS, schema
from topologies.formats.native import write_native
from topologies.registry import build

ROOT = Path(__file__).parents[2]


def obeys(value, told, whole, where="$"):
    """Why a value does not obey a schema, in the words that ours use; None where it does."""
    if "$ref" in told:
        told = whole["$defs"][told["$ref"].rpartition("/")[2]]
    for key in ("anyOf", "oneOf"):
        if key in told:
            why = [obeys(value, one, whole, where) for one in told[key]]
            return None if None in why else why[0] if why else f"{where}: nothing fits"
    if "enum" in told:
        return None if value in told["enum"] else f"{where}: {value!r} not in {told['enum']}"
    if "const" in told:
        return None if value == told["const"] else f"{where}: {value!r}"
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "number": (int, float)}
    types = [told["type"]] if isinstance(told.get("type"), str) else told.get("type", [])
    if types and not any(t == "null" or isinstance(value, kinds[t]) for t in types):
        return f"{where}: {value!r} is no {types}"
    if isinstance(value, dict):
        lacking = [key for key in told.get("required", ()) if key not in value]
        if lacking:
            return f"{where}: {lacking} missing"
        if "not" in told and all(key in value for key in told["not"]["required"]):
            return f"{where}: {told['not']}"
        for key, inner in value.items():
            if key not in told.get("properties", {}) and told.get("additionalProperties") is False:
                return f"{where}.{key}: unknown"
            if why := obeys(inner, told.get("properties", {}).get(key, {}), whole, f"{where}.{key}"):
                return why
    if isinstance(value, list):
        inner = (obeys(item, told.get("items", {}), whole, f"{where}[{i}]") for i, item in enumerate(value))
        return next(filter(None, inner), None)
    return None


FILES = {
    "topology": sorted((ROOT / "examples").glob("*.toml")),
    "model": sorted((ROOT / "examples" / "models").glob("*.toml")),
    "parts": sorted((ROOT / "topologies" / "catalogue").glob("*.toml")),
    "cases": sorted((ROOT / "fabric" / "cases").glob("*.toml")),
}


@pytest.mark.parametrize(("name", "path"), [(n, p) for n, paths in FILES.items() for p in paths], ids=str)
def test_files_obey_their_schema(name, path):
    told = schema(name)
    document = tomllib.loads(path.read_text())
    assert obeys(document, told, told) is None
    first = next(iter(document))
    assert obeys({**document, first: 3, "odd": 1}, told, told) is not None


def test_a_written_fabric_obeys_its_schema(tmp_path):
    told = schema("fabric")
    for spec in ("ring:n=4", "rail:servers=4", "tpu-v4-64"):
        write_native(build(spec), tmp_path / "f.json")
        assert obeys(json.loads((tmp_path / "f.json").read_text()), told, told) is None


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_command_prints_it(run, name):
    ran = run("schema", name)
    assert (ran.code, ran.err) == (0, "") and json.loads(ran.out) == json.loads(json.dumps(schema(name)))
    assert json.loads(ran.out)["$schema"].startswith("https://json-schema.org")


def test_what_there_is(run):
    assert [row["name"] for row in json.loads(run("schema", "--json").out)["schemas"]] == list(SCHEMAS)
    wrong = run("schema", "tpology")
    assert wrong.code == 2 and "did you mean 'topology'" in wrong.err
