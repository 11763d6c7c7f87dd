"""Compiled kernels: CSR arrays in, arrays out."""

from cext._dor import dor_loads, dor_uniform_loads
from cext._fluid import first_cycle, fluid
from cext._loads import ecmp_loads
from cext._maxmin import maxmin, maxmin_slack
from cext._paths import components, distance_profile, hop_distances
from cext._routes import grid_routes, shortest_routes

__all__ = [
    "components",
    "distance_profile",
    "dor_loads",
    "dor_uniform_loads",
    "ecmp_loads",
    "first_cycle",
    "fluid",
    "grid_routes",
    "hop_distances",
    "maxmin",
    "maxmin_slack",
    "shortest_routes",
]
