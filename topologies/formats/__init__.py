"""Foreign formats, one file each: read_*, write_*; which reader takes a file."""

from importlib import import_module
from pathlib import Path

from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import Catalogue

# format -> module, function, endings
READERS = {
    "native": ("topologies.formats.native", "read_native", (".json",)),
    "ibnetdiscover": ("topologies.formats.ibnetdiscover", "read_ibnetdiscover", (".out",)),
}
ENDINGS = tuple(ending for _, _, endings in READERS.values() for ending in endings)


def read_topology(path: Path, parts: Catalogue) -> Topology:
    """The fabric of a file in one of the formats of READERS, told by its ending.

    ConfigError for an ending that no format has, and whatever the reader raises.

    >>> from topologies.parts import catalogue
    >>> read_topology(Path("fabric.xyz"), catalogue())
    Traceback (most recent call last):
    topologies.errors.ConfigError: fabric.xyz: no format has this ending; there are .json, .out
    """
    for module, function, endings in READERS.values():
        if path.suffix.lower() in endings:
            read: Topology = getattr(import_module(module), function)(path, parts)
            return read
    raise ConfigError(f"{path}: no format has this ending; there are {', '.join(ENDINGS)}")
