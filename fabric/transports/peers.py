"""NCCL between accelerators on PCIe: directly, or through host memory that all of them share."""

from math import inf

from fabric.transports.joining import Times
from fabric.transports.nccl import Time
from fabric.transports.work import Work
from topologies.library_kinds import DomainTransport, Library, PeerTransport


def ring(row: PeerTransport, work: Work) -> dict[str, Time]:
    """LL and Simple round a ring; floor and bytes add up."""
    low, bulk = _rates(row, work.machine.ranks)
    steps = work.ring_steps

    def simple(size: Times) -> Times:
        bytes_us: Times = work.rank_us(size) / bulk + _copy_us(row, work, size)
        return row.floor_us + steps * row.step_floor_us + bytes_us

    return {
        "LL": lambda size: row.launch_us + steps * row.hop_us + work.rank_us(size) / low,
        "Simple": simple,
    }


def exchange(row: PeerTransport, library: Library, work: Work) -> dict[str, Time]:
    """All-to-all: LL and Simple to every peer."""
    low, bulk = _rates(row, work.machine.ranks)
    low, bulk = low * library.known("peer_exchange_ll_ratio"), bulk * library.known("peer_exchange_ratio")
    peers = max(0, work.machine.ranks - 2)
    floor = library.known("peer_exchange_floor_us") + peers * library.known("peer_exchange_floor_peer_us")
    launch = row.launch_us * library.known("peer_exchange_launch_ratio")
    launch += peers * library.known("peer_exchange_launch_peer_us")

    def simple(size: Times) -> Times:
        times: Times = floor + work.rank_us(size) / bulk + _copy_us(row, work, size)
        return times

    return {
        "LL": lambda size: launch + work.rank_us(size) / low,
        "Simple": simple,
    }


def _copy_us(row: PeerTransport, work: Work, size: Times) -> Times:
    return work.own_us(size) / row.copy_share


def server(row: PeerTransport, library: Library, ranks: int) -> DomainTransport:
    """A server of so many ranks as a domain that a network joins to others: its rate is what its ranks get of PCIe."""
    _, bulk = _rates(row, ranks)
    share = min(bulk, 1.0)
    return DomainTransport(
        name=row.name, title=row.title, source=row.source, year=row.year, confidence=row.confidence,
        sources=row.sources, estimates=row.estimates, library=row.library, accelerators=row.accelerators,
        launch_us=row.launch_us, hop_us=row.hop_us, floor_us=row.floor_us, step_floor_us=row.step_floor_us,
        share=share, copy_share=row.copy_share, ll128_share=share,
        exchange_peer_us=library.known("peer_exchange_launch_peer_us"), exchange_copy_share=row.copy_share,
    )  # fmt: skip


def _rates(row: PeerTransport, ranks: int) -> tuple[float, float]:
    """Shares of the line rate under LL and Simple: two ranks have the path to themselves, more than four share it."""
    if ranks == 2:
        return row.ll_pair_share, inf if row.pair_share is None else row.pair_share
    fall = (4 / max(ranks, 4)) ** row.fall
    return row.ll_share * fall, row.share * fall
