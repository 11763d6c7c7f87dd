"""Duty: what a workload on a fabric holds in memory and lets accelerators draw, for the walls and the site."""

from dataclasses import dataclass
from math import inf

from fabric.limits.conditions import Duty
from fabric.powering import drawn_facility_w, site_power
from fabric.powering.site import BUSY
from fabric.results import accelerator_of
from fabric.workloads.comparing import Answer
from fabric.workloads.inference import Inference
from fabric.workloads.models.model import Model
from fabric.workloads.serving.calibration import usable_share
from fabric.workloads.serving.server_watts import board_watts
from fabric.workloads.sram.machines import is_sram, sram_machine
from fabric.workloads.training import TrainingStep
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.kinds import Accelerator
from topologies.parts import Catalogue
from topologies.power_kinds import PowerShare


@dataclass(frozen=True, slots=True)
class Drawn:
    """The share of its TDP that an accelerator draws, the mean over a step, and why; with the facility's watts then,
    and tokens a joule. None where no source gives a TDP."""

    share: float
    why: str
    facility_w: float | None
    tokens_per_joule: float | None


def duty_of(topology: Topology, model: Model, answer: Answer, floor: float | None = None) -> tuple[Duty, Drawn]:
    """What an answer of `workload` asks of the walls of its fabric, and what it draws; `floor` tokens a second of a
    user are a time of a token that the fabric must keep.

    >>> from fabric.workloads.comparing import workload
    >>> from fabric.workloads.steps.splits import read_question
    >>> from fabric.workloads.models.zoo import model
    >>> from topologies.registry import build
    >>> fabric, llama = build("rail:servers=8"), model("llama-3.1-8b")
    >>> answer = workload([fabric], llama, read_question("tp=8,batch=64,seq=8192"))[0]
    >>> duty, drawn = duty_of(fabric, llama, answer)
    >>> [name for name, _ in duty.held_gb], 0.35 < drawn.share < 0.9
    (['weights', 'gradients', 'optimizer', 'activations'], True)
    """
    if answer.step is not None:
        step = answer.step
        share, why = training_share(step, topology.catalogue)
        held = {name: getattr(step.memory, name) / 1e9 for name in ("weights", "gradients", "optimizer", "activations")}
        duty = Duty(f"{model.title} in training", tuple(held.items()), drawn=share)
        return duty, _drawn(topology, share, why, step.tokens_per_s)
    assert answer.serving is not None
    served, point = answer.serving.inference, answer.serving.point
    share, why = serving_share(_row(topology), served, point.running)
    caches = point.running / served.layout.dp * served.request_gb
    duty = Duty(
        f"{model.title} served", (("weights", served.weights_gb), ("caches", caches)), _usable(_row(topology)), share,
        point.token_s, None if floor is None else 1 / floor,
    )  # fmt: skip
    return duty, _drawn(topology, share, why, point.tokens_per_s)


def _usable(row: Accelerator) -> float:
    """Share of memory that weights and caches may fill: machines of SRAM have one of their own."""
    return sram_machine(row).usable if is_sram(row.name) else usable_share()


def training_share(step: TrainingStep, parts: Catalogue) -> tuple[float, str]:
    """Share of TDP, the mean over a step: one while it computes, another while it waits for others."""
    row = parts.part(BUSY, PowerShare)
    busy, waits = (float(row.known(key)) for key in ("compute_fraction", "communication_fraction"))
    part = step.compute_s / step.step_s
    why = f"{busy:.0%} of TDP in the {part:.0%} of a step that computes, {waits:.0%} while it waits ({BUSY})"
    return busy * part + waits * (1 - part), why


def serving_share(row: Accelerator, served: Inference, running: float) -> tuple[float, str]:
    """Share of TDP of a board by the requests that it works on at once."""
    if row.tdp_w is None:
        return 1.0, f"no source states the TDP of {row.name}"
    if is_sram(row.name):
        return 1.0, f"no watts of a board by its load are known of {row.name}: its TDP"
    streams = max(1.0, running / (served.layout.dp * served.layout.pp))
    share = board_watts(row, streams) / board_watts(row, inf)
    return share, f"boards that serve {streams:,.0f} streams at once draw {share:.0%} of TDP (server_watts.toml)"


def _drawn(topology: Topology, share: float, why: str, tokens_per_s: float) -> Drawn:
    try:
        site = site_power(topology)
    except ConfigError:
        return Drawn(share, why, None, None)
    watts = drawn_facility_w(site, share, topology.catalogue)
    return Drawn(share, why, watts, tokens_per_s / watts)


def _row(topology: Topology) -> Accelerator:
    row = topology.catalogue.get(accelerator_of(topology) or "")
    assert isinstance(row, Accelerator)
    return row
