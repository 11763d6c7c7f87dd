"""Elements: what is asked to fail, in words such as leaf:3, links=0.5% or ocs=1, and which components that draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.failures.components import components
from fabric.failures.damage import Loss
from fabric.failures.kinds import Components
from topologies.errors import ConfigError, unknown
from topologies.graph import Topology

PLURALS = {"leaves": "leaf", "gpu": "accelerator", "gpus": "accelerator", "cube": "block", "cubes": "block",
           "switches": "switch"}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """Something that fails: the loss of what is named, or so many of the single components of some classes, drawn at
    random."""

    text: str
    named: Loss | None
    pools: tuple[Components, ...]
    number: int

    @property
    def size(self) -> int:
        """Single components that it is drawn from."""
        return sum(pool.count for pool in self.pools)

    def drawn(self, rng: np.random.Generator) -> list[Loss]:
        """One drawing, without replacement."""
        if self.named is not None:
            return [self.named]
        picked = rng.choice(self.size, self.number, replace=False)
        losses, start = [], 0
        for pool in self.pools:
            mine = picked[(picked >= start) & (picked < start + pool.count)] - start
            start += pool.count
            losses += [pool.loss(place) for place in pool.place_of(mine).tolist()]
        return losses


def parse(topology: Topology, text: str) -> Element:
    """An element in words: CLASS:NUMBER (from 0) or CLASS:NAME, a node's name, CLASS=COUNT or CLASS=SHARE%.

    A class is accelerator, host, nic, link, a technology of links (pluggable), a tier (scale-up, leaf, spine, core),
    switch, ocs, ocs-port or block, in the plural too. ConfigError says what this fabric has.

    >>> from topologies.registry import build
    >>> parse(build("fat-tree:k=4"), "links=10%").number
    5
    """
    head, equals, amount = text.partition("=")
    if equals:
        pools = _pools(topology, head, text)
        return Element(text, None, tuple(pools), _number(amount, sum(pool.count for pool in pools), text))
    if text in topology.index:
        return Element(text, Loss.of_nodes([topology.index[text]]), (), 1)
    head, colon, which = text.partition(":")
    if not colon:
        raise ConfigError(
            f"element '{text}' names no node of {topology.name}; write CLASS:NUMBER (leaf:3), CLASS=COUNT (links=0.5%) "
            "or a node as `show` has it"
        )
    pools = _pools(topology, head, text)
    return Element(text, _named(pools, which, text), (), 1)


def _named(pools: Sequence[Components], which: str, text: str) -> Loss:
    for pool in pools:
        if which in (labels := pool.labels):
            return pool.loss(list(labels).index(which))
        back = ",".join(reversed(which.split(",")))
        if pool.kind == "link" and back in labels:
            return pool.loss(list(labels).index(back))
    count = sum(pool.count for pool in pools)
    if not (which.isascii() and which.isdigit()):
        example = pools[0].labels[0]
        raise ConfigError(
            f"element '{text}': '{which}' is no number from 0 to {count - 1} and no name such as {example}"
        )
    number = int(which)
    if number >= count:
        raise ConfigError(f"element '{text}': there are {count:,}, numbered from 0; give at most {count - 1}")
    for pool in pools:
        if number < pool.count:
            return pool.loss(int(pool.place_of(np.array([number]))[0]))
        number -= pool.count
    raise AssertionError(text)


def _pools(topology: Topology, word: str, text: str) -> list[Components]:
    every = components(topology)
    singular = PLURALS.get(word, word)
    if singular == word and word.endswith("s") and word not in ("ocs",):
        singular = word[:-1]
    found = [
        each for each in every
        if singular in (each.kind, each.name) or (each.kind == "link" and singular == each.name.split(" ")[0])
    ]  # fmt: skip
    if not found:
        known = dict.fromkeys(name for each in every for name in (each.kind, each.name))
        raise ConfigError(f"element '{text}': {unknown('class', word, known)}")
    return found


def _number(amount: str, count: int, text: str) -> int:
    """How many of so many: a whole number, or a share of them, at least one."""
    share = amount.endswith("%")
    try:
        value = float(amount[:-1] if share else amount)
    except ValueError:
        value = float("nan")
    if share and 0 < value <= 100:
        return max(1, round(count * value / 100))
    if not share and value >= 1 and value == int(value):
        if value <= count:
            return int(value)
        raise ConfigError(f"element '{text}': there are {count:,}; give at most that many")
    raise ConfigError(f"element '{text}': '{amount}' is no count and no share; write links=20 or links=0.5%")


def scenarios(elements: Sequence[Element], samples: int, seed: int) -> tuple[list[Loss], NDArray[np.float64], bool]:
    """Losses that all elements make together, how likely each is, and whether they are all there are.

    One of a class that is drawn alone is looked at orbit by orbit where these are no more than the samples.
    """
    if all(element.named is not None for element in elements):
        return [Loss.together([element.named for element in elements if element.named is not None])], np.ones(1), True
    if len(elements) == 1 and elements[0].number == 1:
        pools = [(pool, *pool.representatives()) for pool in elements[0].pools]
        if sum(len(places) for _, places, _ in pools) <= samples:
            losses = [pool.loss(place) for pool, places, _ in pools for place in places.tolist()]
            return losses, np.concatenate([weights for *_, weights in pools]) / elements[0].size, True
    rng = np.random.default_rng(seed)
    drawn = [Loss.together([loss for e in elements for loss in e.drawn(rng)]) for _ in range(samples)]
    return drawn, np.full(samples, 1 / samples), False
