"""Exports: a plan as the messages that real circuit switches accept, one file per device kind."""

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
