"""Plan: the stages of a reconfiguration with what each takes down and puts up on every switch, as a versioned file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

FORMAT = "1.0"
Pair = tuple[int, int]  # ports of a cross-connect: on side A, on side B (or two ports of an any-to-any switch)


@dataclass(frozen=True, slots=True)
class Switch:
    """A circuit switch as a plan names it: catalogue model and failure domain."""

    name: str
    part: str
    domain: int = 0


@dataclass(frozen=True, slots=True)
class Links:
    """Parallel links between two blocks."""

    a: str
    b: str
    number: int


@dataclass(frozen=True, slots=True)
class Change:
    """What a stage does on one switch: deletes before adds; `before` and `after` are fingerprints of its state."""

    switch: str
    delete: Sequence[Pair]
    add: Sequence[Pair]
    before: str
    after: str

    def undone(self) -> "Change":
        """The same backwards."""
        return Change(self.switch, self.add, self.delete, self.after, self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step: links to drain, changes on switches, links to bring back, and the throughput that is certain meanwhile.

    `throughput` is a share of the demand that a feasible routing carries on what is up during the stage (its
    certificate), `seconds` the time by part (drain, switch, lock, qualify, undrain).
    """

    id: int
    reason: str
    drain: Sequence[Links]
    changes: Sequence[Change]
    undrain: Sequence[Links]
    throughput: float
    certificate: Mapping[str, Any]
    seconds: Mapping[str, float]
    prechecks: Sequence[str] = ()
    postchecks: Sequence[str] = ()

    def rollback(self) -> Sequence[Change]:
        """The changes that undo the stage."""
        return [change.undone() for change in reversed(self.changes)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole plan; `base` are fingerprints of the state that it starts from, by switch."""

    wiring: str
    blocks: Sequence[str]
    switches: Sequence[Switch]
    base: Mapping[str, str]
    floor: Mapping[str, Any]
    summary: Mapping[str, Any]
    stages: Sequence[Stage]
    inputs: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    warnings: Sequence[str] = ()

    def document(self) -> dict[str, Any]:
        """The file's keys, with the rollback of every stage spelled out."""
        stages = [
            {**asdict(stage), "rollback": [asdict(change) for change in stage.rollback()]} for stage in self.stages
        ]
        return {"format_version": FORMAT, **asdict(self), "stages": stages}
