"""Scale-up: the same accelerators in domains of another size, joined by the same scale-out network."""

from math import gcd
from typing import Any

from topologies.composition import compose
from topologies.errors import ConfigError, TopologyError
from topologies.families import family
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.registry import build, topology_of

SAID = (
    "domains: one layer of the SPEC's switch chips, two where a chip has too few ports, on its own scale-out; "
    "lengths and technologies of a floor; accelerators that do not fill a domain are left out"
)
_RAILED = ("rail", "nvl")
_FLOOR = ("servers", "rails", "length_m", "latency_ns", "technology", "cable")  # the composition finds them


def with_domain(spec: str, size: int, parts: Catalogue) -> Topology:
    """A rail or nvl fabric with as many whole domains of `size` accelerators as its accelerators fill.

    ConfigError for other families, and where there are too few accelerators; TopologyError as the builders do.

    >>> from topologies.parts import catalogue
    >>> made = with_domain("rail:servers=8,gpus=8", 16, catalogue())
    >>> len(made.accelerators), {len(ranks) for ranks in made.domains}
    (64, {16})
    """
    base = topology_of(spec, parts=parts)
    if base.family not in _RAILED:
        raise ConfigError(
            f"--vary domain builds rail and nvl fabrics, {base.name} is of {base.family}; give e.g. nvl72-x8"
        )
    count = len(base.accelerators) // size
    if count < 1:
        raise ConfigError(f"a domain of {size:,} exceeds the {len(base.accelerators):,} accelerators of {base.name}")
    unit = _unit(base, size, parts)
    if count == 1:
        return build(_worded(unit), parts)
    racks: dict[str, Any] = {"unit": "nvl", "parameters": unit, "count": count}
    if base.family == "rail":
        racks["nic"] = base.parameters["nic"]
    document = {"racks": [racks], "scale_out": {"family": "rail", "parameters": _network(base, size)}}
    return compose(document, f"{base.name} in domains of {size:,}", parts, build)


def _unit(base: Topology, size: int, parts: Catalogue) -> dict[str, str | int]:
    """Parameters of one domain: the accelerator and switch chip of the fabric, and layers enough."""
    chip = base.parameters["switch" if base.family == "nvl" else "scaleup_switch"]
    if chip is None:
        raise ConfigError(f"{base.name} has no switch chips inside its domains; give a scaleup_switch")
    unit: dict[str, str | int] = {"gpus": size, "accelerator": base.parameters["accelerator"], "switch": chip}
    unit["technology"] = "auto"
    try:
        build(_worded(unit), parts)
    except TopologyError:
        unit["layers"] = 2
    return unit


def _network(base: Topology, size: int) -> dict[str, Any]:
    """Parameters of the scale-out: those of the fabric where it has one, but for what follows from racks and floor."""
    if base.family == "nvl":
        return {"rails": gcd(size, int(base.parameters["gpus_per_tray"]))}
    rail, own = family("rail"), base.parameters
    kept = {
        key: value for key, value in own.items()
        if value != rail.parameters[key].default and rail.parameters[key].bundle != "server" and key not in _FLOOR
    }  # fmt: skip
    return {**kept, "rails": gcd(size, own["rails"] or own["gpus"])}


def _worded(unit: dict[str, str | int]) -> str:
    return "nvl:" + ",".join(f"{key}={value}" for key, value in unit.items())
