"""Collective algorithms, one file per family; `auto` tries those that apply."""

from fabric.algorithms.binary_trees import double_binary_tree
from fabric.algorithms.bucket import bucket
from fabric.algorithms.direct import direct
from fabric.algorithms.experts import two_hop
from fabric.algorithms.hierarchical import hierarchical
from fabric.algorithms.nccl_tree import nccl_tree
from fabric.algorithms.nvls import nvls, nvls_tree
from fabric.algorithms.pxn import pxn
from fabric.algorithms.ring import ring
from fabric.algorithms.schedule import OVERLAPS, Algorithm, NotApplicable, Schedule, Step, parse_overlap
from fabric.algorithms.sharp import sharp

ALGORITHMS: dict[str, Algorithm] = {
    "direct": direct,
    "pxn": pxn,
    "two-hop": two_hop,
    "bucket": bucket,
    "hierarchical": hierarchical,
    "ring": ring,
    "double-binary-tree": double_binary_tree,
    "tree": nccl_tree,
    "nvls": nvls,
    "nvls-tree": nvls_tree,
    "sharp": sharp,
}

__all__ = ["ALGORITHMS", "OVERLAPS", "Algorithm", "NotApplicable", "Schedule", "Step", "parse_overlap"]
