"""Questions about models and their steps that published figures answer: of a compute table of `fabric.validation`."""

from collections.abc import Mapping, Sequence
from typing import Any

from fabric.planning.worth import plan_phases
from fabric.workloads.models.zoo import model
from fabric.workloads.serving.decode_bound import decode_bound
from fabric.workloads.training import train
from topologies.errors import ConfigError, unknown
from topologies.graph import Topology

MODEL_QUESTIONS = ("shape", "decode_bound")
STEP_QUESTIONS = ("train",)
_SHAPES = ("params", "active_params", "multiplied_params", "kv_bytes_per_token")
_BOUND = ("figure", "tokens", "link_gb_per_s", "hidden")
_STEP = ("figure", "model", "parallel")


def model_answer(table: Mapping[str, Any]) -> float:
    """The number that a table with one of `MODEL_QUESTIONS` asks for; ConfigError where it cannot be read.

    `shape` is one of a model's own, its cache in bf16. `decode_bound` is what a network alone allows a decode with
    spread experts: `tokens` of a device in each of two micro-batches, to all experts of a token, the shared one among
    them, over links of `link_gb_per_s`; `hidden` in place of the model's width, where the source rounds it.

    >>> model_answer({"model": "deepseek-v3", "shape": "kv_bytes_per_token"})
    70272.0
    >>> asked = {"figure": "layer_s", "tokens": 32, "link_gb_per_s": 50, "hidden": 7000}
    >>> round(model_answer({"model": "deepseek-v3", "decode_bound": asked}) * 1e6, 2)
    120.96
    """
    shape = model(table["model"])
    if "shape" in table:
        if table["shape"] not in _SHAPES:
            raise ConfigError(unknown("shape", table["shape"], _SHAPES))
        value = getattr(shape, table["shape"])
        return float(value() if callable(value) else value)
    asked = _asked(table["decode_bound"], "decode_bound", _BOUND, _BOUND[:-1])
    copies = shape.topk + (1 if shape.shared_ffn else 0)
    link = float(asked["link_gb_per_s"]) * 1e9
    found = decode_bound(shape.layers, int(asked.get("hidden", shape.hidden)), copies, int(asked["tokens"]), link)
    return _figure(found, asked["figure"], ("layer_s", "step_s", "tokens_per_s"))


def step_answer(topology: Topology, table: Mapping[str, Any]) -> float:
    """The number that a table with one of `STEP_QUESTIONS` asks for: of a training step of a model in a layout. With
    `delay_ms` circuits switch between its phases, among the states that the fabric's family has for the layout.

    >>> from topologies.registry import build
    >>> layout = "tp=8,batch=4,mbs=4,seq=2048,zero=0,fused=false,precision=fp16,recompute=selective"
    >>> asked = {"figure": "step_s", "model": "megatron-22b", "parallel": layout}
    >>> 1.0 < step_answer(build("hgx-a100"), {"train": asked}) < 1.2  # 1.10 s published
    True
    """
    asked = _asked(table["train"], "train", (*_STEP, "delay_ms"), _STEP)
    if "delay_ms" in asked:
        delay_s = float(asked["delay_ms"]) / 1e3
        found = plan_phases([table["topology"]], asked["model"], asked["parallel"], topology.catalogue, delay_s)
        return _figure(found, asked["figure"], ("step_s",))
    step = train(topology, asked["model"], asked["parallel"])
    return _figure(step, asked["figure"], ("step_s", "mfu", "tokens_per_s", "tokens_per_s_per_accelerator"))


def _asked(given: Mapping[str, Any], name: str, takes: Sequence[str], needs: Sequence[str]) -> Mapping[str, Any]:
    wrong = next((key for key in given if key not in takes), None)
    if wrong is not None:
        raise ConfigError(unknown(f"key of {name}", wrong, takes))
    lost = next((key for key in needs if key not in given), None)
    if lost is not None:
        raise ConfigError(f"{name} has no {lost}; give {', '.join(needs)}")
    return given


def _figure(found: object, name: str, known: Sequence[str]) -> float:
    if name not in known:
        raise ConfigError(unknown("figure", name, known))
    return float(getattr(found, name))
