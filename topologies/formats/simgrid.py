"""A SimGrid platform: clusters by their shape, and hosts, routers, links and routes one by one."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import networkx as nx

from topologies.errors import ConfigError
from topologies.formats.contents import name_of
from topologies.formats.draft import Cabling, Draft
from topologies.formats.elements import Element, read_tree
from topologies.formats.simgrid_clusters import add_dragonfly, add_fat_tree, add_flat, add_torus
from topologies.formats.simgrid_routes import Laid, Route, lay
from topologies.graph import Grid, Topology
from topologies.links import LinkOptions
from topologies.parts import Catalogue

MAX_HOSTS = 4_000_000
_QUANTITY = re.compile(r"\s*([0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,3})?)\s*([A-Za-z]*)\s*$")
_PREFIX = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_BANDWIDTH = {f"{p}Bps": 8 * factor for p, factor in _PREFIX.items()} | {f"{p}bps": f for p, f in _PREFIX.items()}
_TIME_NS = {"ps": 1e-3, "ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9, "": 1e9, "m": 6e10, "h": 3.6e12}
_GRAPHS = ("Dijkstra", "DijkstraCache", "Floyd")
_ZONES = ("zone", "AS")
_READ = {"zone", "AS", "cluster", "host", "router", "link", "host_link", "route", "zoneRoute", "ASroute"}


@dataclass(slots=True)
class _Platform:
    draft: Draft
    cabling: Cabling
    accelerator: str | None
    links: dict[str, LinkOptions] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    unshared: set[str] = field(default_factory=set)
    routes: list[Route] = field(default_factory=list)  # over several links each: what is between them is not named
    grids: list[Grid] = field(default_factory=list)
    clusters: int = 0
    said: Counter[str] = field(default_factory=Counter)


def read_simgrid(
    path: Path,
    accelerator: Annotated[str | None, "catalogue name of the hosts, which the file does not name"] = None,
    cabling: Cabling = Cabling(),
    *,
    parts: Catalogue,
) -> Topology:
    """A SimGrid platform (version 4): hosts are end points, routers are switches.

    Clusters become their shape: flat, FAT_TREE, TORUS (with its grid), DRAGONFLY. In zones of shortest routes
    (Dijkstra, Floyd) a route is an edge; elsewhere a route lists links, and what is between two of them is a switch.
    Hosts pass on what is not theirs where a torus joins them, or routers alone do not.

    ConfigError names the line that cannot be read, TopologyError routes that no graph of links has.
    """
    platform = _Platform(Draft(path, "simgrid", parts), cabling, accelerator)
    _zone(platform, read_tree(path, "platform"), "")
    laid = lay(platform.draft, platform.routes, platform.links, platform.unshared)
    graph = platform.draft.graph
    kinds = Counter(kind for _, kind in graph.nodes(data="kind"))
    relays = bool(platform.grids) or not kinds["switch"] or not _switched(graph)
    for node, kind in graph.nodes(data="kind"):
        if kind == "accelerator":
            graph.nodes[node]["forwards"] = relays
    platform.draft.add_tiers()
    alone = len(platform.grids) == 1 and platform.clusters == 1 and not platform.routes and kinds["switch"] == 0
    grid = platform.grids[0] if alone else None
    return platform.draft.topology(_notes(platform, laid, relays), grid=grid)


def _switched(graph: nx.Graph) -> bool:
    """Whether the switches alone join all accelerators: one connected part of them touches every one."""
    switches = [node for node, kind in graph.nodes(data="kind") if kind != "accelerator"]
    part_of = {s: i for i, part in enumerate(nx.connected_components(graph.subgraph(switches))) for s in part}
    common = set(part_of.values())
    for node, kind in graph.nodes(data="kind"):
        if kind == "accelerator":
            common &= {part_of[s] for s in graph[node] if s in part_of}
    return bool(common)


def _zone(platform: _Platform, zone: Element, routing: str) -> None:
    """What a zone holds: links first, as routes may stand before them."""
    unread = {child.tag for child in zone.children} - _READ - {"prop", "config", "storage_type"}
    for tag in sorted(unread):
        platform.said[f"elements <{tag[:30]}> are not read"] += 1
    for child in zone.all("link"):
        _add_link(platform, child)
    for child in zone.children:
        if child.tag in _ZONES:
            _zone(platform, child, child.attributes.get("routing", "Full"))
        elif child.tag == "cluster":
            _add_cluster(platform, child)
        elif child.tag in ("host", "router"):
            _add_node(platform, child)
    for child in zone.children:
        if child.tag in ("route", "zoneRoute", "ASroute"):
            _add_route(platform, child, routing)
        elif child.tag == "host_link":
            _add_host_link(platform, zone, child)


def _add_node(platform: _Platform, element: Element) -> None:
    where = element.at(platform.draft.path)
    name = name_of(element.need("id", platform.draft.path), where, "id")
    if element.tag == "host":
        platform.draft.accelerator(name, where, platform.accelerator)
    else:
        platform.draft.switch(name, where)


def _add_link(platform: _Platform, element: Element) -> None:
    path = platform.draft.path
    where = element.at(path)
    name = name_of(element.need("id", path), where, "id")
    if name in platform.links:
        raise ConfigError(f"{where}: link '{name[:60]}' stands there twice")
    platform.links[name] = _options(platform, element, "bandwidth", "latency")
    policy = element.attributes.get("sharing_policy", "SHARED")
    if policy == "SHARED":
        platform.shared.add(name)
    elif policy == "FATPIPE":
        platform.unshared.add(name)


def _options(platform: _Platform, element: Element, bandwidth: str, latency: str) -> LinkOptions:
    """A link of what its element states; SimGrid's latency is zero where none is stated."""
    where = element.at(platform.draft.path)
    rate = _quantity(element.need(bandwidth, platform.draft.path), _BANDWIDTH, where, bandwidth, "125MBps") / 1e9
    if rate <= 0:
        raise ConfigError(f"{where}: {bandwidth} is not above zero")
    delay = _quantity(element.attributes.get(latency, "0"), _TIME_NS, where, latency, "50us")
    return platform.cabling.link(rate, latency_ns=delay)


