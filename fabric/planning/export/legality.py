"""Legality: no device gets a change that its ports, or what the plan itself says, do not allow."""

from collections.abc import Iterable

from fabric.planning.plan import Change, Pair, Plan
from topologies.errors import ConfigError


def refuse_illegal(plan: Plan, any_to_any: Iterable[str] = ()) -> None:
    """ConfigError for the first change that no device should be sent: an unknown switch, two changes of one switch in a
    stage, a cross-connect twice, a port added that this plan has put into use, duplex links with one way only.

    `any_to_any` are the switches that join any two of their ports.
    """
    one_sided = set(any_to_any)
    known = {switch.name for switch in plan.switches}
    if len(known) < len(plan.switches) or [stage.id for stage in plan.stages] != list(range(1, len(plan.stages) + 1)):
        raise ConfigError("two switches have one name, or stages are not numbered 1, 2, ...; the plan is damaged")
    up: dict[str, set[Pair]] = {name: set() for name in known}
    gone: dict[str, set[Pair]] = {name: set() for name in known}
    for stage in plan.stages:
        seen: set[str] = set()
        for change in stage.changes:
            where = f"stage {stage.id}: {change.switch}"
            if change.switch not in known or change.switch in seen:
                why = "changes twice" if change.switch in seen else "is no switch of the plan"
                raise ConfigError(f"{where} {why}; the plan is damaged")
            seen.add(change.switch)
            _check(where, change, change.switch in one_sided, plan.wiring == "duplex",
                   up[change.switch], gone[change.switch])  # fmt: skip


def _check(where: str, change: Change, one_sided: bool, duplex: bool, up: set[Pair], gone: set[Pair]) -> None:
    delete, add = ([_ordered(pair, one_sided) for pair in pairs] for pairs in (change.delete, change.add))
    for what, pairs in (("delete", delete), ("add", add)):
        _refuse_twice(where, what, pairs, one_sided)
        if duplex and not one_sided:
            _refuse_half(where, what, pairs)
    for pair in delete:
        if pair in gone:
            raise ConfigError(f"{where} deletes {pair[0]}-{pair[1]}, which an earlier stage has deleted")
    up -= set(delete)
    gone |= set(delete)
    taken = [{port for pair in up for port in pair}] * 2 if one_sided else [{p[side] for p in up} for side in (0, 1)]
    for pair in add:
        if pair[0] in taken[0] or pair[1] in taken[1]:
            raise ConfigError(f"{where} adds {pair[0]}-{pair[1]} on a port that an earlier stage has put into use")
    gone -= set(add)
    up |= set(add)


def _ordered(pair: Pair, one_sided: bool) -> Pair:
    a, b = int(pair[0]), int(pair[1])
    return (min(a, b), max(a, b)) if one_sided else (a, b)


def _refuse_twice(where: str, what: str, pairs: list[Pair], one_sided: bool) -> None:
    each = [[pair[side] for pair in pairs] for side in (0, 1)]
    for side, ports in zip("AB", [each[0] + each[1]] if one_sided else each, strict=False):
        if len(set(ports)) < len(ports):
            twice = next(port for port in ports if ports.count(port) > 1)
            raise ConfigError(f"{where}: {what} names port {twice}{'' if one_sided else f' of side {side}'} twice")


def _refuse_half(where: str, what: str, pairs: list[Pair]) -> None:
    there = set(pairs)
    for a, b in pairs:
        if (b, a) not in there:
            raise ConfigError(
                f"{where}: {what} {a}A-{b}B without {b}A-{a}B (ports from 0); a duplex link is two cross-connects"
            )
