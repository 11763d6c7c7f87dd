"""Rail-optimised clusters: servers with a scale-up domain inside, and one network of leaves per rail."""

from functools import partial
from math import ceil
from typing import Annotated, Literal

import networkx as nx
import numpy as np

from topologies.blocks import FIXED, Block, Tiers, block_generators, tier_blocks
from topologies.circuit_mesh import mesh_layer
from topologies.circuits import CircuitLayer, strands_of
from topologies.clos import FABRIC_LINK, Tier, adapter, add_tiers, leaf_split, plane_link, switch_tier, taper
from topologies.conditions import OnlyWith
from topologies.errors import ConfigError, TopologyError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue, CircuitSwitch
from topologies.rack import add_domain

MESHED = OnlyWith("core", "ocs")


def rail(
    servers: Annotated[int, "servers, each one scale-up domain"],
    gpus: Annotated[int, "accelerators of a server"] = 8,
    rails: Annotated[int | None, "rails of a server; accelerator i is on rail i mod rails; one each by default"] = None,
    planes: Annotated[int, "parallel networks, each at rate/planes"] = 1,
    core: Annotated[
        Literal["spine", "none", "ocs"],
        "what joins the leaves: spines over all rails, nothing between rails, or a mesh through circuit switches",
    ] = "spine",
    oversubscription: Annotated[float, "downlinks over uplinks of a leaf"] = 1.0,
    tiers: Annotated[int | None, "stages of switches, 2 or 3; as few as fit by default"] = None,
    switch: Annotated[str, "catalogue name of leaf, spine and core"] = "qm9700",
    nic: Annotated[str, "catalogue name of each accelerator's adapter"] = "cx7-400g",
    ocs: Annotated[str, "catalogue name of the circuit switch of core=ocs", MESHED] = "palomar-136",
    ocs_optic: Annotated[str, "catalogue name of the modules that face it", MESHED] = "400g-fr4-bidi",
    scaleup_switch: Annotated[str, "catalogue name of the chip inside the server"] = "nvswitch3",
    scaleup_switches: Annotated[int | None, "chips inside the server; the least that fit by default"] = 4,
    scaleup_cable: Annotated[str, "catalogue name of the links inside the server"] = "nvlink4-board",
    gpus_per_tray: Annotated[int | None, "accelerators that share a face plate; the server's by default"] = None,
    link: LinkOptions = FABRIC_LINK,
    accelerator: Annotated[str, "catalogue name"] = "h100-sxm",
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
    per_server = gpus if rails is None else rails
    if gpus % per_server:
        raise ConfigError(f"rail: {per_server} rails do not divide the {gpus} accelerators of a server")
    if servers < 2:
        raise ConfigError("rail: servers = 1 needs no rails; use nvl or at least 2 servers")
    if tiers is not None and core == "ocs":
        raise ConfigError("rail: tiers has no effect with core=ocs, whose leaves are joined directly; leave it out")
    limit_nodes("rail", servers * gpus * (1 + planes))
    lane = plane_link(link, planes)
    graph = nx.Graph()
    own = adapter(parts, nic, link.rate_gbps)
    inside = (scaleup_switch, scaleup_switches, scaleup_cable)
    gpu_of, chips_of = _add_servers(graph, servers, gpus, *inside, gpus_per_tray, own, accelerator, parts)
    tier = switch_tier(parts, switch, lane)
    layers: list[CircuitLayer] = []
    copies: list[list[Tiers]] = []
    for plane in range(planes):
        suffix = f"-p{plane}" if planes > 1 else ""
        leaves, down, up = _add_leaves(
            graph, gpu_of, per_server, core, oversubscription, tier, lane, nic, suffix, parts
        )
        above = [Tiers([column]) for column in leaves]
        if core == "spine":
            blocks = [leaf for column in zip(*leaves, strict=True) for leaf in column]
            above = [Tiers([blocks])]
            if len(blocks) == 1 and (tiers is not None or oversubscription != 1):
                raise _without_effect(tiers)
            if len(blocks) > 1:
                above = [add_tiers(graph, blocks, up, tier, lane, parts, tiers=tiers, suffix=suffix)]
        elif core == "none" and up:
            above = [
                add_tiers(graph, column, up, tier, lane, parts, tiers=tiers, suffix=f"-r{r}{suffix}")
                for r, column in enumerate(leaves)
            ]
        elif core == "none" and (tiers is not None or oversubscription != 1):
            raise _without_effect(tiers)
        elif core == "ocs":
            layers.append(_add_mesh(graph, leaves, up, ocs, ocs_optic, lane, parts))
        copies.append(above)
    if len(layers) > 1:
        raise ConfigError("rail: core=ocs takes planes=1")
    notes = taper(*leaf_split(tier.ports, oversubscription), oversubscription)
    moves = partial(block_generators, _alike(gpu_of, chips_of, copies, per_server, down, joined=core == "spine"))
    circuits = layers[0] if layers else None
    return Topology("rail", "rail", {}, graph, parts, circuits=circuits, notes=notes, generators=moves)


def _without_effect(tiers: int | None) -> ConfigError:
    key = "oversubscription" if tiers is None else "tiers"
    return ConfigError(f"rail: {key} has no effect where one switch is a whole rail network; leave it out")


def _add_servers(
    graph: nx.Graph,
    servers: int,
    gpus: int,
    chip: str,
    chips: int | None,
    cable: str,
    gpus_per_tray: int | None,
    nic: str,
    accelerator: str,
    parts: Catalogue,
) -> tuple[list[list[str]], list[tuple[list[str], list[str]]]]:
    """Servers with their scale-up domains; accelerators by server, and chips by server and number of links."""
    row = parts.part(accelerator, Accelerator)
    scaleup = LinkOptions(rate_gbps=row.known("scaleup_link_gbps"), cable=cable, length_m=_length(parts, cable))
    tier = switch_tier(parts, chip, scaleup)
    per_tray = gpus_per_tray or gpus
    labels = [[f"gpu-{s}-{g}" for g in range(gpus)] for s in range(servers)]
    for s, server in enumerate(labels):
        for g, label in enumerate(server):
            graph.add_node(
                label,
                kind="accelerator",
                forwards=False,
                part=accelerator,
                parts={nic: 1},
                domain=f"server-{s}",
                tray=f"server-{s}/{g // per_tray}",
            )
    links = int(row.known("scaleup_links"))
    chip_of = [
        add_domain(graph, server, links, chips, tier, scaleup, parts, prefix=f"server-{s}/")
        for s, server in enumerate(labels)
    ]
    return labels, chip_of


def _add_leaves(
    graph: nx.Graph,
    gpu_of: list[list[str]],
    rails: int,
    core: str,
    oversubscription: float,
    tier: Tier,
    link: LinkOptions,
    nic: str,
    suffix: str,
    parts: Catalogue,
) -> tuple[list[list[str]], int, int]:
    """Leaves by rail, the accelerators that each takes, and its uplinks (0 where one switch is the whole rail)."""
    on_rail = [[g for server in gpu_of for g in server[r::rails]] for r in range(rails)]
    alone = core == "none" and len(on_rail[0]) <= tier.ports and oversubscription == 1
    down, up = (tier.ports, 0) if alone else leaf_split(tier.ports, oversubscription)
    attributes = link.attributes(parts, nic=nic)
    leaves = []
    for r, hosts in enumerate(on_rail):
        column = [f"leaf-{u}-r{r}{suffix}" for u in range(ceil(len(hosts) / down))]
        graph.add_nodes_from(column, **tier.attributes(1))
        graph.add_edges_from(((h, column[i // down]) for i, h in enumerate(hosts)), **attributes)
        leaves.append(column)
    return leaves, down, up


def _alike(
    gpu_of: list[list[str]],
    chips_of: list[tuple[list[str], list[str]]],
    copies: list[list[Tiers]],
    rails: int,
    down: int,
    *,
    joined: bool,
) -> list[Block]:
    """What changes places: accelerators of a server on one leaf, servers of a leaf, rails, chips, and what is above.

    `copies` are the networks by plane, and by rail unless one network is `joined` over all rails.
    """
    lanes = len(gpu_of[0]) // rails
    gpus = np.array(gpu_of, dtype=object).reshape(len(gpu_of), lanes, rails)
    chips = [np.array(names, dtype=object) for names in zip(*chips_of, strict=True)]
    axes, along = (("plane", FIXED), "rail") if joined else (("plane", "rail"), FIXED)
    unit = rails if joined else 1
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


def _length(parts: Catalogue, cable: str) -> float:
    length: float | None = getattr(parts[cable], "length_m", None) if cable in parts else None
    return 0.3 if length is None else length
