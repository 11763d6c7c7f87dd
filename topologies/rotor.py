"""Rotor fabrics: racks whose uplinks share all links between racks in time, through rotor switches."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import ceil
from random import Random
from typing import Annotated, Any, Literal

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.blocks import Block, block_generators
from topologies.circuits import SIDE_A, SIDE_B, CircuitLayer
from topologies.clos import NicName, SwitchName, host_nodes
from topologies.conditions import OnlyWith
from topologies.errors import ConfigError, TopologyError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Catalogue, CircuitSwitch, Switch
from topologies.rounds import circuit_link
from topologies.stages import Tier, switch_tier

SLICES, SOURCES = 64, 64  # moments, and racks, that distances at one moment are taken over
TRIES = 50  # orders of the matchings, until every moment's links join all racks

Matching = tuple[NDArray[np.int64], NDArray[np.int64]]


def rotor(
    racks: Annotated[int, "racks, each of one top-of-rack switch"],
    uplinks: Annotated[int, "uplinks of a rack, one to each rotor switch"],
    hosts: Annotated[int | None, "accelerators of a rack; as many as uplinks by default"] = None,
    schedule: Annotated[
        Literal["rotornet", "opera"],
        "rotornet: traffic waits for its slot; opera: switches turn one after the other, small messages go multi-hop",
    ] = "rotornet",
    slot_us: Annotated[float | None, "time from one matching of a switch to its next; 10 guards by default"] = None,
    guard_us: Annotated[float | None, "lost part of a slot; 0 is ideal, the switching time by default"] = None,
    seed: Annotated[
        int, "of the order of the matchings, which decides the hops at one moment", OnlyWith("schedule", "opera")
    ] = 0,
    ocs: Annotated[str, "catalogue name of the rotor switch"] = "rotor-128",
    optic: Annotated[str, "catalogue name of the modules of uplinks"] = "400g-fr4",
    optical_length_m: Annotated[float, "fibre from a rack to a rotor switch"] = 50.0,
    switch: SwitchName = None,
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    nic: NicName = None,
    *,
    parts: Catalogue,
) -> Topology:
    """RotorNet (Mellette et al., SIGCOMM 2017) and Opera (Mellette et al., NSDI 2020).

    The links between N racks fall into N - 1 matchings (N where N is odd), dealt to the rotor switches: a cycle has
    ceil(matchings/uplinks) slots, and each pair of racks has a link for the part of one slot that is not guard. A link
    of the graph stands for that share (`duty`). RotorNet's latency includes the mean wait D^2/2T for a link that is
    down for D of a cycle T. In Opera all switches but one form an expander at any moment, which small messages cross
    without waiting: their mean number of hops, over moments and pairs, makes the latency.

    >>> from topologies.registry import build
    >>> t = build("rotor:racks=8,uplinks=2,hosts=4,slot_us=200"); len(t.accelerators), t.links, t.circuits.devices
    (32, 60, 2)
    """
    ends = uplinks if hosts is None else hosts
    if racks < 2 or racks * ends < 2:
        raise ConfigError("rotor: racks = 1 joins nothing; give at least 2")
    limit_nodes("rotor", racks * (ends + 1) + racks * (racks - 1) // 2)
    device = parts.part(ocs, CircuitSwitch)
    random = Random(seed)
    matchings = _matchings(racks, random)
    turn = _turn(device, uplinks, len(matchings), slot_us, guard_us)
    tier = Tier(switch, ends + uplinks) if switch is None else switch_tier(parts, switch, link)
    if ends + uplinks > tier.ports:
        raise TopologyError(
            f"rotor: {ends} hosts and {uplinks} uplinks exceed the {tier.ports} ports of {switch} at this rate"
        )
    graph = nx.Graph()
    labels = host_nodes(graph, racks * ends, accelerator, nic, link.rate_gbps, parts)
    names = [f"rack-{i}" for i in range(racks)]
    graph.add_nodes_from(names, **tier.attributes(1))
    graph.add_edges_from(((h, names[i // ends]) for i, h in enumerate(labels)), **link.attributes(parts, nic=nic))
    circuit, strands = circuit_link(parts, optic, link.rate_gbps, None, optical_length_m)
    if strands != (2, 1):
        raise ConfigError(f"rotor: module '{optic}' has not one fibre each way; name another")
    hop_ns = circuit["latency_ns"]
    notes = list(turn.notes)
    if schedule == "opera":
        row = parts.get(switch) if switch is not None else None
        through = (row.latency_ns or 0.0) if isinstance(row, Switch) else 0.0
        matchings, mean, longest = _expander(racks, uplinks, matchings, random)
        notes.append(
            f"at one moment {uplinks - 1} of {uplinks} uplinks join the racks: {mean:.3g} hops on average, at most "
            f"{longest} seen, which the latency counts; bulk waits for its own link, {turn.mean_us:.4g} us on average, "
            f"{turn.worst_us:.4g} us at worst"
        )
        circuit["latency_ns"] = mean * hop_ns + (mean - 1) * through
    layer = _layer(device, names, matchings[:uplinks], circuit)
    waits = (turn.mean_us * 1e3, turn.worst_us * 1e3) if schedule == "rotornet" else (0.0, 0.0)
    shared = {"duty": turn.duty, "wait_ns": waits[0], "worst_wait_ns": waits[1]}
    graph.add_edges_from(combinations(names, 2), **{**circuit, **shared})
    below = [labels[i * ends : (i + 1) * ends] for i in range(racks)]
    alike = [Block(names, ("rack",)), Block(below, ("rack", "host"))]
    moves = partial(block_generators, alike)
    return Topology("rotor", "rotor", {}, graph, parts, circuits=layer, notes=notes, generators=moves)


@dataclass(frozen=True, slots=True)
class _Turn:
    """What a cycle gives each pair of racks: its share of a link, and the wait for one."""

    duty: float
    mean_us: float
    worst_us: float
    notes: tuple[str, ...]


def _turn(
    device: CircuitSwitch,
    uplinks: int,
    matchings: int,
    slot_us: float | None,
    guard_us: float | None,
) -> _Turn:
    """The cycle of so many matchings on so many switches."""
    if uplinks > matchings:
        raise ConfigError(f"rotor: {uplinks} uplinks exceed the {matchings} matchings of the racks; give fewer uplinks")
    guard = float(device.known("switching_time_ms")) * 1e3 if guard_us is None else guard_us
    slot = 10 * guard if slot_us is None else slot_us
    up = slot - guard
    if up <= 0:
        raise ConfigError(f"rotor: a slot of {slot:g} us is all guard ({guard:g} us); give a larger slot_us")
    slots = ceil(matchings / uplinks)
    cycle = slots * slot
    down = cycle - up
    idle = slots * uplinks - matchings
    notes = [
        f"a cycle of {slots} slots of {slot:g} us, {cycle:g} us, a link up {up:g} us of it; "
        "times near or below a cycle are not exact"
    ]
    if slot_us is None:
        notes.append(f"default: slot of 10 guards, {slot:g} us")
    if idle:
        notes.append(f"{idle} of the {slots * uplinks} slots of a cycle have no matching left and stay dark")
    return _Turn(up / cycle, down * down / (2 * cycle), down, tuple(notes))


def _matchings(racks: int, random: Random) -> list[Matching]:
    """All pairs of racks as matchings, in random order; with an odd number one rack is out of each."""
    found = []
    for left, right in _factors(racks + racks % 2, random):
        both = (left < racks) & (right < racks)
        found.append((left[both], right[both]))
    random.shuffle(found)
    return found


def _factors(n: int, random: Random) -> list[Matching]:
    """The complete graph on an even number of nodes as n - 1 perfect matchings, few of which make an expander.

    Both halves, each relabelled at random, are factored on their own and their matchings paired; those between the
    halves are the shifts of one against the other. Halves of odd size m fall into m matchings that leave one node out
    each, and the two left out are joined (doubling constructions; Mendelsohn and Rosa, J. Graph Theory 1985).
    """
    half = n // 2
    order = np.arange(half)

    def labels(first: int) -> NDArray[np.int64]:
        return first + np.array(random.sample(range(half), half), np.int64)

    low, high = labels(0), labels(half)
    if half % 2:
        steps = np.arange(1, half // 2 + 1)
        found = []
        for out in range(half):
            a, b = (out - steps) % half, (out + steps) % half
            ends = (np.concatenate([low[a], high[a], low[[out]]]), np.concatenate([low[b], high[b], high[[out]]]))
            found.append(ends)
        return found + [(low, high[(order + shift) % half]) for shift in range(1, half)]
    inside, beside = _factors(half, random), _factors(half, random)
    random.shuffle(beside)
    found = [
        (np.concatenate([low[a], high[c]]), np.concatenate([low[b], high[d]]))
        for (a, b), (c, d) in zip(inside, beside, strict=True)
    ]
    low, high = labels(0), labels(half)
    return found + [(low, high[(order + shift) % half]) for shift in range(half)]


def _layer(
    device: CircuitSwitch, names: Sequence[str], first: Sequence[Matching], circuit: dict[str, Any]
) -> CircuitLayer:
    """The rotor switches, one to an uplink, each with its first matching: port = rack, sent on A, received on B."""
    racks, rotors = len(names), len(first)
    if racks > device.usable_ports:
        raise TopologyError(
            f"rotor: {racks} racks need as many ports on either side of each {device.name}, which has "
            f"{device.usable_ports}; use a larger one or fewer racks"
        )
    place = np.arange(racks)
    strands = [
        np.stack([np.full(racks, r), np.full(racks, side), place, place], 1)
        for r in range(rotors)
        for side in (SIDE_A, SIDE_B)
    ]
    state = [
        np.stack([np.full(len(a), r), a, b], 1)
        for r, (left, right) in enumerate(first)
        for a, b in ((left, right), (right, left))
    ]
    return CircuitLayer(
        part=device,
        devices=rotors,
        strands=np.concatenate(strands).astype(np.int32),
        state=np.concatenate(state).astype(np.int32),
        ends=names,
        blocks=list(names),
        link=circuit,
        fibres=2,
    )


def _expander(racks: int, uplinks: int, matchings: list[Matching], random: Random) -> tuple[list[Matching], float, int]:
    """The matchings in an order in which all racks are joined at every moment, with the hops that this takes."""
    for _ in range(TRIES):
        hops = _hops(racks, uplinks, matchings)
        if hops is not None:
            return matchings, *hops
        random.shuffle(matchings)
    raise ConfigError(
        f"rotor: the links of {uplinks} uplinks that are up while one switch turns do not join {racks} racks at every "
        "moment; opera needs more uplinks"
    )


def _hops(racks: int, uplinks: int, matchings: Sequence[Matching]) -> tuple[float, int] | None:
    """Mean hops between racks over the links that are up at one moment, and the most, over some moments and racks;
    None where some racks are not joined at some moment.

    Switch r turns r slices after the first; the one that turns next carries no small messages.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import shortest_path

    slots = ceil(len(matchings) / uplinks)
    slices = np.unique(np.linspace(0, slots * uplinks - 1, SLICES).astype(int))
    sources = np.unique(np.linspace(0, racks - 1, min(racks, SOURCES)).astype(int))
    total, longest = 0.0, 0
    for moment in slices.tolist():
        up = [
            matchings[at]
            for r in range(uplinks)
            if r != moment % uplinks and (at := r + uplinks * ((moment - r) // uplinks % slots)) < len(matchings)
        ]
        if not up:
            return None
        left, right = (np.concatenate(ends) for ends in zip(*up, strict=True))
        graph = csr_array((np.ones(len(left)), (left, right)), shape=(racks, racks))
        hops = shortest_path(graph, directed=False, unweighted=True, indices=sources)
        if not np.isfinite(hops).all():
            return None
        total += float(hops.sum())
        longest = max(longest, int(hops.max()))
    return total / (len(slices) * len(sources) * (racks - 1)), longest
