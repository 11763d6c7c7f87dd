"""Specs to topologies: the grammar that names a family, a ready-made system, a file, or a function in one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx

from topologies.errors import ConfigError
from topologies.families import System, build_family, family, systems
from topologies.formats import ENDINGS, read_topology
from topologies.graph import Topology
from topologies.parameters import Family
from topologies.parts import Catalogue, catalogue
from topologies.specfile import build_toml
from topologies.usercode import is_python, parse_python, python_family


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
    return build_toml(path, parts, build)
