"""Schedules of a pipeline: how long a rank waits for other stages in a step."""

from fabric.workloads.steps.compute import Compute
from fabric.workloads.steps.parallel import Parallel


def bubble_s(p: Parallel, parts: Compute, micro_batch_s: float) -> float:
    """Seconds of a step in which a rank waits, of micro-batches that take `micro_batch_s` with what they show of
    communication. Forward F, backward B, of it W for the gradients of weights, F + B = `micro_batch_s`.

    1F1B (pp - 1)(F + B)/v; zero-bubble (pp - 1)(F + B - 2 W); DualPipe (pp/2 - 1)(F + B + B - 3 W), with a forward and
    a backward chunk at the same time. Sources: Narayanan et al., arXiv:2104.04473, section 2.2; Liu et al.,
    arXiv:2412.19437, table 2.

    >>> parts = Compute(gemm_s=3.0, experts_s=0, attention_s=0, vector_s=0, launch_s=0, update_s=0)
    >>> [round(bubble_s(Parallel(pp=16, schedule=s), parts, 3.0), 6) for s in ("1f1b", "zero-bubble", "dualpipe")]
    [45.0, 15.0, 14.0]
    """
    if p.pp == 1:
        return 0.0
    if p.schedule == "1f1b":
        return micro_batch_s * (p.pp - 1) / p.v
    again = p.recompute == "full"
    weights = 0.0 if p.adapters else (parts.gemm_s + parts.experts_s) / (4 if again else 3)
    if p.schedule == "zero-bubble":
        return (p.pp - 1) * max(0.0, micro_batch_s - 2 * weights)
    backward = micro_batch_s * (1 - 1 / (4 if again else 2 if p.adapters else 3))
    return (p.pp / 2 - 1) * max(0.0, micro_batch_s + backward - 3 * weights)
