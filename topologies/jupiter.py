"""Jupiter: aggregation blocks joined directly through circuit switches, or under a spine of packet switches."""

from dataclasses import replace
from functools import partial
from math import ceil
from typing import Annotated, Literal

import networkx as nx

from topologies.blocks import Block, block_generators
from topologies.circuits import CircuitLayer, mesh_layer
from topologies.clos import join, switch_tier
from topologies.errors import ConfigError, TopologyError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue, CircuitSwitch, Switch


def jupiter(
    blocks: Annotated[int, "aggregation blocks"] = 64,
    uplinks: Annotated[int, "uplinks of a block, even"] = 512,
    hosts: Annotated[int | None, "end points of a block; as many as uplinks by default"] = None,
    spine: Annotated[bool, "a spine of packet switches in place of the circuit switches"] = False,
    boundary: Annotated[
        Literal["spine", "blocks+spine", "hosts+blocks+spine"],
        "what watts and dollars count: the spine layer (modules, circuit or spine switches), blocks, host links",
    ] = "blocks+spine",
    switch: Annotated[str, "catalogue name of the switches of blocks and spine"] = "th5-64x800g",
    ocs: Annotated[str, "catalogue name of the circuit switch"] = "palomar-136",
    optic: Annotated[str, "catalogue name of the modules under a spine"] = "400g-fr4",
    ocs_optic: Annotated[str, "catalogue name of the modules that face circuit switches"] = "400g-fr4-bidi",
    rate_gbps: Annotated[float, "one direction of one link, Gb/s"] = 400.0,
    latency_ns: Annotated[float | None, "of one uplink; default from module and length"] = None,
    length_m: Annotated[float, "fibre from a block to a switch"] = 100.0,
    accelerator: Annotated[str, "catalogue name of an end point"] = "generic",
    *,
    parts: Catalogue,
) -> Topology:
    """Google Jupiter (Poutievski et al., SIGCOMM 2022, sections 3 and 4).

    A block is one switch node, ideal inside, whose `parts` hold its one stage of switches: uplinks and host links
    together over a switch's capacity. Without a spine every uplink is a strand to a circuit switch, half of a block's
    on side A and half on side B of each, and blocks are joined pairwise by floor or ceil of uplinks/(blocks - 1) links.

    >>> from topologies.registry import build
    >>> t = build("jupiter-64x512"); t.circuits.devices, len(t.accelerators)
    (128, 32768)
    """
    if blocks < 2:
        raise ConfigError("jupiter: blocks = 1 joins nothing; give at least 2")
    ends = uplinks if hosts is None else hosts
    limit_nodes("jupiter", blocks * (ends + uplinks + 1))
    link = LinkOptions(rate_gbps, latency_ns, length_m)
    parts.part(accelerator, Accelerator)
    capacity = parts.part(switch, Switch).capacity_gbps
    inside = ceil((uplinks + ends) * link.rate_gbps / capacity - 1e-9)
    graph = nx.Graph()
    names = [f"block-{b}" for b in range(blocks)]
    labels = [[f"host-{b}-{h}" for h in range(ends)] for b in range(blocks)]
    for block in labels:
        graph.add_nodes_from(block, kind="accelerator", forwards=False, part=accelerator)
    graph.add_nodes_from(names, kind="switch", forwards=True, tier=1, parts={switch: inside}, layer="blocks")
    host_link = LinkOptions(link.rate_gbps, length_m=2.0).attributes(parts)
    host_link["layer"] = "hosts"
    for name, block in zip(names, labels, strict=True):
        graph.add_edges_from(((h, name) for h in block), **host_link)
    alike = [Block(names, ("block",)), Block(labels, ("block", "host"))]
    if spine:
        spines = _add_spine(graph, names, uplinks, switch, optic, link, parts)
        moves = partial(block_generators, [*alike, Block(spines, ("spine",))])
        return within(Topology("jupiter", "jupiter", {}, graph, parts, generators=moves), boundary)
    layer = _mesh(graph, names, uplinks, ocs, ocs_optic, link, parts)
    moves = partial(block_generators, alike)
    return within(Topology("jupiter", "jupiter", {}, graph, parts, circuits=layer, generators=moves), boundary)


def within(topology: Topology, boundary: str) -> Topology:
    """The same fabric with watts and dollars counted inside another boundary.

    >>> from topologies.registry import build
    >>> sorted(within(build("jupiter:blocks=4,uplinks=6"), "spine").left_out)
    ['blocks', 'hosts']
    """
    return replace(topology, left_out=frozenset({"hosts", "blocks"} - set(boundary.split("+"))))


def _add_spine(
    graph: nx.Graph,
    blocks: list[str],
    uplinks: int,
    switch: str,
    optic: str,
    link: LinkOptions,
    parts: Catalogue,
) -> list[str]:
    lane = LinkOptions(link.rate_gbps, link.latency_ns, link.length_m, cable=optic)
    tier = switch_tier(parts, switch, lane)
    count = ceil(len(blocks) * uplinks / tier.ports)
    if len(blocks) > tier.ports:
        raise TopologyError(f"jupiter: {len(blocks)} blocks exceed the {tier.ports} ports of one {switch}")
    spines = [f"spine-{j}" for j in range(count)]
    graph.add_nodes_from(spines, **tier.attributes(2))
    join(graph, blocks, spines, uplinks, lane, parts)
    return spines


def _mesh(
    graph: nx.Graph,
    blocks: list[str],
    uplinks: int,
    ocs: str,
    optic: str,
    link: LinkOptions,
    parts: Catalogue,
) -> CircuitLayer:
    device = parts.part(ocs, CircuitSwitch)
    per_device = device.usable_ports // len(blocks)
    if not per_device:
        raise TopologyError(
            f"jupiter: {len(blocks)} blocks need as many ports on either side of a {ocs}, which has "
            f"{device.usable_ports} beside its spares; use a larger one"
        )
    lane = LinkOptions(link.rate_gbps, link.latency_ns, 2 * link.length_m, cable=optic)
    circuit = lane.attributes(parts, circuit=True)
    layer = mesh_layer(device, [blocks], uplinks, circuit, devices=ceil(uplinks / 2 / per_device))
    layer.add_circuits(graph)
    return layer
