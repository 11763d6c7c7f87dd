"""Flat optical fabrics: accelerators joined directly through a patch panel or circuit switches, no packet switch."""

from collections.abc import Iterator
from random import Random
from typing import Annotated, Literal

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.clos import NicName, adapter
from topologies.conditions import OnlyWith
from topologies.errors import ConfigError
from topologies.graph import Topology, limit_nodes, no_generators
from topologies.parts import Accelerator, Catalogue, CircuitSwitch
from topologies.rounds import Round, circuit_link, opposite_round, ring_round, rounds_layer, totient_strides


def ocs_flat(
    n: Annotated[int, "accelerators, or servers taken as one end point each"],
    degree: Annotated[int, "links of each"],
    pattern: Annotated[
        Literal["totient", "random"],
        "the rings of the state: strides without a common factor with n, or tours in random order",
    ] = "totient",
    seed: Annotated[int, "of random tours", OnlyWith("pattern", "random")] = 0,
    devices: Annotated[int | None, "circuit switches that there are; as many as the links fill by default"] = None,
    ocs: Annotated[str, "catalogue name of the circuit switch or patch panel"] = "telescent-g4",
    optic: Annotated[str, "catalogue name of the modules; bidirectional ones take one strand, others two"] = "400g-fr4",
    rate_gbps: Annotated[float, "one direction of one link, Gb/s"] = 400.0,
    latency_ns: Annotated[float | None, "of one link; default from module, adapter and length"] = None,
    length_m: Annotated[float, "fibre from an accelerator to the circuit switch"] = 30.0,
    accelerator: Annotated[str, "catalogue name"] = "generic",
    nic: NicName = None,
    *,
    parts: Catalogue,
) -> Topology:
    """TopoOpt: n accelerators of degree d through circuit switches; they pass on each other's traffic (NSDI 2023).

    A link is full duplex, so that a ring takes two ports of each accelerator and d/2 strides carry d rings, one each
    way round. An odd port leads half way round. The state is one of those that the circuit switches can take: each
    ring lies on one of them.

    >>> from topologies.registry import build
    >>> t = build("ocs-flat:n=12,degree=4"); t.links, [int(tour[1]) for tour in t.tours], t.circuits.devices
    (24, [1, 5], 1)
    """
    if n < 2:
        raise ConfigError("ocs-flat: n = 1 joins nothing; give at least 2")
    if degree % 2 and n % 2:
        raise ConfigError(f"ocs-flat: an odd degree = {degree} joins no odd number n = {n}; make one of them even")
    if degree == 1 and n > 2:
        raise ConfigError(f"ocs-flat: degree = 1 joins n = {n} in pairs only; give at least 2")
    limit_nodes("ocs-flat", n * degree)
    parts.part(accelerator, Accelerator)
    attributes: dict[str, object] = {"kind": "accelerator", "forwards": True, "part": accelerator}
    if nic is not None:
        attributes["parts"] = {adapter(parts, nic, rate_gbps): degree}
    graph = nx.Graph()
    labels = [f"acc-{i}" for i in range(n)]
    graph.add_nodes_from(labels, **attributes)
    tours, rounds = _rounds(n, degree, pattern, seed)
    circuit, strands = circuit_link(parts, optic, rate_gbps, latency_ns, length_m, nic)
    device = parts.part(ocs, CircuitSwitch)
    layer = rounds_layer("ocs-flat", device, labels, rounds, circuit, strands, devices=devices)
    layer.add_circuits(graph)
    moves = turns if pattern == "totient" else no_generators
    return Topology("ocs-flat", "ocs-flat", {}, graph, parts, circuits=layer, tours=tours, generators=moves)


def _rounds(n: int, degree: int, pattern: str, seed: int) -> tuple[list[NDArray[np.int64]], list[Round]]:
    """Tours of all accelerators, and the rounds of them and of an odd port."""
    order = np.arange(n)
    random = Random(seed)

    def shuffled() -> NDArray[np.int64]:
        return np.array(random.sample(range(n), n), np.int64)

    if pattern == "random":
        tours = [shuffled() for _ in range(degree // 2)]
    else:
        tours = [order * stride % n for stride in totient_strides(n, degree // 2)]
    rounds = [ring_round(tour) for tour in tours]
    if degree % 2:
        rounds.append(opposite_round(shuffled() if pattern == "random" else order))
    return tours, rounds


def turns(topology: Topology) -> Iterator[NDArray[np.int32]]:
    """One step round: each accelerator to the place of the next, which strides do not notice."""
    yield np.roll(np.arange(len(topology.nodes), dtype=np.int32), -1)
