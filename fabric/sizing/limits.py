"""Limits of a site: its feed, its dollars, its racks; what a fabric takes of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

from fabric.costing.dollars import Usd
from fabric.costing.purchase import purchase
from fabric.powering import Watts, site_power
from fabric.powering.site import check_pue, taken_pue
from topologies.errors import ConfigError
from topologies.graph import Topology

Draw = Literal["maximum", "typical"]
MOST = 1 << 18  # accelerators of the largest candidate
UNITS = {"power": "W", "budget": "$", "racks": "racks", "search": "accelerators"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a site gives: watts at its meter, dollars, racks of accelerators; None where it does not matter.

    `draw` says which watts must fit: the `maximum` of racks and network, or the `typical` ones. `pue` is that of the
    row `pue-liquid-hall` where not given. No fabric above `most` accelerators is looked at.
    """

    facility_w: float | None = None
    usd: float | None = None
    racks: int | None = None
    pue: float | None = None
    draw: Draw = "maximum"
    most: int = MOST

    def check(self) -> None:
        """ConfigError for limits that cannot be."""
        if self.facility_w is None and self.usd is None and self.racks is None:
            raise ConfigError("nothing limits the size; give power (4MW), a budget (200M$) or a number of racks")
        for what, value in (("power", self.facility_w), ("budget", self.usd), ("racks", self.racks)):
            if value is not None and not (isfinite(value) and value > 0):
                raise ConfigError(f"{what} {value:g} is not above zero and finite")
        if self.draw not in get_args(Draw):
            raise ConfigError(f"draw '{self.draw}' is none of {', '.join(get_args(Draw))}")
        if self.pue is not None:
            check_pue(self.pue)
        if self.most < 1:
            raise ConfigError(f"most = {self.most} accelerators is below one")

    @property
    def given(self) -> Mapping[str, float]:
        """Those that matter, by name."""
        every = {"power": self.facility_w, "budget": self.usd, "racks": self.racks, "search": self.most}
        return {name: float(value) for name, value in every.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Weight:
    """What a fabric takes of a site. Watts and racks are None where its accelerators have none in the catalogue.

    `racks` hold the accelerators (switches outside them have none counted), `rack_w` is what one full rack draws,
    `network_w` what the fabric outside the racks draws, `facility_w` all of it x PUE. `usd` is what has a price:
    machines, network, fibre and labour; `unpriced` names what has none and is in no sum.
    """

    accelerators: int
    racks: int | None
    rack_w: float | None
    per_rack: float | None
    network_w: float | None
    it_w: float | None
    facility_w: float | None
    pue: float | None
    usd: Usd
    unpriced: tuple[str, ...]
    estimates: tuple[str, ...]

    @property
    def used(self) -> Mapping[str, float | None]:
        """What it takes of each limit, by name."""
        usd = self.usd.value
        return {"power": self.facility_w, "budget": usd, "racks": self.racks, "search": self.accelerators}


def weigh(topology: Topology, limits: Limits) -> Weight:
    """What a fabric takes of a site with those limits.

    ConfigError where the watts or racks that a limit asks for are not known, or nothing at all has a price.

    >>> from topologies.registry import build
    >>> weight = weigh(build("nvl72"), Limits(facility_w=4e6, pue=1.15))
    >>> weight.racks, weight.rack_w, round(weight.facility_w), weight.usd.value
    (1, 132000.0, 151800, 3100000.0)
    """
    bought = purchase(topology, machine=True)
    try:
        site = site_power(topology, pue=taken_pue(limits.pue, topology.catalogue)[0])
    except ConfigError:
        if limits.facility_w is not None or limits.racks is not None:
            raise
        site = None
    if limits.usd is not None and bought.capex.value <= 0:
        unpriced = ", ".join(bought.missing)
        raise ConfigError(f"{topology.name}: nothing has a price ({unpriced}); add it with --parts FILE")
    n = len(topology.accelerators)
    guesses = [f"price of {name}" for name in bought.parts.estimates]
    if site is None:
        none = (None,) * 7
        return Weight(n, *none, bought.capex, bought.missing, tuple(guesses))
    if limits.racks is not None and site.rack is None:
        raise ConfigError(f"no rack of {site.accelerator} is known, which --racks counts; add one with --parts FILE")

    def of(watts: Watts) -> float:
        return watts.maximum if limits.draw == "maximum" else watts.typical

    per_rack = n * of(site.rack_w) / of(site.racks_w)
    racks = None if site.rack is None else site.racks
    return Weight(
        n, racks, of(site.rack_w), per_rack, of(site.network_w), of(site.it_w), of(site.facility_w), site.pue,
        bought.capex, bought.missing, tuple(dict.fromkeys([*site.estimates, *guesses])),
    )  # fmt: skip


def over(used: Mapping[str, float | None], limits: Limits) -> tuple[str, ...]:
    """The limits that are exceeded.

    >>> over({"power": 5e6, "budget": 1e6}, Limits(facility_w=4e6, usd=1e7))
    ('power',)
    """
    tops = limits.given
    return tuple(name for name, top in tops.items() if (taken := used.get(name)) is not None and taken > top)


def share(used: Mapping[str, float | None], limits: Limits) -> float:
    """The largest part of a limit that is taken."""
    taken = ((used.get(name), top) for name, top in limits.given.items())
    return max((part / top for part, top in taken if part is not None), default=0.0)
