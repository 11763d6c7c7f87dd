"""Compiled kernels: CSR arrays in, arrays out."""

from cext._columns import PathFlow, PathSet
from cext._dor import dor_loads, dor_uniform_loads
from cext._kshortest import k_shortest_paths
from cext._loads import ecmp_loads
from cext._pathflow import path_concurrent
from cext._paths import components, distance_profile, hop_distances

__all__ = [
    "PathFlow",
    "PathSet",
    "components",
    "distance_profile",
    "dor_loads",
    "dor_uniform_loads",
    "ecmp_loads",
    "hop_distances",
    "k_shortest_paths",
    "path_concurrent",
]
