"""The attributes that one class of links shares: rate, medium, cable, length, latency."""

from dataclasses import dataclass
from typing import Annotated, Any

from topologies.cabling import AUTO, choose_cable
from topologies.errors import ConfigError, unknown
from topologies.parts import Cable, Catalogue, Nic, Optic

MEDIA = ("copper", "active-copper", "optical", "circuit", "board", "unstated")
HOST_TECHNOLOGIES = frozenset({"pcie", "socket"})  # inside a host: no links of the fabric, not in its bill or watts


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """What a link of a plain family is: the keys every such family takes."""

    rate_gbps: Annotated[float, "one direction of one link, Gb/s"] = 400.0
    latency_ns: Annotated[float | None, "of one link; default from cable and length"] = None
    length_m: Annotated[float, "cable length"] = 1.0
    technology: Annotated[
        str, "dac, acc, aec, aoc, pluggable, lro, lpo, cpo, board: names the default cable; auto: by reach and rate"
    ] = "dac"
    cable: Annotated[str | None, "catalogue name of cable or optic, in place of the technology's default"] = None

    def row(self, parts: Catalogue) -> Cable | Optic:
        """The catalogue row of this link; ConfigError where none carries the rate."""
        if self.cable is None and self.technology == AUTO:
            return choose_cable(self.rate_gbps, self.length_m, parts)
        if self.cable is None:
            return parts.default_cable(self.technology, self.rate_gbps)
        found = parts.get(self.cable)
        if found is not None and not isinstance(found, Cable | Optic):
            raise ConfigError(f"part '{found.name}' is of kind {found.kind}; a cable or an optic is needed here")
        if found is None:
            names = [row.name for row in [*parts.of_kind(Cable), *parts.of_kind(Optic)]]
            raise ConfigError(unknown("cable or optic", self.cable, names, "aifabric parts lists them"))
        lanes_missing = isinstance(found, Cable) and found.rate_gbps < self.rate_gbps
        if lanes_missing and found.modules_per_end is None:
            raise ConfigError(
                f"cable '{found.name}' carries {found.rate_gbps:g} Gb/s, the link {self.rate_gbps:g} Gb/s"
            )
        return found

    def attributes(
        self, parts: Catalogue, *, count: int = 1, nic: str | None = None, circuit: bool = False
    ) -> dict[str, Any]:
        """Edge attributes of `count` parallel links; `nic` names the adapter that the accelerator's end goes through.

        A circuit is two strands and a mirror: same modules at its ends, medium `circuit`.
        """
        row = self.row(parts)
        latency = self.latency_ns
        if latency is None:
            modules = 2 * (row.latency_ns or 0.0) if isinstance(row, Optic) else 0.0
            adapter = parts.part(nic, Nic).latency_ns or 0.0 if nic is not None else 0.0
            latency = self.length_m * row.propagation_ns_per_m + row.known("phy_latency_ns") + modules + adapter
        attributes = {
            "rate_gbps": self.rate_gbps,
            "count": count,
            "medium": "circuit" if circuit else row.medium,
            "technology": row.technology,
            "length_m": self.length_m,
            "cable": row.name,
            "latency_ns": latency,
            "duty": 1.0,
        }
        return attributes if nic is None else attributes | {"nic": nic}
