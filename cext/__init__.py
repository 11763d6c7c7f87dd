"""Compiled kernels: CSR arrays in, arrays out."""

from cext._cuts import cut_ratio, max_flow, min_connectivity
from cext._dor import dor_loads, dor_uniform_loads
from cext._loads import ecmp_loads
from cext._paths import components, distance_profile, hop_distances

__all__ = [
    "components",
    "cut_ratio",
    "distance_profile",
    "dor_loads",
    "dor_uniform_loads",
    "ecmp_loads",
    "hop_distances",
    "max_flow",
    "min_connectivity",
]
