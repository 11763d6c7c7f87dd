"""Collective algorithms, one file per family; `auto` tries those that apply."""

from fabric.algorithms.binary_trees import double_binary_tree
from fabric.algorithms.binomial import binomial
from fabric.algorithms.bruck import bruck
from fabric.algorithms.bucket import bucket
from fabric.algorithms.chain import chain
from fabric.algorithms.direct import direct
from fabric.algorithms.doubling import recursive_doubling
from fabric.algorithms.experts import two_hop
from fabric.algorithms.halving import halving
from fabric.algorithms.hierarchical import hierarchical
from fabric.algorithms.nccl_tree import nccl_tree
from fabric.algorithms.nvls import nvls, nvls_tree
from fabric.algorithms.pairwise import pairwise
from fabric.algorithms.pat import pat
from fabric.algorithms.pxn import pxn
from fabric.algorithms.ring import ring
from fabric.algorithms.scatter_gather import scatter_gather
from fabric.algorithms.schedule import OVERLAPS, Algorithm, NotApplicable, Schedule, Step, parse_overlap
from fabric.algorithms.sharp import sharp
from fabric.algorithms.swing import swing

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
    "halving": halving,
    "recursive-doubling": recursive_doubling,
    "bruck": bruck,
    "pairwise": pairwise,
    "scatter-gather": scatter_gather,
    "binomial": binomial,
    "chain": chain,
    "swing": swing,
    "pat": pat,
}

__all__ = ["ALGORITHMS", "OVERLAPS", "Algorithm", "NotApplicable", "Schedule", "Step", "parse_overlap"]
