"""Availability of a slice of a pod that takes a spare cube for one that fails, by what is counted as outage."""

from fabric.failures.components import components
from fabric.failures.rates import hard_failures, total
from fabric.failures.recovery import IN_CUBES, circuits_moved, step
from fabric.failures.slices import pod_of
from topologies.errors import ConfigError, unknown
from topologies.graph import Topology

BOUNDARIES = {  # what an outage holds
    "circuits": "until the spare cube's circuits carry light and routes",
    "qualified": "and its new links are checked",
    "restart": "and the job is back at its last checkpoint",
}
DAY_MIN = 1440.0


def slice_availability(topology: Topology, boundary: str = "restart") -> float:
    """The share of the time in which a slice has all its accelerators: one over one and the failures of accelerators
    and hosts times the outage of each, spares never running out. ConfigError for a fabric that has no cubes.

    >>> from topologies.registry import build
    >>> round(slice_availability(build("tpu-v4-512"), "circuits"), 5)
    0.99999
    """
    if boundary not in BOUNDARIES:
        raise ConfigError(unknown("boundary", boundary, BOUNDARIES))
    pod = pod_of(topology)
    if pod is None or topology.circuits is None:
        raise ConfigError(f"{topology.name} is no slice of cubes that circuits join; take tpu-v4-4096 or its like")
    each = len(topology.circuits.strands) / topology.circuits.devices / len(set(topology.circuits.blocks))
    outage = circuits_moved(topology, round(each), qualified=boundary != "circuits")
    assert outage is not None
    if boundary == "restart":
        outage = outage.plus(step("restart", topology.catalogue))
    failures = total(hard_failures(row, topology.catalogue) for row in components(topology) if row.kind in IN_CUBES)
    return 1 / (1 + failures.value * outage.minutes / DAY_MIN)
