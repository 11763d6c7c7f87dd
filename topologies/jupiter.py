"""Jupiter: aggregation blocks joined directly through circuit switches, or under a spine of packet switches."""

from dataclasses import replace
from functools import partial
from itertools import repeat
from math import ceil
from typing import Annotated, Literal

import networkx as nx
import numpy as np

from topologies.blocks import Block, block_generators
from topologies.circuit_mesh import mesh_layer
from topologies.circuits import CircuitLayer, strands_of
from topologies.conditions import OnlyWith
from topologies.errors import ConfigError, TopologyError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Cable, Catalogue, CircuitSwitch, Optic, Switch
from topologies.stages import join, switch_tier

HOST_LENGTH_M = 2.0
MESHED = OnlyWith("spine", False)


def jupiter(
    blocks: Annotated[int, "aggregation blocks"] = 64,
    uplinks: Annotated[int, "uplinks of a block, even"] = 512,
    hosts: Annotated[int | None, "end points of a block; as many as uplinks by default"] = None,
    spine: Annotated[bool, "a spine of packet switches in place of the circuit switches"] = False,
    boundary: Annotated[
        Literal["spine", "blocks+spine", "hosts+blocks+spine"],
        "what watts and dollars count: the spine layer (modules, circuit or spine switches), blocks, host links",
    ] = "blocks+spine",
    stages: Annotated[
        int, "of switches inside a block: 1, ideal, no port joins them; 2, a folded Clos of all its ports"
    ] = 1,
    switch: Annotated[str, "catalogue name of the switches of blocks and spine"] = "th5-64x800g",
    ocs: Annotated[str, "catalogue name of the circuit switch", MESHED] = "palomar-136",
    optic: Annotated[str, "catalogue name of the modules under a spine", OnlyWith("spine", True)] = "400g-fr4",
    ocs_optic: Annotated[str, "catalogue name of the modules that face circuit switches", MESHED] = "400g-fr4-bidi",
    devices: Annotated[int | None, "circuit switches; as few as hold all blocks by default", MESHED] = None,
    rate_gbps: Annotated[float, "one direction of one link, Gb/s; of the fastest generation"] = 400.0,
    generations: Annotated[
        tuple[int, ...] | None, "rates of generations of blocks, Gb/s, e.g. 200x400; two meet at the slower", MESHED
    ] = None,
    generation_blocks: Annotated[
        tuple[int, ...] | None, "blocks of each generation, e.g. 48x16; as even as can be by default", MESHED
    ] = None,
    latency_ns: Annotated[float | None, "of one uplink; default from module and length"] = None,
    length_m: Annotated[float, "fibre from a block to a switch"] = 100.0,
    accelerator: Annotated[str, "catalogue name of an end point"] = "generic",
    *,
    parts: Catalogue,
) -> Topology:
    """Google Jupiter (Poutievski et al., SIGCOMM 2022, sections 3 and 4).

    A block is one switch node, ideal inside, whose `parts` hold its switches: one stage, uplinks and host links
    together over a switch's capacity, or the two stages and the copper that join any port to any other. Without a
    spine every uplink is a strand to a circuit switch, half of a block's on side A and half on side B of each, and
    blocks are joined pairwise by floor or ceil of uplinks/(blocks - 1) links; modules that need a strand each way, or
    several, take as many ports. Blocks of several generations share the circuit switches, which see no rate: a circuit
    between two runs at the slower, each end with the module of its own.

    >>> from topologies.registry import build
    >>> t = build("jupiter-64x512"); t.circuits.devices, len(t.accelerators)
    (128, 32768)
    """
    if blocks < 2:
        raise ConfigError("jupiter: blocks = 1 joins nothing; give at least 2")
    ends = uplinks if hosts is None else hosts
    limit_nodes("jupiter", blocks * (ends + uplinks + 1))
    link = LinkOptions(rate_gbps, latency_ns, length_m)
    parts.part(accelerator, Accelerator)
    rates = _block_rates(blocks, rate_gbps, generations, generation_blocks)
    graph = nx.Graph()
    names = [f"block-{b}" for b in range(blocks)]
    labels = [[f"host-{b}-{h}" for h in range(ends)] for b in range(blocks)]
    for block in labels:
        graph.add_nodes_from(block, kind="accelerator", forwards=False, part=accelerator)
    host_link = LinkOptions(rate_gbps, length_m=HOST_LENGTH_M).attributes(parts)
    notes: tuple[str, ...] = ()
    for rate in sorted(set(rates), reverse=True):
        held, inside = _inside(uplinks + ends, stages, parts.part(switch, Switch), rate, host_link["cable"])
        own = [b for b in range(blocks) if rates[b] == rate]
        graph.add_nodes_from((names[b] for b in own), kind="switch", forwards=True, tier=1, parts=held, layer="blocks")
        for b in own:
            graph.add_edges_from(zip(labels[b], repeat(names[b])), **{**host_link, "rate_gbps": rate}, layer="hosts")
        notes += (f"{len(own)} at {rate:g} Gb/s, hosts too: {inside}" if len(own) < blocks else inside,)
    notes += (f"host links are {HOST_LENGTH_M:g} m of {host_link['cable']}",)
    alike = _alike(names, labels, rates)
    if spine:
        spines = _add_spine(graph, names, uplinks, switch, optic, link, parts)
        moves = partial(block_generators, [*alike, Block(spines, ("spine",))])
        bare = Topology("jupiter", "jupiter", {}, graph, parts, notes=notes, generators=moves)
        return within(bare, boundary)
    layer = _mesh(graph, names, rates, uplinks, ocs, ocs_optic, devices, link, parts)
    moves = partial(block_generators, alike)
    bare = Topology("jupiter", "jupiter", {}, graph, parts, circuits=layer, notes=notes, generators=moves)
    return within(bare, boundary)


