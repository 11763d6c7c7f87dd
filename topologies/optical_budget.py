"""Loss budgets of circuits: what light loses from module to module, and how often it is more than the modules allow."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topologies.circuits import CircuitLayer
from topologies.errors import TopologyError
from topologies.graph import Topology, once
from topologies.optical_loss import NOTHING, Z99, Loss, line_loss, part_loss, switch_loss
from topologies.parts import Catalogue, CircuitSwitch, Component, Optic, OpticalPath, Part
from topologies.reflections import both_ways, mpi_penalty_db, one_way

DEFAULT_PATH = "circuit-path"
STATES = ("ok", "unknown", "marginal", "over")  # from best to worst
NOMINAL, WORST, BEST = 0, 1, -1  # ends of the sources' ranges
ROUNDING_DB = 1e-9
UNKNOWN = Loss(np.nan, 0.0, np.nan, np.nan)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CircuitClass:
    """Circuits alike in switch, modules and length: what they lose and what they may lose.

    `budget_db` is the channel loss that both modules allow, nominal and at the worst and best end of its sources; nan
    where none is stated. A module's multiplexers are on its side of that budget. `levels_db` are the reflections along
    the line at each end of the sources' ranges, `leak_db` those of the circulators (None without).
    """

    switch: CircuitSwitch
    modules: tuple[str, str]
    length_m: float
    rate_gbps: float
    lane_gbps: float
    line: Loss
    circulators: Loss
    through: Loss
    budget_db: tuple[float, float, float]
    levels_db: tuple[list[float], list[float], list[float]]
    leak_db: tuple[float, float, float] | None
    extinction_db: tuple[float, float, float]

    @property
    def loss(self) -> Loss:
        """All that lies between the modules."""
        return self.line + self.circulators + self.through

    def mpi_db(self, loss_db: ArrayLike, ends: int = NOMINAL, *, bound: bool = False) -> Floats:
        """Reflection penalty at these losses, float64[M]: typical, or the bound over phases and levels."""
        losses = np.atleast_1d(np.asarray(loss_db, np.float64))
        levels = self.levels_db[ends]
        if self.leak_db is None:
            interferers = np.repeat(one_way(levels)[:, None], len(losses), axis=1)
        else:
            interferers = both_ways(levels, losses - self.circulators.mean_db, self.leak_db[ends], losses)
        return mpi_penalty_db(interferers, self.lane_gbps, self.extinction_db[ends], bound=bound)

    def margin_p99_db(self, ends: int = NOMINAL) -> float:
        """What is left at the 99th percentile of the loss; nan where no budget or loss is stated."""
        loss = self.loss
        mean = (loss.mean_db, loss.high_db, loss.low_db)[ends]
        return self.budget_db[ends] - mean - Z99 * loss.sigma_db - float(self.mpi_db(mean, ends)[0])

    def margin_through_db(self, through_db: float) -> float:
        """What is left, at the 99th percentile of the rest of the line, when the switch itself is known to lose this
        much; nan where no budget is stated."""
        rest = self.line + self.circulators
        mean = rest.mean_db + through_db
        return self.budget_db[NOMINAL] - mean - Z99 * rest.sigma_db - float(self.mpi_db(mean)[0])

    @property
    def state(self) -> str:
        """ok: the 99th percentile closes at nominal values. over: it does not even at the best ends of the sources'
        ranges. marginal: between them, the sources decide. unknown: no budget or no loss is stated."""
        if np.isnan(self.margin_p99_db()):
            return "unknown"
        if self.margin_p99_db(BEST) < -ROUNDING_DB:
            return "over"
        return "ok" if self.margin_p99_db() >= -ROUNDING_DB else "marginal"


@dataclass(frozen=True, slots=True, eq=False)
class CircuitBudgets:
    """Every circuit's budget, float64[M] in the order of the state, and the class of each (int32[M])."""

    classes: tuple[CircuitClass, ...]
    kind: NDArray[np.int32]
    loss_mean_db: Floats
    loss_sigma_db: Floats
    loss_p99_db: Floats
    mpi_penalty_db: Floats
    margin_mean_db: Floats
    margin_p99_db: Floats
    failure_probability: Floats


def circuit_budgets(
    topology: Topology, path: str = DEFAULT_PATH, *, measured_db: Mapping[int, ArrayLike] | None = None
) -> CircuitBudgets:
    """The loss of every live circuit against the channel loss of its modules, by root sum square.

    loss = connectors + splices + fibre + a circulator at each end of a strand that carries both ways + the switch, each
    normal and independent of the others; the margin is the budget less the loss and the penalty of reflections at the
    mean loss; a circuit fails its budget with the probability that its loss leaves no margin. `path` names the
    `optical-path` row with the connectors and splices. `measured_db` gives the loss of each pair of ports of a device
    as tested (float64[P, P], first port by second) in place of its row's. TopologyError without a circuit layer.

    >>> from topologies.registry import build
    >>> budgets = circuit_budgets(build("tpu-v4-512"))
    >>> len(budgets.kind), round(float(budgets.loss_mean_db[0]), 2), budgets.classes[0].state
    (384, 4.4, 'ok')
    """
    layer = topology.circuits
    if layer is None:
        raise TopologyError(f"{topology.name} has no circuit layer; only fabrics with circuit switches have a budget")
    classes, kind = _classes(layer, topology.catalogue, topology.catalogue.part(path, OpticalPath))

    def each(values: list[float]) -> Floats:
        return np.array(values, np.float64)[kind] if classes else np.empty(0)

    through, sigma = each([c.through.mean_db for c in classes]), each([c.through.sigma_db for c in classes])
    for device, matrix in (measured_db or {}).items():
        here = layer.state[:, 0] == device
        through[here] = np.asarray(matrix, np.float64)[layer.state[here, 1], layer.state[here, 2]]
        sigma[here] = 0.0
    rest = [c.line + c.circulators for c in classes]
    mean = through + each([loss.mean_db for loss in rest])
    sigma = np.hypot(sigma, each([loss.sigma_db for loss in rest]))
    penalty = np.empty(len(kind))
    for number, alike in enumerate(classes):
        penalty[kind == number] = alike.mpi_db(mean[kind == number])
    margin = each([c.budget_db[NOMINAL] for c in classes]) - mean - penalty
    return CircuitBudgets(
        classes, kind, mean, sigma, mean + Z99 * sigma, penalty, margin, margin - Z99 * sigma, _failing(margin, sigma)
    )


