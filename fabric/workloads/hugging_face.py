"""A model's shapes from the config.json that Hugging Face keeps beside its weights."""

import json
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from fabric.workloads.model import Model
from topologies.errors import ConfigError, unknown
from topologies.formats.contents import read_text

_MAP = Path(__file__).with_name("hugging_face.toml")
_WANTED = "a config.json of Hugging Face"
_MOST_MIB = 8
_FIXED = ("gated", "bias", "tied", "qkv_bias", "qk_norm", "gated_attention")  # by an architecture
_EVERY = ("decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_freq")  # one layer of so many has experts
_PARTS = {"M": "linear", "*": "attention", "E": "moe", "-": "dense"}  # Nemotron-H's letters


def read_config(path: Path) -> Model:
    """The model of a config.json. ConfigError for an architecture that the map does not know, or shapes that are not
    there: nothing is guessed."""
    try:
        document = json.loads(read_text(path, _WANTED, _MOST_MIB))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not {_WANTED}: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: not {_WANTED}: no keys")
    try:
        return configured(document, path.stem, str(path))
    except KeyError as lost:
        raise ConfigError(f"{path}: no {lost.args[0]}, which its architecture needs; give {_WANTED}") from None
    except (TypeError, AttributeError, ValueError):
        raise ConfigError(f"{path}: a key holds what it does not hold elsewhere; give {_WANTED}") from None


def configured(document: Mapping[str, Any], name: str, source: str) -> Model:
    """The model of a config's keys.

    >>> plain = {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 128}
    >>> asked = {"architectures": ["LlamaForCausalLM"], "vocab_size": 100, "max_position_embeddings": 32, **plain}
    >>> configured(asked, "tiny", "by hand").params
    95040
    """
    family = (document.get("architectures") or ["none"])[0]
    known = _map()["architectures"]
    if family not in known:
        raise ConfigError(f"{source}: " + unknown("architecture", family, known, "write the shapes as TOML instead"))
    rules = known[family]
    config = {**document, **(document.get("text_config") or document.get("llm_config") or {})}
    row = _plain_keys(config, rules)
    row |= {key: rules[key] for key in _FIXED if key in rules}
    row |= _windows(config, rules, row) | _linear(config, row)
    row |= _blocks(config) or _experts(config, rules, row)
    if "positions_are" in rules:
        row["positions"] = config[rules["positions_are"]]
    missing = [key for key in ("layers", "hidden", "heads", "vocab", "sequence") if key not in row]
    if missing:
        raise ConfigError(f"{source}: no {' or '.join(_map()['keys'][missing[0]])}; give {_WANTED}")
    return Model(**{"name": name, "title": name, "source": source, **row})


def _plain_keys(config: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for key, names in _map()["keys"].items():
        found = next((config[name] for name in names if config.get(name) is not None), None)
        if found is not None and key not in rules.get("ignored", ()):
            row[key] = found
    if row.get("kv_lora"):
        row.pop("head_dim", None)
    if not isinstance(row.get("window", 0), int):
        row.pop("window")
    return row


def _windows(config: Mapping[str, Any], rules: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Layers that see a window only; none where the config has a window that no layer is said to use."""
    types = config.get("layer_types") or []
    windowed = sum(kind in ("sliding_attention", "chunked_attention") for kind in types)
    if "windowed_share" in rules:
        windowed = round(rules["windowed_share"] * row["layers"])
    return {"window_layers": windowed, "window": row.get("window", 0) if windowed else 0}


def _linear(config: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Recurrent layers, of the list of layers' types or of Kimi's own table."""
    types = config.get("layer_types") or []
    found: dict[str, Any] = {"linear_layers": sum(kind == "linear_attention" for kind in types)}
    own = config.get("linear_attn_config")
    if own:
        heads, width = own["num_heads"], own["head_dim"]
        found = {"linear_layers": row["layers"] - len(own["full_attn_layers"]), "linear_heads": heads}
        found |= {"linear_head_dim": width, "linear_groups": heads, "linear_state": width}
    return found


def _blocks(config: Mapping[str, Any]) -> dict[str, Any]:
    """Stacks of single parts, as Nemotron-H writes them; empty for any other."""
    pattern = config.get("hybrid_override_pattern")
    names = [_PARTS.get(letter, letter) for letter in pattern] if pattern else config.get("layers_block_type") or []
    names = ["linear" if name == "mamba" else "dense" if name == "mlp" else name for name in names]
    if not names:
        return {}
    lost = set(names) - set(_PARTS.values())
    if lost:
        raise ConfigError(unknown("kind of layer", sorted(lost)[0], sorted(_PARTS.values())))
    count = {f"{kind}_layers": names.count(kind) for kind in _PARTS.values()}
    shared = config.get("moe_shared_expert_intermediate_size", 0) if config.get("n_shared_experts", 1) else 0
    return {"layers": len(names), **count, "shared_ffn": shared if count["moe_layers"] else 0}


def _experts(config: Mapping[str, Any], rules: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Which layers have experts, and how wide they and the shared ones are."""
    if not row.get("experts"):
        return {"experts": 0, "topk": 0, "expert_ffn": 0}
    every = next((config[key] for key in _EVERY if config.get(key)), 1)
    dense = config.get("first_k_dense_replace", len(config.get("mlp_only_layers") or ()))
    width = config[rules["expert_ffn_is"]] if "expert_ffn_is" in rules else row.get("expert_ffn", 0)
    shared = config.get("n_shared_experts") or config.get("num_shared_experts") or 0
    shared_ffn = config.get("shared_expert_intermediate_size") or shared * width
    if "shared_ffn_is" in rules:
        shared_ffn = config[rules["shared_ffn_is"]]
    return {"moe_layers": (row["layers"] - dense) // every, "expert_ffn": width, "shared_ffn": shared_ffn}


@lru_cache(maxsize=1)
def _map() -> dict[str, Any]:
    return tomllib.loads(_MAP.read_text("utf-8"))
