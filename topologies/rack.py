"""Scale-up domains: accelerators joined by one or two layers of switch chips (NVLink, UALink)."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import ceil
from typing import Annotated

import networkx as nx

from topologies.blocks import Block, block_generators, tier_blocks
from topologies.cabling import AUTO, OPTICS, carries
from topologies.clos import hosts_below
from topologies.conditions import OnlyWith
from topologies.errors import ConfigError, TopologyError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue, Optic
from topologies.stages import LeafSpine, Tier, add_stages, leaf_notes, leaf_ports, switch_tier

MODULE_GBPS = 1600.0  # optics of a scale-up domain have its 200G lanes: eight to a module


def nvl(
    gpus: Annotated[int, "accelerators of the domain"] = 72,
    links: Annotated[int | None, "scale-up links of each; the accelerator's own by default"] = None,
    switches: Annotated[int | None, "first-layer chips; the least that fit by default"] = None,
    layers: Annotated[int, "1, or 2 where the domain outgrows a chip"] = 1,
    gpus_per_tray: Annotated[int, "accelerators that share a face plate"] = 4,
    switches_per_tray: Annotated[int, "chips that share a face plate", OnlyWith("layers", 1)] = 2,
    switch: Annotated[str, "catalogue name of the switch chip"] = "nvswitch4",
    rate_gbps: Annotated[float | None, "of one link, one direction; the accelerator's own by default"] = None,
    latency_ns: Annotated[float | None, "of one link; default from cable and length"] = None,
    length_m: Annotated[float, "cable length"] = 1.0,
    technology: Annotated[
        str, "cartridge, board, dac, pluggable, lpo, cpo, ...: names the default cable; auto: cartridge or pluggable"
    ] = "cartridge",
    cable: Annotated[str | None, "catalogue name of cable or optic, in place of the technology's default"] = None,
    accelerator: Annotated[str, "catalogue name"] = "gb200",
    stages: LeafSpine = LeafSpine(),
    *,
    parts: Catalogue,
) -> Topology:
    """One scale-up domain: link i of every accelerator goes to switch chip i, or to plane i of a leaf-spine of chips.

    With two layers `leaf_hosts` and what follows say what a first-layer chip has below and above it: 36 links each
    on a chip of 72 ports by default.

    Source: NVIDIA GB200 NVL72, GTC 2024: 18 links a GPU, one to each of 18 chips.

    >>> from topologies.registry import build
    >>> build("nvl72").links
    1296
    """
    if gpus < 2:
        raise ConfigError("nvl: gpus = 1 joins nothing; give at least 2")
    if layers not in (1, 2):
        raise ConfigError(f"nvl: layers = {layers} is not 1 or 2")
    row = parts.part(accelerator, Accelerator)
    per_gpu = links or int(row.known("scaleup_links"))
    if per_gpu < 1:
        raise ConfigError(f"nvl: {accelerator} has no links to switch chips; name another accelerator")
    if row.scaleup_links is not None and per_gpu > row.scaleup_links:
        raise ConfigError(f"nvl: {accelerator} has {row.scaleup_links} links, not {per_gpu}; name another accelerator")
    if layers == 2 and switches is not None:
        raise ConfigError("nvl: switches has no effect with layers=2, where every link has its plane; leave it out")
    if layers == 1:
        stages.refuse_idle("nvl", "with layers=1; leave it out or give layers=2")
    limit_nodes("nvl", gpus * (1 + per_gpu))
    rate = row.known("scaleup_link_gbps") if rate_gbps is None else rate_gbps
    if cable is None and technology == AUTO:  # what is made for these links: the cartridge, or modules
        technology = "cartridge" if carries(parts.default_cable("cartridge", rate), length_m, parts) else OPTICS
    if cable is None:
        cable = _modules(parts, technology)
    if stages.uplink_technology is not None and stages.uplink_cable is None:
        stages = replace(stages, uplink_cable=_modules(parts, stages.uplink_technology))
    link = LinkOptions(rate, latency_ns, length_m, technology, cable)
    graph = nx.Graph()
    labels = [f"gpu-{i}" for i in range(gpus)]
    for i, label in enumerate(labels):
        tray = f"tray-{i // gpus_per_tray}"
        graph.add_node(label, kind="accelerator", forwards=False, part=accelerator, domain="nvl", tray=tray)
    tier = switch_tier(parts, switch, link)
    notes: tuple[str, ...] = ()
    if layers == 1:
        chips = add_domain(graph, labels, per_gpu, switches, tier, link, parts, per_tray=switches_per_tray)
        blocks = [Block(labels, ("gpu",)), *chip_blocks(chips)]
    else:
        blocks, notes = _add_planes(graph, labels, per_gpu, switch, link, stages, parts)
    return Topology("nvl", "nvl", {}, graph, parts, notes=notes, generators=partial(block_generators, blocks))


def _modules(parts: Catalogue, technology: str) -> str | None:
    """The optic of a domain's links where the technology is one of modules."""
    optical = {optic.technology for optic in parts.of_kind(Optic)}
    return parts.default_cable(technology, MODULE_GBPS).name if technology in optical else None


