"""Shares of a step: of its time that communication shows, of its energy that the network takes."""

from collections.abc import Mapping
from math import fsum


class Shares:
    """What steps of all kinds say of their seconds by part and of their powers, None where a part has none."""

    __slots__ = ()
    step_s: float
    exposed_s: Mapping[str, float]
    network_power_w: float | None
    facility_power_w: float | None

    @property
    def exposed_share(self) -> float:
        """The part of a step in which nothing is computed because of communication."""
        return fsum(self.exposed_s.values()) / self.step_s

    @property
    def network_share(self) -> float | None:
        """The network's part of the energy of the site."""
        if self.network_power_w is None or self.facility_power_w is None:
            return None
        return self.network_power_w / self.facility_power_w
