"""Constants of inference: what share of nameplate rates a serving stack reaches, and times that no roofline has."""

from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topologies.errors import ConfigError, unknown
from topologies.toml_documents import read_toml

Floats = NDArray[np.float64]

_FILE = Path(__file__).with_name("inference.toml")
DEFAULT_STACK = "vllm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Of one class of machine and stack, or of many: every field a number or float64[n]. Shares are of nameplate
    rates; `layer_s` and the like are launch and synchronisation, which a step pays whatever its batch."""

    memory_share: float | Floats
    expert_memory_share: float | Floats  # times memory_share
    compute_share: float | Floats
    cache_share: float | Floats
    sync_s: float | Floats  # of one all-reduce among eight, beside the fabric's own time
    layer_s: float | Floats
    expert_layer_s: float | Floats
    latent_layer_s: float | Floats
    step_s: float | Floats
    request_s: float | Floats
    imbalance: float | Floats  # of experts spread over accelerators, at few tokens
    prefill_share: float | Floats
    expert_prefill_share: float | Floats  # times prefill_share
    attention_share: float | Floats
    ramp_tokens: float | Floats  # that reach half of the share, at 1 PFLOP/s
    half_columns: float | Floats  # of a shard of a dense matrix, which reaches half of what a wide one does
    half_expert_columns: float | Floats  # of an expert's shard, at 1 PFLOP/s
    prefill_layer_s: float | Floats
    prefill_expert_layer_s: float | Floats
    first_token_s: float | Floats
    static_first_share: float | Floats  # of it, where requests start together
    prompt_s: float | Floats  # of a further prompt that is prefilled among running requests
    interleave: float | Floats  # share of others' prefill that a token waits for
    lockstep: float | Floats  # the same where all requests have the same lengths
    collide: float | Floats  # share of others' prefill that a first token waits for
    lockstep_collide: float | Floats


FIELDS = tuple(field.name for field in fields(Calibration))


def calibration(generation: str, stack: str = DEFAULT_STACK, weights: str = "bf16") -> Calibration:
    """Constants of an accelerator's generation, a serving stack and a precision of weights: factors of each class on
    values that hold for all. ConfigError for a stack that is not known; a generation that is not has no factors.

    >>> calibration("blackwell").layer_s < calibration("ampere").layer_s
    True
    """
    rows = constants()
    if stack not in rows["stacks"]:
        raise ConfigError(unknown("serving stack", stack, rows["stacks"]))
    fitted = rows["stacks"][fitted_stack(stack)]
    classes = (fitted, rows["generations"].get(generation, {}), rows["precisions"][width(weights)])
    found = {}
    for name in FIELDS:
        value = float(rows["all"][name])
        for factors in classes:
            value *= factors.get(name, 1.0)
        found[name] = value
    return Calibration(**found)


def generation_of(accelerator: str) -> str:
    """The class of an accelerator of the catalogue; itself where it has none.

    >>> generation_of("h200-sxm"), generation_of("rubin-r200")
    ('hopper', 'blackwell')
    """
    for name, row in constants()["generations"].items():
        if accelerator in row["accelerators"]:
            return str(name)
    return accelerator


def width(weights: str) -> str:
    """The class of a precision: 16-bit, 8-bit or 4-bit."""
    for name, row in constants()["precisions"].items():
        if weights in row["formats"]:
            return str(name)
    known = [name for row in constants()["precisions"].values() for name in row["formats"]]
    raise ConfigError(unknown("precision of weights", weights, known))


def fitted_stack(stack: str) -> str:
    """The stack whose constants another one has: itself, but for one that differs in what its kernels do only."""
    return str(constants()["stacks"][stack].get("like", stack))


def reads_by_head(stack: str) -> bool:
    """Do its kernels read the cache once for every query head, where several heads share keys?"""
    return bool(constants()["stacks"][stack].get("reads_by_head", False))


def own_reductions(stack: str) -> bool:
    """Does it reduce within a scale-up domain with kernels of its own, in place of a collective library's?"""
    return bool(constants()["stacks"][stack].get("own_reductions", False))


def usable_share() -> float:
    """What weights and caches may fill of an accelerator's memory."""
    return float(constants()["memory"]["usable"])


def cores_of(accelerator: str) -> int:
    """Cores of an accelerator, each of which holds a shard of its own.

    >>> cores_of("trainium1"), cores_of("b200-sxm")
    (2, 1)
    """
    return int(constants()["cores"].get(accelerator, 1))


def cache_format(stack: str, weights: str) -> str:
    """The precision in which a stack keeps its cache, for weights in another."""
    row = constants()["stacks"][stack]
    return str(row.get("cache", "bf16")) if width(weights) != "16-bit" else "bf16"


@lru_cache(maxsize=1)
def constants() -> dict[str, Any]:
    """The table."""
    return read_toml(_FILE, "constants of inference")
