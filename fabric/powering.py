"""Network power: external and in the accelerators, from the bill of materials."""

from dataclasses import dataclass

from topologies.bill import BillRow, network_rows
from topologies.graph import Topology, once
from topologies.links import HOST_TECHNOLOGIES
from topologies.parts import Accelerator, Cable, CircuitSwitch, Component, Nic, Optic, Part, Switch


@dataclass(frozen=True, slots=True)
class Power:
    """Watts of a whole network, typical; `low_w` to `high_w` from the sources' ranges. None where a part gives none.

    `missing` names the parts without a figure, `estimates` those whose figure nobody publishes.
    """

    external_w: float | None
    in_accelerator_w: float | None
    low_w: float | None
    high_w: float | None
    missing: tuple[str, ...]
    estimates: tuple[str, ...]

    @property
    def total_w(self) -> float | None:
        """External and in-accelerator together."""
        if self.external_w is None or self.in_accelerator_w is None:
            return None
        return self.external_w + self.in_accelerator_w


def unit_power_w(part: Part) -> tuple[float, float, float] | None:
    """(typical, low, high) watts of one unit: both ends of a cable, one module, one switch; None where unknown.

    >>> from topologies.parts import part
    >>> unit_power_w(part("1600g-dr8"))
    (25.0, 25.0, 30.0)
    """
    if isinstance(part, Component):
        return (0.0, 0.0, 0.0) if part.power_typical_w is None else _ranged(part, "power_typical_w", 1)
    if isinstance(part, Cable):
        return None if part.power_w_per_end is None else _ranged(part, "power_w_per_end", 2)
    if isinstance(part, Switch | Nic | Optic | CircuitSwitch) and part.power_typical_w is not None:
        return _ranged(part, "power_typical_w", 1)
    return None


def row_power_w(row: BillRow) -> tuple[float, float, float] | None:
    """(typical, low, high) watts of one row of the bill; a switch without watts of its own is its base and its ports.

    >>> from topologies.parts import part
    >>> round(row_power_w(BillRow(part("jocn-switch"), 2, 32))[0], 3)  # 2 x 65.343 + 32 x 3.5018
    242.744
    """
    unit = unit_power_w(row.part)
    if unit is not None:
        return unit[0] * row.quantity, unit[1] * row.quantity, unit[2] * row.quantity
    part = row.part
    if isinstance(part, Switch) and part.power_w_per_port is not None and row.ports:
        watts = (part.power_base_w or 0.0) * row.quantity + part.power_w_per_port * row.ports
        return watts, watts, watts
    return None


def _ranged(part: Part, key: str, factor: int) -> tuple[float, float, float]:
    value = float(getattr(part, key))
    low, high = part.ranges.get(key, (value, value))
    return value * factor, low * factor, high * factor


def power_key(part: Part) -> str:
    """The nameplate field that a part's power comes from."""
    return "power_w_per_end" if isinstance(part, Cable) else "power_typical_w"


@once
def network_power(topology: Topology) -> Power:
    """Typical power of the fabric: switches, adapters, cable ends, modules, circuit switches, and the SerDes of the
    accelerators' own links (one-way rate x pJ/bit of an end; a link through an adapter is the adapter's).

    >>> from topologies.registry import build
    >>> round(network_power(build("nvl72")).in_accelerator_w)
    2592
    """
    rows = network_rows(topology)
    watts = [(row, row_power_w(row)) for row in rows]
    inside, guesses, unknown = _in_accelerator(topology)
    missing = [row.part.name for row, known in watts if known is None] + unknown
    ideal = [
        n
        for n, d in topology.graph.nodes(data=True)
        if d["kind"] == "switch" and not d.get("part") and not d.get("parts")
    ]
    if ideal:
        missing.append(f"{len(ideal)} switches without a part (switch= names one)")
    external, low, high = (sum(known[i] for _, known in watts if known is not None) for i in range(3))
    estimates = [row.part.name for row in rows if power_key(row.part) in row.part.estimates] + guesses
    whole = not missing
    return Power(
        external_w=external if whole or set(missing) == set(unknown) else None,
        in_accelerator_w=inside[0] if not unknown else None,
        low_w=low + inside[1] if whole else None,
        high_w=high + inside[2] if whole else None,
        missing=tuple(missing),
        estimates=tuple(dict.fromkeys(estimates)),
    )


def _in_accelerator(topology: Topology) -> tuple[tuple[float, float, float], list[str], list[str]]:
    """(typical, low, high) watts, the parts whose energy is an estimate, the parts that give none."""
    gbps: dict[tuple[str | None, str], float] = {}
    nodes = dict(topology.graph.nodes(data=True))
    for a, b, edge in topology.edges:
        if edge.get("nic") is not None or edge.get("layer") in topology.left_out:
            continue
        if edge["technology"] in HOST_TECHNOLOGIES:
            continue
        for end in (a, b):
            if nodes[end]["kind"] == "accelerator":
                key = (nodes[end].get("part"), edge["cable"])
                gbps[key] = gbps.get(key, 0.0) + edge["rate_gbps"] * edge["count"]
    total = [0.0, 0.0, 0.0]
    estimates: list[str] = []
    unknown: list[str] = []
    for (name, cable), rate in sorted(gbps.items(), key=str):
        part, field = _serdes(topology, name, cable)
        if part is None:
            unknown.append(f"SerDes of {name or 'an accelerator without a part'}")
            continue
        for i, energy in enumerate(_ranged(part, field, 1)):
            total[i] += rate * energy * 1e-3  # Gb/s x pJ/bit = mW
        if field in part.estimates:
            estimates.append(f"{part.name} SerDes energy")
    return (total[0], total[1], total[2]), estimates, unknown


def _serdes(topology: Topology, accelerator: str | None, cable: str) -> tuple[Part | None, str]:
    """The row that says what an accelerator's end of a link costs: a co-packaged engine's, else its own."""
    optic = topology.catalogue.get(cable)
    if isinstance(optic, Optic) and optic.host_serdes_pj_per_bit is not None:
        return optic, "host_serdes_pj_per_bit"
    row = topology.catalogue.get(accelerator) if accelerator is not None else None
    known = isinstance(row, Accelerator) and row.serdes_pj_per_bit is not None
    return (row if known else None), "serdes_pj_per_bit"


def power_of(row: BillRow) -> float | None:
    """Typical watts of one row of the bill."""
    watts = row_power_w(row)
    return None if watts is None else watts[0]
