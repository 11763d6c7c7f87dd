"""Occupancy: which accelerators of a fabric a job takes: all, or fewer of each scale-up domain, or fewer domains."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.domains import domains_of_nodes
from fabric.placement import PACKED
from fabric.results import accelerator_of
from fabric.workloads.models.model import Model
from topologies.graph import Topology

SPACE = "of each domain the most that a power of two, heads or experts divide, of domains the most of a power of two"


@dataclass(frozen=True, slots=True)
class Occupancy:
    """The first `per_domain` accelerators of each of the first `domains` domains, of `size` each and `count` in all."""

    per_domain: int
    domains: int
    size: int
    count: int

    @property
    def ranks(self) -> int:
        """Accelerators that work."""
        return self.per_domain * self.domains

    @property
    def placement(self) -> str:
        """Where ranks run, as `fabric.placement` takes it."""
        return "packed" if self.per_domain == self.size else f"{PACKED}{self.per_domain}"

    @property
    def said(self) -> list[str]:
        """What of the fabric is left out, for the reader of an answer.

        >>> Occupancy(64, 8, 72, 8).said
        ['left out: 64 of 72 accelerators of each domain work, 512 of 576 in all; rates are of all, MFU of these']
        """
        given = self.size * self.count
        if self.ranks == given:
            return []
        some = []
        if self.per_domain < self.size:
            some.append(f"{self.per_domain:,} of {self.size:,} accelerators of each domain")
        if self.domains < self.count:
            some.append(f"{self.domains:,} of {self.count:,} domains")
        what = f"{' and '.join(some)} work, {self.ranks:,} of {given:,} in all"
        return [f"left out: {what}; rates are of all, MFU of these"]


def occupancies(topology: Topology, model: Model) -> list[Occupancy]:
    """All accelerators first, then fewer and fewer; `SPACE` says which. All alone where domains are not alike.

    >>> from fabric.workloads.models.zoo import model
    >>> from topologies.registry import build
    >>> [(one.per_domain, one.domains) for one in occupancies(build("nvl72-x8"), model("llama-3.1-405b"))]
    [(72, 8), (64, 8)]
    """
    every, size = len(topology.accelerators), alike(topology)
    if size is None:
        return [Occupancy(every, 1, every, 1)]
    count = every // size
    shared = [n for n in (model.heads, model.experts) if n]
    blocks = {*_powers(size), *(b for b in range(1, size + 1) if any(n % b == 0 for n in shared))}
    each = {size - size % block for block in blocks}
    domains = {count - count % block for block in _powers(count)}
    made = [Occupancy(k, d, size, count) for k in each for d in domains]
    return sorted(made, key=lambda one: (-one.ranks, -one.per_domain))


def _powers(most: int) -> list[int]:
    return [1 << j for j in range(most.bit_length())]


def alike(topology: Topology) -> int | None:
    """Accelerators of a scale-up domain where all domains are alike: equally large, ranks in a row, the same links
    inside; None elsewhere.

    >>> from topologies.registry import build
    >>> alike(build("rail:servers=4,gpus=8")), alike(build("torus:dims=4x4"))
    (8, None)
    """
    domains = topology.domains
    sizes = {len(ranks) for ranks in domains}
    n = len(topology.accelerators)
    if len(sizes) != 1 or accelerator_of(topology) is None:
        return None
    size = sizes.pop()
    if size * len(domains) != n or not np.array_equal(np.concatenate(domains), np.arange(n)):
        return None
    return size if _same_links(topology, size, len(domains)) else None


def _same_links(topology: Topology, size: int, count: int) -> bool:
    """Do accelerators in the same place of every domain have the same links inside it?"""
    csr, label = topology.csr(), domains_of_nodes(topology)
    inside = (label[csr.tails] >= 0) & (label[csr.tails] == label[csr.heads])
    nodes = len(csr.forwards)
    arcs: NDArray[np.int64] = np.bincount(csr.tails[inside], minlength=nodes)[csr.accelerators].reshape(count, size)
    rate = np.bincount(csr.tails[inside], csr.capacity[inside], nodes)[csr.accelerators].reshape(count, size)
    switches = np.bincount(label[label >= 0], minlength=count)
    return bool((arcs == arcs[0]).all() and np.allclose(rate, rate[0]) and (switches == switches[0]).all())
