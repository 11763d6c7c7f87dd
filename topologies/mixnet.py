"""MixNet: servers with a few adapters on a packet network and the others on circuit switches of their region."""

from functools import partial
from math import ceil
from typing import Annotated, Literal

import networkx as nx
import numpy as np

from topologies.blocks import Block, block_generators
from topologies.clos import adapter
from topologies.errors import ConfigError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Catalogue, CircuitSwitch
from topologies.rounds import Round, circuit_link, regular_rounds, rounds_layer
from topologies.servers import Chips, Server, add_servers
from topologies.stages import Stages, add_stages, leaf_notes, leaf_ports, switch_tier

PCIE_M = 0.3


def mixnet(
    servers: Annotated[int, "servers, each one scale-up domain"],
    region: Annotated[int, "servers that share circuit switches"] = 8,
    packet_nics: Annotated[int, "adapters of a server on the packet network; the others face circuit switches"] = 2,
    boundary: Annotated[
        Literal["network", "scale-up+network"], "what watts and dollars count: with or without the chips of servers"
    ] = "scale-up+network",
    ocs: Annotated[str, "catalogue name of the circuit switch"] = "polatis-576",
    optic: Annotated[str, "catalogue name of the modules that face it"] = "400g-fr4",
    packet_optic: Annotated[str, "catalogue name of the modules of the packet network"] = "400g-dr4",
    rate_gbps: Annotated[float, "of an adapter, one direction, Gb/s"] = 400.0,
    length_m: Annotated[float, "fibre from a server to a leaf or a circuit switch, and between packet switches"] = 30.0,
    switch: Annotated[str, "catalogue name of the packet switches"] = "th4-64x400g",
    server: Server = Server(),
    stages: Stages = Stages(),
    *,
    parts: Catalogue,
) -> Topology:
    """A packet fat tree and regional circuit switches beside it (Liao et al., MixNet, SIGCOMM 2025, sections 4 and 5).

    Of 8 adapters 2 face packet switches and 6 the circuit switches of the region, whose state joins its servers as
    evenly as can be (the paper's changes with the traffic). All accelerators of a server reach all its adapters, each
    at the rate of one; a server passes on what has no circuit of its own, and regions meet in the packet network.

    >>> from topologies.registry import build
    >>> t = build("mixnet:servers=16,region=4"); len(t.accelerators), t.graph.edges["nics-0", "nics-1"]["count"]
    (128, 2)
    """
    gpus = server.gpus
    circuit_nics = gpus - packet_nics
    if circuit_nics < 1:
        raise ConfigError(f"mixnet: packet_nics = {packet_nics} leaves no adapter of {gpus} for circuits; give fewer")
    if servers < 2 or region < 2 or servers % region:
        raise ConfigError(f"mixnet: region = {region} does not divide {servers} servers; give one from 2 that does")
    limit_nodes("mixnet", servers * (2 * gpus + 2))
    graph = nx.Graph()
    own = adapter(parts, server.nic, rate_gbps)
    gpu_of, chips_of = add_servers(graph, servers, server, own, parts)
    for a, b in list(graph.edges):
        graph.edges[a, b]["layer"] = "scale-up"
    for chips in chips_of:
        for chip in (*chips[0], *chips[1]):
            graph.nodes[chip]["layer"] = "scale-up"
    nics = _add_nics(graph, gpu_of, own, rate_gbps, parts)
    lane = LinkOptions(rate_gbps, length_m=length_m, cable=packet_optic)
    notes = _add_packet(graph, nics, packet_nics, switch, stages, lane, parts)
    circuit, strands = circuit_link(parts, optic, rate_gbps, None, length_m)
    rounds, free = regular_rounds(region, circuit_nics)
    starts = np.arange(0, servers, region)
    every = [Round(first + each.left, first + each.right) for first in starts for each in rounds]
    names = [f"server-{s}" for s in range(servers)]
    layer = rounds_layer("mixnet", parts.part(ocs, CircuitSwitch), nics, every, circuit, strands, blocks=names)
    layer.add_circuits(graph)
    said = [f"{free} circuit port of each server stays free: regions of {region} are odd"] if free else []
    if region - 1 > circuit_nics:
        said.append("servers of a region without a circuit between them reach each other through a third")
    left_out = frozenset({"scale-up"} - set(boundary.split("+")))
    moves = partial(block_generators, _alike(gpu_of, chips_of, region))
    return Topology(
        "mixnet", "mixnet", {}, graph, parts,
        circuits=layer, notes=(*notes, *said), left_out=left_out, generators=moves,
    )  # fmt: skip


