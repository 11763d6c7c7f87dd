"""Servers: accelerators joined inside by a scale-up domain, each with an adapter of its own on a face plate."""

from dataclasses import dataclass
from itertools import combinations
from typing import Annotated

import networkx as nx

from topologies.errors import ConfigError
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue
from topologies.rack import add_domain
from topologies.stages import switch_tier


@dataclass(frozen=True, slots=True)
class Server:
    """What a server of a cluster is: its accelerators, their adapters, and what joins them inside."""

    gpus: Annotated[int, "accelerators of a server"] = 8
    nic: Annotated[str, "catalogue name of each accelerator's adapter"] = "cx7-400g"
    scaleup_switch: Annotated[str | None, "catalogue name of the chip inside; none: no scale-up links"] = "nvswitch3"
    scaleup_mesh: Annotated[int | None, "links of every two accelerators of a server, in place of a chip"] = None
    scaleup_switches: Annotated[int | None, "chips inside the server; the least that fit by default"] = 4
    scaleup_cable: Annotated[str, "catalogue name of the links inside the server"] = "nvlink4-board"
    gpus_per_tray: Annotated[int | None, "accelerators that share a face plate; the server's by default"] = None
    accelerator: Annotated[str, "catalogue name"] = "h100-sxm"


Chips = tuple[list[str], list[str]]


def add_servers(
    graph: nx.Graph, servers: int, server: Server, nic: str | None, parts: Catalogue
) -> tuple[list[list[str]], list[Chips]]:
    """Servers with their scale-up domains; accelerators by server, and chips by server and number of links.

    `nic` is the adapter that every accelerator has to itself; None where adapters are nodes of their own.
    """
    parts.part(server.accelerator, Accelerator)
    per_tray = server.gpus_per_tray or server.gpus
    labels = [[f"gpu-{s}-{g}" for g in range(server.gpus)] for s in range(servers)]
    for s, members in enumerate(labels):
        for g, label in enumerate(members):
            own = {} if nic is None else {"parts": {nic: 1}}
            graph.add_node(
                label,
                kind="accelerator",
                forwards=False,
                part=server.accelerator,
                **own,
                domain=f"server-{s}",
                tray=f"server-{s}/{g // per_tray}",
            )
    if server.scaleup_mesh is not None:
        _add_meshes(graph, labels, server, server.scaleup_mesh, parts)
    if server.scaleup_mesh is not None or server.scaleup_switch is None:
        return labels, [([], [])] * servers
    return labels, _add_chips(graph, labels, server, server.scaleup_switch, parts)


def _add_meshes(graph: nx.Graph, labels: list[list[str]], server: Server, links: int, parts: Catalogue) -> None:
    """Links between every two accelerators of a server."""
    row = parts.part(server.accelerator, Accelerator)
    if links < 1:
        raise ConfigError(f"scaleup_mesh = {links} joins nothing; give at least 1, or scaleup_switch=none")
    rate, cable = row.known("scaleup_link_gbps"), server.scaleup_cable
    link = LinkOptions(rate_gbps=rate, cable=cable, length_m=_length(parts, cable)).attributes(parts, count=links)
    for members in labels:
        graph.add_edges_from(combinations(members, 2), **link)


def _add_chips(graph: nx.Graph, labels: list[list[str]], server: Server, switch: str, parts: Catalogue) -> list[Chips]:
    """The scale-up domain inside every server."""
    row = parts.part(server.accelerator, Accelerator)
    cable = server.scaleup_cable
    scaleup = LinkOptions(rate_gbps=row.known("scaleup_link_gbps"), cable=cable, length_m=_length(parts, cable))
    tier = switch_tier(parts, switch, scaleup)
    links = int(row.known("scaleup_links"))
    return [
        add_domain(graph, members, links, server.scaleup_switches, tier, scaleup, parts, prefix=f"server-{s}/")
        for s, members in enumerate(labels)
    ]


def _length(parts: Catalogue, cable: str) -> float:
    length: float | None = getattr(parts[cable], "length_m", None) if cable in parts else None
    return 0.3 if length is None else length
