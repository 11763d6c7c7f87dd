"""Names to builders: families with typed parameters, ready-made systems, files; the spec grammar that calls them."""

import inspect
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import networkx as nx

from topologies.conditions import OnlyWith
from topologies.errors import ConfigError, closest, unknown
from topologies.graph import Topology
from topologies.parts import Catalogue, catalogue
from topologies.units import parse_length_m, parse_rate_gbps

FAMILIES = {
    "switch": "topologies.clos",
    "full-mesh": "topologies.mesh",
    "ring": "topologies.torus",
    "torus": "topologies.torus",
    "mesh": "topologies.torus",
    "fat-tree": "topologies.clos",
    "clos": "topologies.clos",
    "rail": "topologies.rail",
    "nvl": "topologies.rack",
    "tpu-pod": "topologies.tpu_pod",
    "jupiter": "topologies.jupiter",
    "jellyfish": "topologies.expander",
    "xpander": "topologies.expander",
    "dragonfly": "topologies.dragonfly",
}
FORMATS = {".out": "topologies.formats.ibnetdiscover"}
_CONFIGS = Path(__file__).with_name("configs")

MAX_VALUE = 1e9  # of any length, latency or ratio

Builder = Callable[..., Topology]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One key of a family: its type, what it means, its default (`required` where there is none)."""

    name: str
    type: Any
    meaning: str
    default: Any
    required: bool
    bundle: str | None  # the builder's argument that gathers it
    only: OnlyWith | None = None  # where it has an effect; None: everywhere


@dataclass(frozen=True, slots=True)
class Family:
    """A builder and what it takes."""

    name: str
    builder: Builder
    parameters: Mapping[str, Parameter]
    bundles: Mapping[str, type]

    @property
    def summary(self) -> str:
        """First sentence of the builder's docstring."""
        return (inspect.getdoc(self.builder) or "").split("\n\n")[0].replace("\n", " ")


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
        return _family(name, builder)
    for entry in entry_points(group="aifabric.topologies"):
        if entry.name == name:
            return _family(name, entry.load())
    raise ConfigError(unknown("topology", name, [*FAMILIES, *systems()], "aifabric topologies lists them"))


def _family(name: str, builder: Builder) -> Family:
    parameters: dict[str, Parameter] = {}
    bundles: dict[str, type] = {}
    hints = get_type_hints(builder, include_extras=True)
    for argument in inspect.signature(builder).parameters.values():
        hint = hints[argument.name]
        if argument.name == "parts":
            continue
        if is_dataclass(hint):
            assert isinstance(hint, type)
            bundles[argument.name] = hint
            given = argument.default
            inner = get_type_hints(hint, include_extras=True)
            for spec in fields(hint):
                default = getattr(given, spec.name)
                parameters[spec.name] = _parameter(spec.name, inner[spec.name], default, argument.name)
        else:
            parameters[argument.name] = _parameter(argument.name, hint, argument.default, None)
    return Family(name, builder, parameters, bundles)


def _parameter(name: str, hint: Any, default: Any, bundle: str | None) -> Parameter:
    meaning, only = "", None
    if get_origin(hint) is Annotated:
        hint, meaning, *more = get_args(hint)
        only = more[0] if more else None
    required = default is inspect.Parameter.empty
    return Parameter(name, hint, meaning, None if required else default, required, bundle, only)


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


def build(spec: str, parts: Catalogue | None = None) -> Topology:
    """The topology that a spec names: a ready-made system, `family:key=value,...`, or a file.

    Raises ConfigError for a spec that cannot be read, TopologyError for one that cannot be built.

    >>> build("torus:dims=4x4x8,twist=true").links
    384
    """
    parts = parts or catalogue()
    text = spec.strip()
    name, colon, rest = text.partition(":")
    if text.lower().endswith((*FORMATS, ".toml", ".json")) or "/" in name:
        return _build_file(Path(text), parts)
    if colon and not rest.strip():
        raise ConfigError(f"'{spec}' ends with a colon; write {name}:key=value or {name}")
    given = _split(rest, spec) if colon else {}
    system = systems().get(name)
    if system is not None:
        return _named(family(system.family), text, spec, given, system, parts)
    return _named(family(name), text, spec, given, None, parts)


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
        return _build_file(given, parts or catalogue())
    if isinstance(given, str):
        return build(given, parts)
    what = f"{type(given).__name__} {given!r:.40}"
    raise ConfigError(f"{what} is no fabric; give a spec like 'nvl72', a Topology or a networkx.Graph")


