"""Multi-plane clusters: every port of an adapter has a leaf and a network of its own (Alibaba HPN, SIGCOMM 2024)."""

from functools import partial
from typing import Annotated

import networkx as nx

from topologies.blocks import block_generators
from topologies.clos import FABRIC_LINK, adapter
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.links import LinkOptions
from topologies.parts import Catalogue
from topologies.rail import add_leaves, alike, rail, rails_of
from topologies.servers import Server, add_servers
from topologies.stages import Stages, add_stages, leaf_notes, leaf_ports, plane_link

HPN_SERVER = Server(accelerator="h800")
HPN_LEAF = Stages(leaf_hosts=128, uplinks=60, uplink_gbps=400.0)

Joined = Annotated[bool, "leaves of all planes share their spines: redundant leaves, but one network above them"]
LeafSwitch = Annotated[str, "catalogue name of the leaves, and of what is above by default"]
Rails = Annotated[int | None, "rails of a server; accelerator i is on rail i mod rails; one each by default"]


def multi_plane(
    servers: Annotated[int, "servers, each one scale-up domain"],
    planes: Annotated[int, "ports of an adapter, each rate/planes on a leaf of its own"] = 4,
    rails: Rails = None,
    joined: Joined = False,
    switch: LeafSwitch = "th5-64x800g",
    server: Server = HPN_SERVER,
    stages: Stages = Stages(),
    link: LinkOptions = FABRIC_LINK,
    *,
    parts: Catalogue,
) -> Topology:
    """Rails of servers on parallel networks: each port of an adapter leads to the leaf of one plane.

    Planes are apart above the leaves, as rail with `planes=` has them, so that a plane that fails leaves the others
    and a path is picked among one plane's spines; `joined` puts one Clos over the leaves of all planes instead, the
    dual-homed alternative that HPN was measured against (Qian et al., SIGCOMM 2024, sections 4 and 5).

    >>> from topologies.registry import build
    >>> t = build("multi-plane:servers=64,planes=4"); t.graph.degree("gpu-0-0"), t.attribute("tier").count(1)
    (8, 32)
    """
    per_server = rails_of("multi-plane", servers, rails, planes, server)
    if planes < 2:
        raise ConfigError("multi-plane: planes = 1 is a single network; use rail, or at least 2 planes")
    if not joined:
        return rail(servers, rails, planes, switch=switch, server=server, stages=stages, link=link, parts=parts)
    lane = plane_link(link, planes)
    graph = nx.Graph()
    gpu_of, chips_of = add_servers(graph, servers, server, adapter(parts, server.nic, link.rate_gbps), parts)
    down, up = leaf_ports(parts, switch, lane, stages)
    columns = []
    for plane in range(planes):
        columns += add_leaves(graph, gpu_of, per_server, down, switch, lane, server.nic, f"-p{plane}", parts)
    leaves = [leaf for row in zip(*columns, strict=True) for leaf in row]
    tiers = add_stages(graph, leaves, up, switch, lane, stages, parts, unit=per_server * planes)
    blocks = alike(gpu_of, chips_of, [[tiers]], per_server, down, joined=True, shared=planes)
    moves = partial(block_generators, blocks)
    notes = leaf_notes(lane, stages, (down, up))
    return Topology("multi-plane", "multi-plane", {}, graph, parts, notes=notes, generators=moves)


def dual_plane(
    servers: Annotated[int, "servers, each one scale-up domain"],
    rails: Rails = None,
    joined: Joined = False,
    switch: LeafSwitch = "th5-64x800g",
    server: Server = HPN_SERVER,
    stages: Stages = HPN_LEAF,
    link: LinkOptions = FABRIC_LINK,
    *,
    parts: Catalogue,
) -> Topology:
    """Two ports an adapter on two leaves and two planes, leaves of 128 ports down and 60 up (Alibaba HPN).

    A leaf has 51.2 Tb/s: 128 x 200G down (8 more stand for backup) and 60 x 400G up, 1.067:1 (Qian et al., SIGCOMM
    2024, section 5; port counts as notes of the paper give them).

    >>> from topologies.registry import build
    >>> t = build("dual-plane:servers=256"); [t.attribute("tier").count(i) for i in (1, 2)]
    [32, 20]
    """
    return multi_plane(servers, 2, rails, joined, switch, server, stages, link, parts=parts)
