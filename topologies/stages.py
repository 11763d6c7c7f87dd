"""Stages of a folded Clos: how a leaf's ports are divided, and the spines and cores that stand above the leaves."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from math import ceil
from typing import Annotated

import networkx as nx

from topologies.blocks import Tiers
from topologies.errors import ConfigError, TopologyError
from topologies.links import LinkOptions
from topologies.parts import Catalogue, Switch


@dataclass(frozen=True, slots=True)
class Tier:
    """One stage of switches: what a node of it is, and how many ports it has at the link's rate."""

    part: str | None
    ports: int

    def attributes(self, tier: int) -> dict[str, object]:
        """Node attributes of a switch in this tier."""
        return {"kind": "switch", "forwards": True, "part": self.part, "tier": tier}


def switch_tier(parts: Catalogue, name: str, link: LinkOptions) -> Tier:
    """A tier of that switch at the link's rate; TopologyError where none of its ports is so fast."""
    row = parts.part(name, Switch)
    ports = row.ports(link.rate_gbps)
    if not ports and row.port_gbps is not None:
        raise TopologyError(
            f"{name} has ports of up to {row.port_gbps:g} Gb/s, none of {link.rate_gbps:g}; "
            "give another switch, or a rate_gbps that it has"
        )
    return Tier(name, ports)


@dataclass(frozen=True, slots=True)
class Layout:
    """How spines and cores are laid out: the core's switch, spines and leaves of a pod, ports down over up of a spine,
    cores above each place of a spine.

    None leaves a choice to the builder: the spine's switch, as few spines and as large pods as ports allow.
    """

    core: Tier | None = None
    spines: int | None = None
    pod_leaves: int | None = None
    oversubscription: float = 1.0
    cores: int | None = None
    unit: int = 1  # leaves that stay in one pod: those of one place on all rails

    def refuse_without_cores(self) -> None:
        """Raise ConfigError where something is asked of cores or pods that are not there."""
        given = {"core_switch": self.core, "cores": self.cores}
        idle = [key for key, value in given.items() if value is not None]
        idle += ["spine_oversubscription"] if self.oversubscription != 1 else []
        for key in idle:
            raise ConfigError(f"{key} has no effect without cores; leave it out or give tiers=3")


EVEN = Layout()


@dataclass(frozen=True, slots=True)
class LeafSpine:
    """What two stages of switches take beside the leaves' switch and its links: ports up and down, what is above."""

    oversubscription: Annotated[float, "bandwidth down over bandwidth up of a leaf"] = 1.0
    leaf_hosts: Annotated[int | None, "accelerators on a leaf; as many as its uplinks carry by default"] = None
    uplinks: Annotated[int | None, "links up of a leaf; as many as oversubscription asks by default"] = None
    uplink_gbps: Annotated[float | None, "of one link above the leaves; that of those below by default"] = None
    uplink_length_m: Annotated[float | None, "of the links above the leaves; that of those below by default"] = None
    uplink_technology: Annotated[
        str | None, "of the links above the leaves; that of those below by default"
    ] = None
    uplink_cable: Annotated[str | None, "catalogue name of those links' cable or optic"] = None
    spines: Annotated[int | None, "spines of a pod, or of a fabric without cores; the fewest by default"] = None
    spine_switch: Annotated[str | None, "catalogue name; the leaf's by default"] = None

    def above(self, below: LinkOptions) -> LinkOptions:
        """The links above the leaves, from those below them."""
        technology = self.uplink_technology or below.technology
        same = technology == below.technology
        return LinkOptions(
            rate_gbps=self.uplink_gbps or below.rate_gbps,
            latency_ns=below.latency_ns,
            length_m=below.length_m if self.uplink_length_m is None else self.uplink_length_m,
            technology=technology,
            cable=self.uplink_cable or (below.cable if same else None),
        )

    def layout(self, parts: Catalogue, above: LinkOptions) -> Layout:
        """How many spines stand above the leaves."""
        return Layout(spines=self.spines)

    @property
    def depth(self) -> int | None:
        """Stages of switches; None where as few as fit are taken."""
        return 2

    def refuse_idle(self, family: str, why: str, *, besides: Sequence[str] = ()) -> None:
        """Raise ConfigError for the first key that is given though it has no effect, and why."""
        for key in fields(self):
            if key.name not in besides and getattr(self, key.name) != key.default:
                raise ConfigError(f"{family}: {key.name} has no effect {why}")


