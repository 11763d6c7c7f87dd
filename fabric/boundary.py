"""What of a network's bill is counted: all of it, or what is left without adapters, host ends or scale-up switches."""

from collections import Counter
from collections.abc import Collection

from topologies.bill import BillRow, host_ends, network_rows
from topologies.errors import ConfigError, unknown
from topologies.graph import Topology
from topologies.parts import Nic

EXCLUDABLE = ("nic", "host-ends", "scale-up", "serdes")


def excluded(names: Collection[str]) -> tuple[str, ...]:
    """Those names in order; ConfigError for one that there is not."""
    for name in names:
        if name not in EXCLUDABLE:
            raise ConfigError(unknown("share of a network to exclude", name, EXCLUDABLE))
    return tuple(name for name in EXCLUDABLE if name in names)


def rows_within(topology: Topology, exclude: Collection[str]) -> list[BillRow]:
    """Rows of the network's bill without adapters (`nic`), modules and cable ends at accelerators and adapters
    (`host-ends`), and switches of tier 0 (`scale-up`).

    >>> from topologies.registry import build
    >>> [(r.part.name, r.quantity) for r in rows_within(build("nvl72-pluggable"), ["host-ends", "scale-up"])]
    [('1600g-dr8', 324)]
    """
    names = excluded(exclude)
    less: Counter[str] = Counter()
    if "host-ends" in names:
        less += host_ends(topology)
    if "scale-up" in names:
        less += scale_up_parts(topology)
    rows = []
    for row in network_rows(topology):
        if "nic" in names and isinstance(row.part, Nic):
            continue
        left = row.quantity - less[row.part.name]
        if left > 1e-9:
            rows.append(BillRow(row.part, left, round(row.ports * left / row.quantity)))
    return rows


def scale_up_parts(topology: Topology) -> Counter[str]:
    """Switches of tier 0 by part: those inside the scale-up domains, which stand in the accelerators' racks.

    >>> from topologies.registry import build
    >>> scale_up_parts(build("nvl72"))
    Counter({'nvswitch4': 18})
    """
    counts: Counter[str] = Counter()
    for _, attributes in topology.graph.nodes(data=True):
        if attributes["kind"] != "switch" or attributes.get("tier", 1) != 0:
            continue
        if attributes.get("layer") in topology.left_out:
            continue
        if attributes.get("part") is not None:
            counts[attributes["part"]] += 1
        counts.update(attributes.get("parts", {}))
    return counts
