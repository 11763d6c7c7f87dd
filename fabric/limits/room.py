"""Room: how many more users, how much longer a context, how much larger a model, until memory binds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import floor

import numpy as np

from fabric.limits.conditions import Duty
from fabric.workloads.comparing import Answer
from fabric.workloads.inference import Inference, accelerator_of_fabric
from fabric.workloads.models.model import Model
from fabric.workloads.serving.calibration import usable_share
from fabric.workloads.serving.demands import demands
from fabric.workloads.serving.memory_wall import request_bytes, weights_bytes
from fabric.workloads.sram.machines import is_sram
from fabric.workloads.steps.memory import memory
from fabric.workloads.training import TrainingStep
from topologies.graph import Topology
from topologies.kinds import Accelerator

MOST = 1 << 40  # beyond it nothing binds


@dataclass(frozen=True, slots=True)
class Room:
    """One measure of a workload: how much of it there is, and the most that memory holds; None: it never binds."""

    measure: str
    now: float
    most: float | None

    @property
    def times(self) -> float | None:
        """The most over what there is."""
        return None if self.most is None or self.now <= 0 else self.most / self.now


def rooms(topology: Topology, model: Model, answer: Answer, duty: Duty) -> list[Room]:
    """How far each measure of a workload can grow alone, the layout and all else as they are: requests at a time and
    tokens of a prompt, or sequences of a micro-batch and tokens of a sequence; and the model, if all that it holds
    grows with it (as with more layers of the same width). Empty where no memory is known.

    >>> from fabric.limits.duty import duty_of
    >>> from fabric.workloads.comparing import workload
    >>> from fabric.workloads.replicas import Load
    >>> from fabric.workloads.models.zoo import model
    >>> from topologies.registry import build
    >>> fabric, llama = build("hgx-h100"), model("llama-3.1-70b")
    >>> answer = workload([fabric], llama, Load(concurrency=64, stack="vllm"), layout="tp=8")[0]
    >>> found = rooms(fabric, llama, answer, duty_of(fabric, llama, answer)[0])
    >>> [(room.measure, round(room.now)) for room in found]
    [('requests at a time', 64), ('tokens of a prompt', 1024), ('parameters', 70553706496)]
    """
    row = accelerator_of_fabric(topology)
    if row.memory_gb is None:
        return []
    if answer.step is not None:
        found = _trained(model, answer.step)
    elif answer.serving is None:
        found = []
    elif is_sram(row.name):
        served, point = answer.serving.inference, answer.serving.point
        found = [Room("requests at a time", point.users, float(served.batch_limit) * served.replicas)]
    else:
        found = _served(answer.serving.inference, model, row, answer.serving.point.running)
    limit = row.memory_gb * duty.usable
    return [*found, Room("parameters", float(model.params), model.params * limit / duty.total_gb)]


def _served(served: Inference, model: Model, row: Accelerator, running: float) -> list[Room]:
    """Requests of the whole fabric, and tokens of each prompt."""
    d = demands(model, row, served.layout, served.weights, served.cache)
    decoding = served.replicas - served.prefill_replicas
    free = float(d.memory_bytes[0]) * usable_share() - float(weights_bytes(d)[0])
    each, answer = running / served.layout.dp, served.output_tokens / 2

    def fits(tokens: int) -> bool:
        return each * float(request_bytes(d, np.array([tokens + answer]))[0]) <= free

    return [
        Room("requests at a time", running * decoding, float(served.batch_limit) * decoding),
        Room("tokens of a prompt", served.input_tokens, _most(fits)),
    ]


def _trained(model: Model, step: TrainingStep) -> list[Room]:
    """Tokens of a sequence, in steps of the ranks that share one, and sequences of a micro-batch."""
    p, limit = step.parallel, step.memory_limit_bytes or 0.0

    def long(steps: int) -> bool:
        return memory(model, replace(p, sequence=steps * p.cp)).total <= limit

    def wide(sequences: int) -> bool:
        batch = sequences * p.replicas * p.micro_batches  # as many micro-batches as there are
        return memory(model, replace(p, micro_batch=sequences, global_batch=batch)).total <= limit

    tokens = _most(long)
    return [
        Room("tokens of a sequence", float(p.sequence or model.sequence), None if tokens is None else tokens * p.cp),
        Room("sequences of a micro-batch", float(p.micro_batch), _most(wide)),
    ]


def _most(fits: Callable[[int], bool]) -> float | None:
    """The largest whole number that fits; 0 where not even one does, None where all do.

    >>> _most(lambda n: n * n <= 1000), _most(lambda n: False), _most(lambda n: True)
    (31.0, 0.0, None)
    """
    if not fits(1):
        return 0.0
    high = 2
    while fits(high):
        high *= 2
        if high > MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = floor((low + high) / 2)
        low, high = (middle, high) if fits(middle) else (low, middle)
    return float(low)