def _alike(gpu_of: list[list[str]], chips_of: list[Chips], region: int) -> list[Block]:
    """What may change places: regions, the servers of each, their accelerators with their adapters, and chips."""
    servers, gpus = len(gpu_of), len(gpu_of[0])
    shape = (servers // region, region)
    nic_of = [[f"nic-{s}-{g}" for g in range(gpus)] for s in range(servers)]
    axes = ("region", "server")
    blocks = [Block(np.array(rows, dtype=object).reshape(*shape, gpus), (*axes, "gpu")) for rows in (gpu_of, nic_of)]
    blocks.append(Block(np.array([f"nics-{s}" for s in range(servers)], dtype=object).reshape(shape), axes))
    for i, rows in enumerate(zip(*chips_of, strict=True)):
        if rows[0]:
            blocks.append(Block(np.array(rows, dtype=object).reshape(*shape, -1), (*axes, f"chip {i}")))
    return blocks


def _add_nics(graph: nx.Graph, gpu_of: list[list[str]], nic: str, rate_gbps: float, parts: Catalogue) -> list[str]:
    """The adapters of each server as one node, which an accelerator reaches at the rate of its own adapter.

    A node of its own stands between them, so that no path between accelerators of a server is as short as that through
    the chips.
    """
    nics = [f"nics-{s}" for s in range(len(gpu_of))]
    pcie = LinkOptions(rate_gbps, length_m=PCIE_M, cable="pcie").attributes(parts, nic=nic)
    for s, (name, row) in enumerate(zip(nics, gpu_of, strict=True)):
        graph.add_node(name, kind="nic", forwards=True, tray=f"server-{s}/0")
        own = [f"nic-{s}-{g}" for g in range(len(row))]
        graph.add_nodes_from(own, kind="nic", forwards=True)
        graph.add_edges_from(zip(row, own, strict=True), **pcie)
        graph.add_edges_from(((one, name) for one in own), **{**pcie, "latency_ns": 0.0})
    return nics


def _add_packet(
    graph: nx.Graph,
    nics: list[str],
    each: int,
    switch: str,
    stages: Stages,
    lane: LinkOptions,
    parts: Catalogue,
) -> tuple[str, ...]:
    """Leaves that take all packet adapters of as many servers as fit, and the tiers above them."""
    tier = switch_tier(parts, switch, lane)
    alone = len(nics) * each <= tier.ports
    if alone:
        stages.refuse_idle("mixnet", f"where one {switch} takes all packet adapters; leave it out")
    down, up = (tier.ports, 0) if alone else leaf_ports(parts, switch, lane, stages)
    size = down // each
    if not size:
        raise ConfigError(f"mixnet: packet_nics = {each} exceed the {down} ports that a leaf has for them")
    leaves = [f"leaf-{i}" for i in range(ceil(len(nics) / size))]
    graph.add_nodes_from(leaves, **tier.attributes(1))
    attributes = lane.attributes(parts, count=each)
    graph.add_edges_from(((name, leaves[s // size]) for s, name in enumerate(nics)), **attributes)
    if alone:
        return ()
    add_stages(graph, leaves, up, switch, lane, stages, parts)
    return leaf_notes(lane, stages, (down, up))
