"""Mixture of experts: the tokens that an expert-parallel layer sends to the ranks of their experts, and back."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fabric.gating import Gates, random, spread, zipf_odds
from fabric.traffic import Traffic
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.kinds import NumberFormat

OPERATIONS = ("moe-dispatch", "moe-combine")
FORMATS = {"moe-dispatch": "fp8", "moe-combine": "bf16"}  # as DeepSeek-V3 does


@dataclass(frozen=True, slots=True)
class Moe:
    """One layer of experts, DeepSeek-V3's by default; a rank holds `tokens` tokens and an equal part of the experts.

    `experts` None: 256, or one a rank where there are more ranks. `max_domains`: a token goes to experts in at most so
    many scale-up domains (DeepSeek-V3, section 2.1.2: 4 nodes). `precision` is a number format of the catalogue; None:
    fp8 for dispatch, bf16 for combine. Popularity of experts falls with the power `zipf` of its rank, in an order drawn
    by `seed`; 0 is balanced. With `deduplicate` a token that goes to several experts of a rank is sent there once. With
    `even` every token goes to as many ranks as it has experts.
    """

    tokens: int = 4096
    hidden: int = 7168
    topk: int = 8
    experts: int | None = None
    max_domains: int | None = None
    precision: str | None = None
    zipf: float = 0.0
    seed: int = 0
    deduplicate: bool = True
    even: bool = False

    def __post_init__(self) -> None:
        for name in ("tokens", "hidden", "topk", "experts", "max_domains"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or value != int(value) or value < 1):
                raise ConfigError(f"{name} = {value} of a mixture of experts is not a whole number from 1 on")
        if not 0 <= self.zipf <= 10:
            raise ConfigError(f"zipf = {self.zipf} is not an exponent from 0 (balanced) to 10")
        if self.experts is not None and self.topk > self.experts:
            raise ConfigError(f"a token cannot go to {self.topk} of {self.experts} experts; give a smaller topk")
        if self.even and (self.zipf or not self.deduplicate):
            raise ConfigError("even routing is balanced and sends no token twice to a rank; leave out zipf and copies")


    def held(self, n: int) -> int:
        """The experts of a rank among n; the most where they do not divide.

        >>> Moe().held(72), Moe().held(1024)
        (4, 1)
        """
        return -(-self.count(n) // n)

    def count(self, n: int) -> int:
        """All experts of n ranks."""
        return self.experts or max(256, n, self.topk)

    def said(self, operation: str) -> list[str]:
        """What an answer about it stands on, for its reader."""
        what = "rank" if self.deduplicate else "expert"
        gate = "every token to as many ranks as it has experts"
        if not self.even:
            alike = "as likely" if self.zipf == 0 else f"in proportion to its experts' odds (Zipf, {self.zipf:g})"
            where = "" if self.max_domains is None else f" in at most {self.max_domains} domains"
            gate = f"every choice of {self.topk} of {self.experts or 'the'} experts{where} {alike}"
        return [
            f"size counts what a rank sends to others, on average: {self.tokens:,} tokens, one copy for each {what} of "
            f"theirs elsewhere, in {self.precision or FORMATS[operation]} with its scales; relayed copies not counted",
            f"expected loads under a gate that makes {gate}",
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """A layer laid out on n ranks: `copies` float64[n], the expected copies of a token that go to each rank, and
    `to_domain` float64[D] to each scale-up domain; a copy is `copy_bytes`."""

    operation: str
    moe: Moe
    experts: int
    copy_bytes: float
    gates: Gates
    domain_of: NDArray[np.int64]

    @property
    def n(self) -> int:
        return len(self.domain_of)

    @property
    def copies(self) -> NDArray[np.float64]:
        return self.gates.to_rank if self.moe.deduplicate else self.gates.picks

    @property
    def size_bytes(self) -> float:
        """What one rank sends to others, on average: one copy for each rank (or expert) that a token goes to, scales
        included, its own rank left out and relays not counted."""
        return self._between(np.arange(self.n)[None], self._sent, self.copies).total / self.n

    def traffic(self) -> Traffic:
        """Between the ranks of tokens and those of experts, per byte of size: every source times the target's copies,
        and the other way for combine."""
        return self._between(np.arange(self.n)[None], self._sent / self.size_bytes, self.copies)

    def relayed(self, domains: NDArray[np.int64]) -> tuple[Traffic, Traffic]:
        """For ranks [D, g] by domain and rail, what goes along the rails and what inside the domains if each domain
        gets a token once, at the rank on its source's rail, which passes it on; per byte of size. Combine sums up in
        the domain and comes back along the rail."""
        sent = self._sent / self.size_bytes
        across = self._between(domains.T, sent, self.gates.to_domain[self.domain_of])
        return across, self._between(domains, sent * len(domains), self.copies)

    def deduplicated(self) -> "Exchange":
        """The same choices, each token once for a rank."""
        return replace(self, moe=replace(self.moe, deduplicate=True))

    @property
    def _sent(self) -> float:
        """Bytes of the tokens of one rank."""
        return self.moe.tokens * self.copy_bytes

    def _between(self, groups: NDArray[np.int64], sent: float, share: NDArray[np.float64]) -> Traffic:
        """In every group of ranks each sends its share of `sent` to each other, or for combine gets it back."""
        whole = Traffic.within(groups, self.n, sent)
        if self.operation == "moe-dispatch":
            return replace(whole, entry_scale=share[whole.entry_target])
        return replace(whole, list_amount=sent * share[whole.list_rank])


def exchange(topology: Topology, operation: str, moe: Moe) -> Exchange:
    """A layer on the accelerators of a topology: experts in rank order, as even as they divide.

    ConfigError where there are fewer experts than ranks, or topk does not fit into `max_domains`.

    >>> from topologies.registry import build
    >>> made = exchange(build("rail:servers=4"), "moe-dispatch", Moe(tokens=128, max_domains=2))
    >>> round(made.gates.to_domain[0], 3), round(made.size_bytes)
    (np.float64(0.499), 6050839)
    """
    n = len(topology.accelerators)
    experts = moe.count(n)
    if experts < n:
        raise ConfigError(f"{experts} experts leave ranks of {n:,} idle; give as many experts as ranks at least")
    domain_of = np.full(n, -1)
    for index, members in enumerate(topology.domains):
        domain_of[members] = index
    alone = np.flatnonzero(domain_of < 0)  # a rank in no scale-up domain is its own
    domain_of[alone] = domain_of.max() + 1 + np.arange(len(alone))
    rank_of = np.arange(experts) * n // experts
    held = np.bincount(domain_of[rank_of])
    if moe.max_domains is not None and np.sort(held)[: moe.max_domains].sum() < moe.topk:
        raise ConfigError(f"{moe.max_domains} domains of {held.min()} experts do not hold the {moe.topk} of a token")
    if moe.even:
        gates = spread(n, domain_of, moe.topk, moe.max_domains)
    else:
        odds = zipf_odds(experts, moe.zipf, moe.seed)
        gates = random(odds, rank_of, domain_of, moe.topk, moe.max_domains)
    gates = Gates(*(_level(values) for values in (gates.to_rank, gates.to_domain, gates.picks)))
    precision = topology.catalogue.part(moe.precision or FORMATS[operation], NumberFormat)
    return Exchange(operation, moe, experts, precision.row_bytes(moe.hidden), gates, domain_of)


def _level(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equal but for rounding: equal, so that uniform traffic is seen as such."""
    return np.full_like(values, values.mean()) if np.ptp(values) <= 1e-9 * values.max() else values
