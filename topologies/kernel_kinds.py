"""Kinds of what software adds to a fabric for mixtures of experts: number formats, and kernels of one-sided puts."""

from dataclasses import dataclass
from typing import ClassVar

from topologies.nameplate import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFormat(Part):
    """How activations are written for the wire: the bytes of a value, and of the scale that a block of them shares."""

    kind: ClassVar[str] = "number-format"

    bytes_per_value: float
    scale_bytes: float = 0.0
    values_per_scale: int = 1

    def row_bytes(self, hidden: int) -> float:
        """Bytes of one token's activations, scales included.

        >>> from topologies.parts import part
        >>> [round(part(name).row_bytes(7168)) for name in ("fp8", "fp8-tensor", "bf16")]
        [7392, 7168, 14336]
        """
        return hidden * self.bytes_per_value + -(-hidden // self.values_per_scale) * self.scale_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSidedKernel(Part):
    """One operation of a library whose kernels put tokens into the memory of other ranks, on one generation of links.

    Time = launch_us + barrier_us log2(n) + expert_us (experts of a rank) + where a network is crossed network_launch_us
    + peer_us (ranks beyond it) + the longest of what follows: bytes on scale-up links at scale_up_share of their rate,
    and at most copy_gb_per_s at a rank, plus token_ns of each token; bytes on the network at network_share; floor_ns of
    each token; block_us of each token that a multiprocessor takes, of `blocks` or one an expert if there are fewer. Of
    the shorter of scale-up and network, serial_share does not overlap.
    """

    kind: ClassVar[str] = "one-sided-kernel"

    kernel: str
    operation: str  # dispatch, combine, prepare or low-precision-combine
    serves: str  # accelerators that take it without being asked, by catalogue name
    reach: str  # domain: within one scale-up domain; any
    algorithm: str = "direct"
    precision: str
    deduplicates: bool = True
    most_tokens: int | None = None  # of a rank, that it takes without being asked
    launch_us: float
    barrier_us: float = 0.0
    expert_us: float = 0.0
    network_launch_us: float = 0.0
    peer_us: float = 0.0
    scale_up_share: float
    network_share: float | None = None
    serial_share: float = 0.0
    copy_gb_per_s: float | None = None
    token_ns: float = 0.0
    floor_ns: float = 0.0
    blocks: int | None = None
    block_us: float = 0.0
    reading: bool = False  # moves indices, not tokens
