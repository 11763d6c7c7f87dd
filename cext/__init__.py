"""Compiled kernels: CSR arrays in, arrays out."""

import os

# Threads that spin between two parallel regions take the processor from whoever shares the machine, the next thread
# of theirs among them. OpenMP reads this when the first kernel is loaded; who has set it keeps it.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from cext._circuits import settle, untangle
from cext._columns import PathFlow, PathSet
from cext._concurrent import tree_concurrent
from cext._cuts import cut_ratio, max_flow, min_connectivity
from cext._dor import dor_dense_loads, dor_loads, dor_turn_loads, dor_uniform_loads
from cext._fluid import fluid
from cext._grid_routes import grid_routes
from cext._kshortest import k_shortest_paths
from cext._loads import ecmp_loads
from cext._maxmin import maxmin, maxmin_slack
from cext._order import first_cycle
from cext._pathflow import path_concurrent
from cext._paths import components, distance_profile, hop_distances
from cext._routes import shortest_routes
from cext._symmetry import orbits, verify_automorphism
from cext._trees import hashed_loads, single_path_loads
from cext._wire import wire

__all__ = [
    "PathFlow",
    "PathSet",
    "components",
    "cut_ratio",
    "distance_profile",
    "dor_dense_loads",
    "dor_loads",
    "dor_turn_loads",
    "dor_uniform_loads",
    "ecmp_loads",
    "first_cycle",
    "fluid",
    "grid_routes",
    "hashed_loads",
    "hop_distances",
    "k_shortest_paths",
    "max_flow",
    "maxmin",
    "maxmin_slack",
    "min_connectivity",
    "orbits",
    "path_concurrent",
    "settle",
    "shortest_routes",
    "single_path_loads",
    "tree_concurrent",
    "untangle",
    "verify_automorphism",
    "wire",
]
