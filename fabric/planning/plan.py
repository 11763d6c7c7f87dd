"""Plan: the stages of a reconfiguration with what each takes down and puts up on every switch, as a versioned file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
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
    certificate), `seconds` the time by step (drain, command, settle, relock, ..., as `operations` has them).
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
    starts: str | None = None  # where windows were given

    def rollback(self) -> Sequence[Change]:
        """The changes that undo the stage."""
        return [change.undone() for change in reversed(self.changes)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole plan; `base` and `after` are fingerprints of the states that it starts from and ends in, by switch.

    `target` are the links that are up in the end; `floor` says what every stage keeps: `share` of the throughput
    before, `throughput` that this comes to, `demand` and the rules of stages. `engineered`, where the target was, says
    for what, how good it is, and what others would be.
    """

    wiring: str
    blocks: Sequence[str]
    switches: Sequence[Switch]
    base: Mapping[str, str]
    after: Mapping[str, str]
    target: Sequence[Links]
    floor: Mapping[str, Any]
    summary: Mapping[str, Any]
    stages: Sequence[Stage]
    inputs: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    warnings: Sequence[str] = ()
    times: Mapping[str, str] = field(default_factory=dict)  # by step of a stage, where its seconds are from
    engineered: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The file's keys, with the rollback of every stage spelled out."""
        stages = [
            {**asdict(stage), "rollback": [asdict(change) for change in stage.rollback()]} for stage in self.stages
        ]
        whole = {"format_version": FORMAT, **asdict(self), "stages": stages}
        return whole if self.engineered else {key: value for key, value in whole.items() if key != "engineered"}

    def reversed(self) -> "Plan":
        """The plan that leads back: stages in reverse order with what they delete and add swapped.

        What is up during a stage is up during its undoing, so that throughputs and floor are the same; links that came
        from the base state are not expected to fail.
        """
        stages = [
            replace(stage, id=number, changes=stage.rollback(), drain=stage.undrain, undrain=stage.drain, starts=None)
            for number, stage in enumerate(reversed(self.stages), start=1)
        ]
        up, down, need = self.summary["up"], self.summary["down"], self.floor["throughput"]
        after = self.floor["after"]
        floor = {**self.floor, "before": after, "after": self.floor["before"], "failing": 0.0,
                 "share": need / after[1] if need is not None and after[1] else self.floor["share"]}  # fmt: skip
        if self.floor["of"] != "throughput before":
            floor["share"] = self.floor["share"]
        swapped = {
            "down": up, "up": down, "kept": self.summary["kept"], "lower_bound_down": up, "gap": 0.0,
            "throughput_before": self.summary["throughput_after"],
            "throughput_after": self.summary["throughput_before"],
        }  # fmt: skip
        if "chips_before" in self.summary:
            swapped["chips_before"], swapped["chips_after"] = (
                self.summary["chips_after"], self.summary["chips_before"])  # fmt: skip
        return replace(self, base=self.after, after=self.base, target=self._links_before(), floor=floor, stages=stages,
                       summary={**self.summary, **swapped}, inputs={"rollback_of": self.base_print()},
                       engineered={})  # fmt: skip

    @property
    def break_even_s(self) -> float | None:
        """How long jobs must run on for the plan to pay: what its stages cost in throughput over what it gains, both of
        the certified values; None where it gains nothing, or nothing is known."""
        from fabric.planning.schedule import break_even_run_s

        before, after = self.summary["throughput_before"], self.summary["throughput_after"]
        if not before or not after or after <= before:
            return None
        lost = [
            (max(0.0, 1 - stage.throughput / before), sum(stage.seconds.values()))
            for stage in self.stages
            if stage.throughput is not None
        ]
        return break_even_run_s(lost, before, after)

    def base_print(self) -> str:
        """One fingerprint of the whole base state."""
        return sha256("".join(f"{name} {print_}\n" for name, print_ in sorted(self.base.items())).encode()).hexdigest()

    def _links_before(self) -> list[Links]:
        """Links of the base state: those of the target less what is brought back, and what is drained."""
        number: dict[tuple[str, str], int] = {(links.a, links.b): links.number for links in self.target}
        for stage in self.stages:
            for rows, sign in ((stage.undrain, -1), (stage.drain, 1)):
                for links in rows:
                    number[links.a, links.b] = number.get((links.a, links.b), 0) + sign * links.number
        place = {name: at for at, name in enumerate(self.blocks)}
        order = sorted(number, key=lambda pair: (place[pair[0]], place[pair[1]]))
        return [Links(*pair, number[pair]) for pair in order if number[pair]]
