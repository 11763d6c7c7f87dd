"""Topology: a NetworkX graph and its meaning; the arrays that kernels read."""

import gc
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from operator import itemgetter
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.bare import assumed, link_attributes
from topologies.circuits import CircuitLayer
from topologies.edge_kinds import kinds_of, link_columns
from topologies.errors import ConfigError, TopologyError
from topologies.invariants import MAX_NODES, NODE_KINDS, check
from topologies.links import HOST_TECHNOLOGIES
from topologies.parts import Catalogue, Nic, Switch, catalogue

GENERIC = "generic"  # the part of an accelerator that names none
COUNTED = 10**15  # above which a refusal does not say how many
BYTES_PER_S = 1e9 / 8  # of one Gb/s


@dataclass(frozen=True, slots=True)
class Grid:
    """The geometry of a direct-connect grid: rank = x + X y + X Y z."""

    dims: tuple[int, ...]
    wrap: tuple[bool, ...]
    twist: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Csr:
    """The compiled form: arcs sorted by tail, then by the order of the links; both directions of a link are twins.

    Links of a node that neither forwards nor is an end point are left out: nothing can use them.
    indptr int64[V+1]; heads, twin int32[A]; links, capacity (bytes/s), latency (s) float64[A], the mean wait for a
    time-shared link included, `wait` (s) alone; `edge` int32[A], the place of each arc's link in `Topology.edges`;
    forwards uint8[V]; node_latency (s) float64[V]; accelerators int32[n], the node of each rank.
    """

    indptr: NDArray[np.int64]
    heads: NDArray[np.int32]
    tails: NDArray[np.int32]
    twin: NDArray[np.int32]
    edge: NDArray[np.int32]
    links: NDArray[np.float64]
    capacity: NDArray[np.float64]
    latency: NDArray[np.float64]
    wait: NDArray[np.float64]
    forwards: NDArray[np.uint8]
    node_latency: NDArray[np.float64]
    accelerators: NDArray[np.int32]

    @property
    def ends(self) -> NDArray[np.int32]:
        """int32[n + V]: the node of every end point of traffic: those of the ranks, then every node by its position,
        for switches that reduce and multicast."""
        return np.concatenate([self.accelerators, np.arange(len(self.forwards), dtype=np.int32)])

    def only(self, arcs: NDArray[np.int64]) -> "Csr":
        """The same nodes with some of the arcs (places in rising order, both directions of a link)."""
        place = np.full(len(self.heads), -1, np.int32)
        place[arcs] = np.arange(len(arcs), dtype=np.int32)
        return replace(
            self,
            indptr=np.searchsorted(self.tails[arcs], np.arange(len(self.indptr))).astype(np.int64),
            heads=self.heads[arcs],
            tails=self.tails[arcs],
            twin=place[self.twin[arcs]],
            edge=self.edge[arcs],
            links=self.links[arcs],
            capacity=self.capacity[arcs],
            latency=self.latency[arcs],
            wait=self.wait[arcs],
        )


def no_generators(topology: "Topology") -> Iterable[NDArray[np.int32]]:
    """No symmetry is proposed."""
    return ()


