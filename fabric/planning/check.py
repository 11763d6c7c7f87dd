"""Checking: a plan file verified anew from itself and the base state alone, its floors by a solve of another kind."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cext import path_concurrent
from fabric.planning.capacity import Matrix, Meter, default_demand, sent_and_received
from fabric.planning.files import changes_of, digest, plan_of
from fabric.planning.plan import Links, Plan
from fabric.planning.ports import Ports
from fabric.planning.replaying import BreachError, Moment, Replay
from fabric.planning.simplex import carried
from fabric.planning.throughput import ANY, FINE, Carrier, block_graph
from fabric.routing.pathsets import transit_paths
from topologies.errors import ConfigError

EXACT_BLOCKS = 16  # up to which the linear program is solved
ROUNDING = 3e-6  # six digits are written
LOOSE = 5e-3  # relative: how far a throughput that is reported may be from ours where neither is exact


def check(document: Mapping[str, Any], base: Ports) -> str | None:
    """The first breach of a plan (its JSON object), in one line; None where everything holds.

    Ports are legal, what is deleted is there, what is added finds free working ports, fingerprints before and after
    every change, links to drain and bring back, rollbacks, the sum of all changes and the final state are as stated;
    every stage keeps the floor, and the floor is the stated share of the throughput before. Throughput is solved by a
    linear program in flows on links by simplex (small fabrics), or by a flow on paths whose loads are added up again
    here; the planner decides by other means.
    """
    try:
        plan = plan_of(document)
        _check_rollbacks(document, plan)
        _check_plan(plan, base)
    except (BreachError, ConfigError) as error:
        return str(error)
    if document.get("digest") != digest(document):
        return "the digest is not that of the file: it was changed after it was written"
    return None


def _check_rollbacks(document: Mapping[str, Any], plan: Plan) -> None:
    for row, stage in zip(document["stages"], plan.stages, strict=True):
        if changes_of(row.get("rollback"), f"stage {stage.id}") != list(stage.rollback()):
            raise BreachError(f"stage {stage.id}: its rollback is not its changes backwards")


def _check_plan(plan: Plan, base: Ports) -> None:
    replay, meter = Replay(plan, base), Meter.of(base)
    start = replay.circuits()
    kept = sum(map(len, replay.state))
    moments = []
    for moment in replay.moments():
        number = moment.stage.id
        during = meter.links(moment.during)
        _same(moment.stage.drain, meter.links(moment.before) - during, plan, meter, f"stage {number}: links to drain")
        back = meter.links(moment.after) - during
        _same(moment.stage.undrain, back, plan, meter, f"stage {number}: links to bring back")
        moments.append(moment)
    replay.finish()
    end = replay.circuits()
    _same(plan.target, meter.links(end), plan, meter, "the links of the target")
    down = sum(len(change.delete) for stage in plan.stages for change in stage.changes)
    up = sum(len(change.add) for stage in plan.stages for change in stage.changes)
    minutes = round(sum(sum(stage.seconds.values()) for stage in plan.stages) / 60, 2)
    counted = {"down": down, "up": up, "kept": kept - down, "stages": len(plan.stages), "minutes": minutes}
    for key, value in counted.items():
        if plan.summary.get(key) != value:
            raise BreachError(f"the summary says {key} = {plan.summary.get(key)}, the stages come to {value}")
    _check_floor(plan, base, meter, start, end, moments)
    _check_limits(plan)


def _same(stated: Sequence[Links], found: Matrix, plan: Plan, meter: Meter, what: str) -> None:
    directed = meter.directed and not meter.paired
    place = {name: b for b, name in enumerate(plan.blocks)}
    matrix = np.zeros_like(found)
    for links in stated:
        if links.a not in place or links.b not in place or links.number < 1 or links.a == links.b:
            raise BreachError(f"{what}: {links.number} from {links.a} to {links.b} are no links between blocks")
        i, j = place[links.a], place[links.b]
        if matrix[i, j] or (not directed and i > j):
            raise BreachError(f"{what}: {links.a} and {links.b} stand there twice or in the wrong order")
        matrix[i, j] = links.number
    shown = found if directed else np.triu(found)
    wrong = np.argwhere(np.round(np.maximum(shown, 0)) != matrix)
    if len(wrong):
        i, j = wrong[0]
        raise BreachError(f"{what}: {plan.blocks[i]} and {plan.blocks[j]} have {matrix[i, j]:.0f} stated and "
                          f"{max(shown[i, j], 0):.0f} in fact")  # fmt: skip


def demand_of(plan: Plan, base: Ports, start: Matrix, end: Matrix) -> Matrix:
    """The demand that a plan's floor is about; BreachError where it names blocks that are none."""
    listed = plan.floor.get("demand")
    if isinstance(listed, str):
        return default_demand(base, start, end)
    place = {name: b for b, name in enumerate(plan.blocks)}
    demand = np.zeros_like(start)
    for row in listed if isinstance(listed, list) else [None]:
        if not (isinstance(row, list) and len(row) == 3 and row[0] in place and row[1] in place
                and isinstance(row[2], int | float) and row[2] > 0):  # fmt: skip
            raise BreachError("the demand of the floor is not a list of block, block, Gb/s")
        demand[place[row[0]], place[row[1]]] = row[2]
    return demand


