"""What an algorithm does on a machine, as a library's model sees it: steps, and how long a byte keeps links busy."""

from dataclasses import dataclass

from fabric.transports.joining import Times
from fabric.transports.machine import Machine


@dataclass(frozen=True, slots=True)
class Work:
    """An algorithm routed on a machine.

    Seconds that one byte of the collective's size keeps the fullest link busy at line rate: `inside_s` of a domain,
    `rank_s` of a rank's own there, `outside_s` between domains. `rounds_inside` and `rounds_outside` are messages that
    follow each other, `messages` what the busiest rank sends at once, beyond one a round; `in_place`: the result stays
    in the buffer of the input.
    """

    machine: Machine
    collective: str
    algorithm: str
    inside_s: float
    rank_s: float
    outside_s: float
    rounds_inside: int
    rounds_outside: int
    messages: int
    in_place: bool = False

    @property
    def ring_steps(self) -> int:
        """Steps of a ring through all ranks."""
        return (2 if self.collective == "all-reduce" else 1) * (self.machine.ranks - 1)

    def inside_us(self, size_bytes: Times) -> Times:
        """What the fullest link inside a domain needs at line rate."""
        return self.inside_s * size_bytes * 1e6

    def rank_us(self, size_bytes: Times) -> Times:
        """What the fullest of a rank's own links inside its domain needs at line rate."""
        return self.rank_s * size_bytes * 1e6

    def outside_us(self, size_bytes: Times) -> Times:
        """What the fullest link between domains needs at line rate."""
        return self.outside_s * size_bytes * 1e6

    def own_us(self, size_bytes: Times) -> Times:
        """A rank's own share at line rate: out of place it is copied, but for a broadcast or a reduce."""
        if self.in_place or self.collective in ("broadcast", "reduce") or not self.machine.line_gb_per_s:
            return 0.0 * size_bytes
        return size_bytes / self.machine.ranks / self.machine.line_gb_per_s * 1e-3

    def moved_us(self, size_bytes: Times, gb_per_s: float) -> Times:
        """What the bytes between domains need at a rate for each domain in place of its adapters' line rate."""
        return self.outside_us(size_bytes) * self.machine.adapters_gb_per_s / gb_per_s
