"""The memory wall of inference: how many requests fit beside the weights, and from where capacity binds."""

import numpy as np

from fabric.workloads.serving.calibration import Floats
from fabric.workloads.serving.demands import Demands


def weights_bytes(d: Demands) -> Floats:
    """Bytes of weights on each accelerator of a replica: shards of attention copied to each attention group."""
    return (d.held_bytes / d.tp + d.experts * d.expert_bytes / d.ranks) / d.pp


def request_bytes(d: Demands, context: Floats) -> Floats:
    """Bytes of cache on each accelerator that holds a request of so many tokens."""
    return d.kept_bytes(context) / (d.cache_ranks * d.pp)


def batch_limit(d: Demands, context: Floats, usable: float) -> Floats:
    """Requests of so many tokens that fit into a replica, whose cache may fill what weights leave of a share `usable`
    of the memory; 0 where the weights do not fit. Whole requests of an attention group.

    >>> from fabric.workloads.serving.demands import demands
    >>> from fabric.workloads.serving.layout import Layout
    >>> from fabric.workloads.models.zoo import model
    >>> from topologies.parts import part
    >>> from topologies.kinds import Accelerator
    >>> one = demands(model("llama-3.1-8b"), part("h100-sxm", Accelerator), Layout())
    >>> int(batch_limit(one, np.array([8192.0]), 0.9)[0])  # (72 - 16.06 GB) / (8192 x 131,072 B)
    52
    """
    free = d.memory_bytes * usable - weights_bytes(d)
    return np.floor(np.maximum(free, 0.0) / request_bytes(d, context)) * d.dp
