"""A recommender by its shapes: tables spread over all ranks, small networks on each, and what a step exchanges."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from fabric.workloads.mix import Exchange
from topologies.errors import ConfigError, unknown

_FILE = Path(__file__).with_name("recommenders.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommender:
    """DLRM with cross layers (Naumov et al., arXiv:1906.00091; Wang et al., arXiv:2008.13535): `tables` rows of
    `width` values; networks `bottom` over the dense features and `top` over all pairs; `batch` samples a step."""

    name: str
    title: str
    tables: tuple[int, ...]
    width: int
    dense_features: int
    bottom: tuple[int, ...]
    cross_layers: int
    cross_rank: int
    top: tuple[int, ...]
    batch: int
    source: str

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
        joined = (len(self.tables) + 1) * self.width
        layers = [*pairwise((self.dense_features, *self.bottom)), *pairwise((joined, *self.top))]
        cross = self.cross_layers * (2 * joined * self.cross_rank + joined)
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
    rows = recommenders()
    if name.lower() not in rows:
        raise ConfigError(unknown("recommender", name, rows))
    return rows[name.lower()]


@lru_cache(maxsize=1)
def recommenders() -> dict[str, Recommender]:
    """All of them by name."""
    rows = tomllib.loads(_FILE.read_text("utf-8"))
    for row in rows.values():
        row.update({key: tuple(row[key]) for key in ("tables", "bottom", "top")})
    return {name: Recommender(name=name, **row) for name, row in rows.items()}