def _settled(
    chosen: Family, base: Mapping[str, Any], given: Mapping[str, Any], parts: Catalogue
) -> dict[str, Any]:
    """What is given over what a system or family sets: a technology puts aside a cable that is none of it."""
    technology, cable = given.get("technology"), given.get("cable")
    if technology is None or "cable" not in chosen.parameters:
        return {**base, **given}
    row = parts.get(base.get("cable", chosen.parameters["cable"].default) if cable is None else str(cable))
    own = getattr(row, "technology", technology)
    if own == technology:
        return {**base, **given}
    if cable is not None:
        raise ConfigError(f"cable '{cable}' is of technology {own}, not {technology}; give one of the two")
    return {**base, "cable": "none", **given}


def _refuse_idle(chosen: Family, read: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """What is given must have an effect."""
    for key in given:
        only = chosen.parameters[key].only
        if only is not None and read[only.key] != only.value:
            raise ConfigError(f"{chosen.name}: {key} has no effect without {only}; leave it out or give that too")


def _named(
    chosen: Family, name: str, where: str, given: Mapping[str, Any], system: System | None, parts: Catalogue
) -> Topology:
    """The topology of a family with what is given, over what a ready-made system sets."""
    from dataclasses import replace

    base, notes = (system.parameters, system.notes) if system else ({}, ())
    read = _values(chosen, _settled(chosen, base, given, parts), where)
    _refuse_idle(chosen, read, given)
    arguments = {k: v for k, v in read.items() if chosen.parameters[k].bundle is None}
    for bundle, kind in chosen.bundles.items():
        keys = [p.name for p in chosen.parameters.values() if p.bundle == bundle]
        arguments[bundle] = kind(**{k: read[k] for k in keys})
    built = chosen.builder(**arguments, parts=parts)
    assumed = _assumed(read, {**base, **given})
    return replace(built, name=name, family=chosen.name, parameters=read, notes=(*built.notes, *notes, *assumed))


def _assumed(read: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[str, ...]:
    """A note on the lengths and the technology that neither the user nor a ready-made system states."""
    said = []
    if "length_m" in read and "length_m" not in given:
        said.append(f"{read['length_m']:g} m")
    if "technology" in read and "technology" not in given and read.get("cable") is None:
        said.append(read["technology"])
    named = [key for key in read if key.endswith("_length_m") and key not in given]
    words = [" ".join(said)] * bool(said) + [f"{key} = {read[key]:g} m" for key in named]
    return (f"default: {', '.join(words)}",) if words else ()


def _split(rest: str, spec: str) -> dict[str, str]:
    """key=value pairs of a spec string; a repeated, empty or unassigned key is an error."""
    given: dict[str, str] = {}
    for pair in rest.split(","):
        key, equals, value = (p.strip() for p in pair.partition("="))
        if not pair.strip():
            raise ConfigError(f"'{spec}' has an empty parameter (a comma too many); write key=value,key=value")
        if not equals or not key or not value:
            raise ConfigError(f"'{pair.strip()}' in '{spec}' is not key=value")
        if key in given:
            raise ConfigError(f"'{spec}' gives {key} twice")
        given[key] = value
    return given


def _values(chosen: Family, given: Mapping[str, Any], spec: str) -> dict[str, Any]:
    """Every parameter of a family with its given or default value, typed."""
    for key in given:
        if key not in chosen.parameters:
            takes = f"it takes {', '.join(chosen.parameters)}"
            raise ConfigError(
                f"{chosen.name} has no parameter '{key}'{closest(key, chosen.parameters) or '; ' + takes}"
            )
    values: dict[str, Any] = {}
    for parameter in chosen.parameters.values():
        if parameter.name in given:
            values[parameter.name] = parse_value(parameter, given[parameter.name], chosen.name)
        elif parameter.required:
            raise ConfigError(
                f"{spec}: {chosen.name} needs {parameter.name} ({parameter.meaning}), e.g. {example(chosen)}"
            )
        else:
            values[parameter.name] = parameter.default
    return values


def example(chosen: Family) -> str:
    """A spec of the family that builds.

    >>> example(family("torus"))
    'torus:dims=4x4x8'
    """
    samples = {"dims": "4x4x8", "slice": "4x4x8", "k": "4", "degree": "3", "p": "2", "a": "4", "h": "2"}
    required = [f"{p.name}={samples.get(p.name, '8')}" for p in chosen.parameters.values() if p.required]
    return f"{chosen.name}:{','.join(required)}" if required else chosen.name


def parse_value(parameter: Parameter, value: Any, family_name: str) -> Any:
    """A parameter's value from a spec string or a TOML value; ConfigError says what would do."""
    where = f"{family_name}: {parameter.name}"
    kinds = get_args(parameter.type) if NoneType in get_args(parameter.type) else (parameter.type,)
    if NoneType in kinds and value in ("none", "None"):
        return None
    kind = next(k for k in kinds if k is not NoneType)
    if kind is bool:
        return _bool(value, where)
    if get_origin(kind) is tuple:
        return _tuple(kind, value, where)
    if kind is int:
        return _int(value, where)
    if kind is float:
        if parameter.name == "rate_gbps":
            return parse_rate_gbps(value)
        if parameter.name.endswith("_m") and re.search(r"[0-9] ?[ck]?m$", str(value)):
            value = parse_length_m(value)
        return _float(value, where)
    if get_args(kind) and value not in get_args(kind):
        raise ConfigError(f"{where} = '{value}' is not one of {', '.join(map(str, get_args(kind)))}")
    if not isinstance(value, str):
        raise ConfigError(f"{where} = {value!r} is not text")
    return value


def _bool(value: Any, where: str) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(value).lower() not in known:
        raise ConfigError(f"{where} = '{value}' is neither true nor false")
    return known[str(value).lower()]


def _int(value: Any, where: str) -> int:
    if re.fullmatch(r"[+-]?[0-9]{1,18}", str(value)) is None:
        raise ConfigError(f"{where} = '{value}' is not a whole number")
    number = int(str(value))
    if number < 1 and not where.endswith(": seed"):
        raise ConfigError(f"{where} = {value} is below 1")
    return number


def _float(value: Any, where: str) -> float:
    try:
        number = float(str(value))
    except ValueError:
        raise ConfigError(f"{where} = '{value}' is not a number") from None
    if number > MAX_VALUE and number < float("inf"):
        raise ConfigError(f"{where} = {value} is above {MAX_VALUE:g}")
    if not 0 <= number < float("inf") or (number == 0 and not where.endswith(("latency_ns", "length_m"))):
        raise ConfigError(f"{where} = {value} is not a positive, finite number")
    return number


def _tuple(kind: Any, value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, str | list | tuple):
        raise ConfigError(f'{where} = {value} is a bare number; write an array or a string like "4x4x8"')
    items = value.lower().split("x") if isinstance(value, str) else list(value)
    if not items or "" in items:
        raise ConfigError(f"{where} = '{value}' is not a list; write it like \"4x4x8\"")
    inner = get_args(kind)[0]
    return tuple(_bool(i, where) if inner is bool else _int(i, where) for i in items)


def _build_file(path: Path, parts: Catalogue) -> Topology:
    """A topology from a file: TOML (`family`, `[parameters]`) or a foreign format by its ending."""
    if path.is_dir():
        raise ConfigError(f"'{path}' is a directory; give a topology name, family:key=value, or a file")
    if not path.is_file():
        raise ConfigError(f"no file '{path}'; give a topology name, family:key=value, or an existing file")
    if path.suffix.lower() == ".json":
        from topologies.formats.native import read_native

        return read_native(path, parts)
    if path.suffix.lower() in FORMATS:
        reader = import_module(FORMATS[path.suffix.lower()])
        read: Topology = reader.read_ibnetdiscover(path, parts)
        return read
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: neither a TOML topology nor a known format: {error}") from None
    unknown = set(document) - {"name", "family", "parameters"}
    if unknown or not isinstance(document.get("family"), str):
        raise ConfigError(f'{path}: a topology file has family = "..." and a [parameters] table, and nothing else')
    base = systems().get(document["family"])
    chosen = family(base.family if base else document["family"])
    own, name = document.get("parameters", {}), document.get("name", path.stem)
    if not isinstance(own, dict) or not isinstance(name, str):
        raise ConfigError(f"{path}: name is text and parameters is a table of key = value")
    return _named(chosen, name, str(path), own, base, parts)
