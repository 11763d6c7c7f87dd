"""Compiled kernels: CSR arrays in, arrays out."""

from cext._cuts import cut_ratio, max_flow, min_connectivity
from cext._dor import dor_loads, dor_uniform_loads
from cext._kshortest import k_shortest_paths
from cext._loads import ecmp_loads
from cext._pathflow import path_concurrent
from cext._paths import components, distance_profile, hop_distances
from cext._symmetry import orbits, verify_automorphism
from cext._trees import hashed_loads, single_path_loads

__all__ = [
    "components",
    "cut_ratio",
    "distance_profile",
    "dor_loads",
    "dor_uniform_loads",
    "ecmp_loads",
    "hashed_loads",
    "hop_distances",
    "orbits",
    "verify_automorphism",
    "single_path_loads",
    "k_shortest_paths",
    "path_concurrent",
    "max_flow",
    "min_connectivity",
]
