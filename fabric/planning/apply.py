"""Applying: stages of a plan on live devices, each change read back, the stage undone at the first mismatch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fabric.planning.export.legality import refuse_illegal
from fabric.planning.export.reading import place_in_plan
from fabric.planning.fingerprints import fingerprint
from fabric.planning.plan import Change, Pair, Plan, Stage
from topologies.errors import ConfigError

Say = Callable[[str], None]


class DeviceError(Exception):
    """A device refused an edit, or did not answer."""


class Device(Protocol):
    """A live switch, in the plan's ports. An edit is made whole or not at all; DeviceError where it is refused."""

    any_to_any: bool

    def read(self) -> list[Pair]: ...

    def delete(self, pairs: Sequence[Pair]) -> None: ...

    def add(self, pairs: Sequence[Pair]) -> None: ...


@dataclass(frozen=True, slots=True)
class Applied:
    """How far it came: stages now in force, and of a stage that failed which, why, and whether it could be undone."""

    stages: int
    failed: int | None = None
    why: str = ""
    undone: bool = True


def stages_in_force(plan: Plan, devices: Mapping[str, Device]) -> int:
    """How many stages the devices have behind them, read from all of them.

    ConfigError for a device that does not answer or stands nowhere in the plan, and where they do not agree: the plan
    is stale.
    """
    common = set(range(len(plan.stages) + 1))
    for switch in plan.switches:
        device = devices[switch.name]
        try:
            places = place_in_plan(plan, switch.name, device.read(), device.any_to_any)
        except DeviceError as error:
            raise ConfigError(f"{switch.name}: {error}") from None
        if not places:
            raise ConfigError(f"{switch.name} has cross-connects that no step of the plan expects; make the plan anew")
        if not common & set(places):
            raise ConfigError(f"{switch.name} stands after stage {places[0]}, others do not; make the plan anew")
        common &= set(places)
    return max(common)


def apply_plan(
    plan: Plan, devices: Mapping[str, Device], *, stages: int | None = 1, say: Say = lambda text: None
) -> Applied:
    """Apply the next stages, one by default, all with None; links are drained by others, before.

    Every switch is read first and must stand where the plan says. A device's cross-connects are read before and after
    its change; at the first refusal or mismatch what the stage has changed is undone and nothing more is sent.
    """
    refuse_illegal(plan, [name for name, device in devices.items() if device.any_to_any])
    begin = stages_in_force(plan, devices)
    end = len(plan.stages) if stages is None else min(begin + stages, len(plan.stages))
    for number in range(begin, end):
        step = _Step(plan.stages[number], devices, say)
        try:
            why = step.apply()
        except BaseException:  # an interrupt, too
            step.undo()
            raise
        if why:
            return Applied(number, step.stage.id, why, step.undo())
    return Applied(end)


@dataclass(slots=True)
class _Step:
    """A stage under way: what has been sent, to whom; only that is ever undone."""

    stage: Stage
    devices: Mapping[str, Device]
    say: Say
    deleted: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)

    def apply(self) -> str:
        """Why the stage failed, or nothing."""
        for change in self.stage.changes:
            device = self.devices[change.switch]
            try:
                if fingerprint(device.read(), device.any_to_any) != change.before:
                    return f"{change.switch} is not as the plan expects before stage {self.stage.id}"
                self.send(change, device)
                if fingerprint(device.read(), device.any_to_any) != change.after:
                    return f"{change.switch} reads back other cross-connects than stage {self.stage.id} gives it"
            except DeviceError as error:
                return f"{change.switch}: {error}"
            self.tell(change, f"{len(change.delete)} down, {len(change.add)} up")
        return ""

    def send(self, change: Change, device: Device) -> None:
        """Deletes, then adds; noted before they are sent, as one may have an effect and no answer."""
        for edit, pairs, sent in (
            (device.delete, change.delete, self.deleted),
            (device.add, change.add, self.added),
        ):
            if pairs:
                sent.append(change.switch)
                edit(pairs)

    def undo(self) -> bool:
        """Take back what was sent, the last device first; whether that came out, as read back.

        What others have put on these devices meanwhile is left alone.
        """
        whole = True
        for change in reversed(self.stage.changes):
            if change.switch in (*self.deleted, *self.added):
                try:
                    whole = self.take_back(change, self.devices[change.switch]) and whole
                except DeviceError as error:
                    self.tell(change, f"not undone: {error}")
                    whole = False
        return whole

    def take_back(self, change: Change, device: Device) -> bool:
        wrong, missing = self.differences(change, device)
        for edit, pairs in ((device.delete, wrong), (device.add, missing)):
            if pairs:
                edit(pairs)
        self.tell(change, f"undone: {len(wrong)} down, {len(missing)} up")
        if fingerprint(device.read(), device.any_to_any) != change.before:
            self.tell(change, "still not as the plan expects before the stage; look at what else is on it")
        return self.differences(change, device) == ([], [])

    def differences(self, change: Change, device: Device) -> tuple[list[Pair], list[Pair]]:
        """Of what was sent, the cross-connects that are up and should not be, and those that are missing."""

        def own(pairs: Sequence[Pair], sent: Sequence[str] | None = None) -> set[Pair]:
            ordered = {(min(p), max(p)) if device.any_to_any else (p[0], p[1]) for p in pairs}
            return ordered if sent is None or change.switch in sent else set()

        there = own(device.read())
        return sorted(own(change.add, self.added) & there), sorted(own(change.delete, self.deleted) - there)

    def tell(self, change: Change, what: str) -> None:
        self.say(f"stage {self.stage.id}: {change.switch}: {what}")
