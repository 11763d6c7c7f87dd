"""A network of ASTRA-sim's analytical backend: dimensions of rings, full meshes and switches, multiplied out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, Any

from topologies.errors import ConfigError
from topologies.formats.contents import not_negative, positive, short, whole
from topologies.formats.draft import Cabling, Draft
from topologies.formats.yaml_documents import read_yaml, rows, table
from topologies.graph import Grid, Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Catalogue

WANTED = "a network file of ASTRA-sim's analytical backend"
BLOCKS = ("Ring", "FullyConnected", "Switch")
KEYS = ("topology", "npus_count", "bandwidth", "latency")
MAX_EDGES = 4_000_000
MAX_DIMENSIONS = 16


@dataclass(frozen=True, slots=True)
class _Dimension:
    """One dimension of the product, and its links."""

    block: str
    npus: int
    link: LinkOptions

    @property
    def edges_per_npu(self) -> float:
        """Edges of the dimension for each accelerator."""
        return (self.npus - 1) / 2 if self.block == "FullyConnected" else float(self.npus > 1)


def read_astra_sim(
    path: Path,
    accelerator: Annotated[str | None, "catalogue name of the NPUs, which the file does not name"] = None,
    cabling: Cabling = Cabling(),
    *,
    parts: Catalogue,
) -> Topology:
    """A network file of ASTRA-sim's analytical backend: `topology`, `npus_count`, `bandwidth` in GB/s, `latency` in ns.

    The dimensions are multiplied out, that of neighbouring ranks first: accelerator x + X y + X Y z lies on ring, full
    mesh or switch number (y, z) of the first dimension, and so on. A ring of two is one link. Where there are rings or
    several dimensions, accelerators pass on what is not theirs. A first dimension that is no ring is a domain.

    ConfigError names the key that is wrong.
    """
    document = table(read_yaml(path, WANTED), str(path), "the file")
    dimensions = _dimensions(document, path, cabling)
    sizes = [d.npus for d in dimensions]
    n = prod(sizes)
    limit_nodes(str(path), n)
    if n * sum(d.edges_per_npu for d in dimensions) > MAX_EDGES:
        raise ConfigError(f"{path}: npus_count = {sizes} has more than {MAX_EDGES:,} links; give fewer")
    draft = Draft(path, "astra-sim", parts)
    relays = len([d for d in dimensions if d.npus > 1]) > 1 or any(d.block == "Ring" and d.npus > 2 for d in dimensions)
    inner = dimensions[0].npus if len(dimensions) > 1 and dimensions[0].block != "Ring" else None
    for rank in range(n):
        domain = {} if inner is None else {"domain": f"group-{rank // inner}"}
        draft.accelerator(f"npu-{rank}", str(path), accelerator, **domain)
        draft.graph.nodes[f"npu-{rank}"]["forwards"] = relays
    for i, dimension in enumerate(dimensions):
        _add_dimension(draft, sizes, i, dimension, scale_up=i == 0 and len(dimensions) > 1)
    rings = all(d.block == "Ring" for d in dimensions)
    grid = Grid(tuple(sizes), tuple(size > 2 for size in sizes)) if rings and len(sizes) else None
    return draft.topology(_notes(dimensions, document, relays, inner, cabling), grid=grid)


def _dimensions(document: dict[str, Any], path: Path, cabling: Cabling) -> list[_Dimension]:
    columns = {}
    for key in KEYS:
        if key not in document:
            raise ConfigError(f"{path}: no {key}; {WANTED} has {', '.join(KEYS)}")
        columns[key] = rows(document[key], str(path), key)
    lengths = {key: len(column) for key, column in columns.items()}
    if len(set(lengths.values())) > 1 or not 1 <= lengths["topology"] <= MAX_DIMENSIONS:
        listed = ", ".join(f"{length} {key}" for key, length in lengths.items())
        raise ConfigError(f"{path}: {listed}; give each dimension one of each, at most {MAX_DIMENSIONS}")
    found = []
    for i, (block, npus, bandwidth, latency) in enumerate(zip(*columns.values(), strict=True)):
        where = f"{path}: dimension {i + 1}"
        if block not in BLOCKS:
            raise ConfigError(f"{where}: topology {short(block)} is not read; there are {', '.join(BLOCKS)}")
        rate = 8 * positive(bandwidth, where, "bandwidth")
        delay = not_negative(latency, where, "latency")
        found.append(_Dimension(block, whole(npus, where, "npus_count"), cabling.link(rate, latency_ns=delay)))
    return found


def _add_dimension(draft: Draft, sizes: Sequence[int], axis: int, dimension: _Dimension, *, scale_up: bool) -> None:
    """The lines of accelerators along one axis, each a ring, a full mesh or the ends of a switch."""
    size, stride = sizes[axis], prod(sizes[:axis])
    if size == 1:
        return
    where, outer = f"{draft.path}: dimension {axis + 1}", prod(sizes[axis + 1 :])
    for number, (high, low) in enumerate(product(range(outer), range(stride))):
        line = [f"npu-{high * size * stride + i * stride + low}" for i in range(size)]
        if dimension.block == "Switch":
            name = f"switch-{axis + 1}-{number}"
            draft.switch(name, where, tier=0 if scale_up else axis + 1)
            pairs = [(npu, name) for npu in line]
        elif dimension.block == "Ring":
            pairs = list(zip(line, line[1:] + line[:1], strict=True))[: size if size > 2 else 1]
        else:
            pairs = [(a, b) for i, a in enumerate(line) for b in line[i + 1 :]]
        for a, b in pairs:
            draft.link(a, b, where, dimension.link)


def _notes(
    dimensions: Sequence[_Dimension], document: dict[str, Any], relays: bool, inner: int | None, cabling: Cabling
) -> list[str]:
    shape = ", ".join(f"{d.block} of {d.npus} at {d.link.rate_gbps / 8:g} GB/s" for d in dimensions)
    notes = [f"dimensions: {shape}; a switch has neither ports nor latency of its own, the file's latency is a link's"]
    notes.append("bandwidth is taken as 10^9 bytes a second; ASTRA-sim's own backend multiplies by 2^30")
    if relays:
        notes.append("accelerators pass on what is not theirs: from one dimension to the next, and round rings")
    if inner is not None:
        notes.append(f"the first dimension is taken as the scale-up domain: groups of {inner}")
    ignored = [key for key in document if key not in KEYS]
    if ignored:
        notes.append(f"not read: {', '.join(short(key) for key in ignored[:10])}")
    return [*notes, cabling.note()]
