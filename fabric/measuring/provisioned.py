"""Tokens a second of a provisioned megawatt, within the boundary that their publisher draws."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from fabric.measuring.inference_rows import InferenceRow, rules
from fabric.measuring.inference_setups import accelerator_of_row, weights_of_row
from fabric.measuring.inference_steps import ENERGY, compared
from fabric.measuring.steps import ComparedStep
from fabric.powering import site_power
from fabric.workloads.inference import Point, infer
from fabric.workloads.models.model import Model
from fabric.workloads.models.zoo import model
from fabric.workloads.serving.layout import read_layout
from topologies.errors import ConfigError, FabricError
from topologies.graph import Topology
from topologies.kinds import Rack
from topologies.registry import build


@dataclass(frozen=True, slots=True)
class Sweep:
    """What was run of a model on an accelerator: stacks, layouts, loads of one replica up to a most, replicas that
    prefill only; a point counts where it gives each user a speed."""

    speed: float
    stacks: tuple[str, ...]
    layouts: tuple[str, ...]
    most: float
    prefill: tuple[int, ...]


def compare_provisioned(row: InferenceRow) -> ComparedStep:
    """A row of tokens a joule of provisioned facility power: the best that a sweep finds, with the tokens of prompts,
    which the publisher counts. ConfigError where the row gives no lengths, or no sweep is known."""
    machine, rule, shape = accelerator_of_row(row), rules()["provisioned"], model(row.model)
    spec, sweep = rule["specs"].get(machine.name), sweep_of(shape, machine.name)
    if spec is None or sweep is None or row.input_tokens is None or row.output_tokens is None:
        raise ConfigError("the row gives no lengths, or no speed of a user that its rate is at")
    weights = weights_of_row(row, machine, shape, [])
    topology = build(spec)
    points = _points(topology, shape, sweep, weights, (row.input_tokens, row.output_tokens))
    best = max((point.tokens_per_j_rack or 0.0 for point in points), default=0.0)
    if not best:
        raise ConfigError(f"no layout in {spec} gives a user {sweep.speed:g} tokens/s")
    pue = _pue(topology)
    said = (f"at {sweep.speed:g} tokens/s a user: {rule['source']}", f"facility power: racks' maximum x PUE {pue:g}")
    both = (row.input_tokens + row.output_tokens) / row.output_tokens
    return compared(row, f"{ENERGY}, provisioned", best * both / pue, spec, "auto", said)


def sweep_of(shape: Model, accelerator: str) -> Sweep | None:
    """The published sweep of a model on an accelerator; None where there is none.

    >>> found = sweep_of(model("gpt-oss-120b"), "h100-sxm")
    >>> found.speed, found.stacks, found.most
    (90.0, ('vllm',), 64.0)
    """
    for entry in rules()["provisioned"]["sweeps"]:
        if fnmatchcase(shape.name, entry["models"]) and accelerator in entry["accelerators"]:
            layouts, prefill = tuple(entry["layouts"]), tuple(entry.get("prefill", (0,)))
            return Sweep(float(entry["speed"]), tuple(entry["stacks"]), layouts, float(entry["most"]), prefill)
    return None


def _pue(topology: Topology) -> float:
    """Facility power over that of racks: what cools them decides."""
    site = site_power(topology)
    rack = None if site.rack is None else topology.catalogue.part(site.rack, Rack)
    return float(rules()["provisioned"]["air_pue"]) if rack is not None and rack.cooling == "air" else site.pue


def _points(
    topology: Topology, shape: Model, sweep: Sweep, weights: str, tokens: tuple[float, float]
) -> Iterator[Point]:
    loads = [load for k in range(160) if (load := 2 ** (k / 10)) <= sweep.most]  # a speed is read off between loads
    each: list[tuple[Any, ...]] = [(s, text, p) for s in sweep.stacks for text in sweep.layouts for p in sweep.prefill]
    for stack, layout, prefill in each:
        try:
            found = infer(
                topology, shape, read_layout(layout), weights=weights, stack=stack, input_tokens=tokens[0],
                output_tokens=tokens[1], concurrency=loads, prefill_replicas=prefill,
            ).at_speed(sweep.speed)  # fmt: skip
        except FabricError:
            continue  # too small for the weights, or for replicas of both kinds
        if found is not None:
            yield found
