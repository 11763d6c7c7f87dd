"""Recovery: the way back after a failure, in minutes, from the catalogue's steps and the speed of circuit switches."""

from dataclasses import dataclass

from fabric.planning.operations import layer_operations
from fabric.powering.nameplates import ranged
from topologies.circuits import CircuitLayer
from topologies.errors import ConfigError
from topologies.failure_kinds import Recovery
from topologies.graph import Topology
from topologies.optical_kinds import CircuitOperation
from topologies.parts import Catalogue

MINUTE_S = 60.0
IN_CUBES = ("block", "accelerator", "host")  # what a spare cube stands in for


@dataclass(frozen=True, slots=True)
class Way:
    """What is done, and minutes until a job is back (`minutes`, within `low` and `high`); `estimates` say what stands
    on guesses."""

    action: str
    minutes: float
    low: float
    high: float
    estimates: tuple[str, ...]
    source: str

    def plus(self, other: "Way") -> "Way":
        """One after the other."""
        return Way(
            f"{self.action}, {other.action}", self.minutes + other.minutes, self.low + other.low,
            self.high + other.high, tuple(dict.fromkeys([*self.estimates, *other.estimates])),
            f"{self.source}; {other.source}",
        )  # fmt: skip


def step(name: str, parts: Catalogue) -> Way:
    """One step of the catalogue: checkpoint, restart, reroute, flap, replace; ConfigError where it has none.

    >>> from topologies.parts import catalogue
    >>> step("restart", catalogue()).minutes
    5.0
    """
    row = next((row for row in parts.of_kind(Recovery) if row.step == name), None)
    if row is None:
        raise ConfigError(f"the catalogue has no recovery with step = '{name}'; add one with --parts FILE")
    value, low, high = ranged(row, "minutes")
    why = row.estimates.get("minutes")
    return Way(name, value, low, high, () if why is None else (f"minutes of {row.name}: {why}",), row.source)


def circuits_moved(topology: Topology, circuits: int, *, qualified: bool = False) -> Way | None:
    """New circuits for a spare cube, so many on the busiest device: commands, optics, light, link and routes, and with
    `qualified` the check of the new links; None without circuit switches."""
    layer = topology.circuits
    if layer is None:
        return None
    own = layer_operations(layer, topology.catalogue)[0]
    steps = ("command", "settle", "relock", "link-up", "routing", *(("qualify",) if qualified else ()))
    seconds = own.delay_s(circuits, steps)
    low, high = (sum(getattr(own.steps[one], f"{end}_s") for one in steps) for end in ("low", "high"))
    guesses = tuple(line for line in own.said() if line.split()[0] in steps)
    return Way("ocs-swap", seconds / MINUTE_S, min(low, seconds) / MINUTE_S, max(high, seconds) / MINUTE_S, guesses,
               own.switch)  # fmt: skip


def way_back(topology: Topology, kind: str, cut: bool) -> Way:
    """How a job comes back after a component of a kind has failed, `cut` if that took accelerators from it."""
    parts = topology.catalogue
    if not cut:
        return step("reroute", parts)
    swap = circuits_moved(topology, 2) if kind in IN_CUBES and _reconfigurable(topology) else None
    return step("restart", parts) if swap is None else swap.plus(step("restart", parts))


def repair(topology: Topology, kind: str) -> Way:
    """How what failed is made good: a fibre on a spare port of its circuit switch where there is one, else hands that
    replace the part."""
    layer, parts = topology.circuits, topology.catalogue
    if kind != "ocs-port" or layer is None or not spare_ports(layer):
        return step("replace", parts)
    row = parts.part("link-repair", CircuitOperation)
    value, low, high = ranged(row, "time_ms", 1e-3 / MINUTE_S)
    return Way("spare port", value, low, high, (f"minutes of {row.name}: {row.estimates['time_ms']}",), row.source)


def spare_ports(layer: CircuitLayer) -> int:
    """Ports of a circuit switch that no strand reaches, both sides together, on the fullest one; other slices of
    the pod count as if they took as many strands each.

    >>> from topologies.registry import build
    >>> spare_ports(build("tpu-v4-512").circuits), spare_ports(build("tpu-v4-4096").circuits)
    (144, 144)
    """
    ports = layer.ports_per_side * (layer.last_side + 1)
    return max(0, round(float((ports - layer.strands_per_device / layer.share).min())))


def _reconfigurable(topology: Topology) -> bool:
    """Can a spare block take the place of one of the fabric?"""
    from fabric.failures.slices import pod_of

    pod = pod_of(topology)
    return pod is not None and pod.cubes * pod.accelerators > len(topology.accelerators)
