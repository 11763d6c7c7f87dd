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

    Its time is `launch_ns` + `barrier_ns` log2(ranks) + `expert_ns` for each expert of a rank, across a network also
    `network_launch_ns` + `peer_ns` for each rank beyond it; and the longest of what runs meanwhile: bytes on scale-up
    links at `scale_up_share` of their rate, or at `copy_gb_per_s` at a rank where that is less, with `token_ns` for
    each token; bytes on the network at `network_share`, plus `serial_share` of the shorter of the two; `floor_ns` for
    each token; and `block_ns` for each token of a multiprocessor, of `blocks` or of as many as there are experts.
    """

    kind: ClassVar[str] = "one-sided-kernel"

    kernel: str
    operation: str  # dispatch or combine, or a step beside them: prepare, low-precision-combine
    serves: str  # catalogue names of accelerators, a blank between them
    algorithm: str = "direct"
    precision: str  # that it was measured in, where it has but one
    carries_tokens: bool = True  # or indices alone
    deduplicates: bool = True
    several_domains: bool = False  # works across a network, too
    most_tokens: int | None = None  # of a rank: above, another kernel is taken where none is named
    launch_ns: float
    ratios_large: tuple[float, ...]  # measured over predicted time, both ends of nine of ten rows
    ratios_small: tuple[float, ...]
    barrier_ns: float = 0.0
    expert_ns: float = 0.0
    network_launch_ns: float = 0.0
    peer_ns: float = 0.0
    scale_up_share: float
    network_share: float | None = None
    serial_share: float = 0.0
    copy_gb_per_s: float | None = None
    token_ns: float = 0.0
    floor_ns: float = 0.0
    blocks: int | None = None
    block_ns: float = 0.0
