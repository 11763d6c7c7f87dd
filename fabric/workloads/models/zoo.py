"""Models by name: those that come with the program, a TOML file of one's own, a config.json of Hugging Face."""

import tomllib
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from fabric.workloads.models.hugging_face import read_config
from fabric.workloads.models.model import Model
from fabric.workloads.models.model_names import plain, spellings
from topologies.errors import ConfigError, unknown
from topologies.toml_documents import read_toml

_FILE = Path(__file__).parents[2] / "models.toml"
_WANTED = "a TOML file of a model's shapes"


def model(name: "str | Path") -> Model:
    """The model of a name, as a checkpoint or a benchmark writes it, or of a file: .toml with the keys of `Model`, or a
    config.json.

    ConfigError says what is not known, or not a model's.

    >>> model("meta-llama/Llama-3.1-405B-Instruct-FP8").layers, model("llama-3.1-405b").kv_bytes_per_token()
    (126, 516096.0)
    """
    text = str(name)
    if text.endswith(".toml"):
        return made(read_toml(Path(text), _WANTED), Path(text).stem, text)
    if text.endswith(".json"):
        return read_config(Path(text))
    rows = _by_name()
    found = next((rows[spelled] for spelled in spellings(text) if spelled in rows), None)
    if found is None:
        raise ConfigError(unknown("model", text, models(), "aifabric models lists them; a file of one does too"))
    return found


def is_model(name: str) -> bool:
    """Does a model that comes with the program have that name?

    >>> is_model("Llama-3.1-8B"), is_model("nvl72")
    (True, False)
    """
    try:
        return bool(model(name)) and not name.endswith((".toml", ".json"))
    except ConfigError:
        return False


@lru_cache(maxsize=1)
def models() -> dict[str, Model]:
    """All models that come with the program, by name.

    >>> all(m.source for m in models().values())
    True
    """
    rows = tomllib.loads(_FILE.read_text("utf-8"))["model"]
    return {row["name"]: made(row, row["name"], _FILE.name) for row in rows}


def made(row: dict[str, Any], name: str, where: str) -> Model:
    """A model of a table of its shapes; ConfigError for a key that is missing, or none of a model's."""
    row = {"name": name, "title": name, "source": where, **row}
    known = {field.name for field in fields(Model)}
    lost = next((key for key in row if key not in known), None)
    if lost is not None:
        raise ConfigError(f"{where}: " + unknown("key of a model", lost, known))
    missing = [key for key in ("layers", "hidden", "heads", "vocab", "sequence") if key not in row]
    if missing:
        raise ConfigError(f"{where}: model '{row['name']}' has no {missing[0]}; give {_WANTED}")
    return Model(**{**row, "aliases": tuple(row.get("aliases", ()))})


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Model]:
    return {plain(name): m for m in models().values() for name in (m.name, m.title, *m.aliases)}

