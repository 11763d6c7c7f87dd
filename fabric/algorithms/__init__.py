"""Collective algorithms, one file per family; `auto` tries those that apply."""

from fabric.algorithms.bucket import bucket
from fabric.algorithms.direct import direct
from fabric.algorithms.experts import two_hop
from fabric.algorithms.hierarchical import hierarchical
from fabric.algorithms.pxn import pxn
from fabric.algorithms.ring import ring
from fabric.algorithms.schedule import OVERLAPS, Algorithm, NotApplicable, Schedule, Step, parse_overlap

ALGORITHMS: dict[str, Algorithm] = {
    "direct": direct,
    "pxn": pxn,
    "two-hop": two_hop,
    "bucket": bucket,
    "hierarchical": hierarchical,
    "ring": ring,
}

__all__ = ["ALGORITHMS", "OVERLAPS", "Algorithm", "NotApplicable", "Schedule", "Step", "parse_overlap"]
