"""A training step of a recommender on a fabric: lookups, small networks, and what ranks exchange between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, fsum
from pathlib import Path
from typing import Any

from fabric.powering import network_power, site_power
from fabric.simulation import time_estimates
from fabric.workloads.models.precisions import precision as precision_of
from fabric.workloads.recommender import Recommender, lookup_share, recommender
from fabric.workloads.steps.achieved import Achieved, achieved
from fabric.workloads.steps.shares import Shares
from fabric.workloads.steps.states import bytes_of
from fabric.workloads.steps.wiring import Wired, Wiring
from fabric.workloads.training import TRANSPORT, accelerator_with_rate
from topologies.errors import ConfigError, FabricError
from topologies.graph import Topology
from topologies.kinds import Accelerator
from topologies.parts import Catalogue
from topologies.registry import topology_of

SAID = (
    "tables lie on all ranks alike, their rows are as likely; a row that a batch asks for twice is read once",
    "no host launches kernels (a step is one graph); what samples ask for goes to the tables' ranks a step ahead",
    "networks at the rate of a transformer's products: fabric/workloads/steps/achieved.toml",
)


@dataclass(frozen=True, slots=True)
class Work:
    """Seconds of a rank in a step: rows read, rows updated, the networks before and after rows arrive, forward, their
    backward pass twice as long."""

    lookup_s: float
    update_s: float
    bottom_s: float
    top_s: float


@dataclass(frozen=True, slots=True)
class RecommenderStep(Shares):
    """A step; `compute_s` and `exposed_s` by dimension (ep: rows and their gradients, dp: gradients of networks) add up
    to it. Powers are of the whole fabric, None where a part has none."""

    topology: str
    recommender: Recommender
    accelerators: int
    exchanges: tuple[Wired, ...]
    work: Work
    memory_bytes: float
    memory_limit_bytes: float | None
    step_s: float
    compute_s: float
    exposed_s: Mapping[str, float]
    network_power_w: float | None
    facility_power_w: float | None
    said: tuple[str, ...]

    @property
    def fits(self) -> bool | None:
        """Does a rank's memory hold its share? None where the accelerator's is not known."""
        return None if self.memory_limit_bytes is None else self.memory_bytes <= self.memory_limit_bytes

    @property
    def samples_per_s(self) -> float:
        """Of all accelerators."""
        return self.recommender.batch / self.step_s

    @property
    def samples_per_joule(self) -> float | None:
        """Samples a joule that the site draws."""
        return None if not self.facility_power_w else self.samples_per_s / self.facility_power_w

    @property
    def samples_per_joule_network(self) -> float | None:
        """Samples a joule that the network draws."""
        return None if not self.network_power_w else self.samples_per_s / self.network_power_w

    def document(self) -> dict[str, Any]:
        """Every figure under stable keys, for JSON; seconds, bytes and watts as the keys say."""
        exchanges = [wired.document() for wired in self.exchanges]
        work = {name: getattr(self.work, name) for name in ("lookup_s", "update_s", "bottom_s", "top_s")}
        return {
            "mode": "train", "topology": self.topology, "model": self.recommender.name,
            "accelerators": self.accelerators, "batch": self.recommender.batch, "step_s": self.step_s,
            "compute_s": self.compute_s, "exposed_s": dict(self.exposed_s), "exposed_share": self.exposed_share,
            "work": work, "exchanges": exchanges, "memory_bytes": self.memory_bytes,
            "memory_limit_bytes": self.memory_limit_bytes, "fits": self.fits, "samples_per_s": self.samples_per_s,
            "samples_per_s_per_accelerator": self.samples_per_s / self.accelerators,
            "network_power_w": self.network_power_w, "facility_power_w": self.facility_power_w,
            "network_share": self.network_share, "samples_per_joule": self.samples_per_joule,
            "samples_per_joule_network": self.samples_per_joule_network, "estimates": list(self.said),
        }  # fmt: skip


def train_recommender(
    topology: "Topology | str | Path",
    model: "Recommender | str",
    *,
    batch: int | None = None,
    precision: str = "bf16",
    transport: str = TRANSPORT,
    routing: str = "auto",
    parts: Catalogue | None = None,
    constants: Achieved | None = None,
) -> RecommenderStep:
    """One step on all accelerators of a fabric: tables spread over all ranks, networks copied to each.

    Rows are read and sent to the samples' ranks beside the bottom network; the top network follows; then gradients of
    rows go back and update them beside the bottom network's backward pass and the all-reduce of networks (Mudigere et
    al., arXiv:2104.05158, section 4). ConfigError for a batch that does not split, or an accelerator without rates.

    >>> step = train_recommender("hgx-h100", "dlrm")
    >>> 1e-3 < step.step_s < 1e-2, step.fits
    (True, True)
    """
    fabric = topology_of(topology, parts=parts)
    shape = (model if isinstance(model, Recommender) else recommender(model)).of(batch)
    row, ranks = accelerator_with_rate(fabric), len(fabric.accelerators)
    wiring = Wiring(fabric, transport, routing)
    wires = tuple(wiring.wired(e) for e in shape.mix(ranks, bytes_of("embedding")) if e.ranks > 1)
    work = worked(shape, ranks, precision, row, achieved() if constants is None else constants)
    once = {name: fsum(w.one_s for w in wires if w.exchange.dimension == name) for name in ("ep", "dp")}
    compute, exposed = shown(work, once["ep"], once["dp"])
    limit = None if row.memory_gb is None else row.memory_gb * 1e9
    network, facility, unpowered = _powers(fabric)
    return RecommenderStep(
        topology=fabric.name, recommender=shape, accelerators=ranks, exchanges=wires, work=work,
        memory_bytes=_held(shape, ranks), memory_limit_bytes=limit, step_s=compute + fsum(exposed.values()),
        compute_s=compute, exposed_s=exposed, network_power_w=network, facility_power_w=facility,
        said=(*SAID, *unpowered, *time_estimates(fabric)),
    )  # fmt: skip


def on_each(
    specs: Sequence[str], name: str, **how: Any
) -> tuple[list[RecommenderStep], list[tuple[str, str]]]:
    """The step on each fabric (`train_recommender`), the fastest first, and which have none and why. The error of a
    single fabric is raised."""
    steps: list[RecommenderStep] = []
    lost: list[tuple[str, str]] = []
    for spec in specs:
        try:
            steps.append(train_recommender(spec, name, **how))
        except FabricError as error:
            if len(specs) == 1:
                raise
            lost.append((spec, str(error)))
    return sorted(steps, key=lambda step: step.step_s), lost


def worked(m: Recommender, ranks: int, precision: str, row: Accelerator, a: Achieved) -> Work:
    """Seconds of a rank: rows that a batch touches cross memory once forward, twice when they are updated; networks are
    the larger of their products and of what their values take through memory, written and read."""
    if row.memory_bandwidth_tb_per_s is None:
        raise ConfigError(f"accelerator '{row.name}' has no memory_bandwidth_tb_per_s; use --parts FILE")
    memory, own = row.memory_bandwidth_tb_per_s * 1e12, precision_of(precision)
    rate = own.peak_tflops(row) * 1e12 * a.sustained(row) * a.gemm(own.weight_bytes)
    samples = m.batch / ranks

    def forward_s(layers: list[tuple[int, int]]) -> float:
        products = fsum(2.0 * before * after for before, after in layers)
        values = fsum(2.0 * bytes_of("activation") * after for _, after in layers)
        return samples * max(products / rate, values / memory)

    bottom = [*pairwise((m.dense_features, *m.bottom))]
    cross = [(m.joined, m.cross_rank), (m.cross_rank, m.joined)] * m.cross_layers
    once_s = touched_rows(m) / ranks * m.width * bytes_of("embedding") / (memory * lookup_share())
    top_s = forward_s([*cross, *pairwise((m.joined, *m.top))])
    return Work(lookup_s=once_s, update_s=2 * once_s, bottom_s=forward_s(bottom), top_s=top_s)


def touched_rows(m: Recommender) -> float:
    """Rows of all tables that a batch asks for, each counted once: R (1 - exp(-lookups/R)) of R rows as likely.

    >>> dlrm = recommender("dlrm")
    >>> lookups = dlrm.batch * sum(dlrm.hotness)
    >>> 0.5 < touched_rows(dlrm) / lookups < 1
    True
    """
    asked = zip(m.tables, m.hotness, strict=True)
    return fsum(rows * (1 - exp(-m.batch * hot / rows)) for rows, hot in asked)


def shown(work: Work, rows_s: float, gradients_s: float) -> tuple[float, dict[str, float]]:
    """Seconds of a step that a rank computes, and that rows (ep, one way) and gradients (dp) show beside it."""
    front = max(work.lookup_s, work.bottom_s)
    back = max(work.update_s, 2 * work.bottom_s)
    there = max(work.lookup_s + rows_s, work.bottom_s) - front
    rows_back, reduced = rows_s + work.update_s, 2 * work.bottom_s + gradients_s
    rest = max(rows_back, reduced) - back
    exposed = {"ep": there + (rest if rows_back >= reduced else 0.0), "dp": 0.0 if rows_back >= reduced else rest}
    return front + 3 * work.top_s + back, exposed


def _held(m: Recommender, ranks: int) -> float:
    """Bytes of a rank: its share of tables with a value of state a row, networks with their gradients and state."""
    tables = (m.table_params + sum(m.tables)) * bytes_of("embedding") / ranks
    return tables + m.dense_params * (bytes_of("weight") + bytes_of("optimizer") + bytes_of("embedding"))


def _powers(topology: Topology) -> tuple[float | None, float | None, list[str]]:
    """Watts of network and facility, and why there are none."""
    network = network_power(topology).total_w
    try:
        site = site_power(topology)
    except ConfigError as reason:
        return network, None, [f"no power of the site: {reason}"]
    return network, site.facility_w.typical, list(site.estimates)
