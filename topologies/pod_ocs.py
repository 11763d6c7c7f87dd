"""Pods of a fat tree, or bare top-of-rack switches, joined through circuit switches where a fat tree has its core."""

from functools import partial
from math import ceil
from typing import Annotated

import networkx as nx

from topologies.blocks import FIXED, Block, block_generators
from topologies.clos import NicName, SwitchName, host_nodes
from topologies.conditions import OnlyAbove
from topologies.errors import ConfigError, TopologyError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Catalogue, CircuitSwitch
from topologies.rounds import Round, circuit_link, regular_rounds, rounds_layer
from topologies.stages import Tier, join, switch_tier

TALL = OnlyAbove("tors", 1)  # a pod of one switch has none above it


def pod_ocs(
    pods: Annotated[int, "pods"],
    uplinks: Annotated[int, "links of a pod to circuit switches"],
    tors: Annotated[int, "top-of-rack switches of a pod; a pod of 1 has no switches above it"] = 1,
    hosts: Annotated[int | None, "accelerators of a top-of-rack switch; its links upward by default"] = None,
    tor_uplinks: Annotated[int | None, "links of a top-of-rack switch into its pod; its hosts by default", TALL] = None,
    aggregations: Annotated[int, "switches above those of the racks in a pod of several", TALL] = 1,
    radix: Annotated[int | None, "ports of a top-of-rack box; those in use by default"] = None,
    aggregation_radix: Annotated[int | None, "ports of an aggregation box; those in use by default", TALL] = None,
    ocs: Annotated[str, "catalogue name of the circuit switch"] = "calient-s320",
    optic: Annotated[str, "catalogue name of the modules that face circuit switches"] = "400g-fr4",
    optical_length_m: Annotated[float, "fibre from a pod to a circuit switch"] = 100.0,
    switch: SwitchName = None,
    link: LinkOptions = LinkOptions(length_m=30.0, technology="pluggable"),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    nic: NicName = None,
    *,
    parts: Catalogue,
) -> Topology:
    """Pod- and rack-reconfigurable networks (Teh et al., Performance trade-offs in reconfigurable networks for HPC,
    JOCN 2022).

    A pod is `tors` switches under `aggregations` others, or one switch alone; its uplinks go to circuit switches, whose
    state joins the pods as evenly as can be: each pair by floor(uplinks/(pods - 1)) links, what is left in rings of
    strides without a common factor with the number of pods.

    >>> from topologies.registry import build
    >>> t = build("pod-ocs:pods=16,tors=8,hosts=8,uplinks=16"); len(t.accelerators), t.circuits.devices
    (1024, 1)
    """
    if pods < 2:
        raise ConfigError("pod-ocs: pods = 1 joins nothing; give at least 2")
    if uplinks == 1 and pods > 2:
        raise ConfigError(f"pod-ocs: uplinks = 1 joins {pods} pods in pairs only; give at least 2")
    ends = hosts or tor_uplinks or uplinks
    up = tor_uplinks or ends
    limit_nodes("pod-ocs", pods * (tors * (ends + 1) + aggregations))
    graph = nx.Graph()
    labels = host_nodes(graph, pods * tors * ends, accelerator, nic, link.rate_gbps, parts)
    racks = [[f"tor-{p}-{t}" for t in range(tors)] for p in range(pods)]
    heads = [[f"agg-{p}-{a}" for a in range(aggregations)] for p in range(pods)] if tors > 1 else racks
    boxes = {"tor": (ends + (up if tors > 1 else uplinks), radix)}
    if tors > 1:
        boxes["aggregation"] = (ceil(tors * up / aggregations) + ceil(uplinks / aggregations), aggregation_radix)
    tier = {name: _box(name, switch, used, ports, link, parts) for name, (used, ports) in boxes.items()}
    for pod in racks:
        graph.add_nodes_from(pod, **tier["tor"] | {"tier": 1})
    flat = [tor for pod in racks for tor in pod]
    graph.add_edges_from(((h, flat[i // ends]) for i, h in enumerate(labels)), **link.attributes(parts, nic=nic))
    if tors > 1:
        for pod, above in zip(racks, heads, strict=True):
            graph.add_nodes_from(above, **tier["aggregation"] | {"tier": 2})
            join(graph, pod, above, up, link, parts)
    circuit, strands = circuit_link(parts, optic, link.rate_gbps, None, optical_length_m)
    rounds, free = regular_rounds(pods, uplinks)
    width = len(heads[0])
    spread = [Round(each.left * width + i % width, each.right * width + i % width) for i, each in enumerate(rounds)]
    named = [head for pod in heads for head in pod]
    layer = rounds_layer(
        "pod-ocs", parts.part(ocs, CircuitSwitch), named, spread, circuit, strands,
        blocks=[f"pod-{p}" for p in range(pods) for _ in range(width)],
    )  # fmt: skip
    layer.add_circuits(graph)
    notes = (f"{free} uplink of each pod stays free: {pods} pods are odd",) if free else ()
    below = [[labels[(p * tors + t) * ends : (p * tors + t + 1) * ends] for t in range(tors)] for p in range(pods)]
    alike = [Block(racks, ("pod", "tor")), Block(below, ("pod", "tor", "host"))]
    if tors > 1:
        alike.append(Block(heads, ("pod", FIXED)))
    moves = partial(block_generators, alike)
    return Topology("pod-ocs", "pod-ocs", {}, graph, parts, circuits=layer, notes=notes, generators=moves)


def _box(
    name: str, switch: str | None, used: int, radix: int | None, link: LinkOptions, parts: Catalogue
) -> dict[str, object]:
    """Node attributes of a switch with so many ports in use; TopologyError where the box has fewer."""
    ports = used if radix is None else radix
    tier = Tier(switch, ports) if switch is None else switch_tier(parts, switch, link)
    if used > ports or ports > tier.ports:
        raise TopologyError(
            f"pod-ocs: a {name} switch uses {used} ports of {min(ports, tier.ports)}; give it a larger radix or switch"
        )
    return {**tier.attributes(1), "ports": ports}
