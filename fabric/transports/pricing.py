"""What a library makes of an algorithm on a machine: a time for each of its protocols, and what stands behind it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fabric.transports import direct, nccl, peers, striped
from fabric.transports.launching import launched
from fabric.transports.machine import Machine
from fabric.transports.naming import AUTO, IDEAL, KERNELS, Transport
from fabric.transports.nccl import Constants, Time
from fabric.transports.work import Work
from topologies.errors import ConfigError
from topologies.library_kinds import (
    DirectTransport,
    DomainTransport,
    Harness,
    Library,
    NetworkTransport,
    PeerTransport,
    StripedTransport,
)
from topologies.parts import Catalogue

DEFAULT_HARNESS = "processes"
DEFAULT_NETWORK = "roce"
RINGS_OR_TREES = ("all-reduce", "all-gather", "reduce-scatter", "broadcast", "reduce")
EXCHANGES = ("direct", "pxn", "pairwise")


@dataclass(frozen=True, slots=True, eq=False)
class Pricing:
    """A library on a machine: the rows that hold its constants, found once for all algorithms.

    One of `constants` (domains and networks), `peer` (PCIe), `direct` and `striped` is given. `said` names what was
    taken for granted.
    """

    machine: Machine
    library: Library
    transport: Transport
    harness: Harness
    constants: Constants | None = None
    peer: PeerTransport | None = None
    direct: DirectTransport | None = None
    striped: StripedTransport | None = None
    said: tuple[str, ...] = ()

    def saying(self, *lines: str) -> "Pricing":
        """The same with more that was taken for granted."""
        return replace(self, said=(*self.said, *lines))

    @property
    def name(self) -> str:
        """The transport with the options that were given, as one writes it."""
        return self.transport.written(self.library.name)

    def menu(self, collective: str) -> tuple[str, ...]:
        """The algorithms that the library chooses from by itself, as its own rules and the options allow."""
        one = self.machine.domains == 1
        barred = {"tree", "nvls-tree", "pxn"} if one else {"nvls"}
        if not self.transport.nvls or self.machine.size < (self.library.multicast_ranks or 0):
            barred |= {"nvls", "nvls-tree"}
        if self.machine.size > 1 or one:
            barred.add("pat")
        if self.machine.domains > 2 and self.machine.size > (self.library.tree_ranks or 0):
            barred.add("nvls-tree")
        if self.constants is not None and self.constants.domain.multicast_share is None:
            barred |= {"nvls", "nvls-tree"}
        if collective in RINGS_OR_TREES:
            barred |= set(self.library.exchanges)
        only = self.transport.algorithm
        return tuple(name for name in self.library.menu if name not in barred and only in (None, name))

    def times(self, work: Work) -> dict[str, Time]:
        """A time in microseconds of sizes in bytes, for each protocol that the library has for this algorithm."""
        work = replace(work, in_place=self.transport.inplace)
        found = self._bare(work)
        extra = 0.0
        if work.machine.accelerator in self.library.superchips:
            extra = self.library.superchip_launch_us or 0.0
        return {name: _launched(self.harness, work, time, extra) for name, time in found.items()}

    def _bare(self, work: Work) -> dict[str, Time]:
        if self.peer is not None:
            exchanged = work.algorithm in EXCHANGES
            return peers.exchange(self.peer, self.library, work) if exchanged else peers.ring(self.peer, work)
        if self.direct is not None:
            return direct.any_algorithm(self.direct, work)
        if self.striped is not None:
            make_striped = striped.doubling if work.algorithm == "recursive-doubling" else striped.ring
            return make_striped(self.striped, work, interleaved=self.transport.interleave)
        assert self.constants is not None
        return _nccl(self.constants, work, self.transport)


def _nccl(rows: Constants, work: Work, transport: Transport) -> dict[str, Time]:
    across = rows.network is not None
    if work.collective == "all-to-all" and work.algorithm in EXCHANGES:
        return nccl.exchange_across(rows, work) if across else nccl.exchange_inside(rows, work)
    if work.algorithm == "ring":
        return nccl.ring_across(rows, work) if across else nccl.ring_inside(rows, work)
    if work.algorithm in ("nvls", "nvls-tree") and rows.domain.multicast_share is not None:
        found = nccl.multicast_across(rows, work) if across else nccl.multicast_inside(rows, work)
        return found or nccl.any_algorithm(rows, work)
    if work.algorithm == "tree" and across:
        return nccl.tree_across(rows, work)
    return nccl.any_algorithm(rows, work, exchange=work.algorithm in EXCHANGES)


def _launched(row: Harness, work: Work, time: Time, extra_us: float) -> Time:
    return lambda size: launched(row, work, time(np.asarray(size, np.float64)) + extra_us)


def pricing(transport: Transport, machine: Machine, name: str, parts: Catalogue) -> Pricing | None:
    """The rows that price a machine, `name` being its topology's; None for `ideal`, and for `auto` where no row knows
    the accelerator. ConfigError where a library is named that has no constants for the machine."""
    if transport.library in (IDEAL, KERNELS):
        return None
    automatic = transport.library == AUTO
    library = _default_library(machine, parts) if automatic else parts.part(transport.library, Library)
    if library is None:
        return None
    found = _rows(library, transport, machine, name, parts)
    if found is None and not automatic:
        raise ConfigError(
            f"transport {library.name} has no constants for {machine.accelerator or 'mixed accelerators'}"
            f"{' on PCIe' if machine.on_pcie else ''}; give --transport ideal, or rows for it with --parts"
        )
    return found


def _default_library(machine: Machine, parts: Catalogue) -> Library | None:
    return next((row for row in parts.of_kind(Library) if machine.accelerator in row.accelerators), None)


def _rows(
    library: Library, transport: Transport, machine: Machine, name: str, parts: Catalogue
) -> Pricing | None:
    """The rows of a library for a machine: striped adapters, known links, PCIe, or a domain and a network."""
    harness = parts.part(f"harness-{transport.harness or DEFAULT_HARNESS}", Harness)
    bare = Pricing(machine, library, transport, harness)
    if transport.harness is None:
        bare = bare.saying(f"transport: {harness.title}")
    if transport.sharp:
        bare = bare.saying("transport: SHARP is priced as rings, whose rate the one log of it shows")
    striped_row = next((row for row in parts.of_kind(StripedTransport) if row.library == library.name), None)
    if striped_row is not None:
        return replace(bare, striped=striped_row)
    direct_row = next((row for row in parts.of_kind(DirectTransport) if _serves(row, library, machine)), None)
    if direct_row is not None:
        return replace(bare, direct=direct_row).saying(*_guessed(direct_row))
    if machine.on_pcie and machine.size > 1:
        return _on_pcie(bare, name, parts)
    domain = next((row for row in parts.of_kind(DomainTransport) if _serves(row, library, machine)), None)
    if domain is None:
        return None
    ll128 = transport.ll128 and harness.ll128
    if machine.domains == 1:
        return replace(bare, constants=Constants(library, domain, None, ll128)).saying(*_guessed(domain))
    return _across(bare, domain, ll128, name, parts).saying(*_guessed(domain))


def _across(bare: Pricing, domain: DomainTransport, ll128: bool, name: str, parts: Catalogue) -> Pricing:
    """Domains and the network between them."""
    network = _network(bare.transport, bare.machine, name, parts)
    between = [] if bare.transport.net else [f"transport: {network.title} between domains"]
    made = replace(bare, constants=Constants(bare.library, domain, network, ll128))
    return made.saying(*_guessed(network), *between)


def _on_pcie(bare: Pricing, name: str, parts: Catalogue) -> Pricing | None:
    """How peers reach each other is given, or known of the accelerator, or taken to be through host memory. LL128 needs
    NVLink; several servers are domains whose rate is PCIe's."""
    rows = [row for row in parts.of_kind(PeerTransport) if row.library == bare.library.name]
    own = next((row for row in rows if bare.machine.accelerator in row.accelerators), None)
    wanted = bare.transport.peers or ("host" if own is None else own.peers)
    row = own if own is not None and own.peers == wanted else next((r for r in rows if r.peers == wanted), None)
    if row is None:
        return None
    way = [] if bare.transport.peers else [f"transport: accelerators on PCIe reach each other by peers={wanted}"]
    if bare.machine.domains > 1:
        domain = peers.server(row, bare.library, bare.machine.size)
        return _across(bare, domain, False, name, parts).saying(*way, *_guessed(row))
    return replace(bare, peer=row).saying(*way, *_guessed(row))


def _serves(row: DomainTransport | DirectTransport, library: Library, machine: Machine) -> bool:
    return row.library == library.name and machine.accelerator in row.accelerators


def _network(transport: Transport, machine: Machine, name: str, parts: Catalogue) -> NetworkTransport:
    rows = parts.of_kind(NetworkTransport)
    rows = [row for row in rows if not row.accelerators or machine.accelerator in row.accelerators]
    tests: tuple[Callable[[NetworkTransport], bool], ...] = (
        lambda row: any(name.startswith(system) for system in row.systems),
        lambda row: bool(set(row.switches) & set(machine.switches)),
        lambda row: bool(set(row.nics) & set(machine.nics)),
        lambda row: row.fabric == DEFAULT_NETWORK,
    )
    if transport.net is not None:
        tests = (lambda row: row.fabric == transport.net,)
    return next(row for known in tests for row in rows if known(row))


def _guessed(row: DomainTransport | DirectTransport | PeerTransport | NetworkTransport) -> list[str]:
    return [f"transport constants of {row.name}"] if row.estimates else []