@dataclass(frozen=True, slots=True)
class Stages(LeafSpine):
    """What up to three stages of switches take: those of two, pods, and the cores above them."""

    tiers: Annotated[int | None, "stages of switches, 1 to 3; as few as fit by default"] = None
    pod_leaves: Annotated[int | None, "leaves of a pod; as many as a spine has ports for by default"] = None
    spine_oversubscription: Annotated[float, "links down over links up of a spine below cores"] = 1.0
    core_switch: Annotated[str | None, "catalogue name; the spine's by default"] = None
    cores: Annotated[int | None, "cores above each spine of a pod; the fewest by default"] = None

    def layout(self, parts: Catalogue, above: LinkOptions) -> Layout:
        """How spines and cores stand above the leaves."""
        core = None if self.core_switch is None else switch_tier(parts, self.core_switch, above)
        return Layout(core, self.spines, self.pod_leaves, self.spine_oversubscription, self.cores)

    @property
    def depth(self) -> int | None:
        """Stages of switches; None where as few as fit are taken."""
        return self.tiers


def leaf_ports(parts: Catalogue, switch: str, below: LinkOptions, stages: LeafSpine) -> tuple[int, int]:
    """Ports down and up of a leaf, of one rate or of two: a port of a rate takes 1/ports(rate) of the box.

    ConfigError where uplinks and an oversubscription are both given, TopologyError where the box is too small.

    >>> from topologies.parts import catalogue
    >>> leaf_ports(catalogue(), "th5-64x800g", LinkOptions(200), Stages(leaf_hosts=136, uplink_gbps=400, uplinks=60))
    (136, 60)
    """
    box, above, asked = parts.part(switch, Switch), stages.above(below), stages.oversubscription
    if stages.uplinks is not None and asked != 1:
        raise ConfigError("oversubscription has no effect beside uplinks; give one of the two")
    most_down, most_up = box.ports(below.rate_gbps), box.ports(above.rate_gbps)
    if not most_down or not most_up:
        rate = above.rate_gbps if most_down else below.rate_gbps
        raise TopologyError(f"a leaf of 0 ports: {switch} has none of {rate:g} Gb/s; name another switch")
    if stages.leaf_hosts is None and stages.uplinks is None:
        return leaf_split(most_down, asked, most_up, below.rate_gbps / above.rate_gbps)
    down, up = stages.leaf_hosts, stages.uplinks
    if down is None:
        down = int(most_down * (1 - (up or 0) / most_up) + 1e-9)
    if up is None:
        up = ceil(down * below.rate_gbps / above.rate_gbps / asked - 1e-9)
    if down < 1 or not _fit(down / most_down + up / most_up):
        raise TopologyError(
            f"{max(down, 1)} links of {below.rate_gbps:g} Gb/s down and {up} of {above.rate_gbps:g} Gb/s up exceed "
            f"{switch}, which has {most_down} ports of the one or {most_up} of the other; use a larger switch"
        )
    return down, up


def leaf_split(ports: int, oversubscription: float, up_ports: int | None = None, rates: float = 1.0) -> tuple[int, int]:
    """Ports down and up of a leaf: as many down as the oversubscription lets its uplinks carry.

    `ports` are those of the rate below, `up_ports` those of the rate above, `rates` the one rate over the other.

    >>> leaf_split(64, 1), leaf_split(64, 3), leaf_split(128, 1, 64, 0.5)
    ((32, 32), (48, 16), (64, 32))
    """
    most_up, share = up_ports or ports, rates / oversubscription  # of an uplink that a downlink asks for
    down = int(1 / (1 / ports + share / most_up) + 1e-9)
    while down and not _fit(down / ports + ceil(down * share - 1e-9) / most_up):
        down -= 1
    up = ceil(down * share - 1e-9)
    if down < 1 or up < 1:
        raise TopologyError(f"a leaf of {ports} ports cannot be split {oversubscription:g}:1; use a larger switch")
    return down, up


def _fit(share: float) -> bool:
    """Do ports that take so much of a box fit into it?"""
    return share <= 1 + 1e-9