@once
def budgets(topology: Topology) -> CircuitBudgets | None:
    """The budgets of a fabric's circuits over its catalogue's path; None where it has no circuit layer."""
    return None if topology.circuits is None else circuit_budgets(topology)


def tightest(found: CircuitBudgets) -> int | None:
    """The class in the worst state, of those the one of least margin; None where no circuit is live."""
    order = [(-STATES.index(c.state), c.margin_p99_db(), n) for n, c in enumerate(found.classes)]
    return min(order, default=(0, 0.0, None))[2]


def _failing(margin_db: Floats, sigma_db: Floats) -> Floats:
    """float64[M]: how likely a normal loss is to leave less than nothing; sure where it has no spread."""
    with np.errstate(divide="ignore", invalid="ignore"):
        deviations = np.where(sigma_db > 0, margin_db / sigma_db, np.where(margin_db < 0, -np.inf, np.inf))
    tail = np.frompyfunc(lambda d: erfc(d / sqrt(2)) / 2, 1, 1)(deviations).astype(np.float64)
    return np.where(np.isnan(margin_db), np.nan, tail)


def _classes(
    layer: CircuitLayer, parts: Catalogue, path: OpticalPath
) -> tuple[tuple[CircuitClass, ...], NDArray[np.int32]]:
    """The classes of the live circuits, and which each is of."""
    links, generation = layer.end_links
    models = list({m.name: m for m in (layer.part, *layer.other_parts.values())}.values())
    model = np.zeros(layer.devices, np.int32)
    for device, other in layer.other_parts.items():
        model[device] = models.index(other)
    both = np.sort(generation[layer.end_pairs()], axis=1)
    keys = np.column_stack([model[layer.state[:, 0]], both])
    found, kind = np.unique(keys, axis=0, return_inverse=True)
    classes = tuple(circuit_class(models[m], [links[a], links[b]], parts, path) for m, a, b in found.tolist())
    return classes, kind.reshape(-1).astype(np.int32)


def circuit_class(
    switch: CircuitSwitch, ends: list[Mapping[str, object]], parts: Catalogue, path: OpticalPath
) -> CircuitClass:
    """The class of a circuit through a switch between two ends with these link attributes."""
    slower = min(ends, key=lambda link: float(str(link["rate_gbps"])))
    names = (str(ends[0]["cable"]), str(ends[1]["cable"]))
    modules = [row for row in map(parts.get, names) if isinstance(row, Optic)]
    length = float(str(slower["length_m"]))
    both = [row for row in modules if row.bidirectional]
    circulator = parts.part(path.circulator, Component)
    reflectors: list[Part] = [parts.part(path.connector, Component)] * path.connectors
    reflectors += [parts.part(path.splice, Component)] * path.splices + [switch]
    budgets = [_ends(row, "channel_loss_db", worst_is_low=True) for row in modules]
    return CircuitClass(
        switch=switch,
        modules=names,
        length_m=length,
        rate_gbps=float(str(slower["rate_gbps"])),
        lane_gbps=max((row.lane_gbps for row in modules if row.name == slower["cable"]), default=0.0),
        line=line_loss(path, length, parts),
        circulators=part_loss(circulator).times(len(both)) if both else NOTHING,
        through=switch_loss(switch) or UNKNOWN,
        budget_db=_least(budgets) if len(modules) == len(names) else (np.nan,) * 3,
        levels_db=_known([_ends(row, "return_loss_db") for row in reflectors]),
        leak_db=_ends(circulator, "return_loss_db") if both else None,
        extinction_db=_ends(path, "extinction_ratio_db", worst_is_low=True),
    )


def _ends(row: Part, key: str, *, worst_is_low: bool = False) -> tuple[float, float, float]:
    """A value at its nominal, worst and best end, in the order of NOMINAL, WORST, BEST; nan where it is not stated."""
    value = getattr(row, key)
    if value is None:
        return (np.nan,) * 3
    low, high = row.ranges.get(key, (value, value))
    return (value, low, high) if worst_is_low else (value, high, low)


def _least(rows: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    a, b, c = np.min(np.array(rows), axis=0).tolist()
    return a, b, c


def _known(rows: list[tuple[float, float, float]]) -> tuple[list[float], list[float], list[float]]:
    """By end, the reflections of the parts that state one."""
    a, b, c = ([row[end] for row in rows if not np.isnan(row[end])] for end in range(3))
    return a, b, c
