"""Clusters of SimGrid, each a shape with its parameters: a crossbar, a fat tree, a torus, a dragonfly."""

import re
from collections.abc import Iterator
from itertools import combinations, product
from math import prod

from topologies.errors import ConfigError
from topologies.formats.draft import Draft
from topologies.graph import Grid
from topologies.links import LinkOptions

MAX_EDGES = 4_000_000
MAX_LEVELS = 16
_NUMBERS = re.compile(r"[0-9]{1,8}(,[0-9]{1,8})*$")


def numbers(text: str, where: str, what: str) -> list[int]:
    """Whole numbers above zero between commas.

    >>> numbers("4,4", "line 3", "down")
    [4, 4]
    """
    compact = text.replace(" ", "")
    if not _NUMBERS.match(compact) or 0 in (found := [int(word) for word in compact.split(",")]):
        raise ConfigError(f"{where}: {what} = '{text[:40]}' is no list of whole numbers above zero")
    return found


def add_flat(draft: Draft, hosts: list[str], router: str, link: LinkOptions, where: str) -> None:
    """Every host on one crossbar."""
    draft.switch(router, where)
    for host in hosts:
        draft.link(host, router, where, link)


def add_torus(draft: Draft, hosts: list[str], shape: str, link: LinkOptions, where: str) -> Grid:
    """Rank x + X y + X Y z, a link to the next along every dimension: two along a dimension have two."""
    sizes = numbers(shape, where, "topo_parameters")
    if prod(sizes) != len(hosts) or len(sizes) > MAX_LEVELS:
        raise ConfigError(f"{where}: topo_parameters = '{shape[:40]}' is {prod(sizes):,} hosts, radical {len(hosts):,}")
    stride = 1
    for size in sizes:
        for rank in range(len(hosts)):
            place = rank // stride % size
            if size > 1 and (size > 2 or place == 0):
                after = rank + stride if place + 1 < size else rank - (size - 1) * stride
                draft.link(hosts[rank], hosts[after], where, link, count=2 if size == 2 else 1)
        stride *= size
    return Grid(tuple(sizes), (True,) * len(sizes))


def add_fat_tree(draft: Draft, hosts: list[str], prefix: str, shape: str, link: LinkOptions, where: str) -> None:
    """A parallel-ports generalised fat tree PGFT(h; m; w; p) (Zahavi, D-Mod-K, 2009): `levels;down;up;parallel`.

    A switch of level l has m_l below; what is below it has w_l above, each over p_l links.
    """
    fields = [numbers(field, where, "topo_parameters") for field in shape.split(";")]
    levels = fields[0][0]
    if len(fields) != 4 or len(fields[0]) != 1 or levels > MAX_LEVELS or any(len(f) != levels for f in fields[1:]):
        raise ConfigError(f"{where}: topo_parameters = '{shape[:60]}' is not like levels;down;up;parallel")
    down, up, parallel = fields[1:]
    if prod(down) != len(hosts):
        raise ConfigError(f"{where}: topo_parameters = '{shape[:40]}' is {prod(down):,} hosts, radical {len(hosts):,}")
    width = [prod(down[level:]) * prod(up[:level]) for level in range(levels + 1)]
    if sum(w * u for w, u in zip(width, up, strict=False)) > MAX_EDGES:
        raise ConfigError(f"{where}: topo_parameters = '{shape[:40]}' has more than {MAX_EDGES:,} links")
    below = hosts
    for level in range(levels):
        names = [f"{prefix}switch-{level + 1}-{i}" for i in range(width[level + 1])]
        for name in names:
            draft.switch(name, where, tier=level + 1)
        # a node is (place above, digit of this level, place below): its parents keep the outer two, any digit of w
        inner = prod(up[:level])
        for i, node in enumerate(below):
            outer, rest = divmod(i, inner * down[level])
            for digit in range(up[level]):
                parent = (outer * up[level] + digit) * inner + rest % inner
                draft.link(node, names[parent], where, link, parallel[level])
        below = names


def add_dragonfly(draft: Draft, hosts: list[str], prefix: str, shape: str, link: LinkOptions, where: str) -> None:
    """Cray's cascade: `groups,links;chassis,links;routers,links;nodes` with so many parallel links at each level.

    Routers of a chassis are joined each to each, those of one slot over the chassis of a group too, and two groups i
    and j by router j of group i and router i of group j.
    """
    fields = [numbers(field, where, "topo_parameters") for field in shape.split(";")]
    if [len(f) for f in fields] != [2, 2, 2, 1]:
        raise ConfigError(f"{where}: topo_parameters = '{shape[:60]}' is not like 3,4;4,3;5,1;2")
    (groups, blue), (chassis, black), (slots, green), (nodes,) = fields
    if prod((groups, chassis, slots, nodes)) != len(hosts):
        size = prod((groups, chassis, slots, nodes))
        raise ConfigError(f"{where}: topo_parameters = '{shape[:40]}' is {size:,} hosts, radical {len(hosts):,}")
    if groups > chassis * slots:
        raise ConfigError(f"{where}: {groups} groups of {chassis * slots} routers; each other group takes a router")
    inside = chassis * slots * (chassis + slots) // 2
    if groups * (inside + groups) > MAX_EDGES:
        raise ConfigError(f"{where}: topo_parameters = '{shape[:40]}' has more than {MAX_EDGES:,} links")
    name = {
        (g, c, s): f"{prefix}router-{g}-{c}-{s}" for g, c, s in product(range(groups), range(chassis), range(slots))
    }
    for node in name.values():
        draft.switch(node, where, tier=1)
    routers = list(name.values())
    for i, host in enumerate(hosts):
        draft.link(host, routers[i // nodes], where, link)
    for a, b, count in _router_links(groups, chassis, slots, green, black, blue):
        draft.link(name[a], name[b], where, link, count)


Router = tuple[int, int, int]


def _router_links(
    groups: int, chassis: int, slots: int, green: int, black: int, blue: int
) -> Iterator[tuple[Router, Router, int]]:
    for g in range(groups):
        for c in range(chassis):
            yield from (((g, c, a), (g, c, b), green) for a, b in combinations(range(slots), 2))
        for s in range(slots):
            yield from (((g, a, s), (g, b, s), black) for a, b in combinations(range(chassis), 2))
    for i, j in combinations(range(groups), 2):
        yield (i, j // slots, j % slots), (j, i // slots, i % slots), blue