def add_domain(
    graph: nx.Graph,
    labels: Sequence[str],
    links: int,
    chips: int | None,
    tier: Tier,
    link: LinkOptions,
    parts: Catalogue,
    *,
    prefix: str = "",
    per_tray: int = 1,
) -> tuple[list[str], list[str]]:
    """Join accelerators through one layer of chips, links dealt to the chips in turn (H100: 18 on 4 chips, 5 5 4 4).

    Returns the chips with one link more and the others.
    """
    needed = next((c for c in range(1, links + 1) if len(labels) * ceil(links / c) <= tier.ports), None)
    if needed is None:
        raise TopologyError(
            f"{len(labels)} accelerators exceed the {tier.ports} ports of {tier.part} at this rate; "
            "use a larger switch, or nvl with layers=2"
        )
    if chips is not None and chips > links:
        raise ConfigError(f"{chips} switch chips exceed the {links} links of an accelerator")
    count = chips or needed
    if len(labels) * ceil(links / count) > tier.ports:
        raise TopologyError(
            f"{len(labels)} accelerators with {links} links on {count} chips exceed {tier.ports} ports of {tier.part}"
        )
    names = [f"{prefix}nvs-{chip}" for chip in range(count)]
    for chip, name in enumerate(names):
        graph.add_node(name, **tier.attributes(0), tray=f"{prefix}nvs-tray-{chip // per_tray}")
        parallel = links // count + (chip < links % count)
        graph.add_edges_from(((label, name) for label in labels), **link.attributes(parts, count=parallel))
    return names[: links % count], names[links % count :]


def chip_blocks(chips: tuple[list[str], list[str]]) -> list[Block]:
    """Chips with as many links as each other change places."""
    return [Block(names, (f"chip {i}",)) for i, names in enumerate(chips) if names]


def _add_planes(
    graph: nx.Graph,
    labels: Sequence[str],
    links: int,
    switch: str,
    link: LinkOptions,
    stages: LeafSpine,
    parts: Catalogue,
) -> tuple[list[Block], tuple[str, ...]]:
    """Two layers: plane i takes link i of every accelerator through leaf chips; and a note on an uneven split."""
    down, up = leaf_ports(parts, switch, link, stages)
    tier, attributes = switch_tier(parts, switch, link), link.attributes(parts)
    copies = []
    for plane in range(links):
        leaves = [f"nvs-{plane}-{i}" for i in range(ceil(len(labels) / down))]
        graph.add_nodes_from(leaves, **tier.attributes(0))
        graph.add_edges_from(((label, leaves[i // down]) for i, label in enumerate(labels)), **attributes)
        copies.append(add_stages(graph, leaves, up, switch, link, stages, parts, f"-n{plane}"))
    return tier_blocks(copies, ("plane",), hosts_below(labels, down)), leaf_notes(link, stages, (down, up))