def _check_floor(
    plan: Plan, base: Ports, meter: Meter, start: Matrix, end: Matrix, moments: Sequence[Moment]
) -> None:
    floor = plan.floor
    share, failing = floor.get("share"), floor.get("failing", 0.0)
    for name, value in (("share", share), ("failing", failing)):
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < np.inf:
            raise BreachError(f"the floor's {name} is {value}, not a share")
    capacity = floor.get("of") == "capacity of each block"
    demand = demand_of(plan, base, start, end)
    transit = floor.get("routing") != ANY
    needed = 0.0
    if not capacity and demand.any():
        before, _ = solved(meter.gbps(start), demand, transit, FINE)
        stated, need = floor.get("before"), floor.get("throughput")
        if not (isinstance(stated, list) and len(stated) == 2 and isinstance(need, int | float)):
            raise BreachError("the floor does not say the throughput before")
        slack = before * (1e-5 if len(demand) <= EXACT_BLOCKS and transit else LOOSE)
        if not before - slack <= stated[1] + ROUNDING <= before + slack + 2 * ROUNDING:
            raise BreachError(f"the throughput before is {before:.6f}, the plan says {stated[1]}")
        if abs(need - share * stated[1]) > ROUNDING:
            raise BreachError(f"the floor {need} is not {share:.2%} of the throughput before, {stated[1]}")
        needed = need
    least = np.minimum(sent_and_received(meter.gbps(start)), sent_and_received(meter.gbps(end)))
    spoilt = np.zeros_like(start)  # links of earlier stages that are expected to have failed
    for moment in moments:
        number = moment.stage.id
        up = [moment.during - spoilt]
        if floor.get("one_more_lost"):
            up += [moment.during - spoilt - own for own in moment.by_switch]
        spoilt = spoilt + failing * np.maximum(moment.after - moment.during, 0)
        first: tuple[float, float] | None = None
        for circuits in up:
            gbps = meter.gbps(np.maximum(circuits, 0))
            own = solved(gbps, demand, transit, FINE) if demand.any() and not capacity else (np.inf, np.inf)
            first = first or own
            if capacity:
                if (sent_and_received(gbps) < share * least * (1 - 1e-9)).any():
                    raise BreachError(f"stage {number}: a block keeps less than {share:.2%} of its capacity")
            elif not keeps(gbps, demand, needed - ROUNDING, transit, own):
                raise BreachError(f"stage {number}: the floor {needed} is not kept")
        assert first is not None
        high = solved(meter.gbps(up[0]), demand, transit, FINE)[1] if capacity else first[1]
        _check_stated(plan, moment, high, demand, needed)


def _check_stated(plan: Plan, moment: Moment, high: float, demand: Matrix, needed: float) -> None:
    stated = moment.stage.throughput
    if (stated is None) != (not demand.any()):
        raise BreachError(f"stage {moment.stage.id}: its throughput {stated} is not one of this demand")
    if stated is None:
        return
    if stated < needed - ROUNDING:
        raise BreachError(f"stage {moment.stage.id}: its throughput {stated} is under the floor {needed}")
    if moment.stage.certificate.get("low") != stated:
        raise BreachError(f"stage {moment.stage.id}: its throughput is not the lower value of its certificate")
    if stated > high * (1 + 1e-6) + ROUNDING:
        raise BreachError(f"stage {moment.stage.id}: its throughput is at most {high:.6f}, the plan says {stated}")
    least = min(stage.throughput for stage in plan.stages if stage.throughput is not None)
    if plan.summary.get("throughput_during_min") != least:
        raise BreachError(f"the summary says {plan.summary.get('throughput_during_min')} as the least throughput, "
                          f"the stages say {least}")  # fmt: skip


def _check_limits(plan: Plan) -> None:
    most, domain = plan.floor.get("most_switches"), {switch.name: switch.domain for switch in plan.switches}
    for stage in plan.stages:
        if most is not None and len(stage.changes) > most:
            raise BreachError(f"stage {stage.id} touches {len(stage.changes)} switches, more than {most}")
        if plan.floor.get("one_domain") and len({domain[change.switch] for change in stage.changes}) > 1:
            raise BreachError(f"stage {stage.id} touches two failure domains")


def keeps(gbps: Matrix, demand: Matrix, share: float, transit: bool, value: tuple[float, float]) -> bool:
    """Whether these links, whose throughput lies between two values, carry a multiple of the demand."""
    low, high = value
    if low >= share * (1 - 1e-9) or (share * demand <= gbps).all():
        return True
    if high < share:
        return False
    carrier = Carrier(demand, transit)
    carrier.bounds(gbps, 0.0021)
    return carrier.carries(gbps, share)


def solved(gbps: Matrix, demand: Matrix, transit: bool, gap: float) -> tuple[float, float]:
    """Between which values the largest carried multiple of the demand lies."""
    if not transit:
        return Carrier(demand, False).bounds(gbps, gap)
    if len(demand) <= EXACT_BLOCKS:
        value, _ = carried(gbps, demand)
        return value, value
    source, target = (ends.astype(np.int32) for ends in np.nonzero(demand > 0))
    graph, amount = block_graph(gbps), demand[source, target]
    paths = transit_paths(graph, source, target)
    if (np.diff(paths.pair_ptr) == 0).any():
        return 0.0, 0.0
    found = path_concurrent(graph.indptr, graph.heads, graph.twin, graph.capacity, graph.forwards, source, target,
                            amount, gap=gap, paths=(*paths,))  # fmt: skip
    arcs = np.repeat(found.flow, np.diff(found.path_ptr))
    load = np.bincount(found.path_arc, arcs, minlength=len(graph.heads))
    sent = np.add.reduceat(found.flow, found.pair_ptr[:-1])
    if (found.flow < 0).any() or not np.allclose(sent, amount, rtol=1e-9):
        raise RuntimeError("flow on paths that does not add up to the demand: a bug of the solver")
    return float(1 / (load / graph.capacity).max()), found.ub
