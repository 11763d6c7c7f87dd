"""A phase of a step: what is sent at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What is sent at once, after `idle_s` without traffic: a collective of all ranks, of groups of ranks that are
    `stride` apart, or of all groups that extend `over` dimensions of the step's `numbering`, `times` one after the
    other; or a matrix of bytes between ranks. `times_s` are measured times by configuration, used as given."""

    name: str
    idle_s: float = 0.0
    collective: str | None = None
    size_bytes: int | None = None
    group: int | None = None
    stride: int = 1
    demand: Path | None = None
    times_s: Mapping[str, float] = field(default_factory=dict)
    numbering: Mapping[str, int] | None = None
    over: tuple[str, ...] = ()
    times: int = 1

    @property
    def ranks(self) -> int | None:
        """Ranks of a group; None where all take part."""
        return self.group if self.numbering is None else prod(self.numbering[name] for name in self.over)

    @property
    def whole_bytes(self) -> int:
        """Bytes of all times; 0 where none are known."""
        return (self.size_bytes or 0) * self.times
