"""What a family takes: its parameters, read off the builder's signature; values typed from text or TOML."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from topologies.conditions import OnlyAbove, OnlyWith
from topologies.errors import ConfigError, closest
from topologies.graph import Topology
from topologies.units import parse_length_m, parse_rate_gbps

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
    only: OnlyWith | OnlyAbove | None = None  # where it has an effect; None: everywhere


@dataclass(frozen=True, slots=True)
class Family:
    """A builder and what it takes."""

    name: str
    builder: Builder
    parameters: Mapping[str, Parameter]
    bundles: Mapping[str, type]
    origin: str = ""  # the distribution or the file that brings it; empty: built in

    @property
    def summary(self) -> str:
        """First paragraph of the builder's docstring."""
        return (inspect.getdoc(self.builder) or "").split("\n\n")[0].replace("\n", " ")

    @property
    def source(self) -> str:
        """Where its wiring is published: the docstring's `Source:` line, else what it cites in brackets with a year.

        >>> from topologies.families import family
        >>> family("dragonfly").source
        'Kim et al., ISCA 2008'
        """
        text = " ".join((inspect.getdoc(self.builder) or "").split(">>>")[0].split())
        stated = re.search(r"\bSource: (.*?)(?:\.(?: |$)|$)", text)
        cited = re.findall(r"\(([^()]*(?:\b(?:19|20)[0-9]{2}\b|arXiv)[^()]*)\)", text)
        return stated[1] if stated else "; ".join(cited)


def read_family(name: str, builder: Builder, supplied: Sequence[str] = ("parts",)) -> Family:
    """A builder's parameters: typed and explained by its annotations; a dataclass argument gives its fields.

    `supplied` are arguments that are no parameters: whoever calls the builder has them.

    >>> from topologies.torus import ring
    >>> next(iter(read_family("ring", ring).parameters))
    'n'
    """
    parameters: dict[str, Parameter] = {}
    bundles: dict[str, type] = {}
    hints = get_type_hints(builder, include_extras=True)
    for argument in inspect.signature(builder).parameters.values():
        hint = hints.get(argument.name, _of_default(argument.default))
        if argument.name in supplied or argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            continue
        only = None
        if get_origin(hint) is Annotated and is_dataclass(get_args(hint)[0]):
            hint, only = get_args(hint)
        if is_dataclass(hint):
            assert isinstance(hint, type)
            bundles[argument.name] = hint
            inner = get_type_hints(hint, include_extras=True)
            for spec in fields(hint):
                default = getattr(argument.default, spec.name, argument.empty)
                own = _parameter(spec.name, inner[spec.name], default, argument.name)
                parameters[spec.name] = own if only is None else replace(own, only=only)
        else:
            parameters[argument.name] = _parameter(argument.name, hint, argument.default, None)
    return Family(name, builder, parameters, bundles)


def _of_default(default: Any) -> Any:
    """The type of an argument without an annotation: its default's, else whatever the text looks like."""
    return Any if default is None or default is inspect.Parameter.empty else type(default)


def _parameter(name: str, hint: Any, default: Any, bundle: str | None) -> Parameter:
    meaning, only = "", None
    if get_origin(hint) is Annotated:
        hint, meaning, *more = get_args(hint)
        only = more[0] if more else None
    required = default is inspect.Parameter.empty
    return Parameter(name, hint, meaning, None if required else default, required, bundle, only)


def read_values(chosen: Family, given: Mapping[str, Any], spec: str) -> dict[str, Any]:
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

    >>> from topologies.families import family
    >>> example(family("torus"))
    'torus:dims=4x4x8'
    """
    samples = {"dims": "4x4x8", "slice": "4x4x8", "k": "4", "degree": "3", "p": "2", "a": "4", "h": "2", "uplinks": "4"}
    samples |= {"q": "5", **dict.fromkeys(("b", "x", "y", "l", "s"), "4")}
    samples |= {"k": "1"} if chosen.name in ("bcube", "dcell") else {}
    required = [f"{p.name}={samples.get(p.name, '8')}" for p in chosen.parameters.values() if p.required]
    return f"{chosen.name}:{','.join(required)}" if required else chosen.name


def parse_value(parameter: Parameter, value: Any, family_name: str) -> Any:
    """A parameter's value from a spec string or a TOML value; ConfigError says what would do."""
    where = f"{family_name}: {parameter.name}"
    kinds = get_args(parameter.type) if NoneType in get_args(parameter.type) else (parameter.type,)
    if NoneType in kinds and value in ("none", "None"):
        return None
    kind = next(k for k in kinds if k is not NoneType)
    if kind is Any:
        return _guessed(value)
    if kind is bool:
        return _bool(value, where)
    if get_origin(kind) is tuple:
        return _tuple(kind, value, where)
    if kind is int:
        return _int(value, where)
    if kind is float:
        if parameter.name.endswith("_gbps"):
            return parse_rate_gbps(value)
        if parameter.name.endswith("_m") and re.search(r"[0-9] ?[ck]?m$", str(value)):
            value = parse_length_m(value)
        return _float(value, where)
    if get_args(kind) and value not in get_args(kind):
        raise ConfigError(f"{where} = '{value}' is not one of {', '.join(map(str, get_args(kind)))}")
    if not isinstance(value, str):
        raise ConfigError(f"{where} = {value!r} is not text")
    return value


def _guessed(value: Any) -> Any:
    """Text as the whole number, the number or the truth that it spells, else as it is."""
    text = str(value)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text)
    return float(text) if re.fullmatch(r"[+-]?[0-9]+\.[0-9]*(e[+-]?[0-9]{1,2})?", text) else value


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
    if not 0 <= number < float("inf") or (number == 0 and not where.endswith(("latency_ns", "length_m", "guard_us"))):
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
