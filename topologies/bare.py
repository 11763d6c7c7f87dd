"""Bare links: what a graph that was not built here says of its links, and what they are taken to be beyond that."""

from collections.abc import Hashable, Mapping
from math import isfinite
from numbers import Real
from typing import Any

import networkx as nx

from topologies.errors import TopologyError
from topologies.links import LinkOptions
from topologies.parts import Catalogue

WAITS = ("wait_ns", "worst_wait_ns")  # for a slot of a time-shared link: the mean, and the longest


def assumed(graph: nx.Graph, rate_gbps: float | None) -> tuple[str, ...]:
    """Notes on what links do not say, with how many do not."""
    edges = [attributes for _, _, attributes in graph.edges(data=True)]
    lacking = {
        "1 m": sum("length_m" not in edge for edge in edges),
        "dac": sum("technology" not in edge and "cable" not in edge for edge in edges),
        "400 Gb/s": 0 if rate_gbps is not None else sum("rate_gbps" not in edge for edge in edges),
    }
    return tuple(f"default: {value} on {n:,} of {len(edges):,} edges" for value, n in lacking.items() if n)


def link_attributes(
    a: Hashable, b: Hashable, given: Mapping[str, Any], rate_gbps: float | None, parts: Catalogue
) -> dict[str, Any]:
    """What a link of the graph says, and what it is taken to be where it says nothing; TopologyError for what no link
    can be."""
    where = f"link {a} - {b}"
    rate = given.get("rate_gbps", rate_gbps if rate_gbps is not None else 400.0)
    count = given.get("count", 1)
    duty, length = given.get("duty", 1.0), given.get("length_m", 1.0)
    for key, value in (("rate_gbps", rate), ("count", count), ("duty", duty)):
        if not _is_number(value) or value <= 0:
            raise TopologyError(f"{where}: {key} = {value} is not a positive number")
    waits = [(key, given.get(key, 0.0)) for key in WAITS]
    for key, value in (("latency_ns", given.get("latency_ns", 0.0)), ("length_m", length), *waits):
        if not _is_number(value) or value < 0:
            raise TopologyError(f"{where}: {key} = {value} is not a number of zero or more")
    if duty > 1:
        raise TopologyError(f"{where}: duty = {duty} is a share of time; give at most 1")
    options = LinkOptions(
        rate_gbps=float(rate),
        latency_ns=given.get("latency_ns"),
        length_m=float(length),
        technology=given.get("technology", "dac"),
        cable=given.get("cable"),
    )
    return {**options.attributes(parts, count=count), **given, "rate_gbps": float(rate)}


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
