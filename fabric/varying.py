"""Variants: the same fabric in other technologies, rates or any other parameter, and what each is built of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from fabric.costing import capital_cost
from fabric.failures.expected import Expected, expected_failures
from fabric.failures.rates import Events
from fabric.inventory import Inventory, inventory
from fabric.limits import broken, first_wall, walls
from fabric.powering import network_power
from fabric.results import Wall
from topologies.errors import ConfigError, FabricError, closest
from topologies.graph import Topology
from topologies.parts import Catalogue, Nic, catalogue
from topologies.registry import build, is_file, named, with_parameters

MOST = 64  # variants of one question


@dataclass(frozen=True, slots=True)
class Varied:
    """A spec with some of its parameters set, and which."""

    spec: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A variant as it is built: tiers of switches outside scale-up domains, watts, dollars, failures of the network a
    day, walls. `why` says why it cannot be built, or not as given; what is not known is None.
    """

    spec: str
    values: Mapping[str, str]
    accelerators: int | None = None
    tiers: int | None = None
    inventory: Inventory | None = None
    network_power_w: float | None = None
    capex_usd: float | None = None
    priced_usd: float | None = None
    unpriced: tuple[str, ...] = ()
    failures: Expected | None = None
    walls: Mapping[str, Wall | None] | None = None
    why: str | None = None

    def row(self) -> dict[str, Any]:
        """Keys as JSON has them."""
        skipped = ("inventory", "values", "unpriced", "failures", "walls", "why")
        rest = {name: getattr(self, name) for name in self.__slots__ if name not in skipped}
        keys = Inventory.__slots__
        made = {key: None if self.inventory is None else getattr(self.inventory, key) for key in keys}
        return {
            "values": dict(self.values), **rest, **made, "unpriced": list(self.unpriced), **_failing(self.failures),
            "first_wall": None if self.walls is None else first_wall(self.walls),
            "walls": None if self.walls is None else dict(self.walls), "why": self.why,
        }  # fmt: skip


def _failing(found: Expected | None) -> dict[str, Any]:
    """Failures and flaps a day with their range, as JSON has them."""

    def row(events: Events | None) -> dict[str, float] | None:
        return None if events is None else {"value": events.value, "low": events.low, "high": events.high}

    return {
        "failures_per_day": None if found is None else row(found.hard),
        "flaps_per_day": None if found is None else row(found.flaps),
        "failures_unrated": [] if found is None else list(found.unrated),
    }


def varied_specs(specs: Sequence[str], vary: Sequence[str], parts: Catalogue | None = None) -> list[Varied]:
    """Every spec with every combination of the values in `vary`, each "key=a,b,...", in order.

    A rate that is beyond the adapter which a spec does not name itself takes the one of that rate and the same series.
    ConfigError for what is no such text, a parameter that a family does not have, more than 64 in all, or no spec.

    >>> [one.spec for one in varied_specs(["nvl72"], ["technology=cartridge,cpo"])]
    ['nvl72:technology=cartridge', 'nvl72:technology=cpo']
    >>> [one.spec for one in varied_specs(["rail:servers=4"], ["rate_gbps=400,800"])]
    ['rail:servers=4,rate_gbps=400', 'rail:servers=4,rate_gbps=800,nic=cx8-800g']
    """
    if not specs:
        raise ConfigError("--vary changes parameters of a SPEC; give one, e.g. nvl72 --vary technology=cartridge,cpo")
    axes = [_axis(text) for text in vary]
    keys = [key for key, _ in axes]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise ConfigError(f"--vary {twice} is given twice; write all its values after one, {twice}=A,B")
    for spec in specs:
        _check_keys(spec, keys)
    grid = list(product(*(values for _, values in axes)))
    if len(grid) * len(specs) > MOST:
        raise ConfigError(f"{len(grid) * len(specs):,} variants are more than {MOST}; vary less at once")
    settings = [dict(zip(keys, values, strict=True)) for values in grid]
    rows = catalogue() if parts is None else parts
    return [
        Varied(with_parameters(spec, {**setting, **_faster(spec, setting, rows)}), setting)
        for spec in specs for setting in settings
    ]  # fmt: skip


def _faster(spec: str, setting: Mapping[str, str], parts: Catalogue) -> dict[str, str]:
    """The adapter of a rate in place of a slower one of its series that the family or a ready-made system names; empty
    where the spec or the setting names one itself, or not exactly one fits."""
    found = named(spec)
    slot = found.family.parameters.get("nic")
    if slot is None or "rate_gbps" not in setting or {"nic"} & {*setting, *found.given}:
        return {}
    own = parts.get(str(found.stated.get("nic", slot.default)))
    try:
        rate_gbps = float(setting["rate_gbps"])
    except ValueError:
        return {}
    if not isinstance(own, Nic) or own.series is None or own.rate_gbps >= rate_gbps:
        return {}
    fit = [row.name for row in parts.of_kind(Nic) if row.series == own.series and row.rate_gbps == rate_gbps]
    return {"nic": fit[0]} if len(fit) == 1 else {}


def _axis(text: str) -> tuple[str, list[str]]:
    key, equals, rest = text.partition("=")
    values = [value.strip() for value in rest.split(",")]
    if not key.strip() or not equals or "" in values:
        raise ConfigError(f"--vary '{text}' is not key=value,value,...; write it like technology=dac,cpo")
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise ConfigError(f"--vary {key.strip()} has the value {twice} twice; nothing is compared with itself")
    return key.strip(), values


def _check_keys(spec: str, keys: Sequence[str]) -> None:
    if is_file(spec):
        raise ConfigError(f"--vary changes parameters of a family or a ready-made system; '{spec}' is a file")
    family = named(spec).family
    for key in keys:
        if key not in family.parameters:
            hint = closest(key, family.parameters) or f"; it takes {', '.join(family.parameters)}"
            raise ConfigError(f"--vary: {family.name} has no parameter '{key}'{hint}")


def variant(one: Varied, parts: Catalogue | None = None) -> tuple[Variant, Topology | None]:
    """A variant as it is built, and its topology; with the reason where it cannot be.

    >>> found, _ = variant(varied_specs(["nvl72"], ["technology=cpo"])[0])
    >>> found.inventory.modules, found.why
    (648, None)
    """
    try:
        topology = build(one.spec, parts)
    except FabricError as error:
        return Variant(spec=one.spec, values=one.values, why=str(error)), None
    power, cost, found = network_power(topology), capital_cost(topology), walls(topology)
    made = inventory(topology)
    return Variant(
        spec=one.spec, values=one.values, accelerators=len(topology.accelerators),
        tiers=sum(tier != "scale-up" for tier in made.switches_by_tier), inventory=made,
        network_power_w=power.total_w, capex_usd=cost.capex_usd, priced_usd=cost.priced_usd, unpriced=cost.missing,
        failures=expected_failures(topology), walls=found, why=broken(found),
    ), topology  # fmt: skip