@dataclass(frozen=True, eq=False)
class Topology:
    """A fabric: the data path as a plain NetworkX graph, its circuit layer, and what it is made of.

    `tours` are closed tours of all ranks (int64[n] each) along links of their own, for ring collectives. `halves` names
    a bisection of the ranks that the family knows to be a narrow one (a flag per rank); the rank order is halved where
    it is None. `notes` are the assumptions that stand behind the build, for the reader of an answer. `left_out` are the
    layers (an attribute of nodes and links) that watts and dollars do not count. `generators` proposes automorphisms of
    this topology, as permutations of node positions (int32[V] each): what uses one verifies it first, so that a failed
    link or another state merely costs symmetry. Where only some accelerators take part, or in another order, `chosen`
    int64[n] names them by their ranks in `whole`, the fabric that they are of (`topologies.selection`).
    """

    name: str
    family: str
    parameters: Mapping[str, Any]
    graph: nx.Graph
    catalogue: Catalogue
    circuits: CircuitLayer | None = None
    grid: Grid | None = None
    halves: Sequence[NDArray[np.bool_]] = ()
    tours: Sequence[NDArray[np.int64]] = ()
    racks: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    left_out: frozenset[str] = frozenset()
    generators: "Callable[[Topology], Iterable[NDArray[np.int32]]]" = no_generators
    whole: "Topology | None" = None
    chosen: NDArray[np.int64] | None = None

    @cached_property
    def nodes(self) -> list[Hashable]:
        """Node labels in the stable order that every array follows."""
        return list(self.graph) if self.whole is None else self.whole.nodes

    @cached_property
    def index(self) -> dict[Hashable, int]:
        """Position of each label in `nodes`."""
        return {label: i for i, label in enumerate(self.nodes)}

    @cached_property
    def edges(self) -> list[tuple[Hashable, Hashable, dict[str, Any]]]:
        """Both ends and the attributes of every edge, in the order of the graph."""
        if self.whole is not None:
            return self.whole.edges
        edges: list[tuple[Hashable, Hashable, dict[str, Any]]] = []
        done: set[Hashable] = set()
        with uncollected():
            for a, row in self.graph.adjacency():
                edges += [(a, b, attributes) for b, attributes in row.items() if b not in done]
                done.add(a)
        return edges

    @cached_property
    def edge_ends(self) -> NDArray[np.int32]:
        """int32[2, E]: the positions in `nodes` of both ends of every edge."""
        if self.whole is not None:
            return self.whole.edge_ends
        at, edges = self.index.__getitem__, self.edges
        return np.array([np.fromiter(map(at, map(itemgetter(k), edges)), np.int32, len(edges)) for k in (0, 1)])

    @cached_property
    def edge_kinds(self) -> tuple[list[dict[str, Any]], NDArray[np.int32]]:
        """The attributes of each kind of edge, and the kind of every edge, int32[E]: most of a million edges are of a
        few kinds, so that a question about edges is one about kinds. Attributes are not to be changed.

        >>> from topologies.registry import build
        >>> kinds, kind = build("rail:servers=4").edge_kinds
        >>> len(kind), [(edge["technology"], edge["count"]) for edge in kinds]
        (192, [('board', 5), ('board', 4), ('pluggable', 1), ('pluggable', 8)])
        """
        if self.whole is not None:
            return self.whole.edge_kinds
        with uncollected():
            return kinds_of([edge for _, _, edge in self.edges])

    def of_edges(self, question: Callable[[dict[str, Any]], Any], dtype: "type[np.generic]") -> NDArray[Any]:
        """What a question about an edge's attributes has for an answer at every edge, [E]; asked once for each kind."""
        kinds, kind = self.edge_kinds
        return np.array([question(edge) for edge in kinds], dtype)[kind]

    @cached_property
    def accelerators(self) -> list[Hashable]:
        """End points in rank order."""
        if self.whole is not None and self.chosen is not None:
            ends = self.whole.accelerators
            return [ends[rank] for rank in self.chosen.tolist()]
        return [node for node, kind in self.graph.nodes(data="kind") if kind == "accelerator"]

    def attribute(self, key: str) -> list[Any]:
        """That attribute of every node, None where it is absent; made once, not to be changed."""
        if key not in self._attributes:
            self._attributes[key] = [value for _, value in self.graph.nodes(data=key)]
        return self._attributes[key]

    @cached_property
    def _attributes(self) -> dict[str, list[Any]]:
        return {}

    @cached_property
    def domains(self) -> list[list[int]]:
        """Ranks of each scale-up domain, in rank order; empty where the fabric has none.

        >>> from topologies.registry import build
        >>> [len(d) for d in build("rail:servers=4,gpus=8").domains]
        [8, 8, 8, 8]
        """
        members: dict[Any, list[int]] = {}
        nodes = self.graph.nodes
        for rank, node in enumerate(self.accelerators):
            domain = nodes[node].get("domain")
            if domain is not None:
                members.setdefault(domain, []).append(rank)
        return list(members.values())

    @cached_property
    def links(self) -> int:
        """Links of the data path, parallel ones counted each, those inside hosts (PCIe, sockets) not."""
        kinds, kind = self.edge_kinds
        counted = [0 if edge["technology"] in HOST_TECHNOLOGIES else int(edge["count"]) for edge in kinds]
        return int(np.array(counted, np.int64)[kind].sum())

    def csr(self) -> Csr:
        """The compiled form, made once."""
        return self._csr

    @cached_property
    def _csr(self) -> Csr:
        if self.whole is not None:
            csr = self.whole.csr()
            return replace(csr, accelerators=csr.accelerators[self.chosen])
        u, v = self.edge_ends
        kinds, kind = self.edge_kinds
        links, rate, duty, latency_ns, wait_ns = link_columns(kinds)[:, kind]
        ends = np.array([kind == "accelerator" for kind in self.attribute("kind")])
        forwards = np.array([bool(f) for f in self.attribute("forwards")])
        used, edge = (ends | forwards)[u] & (ends | forwards)[v], np.arange(len(u), dtype=np.int32)
        if not used.all():
            edge = np.flatnonzero(used).astype(np.int32)
            u, v, links, rate, duty = u[used], v[used], links[used], rate[used], duty[used]
            latency_ns, wait_ns = latency_ns[used], wait_ns[used]
        capacity, latency, wait = links * rate * duty * BYTES_PER_S, latency_ns * 1e-9, wait_ns * 1e-9
        tails, heads = np.concatenate([u, v]), np.concatenate([v, u])
        order = np.argsort(tails, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        other = np.concatenate([np.arange(len(u), 2 * len(u)), np.arange(len(u))])
        indptr = np.zeros(len(self.nodes) + 1, np.int64)
        np.cumsum(np.bincount(tails, minlength=len(self.nodes)), out=indptr[1:])

        def both(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.concatenate([values, values])[order]

        return Csr(
            indptr=indptr,
            heads=heads[order],
            tails=tails[order],
            twin=place[other[order]].astype(np.int32),
            edge=np.concatenate([edge, edge])[order],
            links=both(links),
            capacity=both(capacity),
            latency=both(latency + wait),
            wait=both(wait),
            forwards=forwards.astype(np.uint8),
            node_latency=self._node_latency_s(),
            accelerators=np.flatnonzero(ends).astype(np.int32),
        )

    def on_arcs(self, arcs: NDArray[np.int64]) -> "Topology":
        """The same fabric for traffic that takes only some arcs of `csr()`, whose arcs these become."""
        part = copy(self)  # with all that is known of its nodes and edges
        part.__dict__["_csr"] = self.csr().only(arcs)
        return part

    def _node_latency_s(self) -> NDArray[np.float64]:
        """Forwarding latency of each node: of its part, or of the slowest switch that it stands for."""
        switches = {row.name: (row.latency_ns or 0.0) * 1e-9 for row in self.catalogue.of_kind(Switch)}
        adapters = {row.name: (row.latency_ns or 0.0) * 1e-9 for row in self.catalogue.of_kind(Nic)}
        kinds = zip(self.attribute("part"), self.attribute("kind"), strict=True)
        own = [(adapters if kind == "nic" else switches).get(name, 0.0) for name, kind in kinds]
        inner = [max((switches.get(n, 0.0) for n in held or ()), default=0.0) for held in self.attribute("parts")]
        latency: NDArray[np.float64] = np.maximum(np.array(own), np.array(inner))
        return latency

    def with_state(self, state: NDArray[np.int32]) -> "Topology":
        """The same fabric under another cross-connect state; int32[M, 3] of device, port on side A, port on side B."""
        if self.circuits is None:
            raise TopologyError(f"{self.name} has no circuit layer; only fabrics with circuit switches have a state")
        return self.with_circuits(self.circuits.with_state(state))

    def with_circuits(self, layer: CircuitLayer) -> "Topology":
        """The same fabric with another circuit layer: another state, failed ports."""
        if self.circuits is None:
            raise TopologyError(f"{self.name} has no circuit layer; only fabrics with circuit switches take one")
        if any(edge["medium"] == "circuit" and edge["duty"] < 1 for _, _, edge in self.edges):
            raise TopologyError(f"{self.name}: its circuit switches go through a cycle; no state of them can be set")
        graph = nx.Graph(self.graph)
        graph.remove_edges_from([(a, b) for a, b, edge in self.edges if edge["medium"] == "circuit"])
        layer.add_circuits(graph)
        same = np.array_equal(layer.state, self.circuits.state)  # another wiring may be no grid, or another one
        geometry: dict[str, Any] = {} if same else {"grid": None, "halves": (), "tours": ()}
        return replace(self, graph=graph, circuits=layer, **geometry)

    @classmethod
    def from_graph(
        cls,
        graph: nx.Graph,
        *,
        rate_gbps: float | None = None,
        name: str = "graph",
        parts: Catalogue | None = None,
    ) -> "Topology":
        """Any undirected NetworkX graph as a fabric.

        Nodes without a `kind` are accelerators that forward where no node has one, and are refused otherwise; those
        without a `part` are generic ones, as in the plain families. Links without `rate_gbps` take the one given here
        (400 where none is), those without `count` are single, those without a cable are 1 m of passive copper; `notes`
        say how many. ConfigError and TopologyError say which node or link is wrong.

        >>> Topology.from_graph(nx.cycle_graph(4), rate_gbps=100).links
        4
        """
        parts = parts or catalogue()
        if graph.is_directed() or graph.is_multigraph():
            raise TopologyError("a topology is an undirected simple graph; write parallel links as count= on one edge")
        copy = nx.Graph()
        kinds = dict(graph.nodes(data="kind"))
        bare = all(kind is None for kind in kinds.values())
        nameless = next((node for node, kind in kinds.items() if kind is None), None)
        if not bare and None in kinds.values():
            raise TopologyError(
                f"node {nameless} has no kind, others do; give every node one of {', '.join(NODE_KINDS)}, or none any"
            )
        for node, attributes in graph.nodes(data=True):
            kind = "accelerator" if bare else attributes.get("kind")
            forwards = attributes.get("forwards", bare or kind != "accelerator")
            generic = {"part": GENERIC} if kind == "accelerator" else {}
            copy.add_node(node, **{**generic, **attributes, "kind": kind, "forwards": forwards})
        for a, b, attributes in graph.edges(data=True):
            copy.add_edge(a, b, **link_attributes(a, b, attributes, rate_gbps, parts))
        notes = assumed(graph, rate_gbps)
        topology = cls(name=name, family="graph", parameters={}, graph=copy, catalogue=parts, notes=notes)
        check(topology)
        return topology


A = TypeVar("A")


def once(question: Callable[[Topology], A]) -> Callable[[Topology], A]:
    """Answer a question about each topology once, for as long as the topology lives."""
    answers: WeakKeyDictionary[Topology, A] = WeakKeyDictionary()

    @wraps(question)
    def remembered(topology: Topology) -> A:
        if topology not in answers:
            answers[topology] = question(topology)
        return answers[topology]

    return remembered


@contextmanager
def uncollected() -> Iterator[None]:
    """Millions of small objects are made here, none of them garbage: the collector would walk them again and again."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def limit_nodes(family: str, nodes: int, links: int = 0) -> None:
    """Refuse a build above 2^24 nodes, or pairs of nodes that links join, before it starts."""
    for count, what in ((nodes, "nodes"), (links, "joined pairs")):
        if count > MAX_NODES:
            number = f"{count:,}" if count <= COUNTED else f"more than {COUNTED:,}"
            raise ConfigError(f"{family} with these parameters has {number} {what}; at most {MAX_NODES:,} are built")
