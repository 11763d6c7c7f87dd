"""Under: a fabric under a workload: its step or load, what it asks of the walls, and how far it can grow."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from fabric.limits import walls
from fabric.limits.conditions import DEFAULT, Conditions, Duty
from fabric.limits.duty import Drawn, duty_of
from fabric.limits.room import Room, rooms
from fabric.results import Wall
from fabric.workloads.comparing import workload
from fabric.workloads.models.model import Model
from fabric.workloads.models.zoo import model as named
from fabric.workloads.replicas import Load
from fabric.workloads.rows import binds, written
from fabric.workloads.steps.splits import Question
from topologies.graph import Topology

HELD = "walls under a workload: accelerators at the mean they draw over its step, peaks of a step at TDP; hosts and "
HELD += "network at their nameplates, dies at TDP"


@dataclass(frozen=True, slots=True)
class Under:
    """A workload on a fabric: its layout, rate and what binds its step; what it asks of the walls, draws, and has room
    for; `at_tdp` are the walls if accelerators drew their TDP all the time."""

    model: str
    layout: str
    binds: str
    tokens_per_s: float
    duty: Duty
    drawn: Drawn
    rooms: tuple[Room, ...]
    at_tdp: Mapping[str, Wall | None]
    said: tuple[str, ...]

    def row(self) -> dict[str, Any]:
        """Keys as JSON has them."""
        return {
            "model": self.model, "layout": self.layout, "binds": self.binds, "tokens_per_s": self.tokens_per_s,
            "held_gb": dict(self.duty.held_gb), "usable": self.duty.usable, "drawn_of_tdp": self.drawn.share,
            "drawn_why": self.drawn.why, "facility_w": self.drawn.facility_w,
            "tokens_per_joule": self.drawn.tokens_per_joule,
            "room": [{**asdict(room), "times": room.times} for room in self.rooms],
            "walls_at_tdp": dict(self.at_tdp),
        }  # fmt: skip


def walls_under(
    topology: Topology,
    model: "Model | str",
    asked: Question | Load,
    given: Conditions = DEFAULT,
    *,
    layout: str = "auto",
    transport: str = "auto",
    routing: str = "auto",
) -> Under:
    """A workload on a fabric, in the layout that is given or the best; as `workload` raises.

    >>> from topologies.registry import build
    >>> found = walls_under(build("hgx-h100"), "llama-3.1-70b", Load(concurrency=64, stack="vllm"), layout="tp=8")
    >>> walls(build("hgx-h100"), replace(DEFAULT, duty=found.duty))["memory"]["state"], found.drawn.share < 1
    ('ok', True)
    """
    shape = model if isinstance(model, Model) else named(model)
    answer = workload([topology], shape, asked, layout=layout, transport=transport, routing=routing)[0]
    floor = asked.floor if isinstance(asked, Load) else None
    duty, drawn = duty_of(topology, shape, answer, floor)
    if answer.step is not None:
        told = written(answer.step.parallel), binds(answer.step), answer.step.tokens_per_s
    else:
        assert answer.serving is not None
        served, point = answer.serving.inference, answer.serving.point
        told = served.laid_out, point.wall, point.tokens_per_s
    at_tdp = walls(topology, replace(given, duty=replace(duty, drawn=1.0)))
    found = tuple(rooms(topology, shape, answer, duty))
    return Under(shape.name, *told, duty, drawn, found, at_tdp, (HELD, *answer.stands_on))
