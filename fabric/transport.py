"""What a communication library adds to raw link rates; only the ideal one has a model yet."""

from topologies.errors import ConfigError, unknown

TRANSPORTS = ("auto", "ideal")


def resolve_transport(name: str) -> str:
    """The transport that a name stands for: `auto` is `ideal` until library models exist.

    >>> resolve_transport("auto")
    'ideal'
    """
    if name not in TRANSPORTS:
        raise ConfigError(unknown("transport", name, TRANSPORTS))
    return "ideal"
