"""Engineering: a plan from what is live and a demand, or from what is live and what has broken."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from fabric.collectives import COLLECTIVES
from fabric.planning.curve import curve, document
from fabric.planning.demand import Matrix, demand_of, filling, read_demand
from fabric.planning.plan import Plan
from fabric.planning.planner import Options, plan_change
from fabric.planning.pods import is_pod, read_pod
from fabric.planning.ports import Ports
from fabric.planning.repair import Faults, Option, read_faults, repair, repair_pod
from fabric.planning.state import is_state
from fabric.planning.states import is_arrays, layer_of, read_base
from fabric.planning.target import circuits_of, engineer, gbps_of
from topologies.errors import ConfigError
from topologies.parts import Catalogue, catalogue
from topologies.registry import build

DIGITS = 6


def wanted_demand(source: str, given: str, ports: Ports, parts: Catalogue) -> Matrix:
    """The demand between the blocks of a live fabric, Gb/s: a file's, or a collective's scaled to where the busiest
    block fills its links."""
    if given.partition(":")[0] not in COLLECTIVES:
        if given.lower().endswith((".csv", ".npy")):
            return read_demand(Path(given), ports.wiring.blocks)
        return demand_of(given, build(source, parts), ports.wiring.blocks)[0]  # which says what would do
    if is_arrays(source) or is_state(source) or is_pod(source, parts):
        raise ConfigError(f"{source} does not say which accelerators its blocks hold; give a .csv or .npy")
    return filling(demand_of(given, build(source, parts), ports.wiring.blocks)[0], gbps_of(ports))


def plan_demand(
    source: str,
    demand: str,
    *,
    slack: float = 1.0,
    direct: bool = False,
    with_curve: bool = True,
    options: Options = Options(),  # noqa: B008
    parts: Catalogue | None = None,
) -> Plan:
    """The plan from a live fabric (spec, state file, .npz) to the target that is engineered for a demand (a .csv or
    .npy file, a collective); its `engineered` says how good that target is, and the curve of the alternatives.

    ConfigError for a demand that cannot be read, or slices of a pod.

    >>> made = plan_demand("jupiter:blocks=4,uplinks=6,hosts=2", "permutation", slack=0)
    >>> made.engineered["throughput_bound_of_ports"], [row["moved"] for row in made.engineered["curve"]]
    (1.0, [0, 2, 4, 4, 6])
    """
    rows = parts or catalogue()
    if not is_arrays(source) and not is_state(source) and is_pod(source, rows):
        raise ConfigError(f"{source}: the links of a pod follow from its slices; give TO, e.g. tpu-pod:slice=8x8x8")
    ports = read_base(source, rows)
    wanted = wanted_demand(source, demand, ports, rows)
    target = engineer(ports, wanted, slack=slack, direct=direct, seed=options.seed)
    points = curve(ports, wanted, target, slack=slack, seed=options.seed) if with_curve else []
    layer = None if is_arrays(source) else layer_of(source, rows)[0]
    asked = replace(options, demand=wanted)
    made = plan_change(ports, circuits_of(ports, target.links), None, asked, rows, layer=layer)
    told = {"demand": demand, "slack": None if direct else slack, "direct": direct, **target.document(),
            "curve": document(points)}  # fmt: skip
    path = Path(demand)
    inputs = {"from": source, "demand": path.name if path.is_file() else demand}
    if path.is_file():
        inputs["demand_sha256"] = sha256(path.read_bytes()).hexdigest()
    return replace(made, inputs=inputs, engineered=_rounded(told), warnings=[*made.warnings, *target.notes])


def _rounded(value: Any) -> Any:
    """Numbers of the same digits on every machine."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, DIGITS) if isinstance(value, float) else value


def plan_repair(
    source: str, faults: Faults | str, *, options: Options = Options(), parts: Catalogue | None = None  # noqa: B008
) -> list[Option]:
    """Ranked options for what has broken in a live fabric (spec, slices of a pod, state file), the first to leave it.

    >>> [option.title for option in plan_repair("tpu-pod:slice=4x4x8,cubes=3", "cube=0")]
    ['leave it', 'put cube 2 in the place of cube 0']
    """
    rows = parts or catalogue()
    faults = read_faults(faults) if isinstance(faults, str) else faults
    if is_arrays(source):
        raise ConfigError(f"{source} knows blocks, not ports; give a spec or a state file to repair")
    if not is_state(source) and is_pod(source, rows):
        return repair_pod(read_pod(source, rows), faults, options=options, parts=rows)
    layer, domains, _ = layer_of(source, rows)
    return repair(layer, faults, options=options, domains=domains, parts=rows)
