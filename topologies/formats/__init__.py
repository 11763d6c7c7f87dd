"""Foreign formats, one file each: read_*, write_*; which reader takes a file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from topologies.errors import ConfigError, unknown

if TYPE_CHECKING:  # the table alone is light: help lists it
    from topologies.graph import Topology
    from topologies.parameters import Family
    from topologies.parts import Catalogue


@dataclass(frozen=True, slots=True)
class Reader:
    """Where a format's reader is, and how its files are told: by ending, then by a mark in their first kilobytes.

    `fallback` takes what no mark takes, for the reader's own message on what is wrong with it.
    """

    function: str
    endings: tuple[str, ...]
    mark: str
    title: str
    fallback: bool = False


_AT, _YAML = "topologies.formats.", (".yaml", ".yml")
READERS = {
    "native": Reader(
        _AT + "native:read_native", (".json",), r'"schema"\s*:\s*"aifabric', "a fabric that aifabric wrote", True
    ),
    "ibnetdiscover": Reader(
        _AT + "ibnetdiscover:read_ibnetdiscover", (".out", ".txt"),
        r"(?m)^# Topology file|^vendid=0x|^(CA|SW) +\d+ +\d+ 0x", "the output of ibnetdiscover (InfiniBand)", True,
    ),
    "nccl": Reader(_AT + "nccl:read_nccl", (".xml",), r"<system\b", "a topology file of NCCL or RCCL"),
    "nvidia-smi": Reader(
        _AT + "nvidia_smi:read_nvidia_smi", (".txt", ".out"), r"(?m)^(\x1b?\[[0-9;]*m|\s)*GPU0\b", "nvidia-smi topo -m"
    ),
    "simgrid": Reader(_AT + "simgrid:read_simgrid", (".xml",), r"<platform\b", "a SimGrid platform"),
    "infragraph": Reader(
        _AT + "infragraph:read_infragraph", _YAML, r"(?m)^(infrastructure|devices|components|instances)\s*:",
        "an InfraGraph (ASTRA-sim 3)",
    ),
    "topograph": Reader(
        _AT + "topograph:read_topograph", _YAML, r"(?m)^(switches|blocks)\s*:", "a cluster model of topograph"
    ),
    "lingjun": Reader(
        _AT + "lingjun:read_lingjun", (".csv",), r"\A.*\bASW\b", "the host table of Alibaba's Lingjun data set"
    ),
    "astra-sim": Reader(
        _AT + "astra_sim:read_astra_sim", _YAML, r"(?m)^(topology|npus_count)\s*:", "a network of ASTRA-sim"
    ),
    "graphml": Reader(_AT + "graphml:read_graphml", (".graphml", ".xml"), r"<graphml\b", "GraphML"),
    "node-link": Reader(
        _AT + "node_link:read_node_link", (".json",), r'"(nodes|links|edges|multigraph|directed)"\s*:',
        "node-link JSON (NetworkX, TopoHub)",
    ),
    "gml": Reader(_AT + "gml:read_gml", (".gml",), r"(?m)^\s*graph\s*\[", "GML", True),
}  # fmt: skip
SCHEDULES = (".goal", ".et")  # and .xml of MSCCL: what runs on a fabric
ENDINGS = tuple(dict.fromkeys(ending for reader in READERS.values() for ending in reader.endings))


def read_topology(
    path: Path, parts: "Catalogue", name: str | None = None, options: Mapping[str, Any] = MappingProxyType({})
) -> "Topology":
    """The fabric of a file in the format of that name, else in the one that its ending and content tell.

    `options` are the reader's own, as text or typed. ConfigError for a file of no known format, and whatever the
    reader raises.

    >>> from topologies.parts import catalogue
    >>> read_topology(Path("fabric.xyz"), catalogue())
    Traceback (most recent call last):
    topologies.errors.ConfigError: fabric.xyz: no format has this ending; aifabric import FORMAT FILE names the format
    """
    chosen = format_options(name or recognised(path))
    return chosen.builder(path, parts=parts, **option_values(chosen, options))


def option_values(chosen: "Family", options: Mapping[str, Any]) -> dict[str, Any]:
    """A reader's arguments of the options given; ConfigError for one that it does not have or whose value is none.

    >>> option_values(format_options("astra-sim"), {"accelerator": "h100-sxm"})["accelerator"]
    'h100-sxm'
    """
    from topologies.parameters import parse_value

    typed = {}
    for key, value in options.items():
        if key not in chosen.parameters:
            raise ConfigError(unknown("option", key, chosen.parameters))
        typed[key] = parse_value(chosen.parameters[key], value, chosen.name)
    gathered = {key: value for key, value in typed.items() if chosen.parameters[key].bundle is None}
    for bundle, kind in chosen.bundles.items():
        gathered[bundle] = kind(**{k: v for k, v in typed.items() if chosen.parameters[k].bundle == bundle})
    return gathered


@cache
def format_options(name: str) -> "Family":
    """The reader of a format and the options that it takes, typed and explained by its annotations.

    >>> list(format_options("native").parameters)
    []
    """
    from topologies.parameters import read_family

    if name not in READERS:
        raise ConfigError(unknown("format", name, READERS))
    module, _, function = READERS[name].function.partition(":")
    return read_family(name, getattr(import_module(module), function), supplied=("path", "parts"))


def recognised(path: Path) -> str:
    """The name of the format of a file; ConfigError says what there is where none takes it."""
    from topologies.formats.contents import read_head

    ending = path.suffix.lower()
    taken = {name: reader for name, reader in READERS.items() if ending in reader.endings}
    if ending in SCHEDULES or (ending == ".xml" and re.search(r"<algo\b", read_head(path))):
        raise ConfigError(f"{path}: a schedule, not a fabric; aifabric solve SPEC --schedule {path} runs it")
    if not taken:
        raise ConfigError(f"{path}: no format has this ending; aifabric import FORMAT FILE names the format")
    head = read_head(path)
    for name, reader in taken.items():
        if re.search(reader.mark, head):
            return name
    for name, reader in taken.items():
        if reader.fallback:
            return name
    known = "; ".join(f"{name}: {reader.title}" for name, reader in taken.items())
    raise ConfigError(f"{path}: its first lines are of no {ending} format that is read; there are {known}")