def _block_rates(
    blocks: int, fastest: float, generations: tuple[int, ...] | None, of_each: tuple[int, ...] | None
) -> list[float]:
    """The rate of each block, generation by generation."""
    if generations is None:
        if of_each is not None:
            raise ConfigError("jupiter: generation_blocks has no effect without generations; give both")
        return [fastest] * blocks
    count = len(generations)
    said = "x".join(map(str, generations))
    if max(generations) != fastest:
        raise ConfigError(
            f"jupiter: the fastest of generations = {said} is not rate_gbps = {fastest:g}; "
            f"give rate_gbps={max(generations)}"
        )
    if of_each is None:
        of_each = tuple(blocks // count + (g < blocks % count) for g in range(count))
    if len(of_each) != count or sum(of_each) != blocks or 0 in of_each:
        raise ConfigError(
            f"jupiter: generation_blocks = {'x'.join(map(str, of_each))} are {sum(of_each)} blocks of {len(of_each)} "
            f"generations; give {blocks} of {count}, one number for each of {said}"
        )
    return [float(rate) for rate, number in zip(generations, of_each, strict=True) for _ in range(number)]


def _alike(names: list[str], labels: list[list[str]], rates: list[float]) -> list[Block]:
    """Blocks of one rate change places, and the hosts of each."""
    alike = []
    for rate in dict.fromkeys(rates):
        own = [b for b, other in enumerate(rates) if other == rate]
        axis = "block" if len(own) == len(rates) else f"block at {rate:g}"
        alike.append(Block([names[b] for b in own], (axis,)))
        alike.append(Block([labels[b] for b in own], (axis, "host")))
    return alike


def _inside(ports: int, stages: int, switch: Switch, rate_gbps: float, cable: str) -> tuple[dict[str, int], str]:
    """What a block of so many ports holds, and what that takes for granted."""
    if stages not in (1, 2):
        raise ConfigError(f"jupiter: stages = {stages} is not 1 or 2")
    single = ceil(ports * rate_gbps / switch.capacity_gbps - 1e-9)
    leaves = ceil(2 * ports * rate_gbps / switch.capacity_gbps - 1e-9)
    double = leaves + single
    if single == 1 and stages == 2:
        raise ConfigError(f"jupiter: stages = 2 has no effect where one {switch.name} is a block; leave it out")
    if single == 1:
        return {switch.name: 1}, f"a block is one {switch.name}"
    if stages == 2:
        held = {switch.name: double, cable: ports}
        return held, f"a block is {double} {switch.name} in two stages; its latency counts as one"
    return {switch.name: single}, (
        f"a block is ideal inside: all ports of its {single} {switch.name} face hosts and uplinks, none joins them; "
        f"stages=2 counts the {double} and the copper that a folded Clos of its ports takes"
    )


def within(topology: Topology, boundary: str) -> Topology:
    """The same fabric with watts and dollars counted inside another boundary.

    >>> from topologies.registry import build
    >>> sorted(within(build("jupiter:blocks=4,uplinks=6"), "spine").left_out)
    ['blocks', 'hosts']
    """
    left_out = frozenset({"hosts", "blocks"} - set(boundary.split("+")))
    return replace(topology, left_out=left_out, parameters={**topology.parameters, "boundary": boundary})


def _add_spine(
    graph: nx.Graph,
    blocks: list[str],
    uplinks: int,
    switch: str,
    optic: str,
    link: LinkOptions,
    parts: Catalogue,
) -> list[str]:
    lane = LinkOptions(link.rate_gbps, link.latency_ns, link.length_m, cable=optic)
    tier = switch_tier(parts, switch, lane)
    count = ceil(len(blocks) * uplinks / tier.ports)
    if len(blocks) > tier.ports:
        raise TopologyError(f"jupiter: {len(blocks)} blocks exceed the {tier.ports} ports of one {switch}")
    spines = [f"spine-{j}" for j in range(count)]
    graph.add_nodes_from(spines, **tier.attributes(2))
    join(graph, blocks, spines, uplinks, lane, parts)
    return spines


def _mesh(
    graph: nx.Graph,
    blocks: list[str],
    rates: list[float],
    uplinks: int,
    ocs: str,
    optic: str,
    devices: int | None,
    link: LinkOptions,
    parts: Catalogue,
) -> CircuitLayer:
    """The blocks meshed through circuit switches, each generation with the modules of its rate."""
    device = parts.part(ocs, CircuitSwitch)
    module = replace(link, cable=optic).row(parts)
    fibres, lanes = strands_of(module, link.rate_gbps)
    every = sorted(set(rates), reverse=True)
    links = []
    for rate in every:
        own = LinkOptions(rate, link.latency_ns, 2 * link.length_m, cable=_module(module, rate, parts))
        if strands_of(own.row(parts), rate) != (fibres, lanes):
            raise ConfigError(
                f"jupiter: a link of {every[0]:g} Gb/s takes {fibres * lanes} strands of {optic}, one of {rate:g} Gb/s "
                "another number; give ocs_optic that carries every generation on as many"
            )
        links.append(own.attributes(parts, circuit=True))
    if devices is not None and 2 * devices > uplinks * fibres * lanes:
        raise ConfigError(
            f"jupiter: devices = {devices} are more than the strands of a block reach; "
            f"give at most {uplinks * fibres * lanes // 2}"
        )
    layer = mesh_layer(device, [blocks], uplinks, links[0], devices, fibres=fibres, lanes=lanes)
    if len(every) > 1:
        generation = np.array([every.index(rate) for rate in rates], np.int32)
        layer = replace(layer, other_links=links[1:], generation=generation)
    layer.add_circuits(graph)
    return layer


def _module(fastest: Cable | Optic, rate_gbps: float, parts: Catalogue) -> str:
    """The smallest module for a rate that meets the fastest generation's on one wavelength grid and strand."""
    if not isinstance(fastest, Optic):
        return fastest.name
    grid = (fastest.technology, fastest.bidirectional, fastest.wavelengths)
    rows = [
        row
        for row in parts.of_kind(Optic)
        if (row.technology, row.bidirectional, row.wavelengths) == grid
        and rate_gbps <= row.rate_gbps < fastest.rate_gbps
    ]
    return min(rows, key=lambda row: row.rate_gbps, default=fastest).name
