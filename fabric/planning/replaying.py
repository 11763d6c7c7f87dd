"""Replaying: a plan carried out on a base state, change by change, with the first thing that does not hold named."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.planning.capacity import Matrix
from fabric.planning.fingerprints import fingerprint
from fabric.planning.plan import Change, Pair, Plan, Stage
from fabric.planning.ports import Ports


class BreachError(Exception):
    """What does not hold, in one line."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A stage with the circuits between blocks, float64[N, N], before, during and after it; and those of each switch
    during it, float64[K, N, N]."""

    stage: Stage
    before: Matrix
    during: Matrix
    after: Matrix
    by_switch: NDArray[np.float64]


class Replay:
    """The switches of a base state, ready to be changed; BreachError where they are not those of the plan, or stale."""

    def __init__(self, plan: Plan, base: Ports) -> None:
        self.plan, self.base = plan, base
        self.number = {name: k for k, name in enumerate(base.wiring.switches)}
        K, N = len(self.number), len(base.wiring.blocks)
        self.loose = base.one_sided and base.one_sided_ports
        self.doubled = base.wiring.kind == "duplex" and not base.one_sided_ports
        if [switch.name for switch in plan.switches] != list(base.wiring.switches):
            raise BreachError(f"the plan is for {len(plan.switches)} switches, the base state has {K} or other names")
        if list(plan.blocks) != list(base.wiring.blocks):
            raise BreachError(
                "the plan and the base state have different blocks; where a plan adds blocks, give its target too"
            )
        if plan.wiring != base.wiring.kind:
            raise BreachError(f"the plan is for {plan.wiring} wiring, the base state has {base.wiring.kind}")
        for switch, part, domain in zip(plan.switches, base.parts, base.wiring.domains.tolist(), strict=True):
            if (switch.part, switch.domain) != (part, domain):
                raise BreachError(f"{switch.name} is a {part} in domain {domain}, the plan says {switch.part} in "
                                  f"domain {switch.domain}")  # fmt: skip
        self.ends: dict[tuple[int, int, int], int] = {}  # block of a working port
        slots = base.slots
        rows = zip((slots.pool // N).tolist(), slots.port.tolist(), slots.back.tolist(), base.block_of.tolist(),
                   slots.usable.tolist(), strict=True)  # fmt: skip
        for at, port, back, block, usable in rows:
            if usable:
                self.ends[at // 2, at % 2, port] = block
                if back >= 0:
                    self.ends[at // 2, 1, back] = block
        self.state: list[set[Pair]] = [set() for _ in range(K)]
        for k, a, b in base.crosses(base.circuits).tolist():
            self.state[k].add((a, b))
        self.used: list[set[tuple[int, int]]] = [set() for _ in range(K)]
        for k, pairs in enumerate(self.state):
            for pair in pairs:
                self.used[k] |= self._ports(pair)
        self.counts = np.zeros((K, N, N))
        for k, pairs in enumerate(self.state):
            for pair in pairs:
                self._count(k, pair, 1)
        self._compare(plan.base, "the base state")

    def _ports(self, pair: Pair) -> set[tuple[int, int]]:
        return {(0, pair[0]), (0 if self.loose else 1, pair[1])}

    def _count(self, k: int, pair: Pair, sign: int) -> None:
        a, b = self.ends[k, 0, pair[0]], self.ends[k, 0 if self.loose else 1, pair[1]]
        self.counts[k, a, b] += sign

    def print_of(self, k: int) -> str:
        """The fingerprint of a switch as it stands."""
        return fingerprint(self.state[k], self.loose)

    def _compare(self, prints: Mapping[str, str], what: str) -> None:
        if prints.keys() != self.number.keys():
            raise BreachError(f"the plan's fingerprints of {what} are not those of its switches")
        for name, k in self.number.items():
            if prints[name] != self.print_of(k):
                then = "; the plan is stale, make it anew" if what == "the base state" else ""
                raise BreachError(f"{what} of {name} is not the one that the plan says: its fingerprint differs{then}")

    def circuits(self) -> Matrix:
        """Circuits between blocks as they stand."""
        whole: Matrix = self.counts.sum(axis=0) / (2 if self.doubled else 1)
        return whole

    def moments(self) -> Iterator[Moment]:
        """Every stage, carried out; BreachError at the first change that cannot be."""
        for number, stage in enumerate(self.plan.stages, start=1):
            if stage.id != number:
                raise BreachError(f"stage {number} is numbered {stage.id}")
            if not stage.changes:
                raise BreachError(f"stage {number} changes nothing")
            before = self.circuits()
            named = [change.switch for change in stage.changes]
            if len(set(named)) < len(named):
                raise BreachError(f"stage {number} changes one switch twice")
            for change in stage.changes:
                self._take_down(change, number)
            during, by_switch = self.circuits(), self.counts / (2 if self.doubled else 1)
            for change in stage.changes:
                self._put_up(change, number)
            yield Moment(stage, before, during, self.circuits(), by_switch)

    def finish(self) -> None:
        """BreachError unless the switches now stand as the plan says they do in the end."""
        self._compare(self.plan.after, "the final state")

    def _take_down(self, change: Change, number: int) -> None:
        where = f"stage {number}, {change.switch}"
        if change.switch not in self.number:
            raise BreachError(f"{where}: no switch has that name")
        k = self.number[change.switch]
        if change.before != self.print_of(k):
            raise BreachError(f"{where}: the fingerprint before is not that of the switch at that point")
        if not change.delete and not change.add:
            raise BreachError(f"{where}: nothing is changed")
        for pair in change.delete:
            found = pair[::-1] if self.loose and pair not in self.state[k] else pair
            if found not in self.state[k]:
                raise BreachError(f"{where}: cross-connect {pair[0]}-{pair[1]} is deleted but is not there")
            self.state[k].remove(found)
            self.used[k] -= self._ports(found)
            self._count(k, found, -1)

    def _put_up(self, change: Change, number: int) -> None:
        k, where = self.number[change.switch], f"stage {number}, {change.switch}"
        for pair in change.add:
            for side, port in sorted(self._ports(pair)):
                if (k, side, port) not in self.ends:
                    raise BreachError(f"{where}: port {port} on side {'AB'[side]} has no working strand")
                if (side, port) in self.used[k]:
                    raise BreachError(f"{where}: port {port} on side {'AB'[side]} is in use when {pair[0]}-{pair[1]} "
                                      "is added")  # fmt: skip
            if self.loose and pair[0] == pair[1]:
                raise BreachError(f"{where}: port {pair[0]} is joined to itself")
            self.state[k].add(pair)
            self.used[k] |= self._ports(pair)
            self._count(k, pair, 1)
        if change.after != self.print_of(k):
            raise BreachError(f"{where}: the fingerprint after is not that of the switch at that point")
