"""NCCL's protocols inside one scale-up domain, and across domains: a time each, from constants of links and networks.

LL and LL128 send flags with the data: little latency, part of the rate; Simple waits for whole chunks (NCCL,
src/graph/tuning.cc; Hu et al., "Demystifying NCCL", 2025).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fabric.transports.joining import Times, join
from fabric.transports.work import Work
from topologies.library_kinds import DomainTransport, Library, NetworkTransport

RINGS = ("all-gather", "reduce-scatter")  # what NCCL does round rings alone
Time = Callable[[Times], Times]  # microseconds of sizes in bytes


@dataclass(frozen=True, slots=True)
class Constants:
    """The rows that price a machine; `network` is None where all ranks share a domain."""

    library: Library
    domain: DomainTransport
    network: NetworkTransport | None = None
    ll128: bool = True

    @property
    def network_share(self) -> float:
        """Of the adapters' line rate, in bulk."""
        assert self.network is not None
        return self.network.share or self.known("network_share")

    def known(self, key: str) -> float:
        """A constant of the library; ConfigError where its row lacks it."""
        return float(self.library.known(key))


def ring_inside(rows: Constants, work: Work) -> dict[str, Time]:
    """LL, LL128 and Simple round a ring in one domain; out of place the own share is copied."""
    domain = rows.domain
    low = domain.launch_us + work.ring_steps * domain.hop_us
    floor = domain.floor_us if rows.ll128 else rows.known("first_floor_us")
    floor += work.ring_steps * domain.step_floor_us

    def simple(size: Times) -> Times:
        bulk = work.inside_us(size) / domain.share + work.own_us(size) / domain.copy_share
        return join(domain.join or rows.known("join"), floor, bulk)

    times: dict[str, Time] = {
        "LL": lambda size: low + work.inside_us(size) / rows.known("ll_share"),
        "Simple": simple,
    }
    if rows.ll128:
        times["LL128"] = lambda size: (
            rows.known("ll128_ratio") * low + (work.inside_us(size) + work.own_us(size)) / domain.ll128_share
        )
    return times


def exchange_inside(rows: Constants, work: Work) -> dict[str, Time]:
    """All-to-all in one domain: a message to every peer at once."""
    domain, ranks = rows.domain, work.machine.ranks
    peers = domain.exchange_peer_us * max(0, ranks - 2)
    launch = domain.launch_us + rows.known("exchange_launch_us") + peers

    def simple(size: Times) -> Times:
        bulk = work.inside_us(size) / rows.known("exchange_share") + work.own_us(size) / domain.exchange_copy_share
        return join(rows.known("exchange_join"), rows.known("exchange_floor_us") + peers, bulk)

    return {
        "LL": lambda size: launch + size / ranks / rows.known("exchange_ll_gb_per_s") * 1e-3,
        "Simple": simple,
    }


def multicast_inside(rows: Constants, work: Work) -> dict[str, Time]:
    """NVLS all-reduce: switches reduce and multicast, S (1 + 1/n) a rank and direction."""
    floor = (rows.domain.multicast_floor_us or 0.0) + rows.domain.known("multicast_rank_us") * work.machine.ranks

    def simple(size: Times) -> Times:
        gain = np.where(size >= rows.known("multicast_gain_bytes"), rows.known("multicast_gain"), 1.0)
        times: Times = floor + work.inside_us(size) / (rows.domain.known("multicast_share") * gain)
        return times

    return {"Simple": simple}


def chain_us(rows: Constants, work: Work) -> float:
    """A smallest message across domains: a chain inside and a tree between; all-gather, reduce-scatter: a ring."""
    domain, network, machine = rows.domain, rows.network, work.machine
    assert network is not None
    if work.collective in RINGS:
        inner, outer = machine.ranks - machine.domains, machine.domains - 1
        return domain.launch_us + inner * domain.hop_us + outer * network.hop_us
    ways = 2 if work.collective == "all-reduce" else 1
    levels = int(np.log2(machine.domains))
    return domain.launch_us + ways * ((machine.size - 1) * domain.hop_us + levels * network.hop_us)


def low_latency_across(rows: Constants, work: Work) -> dict[str, Time]:
    """LL and LL128 across domains."""
    network, floor = rows.network, chain_us(rows, work)
    assert network is not None
    share = network.ll128_share or rows.known("network_ll128_share")
    times: dict[str, Time] = {
        "LL": lambda size: floor + work.moved_us(size, rows.known("network_ll_gb_per_s")),
    }
    if rows.ll128:
        times["LL128"] = lambda size: rows.known("network_ll128_ratio") * floor + np.maximum(
            _adapters_us(rows, work, size) / share, work.inside_us(size) / rows.domain.ll128_share
        )
    return times


