"""What light loses on its way through connectors, fibre and a circuit switch: mean, spread, what sources leave open."""

from dataclasses import dataclass
from math import hypot

from topologies.parts import Catalogue, CircuitSwitch, Component, OpticalPath

Z97, Z99 = 1.880794, 2.326348  # quantiles of the normal distribution
SIGMAS_IN_RANGE = 4.0  # a range without a stated quantile is read as two sigmas either way


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss in dB over the parts of one kind: mean, standard deviation, and the bounds of the mean by its sources."""

    mean_db: float
    sigma_db: float
    low_db: float
    high_db: float

    def __add__(self, other: "Loss") -> "Loss":
        """Losses in a row: means add, independent spreads as squares, and sources may all err to one side."""
        return Loss(
            self.mean_db + other.mean_db,
            hypot(self.sigma_db, other.sigma_db),
            self.low_db + other.low_db,
            self.high_db + other.high_db,
        )

    def times(self, number: float) -> "Loss":
        """So many independent parts in a row."""
        mean, low, high = (number * each for each in (self.mean_db, self.low_db, self.high_db))
        return Loss(mean, number**0.5 * self.sigma_db, low, high)


NOTHING = Loss(0.0, 0.0, 0.0, 0.0)


def part_loss(row: Component) -> Loss:
    """One pass of a connector, a splice or a circulator.

    The spread of parts is that of a stated 97th percentile (IEC 61753-1 grades connectors so); without one, the range
    of the row is taken as the spread of parts, two sigmas either way, and leaves nothing open about the mean.

    >>> from topologies.parts import part
    >>> connector = part_loss(part("connector-mpo", Component))
    >>> connector.mean_db, round(connector.sigma_db, 4), connector.high_db
    (0.32, 0.0957, 0.7)
    """
    key = "insertion_loss_db" if row.insertion_loss_mean_db is None else "insertion_loss_mean_db"
    mean = float(row.known(key))
    low, high = row.ranges.get(key, (mean, mean))
    if row.insertion_loss_p97_db is not None:
        return Loss(mean, max(0.0, row.insertion_loss_p97_db - mean) / Z97, low, high)
    return Loss(mean, (high - low) / SIGMAS_IN_RANGE, mean, mean)


def fibre_loss(row: Component, length_m: float) -> Loss:
    """A length of fibre; its attenuation is one draw, so that the spread grows with the length, not with its root.

    >>> from topologies.parts import part
    >>> round(fibre_loss(part("fibre-smf", Component), 500).mean_db, 3)
    0.175
    """
    per_km = float(row.known("loss_db_per_km"))
    low, high = row.ranges.get("loss_db_per_km", (per_km, per_km))
    mean = per_km * length_m / 1000
    return Loss(mean, (high - low) / SIGMAS_IN_RANGE * length_m / 1000, mean, mean)


def switch_loss(row: CircuitSwitch) -> Loss | None:
    """One pass through a circuit switch, over its port pairs; None where no loss is known.

    The mean is `insertion_loss_mean_db`, else `insertion_loss_db`; the maximum, read as the 99th percentile, is the
    first above it of `insertion_loss_max_db`, `insertion_loss_db` and the high end of its range.

    >>> from topologies.parts import part
    >>> palomar = switch_loss(part("palomar-136", CircuitSwitch))
    >>> palomar.mean_db, round(palomar.mean_db + Z99 * palomar.sigma_db, 6)
    (1.5, 2.0)
    """
    stated = row.insertion_loss_db
    typical = stated if row.insertion_loss_mean_db is None else row.insertion_loss_mean_db
    if typical is None:
        return None
    ceilings = (row.insertion_loss_max_db, stated, row.ranges.get("insertion_loss_db", (typical, typical))[1])
    most = next((each for each in ceilings if each is not None and each > typical), typical)
    low, high = row.ranges.get("insertion_loss_mean_db", (typical, typical))
    return Loss(typical, (most - typical) / Z99, low, high)


def line_loss(path: OpticalPath, length_m: float, parts: Catalogue) -> Loss:
    """Everything between the modules, or their circulators, but the switch: connectors, splices and fibre."""
    connectors = part_loss(parts.part(path.connector, Component)).times(path.connectors)
    splices = part_loss(parts.part(path.splice, Component)).times(path.splices)
    return connectors + splices + fibre_loss(parts.part(path.fibre, Component), length_m)
