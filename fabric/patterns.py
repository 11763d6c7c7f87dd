"""Patterns: the collective that a question asks of a fabric, with who takes part in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fabric.collectives import Collective, collective
from fabric.groups import Groups
from fabric.latency import looked_at
from fabric.matchings import MATCHINGS, permutation_of
from fabric.membership import groups_of
from fabric.moe import Moe, exchange
from fabric.placement import Placement
from fabric.timing import Plan
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.selection import with_ranks
from topologies.units import parse_size_bytes


def pattern_of(
    topology: Topology,
    name: str,
    *,
    shift: int | None = None,
    permutation: "Path | str | Sequence[int] | None" = None,
    ranks: "str | Sequence[int] | None" = None,
    group: "str | Mapping[str, int] | None" = None,
    over: "str | Sequence[str] | None" = None,
    placement: Placement = "packed",
    moe: Moe | None = None,
    seed: int = 0,
) -> Collective:
    """The collective of that name on a topology: of all accelerators, or of groups of ranks (`fabric.membership`).

    >>> from topologies.registry import build
    >>> asked = pattern_of(build("rail:servers=4,gpus=8"), "all-gather", group="tp=8")
    >>> asked.n, len(asked.groups)
    (8, 4)
    """
    groups = groups_of(topology, ranks=ranks, group=group, over=over, placement=placement, seed=seed)
    n = len(topology.accelerators) if groups is None else groups.n
    target = permutation_of(_seen(topology, groups, permutation), permutation, seed)
    return collective(name, n, shift=shift, permutation=target, groups=groups, moe=moe)


def bytes_of(topology: Topology, pattern: Collective, size: "str | float | None") -> int:
    """The size in bytes, 1 GiB where none is given; of experts' tokens it follows from the layer, whatever is given.

    ConfigError where groups lie so differently in scale-up domains that they send different amounts.

    >>> from topologies.registry import build
    >>> switch = build("switch:n=8")
    >>> bytes_of(switch, pattern_of(switch, "moe-combine", moe=Moe(tokens=1, experts=8)), None)  # 7 times 7168 of bf16
    100352
    """
    if pattern.moe is None:
        return parse_size_bytes("1GiB" if size is None else size)
    views = [topology]
    if pattern.groups is not None:
        views = [with_ranks(topology, pattern.groups.members[rows[0]]) for rows in pattern.groups.kinds(topology)]
    sizes = {round(exchange(view, pattern.name, pattern.moe).size_bytes) for view in views}
    if max(sizes) - min(sizes) > 1:
        raise ConfigError(
            f"groups of {pattern.n} ranks lie differently in scale-up domains and send {min(sizes):,} to "
            f"{max(sizes):,} bytes a rank; give groups that fit the domains, or no max_domains"
        )
    return max(1, *sizes)


def assumed(topology: Topology, pattern: Collective, plan: Plan | None) -> list[str]:
    """What an answer about groups takes for granted, for its reader.

    >>> from topologies.registry import build
    >>> ring = build("ring:n=8")
    >>> assumed(ring, pattern_of(ring, "all-reduce", ranks="0-3"), None)
    ['the bound lets the 4 accelerators that take no part pass data on, not reduce it']
    """
    groups = pattern.groups
    said: list[str] = []
    if groups is None:
        return said
    idle = len(topology.accelerators) - groups.members.size
    if len(groups) == 1 and idle and pattern.name == "all-reduce":
        said.append(f"the bound lets the {idle:,} accelerators that take no part pass data on, not reduce it")
    if plan is None or len(groups) == 1:
        return said
    if plan.schedule.overlap != "pipelined" and len(list(groups.kinds(topology))) > 1:
        said.append(f"{plan.schedule.overlap}: steps of groups that lie differently keep pace with each other")
    looked = len(looked_at(topology, groups))
    if looked < len(groups) and any(step.chain for step in plan.schedule.steps):
        said.append(f"the latency round a ring is that of the slowest of {looked:,} groups of {len(groups):,}")
    return said


def _seen(topology: Topology, groups: Groups | None, permutation: object) -> Topology:
    """The ranks whose distances a named permutation asks for."""
    named = isinstance(permutation, str | Path) and str(permutation).partition(":")[0] in MATCHINGS
    if groups is None or not named:
        return topology
    if len(groups) > 1:
        raise ConfigError(f"permutation {permutation} is of one group, there are {len(groups):,}; give --shift")
    return with_ranks(topology, groups.members[0])
