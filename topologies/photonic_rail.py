"""Photonic rails: servers whose rails are circuit switches in place of packet switches, each rail a ring."""

from functools import partial
from typing import Annotated, Literal

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.blocks import Block, block_generators
from topologies.clos import adapter
from topologies.errors import ConfigError
from topologies.graph import Topology, limit_nodes
from topologies.parts import Catalogue, CircuitSwitch
from topologies.rounds import Round, circuit_link, rounds_layer, totient_strides
from topologies.servers import Server, add_servers


def photonic_rail(
    servers: Annotated[int, "servers, each one scale-up domain"],
    ports: Annotated[int, "ports that an adapter's rate is split into, even: two make a ring along the rail"] = 2,
    pattern: Annotated[
        Literal["ring", "totient"], "state of a rail: all rings to the next server, or in strides as in ocs-flat"
    ] = "ring",
    ring: Annotated[int | None, "ring: servers of each, as groups of one parallelism; all of them by default"] = None,
    stride: Annotated[int, "ring: how many servers those of one ring are apart"] = 1,
    forwarding: Annotated[bool, "accelerators pass on others' traffic along a rail"] = False,
    ocs: Annotated[str, "catalogue name of the circuit switch of a rail"] = "polatis-384",
    optic: Annotated[str, "catalogue name of the adapters' modules"] = "400g-fr4-bidi",
    rate_gbps: Annotated[float, "of an adapter, all its ports together, one direction, Gb/s"] = 400.0,
    length_m: Annotated[float, "fibre from a server to a circuit switch"] = 30.0,
    server: Server = Server(),
    *,
    parts: Catalogue,
) -> Topology:
    """Rails of circuit switches (Ding et al., Photonic Rails in ML Datacenters with Opus, arXiv:2602.12521).

    A circuit switch joins accelerator r of every server: a port to one other at a time. The graph is one state of the
    rails, rings; another phase of a training step takes another state (`with_state`), which costs a switching time. Two
    accelerators without a circuit on their rail exchange nothing in this state, unless accelerators pass on traffic.

    >>> from topologies.registry import build
    >>> t = build("photonic-rail:servers=16"); t.circuits.devices, t.circuits.circuits
    (8, 128)
    >>> fours = build("photonic-rail:servers=16,ring=4,stride=4"); fours.circuits.circuits  # servers 0, 4, 8, 12, ...
    128
    """
    if servers < 2:
        raise ConfigError("photonic-rail: servers = 1 needs no rails; give at least 2")
    if ports % 2:
        raise ConfigError(f"photonic-rail: ports = {ports} is odd; a ring takes two ports of an adapter")
    ring = servers if ring is None else ring
    if ring < 2 or servers % (ring * stride):
        raise ConfigError(
            f"photonic-rail: {servers} servers are no rings of {ring} that are {stride} apart; give divisors, from 2 on"
        )
    strides = totient_strides(servers, ports // 2) if pattern == "totient" else [1] * (ports // 2)
    if pattern == "totient" and set(strides) == {1}:
        raise ConfigError(
            f"photonic-rail: pattern has no effect: {ports} ports make {ports // 2} ring{'s' * (ports > 2)} of "
            f"{servers} servers, all to the next; leave it out or give more ports and servers"
        )
    if pattern == "totient" and (ring, stride) != (servers, 1):
        raise ConfigError("photonic-rail: ring and stride are of pattern=ring; leave them or the pattern out")
    gpus = server.gpus
    limit_nodes("photonic-rail", servers * gpus)
    graph = nx.Graph()
    own = adapter(parts, server.nic, rate_gbps)
    gpu_of, chips_of = add_servers(graph, servers, server, own, parts)
    labels = [label for row in gpu_of for label in row]
    for label in labels:
        graph.nodes[label]["forwards"] = forwarding
    circuit, strands = circuit_link(parts, optic, rate_gbps / ports, None, length_m, own)
    device = parts.part(ocs, CircuitSwitch)
    place = np.arange(servers)
    next_of = [_next(servers, servers, by) if pattern == "totient" else _next(servers, ring, stride) for by in strides]
    rounds = [Round(place * gpus + rail, along * gpus + rail) for rail in range(gpus) for along in next_of]
    first_of_rail = range(0, len(rounds), len(strides))
    names = [f"server-{s}" for s in range(servers) for _ in range(gpus)]
    layer = rounds_layer(
        "photonic-rail", device, labels, rounds, circuit, strands, blocks=names, apart=first_of_rail
    )  # fmt: skip
    layer.add_circuits(graph)
    change = "unknown" if device.switching_time_ms is None else f"{device.switching_time_ms:g} ms"
    said = "pass on each other's traffic" if forwarding else "without a circuit between them exchange nothing in it"
    notes = (f"one state of the rails, rings; changing it takes {change}; accelerators of a rail {said}",)
    alike = [Block(gpu_of, ("server", "rail"))]
    alike += [Block(chips, ("server", f"chip {i}")) for i, chips in enumerate(zip(*chips_of, strict=True)) if chips[0]]
    moves = partial(block_generators, alike)
    return Topology("photonic-rail", "photonic-rail", {}, graph, parts, circuits=layer, notes=notes, generators=moves)


def _next(servers: int, ring: int, stride: int) -> NDArray[np.int64]:
    """The server behind each along its ring, int64[servers]: rings of servers that are `stride` apart.

    >>> _next(8, 4, 2).tolist(), _next(5, 5, 2).tolist()
    ([2, 3, 4, 5, 6, 7, 0, 1], [2, 3, 4, 0, 1])
    """
    place = np.arange(servers)
    if ring == servers:
        return (place + stride) % servers
    block = place // (ring * stride) * (ring * stride)
    found: NDArray[np.int64] = block + (place - block + stride) % (ring * stride)
    return found
