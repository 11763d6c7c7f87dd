"""What a real fabric does by itself: the routing that `auto` picks; and the names of routings with their arguments."""

from collections.abc import Mapping
from typing import Any

from topologies.errors import ConfigError
from topologies.graph import Topology, once
from topologies.parts import Switch

# By family, where the wiring decides: dragonflies and HyperX need detours under adversarial traffic and ship with
# UGAL-like adaptive routing (Cray Cascade and Slingshot; Ahn et al., SC 2009). No expander has been built at scale; as
# low-diameter graphs they take the same. Their papers' 8 shortest paths (Singla et al., NSDI 2012) are ksp:8. Rotor
# fabrics send over a pair's own link, and what that cannot carry through a random rack (RotorLB, SIGCOMM 2017).
# MixNet's servers choose among their adapters themselves, and fill them alike; a photonic rail has one path a pair.
# In servers as files describe them, PCIe counts for more hops than scale-up links: minimal knows, ecmp does not.
# Where accelerators forward, they spread over shortest paths, whatever the switches between them can do.
BY_FAMILY = {
    "nccl": "minimal",
    "nvidia-smi": "minimal",
    "infragraph": "minimal",
    "jupiter": "te",
    "ibnetdiscover": "adaptive",
    "dragonfly": "ugal",
    "dragonfly-plus": "ugal",
    "hyperx": "ugal",
    "slim-fly": "ugal",
    "polarfly": "ugal",
    "jellyfish": "ugal",
    "xpander": "ugal",
    "rotor": "ugal",
    "mixnet": "ecmp",
    "photonic-rail": "ecmp",
    "hammingmesh": "ecmp",
    "bcube": "ecmp",
    "dcell": "ecmp",
}
# By what the switches of all other fabrics can do; one that only hashes decides for all.
BY_SWITCH = {"adaptive": "adaptive", "hashing": "hash", "unknown": "ecmp"}

# What follows the colon of a routing's name: in words, and an example.
ARGUMENTS: Mapping[str, tuple[str, str]] = {
    "ksp": ("the number of shortest paths", "ksp:8"),
    "slack": ("the hops above the shortest path", "slack:1"),
    "vlb": ("the number of middles a pair", "vlb:4"),
    "lft": ("a file of forwarding tables", "lft:tables.txt"),
}
TIES = ("split", "positive")  # of dimension order, half way round a ring
_COUNTED = {"ksp": 1, "slack": 0, "vlb": 1}  # routings with a number, and the least that makes sense


def parse_routing(routing: str) -> tuple[str, str]:
    """Name and argument of a routing; ConfigError where an argument is missing, idle, or cannot be read.

    >>> parse_routing("ksp:8"), parse_routing("ecmp")
    (('ksp', '8'), ('ecmp', ''))
    """
    name, colon, argument = routing.partition(":")
    if name not in ARGUMENTS:
        if colon:
            raise ConfigError(f"routing '{name}' takes no argument, '{argument}' was given; write {name}")
        return name, ""
    what, example = ARGUMENTS[name]
    if not argument:
        raise ConfigError(f"routing '{name}' needs {what}; write {example}")
    least = _COUNTED.get(name)
    if least is not None and not (argument.isascii() and argument.isdigit() and int(argument[:9]) >= least):
        raise ConfigError(f"routing '{routing}': '{argument}' is no whole number of {least} or more; write {example}")
    return name, argument


def preferred(topology: Topology) -> str:
    """The routing of the real fabric, by geometry, family and switches.

    >>> from topologies.registry import build
    >>> preferred(build("clos:hosts=64,switch=th4-64x400g"))
    'hash'
    """
    if topology.grid is not None:
        return "ecmp" if topology.grid.twist else "dor"
    return BY_FAMILY.get(topology.family) or BY_SWITCH[_ability(topology)]


def refuse_no_grid(topology: Topology) -> None:
    """ConfigError where dimension order has no regular grid to follow."""
    if topology.grid is None or topology.grid.twist:
        why = "its wraparound is twisted" if topology.grid is not None else "it is no grid"
        raise ConfigError(f"dor orders the dimensions of a regular grid; {topology.name}: {why}; use ecmp")


@once
def _ability(topology: Topology) -> str:
    """How the switches choose among equal paths: `hashing` if any cannot spread, `unknown` if any has no part."""
    found = {_switching(attributes, topology) for _, attributes in topology.graph.nodes(data=True)} - {""}
    return next((kind for kind in ("hashing", "unknown") if kind in found), "adaptive" if found else "unknown")


def _switching(attributes: Mapping[str, Any], topology: Topology) -> str:
    if attributes["kind"] != "switch" or not attributes.get("forwards"):
        return ""
    names = [attributes.get("part"), *(attributes.get("parts") or ())]
    rows = [topology.catalogue.get(name) for name in names if name is not None]
    switches = [row for row in rows if isinstance(row, Switch)]
    if not switches:
        return "unknown"
    return "adaptive" if all(row.adaptive_routing for row in switches) else "hashing"
