"""The circuit layer as optics: loss budgets of classes of circuits, links that fail them, ports free and failed."""

from math import expm1, isnan, log1p
from typing import Any

import numpy as np

from fabric.results import Wall
from topologies.graph import Topology, once
from topologies.optical_budget import BEST, DEFAULT_PATH, WORST, CircuitBudgets, CircuitClass, budgets, tightest
from topologies.parts import Optic, OpticalPath

Row = dict[str, Any]
APPROXIMATED = (
    "optical margins: independent normal losses; reflections by a rule of thumb for the mean over phase and level"
)


@once
def optics(topology: Topology) -> Row | None:
    """What `show` prints of the circuit layer, by the keys of its JSON; None where there is none.

    The keys beside `classes` are those of the tightest class, null where no circuit is live; `expected_failures` is the
    mean number of links, of all `links`, whose loss leaves no margin. `free_ports` (side A, side B) is null where other
    fabrics share the switches.

    >>> from topologies.registry import build
    >>> found = optics(build("tpu-v4-512"))
    >>> found["state"], found["links"], round(found["margin_p99_db"], 1)
    ('ok', 384, 1.5)
    """
    layer, found = topology.circuits, budgets(topology)
    if layer is None or found is None:
        return None
    classes = [_row(topology, found, number) for number in range(len(found.classes))]
    first = tightest(found)
    failing = [row["expected_failures"] for row in classes]
    path = topology.catalogue.part(DEFAULT_PATH, OpticalPath)
    lost, lost_gbps = layer.lost
    return {
        **dict.fromkeys(KEYS, None),
        **({} if first is None else classes[first]),
        "links": sum(row["links"] for row in classes),
        "circuits": layer.circuits,
        "expected_failures": None if None in failing else sum(failing),
        "strands_per_link": layer.strands_per_link,
        "fibres": layer.fibres,
        "lanes": layer.lanes,
        "connectors": path.connectors,
        "splices": path.splices,
        "free_ports": layer.free_ports.sum(axis=0).tolist() if layer.share == 1 else None,
        "failed_ports": len(layer.failed),
        "lost_strands": lost,
        "lost_gbps": lost_gbps,
        "classes": classes,
        "estimates": _estimates(topology, found),
    }


KEYS = (
    "state", "circuit_switch", "modules", "wavelengths", "rate_gbps", "length_m", "loss_mean_db", "loss_sigma_db",
    "loss_p99_db", "budget_db", "mpi_penalty_db", "mpi_bound_db", "margin_mean_db", "margin_p99_db", "margin_low_db",
    "margin_high_db", "failure_probability", "links", "expected_failures",
)  # fmt: skip


def optical_wall(topology: Topology) -> Wall | None:
    """The tightest circuits against the channel loss of their modules; None without live circuits."""
    found = optics(topology)
    if found is None or found["state"] is None:
        return None
    through = f"circuits of {' and '.join(found['modules'])} through {found['circuit_switch']}"
    if found["state"] == "unknown":
        why = f"{through}: no row says what the modules allow, or what the switch loses"
        return {"state": "unknown", "margin": None, "limit": None, "value": None, "unit": "dB", "why": why}
    low, high = found["margin_low_db"], found["margin_high_db"]
    return {
        "state": found["state"],
        "margin": found["margin_p99_db"],
        "limit": found["budget_db"],
        "value": found["budget_db"] - found["margin_p99_db"],
        "unit": "dB",
        "why": f"{through} lose {found['loss_p99_db']:.1f} dB at the 99th percentile and "
        f"{found['mpi_penalty_db']:.1f} dB by reflections of {found['budget_db']:.1f} dB, "
        f"{low:+.1f} to {high:+.1f} dB by the sources' ranges",
    }


def _row(topology: Topology, found: CircuitBudgets, number: int) -> Row:
    """One class of circuits: what its circuits lose on average, and how many of its links fail."""
    assert topology.circuits is not None
    alike, here = found.classes[number], found.kind == number
    strands = topology.circuits.strands_per_link
    failing = found.failure_probability[here]
    links = int(here.sum()) // strands
    modules = dict.fromkeys(alike.modules)
    grids = {row.wavelengths for row in map(topology.catalogue.get, modules) if isinstance(row, Optic)}
    one = float(failing.mean())
    whole = 1.0 if one == 1 else -expm1(strands * log1p(-one))
    margins = {end: alike.margin_p99_db(end) for end in (WORST, BEST)}
    bound = float(alike.mpi_db(alike.loss.mean_db, bound=True)[0])
    return {
        "state": alike.state,
        "circuit_switch": alike.switch.name,
        "modules": list(modules),
        "wavelengths": grids.pop() if len(grids) == 1 else None,
        "rate_gbps": alike.rate_gbps,
        "length_m": alike.length_m,
        "loss_mean_db": _known(found.loss_mean_db[here].mean()),
        "loss_sigma_db": _known(found.loss_sigma_db[here].mean()),
        "loss_p99_db": _known(found.loss_p99_db[here].mean()),
        "budget_db": _known(alike.budget_db[0]),
        "mpi_penalty_db": _known(found.mpi_penalty_db[here].mean()),
        "mpi_bound_db": _known(bound),
        "margin_mean_db": _known(found.margin_mean_db[here].mean()),
        "margin_p99_db": _known(found.margin_p99_db[here].mean()),
        "margin_low_db": _known(margins[WORST]),
        "margin_high_db": _known(margins[BEST]),
        "failure_probability": _known(whole),
        "links": links,
        "expected_failures": _known(links * whole),
    }


def _known(value: float | np.floating[Any]) -> float | None:
    return None if isnan(value) else float(value)


def _estimates(topology: Topology, found: CircuitBudgets) -> list[str]:
    """What the budgets stand on beside published figures, and the approximations that they make."""
    said = [line for alike in found.classes for line in _of_class(topology, alike)]
    return list(dict.fromkeys([*said, *([APPROXIMATED] if found.classes else [])]))


def _of_class(topology: Topology, alike: CircuitClass) -> list[str]:
    said = []
    for name in dict.fromkeys(alike.modules):
        row = topology.catalogue.get(name)
        if isinstance(row, Optic) and "channel_loss_db" in row.estimates:
            said.append(f"channel loss of {name}")
    keys = ("insertion_loss_db", "insertion_loss_mean_db", "return_loss_db")
    guessed = [key.removesuffix("_db").replace("_", " ") for key in keys if key in alike.switch.estimates]
    said += [f"{what} of {alike.switch.name}" for what in guessed]
    if alike.switch.return_loss_db is None:
        said.append(f"no return loss: {alike.switch.name}, whose reflections are left out")
    return said
