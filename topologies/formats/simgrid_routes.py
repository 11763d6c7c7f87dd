"""A graph of the routes that a SimGrid platform lists, each a row of links between two places."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from topologies.errors import TopologyError
from topologies.formats.draft import Draft
from topologies.links import LinkOptions

MAX_STEPS = 5_000_000


@dataclass(frozen=True, slots=True)
class Route:
    """From one place to another over links; `merged` where the links together are one edge."""

    source: str
    target: str
    links: tuple[str, ...]
    merged: bool
    where: str


@dataclass(slots=True)
class Laid:
    """What was added: switches between links, switches in place of a shared link, links that are used."""

    junctions: int = 0
    shared: int = 0
    used: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Places:
    """Both ends of every link, as places that may turn out to be one (union-find); hosts and routers are places."""

    parent: dict[str, str] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)

    def find(self, place: str) -> str:
        """The place that stands for it."""
        root = place
        while self.parent.setdefault(root, root) != root:
            root = self.parent[root]
        while self.parent[place] != root:
            self.parent[place], place = root, self.parent[place]
        return root

    def join(self, a: str, b: str) -> bool:
        """Make two places one; False where both are named by the file."""
        a, b = self.find(a), self.find(b)
        if a != b:
            if a in self.fixed and b in self.fixed:
                return False
            keep, lose = (a, b) if a in self.fixed else (b, a)
            self.parent[lose] = keep
        return True


def lay(draft: Draft, routes: Sequence[Route], links: Mapping[str, LinkOptions], unshared: Container[str]) -> Laid:
    """Add the edges of all routes; `unshared` links (FATPIPE) give each pair all of their rate.

    TopologyError for routes that no placing of their links explains.
    """
    laid = Laid()
    single = [route for route in routes if route.merged]
    rest = [route for route in routes if not route.merged]
    if sum(len(route.links) for route in rest) > MAX_STEPS:
        raise TopologyError(f"{draft.path}: routes over more than {MAX_STEPS:,} links; use a zone of shortest routes")
    pairs: dict[str, set[frozenset[str]]] = {}
    for route in single:
        if route.source != route.target:
            pairs.setdefault(_narrowest(route, links), set()).add(frozenset((route.source, route.target)))
    hubs = {name for name, joined in pairs.items() if len(joined) > 1 and name not in unshared}
    _add_single(draft, single, hubs, links, laid)
    if rest:
        ends = {r.links[0]: (r.source, r.target) for r in single if len(set(r.links)) == 1 and r.source != r.target}
        _add_rest(draft, rest, links, {name: pair for name, pair in ends.items() if len(pairs[name]) == 1}, laid)
    return laid


def _narrowest(route: Route, links: Mapping[str, LinkOptions]) -> str:
    return min(dict.fromkeys(route.links), key=lambda name: links[name].rate_gbps)


def _add_single(
    draft: Draft,
    routes: Sequence[Route],
    hubs: Container[str],
    links: Mapping[str, LinkOptions],
    laid: Laid,
) -> None:
    """Edges of the routes that are one; a link that several pairs share, a hub, is a switch with a link to each end."""
    done: set[tuple[frozenset[str], str]] = set()
    joined: set[frozenset[str]] = set()
    for route in routes:
        ends = frozenset((route.source, route.target))
        name = _narrowest(route, links)
        laid.used.add(name)
        if len(ends) < 2 or (ends, name) in done:  # a loopback, or the way back
            continue
        done.add((ends, name))
        if name in hubs:
            hub = f"shared/{name}"
            if hub not in draft.graph:
                draft.switch(hub, route.where)
                laid.shared += 1
            for end in sorted(ends):
                if not draft.graph.has_edge(end, hub):
                    draft.link(end, hub, route.where, links[name])
        elif ends not in joined:  # the way back over another link of its own is the same full-duplex edge
            delay = sum(links[step].latency_ns or 0.0 for step in route.links)
            link = links[name]
            own = LinkOptions(link.rate_gbps, delay, link.length_m, link.technology, link.cable)
            draft.link(route.source, route.target, route.where, own)
            joined.add(ends)


def _add_rest(
    draft: Draft,
    routes: Sequence[Route],
    links: Mapping[str, LinkOptions],
    known: Mapping[str, tuple[str, str]],
    laid: Laid,
) -> None:
    """Place the two ends of every link so that each route is a walk; each meeting place is a switch.

    `known` are the ends of links that are a route of their own, which are in the graph already.
    """
    places = _Places(fixed=set(draft.graph))
    seen = set(known)
    for name, pair in known.items():
        for side, end in zip("ab", pair, strict=True):
            places.join(f"{name}\0{side}", end)
    waiting, work = list(routes), 0
    while waiting:
        work += sum(len(route.links) for route in waiting)
        if work > 4 * MAX_STEPS:
            raise TopologyError(f"{draft.path}: its routes are too tangled to place; use a zone of shortest routes")
        left = [route for route in waiting if not _walk(places, seen, route, guess=False)]
        if len(left) == len(waiting):
            if not _walk(places, seen, left[0], guess=True):
                raise TopologyError(
                    f"{left[0].where}: no placing of its links fits this route and the others; "
                    "write a zone of shortest routes (Floyd, Dijkstra) or a cluster"
                )
            left = left[1:]
        waiting = left
    for name in dict.fromkeys(step for route in routes for step in route.links if step not in known):
        a, b = (places.find(f"{name}\0{side}") for side in "ab")
        if a == b:
            raise TopologyError(f"{draft.path}: link '{name[:60]}' would join a place to itself; is it a bus?")
        for place in (a, b):
            if place not in draft.graph:
                laid.junctions += 1
                label = f"junction-{laid.junctions}"
                draft.switch(label, str(draft.path))
                places.parent[place] = label
                places.fixed.add(label)
        laid.used.add(name)
        draft.link(places.find(a), places.find(b), str(draft.path), links[name])


def _walk(places: _Places, seen: set[str], route: Route, *, guess: bool) -> bool:
    """Follow a route from its source; False where it is not clear yet, or cannot be, which end of a link comes first.

    Without a guess nothing changes unless the whole route is clear.
    """
    here = places.find(route.source)
    steps: list[tuple[str, str]] = []
    fresh: set[str] = set()
    for name in route.links:
        a, b = f"{name}\0a", f"{name}\0b"
        if name not in seen and name not in fresh:
            steps.append((here, a))
            fresh.add(name)
            here = b
        elif places.find(a) == places.find(here):
            here = b
        elif places.find(b) == places.find(here):
            here = a
        elif guess and places.find(b) not in places.fixed and places.find(b) != places.find(route.source):
            steps.append((here, b))
            here = a
        elif guess and places.find(a) not in places.fixed:
            steps.append((here, a))
            here = b
        else:
            return False
    steps.append((here, route.target))
    parent = dict(places.parent) if guess else None
    for x, y in steps:
        if not places.join(x, y):
            if parent is not None:
                places.parent = parent
            return False
    seen |= fresh
    return True
