"""Patterns: the collective that a question asks of a fabric, with who takes part in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fabric.collectives import Collective, collective
from fabric.groups import Groups
from fabric.matchings import MATCHINGS, permutation_of
from fabric.membership import groups_of
from fabric.placement import Placement
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.selection import with_ranks


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
    return collective(name, n, shift=shift, permutation=target, groups=groups)


def _seen(topology: Topology, groups: Groups | None, permutation: object) -> Topology:
    """The ranks whose distances a named permutation asks for."""
    named = isinstance(permutation, str | Path) and str(permutation).partition(":")[0] in MATCHINGS
    if groups is None or not named:
        return topology
    if len(groups) > 1:
        raise ConfigError(f"permutation {permutation} is of one group, there are {len(groups):,}; give --shift")
    return with_ranks(topology, groups.members[0])
