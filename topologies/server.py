"""Servers whose accelerators share adapters: PCIe switches, processors, adapters as nodes, and a Clos above them."""

from functools import partial
from math import ceil
from typing import Annotated

import networkx as nx
import numpy as np

from topologies.blocks import FIXED, Block, block_generators, tier_blocks
from topologies.clos import FABRIC_LINK, adapter
from topologies.conditions import OnlyAbove
from topologies.errors import ConfigError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Catalogue
from topologies.servers import Server, add_servers
from topologies.stages import Stages, add_stages, leaf_notes, leaf_ports, switch_tier

SEVERAL = OnlyAbove("servers", 1)  # a single server has no network above its adapters
INSIDE = "distances count PCIe hops, links do not"


def server(
    servers: Annotated[int, "servers; one has no network above its adapters"] = 1,
    nics: Annotated[int, "adapters of a server"] = 8,
    pcie_switches: Annotated[int, "PCIe switches of a server, accelerators and adapters dealt to them in order"] = 4,
    sockets: Annotated[int, "processors of a server, PCIe switches dealt to them in order"] = 2,
    pcie_gbps: Annotated[float, "of one PCIe link, one direction: 256 for 16 lanes of generation 4"] = 512.0,
    rails: Annotated[int | None, "adapter j is on rail j mod rails; one each by default", SEVERAL] = None,
    switch: Annotated[str, "catalogue name of the leaves, and of what is above by default", SEVERAL] = "qm9700",
    node: Server = Server(),
    stages: Annotated[Stages, SEVERAL] = Stages(),
    link: Annotated[LinkOptions, SEVERAL] = FABRIC_LINK,
    *,
    parts: Catalogue,
) -> Topology:
    """Accelerators on a scale-up domain, and on PCIe switches with the adapters that they share (cloud instances).

    Each accelerator has a port of its PCIe switch to itself, so that a way to another accelerator through PCIe is
    never as short as the one through the scale-up domain. Adapters forward; leaf u of rail r takes the adapters of
    that rail in server order. PCIe links are no links of the fabric.

    Source: NCCL topology files of Azure ND A100 v4 and ND H100 v5 (azhpc-images); AWS and Google Cloud documentation.

    >>> from topologies.registry import build
    >>> t = build("server:nics=4"); t.attribute("kind").count("nic"), t.attribute("kind").count("host"), t.links
    (4, 14, 144)
    """
    per_server = _checked(nics, pcie_switches, sockets, rails, node)
    limit_nodes("server", servers * (2 * node.gpus + nics + pcie_switches + sockets))
    graph = nx.Graph()
    gpu_of, chips_of = add_servers(graph, servers, node, None, parts)
    adapter(parts, node.nic, link.rate_gbps if servers > 1 else 0.0)
    within = {"gpu": np.array(gpu_of, dtype=object)}
    within |= _add_hosts(graph, gpu_of, nics, pcie_switches, sockets, pcie_gbps, node.nic, parts)
    within |= {f"chip {i}": np.array(names, dtype=object) for i, names in enumerate(zip(*chips_of, strict=True))}
    moves: list[Block] = []
    notes: tuple[str, ...] = (INSIDE,)
    if servers == 1:
        return Topology("server", "server", {}, graph, parts, notes=notes)
    down, up = leaf_ports(parts, switch, link, stages)
    leaves = []
    for r in range(per_server):
        below = [nic for row in within["nic"] for nic in row[r::per_server]]
        column = [f"leaf-{u}-r{r}" for u in range(ceil(len(below) / down))]
        graph.add_nodes_from(column, **switch_tier(parts, switch, link).attributes(1))
        graph.add_edges_from(((nic, column[i // down]) for i, nic in enumerate(below)), **link.attributes(parts))
        leaves.append(column)
    blocks = [leaf for row in zip(*leaves, strict=True) for leaf in row]
    if len(blocks) == 1:
        stages.refuse_idle("server", "where one switch is the whole network; leave it out", besides=("leaf_hosts",))
    else:
        tiers = add_stages(graph, blocks, up, switch, link, stages, parts, unit=per_server)
        notes = (*notes, *leaf_notes(link, stages, (down, up)))
        lanes = nics // per_server
        if down % lanes == 0:
            moves = tier_blocks(tiers, (), _below(within, down // lanes), unit=per_server)
    return Topology(
        "server", "server", {}, graph, parts, notes=notes, generators=partial(block_generators, moves)
    )


def _checked(nics: int, pcie_switches: int, sockets: int, rails: int | None, node: Server) -> int:
    """Rails of a server; ConfigError for numbers that do not divide each other."""
    per_server = nics if rails is None else rails
    for many, few, what in (
        (node.gpus, pcie_switches, f"{pcie_switches} PCIe switches do not divide the {node.gpus} accelerators"),
        (nics, pcie_switches, f"{pcie_switches} PCIe switches do not divide the {nics} adapters"),
        (pcie_switches, sockets, f"{sockets} sockets do not divide the {pcie_switches} PCIe switches"),
        (nics, per_server, f"{per_server} rails do not divide the {nics} adapters"),
    ):
        if many % few:
            raise ConfigError(f"server: {what} of a server")
    return per_server


def _add_hosts(
    graph: nx.Graph,
    gpu_of: list[list[str]],
    nics: int,
    pcie_switches: int,
    sockets: int,
    pcie_gbps: float,
    nic: str,
    parts: Catalogue,
) -> dict[str, np.ndarray]:
    """Processors, PCIe switches with a port for each accelerator, and adapters of every server, by what they are."""
    bus = LinkOptions(pcie_gbps, None, 0.3, cable="pcie").attributes(parts)
    port = LinkOptions(pcie_gbps, 0.0, 0.0, cable="pcie").attributes(parts)  # a port is a part of its switch
    between = LinkOptions(pcie_gbps, None, 0.3, cable="socket").attributes(parts)
    servers, gpus = range(len(gpu_of)), len(gpu_of[0])
    made = {
        kind: np.array([[f"server-{s}/{kind}-{i}" for i in range(number)] for s in servers], dtype=object)
        for kind, number in (("cpu", sockets), ("pcie", pcie_switches), ("port", gpus), ("nic", nics))
    }
    for kind in ("cpu", "pcie", "port"):
        graph.add_nodes_from(made[kind].flat, kind="host", forwards=True)
    for s in servers:
        graph.add_nodes_from(made["nic"][s], kind="nic", forwards=True, part=nic, tray=f"server-{s}")
        cpu, pcie = made["cpu"][s], made["pcie"][s]
        graph.add_edges_from(((a, b) for i, a in enumerate(cpu) for b in cpu[:i]), **between)
        graph.add_edges_from(((cpu[k * sockets // pcie_switches], name) for k, name in enumerate(pcie)), **bus)
        graph.add_edges_from(zip(gpu_of[s], made["port"][s], strict=True), **bus)
        for kind, number, link in (("port", gpus, port), ("nic", nics, bus)):
            ends = enumerate(made[kind][s])
            graph.add_edges_from(((pcie[i * pcie_switches // number], name) for i, name in ends), **link)
    return made


def _below(within: dict[str, np.ndarray], servers: int) -> list[list[Block]]:
    """What hangs on the leaves of one place: whole servers, alike."""
    total = len(within["gpu"])
    return [
        [Block(names[first : first + servers], ("server", FIXED)) for names in within.values() if names.size]
        for first in range(0, total, servers)
    ]
