"""A fabric as a reader puts it together: nodes and links with the place that states them, then a checked Topology."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import networkx as nx

from topologies.errors import ConfigError, FabricError, TopologyError
from topologies.graph import GENERIC, Topology
from topologies.invariants import MAX_NODES, check
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue

UNSTATED = "unstated"


@dataclass(frozen=True, slots=True)
class Cabling:
    """What a file of graph form does not say about its links."""

    technology: Annotated[str, "of every link: dac, aec, aoc, pluggable, ..., or unstated"] = UNSTATED
    cable: Annotated[str | None, "catalogue name of cable or optic, in place of the technology's default"] = None
    length_m: Annotated[float, "of links whose length the file does not state"] = 1.0

    def link(self, rate_gbps: float, length_m: float | None = None, latency_ns: float | None = None) -> LinkOptions:
        """The link of a rate, and of a length and latency where these are stated."""
        cable = UNSTATED if self.technology == UNSTATED and self.cable is None else self.cable
        length = self.length_m if length_m is None else length_m
        return LinkOptions(rate_gbps, latency_ns, length, self.technology, cable)

    def note(self, what: str = "") -> str:
        """What is assumed, for the notes of the topology."""
        if self.technology == UNSTATED and self.cable is None:
            said = "no cable or module is stated: links have neither watts nor a price; technology= assumes one"
        else:
            said = f"assumed: {self.cable or self.technology} of {self.length_m:g} m on every link without a length"
        return f"{said}{what}"


@dataclass(slots=True)
class Draft:
    """Nodes and links as they are read; what breaks a rule is refused with the place that states it."""

    path: Path
    family: str
    parts: Catalogue
    graph: nx.Graph = field(default_factory=nx.Graph)
    mixed: set[tuple[str, str]] = field(default_factory=set)
    _classes: dict[tuple[LinkOptions, str | None], dict[str, Any]] = field(default_factory=dict)

    def accelerator(self, name: str, where: str, part: str | None = None, **more: Any) -> None:
        """An end point; a generic one where no part is named. ConfigError for a part that is no accelerator."""
        if part is not None:
            self.parts.part(part, Accelerator)
        self.node(name, where, kind="accelerator", forwards=False, part=part or GENERIC, **more)

    def switch(self, name: str, where: str, part: str | None = None, **more: Any) -> None:
        """A switch; one without a part where none is named."""
        self.node(name, where, kind="switch", forwards=True, part=part, **more)

    def node(self, name: str, where: str, **attributes: Any) -> None:
        """A node of any kind; ConfigError where one of that name stands already."""
        if name in self.graph:
            raise ConfigError(f"{where}: node '{name[:60]}' stands there twice; rename one")
        if len(self.graph) >= MAX_NODES:
            raise ConfigError(f"{where}: more than {MAX_NODES:,} nodes")
        self.graph.add_node(name, **attributes)

    def link(self, a: str, b: str, where: str, link: LinkOptions, count: int = 1, nic: str | None = None) -> None:
        """So many links between two nodes; those of another rate than before are averaged and noted."""
        for end in (a, b):
            if end not in self.graph:
                raise ConfigError(f"{where}: a link to '{end[:60]}', which is no node of the file; is it cut off?")
        if a == b:
            raise TopologyError(f"{where}: a link joins '{a[:60]}' to itself; remove it")
        given = self._classes.get((link, nic))
        if given is None:
            try:
                given = self._classes[link, nic] = link.attributes(self.parts, nic=nic)
            except ConfigError as error:
                raise ConfigError(f"{where}: {error}") from None
        before = self.graph.get_edge_data(a, b)
        if before is None:
            self.graph.add_edge(a, b, **given | {"count": count})
            return
        total = before["count"] + count
        if before["rate_gbps"] != given["rate_gbps"]:
            self.mixed.add((min(a, b), max(a, b)))
        before["rate_gbps"] = (before["rate_gbps"] * before["count"] + given["rate_gbps"] * count) / total
        before["latency_ns"] = max(before["latency_ns"], given["latency_ns"])
        before["count"] = total

    def ends(self) -> list[str]:
        """Accelerators in the order of the file."""
        return [node for node, kind in self.graph.nodes(data="kind") if kind == "accelerator"]

    def add_tiers(self) -> None:
        """Tier 1 are switches with end points, each next tier one hop further from them."""
        nodes = self.graph.nodes
        layer = {s: None for end in self.ends() for s in self.graph[end]}
        tier, seen = 1, set(layer)
        while layer:
            for node in layer:
                if nodes[node]["kind"] == "switch":
                    nodes[node].setdefault("tier", tier)
            layer = {s: None for node in layer for s in self.graph[node] if s not in seen}
            layer = {s: None for s in layer if nodes[s]["kind"] != "accelerator"}
            seen |= set(layer)
            tier += 1

    def topology(self, notes: Sequence[str] = (), **more: Any) -> Topology:
        """The checked topology; TopologyError, with the name of the file, for a graph that is not a fabric."""
        if self.mixed:
            number = len(self.mixed)
            notes = [*notes, f"{number} edges join parallel links of several speeds; each link has their mean"]
        made = Topology(self.path.name, self.family, {}, self.graph, self.parts, notes=tuple(notes), **more)
        try:
            check(made)
        except FabricError as error:
            raise type(error)(f"{self.path}: {error}") from None
        return made
