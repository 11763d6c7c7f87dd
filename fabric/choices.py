"""What a question may name - collective, algorithm, routing, transport - checked before anything is built."""

from collections.abc import Iterable, Sequence

from fabric.algorithms import ALGORITHMS, parse_overlap
from fabric.collectives import COLLECTIVES
from fabric.moe import OPERATIONS
from fabric.routing.policy import TIES
from fabric.routing.registry import ROUTINGS
from fabric.timing import FIDELITIES, TUNES
from fabric.transports import parse_transport
from topologies.errors import ConfigError, unknown
from topologies.parts import Catalogue, catalogue
from topologies.units import parse_size_bytes


def check_choices(
    *,
    collectives: Sequence[str] = (),
    size: "str | float" = "1GiB",
    algorithm: str = "auto",
    routing: str = "auto",
    transport: str = "auto",
    overlap: str = "auto",
    tie: str = "split",
    fidelity: str = "steady",
    tune: str = "library",
    parts: Catalogue | None = None,
) -> None:
    """Raise ConfigError for the first value that no fabric could answer: a misspelt name, a size below one byte.

    >>> check_choices(algorithm="bukcet")
    Traceback (most recent call last):
    topologies.errors.ConfigError: no algorithm is named 'bukcet'; did you mean 'bucket'?
    """
    for name in collectives:
        _check("collective", name, [*COLLECTIVES, *OPERATIONS])
    parse_size_bytes(size)
    _check("algorithm", algorithm, ["auto", *ALGORITHMS])
    _check("routing", routing.partition(":")[0], [name.partition(":")[0] for name in ROUTINGS])
    if overlap != "auto":
        parse_overlap(overlap)
    _one_of("tie", tie, list(TIES))
    parse_transport(transport, catalogue() if parts is None else parts)
    _one_of("tune", tune, list(TUNES))
    _one_of("fidelity", fidelity, list(FIDELITIES))


def _check(what: str, name: str, known: Iterable[str]) -> None:
    names = list(known)
    if name not in names:
        raise ConfigError(unknown(what, name, names))


def _one_of(what: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ConfigError(f"{what} '{value}' is not one of {', '.join(allowed)}")
