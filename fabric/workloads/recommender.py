"""A recommender by its shapes: tables spread over all ranks, small networks on each, and what a step exchanges."""

import tomllib
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from fabric.workloads.steps.mix import Exchange
from topologies.errors import ConfigError, unknown

_FILE = Path(__file__).with_name("recommenders.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommender:
    """DLRM with cross layers (Naumov et al., arXiv:1906.00091; Wang et al., arXiv:2008.13535): `tables` rows of `width`
    values, of which a sample asks for `hotness` each and takes their sum; networks `bottom` over the dense features and
    `top` over all pairs; `batch` samples a step."""

    name: str
    title: str
    tables: tuple[int, ...]
    hotness: tuple[int, ...]
    width: int
    dense_features: int
    bottom: tuple[int, ...]
    cross_layers: int
    cross_rank: int
    top: tuple[int, ...]
    batch: int
    source: str
    aliases: tuple[str, ...] = ()

    @property
    def joined(self) -> int:
        """Values of a sample that the top network takes: a row of each table and the bottom network's."""
        return (len(self.tables) + 1) * self.width

    def of(self, batch: int | None) -> "Recommender":
        """The same with another batch; ConfigError below 1."""
        if batch is not None and batch < 1:
            raise ConfigError(f"batch = {batch} of {self.name} is not a whole number from 1 on")
        return self if batch is None else replace(self, batch=batch)

    @property
    def table_params(self) -> int:
        """Parameters of all tables.

        >>> round(recommender("dlrm-dcnv2").table_params * 4 / 1e9, 1)  # GB in fp32
        104.5
        """
        return sum(self.tables) * self.width

    @property
    def dense_params(self) -> int:
        """Parameters of the networks that every rank holds."""
        layers = [*pairwise((self.dense_features, *self.bottom)), *pairwise((self.joined, *self.top))]
        cross = self.cross_layers * (2 * self.joined * self.cross_rank + self.joined)
        return sum(before * after + after for before, after in layers) + cross

    def mix(self, ranks: int, value_bytes: int = 4, gradient_bytes: int = 4) -> list[Exchange]:
        """Exchanges of a step on so many ranks: looked-up rows to the samples' ranks and their gradients back, and the
        gradients of the dense networks. ConfigError where the batch does not split.

        >>> [(e.collective, round(e.size_bytes / 1e6)) for e in recommender("dlrm-dcnv2").mix(64)]
        [('all-to-all', 14), ('all-reduce', 64)]
        """
        if self.batch % ranks:
            raise ConfigError(f"a batch of {self.batch:,} does not split over {ranks:,} ranks; give a divisor")
        size = self.batch * len(self.tables) * self.width * value_bytes / ranks
        dense = self.dense_params * gradient_bytes
        share, group = (ranks - 1) / ranks, f"dp={ranks}"
        return [
            Exchange("ep", "all-to-all", ranks, size, 2, 2 * share * size, group, "dp"),
            Exchange("dp", "all-reduce", ranks, dense, 1, 2 * share * dense, group, "dp"),
        ]


def recommender(name: str) -> Recommender:
    """The recommender of a name; ConfigError with the nearest where there is none."""
    found = _by_name().get(name.lower())
    if found is None:
        raise ConfigError(unknown("recommender", name, recommenders()))
    return found


def is_recommender(name: str) -> bool:
    """Is it the name of one?

    >>> is_recommender("DLRM"), is_recommender("llama-3-8b")
    (True, False)
    """
    return name.lower() in _by_name()


def recommenders() -> dict[str, Recommender]:
    """All of them by name."""
    return {row.name: row for row in _by_name().values()}


def lookup_share() -> float:
    """Share of memory's rate that rows at random reach."""
    return float(_rows()["lookup"]["share"])


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Recommender]:
    made = []
    for name, row in _rows().items():
        if name != "lookup":
            lists = {key: tuple(row[key]) for key in ("tables", "hotness", "bottom", "top", "aliases")}
            made.append(Recommender(name=name, **{**row, **lists}))
    return {name: row for row in made for name in (row.name, *row.aliases)}


@lru_cache(maxsize=1)
def _rows() -> dict[str, dict[str, Any]]:
    return tomllib.loads(_FILE.read_text("utf-8"))
