"""Kinds of rows that say what a communication library adds to raw link rates, and what it achieves of them."""

from dataclasses import dataclass
from typing import ClassVar

from topologies.nameplate import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted(Part):
    """A row of constants: `fitted` names those that were fitted to measured rows, of so many `logs`; the others are
    published, or estimates."""

    fitted: tuple[str, ...] = ()
    logs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Library(Fitted):
    """A communication library: what it chooses from by itself, and the constants that all its links share.

    LL, LL128 and Simple are NCCL's three protocols: flags in every word, in every line of 128 bytes, or once a chunk.
    `menu` holds the algorithms that it runs by itself, `accelerators` those that it is the default of.
    """

    kind: ClassVar[str] = "library"

    menu: tuple[str, ...]
    exchanges: tuple[str, ...] = ()  # of them, what it takes for all-to-all and messages between pairs alone
    accelerators: tuple[str, ...] = ()
    superchips: tuple[str, ...] = ()  # accelerators whose host is a Grace
    superchip_launch_us: float | None = None  # on top, there
    join: float | None = None  # exponent: 1 adds floor and bytes of Simple, a large one takes the larger
    ll_share: float | None = None  # LL's part of the line rate of a domain
    ll128_ratio: float | None = None  # launch and hops of LL128 over those of LL
    first_floor_us: float | None = None  # of Simple, in versions without LL128
    exchange_launch_us: float | None = None  # of an all-to-all, on top of a ring's
    exchange_floor_us: float | None = None  # of Simple
    exchange_share: float | None = None  # of the line rate
    exchange_join: float | None = None  # how floor and bytes join
    exchange_ll_gb_per_s: float | None = None  # of each peer
    exchange_network_share: float | None = None  # of the adapters' line rate
    multicast_gain: float | None = None  # of NVLS for large sizes
    multicast_gain_bytes: float | None = None  # from which it takes larger chunks
    multicast_ranks: int | None = None  # from which NVLS is taken
    peer_exchange_launch_ratio: float | None = None  # of an all-to-all on PCIe, over a ring's
    peer_exchange_launch_peer_us: float | None = None  # of each rank beyond two
    peer_exchange_floor_us: float | None = None  # of Simple
    peer_exchange_floor_peer_us: float | None = None
    peer_exchange_ratio: float | None = None  # of its rate over a ring's
    peer_exchange_ll_ratio: float | None = None
    network_share: float | None = None  # of the adapters' line rate
    network_ll_gb_per_s: float | None = None  # LL between domains
    network_ll128_ratio: float | None = None  # latency of LL128 over LL's, between domains
    network_ll128_share: float | None = None  # of the line rate of a domain's adapters
    network_step_us: float | None = None  # floor of each step of a ring between domains
    network_ring_gb_per_s: float | None = None  # that rings through one domain carry, however many its adapters
    tree_share: float | None = None  # of that, along trees between more than two domains
    tree_ranks: int | None = None  # of a domain, up to which trees join more than two
    chain_share: float | None = None  # of the domain's line rate, of the tree's chain inside


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainTransport(Fitted):
    """A library on one generation of scale-up links; shares are of the line rate of a rank, one direction."""

    kind: ClassVar[str] = "domain-transport"

    library: str
    accelerators: tuple[str, ...]
    launch_us: float
    hop_us: float
    floor_us: float  # of Simple
    step_floor_us: float  # of Simple, each step
    share: float
    copy_share: float  # of a rank's own chunk, out of place
    join: float | None = None  # in place of the library's
    ll128_share: float
    exchange_peer_us: float  # of an all-to-all, each rank beyond two
    exchange_copy_share: float
    multicast_floor_us: float | None = None  # of NVLS
    multicast_rank_us: float | None = None
    multicast_share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerTransport(Fitted):
    """A library between accelerators on PCIe, directly or through host memory; shares are of PCIe's line rate."""

    kind: ClassVar[str] = "peer-transport"

    library: str
    accelerators: tuple[str, ...]
    peers: str  # direct, or host
    launch_us: float
    hop_us: float
    floor_us: float = 0.0  # of Simple
    step_floor_us: float
    pair_share: float | None = None  # two ranks; without a limit but the copy's where absent
    share: float  # four ranks
    fall: float  # beyond four the rate falls with (4/n)^fall
    copy_share: float
    ll_pair_share: float
    ll_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkTransport(Fitted):
    """A library over one kind of network between domains."""

    kind: ClassVar[str] = "network-transport"

    fabric: str  # what --transport calls it
    accelerators: tuple[str, ...] = ()  # none: whatever the accelerator
    systems: tuple[str, ...] = ()  # whose names begin so have it
    switches: tuple[str, ...] = ()  # that imply it
    nics: tuple[str, ...] = ()  # that imply it where the switches do not
    hop_us: float
    floor_us: float  # of Simple
    share: float | None = None  # in place of the library's
    ll128_share: float | None = None  # in place of the library's


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectTransport(Fitted):
    """A library on links of which only launch, hop and reachable share are known."""

    kind: ClassVar[str] = "direct-transport"

    library: str
    accelerators: tuple[str, ...]
    launch_us: float
    hop_us: float
    share: float
    network_share: float | None = None  # of the adapters' line rate


@dataclass(frozen=True, slots=True, kw_only=True)
class StripedTransport(Fitted):
    """A library whose ranks are joined by adapters alone, several to a rank: a small message takes one of them."""

    kind: ClassVar[str] = "striped-transport"

    library: str
    launch_us: float
    gather_step_us: float  # each step of a ring of all-gather or reduce-scatter
    reduce_step_us: float  # each step of a ring of all-reduce
    doubling_step_us: float
    share: float  # of the adapters' line rate
    join: float
    stripe_bytes: float  # a message up to this size takes one adapter
    interleaved_stripe_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness(Fitted):
    """How a benchmark launches its collectives: what no launch can be faster than."""

    kind: ClassVar[str] = "harness"

    launch_us: float = 0.0  # of all ranks together
    launch_us_per_rank: float = 0.0
    exchange_launch_us_per_pair: float = 0.0
    join: float = 1.0
    ll128: bool = True  # does the library have that protocol then
