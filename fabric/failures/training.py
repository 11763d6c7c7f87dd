"""Training through failures: what stops a job, what it keeps of its time, and a pod of its slices."""

from collections.abc import Sequence
from math import inf

from fabric.failures.answers import Answer, Goodput, Slices
from fabric.failures.checkpoints import effective_share, interval_s
from fabric.failures.rates import Events, class_rate, row_rate, total
from fabric.failures.recovery import step
from fabric.failures.slices import goodput, pod_of
from topologies.graph import Topology

MINUTES_A_DAY = 1440.0


def software_failures(topology: Topology) -> Events | None:
    """Interruptions a day whose cause is no part that breaks."""
    row = class_rate("software", topology.catalogue)
    rate = None if row is None else row_rate(row)
    return None if rate is None else rate.times(len(topology.accelerators))


def job_goodput(
    topology: Topology, classes: Sequence[Answer], software: Events | None, job: int, checkpoint: float | None
) -> Goodput:
    """One job's share of the time: interruptions of classes that take accelerators, software and all."""
    jobs = len(topology.accelerators) / job
    stops = [each.per_day.times(each.jobs.mean / jobs) for each in classes if each.per_day and each.jobs.mean]
    rate = total([*stops, None if software is None else software.times(1 / jobs)])
    write, back = step("checkpoint", topology.catalogue), step("restart", topology.catalogue)
    minutes = (write.minutes, write.low, write.high) if checkpoint is None else (checkpoint,) * 3

    def kept(per_day: float, written: float, restart: float) -> float:
        between = inf if per_day <= 0 else MINUTES_A_DAY / per_day
        return effective_share(written, restart, between)

    between_s = inf if rate.value <= 0 else MINUTES_A_DAY * 60 / rate.value
    return Goodput(
        rate, interval_s(minutes[0] * 60, between_s), kept(rate.value, minutes[0], back.minutes),
        kept(rate.high, minutes[2], back.high), kept(rate.low, minutes[1], back.low),
    )  # fmt: skip


def pod_slices(topology: Topology, availabilities: Sequence[float]) -> tuple[Slices, ...]:
    """Goodput of a pod in slices as large as this one, made of any cubes and fixed ones."""
    pod, n = pod_of(topology), len(topology.accelerators)
    if pod is None:
        return ()
    return tuple(
        Slices(a, goodput(pod, n, a), goodput(pod, n, a, reconfigurable=False)) for a in availabilities
    )  # fmt: skip
