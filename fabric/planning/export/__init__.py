"""Exports: a plan as the messages that real circuit switches accept, one file per device kind."""

from collections.abc import Iterable
from importlib import import_module

from fabric.planning.export.kinds import Kind
from topologies.errors import ConfigError, unknown

# a kind is registered by one line: name -> module that holds its KIND
KINDS = {
    "sonic-cli": "sonic_cli",
    "sonic-patch": "sonic_patch",
    "sonic-config-db": "sonic_config_db",
    "polatis-netconf": "polatis_netconf",
    "polatis-restconf": "polatis_restconf",
    "polatis-tl1": "polatis_tl1",
    "polatis-scpi": "polatis_scpi",
    "calient-tl1": "calient_tl1",
    "calient-rest": "calient_rest",
    "glimmerglass-tl1": "glimmerglass_tl1",
    "telescent-cli": "telescent_cli",
    "gnmi": "gnmi",
}


def kind(name: str) -> Kind:
    """The device kind of that name; ConfigError for an unknown one.

    >>> kind("sonic-cli").title
    'SONiC-OCS, command line'
    """
    if name not in KINDS:
        raise ConfigError(unknown("device kind", name, KINDS))
    found: Kind = import_module(f"fabric.planning.export.{KINDS[name]}").KIND
    return found


def kinds_of(words: Iterable[str]) -> dict[str, Kind]:
    """Device kinds by switch or model, "" for all others, from words KIND and NAME=KIND.

    ConfigError for a name given twice, and for an unknown kind.

    >>> {name: found.name for name, found in kinds_of(["sonic-cli", "ocs-3=gnmi"]).items()}
    {'': 'sonic-cli', 'ocs-3': 'gnmi'}
    """
    found: dict[str, Kind] = {}
    for word in words:
        name, _, own = word.rpartition("=")
        if name in found:
            raise ConfigError(f"two device kinds for {name or 'all switches'}; give one")
        found[name] = kind(own)
    return found
