"""The answer for one fabric: how many fit, what binds, what one more would take, and what it is made of."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import floor
from typing import Any

from fabric.inventory import Inventory, inventory
from fabric.sizing.limits import UNITS, Limits, Weight
from fabric.sizing.search import Candidate, Found
from fabric.sizing.working import Worked


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
class Sized:
    """The largest fabric of a spec within the limits; `inside` is None where not even the smallest fits, and all but
    `error` where there is no answer.

    `worked` is what a workload comes to where one is the objective; `before_network` are the whole racks that the power
    alone would feed without a watt of network outside them.
    """

    spec: str
    grows: str = ""
    accelerator: str | None = None
    inside: Candidate | None = None
    outside: Candidate | None = None
    binding: tuple[str, ...] = ()
    limits: tuple[Relief, ...] = ()
    before_network: Mapping[str, int] | None = None
    inventory: Inventory | None = None
    objective: float | None = None
    worked: Worked | None = None
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
            **(asdict(self.inventory) if self.inventory else dict.fromkeys(Inventory.__slots__)),
            "objective": self.objective, "workload": None if self.worked is None else asdict(self.worked),
            "rank": self.rank, "binding": list(self.binding),
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
        "inventory": None if found.topology is None else inventory(found.topology),
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