def _quantity(text: str, units: dict[str, float], where: str, what: str, example: str) -> float:
    """A number with its unit; the first of several values (a profile) counts."""
    match = _QUANTITY.match(text.split(",")[0][:60])
    if match is None or match[2] not in units:
        raise ConfigError(f"{where}: {what} = '{text[:40]}' cannot be read; write it like {example}")
    value = float(match[1]) * units[match[2]]
    if value > 1e30:
        raise ConfigError(f"{where}: {what} = '{text[:40]}' is beyond any; write it like {example}")
    return value


def _add_cluster(platform: _Platform, element: Element) -> None:
    draft, where = platform.draft, element.at(platform.draft.path)
    platform.clusters += 1
    own = element.attributes
    name = name_of(element.need("id", draft.path), where, "id")
    prefix, suffix = own.get("prefix", ""), own.get("suffix", "")
    hosts = [f"{prefix}{i}{suffix}" for i in _radical(element.need("radical", draft.path), where)]
    for host in hosts:
        draft.accelerator(name_of(host, where, "a host"), where, platform.accelerator)
    link = _options(platform, element, "bw", "lat")
    kind, shape = own.get("topology", "FLAT").upper(), own.get("topo_parameters", "")
    if kind == "TORUS":
        platform.grids.append(add_torus(draft, hosts, shape, link, where))
    elif kind == "FAT_TREE":
        add_fat_tree(draft, hosts, f"{name}/", shape, link, where)
    elif kind == "DRAGONFLY":
        add_dragonfly(draft, hosts, f"{name}/", shape, link, where)
    elif kind == "FLAT":
        add_flat(draft, hosts, own.get("router_id") or f"{prefix}{name}_router{suffix}", link, where)
    else:
        raise ConfigError(f"{where}: topology = '{kind[:30]}' is not read; there are FLAT, FAT_TREE, TORUS, DRAGONFLY")
    if own.get("sharing_policy", "SPLITDUPLEX") == "SHARED":
        platform.said["clusters share a link's rate between both directions (SHARED): each has all of it here"] += 1
    for key, what in (("bb_bw", "backbones"), ("limiter_link", "limiters")):
        if key in own:
            platform.said[f"{what} of clusters are left out: hosts share nothing but the switches"] += 1


def _add_host_link(platform: _Platform, zone: Element, element: Element) -> None:
    """A host's own link in a cluster that is written out, to the cluster's router."""
    draft, where = platform.draft, element.at(platform.draft.path)
    host, up = (name_of(element.need(key, draft.path), where, key) for key in ("id", "up"))
    link = platform.links.get(up) or platform.links.get(up.removesuffix("_UP"))
    if host not in draft.graph or link is None:
        raise ConfigError(f"{where}: there is no host '{host[:60]}', or no link '{up[:60]}'; is the file cut off?")
    routers = zone.all("router")
    hub = routers[0].attributes["id"] if routers else f"{zone.attributes.get('id', 'cluster')}_router"
    if hub not in draft.graph:
        draft.switch(hub, where)
    draft.link(host, hub, where, link)


def _radical(text: str, where: str) -> list[int]:
    """Numbers and ranges: 0-15,20."""
    found: list[int] = []
    for word in text.replace(" ", "").split(","):
        match = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", word)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise ConfigError(f"{where}: radical = '{text[:40]}' cannot be read; write it like 0-15,20")
        first, last = int(match[1]), int(match[2] or match[1])
        if last - first + len(found) >= MAX_HOSTS:
            raise ConfigError(f"{where}: radical = '{text[:40]}' has more than {MAX_HOSTS:,} hosts")
        found += range(first, last + 1)
    return found


def _add_route(platform: _Platform, element: Element, routing: str) -> None:
    """A route of one link, or one of a zone of shortest routes, is an edge; others wait until all are known."""
    path = platform.draft.path
    where = element.at(path)
    between = ("gw_src", "gw_dst") if element.tag in ("zoneRoute", "ASroute") else ("src", "dst")
    ends = [name_of(element.need(key, path), where, key) for key in between]
    for end in ends:
        if end not in platform.draft.graph:
            raise ConfigError(f"{where}: '{end[:60]}' is no host or router of the file; is it cut off?")
    names = [name_of(held.need("id", path), where, "id") for held in element.all("link_ctn")]
    for name in names:
        if name not in platform.links:
            raise ConfigError(f"{where}: there is no link '{name[:60]}'; is it cut off?")
    if not names:
        raise ConfigError(f"{where}: a route over no link")
    merged = routing in _GRAPHS or len(set(names)) == 1
    platform.routes.append(Route(ends[0], ends[1], tuple(names), merged, where))


def _notes(platform: _Platform, laid: Laid, relays: bool) -> list[str]:
    notes = [f"{n} {what}" for what, n in platform.said.items()]
    if laid.junctions:
        notes.append(f"{laid.junctions} switches stand where links of a route meet; the file does not name them")
    if laid.shared:
        notes.append(f"{laid.shared} links are shared by more pairs than two ends make: a switch stands for each")
    used = platform.shared & laid.used
    if used:
        notes.append(f"{len(used)} links share their rate between both directions (SHARED): each has all of it here")
    if relays:
        notes.append("hosts pass on what is not theirs, as nothing else does")
    return [*notes, platform.cabling.note()]
