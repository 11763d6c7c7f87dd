"""A model's shapes from the config.json that Hugging Face keeps beside its weights."""

import json
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from fabric.workloads.models.model import Model
from topologies.errors import ConfigError, unknown
from topologies.formats.contents import read_text

_MAP = Path(__file__).with_name("hugging_face.toml")
_WANTED = "a config.json of Hugging Face"
_MOST_MIB = 8
_INSTEAD = "write the shapes as TOML instead"
_DECODERS = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
_NEAR = 0.9  # how alike a name is that may have been meant: all end alike
_FIXED = ("gated", "bias", "qkv_bias", "qk_norm", "gated_attention", "single_norm")  # by an architecture
_TEXT = ("text_config", "llm_config", "language_config")  # of models that see or hear as well
_PARTS_OF = ("attn_config", "ffn_config", *_TEXT)
_SENSES = ("vision_config", "audio_config", "visual")
_EVERY = ("decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_freq")  # one of so many has experts, or which
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
        name = path.resolve().parent.name if path.stem == "config" else path.stem
        return configured(document, name or "config", str(path))
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
    rules = _rules(document, source)
    parts = [document.get(key) for key in _PARTS_OF]
    config = {**rules.get("defaults", {}), **document}
    for part in parts:
        config |= {key: value for key, value in (part or {}).items() if value is not None}
    row = _plain_keys(config, rules)
    row |= _windows(config, rules, row) | _linear(config, row)
    row |= _blocks(config) or _experts(config, rules, row)
    if any(document.get(key) for key in _SENSES):
        row["note"] = "what sees or hears is not counted"
    if "note" in rules:
        row["note"] = "; ".join(str(note) for note in (rules["note"], row.get("note")) if note)
    missing = [key for key in ("layers", "hidden", "heads", "vocab", "sequence") if key not in row]
    if missing:
        raise ConfigError(f"{source}: no {' or '.join(_map()['keys'][missing[0]])}; give {_WANTED}")
    try:
        return Model(**{"name": name, "title": name, "source": source, **row})
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None


def _rules(document: Mapping[str, Any], source: str) -> Mapping[str, Any]:
    """What the architecture fixes, of the model or of its text part: by its name, else by its type."""
    table = _map()["architectures"]
    text: Mapping[str, Any] = next((document[key] for key in _TEXT if document.get(key)), {})
    names = [str(name) for part in (document, text) for name in _listed(part.get("architectures"))]
    kinds = {kind: rules for rules in table.values() for kind in rules.get("model_types", ())}
    found = [table[name] for name in names if name in table]
    found += [kinds[part["model_type"]] for part in (text, document) if part.get("model_type") in kinds]
    if found:
        return dict(found[0])
    if not names:
        raise ConfigError(f"{source}: neither architectures nor a model_type that is known; {_INSTEAD}")
    if names[0].endswith(_DECODERS):
        return _plain_rules(names[0], {**document, **text})
    near = get_close_matches(names[0], table, 1, _NEAR)
    raise ConfigError(
        f"{source}: no architecture is named '{names[0]:.60}'; " + (f"did you mean '{near[0]}'?" if near else _INSTEAD)
    )


def _plain_rules(name: str, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Those of a decoder that nothing is known of: its keys mean what a Llama's do, and it says so."""
    note = f"architecture {name:.60} is not known: its keys are read as a Llama's, what else it has is not counted"
    wide = "moe_intermediate_size" if config.get("moe_intermediate_size") else "intermediate_size"
    return {"note": note, "expert_ffn_is": wide}


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) else list(value or ())


def _plain_keys(config: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for key, names in _map()["keys"].items():
        found = next((config[name] for name in names if config.get(name) is not None), None)
        if found is not None and key not in rules.get("ignored", ()):
            row[key] = found
    row |= {key: rules[key] for key in _FIXED if key in rules}
    row.setdefault("tied", rules.get("tied", False))
    if "positions_are" in rules:
        row["positions"] = config[rules["positions_are"]]
    if "ffn_times" in rules:
        row.setdefault("ffn", rules["ffn_times"] * row["hidden"])
    if config.get("multi_query") and not config.get("new_decoder_architecture"):
        row["kv_heads"] = 1
    if row.get("kv_lora"):
        row.pop("head_dim", None)
    if not isinstance(row.get("window", 0), int):
        row.pop("window")
    return row


def _windows(config: Mapping[str, Any], rules: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Layers that see a window only; none where the config has a window that no layer is said to use, or one that is
    no shorter than the context."""
    layers, window = row.get("layers", 0), row.get("window", 0)
    if window >= row.get("sequence", 0):
        return {"window_layers": 0, "window": 0}
    types = config.get("layer_types") or []
    windowed = sum(kind in ("sliding_attention", "chunked_attention") for kind in types)
    if "windowed_share" in rules:
        windowed = round(rules["windowed_share"] * layers) if window else 0
    elif "full_every" in rules and not types:
        windowed = layers - layers // (config.get("sliding_window_pattern") or rules["full_every"])
    return {"window_layers": windowed, "window": window if windowed else 0}


def _linear(config: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Recurrent layers, of the list of layers' types or of Kimi's own table."""
    types = config.get("layer_types") or []
    found: dict[str, Any] = {"linear_layers": sum(kind == "linear_attention" for kind in types)}
    if config.get("full_attention_interval") and not types:
        found["linear_layers"] = row["layers"] - row["layers"] // config["full_attention_interval"]
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
    layers = sum(map(bool, every)) if isinstance(every, list) else (row["layers"] - dense) // every
    return {"moe_layers": layers, "expert_ffn": width, "shared_ffn": shared_ffn}


@lru_cache(maxsize=1)
def _map() -> dict[str, Any]:
    return tomllib.loads(_MAP.read_text("utf-8"))
