"""Families with typed parameters, built in or of plugins, and the ready-made systems that set their parameters."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from topologies.cabling import AUTO, stays
from topologies.errors import ConfigError, unknown
from topologies.graph import Topology
from topologies.parameters import Builder, Family, parse_value, read_family, read_values
from topologies.parts import Cable, Catalogue, Optic
from topologies.plugins import faults, plugin_family, plugins
from topologies.reach import refuse_beyond_reach

FAMILIES = {
    "switch": "topologies.clos",
    "full-mesh": "topologies.mesh",
    "ring": "topologies.torus",
    "torus": "topologies.torus",
    "mesh": "topologies.torus",
    "fat-tree": "topologies.clos",
    "clos": "topologies.clos",
    "rail": "topologies.rail",
    "multi-plane": "topologies.planes",
    "dual-plane": "topologies.planes",
    "server": "topologies.server",
    "nvl": "topologies.rack",
    "cloudmatrix": "topologies.superpod",
    "tpu-pod": "topologies.tpu_pod",
    "jupiter": "topologies.jupiter",
    "jellyfish": "topologies.expander",
    "xpander": "topologies.expander",
    "dragonfly": "topologies.dragonfly",
    "ocs-flat": "topologies.ocs_flat",
    "rotor": "topologies.rotor",
    "mixnet": "topologies.mixnet",
    "photonic-rail": "topologies.photonic_rail",
    "khop-ring": "topologies.khop_ring",
    "pod-ocs": "topologies.pod_ocs",
    "dragonfly-plus": "topologies.dragonfly_plus",
    "hyperx": "topologies.hyperx",
    "slim-fly": "topologies.slim_fly",
    "polarfly": "topologies.polarfly",
    "hammingmesh": "topologies.hammingmesh",
    "bcube": "topologies.bcube",
    "dcell": "topologies.dcell",
}
_CONFIGS = Path(__file__).with_name("configs")
Build = Callable[[str, Catalogue], Topology]  # of what a spec names


@dataclass(frozen=True, slots=True)
class System:
    """A ready-made system: a family, its parameters, and where they come from."""

    name: str
    title: str
    family: str
    parameters: Mapping[str, Any]
    source: str
    notes: tuple[str, ...] = ()


@cache
def family(name: str) -> Family:
    """The family of that name; ConfigError with the nearest name where there is none."""
    if name in FAMILIES:
        builder: Builder = getattr(import_module(FAMILIES[name]), name.replace("-", "_"))
        return read_family(name, builder)
    found = plugin_family(name) if name else None
    if found is not None:
        return found
    names = [*FAMILIES, *systems(), *(plugin.name for plugin in plugins())]
    raise ConfigError(unknown("topology", name, names, "aifabric topologies lists them"))


def plugin_faults() -> dict[tuple[str, str], str]:
    """Why each plugin that cannot be used cannot, by name and distribution: nothing built in is ever replaced."""
    return faults({*FAMILIES, *systems()})


def plugin_families() -> list[Family]:
    """The families that plugins bring and that can be used, by name."""
    wrong = plugin_faults()
    return [plugin.family() for plugin in plugins() if (plugin.name, plugin.origin) not in wrong]


@cache
def systems() -> Mapping[str, System]:
    """Ready-made systems by name, in the order of their files."""
    found: dict[str, System] = {}
    for path in sorted(_CONFIGS.glob("*.toml")):
        for row in tomllib.loads(path.read_text(encoding="utf-8"))["system"]:
            notes = tuple(row.get("notes", ()))
            found[row["name"]] = System(
                row["name"], row["title"], row["family"], row.get("parameters", {}), row["source"], notes
            )
    return found


def _settled(chosen: Family, base: Mapping[str, Any], given: Mapping[str, Any], parts: Catalogue) -> dict[str, Any]:
    """What is given over what a system or family sets: a technology puts aside a cable that is none of it; auto
    keeps the system's own where it reaches."""
    technology, cable = given.get("technology"), given.get("cable")
    if technology is None or "cable" not in chosen.parameters:
        return {**base, **given}
    row = parts.get(base.get("cable", chosen.parameters["cable"].default) if cable is None else str(cable))
    own = getattr(row, "technology", technology)
    if own == technology:
        return {**base, **given}
    if cable is None and technology == AUTO and isinstance(row, Cable | Optic) and "length_m" in chosen.parameters:
        length = {**base, **given}.get("length_m", chosen.parameters["length_m"].default)
        if stays(row, parse_value(chosen.parameters["length_m"], length, chosen.name), parts):
            return {**base, **given}
    if cable is not None and technology == AUTO:
        raise ConfigError(f"cable '{cable}' is named, technology=auto chooses one; give one of the two")
    if cable is not None:
        raise ConfigError(f"cable '{cable}' is of technology {own}, not {technology}; give one of the two")
    return {**base, "cable": "none", **given}


def _refuse_idle(chosen: Family, read: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """What is given must have an effect."""
    for key in given:
        only = chosen.parameters[key].only
        if only is not None and not only.holds(read):
            raise ConfigError(f"{chosen.name}: {key} has no effect without {only}; leave it out or give that too")


def build_family(
    chosen: Family, name: str, where: str, given: Mapping[str, Any], system: System | None, parts: Catalogue
) -> Topology:
    """The topology of a family with what is given, over what a ready-made system sets."""
    base, notes = (system.parameters, system.notes) if system else ({}, ())
    read = read_values(chosen, _settled(chosen, base, given, parts), where)
    _refuse_idle(chosen, read, given)
    arguments = {k: v for k, v in read.items() if chosen.parameters[k].bundle is None}
    for bundle, kind in chosen.bundles.items():
        keys = [p.name for p in chosen.parameters.values() if p.bundle == bundle]
        arguments[bundle] = kind(**{k: read[k] for k in keys})
    built = chosen.builder(**arguments, parts=parts)
    _refuse_overstretched(built, chosen, base, given)
    assumed = _assumed(read, {**base, **given})
    own = built.family if chosen.origin else chosen.name
    return replace(built, name=name, family=own, parameters=read, notes=(*built.notes, *notes, *assumed))


def _refuse_overstretched(built: Topology, chosen: Family, base: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """A technology that the user puts in place of the family's or the system's own has to carry the links."""
    for key, technology in given.items():
        if key.endswith("technology") and technology != base.get(key, chosen.parameters[key].default):
            refuse_beyond_reach(built, str(technology), key)


def _assumed(read: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[str, ...]:
    """A note on the lengths and the technology that neither the user nor a ready-made system states."""
    said = []
    if "length_m" in read and "length_m" not in given:
        said.append(f"{read['length_m']:g} m")
    if "technology" in read and "technology" not in given and read.get("cable") is None:
        said.append(read["technology"])
    named = [k for k in read if k.endswith("_length_m") and k not in given and read[k] is not None]
    words = [" ".join(said)] * bool(said) + [f"{key} = {read[key]:g} m" for key in named]
    return (f"default: {', '.join(words)}",) if words else ()
