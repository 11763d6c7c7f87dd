"""Rail-optimised clusters: servers with a scale-up domain inside, and one network of leaves per rail."""

from functools import partial
from math import ceil
from typing import Annotated, Literal

import networkx as nx
import numpy as np

from topologies.blocks import FIXED, Block, Tiers, block_generators, tier_blocks
from topologies.circuit_mesh import mesh_layer
from topologies.circuits import CircuitLayer, strands_of
from topologies.clos import FABRIC_LINK, adapter
from topologies.conditions import OnlyWith
from topologies.errors import ConfigError, TopologyError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Catalogue, CircuitSwitch
from topologies.servers import Chips, Server, add_servers
from topologies.stages import Stages, add_stages, leaf_notes, leaf_ports, plane_link, switch_tier

MESHED = OnlyWith("core", "ocs")


def rail(
    servers: Annotated[int, "servers, each one scale-up domain"],
    rails: Annotated[int | None, "rails of a server; accelerator i is on rail i mod rails; one each by default"] = None,
    planes: Annotated[int, "parallel networks, each at rate/planes"] = 1,
    core: Annotated[
        Literal["spine", "none", "ocs"],
        "what joins the leaves: spines over all rails, nothing between rails, or a mesh through circuit switches",
    ] = "spine",
    switch: Annotated[str, "catalogue name of the leaves, and of what is above by default"] = "qm9700",
    ocs: Annotated[str, "catalogue name of the circuit switch of core=ocs", MESHED] = "palomar-136",
    ocs_optic: Annotated[str, "catalogue name of the modules that face it", MESHED] = "400g-fr4-bidi",
    server: Server = Server(),
    stages: Stages = Stages(),
    link: LinkOptions = FABRIC_LINK,
    *,
    parts: Catalogue,
) -> Topology:
    """Rail-optimised servers (NVIDIA DGX SuperPOD reference architecture; rail-only: Wang et al., HotI 2024).

    Leaf u of rail r takes the accelerators of that rail in server order, as many as half its ports; `core=spine` puts
    one Clos over the leaves of all rails, `core=none` one over the leaves of each rail where a single switch does not
    do, `core=ocs` joins the leaves of a rail directly, every uplink used.

    >>> from topologies.registry import build
    >>> t = build("rail:servers=32"); len(t.accelerators), t.attribute("tier").count(1), t.attribute("tier").count(2)
    (256, 8, 4)
    """
    per_server = rails_of("rail", servers, rails, planes, server)
    if core == "ocs":
        why = "with core=ocs, whose leaves are joined directly; leave it out"
        stages.refuse_idle("rail", why, besides=("oversubscription", "leaf_hosts", "uplinks"))
    lane = plane_link(link, planes)
    graph = nx.Graph()
    gpu_of, chips_of = add_servers(graph, servers, server, adapter(parts, server.nic, link.rate_gbps), parts)
    down, up = _leaf_ports(parts, switch, lane, stages, servers * server.gpus // per_server, core)
    layers: list[CircuitLayer] = []
    copies: list[list[Tiers]] = []
    for plane in range(planes):
        suffix = f"-p{plane}" if planes > 1 else ""
        leaves = add_leaves(graph, gpu_of, per_server, down, switch, lane, server.nic, suffix, parts)
        above = [Tiers([column]) for column in leaves]
        if core == "spine":
            blocks = [leaf for row in zip(*leaves, strict=True) for leaf in row]
            if len(blocks) == 1:
                why = "where one switch is the whole network; leave it out"
                stages.refuse_idle("rail", why, besides=("leaf_hosts",))
            above = [Tiers([blocks])]
            if len(blocks) > 1:
                above = [add_stages(graph, blocks, up, switch, lane, stages, parts, suffix, per_server)]
        elif core == "none" and up:
            above = [
                add_stages(graph, column, up, switch, lane, stages, parts, f"-r{r}{suffix}")
                for r, column in enumerate(leaves)
            ]
        elif core == "ocs":
            layers.append(_add_mesh(graph, leaves, up, ocs, ocs_optic, lane, parts))
        copies.append(above)
    if len(layers) > 1:
        raise ConfigError("rail: core=ocs takes planes=1")
    notes = leaf_notes(lane, stages, (down, up)) if up else ()
    moves = partial(block_generators, alike(gpu_of, chips_of, copies, per_server, down, joined=core == "spine"))
    circuits = layers[0] if layers else None
    return Topology("rail", "rail", {}, graph, parts, circuits=circuits, notes=notes, generators=moves)


def rails_of(family: str, servers: int, rails: int | None, planes: int, server: Server) -> int:
    """Rails of a server; ConfigError where they do not divide its accelerators, or nothing is left to join."""
    per_server = server.gpus if rails is None else rails
    if server.gpus % per_server:
        raise ConfigError(f"{family}: {per_server} rails do not divide the {server.gpus} accelerators of a server")
    if servers < 2:
        raise ConfigError(f"{family}: servers = 1 needs no rails; use nvl or at least 2 servers")
    limit_nodes(family, servers * server.gpus * (1 + planes))
    return per_server


def _leaf_ports(
    parts: Catalogue, switch: str, link: LinkOptions, stages: Stages, hosts: int, core: str
) -> tuple[int, int]:
    """Ports down and up of a leaf; none up where one switch is the whole network of a rail."""
    ports = switch_tier(parts, switch, link).ports
    split = (stages.oversubscription, stages.leaf_hosts, stages.uplinks) != (1, None, None)
    if core == "none" and hosts <= ports and not split:
        stages.refuse_idle("rail", "where one switch is a whole rail network; leave it out")
        return ports, 0
    return leaf_ports(parts, switch, link, stages)


def add_leaves(
    graph: nx.Graph,
    gpu_of: list[list[str]],
    rails: int,
    down: int,
    switch: str,
    link: LinkOptions,
    nic: str,
    suffix: str,
    parts: Catalogue,
) -> list[list[str]]:
    """Leaves by rail: each takes `down` accelerators of its rail, in server order."""
    tier = switch_tier(parts, switch, link)
    attributes = link.attributes(parts, nic=nic)
    leaves = []
    for r in range(rails):
        hosts = [g for server in gpu_of for g in server[r::rails]]
        column = [f"leaf-{u}-r{r}{suffix}" for u in range(ceil(len(hosts) / down))]
        graph.add_nodes_from(column, **tier.attributes(1))
        graph.add_edges_from(((h, column[i // down]) for i, h in enumerate(hosts)), **attributes)
        leaves.append(column)
    return leaves


def alike(
    gpu_of: list[list[str]],
    chips_of: list[Chips],
    copies: list[list[Tiers]],
    rails: int,
    down: int,
    *,
    joined: bool,
    shared: int = 1,
) -> list[Block]:
    """What changes places: accelerators of a server on one leaf, servers of a leaf, rails, chips, and what is above.

    `copies` are the networks by plane, and by rail unless one network is `joined` over all rails; `shared` planes have
    one network, and rails then stay where they are.
    """
    lanes = len(gpu_of[0]) // rails
    gpus = np.array(gpu_of, dtype=object).reshape(len(gpu_of), lanes, rails)
    chips = [np.array(names, dtype=object) for names in zip(*chips_of, strict=True)]
    axes, along = (("plane", FIXED), "rail" if shared == 1 else FIXED) if joined else (("plane", "rail"), FIXED)
    unit = rails * shared if joined else 1
    if down % lanes:  # servers straddle leaves
        cuts = np.arange(len(gpu_of) * lanes).reshape(-1, lanes) // down
        segments: dict[int, list[object]] = {}
        for server, leaf in enumerate(cuts):
            for part in np.split(gpus[server], np.flatnonzero(np.diff(leaf)) + 1):
                segments.setdefault(len(part), []).append(part)
        twins = [Block(parts, (FIXED, f"twin {size}", "rail")) for size, parts in segments.items()]
        inside = [Block(names, (FIXED, f"chip {i}")) for i, names in enumerate(chips) if names.size]
        nothing: list[list[Block]] = [[]] * (sum(map(len, copies[0][0].pods)) // unit)
        return [*twins, *inside, *tier_blocks(copies, axes, nothing, unit=unit, along=along)]
    below = []
    for first in range(0, len(gpu_of), down // lanes):
        here = slice(first, first + down // lanes)
        own = [Block(gpus[here], ("server", "twin", "rail"))]
        own += [Block(names[here], ("server", f"chip {i}")) for i, names in enumerate(chips) if names.size]
        below.append(own)
    return tier_blocks(copies, axes, below, unit=unit, along=along)


def _add_mesh(
    graph: nx.Graph,
    leaves: list[list[str]],
    up: int,
    ocs: str,
    optic: str,
    link: LinkOptions,
    parts: Catalogue,
) -> CircuitLayer:
    """The leaves of each rail meshed through circuit switches, as few as strands allow."""
    device = parts.part(ocs, CircuitSwitch)
    size = len(leaves[0])
    usable = device.usable_ports
    if size < 2 or size > usable:
        raise TopologyError(
            f"rail: core=ocs meshes 2 to {usable} leaves a rail through {ocs}, not {size}; use another core or switch"
        )
    options = LinkOptions(link.rate_gbps, None, 2 * link.length_m, cable=optic)
    fibres, lanes = strands_of(options.row(parts), link.rate_gbps)
    circuit = options.attributes(parts, circuit=True)
    layer = mesh_layer(device, leaves, up, circuit, fibres=fibres, lanes=lanes)
    layer.add_circuits(graph)
    return layer