def leaf_notes(below: LinkOptions, stages: LeafSpine, ports: tuple[int, int]) -> tuple[str, ...]:
    """A note where a leaf's ports do not split as asked."""
    ratio = ports[0] * below.rate_gbps / (ports[1] * stages.above(below).rate_gbps)
    same = abs(ratio - stages.oversubscription) < 1e-9
    return () if same else (f"leaves have {ports[0]} ports down and {ports[1]} up, {ratio:.4g}:1",)


def plane_link(link: LinkOptions, planes: int) -> LinkOptions:
    """The link of one of several planes: the same at rate/planes."""
    return replace(link, rate_gbps=link.rate_gbps / planes) if planes > 1 else link


def add_stages(
    graph: nx.Graph,
    leaves: Sequence[str],
    uplinks: int,
    switch: str,
    below: LinkOptions,
    stages: LeafSpine,
    parts: Catalogue,
    suffix: str = "",
    unit: int = 1,
) -> Tiers:
    """Put above the leaves, which are of that switch, what the stages say; errors as of `add_tiers`.

    Each `unit` leaves in turn stay in one pod where it has room for them.
    """
    above = stages.above(below)
    own, asked = above.row(parts).technology, stages.uplink_technology
    if stages.uplink_cable is not None and asked is not None and own != asked:
        raise ConfigError(
            f"uplink_cable '{stages.uplink_cable}' is of technology {own}, not {asked}; give one of the two"
        )
    spine = switch_tier(parts, stages.spine_switch or switch, above)
    layout = replace(stages.layout(parts, above), unit=unit)
    return add_tiers(graph, leaves, uplinks, spine, above, parts, tiers=stages.depth, suffix=suffix, layout=layout)


def add_tiers(
    graph: nx.Graph,
    leaves: Sequence[str],
    uplinks: int,
    tier: Tier,
    link: LinkOptions,
    parts: Catalogue,
    *,
    tiers: int | None = None,
    suffix: str = "",
    layout: Layout = EVEN,
) -> Tiers:
    """Put the least spines, and cores where spines do not reach, above leaves with `uplinks` each.

    Two tiers: every leaf reaches every spine. Three: leaves and spines form pods; spine j of every pod reaches the
    cores of group j, by as many links as it has down over `layout.oversubscription`. TopologyError where the ports do
    not suffice.
    """
    if tiers == 1:
        raise ConfigError(f"tiers = 1 is not 2 or 3, which it takes to join {len(leaves)} leaves")
    if tiers is not None and tiers not in (2, 3):
        raise ConfigError(f"tiers = {tiers} is not 1, 2 or 3")
    reach = min(tier.ports, layout.pod_leaves or tier.ports)
    if tiers == 3 or (tiers is None and len(leaves) > reach):
        return _add_pods(graph, leaves, uplinks, tier, link, parts, suffix, layout)
    layout.refuse_without_cores()
    if len(leaves) > tier.ports:
        raise TopologyError(
            f"{len(leaves)} leaves exceed the {tier.ports} ports of a spine; use tiers=3 or a larger switch"
        )
    count = layout.spines or _least_spines(len(leaves), uplinks, tier.ports)
    _refuse_full(uplinks * len(leaves), count, tier, "spines")
    spines = [f"spine-{j}{suffix}" for j in range(count)]
    graph.add_nodes_from(spines, **tier.attributes(2))
    join(graph, leaves, spines, uplinks, link, parts)
    return Tiers([leaves], [spines])


