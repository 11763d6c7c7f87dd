"""Transports by name: a library and its options, `nccl:nvls=false,harness=python`, or the accelerator's own."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from topologies.errors import ConfigError, unknown
from topologies.library_kinds import Harness, Library, NetworkTransport
from topologies.parts import Catalogue

IDEAL, AUTO = "ideal", "auto"
KERNELS = "one-sided"  # of experts: a model of its own
SWITCHES = {"true": True, "false": False}
ON_OFF = ("nvls", "sharp", "ll128", "inplace", "interleave")
PEERS = ("direct", "host")


@dataclass(frozen=True, slots=True)
class Transport:
    """A library and what is given about how it runs.

    `nvls`: may the domain's switches reduce, `sharp`: the network's; `ll128`: does the version have that protocol;
    `inplace`: results stay in the buffer of the input; `interleave`: stripes over adapters; `harness`: how collectives
    are launched; `peers`: how accelerators on PCIe reach each other; `net`: the network between domains; `algorithm`:
    the only one that the library is to take. None: the default of the machine.
    """

    library: str
    nvls: bool = True
    sharp: bool = False
    ll128: bool = True
    inplace: bool = False
    interleave: bool = False
    harness: str | None = None
    peers: str | None = None
    net: str | None = None
    algorithm: str | None = None

    @property
    def default(self) -> bool:
        """Does it stand for raw rates wherever nothing else is modelled?"""
        return self.library in (AUTO, IDEAL)

    def written(self, library: str) -> str:
        """The name of a library with the options that differ from the default."""
        told = []
        for spec in fields(self)[1:]:
            value = getattr(self, spec.name)
            if value != spec.default:
                told.append(f"{spec.name}={str(value).lower() if isinstance(value, bool) else value}")
        return f"{library}:{','.join(told)}" if told else library


def parse_transport(text: str, parts: Catalogue) -> Transport:
    """A transport as it is written; ConfigError says which library or option is unknown and what there is.

    >>> from topologies.parts import catalogue
    >>> parse_transport("nccl:nvls=false,harness=python", catalogue()).harness
    'python'
    """
    name, colon, rest = text.partition(":")
    if name == KERNELS:
        return Transport(name)
    libraries = [row.name for row in parts.of_kind(Library)]
    if name not in (AUTO, IDEAL, *libraries):
        raise ConfigError(unknown("transport", name, [AUTO, IDEAL, KERNELS, *libraries]))
    given = _options(rest, text) if colon else {}
    if name == IDEAL and given:
        raise ConfigError(f"transport '{text}': ideal takes no options; leave them out")
    values: dict[str, str | bool] = {}
    for key, value in given.items():
        allowed = _allowed(key, name, parts)
        if value not in allowed:
            raise ConfigError(f"transport '{text}': {key} = {value} is not one of {', '.join(allowed)}")
        values[key] = SWITCHES[value] if key in ON_OFF else value
    return Transport(name, **values)  # type: ignore[arg-type]


def _options(rest: str, text: str) -> Mapping[str, str]:
    given: dict[str, str] = {}
    for word in rest.split(","):
        key, equals, value = word.partition("=")
        if not equals or not key or not value:
            raise ConfigError(f"transport '{text}': '{word}' is no option; write key=value, e.g. nccl:nvls=false")
        if key in given:
            raise ConfigError(f"transport '{text}': {key} is given twice")
        given[key] = value
    return given


def _allowed(key: str, library: str, parts: Catalogue) -> list[str]:
    if key in ON_OFF:
        return list(SWITCHES)
    if key == "peers":
        return list(PEERS)
    if key == "harness":
        return [row.name.removeprefix("harness-") for row in parts.of_kind(Harness)]
    if key == "net":
        return list(dict.fromkeys(row.fabric for row in parts.of_kind(NetworkTransport)))
    if key == "algorithm" and library in parts:
        return list(parts.part(library, Library).menu)
    raise ConfigError(unknown("option of a transport", key, [*ON_OFF, "peers", "harness", "net", "algorithm"]))
