"""Compiled kernels: CSR arrays in, arrays out."""

from cext._concurrent import tree_concurrent
from cext._dor import dor_loads, dor_uniform_loads
from cext._loads import ecmp_loads
from cext._paths import components, distance_profile, hop_distances

__all__ = [
    "components",
    "distance_profile",
    "dor_loads",
    "dor_uniform_loads",
    "ecmp_loads",
    "hop_distances",
    "tree_concurrent",
]