def _add_pods(
    graph: nx.Graph,
    leaves: Sequence[str],
    uplinks: int,
    tier: Tier,
    link: LinkOptions,
    parts: Catalogue,
    suffix: str,
    layout: Layout,
) -> Tiers:
    core = layout.core or tier
    down = int(tier.ports * layout.oversubscription / (1 + layout.oversubscription) + 1e-9)
    pods = _pods(leaves, down, layout)
    if len(pods) > core.ports:
        raise TopologyError(f"{len(pods)} pods exceed the {core.ports} ports of a core switch; use a larger switch")
    most = uplinks * max(len(p) for p in pods)  # links down of a pod's spines together
    spread = layout.spines or ceil(most / down)
    ups = _spine_uplinks(most, spread, layout.oversubscription)
    if ceil(most / spread) + ups[0] > tier.ports:
        raise TopologyError(
            f"{spread} spines a pod with {ceil(most / spread)} links down and {ups[0]} up exceed the {tier.ports} "
            f"ports of {tier.part}; give more spines or a larger spine_switch"
        )
    spines_of = [[f"spine-{p}-{j}{suffix}" for j in range(spread)] for p in range(len(pods))]
    for pod, spines in zip(pods, spines_of, strict=True):
        graph.add_nodes_from(spines, **tier.attributes(2))
        join(graph, pod, spines, uplinks, link, parts)
    group = layout.cores or _least_cores(len(pods), ups[0], core.ports)
    if group > ups[-1] or len(pods) * ceil(ups[0] / group) > core.ports:
        raise TopologyError(
            f"{group} cores above each spine of a pod do not take {ups[0]} links from each of {len(pods)} pods on "
            f"{core.ports} ports; give another number of cores, or none"
        )
    cores_of = [[f"core-{j}-{c}{suffix}" for c in range(group)] for j in range(spread)]
    for j, cores in enumerate(cores_of):
        graph.add_nodes_from(cores, **core.attributes(3))
        join(graph, [spines[j] for spines in spines_of], cores, ups[j], link, parts)
    return Tiers(pods, spines_of, cores_of)


def _pods(leaves: Sequence[str], down: int, layout: Layout) -> list[Sequence[str]]:
    """Leaves by pod: pods of the size asked, the last as large as what is left; else as few as fit, alike in size."""
    if layout.pod_leaves is not None:
        if layout.spines is None and layout.pod_leaves > down:
            raise TopologyError(f"{layout.pod_leaves} leaves of a pod exceed the {down} ports down of a spine")
        return [leaves[i : i + layout.pod_leaves] for i in range(0, len(leaves), layout.pod_leaves)]
    unit = layout.unit if layout.unit <= down else 1
    units = ceil(len(leaves) / unit)
    count = ceil(units / (down // unit))
    bounds = [unit * round(units * i / count) for i in range(count + 1)]
    return [leaves[a:b] for a, b in pairwise(bounds)]


def _spine_uplinks(most: int, spread: int, oversubscription: float) -> list[int]:
    """Links up of each spine of a pod whose spines have `most` down: none blocks, or what a taper leaves, spread even.

    >>> _spine_uplinks(6144, 16, 14.0)[5:9]
    [28, 28, 27, 27]
    """
    if oversubscription == 1:
        return [ceil(most / spread)] * spread
    base, odd = divmod(ceil(most / oversubscription - 1e-9), spread)
    if base == 0:
        raise TopologyError(f"{spread} spines a pod cannot share {odd} links up; lower spine_oversubscription")
    return [base + (j < odd) for j in range(spread)]


def _least_cores(pods: int, ups: int, ports: int) -> int:
    """The fewest cores that take `ups` links from each pod, spread within one.

    >>> _least_cores(25, 64, 128)
    13
    """
    first = ceil(pods * ups / ports)
    return next((g for g in range(first, ups + 1) if pods * ceil(ups / g) <= ports), first)


def _refuse_full(links: int, switches: int, tier: Tier, what: str) -> None:
    if links > switches * tier.ports:
        raise TopologyError(f"{links} links exceed the {tier.ports} ports of each of {switches} {what}; give more")


def _least_spines(leaves: int, uplinks: int, ports: int) -> int:
    """The fewest spines, each leaf's links spread evenly over them within one link.

    >>> _least_spines(16, 32, 64), _least_spines(128, 64, 128)
    (8, 64)
    """
    first = ceil(leaves * uplinks / ports)
    for spines in range(first, uplinks + 1):
        if uplinks % spines == 0 and leaves * (uplinks // spines) <= ports:
            return spines
    return first


def join(
    graph: nx.Graph,
    lower: Sequence[str],
    upper: Sequence[str],
    links: int,
    link: LinkOptions,
    parts: Catalogue,
) -> None:
    """`links` links from every lower to the upper nodes, spread within one of each other, the odd ones going round."""
    attributes = link.attributes(parts)
    base, odd = divmod(links, len(upper))
    by_count: dict[int, list[tuple[str, str]]] = {}
    for i, a in enumerate(lower):
        extra = {(i * odd + k) % len(upper) for k in range(odd)}
        for j, b in enumerate(upper):
            count = base + (j in extra)
            if count:
                by_count.setdefault(count, []).append((a, b))
    for count, edges in by_count.items():
        graph.add_edges_from(edges, **{**attributes, "count": count})
