"""The answer for one fabric: how many fit, what binds, what one more would take, and what it is made of."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import floor
from typing import Any

from fabric.metrics import switches_by_tier
from fabric.sizing.limits import UNITS, Limits, Weight
from fabric.sizing.search import Candidate, Found
from topologies.bill import network_rows
from topologies.graph import Topology
from topologies.parts import CircuitSwitch, Optic


@dataclass(frozen=True, slots=True)
class Relief:
    """One limit: `used` by the last fabric that is in, `next_used` by the first that is out, which is `short` of it.

    `per_accelerator` is what one more accelerator takes between the two, the price of relaxing the limit; `gains` the
    accelerators that `short` more of it admit if it alone binds, 0 where it does not bind or others bind too; `room`
    those that its slack would hold at that price. None where nothing is out or nothing known of it.
    """

    limit: str
    unit: str
    given: float
    used: float | None
    next_used: float | None
    short: float | None
    per_accelerator: float | None
    gains: int | None
    room: int | None


@dataclass(frozen=True, slots=True)
class Contents:
    """What a fabric is built of: boxes or chips by tier, circuit switches and their share, optical modules."""

    switches: int
    switches_by_tier: Mapping[str, int]
    circuit_switches: float
    modules: int


@dataclass(frozen=True, slots=True)
class Sized:
    """The largest fabric of a spec within the limits; `inside` is None where not even the smallest fits, and all but
    `error` where there is no answer.

    `before_network` are the whole racks that the power alone would feed without a watt of network outside them.
    """

    spec: str
    grows: str = ""
    accelerator: str | None = None
    inside: Candidate | None = None
    outside: Candidate | None = None
    binding: tuple[str, ...] = ()
    limits: tuple[Relief, ...] = ()
    before_network: Mapping[str, int] | None = None
    contents: Contents | None = None
    objective: float | None = None
    built: tuple[Candidate, ...] = ()
    dips: tuple[str, ...] = ()
    error: str | None = None
    rank: int | None = None

    @property
    def accelerators(self) -> int:
        """How many fit."""
        return 0 if self.inside is None or self.inside.weight is None else self.inside.weight.accelerators

    @property
    def weight(self) -> Weight | None:
        """What the last that is in takes."""
        return None if self.inside is None else self.inside.weight

    def row(self) -> dict[str, Any]:
        """Keys as JSON has them."""
        return {
            "spec": self.spec, "topology": None if self.inside is None else self.inside.name,
            "accelerators": self.accelerators if self.error is None else None, "accelerator": self.accelerator,
            **_weighed(self.weight), "before_network": self.before_network,
            **(asdict(self.contents) if self.contents else dict.fromkeys(Contents.__slots__)),
            "objective": self.objective, "rank": self.rank, "binding": list(self.binding),
            "limits": [asdict(relief) for relief in self.limits],
            "inside": _edge(self.inside), "outside": _edge(self.outside),
            "searched": None if not self.built else {
                "grows": self.grows, "built": [candidate.name for candidate in self.built], "dips": list(self.dips)
            },
            "error": self.error,
        }  # fmt: skip


def _weighed(weight: Weight | None) -> dict[str, Any]:
    keys = ("racks", "rack_w", "network_w", "it_w", "facility_w", "pue", "unpriced", "estimates")
    if weight is None:
        return {**dict.fromkeys(keys[:-2]), **dict.fromkeys(("usd", "low_usd", "high_usd")), **dict.fromkeys(keys[-2:])}
    rest = {key: list(getattr(weight, key)) for key in keys[-2:]}
    return {**{key: getattr(weight, key) for key in keys[:-2]}, **weight.usd.row(), **rest}


def _edge(candidate: Candidate | None) -> dict[str, Any] | None:
    if candidate is None:
        return None
    used = None if candidate.weight is None else dict(candidate.weight.used)
    return {"topology": candidate.name, "used": used, "over": list(candidate.over), "why": candidate.why}


def answered(found: Found, limits: Limits) -> dict[str, Any]:
    """What a search comes to, by the fields of `Sized`."""
    inside, outside = found.inside, found.outside
    binding = () if outside is None else outside.over or ("structure",)
    weight = next((c.weight for c in (inside, outside) if c is not None and c.weight is not None), None)
    return {
        "inside": inside, "outside": outside, "binding": binding, "built": found.built, "dips": found.dips,
        "limits": tuple(_relief(name, given, inside, outside) for name, given in limits.given.items()),
        "before_network": None if weight is None else _before_network(weight, limits),
        "contents": None if found.topology is None else contents(found.topology),
    }  # fmt: skip


def _relief(name: str, given: float, inside: Candidate | None, outside: Candidate | None) -> Relief:
    used, after = (None if c is None or c.weight is None else c.weight.used[name] for c in (inside, outside))
    short = None if after is None else max(0.0, after - given)
    each = gains = room = None
    if used is not None and after is not None:
        assert inside is not None and inside.weight is not None
        assert outside is not None and outside.weight is not None
        more = outside.weight.accelerators - inside.weight.accelerators
        each = (after - used) / more
        gains = more if outside.over == (name,) else 0
        room = floor((given - used) / each) if each > 0 else None
    return Relief(name, UNITS[name], given, used, after, short, each, gains, room)


def _before_network(weight: Weight, limits: Limits) -> dict[str, int] | None:
    """Whole racks under the power alone, with nothing outside them: power / PUE / watts of a rack."""
    if limits.facility_w is None or weight.rack_w is None or weight.pue is None or weight.per_rack is None:
        return None
    racks = floor(limits.facility_w / weight.pue / weight.rack_w + 1e-9)
    return {"racks": racks, "accelerators": round(racks * weight.per_rack)}


def contents(topology: Topology) -> Contents:
    """What a fabric is built of.

    >>> from topologies.registry import build
    >>> found = contents(build("dgx-h100-superpod-256"))
    >>> found.switches_by_tier, found.switches, found.modules
    ({'scale-up': 128, 'leaf': 8, 'spine': 4}, 12, 512)
    """
    tiers = switches_by_tier(topology)
    rows = network_rows(topology)
    ocs = sum(row.quantity for row in rows if isinstance(row.part, CircuitSwitch))
    optics = sum(row.quantity for row in rows if isinstance(row.part, Optic))
    outside = sum(number for tier, number in tiers.items() if tier != "scale-up")
    return Contents(outside, tiers, ocs, round(optics))
