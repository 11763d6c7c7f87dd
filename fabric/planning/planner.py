"""Planner: the stages that lead a live fabric from its present circuits to wanted ones, with a floor kept in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from math import floor as round_down
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.planning.assign import assign
from fabric.planning.bounds import LP_BLOCKS, StageProgram, cut_bound
from fabric.planning.capacity import Changes, Matrix, Meter, default_demand
from fabric.planning.fingerprints import fingerprint
from fabric.planning.losses import losses_of, read_losses
from fabric.planning.operations import Operations, operations, stage_seconds
from fabric.planning.placement import on_good_ports
from fabric.planning.plan import Change, Links, Pair, Plan, Stage, Switch
from fabric.planning.ports import Ports
from fabric.planning.stages import Chosen, Rules, Stager, fewest
from fabric.planning.states import fingerprints, read_change
from fabric.planning.throughput import ANY, COARSE, DENSE, FINE, TRANSIT, Carrier
from fabric.planning.units import Units, units_between, units_for
from fabric.planning.wiring import Counts
from topologies.circuits import CircuitLayer
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology
from topologies.parts import Catalogue, catalogue

FLOOR = 0.9
MARGIN = 1e-3  # above the floor where stages are decided by solvers with a gap
BISECTIONS = 8  # of the best floor that can be kept
DEMAND_RULE = "the smaller of present and target links between two blocks"
Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to plan. `floor` is a share of the throughput before (None: 0.9, or the best that can be kept); `demand`
    float64[N, N] in Gb/s stands in for the default; `pinned` names blocks whose circuits stay; `windows` are the times
    that stages may fall into; `losses` is a file of what the switches lose from port to port, and `loss_limit_db` the
    most that they may, besides what the modules at the ends allow."""

    floor: float | None = None
    effort: str = "normal"
    seed: int = 0
    rules: Rules = field(default_factory=Rules)
    demand: Matrix | None = None
    pinned: Sequence[str] = ()
    windows: Sequence[Window] = ()
    losses: Path | None = None
    loss_limit_db: float | None = None


def plan(
    source: "str | Path | Topology | CircuitLayer",
    target: "str | Path | Topology | CircuitLayer | None" = None,
    *,
    options: Options = Options(),
    parts: Catalogue | None = None,
    **given: Any,
) -> Plan:
    """A reconfiguration plan from one state to another: specs, state files, topologies, or one .npz file of both.

    Keywords are those of `Options`. ConfigError for what is no state, InfeasibleError where the target has no
    placement, or where a floor that was given cannot be kept.

    >>> from topologies.registry import build
    >>> made = plan("tpu-pod:slice=4x4x8", "tpu-pod:slice=4x4x8,twist=true")
    >>> made.summary["down"] == made.summary["up"] > 0
    True
    """
    options = replace(options, **given)
    rows = parts or catalogue()
    change = read_change(source, target, rows)
    made = plan_change(change.ports, change.wanted, change.circuits, options, rows, layer=change.layer)
    if change.chips is not None:
        names = ("chips_before", "chips_during", "chips_after")
        made = replace(made, summary={**made.summary, **dict(zip(names, change.chips, strict=True))})
    inputs = {**_named("from", source), **_named("to", target), **_named("losses", options.losses)}
    return replace(made, warnings=[*made.warnings, *change.notes], inputs=inputs)


def _named(what: str, source: object) -> dict[str, str]:
    """What a plan was made from: a spec, or a file's name and SHA-256."""
    if not isinstance(source, str | Path):
        return {} if source is None else {what: str(getattr(source, "name", "a layer"))}
    path = Path(source)
    if not path.is_file():
        return {what: str(source)}
    return {what: path.name, f"{what}_sha256": sha256(path.read_bytes()).hexdigest()}


def plan_change(
    ports: Ports,
    wanted: NDArray[np.int64] | None,
    circuits: NDArray[np.int32] | None,
    options: Options,
    parts: Catalogue,
    *,
    layer: CircuitLayer | None = None,
) -> Plan:
    """The plan to wanted links between blocks (int64[N, N]), or to circuits known port by port (int32[M, 2])."""
    if options.floor is not None and not 0 <= options.floor <= 1:
        raise ConfigError(f"floor = {options.floor:g} is not a share from 0 to 1")
    if not 0 <= options.rules.failing < 1:
        raise ConfigError(f"{options.rules.failing:g} of the links failing is not a share below 1")
    counts = ports.counts()
    if circuits is None:
        assert wanted is not None
        found = assign(ports.wiring, counts, wanted, effort=options.effort, seed=options.seed,
                       pinned=_pinned(ports, counts, options.pinned))  # fmt: skip
        units, bound = units_for(ports, found.counts), found.bound
        gap = found.gap
    else:
        units, gap = units_between(ports, circuits), 0.0
        bound = len(units.down)
        _refuse_pinned(ports, units, options.pinned)
    notes: list[str] = []
    if options.losses is not None:
        measured = read_losses(options.losses, ports.wiring.switches)
        losses = losses_of(measured, ports, parts, layer=layer, limit_db=options.loss_limit_db)
        units, notes = on_good_ports(ports, units, losses, exact=circuits is not None, pinned=options.pinned)
    made = _Planning(ports, counts, units, options, parts).plan(bound, gap)
    return replace(made, warnings=[*made.warnings, *notes])


