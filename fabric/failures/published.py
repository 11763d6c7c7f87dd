"""Questions about failures that published figures answer: of a compute table of `fabric.validation`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fabric.failures import fail
from fabric.failures.availability import slice_availability
from fabric.failures.damage import links_left
from fabric.failures.elements import parse, scenarios
from fabric.failures.slices import goodput, goodput_with_down, pod_of
from topologies.errors import ConfigError, unknown
from topologies.graph import Topology
from topologies.links import HOST_TECHNOLOGIES

FAILURE_QUESTIONS = ("goodput", "availability", "fail")
SAMPLES = 20
ONE = ("slice", "host_availability", "fixed", "cubes_down")


def failure_answer(topology: Topology, table: Mapping[str, Any]) -> float:
    """The number that a table with one of `FAILURE_QUESTIONS` asks for; ConfigError where it cannot be read.

    >>> from topologies.registry import build
    >>> failure_answer(build("tpu-v4-64"), {"goodput": {"slice": 3072, "cubes_down": 1}})
    0.75
    """
    if "goodput" in table:
        return _goodput(topology, table["goodput"])
    if "availability" in table:
        return slice_availability(topology, table["availability"])
    return _slower(topology, table["element"], table["fail"])


def _goodput(topology: Topology, asked: Mapping[str, Any]) -> float:
    wrong = next((key for key in asked if key not in ONE), None)
    if wrong is not None:
        raise ConfigError(unknown("key of goodput", wrong, ONE))
    pod, size = pod_of(topology), asked.get("slice")
    if pod is None or not isinstance(size, int):
        raise ConfigError(f"goodput needs slice = accelerators, and a pod of cubes; {topology.name} was given")
    if "cubes_down" in asked:
        return goodput_with_down(pod, size, int(asked["cubes_down"]))
    if not isinstance(asked.get("host_availability"), float):
        raise ConfigError("goodput needs host_availability, such as 0.999, or cubes_down")
    return goodput(pod, size, asked["host_availability"], reconfigurable=not asked.get("fixed", False))


def _slower(topology: Topology, element: str, measure: str) -> float:
    """How much longer an all-to-all takes, 1 / left - 1: in the mean or the worst of an element's places under the
    circuits that stand, or where these are rewired until a block's own links are what binds."""
    if measure == "rewired_slower_worst":
        return 1 / _blocks_left(topology, element) - 1
    known = {"all_to_all_slower_mean": "mean", "all_to_all_slower_worst": "worst"}
    if measure not in known:
        raise ConfigError(unknown("measure of fail", measure, (*known, "rewired_slower_worst")))
    asked = fail(topology, [element]).asked
    left = None if asked is None else asked.left("splits") or asked.left("cuts")
    if left is None:
        raise ConfigError(f"{topology.name}: {element} leaves no two accelerators")
    return 1 / float(getattr(left, known[measure])) - 1


def _blocks_left(topology: Topology, element: str) -> float:
    """The least share of a block's links out of it, those inside hosts apart, that an element leaves."""
    layer, csr = topology.circuits, topology.csr()
    if layer is None:
        raise ConfigError(f"{topology.name} has no circuits to rewire")
    block = np.full(len(topology.nodes), -1)
    names = {name: i for i, name in enumerate(dict.fromkeys(layer.blocks))}
    block[[topology.index[end] for end in layer.ends]] = [names[name] for name in layer.blocks]
    host = {topology.index[node] for edge in topology.edges if edge[2]["technology"] in HOST_TECHNOLOGIES
            for node in edge[:2]} - {topology.index[end] for end in layer.ends}  # fmt: skip
    tail, head = block[csr.tails], block[csr.heads]
    out = (tail >= 0) & (tail != head) & ~np.isin(csr.heads, list(host))
    before = np.bincount(tail[out], csr.capacity[out])
    losses, _, _ = scenarios([parse(topology, element)], SAMPLES, 0)
    shares = [links_left(topology, loss) / csr.links for loss in losses]
    return min(float((np.bincount(tail[out], (csr.capacity * share)[out]) / before).min()) for share in shares)