def ring_across(rows: Constants, work: Work) -> dict[str, Time]:
    """Simple on rings through every domain, as fast as adapters or links inside allow, whichever are fuller; LL and
    LL128 where there is no tree."""
    low = low_latency_across(rows, work) if work.collective in RINGS else {}
    return low | {"Simple": _bulk(rows, work, rows.domain.share, ring=True)}


def tree_across(rows: Constants, work: Work) -> dict[str, Time]:
    """LL, LL128, and Simple along trees between domains, a chain inside."""
    return low_latency_across(rows, work) | _along_trees(rows, work, rows.known("chain_share"))


def multicast_across(rows: Constants, work: Work) -> dict[str, Time]:
    """Simple along trees between domains, NVLS inside."""
    return _along_trees(rows, work, rows.domain.known("multicast_share"))


def _along_trees(rows: Constants, work: Work, inside_share: float) -> dict[str, Time]:
    """Between two domains as a ring, but that S and not 2 (n-1)/n S crosses; beyond two with the latency of trees and
    part of the rate, where a domain is one host: racks were seen to take rings."""
    if work.machine.domains == 2:
        return {"Simple": _bulk(rows, work, inside_share)}
    if work.machine.size > rows.known("tree_ranks"):
        return {}
    network, floor = rows.network, rows.known("network_ll128_ratio") * chain_us(rows, work)
    assert network is not None
    share = rows.network_share * rows.known("tree_share")

    def simple(size: Times) -> Times:
        bulk = np.maximum(work.outside_us(size) / share, work.inside_us(size) / inside_share)
        times: Times = network.floor_us + floor + bulk
        return times

    return {"Simple": simple}


def exchange_across(rows: Constants, work: Work) -> dict[str, Time]:
    """All-to-all across domains: the adapters reach less than in a ring."""
    network = rows.network
    assert network is not None
    launch = rows.domain.launch_us + rows.known("exchange_launch_us") + network.hop_us
    launch += rows.domain.exchange_peer_us * max(0, work.machine.ranks - 2)

    def simple(size: Times) -> Times:
        outside = work.outside_us(size) / rows.known("exchange_network_share")
        return launch + np.maximum(outside, work.inside_us(size) / rows.known("exchange_share"))

    return {"Simple": simple}


def any_algorithm(rows: Constants, work: Work, *, exchange: bool = False) -> dict[str, Time]:
    """Of any algorithm: messages after each other, messages at once, and bytes at the rates of rings, or of exchanges
    where every rank sends to every other."""
    domain, network = rows.domain, rows.network
    hop, least = (0.0, 0.0) if network is None else (network.hop_us, network.floor_us)
    sends = work.messages * domain.exchange_peer_us
    low = domain.launch_us + sends + work.rounds_inside * domain.hop_us + work.rounds_outside * hop
    floor = max(domain.floor_us, least) + sends
    floor += work.rounds_inside * domain.step_floor_us + work.rounds_outside * hop
    share = rows.known("exchange_share") if exchange else domain.share

    def ll(size: Times) -> Times:
        outside = work.moved_us(size, rows.known("network_ll_gb_per_s")) if work.outside_s else 0.0
        return low + np.maximum(work.inside_us(size) / rows.known("ll_share"), outside)

    def simple(size: Times) -> Times:
        inside = work.inside_us(size) / share
        if network is not None:
            return floor + np.maximum(inside, work.outside_us(size) / rows.network_share)
        return join(domain.join or rows.known("join"), floor, inside + work.own_us(size) / domain.copy_share)

    return {"LL": ll, "Simple": simple}


def _bulk(rows: Constants, work: Work, inside_share: float, *, ring: bool = False) -> Time:
    network = rows.network
    assert network is not None
    floor = network.floor_us + rows.known("network_step_us") * work.ring_steps

    def simple(size: Times) -> Times:
        outside = _adapters_us(rows, work, size) if ring else work.outside_us(size)
        return floor + np.maximum(outside / rows.network_share, work.inside_us(size) / inside_share)

    return simple


def _adapters_us(rows: Constants, work: Work, size: Times) -> Times:
    """Between domains at line rate; rings through one domain take so many adapters at most."""
    crowding = max(1.0, work.machine.adapters_gb_per_s / rows.known("network_ring_gb_per_s"))
    return work.outside_us(size) * crowding
