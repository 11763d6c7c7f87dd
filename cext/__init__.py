"""Compiled kernels: CSR arrays in, arrays out."""

from cext._dor import dor_dense_loads, dor_loads, dor_turn_loads, dor_uniform_loads
from cext._loads import ecmp_loads
from cext._paths import components, distance_profile, hop_distances
from cext._symmetry import orbits, verify_automorphism

__all__ = [
    "components",
    "distance_profile",
    "dor_dense_loads",
    "dor_loads",
    "dor_turn_loads",
    "dor_uniform_loads",
    "ecmp_loads",
    "hop_distances",
    "orbits",
    "verify_automorphism",
]
