"""Fibre between sites: what it carries, and how long light and a packet are under way."""

from typing import Any

from topologies.cabling import LONG_HAUL
from topologies.graph import Topology
from topologies.parts import Optic


def spans(topology: Topology) -> list[dict[str, Any]]:
    """Links of coherent optics by the two sites that they join; a round trip in the fibre alone, and with both PHYs,
    FEC and modules at either end of it.

    >>> from topologies.registry import build
    >>> spans(build("ring:n=3"))
    []
    """
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    far = any(edge["technology"] == LONG_HAUL for edge in topology.edge_kinds[0])
    for a, b, edge in topology.edges if far else ():
        row = topology.catalogue.get(edge["cable"])
        if edge["technology"] != LONG_HAUL or not isinstance(row, Optic):
            continue
        ends = (_site(a), _site(b))
        span = found.setdefault(
            (*ends, row.name, str(edge["length_m"])),
            {
                "from": ends[0], "to": ends[1], "distance_km": edge["length_m"] / 1e3, "optic": row.name, "channels": 0,
                "gb_per_s": 0.0, "fibre_round_trip_us": round(2e-3 * edge["length_m"] * row.propagation_ns_per_m, 6),
                "round_trip_us": round(2e-3 * edge["latency_ns"], 6),
            },
        )  # fmt: skip
        span["channels"] += int(edge["count"])
        span["gb_per_s"] += edge["rate_gbps"] * edge["count"] / 8
    return list(found.values())


def _site(label: object) -> str:
    return str(label).partition("/")[0]
