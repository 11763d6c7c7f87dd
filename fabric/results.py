"""Result: one row of an answer, with the keys that every command prints."""

from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from topologies.graph import Topology, once

Wall = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One topology under one collective; None where no model answers yet. Times in microseconds, rates in GB/s, watts
    of the whole network, energies of one run of the collective. `accelerators` are those of one group, `ranks` those of
    all `groups` that run at once, `fabric_accelerators` those of the fabric."""

    topology: str
    accelerators: int
    groups: int = 1
    ranks: int
    placement: str = "packed"
    fabric_accelerators: int
    collective: str
    size_bytes: int
    algorithm: str
    overlap: str
    routing: str
    transport: str
    protocol: str | None = None  # of the transport, where it has several
    fidelity: str
    time_us: float
    time_low_us: float | None = None
    time_high_us: float | None = None
    latency_us: float | None
    algbw_gb_per_s: float
    busbw_gb_per_s: float
    bound_time_us: float | None = None
    bound_gap: float | None = None
    of_bound: float | None = None
    bound_why: str | None = None
    bottleneck: dict[str, Any] | None
    network_power_w: float | None
    network_power_external_w: float | None
    network_power_in_accelerator_w: float | None
    network_power_w_per_accelerator: float | None
    energy_j: float | None
    energy_pj_per_bit: float | None
    capex_usd: float | None
    priced_usd: float | None = None
    walls: dict[str, Wall | None]
    estimates: list[str] = field(default_factory=list)
    relays: str | None = None
    accelerator: str | None = None
    left_out: list[str] = field(default_factory=list)  # layers that watts and dollars do not count

    def row(self) -> dict[str, Any]:
        """The row as JSON has it."""
        return {name: getattr(self, name) for name in self.__slots__}


def provenance(parameters: dict[str, Any], catalogue_hash: str, seed: int | None = None) -> dict[str, Any]:
    """Where an answer comes from: version, parameters, catalogue hash, seed."""
    try:
        program = version("aifabric")
    except PackageNotFoundError:
        program = "unknown"
    return {"version": program, "parameters": parameters, "catalogue": catalogue_hash, "seed": seed}


@once
def accelerator_of(topology: Topology) -> str | None:
    """The catalogue name of a fabric's accelerators; None where they differ or have none."""
    names = {topology.graph.nodes[node].get("part") for node in topology.accelerators}
    return names.pop() if len(names) == 1 else None
