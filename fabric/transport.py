"""What a communication library adds to raw link rates: nothing where it is ideal, or that of one-sided kernels."""

from topologies.errors import ConfigError, unknown

TRANSPORTS = ("auto", "ideal", "one-sided")


def resolve_transport(name: str) -> str:
    """The transport that a name stands for: `auto` is `ideal` until library models exist.

    >>> resolve_transport("auto")
    'ideal'
    """
    if name.partition(":")[0] == "one-sided":
        return name
    if name not in TRANSPORTS:
        raise ConfigError(unknown("transport", name, TRANSPORTS))
    return "ideal"
