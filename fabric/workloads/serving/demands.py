"""What serving a model asks of each accelerator: bytes of weights and cache, operations, and what layers exchange."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fabric.workloads.models.model import Model
from fabric.workloads.models.precisions import precision
from fabric.workloads.serving.calibration import Floats, cores_of
from fabric.workloads.serving.layout import Layout
from topologies.errors import ConfigError
from topologies.kinds import Accelerator
from topologies.toml_documents import read_toml

_CHECKPOINTS = Path(__file__).with_name("checkpoints.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """Of one replica or, stacked, of many: every field is float64[n]. Bytes and operations are of the whole model
    before it is split; the layout says by what they are divided."""

    # the accelerator
    memory_bytes: Floats
    memory_bytes_per_s: Floats
    peak_flops: Floats  # at the weights' precision
    attention_flops: Floats  # the 16-bit rate
    scores_flops: Floats  # the rate of the cache's format, in decode
    # the layout
    tp: Floats
    pp: Floats
    ep: Floats
    dp: Floats
    # the model
    layers: Floats
    expert_layers: Floats
    latent_layers: Floats
    hidden: Floats
    heads: Floats
    experts: Floats
    topk: Floats
    dense_bytes: Floats  # read in each step; the table of tokens is not
    held_bytes: Floats  # dense_bytes and the table of tokens
    dense_flops: Floats  # of a token
    expert_bytes: Floats  # of one expert in every expert layer
    expert_flops: Floats  # of a token
    expert_width: Floats
    cache_ranks: Floats  # accelerators that share a request's cache
    cache_reads: Floats  # of each byte of it in a step: one, or one by each query head
    cache_bytes: Floats  # that one more token of context adds, all layers that see all of it
    cache_layers: Floats
    window_bytes: Floats  # that one more token adds to windowed layers
    window: Floats
    state_bytes: Floats
    sparse_bytes: Floats  # of cache_bytes, what is read of at most index_topk tokens only
    index_topk: Floats
    span_flops: Floats  # of a token for each token of context it sees, layers that see all of it
    absorbed_flops: Floats  # the same in decode
    window_flops: Floats

    @property
    def ranks(self) -> Floats:
        """Accelerators of a stage."""
        return self.tp * self.dp

    @property
    def accelerators(self) -> Floats:
        """Accelerators of a replica."""
        return self.ranks * self.pp

    def read_bytes(self, context: Floats) -> Floats:
        """Bytes of cache that one token in decode reads behind a context of so many tokens."""
        seen = np.where(self.index_topk > 0, np.minimum(context, np.maximum(self.index_topk, 1)), context)
        whole = (self.cache_bytes - self.sparse_bytes) * context + self.sparse_bytes * seen
        return self.cache_reads * (whole + self.window_bytes * np.minimum(context, self.window)) + self.state_bytes

    def kept_bytes(self, context: Floats) -> Floats:
        """Bytes of cache that a request of so many tokens holds."""
        return self.cache_bytes * context + self.window_bytes * np.minimum(context, self.window) + self.state_bytes

    def prompt_flops(self, tokens: Floats) -> Floats:
        """Operations of attention of one prompt: each token sees those before it."""
        within = np.minimum(tokens, self.window)
        seen = np.where(self.index_topk > 0, np.minimum(tokens / 2, self.index_topk), tokens / 2)
        windowed = within * within / 2 + (tokens - within) * self.window
        return self.span_flops * tokens * seen + self.window_flops * windowed

    def taken(self, index: Any) -> "Demands":
        """Those of an index into the rows."""
        return Demands(**{field.name: getattr(self, field.name)[index] for field in fields(self)})


def demands(
    model: Model, accelerator: Accelerator, layout: Layout, weights: str = "bf16", cache: str = "bf16",
    by_head: bool = False,
) -> Demands:  # fmt: skip
    """What a model in a precision of `weights`, its cache in one of `cache`, asks of an accelerator; arrays of one.
    `by_head`: kernels read the cache once for every query head.

    ConfigError where the accelerator's row has no memory, bandwidth or 16-bit rate. Weights in a format that the
    accelerator does not multiply are expanded and run at its 16-bit rate.

    >>> from fabric.workloads.models.zoo import model
    >>> from topologies.parts import part
    >>> d = demands(model("llama-3.1-70b"), part("h100-sxm", Accelerator), Layout(tp=8), "fp8", "fp8")
    >>> round(float(d.dense_bytes[0]) / 1e9, 1), float(d.cache_bytes[0]), float(d.cache_ranks[0])
    (70.6, 163840.0, 8.0)
    """
    layout.checked(model)
    half = _rate(accelerator, "bf16")
    form, cache_bytes = precision(weights), precision(cache).weight_bytes
    peak = getattr(accelerator, form.peak, None) or half
    dense, held = _dense_bytes(model, weights)
    values = model.kv_values
    sparse = model.index_topk and model.full_layers * values * cache_bytes
    index = model.full_layers * model.index_dim * precision("fp8").weight_bytes if model.index_topk else 0.0
    query = 2.0 * model.heads * (model.head_width + model.value_width)
    absorbed = 2.0 * model.heads * (2 * model.kv_lora + model.rope_dim) if model.kv_lora else query
    moe = model.moe_layers
    row = {
        "memory_bytes": _of(accelerator, "memory_gb") * 1e9,
        "memory_bytes_per_s": _of(accelerator, "memory_bandwidth_tb_per_s") * 1e12,
        "peak_flops": peak * 1e12, "attention_flops": half * 1e12,
        "scores_flops": (getattr(accelerator, precision(cache).peak, None) or half) * 1e12,
        "tp": layout.tp, "pp": layout.pp, "ep": layout.ep, "dp": layout.dp,
        "layers": model.layers, "expert_layers": moe, "latent_layers": model.layers if model.kv_lora else 0,
        "hidden": model.hidden, "heads": model.heads, "experts": model.experts or 1, "topk": model.topk or 1,
        "dense_bytes": dense, "held_bytes": held,
        "dense_flops": 2.0 * (model.multiplied_params - moe * model.topk * model.expert_params),
        "expert_bytes": moe * model.expert_params * form.weight_bytes,
        "expert_flops": 2.0 * moe * model.topk * model.expert_params,
        "expert_width": model.expert_ffn or 1,
        "cache_ranks": _cache_ranks(model, layout, cores_of(accelerator.name)),
        "cache_reads": model.heads / model.key_heads if by_head and not model.kv_lora else 1.0,
        "cache_bytes": model.kv_bytes_per_token(cache) + index, "cache_layers": model.attending_layers,
        "window_bytes": model.window_layers * values * cache_bytes, "window": model.window or 1,
        "state_bytes": model.kv_bytes(0), "sparse_bytes": sparse, "index_topk": model.index_topk,
        "span_flops": query * model.full_layers, "absorbed_flops": absorbed * model.full_layers,
        "window_flops": query * model.window_layers,
    }  # fmt: skip
    return Demands(**{name: np.array([value], float) for name, value in row.items()})


def stacked(each: Sequence[Demands]) -> Demands:
    """Many as one, in their order."""
    return Demands(**{f.name: np.concatenate([getattr(d, f.name) for d in each]) for f in fields(Demands)})


def _cache_ranks(model: Model, layout: Layout, cores: int) -> float:
    """By what the bytes of a request's cache are divided: every core holds whole heads, one at least; latent ones are
    not divided."""
    if model.kv_lora:
        return 1.0
    heads = -(-model.key_heads // (layout.tp * cores))
    return model.key_heads / (heads * cores)


def _dense_bytes(model: Model, weights: str) -> tuple[float, float]:
    """Bytes of weights outside routed experts: those read in each step, and those held."""
    form, half = precision(weights).weight_bytes, precision("bf16").weight_bytes
    if form >= half:
        held = model.dense_params * form
    else:
        kept = model.head_params * (1 if model.tied else 2) + model.positions * model.hidden
        if _kept(model, weights):
            kept += model.attending_layers * model.attention_params
        held = (model.dense_params - kept) * form + kept * half
    table = 0 if model.tied else model.embedding_params
    return held - table * half if form < half else held - table * form, held


def _kept(model: Model, weights: str) -> bool:
    """Does the checkpoint in this format keep attention in 16 bits?"""
    rows = _checkpoints()["attention_kept"]
    return any(weights in row["precisions"] and fnmatchcase(model.name, row["models"]) for row in rows)


@lru_cache(maxsize=1)
def _checkpoints() -> dict[str, Any]:
    return read_toml(_CHECKPOINTS, "what checkpoints keep in 16 bits")


def _rate(accelerator: Accelerator, name: str) -> float:
    found = accelerator.bf16_tflops or accelerator.fp16_tflops
    if found is None:
        raise ConfigError(f"accelerator '{accelerator.name}' has no {precision(name).peak}; give --parts with it")
    return found


def _of(accelerator: Accelerator, field: str) -> float:
    value = getattr(accelerator, field)
    if value is None:
        raise ConfigError(f"accelerator '{accelerator.name}' has no {field}; give --parts with it")
    return float(value)
