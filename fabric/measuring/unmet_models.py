"""A stand-in for a model of which a row tells only its size: the nearest that is known, with more or fewer layers."""

import re
from dataclasses import replace
from math import log

from fabric.workloads.models.model import Model
from fabric.workloads.models.zoo import model, models
from topologies.errors import ConfigError

_SIZE = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)([bt])(?![a-z0-9])")
_ACTIVE = re.compile(r"(?<![a-z0-9.])a(\d+(?:\.\d+)?)b(?![a-z0-9])")
_BILLIONS = {"b": 1.0, "t": 1000.0}
_FARTHEST = 1.5  # times that the nearest model may be larger or smaller


def met_model(name: str) -> tuple[Model, str | None]:
    """The model of a row's name; or a stand-in by the size that the name tells, and what stands in for it.

    ConfigError where the name is not known and tells no size, or one that no known model comes near.

    >>> found, said = met_model("Nobody/Foo-33B-Instruct")
    >>> round(found.params / 1e9), said is not None
    (33, True)
    """
    try:
        return model(name), None
    except ConfigError:
        size = _size(name)
        if size is None:
            raise
        near = min(_modern(), key=lambda m: _apart(m, *size))
        if _apart(near, *size) > log(_FARTHEST):
            raise
    ratio = size[0] * 1e9 / near.params
    found = _with_layers(near, ratio)
    return found, f"nothing but its size is known of '{name:.60}': {near.title} with {found.layers} layers stands in"


def _size(name: str) -> tuple[float, float] | None:
    """Billions of parameters, all and active, that a name tells; of 8x7B nearly all of eight sevens, and of two."""
    words = name.lower()
    sizes = [(float(n or 1), float(value) * _BILLIONS[unit]) for n, value, unit in _SIZE.findall(words)]
    if not sizes:
        return None
    copies, each = max(sizes, key=lambda pair: pair[0] * pair[1])
    active = _ACTIVE.search(words)
    if copies > 1:
        return 0.83 * copies * each, 0.92 * 2 * each  # as Mixtral 8x7B and 8x22B: attention is there once
    return each, float(active.group(1)) if active else each


def _modern() -> list[Model]:
    return [m for m in models().values() if m.gated and m.linear_layers == 0]


def _apart(m: Model, params: float, active: float) -> float:
    """How far a model lies from a size: the larger of two ratios' logarithms."""
    return max(abs(log(m.params / 1e9 / params)), abs(log(m.active_params / 1e9 / active)))


def _with_layers(m: Model, ratio: float) -> Model:
    """The model with so many times its layers, of each kind."""
    layers = max(1, round(m.layers * ratio))
    experts, windows = (round(count * layers / m.layers) for count in (m.moe_layers, m.window_layers))
    return replace(m, layers=layers, moe_layers=experts, window_layers=windows)
