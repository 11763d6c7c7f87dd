"""Names to builders: families with typed parameters, ready-made systems, files; the spec grammar that calls them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import networkx as nx

from topologies.cabling import AUTO, stays
from topologies.errors import ConfigError, unknown
from topologies.formats import ENDINGS, read_topology
from topologies.graph import Topology
from topologies.parameters import Builder, Family, parse_value, read_family, read_values
from topologies.parts import Cable, Catalogue, Optic, catalogue
from topologies.plugins import faults, plugin_family, plugins
from topologies.reach import refuse_beyond_reach
from topologies.usercode import is_python, parse_python, python_family

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


@dataclass(frozen=True, slots=True)
class Named:
    """What a spec in words names: a family, what it is given, and the ready-made system that it starts from."""

    family: Family
    given: Mapping[str, str]
    system: System | None

    @property
    def stated(self) -> dict[str, Any]:
        """What is given, over what the system sets."""
        return {**(self.system.parameters if self.system else {}), **self.given}


def is_file(spec: str) -> bool:
    """Does a spec name a file, or a function in one?

    >>> is_file("pod.toml"), is_file("nvl72:length_m=2")
    (True, False)
    """
    text = spec.strip()
    return is_python(text) or text.lower().endswith((*ENDINGS, ".toml")) or "/" in text.partition(":")[0]


def named(spec: str) -> Named:
    """What a spec that is no file names; ConfigError with the nearest name where there is none.

    >>> named("tpu-v4-64:twist=false").family.name, named("torus:dims=4x4").given
    ('tpu-pod', {'dims': '4x4'})
    """
    name, colon, rest = spec.strip().partition(":")
    if colon and not rest.strip():
        raise ConfigError(f"'{spec}' ends with a colon; write {name}:key=value or {name}")
    given = _split(rest, spec) if colon else {}
    system = systems().get(name)
    return Named(family(system.family if system is not None else name), given, system)


def with_parameters(spec: str, changed: Mapping[str, str]) -> str:
    """The spec with some parameters in place of its own, in their places, and others added.

    >>> with_parameters("torus:dims=4x4,K=2", {"dims": "8x8", "rate_gbps": "800"})
    'torus:dims=8x8,K=2,rate_gbps=800'
    """
    name = spec.strip().partition(":")[0]
    pairs = {**named(spec).given, **changed}
    return name + (":" if pairs else "") + ",".join(f"{key}={value}" for key, value in pairs.items())


def build(spec: str, parts: Catalogue | None = None) -> Topology:
    """The topology that a spec names: a ready-made system, `family:key=value,...`, a file, or a function in a
    Python file, `path.py:function:key=value,...`.

    Raises ConfigError for a spec that cannot be read, TopologyError for one that cannot be built.

    >>> build("torus:dims=4x4x8,twist=true").links
    384
    """
    parts = parts or catalogue()
    text = spec.strip()
    if is_python(text):
        path, function, rest = parse_python(text)
        return build_family(python_family(path, function), text, spec, _split(rest, spec), None, parts)
    if is_file(text):
        return build_file(Path(text), parts)
    found = named(spec)
    return build_family(found.family, text, spec, found.given, found.system, parts)


def topology_of(
    given: "Topology | nx.Graph | str | Path", *, rate_gbps: float | None = None, parts: Catalogue | None = None
) -> Topology:
    """Whatever names a fabric as a Topology: one as it is, a spec, a file, or a graph, whose links without `rate_gbps`
    take the one given here.

    Raises ConfigError for what is none of these, and as `build` and `Topology.from_graph` do.

    >>> topology_of(nx.cycle_graph(4)).links, topology_of("ring:n=8").links
    (4, 8)
    """
    if isinstance(given, nx.Graph):
        return Topology.from_graph(given, rate_gbps=rate_gbps, parts=parts)
    if rate_gbps is not None:
        raise ConfigError("rate_gbps is for a networkx.Graph; write it into the spec, e.g. ring:n=8,rate_gbps=400")
    if isinstance(given, Topology):
        return given
    if isinstance(given, Path):
        return build_file(given, parts or catalogue())
    if isinstance(given, str):
        return build(given, parts)
    what = f"{type(given).__name__} {given!r:.40}"
    raise ConfigError(f"{what} is no fabric; give a spec like 'nvl72', a Topology or a networkx.Graph")


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
    from dataclasses import replace

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


def _split(rest: str, spec: str) -> dict[str, str]:
    """key=value pairs of a spec string; a repeated, empty or unassigned key is an error."""
    given: dict[str, str] = {}
    for pair in rest.split(",") if rest else ():
        key, equals, value = (p.strip() for p in pair.partition("="))
        if not pair.strip():
            raise ConfigError(f"'{spec}' has an empty parameter (a comma too many); write key=value,key=value")
        if not equals or not key or not value:
            raise ConfigError(f"'{pair.strip()}' in '{spec}' is not key=value")
        if key in given:
            raise ConfigError(f"'{spec}' gives {key} twice")
        given[key] = value
    return given


def build_file(path: Path, parts: Catalogue) -> Topology:
    """A topology from a file: TOML, or a foreign format, known by its ending or content."""
    if path.is_dir():
        raise ConfigError(f"'{path}' is a directory; give a topology name, family:key=value, or a file")
    if not path.is_file():
        raise ConfigError(f"no file '{path}'; give a topology name, family:key=value, or an existing file")
    if path.suffix.lower() != ".toml":
        return read_topology(path, parts)
    from topologies.specfile import build_toml

    return build_toml(path, parts)
