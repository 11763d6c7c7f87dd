"""Trees of switches over hosts, as schedulers and operators list them: who hangs below whom, not at what rate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from topologies.errors import ConfigError, TopologyError
from topologies.formats.draft import Cabling, Draft
from topologies.formats.scaleup import ScaleUp, add_server

MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Uplinks:
    """What a tree does not say: what a host's adapters carry, and how much less a switch has up than down."""

    rate_gbps: Annotated[float, "of one adapter, Gb/s; each accelerator has one"] = 400.0
    oversubscription: Annotated[float, "downlinks over uplinks of every switch"] = 1.0


@dataclass(frozen=True, slots=True)
class Host:
    """A host, the switch that it hangs on, its scale-up domain or None, the place that states it, its accelerator."""

    name: str
    below: str
    domain: str | None
    where: str
    part: str | None = None


def add_tree(
    draft: Draft,
    hosts: Sequence[Host],
    parents: Mapping[str, Sequence[str]],
    uplinks: Uplinks,
    cabling: Cabling,
    inside: ScaleUp,
) -> list[str]:
    """Hosts, their accelerators, and the switches above them; `parents` of a switch are those above it.

    Each edge of the tree is one link: a host's of what its adapters carry together, a switch's of what it has below,
    over the oversubscription, shared out over its parents. Returns the notes. ConfigError for a parent that is no
    switch, TopologyError for a switch above itself.
    """
    below: dict[str, float] = {}
    for host in hosts:
        ends = add_server(draft, host.name, host.where, inside, domain=host.domain, part=host.part)
        rate = uplinks.rate_gbps
        for end in ends:
            if host.below not in draft.graph:
                draft.switch(host.below, host.where)
            draft.link(end, host.below, host.where, cabling.link(rate))
        below[host.below] = below.get(host.below, 0.0) + rate * len(ends)
    _add_switches(draft, parents, below, uplinks, cabling)
    draft.add_tiers()
    per_host = inside.gpus
    return [
        f"{len(hosts)} hosts, {per_host} end point{'s' * (per_host > 1)} each; rates are not in the file: "
        f"{uplinks.rate_gbps:g} Gb/s for each end point, and uplinks that carry what hangs below them"
        + (f" over {uplinks.oversubscription:g}" if uplinks.oversubscription != 1 else ""),
        cabling.note(),
    ]


def _add_switches(
    draft: Draft, parents: Mapping[str, Sequence[str]], below: dict[str, float], uplinks: Uplinks, cabling: Cabling
) -> None:
    """Uplinks from the leaves upwards, each switch once everything below it is known."""
    waiting = dict.fromkeys(parents, 0)
    for above in parents.values():
        for name in above:
            waiting[name] = waiting.get(name, 0) + 1
    ready = [name for name, number in waiting.items() if not number]
    done = 0
    while ready:
        name = ready.pop()
        done += 1
        if name not in below:
            if name in draft.graph:
                draft.graph.remove_node(name)
            continue
        above = list(dict.fromkeys(parents.get(name, ())))
        for parent in above:
            if parent not in draft.graph:
                draft.switch(parent, str(draft.path))
            rate = below[name] / uplinks.oversubscription / len(above)
            draft.link(name, parent, str(draft.path), cabling.link(rate))
            below[parent] = below.get(parent, 0.0) + rate
        for parent in parents.get(name, ()):
            waiting[parent] -= 1
            if not waiting[parent]:
                ready.append(parent)
    if done < len(waiting):
        name = next(name for name, number in waiting.items() if number)
        raise TopologyError(f"{draft.path}: switch '{name[:60]}' stands above itself; a tree has no circle")


def expanded(text: str, where: str, most: int) -> list[str]:
    """Names of a list in Slurm's form: `node[01-03,7],spare` are node01, node02, node03, node7 and spare.

    ConfigError for brackets that do not close and for more than `most` names.

    >>> expanded("n[08-10,12]x,spare", "nodes", 100)
    ['n08x', 'n09x', 'n10x', 'n12x', 'spare']
    """
    found: list[str] = []
    for item in _split(text, where):
        head, bracket, rest = item.partition("[")
        if not bracket:
            names = [item]
        else:
            inner, close, tail = rest.partition("]")
            if not close or "[" in tail or "]" in tail:
                raise ConfigError(f"{where}: '{item[:60]}' has brackets that do not fit; write it like node[1-3,7]")
            names = [f"{head}{number}{tail}" for part in inner.split(",") for number in _range(part, where, most)]
        found += names
        if len(found) > most:
            raise ConfigError(f"{where}: more than {most:,} names")
    return found


def _split(text: str, where: str) -> list[str]:
    """Items between the commas that are in no brackets."""
    items, depth, start = [], 0, 0
    for i, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and not depth:
            items.append(text[start:i].strip())
            start = i + 1
    items.append(text[start:].strip())
    if not all(items):
        raise ConfigError(f"{where}: '{text[:60]}' has an empty name")
    return items


def _range(part: str, where: str, most: int) -> list[str]:
    first, dash, last = part.strip().partition("-")
    ends = (first, last if dash else first)
    if not all(end.isascii() and end.isdigit() and len(end) < 12 for end in ends) or int(ends[1]) < int(ends[0]):
        raise ConfigError(f"{where}: '{part[:40]}' is no range of numbers; write it like 1-3")
    if int(ends[1]) - int(ends[0]) >= most:
        raise ConfigError(f"{where}: '{part[:40]}' has more than {most:,} names")
    return [f"{number:0{len(first)}d}" for number in range(int(ends[0]), int(ends[1]) + 1)]


def unused(document: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    """Keys of a document that a reader does not look at."""
    return [key for key in document if key not in known]