def _pinned(ports: Ports, counts: Counts, names: Sequence[str]) -> Counts | None:
    """Today's circuits of the named blocks."""
    if not names:
        return None
    kept = np.zeros_like(counts)
    for name in names:
        if name not in ports.wiring.blocks:
            raise ConfigError(f"no block is named '{name}'; blocks are {ports.wiring.blocks[0]}, ...")
        b = list(ports.wiring.blocks).index(name)
        kept[:, b, :], kept[:, :, b] = counts[:, b, :], counts[:, :, b]
    return kept


def _refuse_pinned(ports: Ports, units: Units, names: Sequence[str]) -> None:
    _pinned(ports, ports.counts(), names)
    moved = {ports.wiring.blocks[b] for b in np.unique(ports.block_of[units.down]).tolist()}
    hit = next((name for name in names if name in moved), None)
    if hit is not None:
        raise InfeasibleError(f"the target takes circuits of pinned {hit} down; pin others, or give another target")


class _Planning:
    """What the parts of a plan have in common while it is made."""

    def __init__(
        self, ports: Ports, counts: Counts, units: Units, options: Options, parts: Catalogue
    ) -> None:
        self.ports, self.counts, self.units, self.options, self.parts = ports, counts, units, options, parts
        self.changes, self.meter = Changes.of(ports, units), Meter.of(ports)
        everything = np.ones(units.number, bool)
        self.before = counts.sum(axis=0).astype(np.float64)
        self.after = self.before - self.changes.removed(everything) + self.changes.added(everything)
        given = options.demand
        self.demand = default_demand(ports, self.before, self.after) if given is None else given
        if self.demand.shape != self.before.shape or not np.isfinite(self.demand).all() or (self.demand < 0).any():
            raise ConfigError(f"demand is {self.demand.shape}, not Gb/s between {len(self.before)} blocks")
        self.carrier = carrier_of(self.meter.gbps(self.before), self.demand)
        self.warnings: list[str] = []
        self.times: dict[str, Operations] = {}

    def plan(self, bound: int, gap: float) -> Plan:
        low, high = self.carrier.bounds(self.meter.gbps(self.before), FINE)
        share, stages, least = self._stages(high)
        need = share * _number(high, up=True) if np.isfinite(high) else np.inf
        made = self._written(stages, need)
        after_low, after_high = self.carrier.bounds(self.meter.gbps(self.after), self._gap)
        final = self._final()
        rules = self.options.rules
        floor = {
            "share": share, "of": "capacity of each block" if rules.by_capacity else "throughput before",
            "throughput": _number(need), "before": [_number(low), _number(high, up=True)],
            "after": [_number(after_low), _number(after_high, up=True)],
            "demand": DEMAND_RULE if self.options.demand is None else self._listed(self.demand),
            "routing": TRANSIT if self.carrier.transit else ANY,
            "one_more_lost": rules.one_more_lost, "failing": rules.failing, "most_switches": rules.most_switches,
            "one_domain": rules.one_domain,
        }  # fmt: skip
        during = [stage.throughput for stage in made if stage.throughput is not None]
        summary = {
            "down": sum(len(c.delete) for s in made for c in s.changes),
            "up": sum(len(c.add) for s in made for c in s.changes),
            "kept": 0, "lower_bound_down": bound * self._each, "gap": round(gap, 6), "stages": len(made),
            "stage_lower_bound": min(least, len(made)), "throughput_before": _number(low),
            "throughput_during_min": min(during, default=_number(low)), "throughput_after": _number(after_low),
            "minutes": round(sum(sum(s.seconds.values()) for s in made) / 60, 2),
        }  # fmt: skip
        start = self.ports.crosses(self.ports.circuits)
        summary["kept"] = len(start) - summary["down"]
        return Plan(
            wiring=self.ports.wiring.kind, blocks=list(self.ports.wiring.blocks),
            switches=[Switch(n, p, int(d)) for n, p, d in zip(self.ports.wiring.switches, self.ports.parts,
                                                               self.ports.wiring.domains, strict=True)],
            base=fingerprints(self.ports, start), after=fingerprints(self.ports, self.ports.crosses(final)),
            target=self._links(self.meter.links(self.after)), floor=floor, summary=summary,
            stages=made, seed=self.options.seed, warnings=self.warnings, times=self._sources(made),
        )  # fmt: skip

    @property
    def _gap(self) -> float:
        return FINE if self.carrier.small else COARSE

    @property
    def _each(self) -> int:
        """Cross-connects of a circuit."""
        return 2 if self.ports.wiring.kind == "duplex" and not self.ports.one_sided_ports else 1

    def _final(self) -> NDArray[np.int32]:
        S = len(self.ports.slots.pool)
        old, gone = (c[:, 0].astype(np.int64) * S + c[:, 1] for c in (self.ports.circuits, self.units.down))
        return np.concatenate([self.ports.circuits[~np.isin(old, gone)], self.units.up])

    def _stages(self, before: float) -> tuple[float, Sequence[Chosen], int]:
        """The floor as a share, the stages that keep it, and a bound on their number."""
        asked = FLOOR if self.options.floor is None else self.options.floor
        if not self.units.number:
            return asked, [], 0
        found, least = self._try(asked, before)
        if found is not None:
            return asked, found, least
        if self.options.floor is not None:
            raise InfeasibleError(
                f"no stages keep {asked:.0%} of the throughput: the smallest change that is left takes more; give a "
                "lower --floor, or leave it out for the best that can be kept"
            )
        low, high = 0.0, asked
        found, least = self._try(low, before, prove=False)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            now, bound = self._try(middle, before, prove=False)
            if now is None:
                high = middle
            else:
                low, found, least = middle, now, bound
        if found is None:
            raise RuntimeError("no stages without any floor: a bug of the planner")
        self.warnings.append(f"no stages keep {asked:.0%} of the throughput; the best floor found is {low:.2%}")
        return low, found, least

    def _try(self, share: float, before: float, *, prove: bool = True) -> tuple[Sequence[Chosen] | None, int]:
        rules, seed = self.options.rules, self.options.seed
        stager = Stager(self.ports, self.changes, self.carrier, rules, self.counts)
        if rules.by_capacity:
            return fewest(stager, share, seed, 1, None)
        need = share * before if np.isfinite(before) else 0.0
        wanted = need * self.demand
        least = cut_bound(self.changes, self.meter, self.before, wanted)
        plain = rules == Rules() and not self.ports.paired and self.ports.lanes == 1
        exact = prove and plain and len(self.ports.wiring.blocks) <= LP_BLOCKS and self.carrier.transit and need > 0
        program = StageProgram(self.ports, self.changes, self.meter, self.before, wanted) if exact else None
        return fewest(stager, need if self.carrier.small else need * (1 + MARGIN), seed, least, program)

    def _written(self, stages: Sequence[Chosen], need: float) -> list[Stage]:
        made = []
        up = self.before
        whole = self.before
        crosses = {k: set(rows) for k, rows in _by_switch(self.ports.crosses(self.ports.circuits)).items()}
        ends: list[datetime] = []
        for number, chosen in enumerate(stages, start=1):
            mask = np.zeros(self.units.number, bool)
            mask[chosen] = True
            during, back = up - self.changes.removed(mask), self.changes.added(mask)
            changes = self._changed(mask, crosses)
            low, high = self.carrier.bounds(self.meter.gbps(during), self._gap)
            low = low if self.options.rules.by_capacity else max(low, min(need, high))
            without = whole - self.changes.removed(mask)
            moves = [(self._operations(c.switch), max(len(c.delete), len(c.add))) for c in changes]
            adds = sum(len(c.add) for c in changes)
            seconds = stage_seconds(moves, adds, self.options.rules.failing)
            starts = self._window(sum(seconds.values()), ends)
            made.append(Stage(
                id=number, reason=self._reason(chosen), changes=changes,
                drain=self._links(self.meter.links(whole) - self.meter.links(without)),
                undrain=self._links(self.meter.links(without + back) - self.meter.links(without)),
                throughput=_number(low),
                certificate={"low": _number(low), "high": _number(high, up=True),
                             "routing": TRANSIT if self.carrier.transit else ANY,
                             "expected_to_fail": round(self.options.rules.failing * adds, 3)},
                seconds=seconds, starts=starts, prechecks=PRECHECKS, postchecks=self._postchecks(adds),
            ))  # fmt: skip
            whole = without + back
            up = during + (1 - self.options.rules.failing) * back
        return made

    @property
    def _switch(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.ports.wiring.switches)}

    def _operations(self, switch: str) -> Operations:
        part = self.ports.parts[self._switch[switch]]
        if part not in self.times:
            self.times[part] = operations(part, self.parts)
        return self.times[part]

    def _sources(self, stages: Sequence[Stage]) -> dict[str, str]:
        """By step, the catalogue's rows that its time is from, with what they stand on."""
        found: dict[str, list[str]] = {step: [] for stage in stages for step in stage.seconds}
        for own in self.times.values():
            rows = [*own.steps.items(), *([] if own.bulk is None else [("settle", own.bulk)])]
            for step, time in rows:
                guess = f"estimate: {time.estimate}; " if time.estimate else ""
                line = f"{time.row}: {guess}{time.source}"
                if step in found and line not in found[step]:
                    found[step].append(line)
        return {step: " | ".join(lines) for step, lines in found.items()}

    def _reason(self, chosen: Chosen) -> str:
        down = np.isin(self.units.unit_of_down, chosen).any()
        return "as much as the floor allows" if down else "what idle ports take, with nothing taken down"

    def _postchecks(self, adds: int) -> list[str]:
        failing = self.options.rules.failing
        if not failing or not adds:
            return list(POSTCHECKS)
        expected = f"about {failing * adds:.1f} of {adds} links are expected to fail: clean, reseat or move to a spare"
        return [*POSTCHECKS, f"{expected} port, and qualify again"]

    def _changed(self, mask: NDArray[np.bool_], crosses: dict[int, set[Pair]]) -> list[Change]:
        """Changes by switch; `crosses` are kept up to date."""
        gone = _by_switch(self.ports.crosses(self.units.down[mask[self.units.unit_of_down]]))
        come = _by_switch(self.ports.crosses(self.units.up[mask[self.units.unit_of_up]]))
        loose = self.ports.one_sided and self.ports.one_sided_ports
        changes = []
        for k in sorted(gone.keys() | come.keys()):
            delete, add = (sorted(rows.get(k, [])) for rows in (gone, come))
            own = crosses.setdefault(k, set())
            before = fingerprint(own, loose)
            own -= set(delete)
            own |= set(add)
            changes.append(Change(self.ports.wiring.switches[k], delete, add, before, fingerprint(own, loose)))
        return changes

    def _links(self, links: Matrix) -> list[Links]:
        directed = self.meter.directed and not self.meter.paired
        shown = links if directed else np.triu(links)
        names = self.ports.wiring.blocks
        return [Links(names[i], names[j], round(float(shown[i, j]))) for i, j in np.argwhere(shown > 0.5).tolist()]

    def _listed(self, demand: Matrix) -> list[list[Any]]:
        names = self.ports.wiring.blocks
        return [[names[i], names[j], float(demand[i, j])] for i, j in np.argwhere(demand > 0).tolist()]

    def _window(self, seconds: float, ends: list[datetime]) -> str | None:
        """When a stage starts: in the first window that has room for it behind the stage before."""
        if not self.options.windows:
            return None
        for start, end in sorted(self.options.windows):
            begin = max([start, *ends[-1:]])
            if begin + timedelta(seconds=seconds) <= end:
                ends.append(begin + timedelta(seconds=seconds))
                return begin.isoformat()
        raise InfeasibleError(
            f"stage {len(ends) + 1} takes {seconds / 60:.1f} minutes and fits into none of the windows that are left; "
            "give more or longer ones"
        )


PRECHECKS = (
    "fingerprint of every switch is as stated",
    "no alarm on a port that is used",
    "the floor holds with today's failures",
)
POSTCHECKS = (
    "cross-connects read back equal what was written",
    "light within the budget on both sides",
    "the neighbour that LLDP names is the one planned",
    "bit errors before FEC under the limit on 90 % of the links, else hold",
)


def carrier_of(gbps: Matrix, demand: Matrix) -> Carrier:
    """The carrier of a demand: one transit block where most blocks are joined, any path on sparser fabrics."""
    off = ~np.eye(len(gbps), dtype=bool)
    dense = float((gbps > 0)[off].mean()) if len(gbps) > 1 else 1.0
    return Carrier(demand, dense >= DENSE)


def _by_switch(crosses: NDArray[np.int32]) -> Mapping[int, list[Pair]]:
    found: dict[int, list[Pair]] = {}
    for k, a, b in crosses.tolist():
        found.setdefault(k, []).append((a, b))
    return found


def _number(value: float, *, up: bool = False) -> Any:
    """Six digits after the point, rounded to the safe side; null for no demand."""
    if not np.isfinite(value):
        return None
    return (-round_down(-value * 1e6) if up else round_down(value * 1e6)) / 1e6
