"""Operations: how long each part of a change of circuits takes on a switch, and who says so."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

from topologies.circuits import CircuitLayer
from topologies.kinds import CircuitOperation
from topologies.parts import Catalogue, CircuitSwitch, Optic, Part

# step of a change -> the catalogue row that stands in where a device's own says nothing
ROWS = {
    "command": "ocs-command",
    "settle": "ocs-settle",
    "relock": "module-relock",
    "link-up": "nic-activation",
    "routing": "route-update",
    "drain": "link-drain",
    "qualify": "link-qualification",
    "undrain": "link-undrain",
    "repair": "link-repair",
}
DELAY = ("command", "settle", "relock", "link-up", "routing")  # from the order to the first byte on a new circuit
STAGE = ("drain", *DELAY, "qualify", "undrain", "repair")
SWITCH_LINK_UP = "port-activation"  # where circuits end at packet switches, not at adapters


@dataclass(frozen=True, slots=True)
class Time:
    """Seconds of one step with the range of its sources; `estimate` is the method where nobody publishes it."""

    seconds: float
    low_s: float
    high_s: float
    row: str
    source: str
    estimate: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Operations:
    """The steps of a change on one model of circuit switch; `bulk` is what many circuits in one command take together,
    `moves_at_once` how many move at the same time (None: any number)."""

    switch: str
    steps: Mapping[str, Time]
    bulk: Time | None
    moves_at_once: int | None

    def settle_s(self, moves: int = 1) -> float:
        """Seconds until so many circuits stand: all at once, or one batch after the other.

        >>> from topologies.parts import catalogue
        >>> robot = operations("telescent-g4", catalogue())
        >>> robot.settle_s(3), operations("calient-s320", catalogue()).settle_s(3)
        (360.0, 0.2)
        """
        one = self.steps["settle"].seconds
        if self.moves_at_once is not None:
            return ceil(moves / self.moves_at_once) * one
        return one if moves <= 1 or self.bulk is None else self.bulk.seconds

    def delay_s(self, moves: int = 1, steps: Iterable[str] = DELAY) -> float:
        """Seconds that a circuit carries nothing when it moves, over the steps named."""
        return sum(self.settle_s(moves) if step == "settle" else self.steps[step].seconds for step in steps)

    def said(self) -> list[str]:
        """What these times stand on beside published figures."""
        return [f"{step} time of {time.row}: {time.estimate}" for step, time in self.steps.items() if time.estimate]


def operations(
    switch: CircuitSwitch | str, parts: Catalogue, *, optic: Optic | None = None, link_up: str = ROWS["link-up"]
) -> Operations:
    """Times of a circuit switch with the modules at its ends, each from the device's own row where it states it.

    A switch is a catalogue row or its name; a name that the catalogue does not have takes the rows of `ROWS`.
    `link_up` names the row for the ends: an adapter's, or a switch port's (`SWITCH_LINK_UP`).

    >>> from topologies.parts import catalogue
    >>> polatis = operations("polatis-576", catalogue())
    >>> round(polatis.delay_s(steps=("command", "settle")), 3), round(polatis.delay_s(), 2)
    (0.043, 5.82)
    """
    row = parts.get(switch) if isinstance(switch, str) else switch
    steps = {step: _time(parts.part(name, CircuitOperation), "time_ms") for step, name in ROWS.items()}
    steps["link-up"] = _time(parts.part(link_up, CircuitOperation), "time_ms")
    if optic is not None and optic.relock_time_ms is not None:
        steps["relock"] = _time(optic, "relock_time_ms")
    if not isinstance(row, CircuitSwitch):
        return Operations(str(switch), steps, None, None)
    alone = row.switching_time_device_ms is not None
    if alone or row.switching_time_ms is not None:
        steps["settle"] = _time(row, "switching_time_device_ms" if alone else "switching_time_ms")
    bulk = None if row.switching_time_bulk_ms is None else _time(row, "switching_time_bulk_ms")
    return Operations(row.name, steps, bulk, row.moves_at_once)


def layer_operations(layer: CircuitLayer, parts: Catalogue, *, link_up: str = ROWS["link-up"]) -> list[Operations]:
    """The times of every device of a layer, in their order, with the modules at its ends."""
    optic = parts.get(str(layer.link.get("cable", "")))
    module = optic if isinstance(optic, Optic) else None
    known: dict[str, Operations] = {}
    for device in range(layer.devices):
        model = layer.model(device)
        known.setdefault(model.name, operations(model, parts, optic=module, link_up=link_up))
    return [known[layer.model(device).name] for device in range(layer.devices)]


def stage_seconds(work: Iterable[tuple[Operations, int]], adds: int, failing: float = 0.0) -> dict[str, float]:
    """Seconds of a stage by step, for (switch, circuits that it moves) and so many circuits put up in all: switches
    work side by side, so that each step is that of the slowest. With links expected to fail a repair follows.

    >>> from topologies.parts import catalogue
    >>> stage_seconds([(operations("telescent-g4", catalogue()), 2)], 2)["settle"]
    240.0
    """
    seconds = dict.fromkeys(ROWS, 0.0)
    for own, moves in work:
        for step, time in own.steps.items():
            took = own.settle_s(moves) if step == "settle" else time.seconds
            seconds[step] = max(seconds[step], took)
    if not adds:
        seconds |= dict.fromkeys(("relock", "link-up", "routing", "qualify"), 0.0)
    if not failing or not adds:
        del seconds["repair"]
    order = [step for step in STAGE if step in seconds]
    return {step: round(seconds[step], 4) for step in order}


def failing_fraction(parts: Catalogue) -> Time:
    """The expected share of new links that fail qualification, with its range (a share in place of seconds)."""
    return _time(parts.part(ROWS["qualify"], CircuitOperation), "failing_fraction", 1.0)


def _time(row: Part, key: str, scale: float = 1e-3) -> Time:
    value = float(row.known(key))
    low, high = row.ranges.get(key, (value, value))
    source = row.sources.get(key, f"{row.source}, {row.year}, {row.confidence}")
    return Time(value * scale, low * scale, high * scale, row.name, source, row.estimates.get(key))
