"""Questions: what a fabric does for a collective, and what it draws and costs.

import fabric
fabric.simulate("nvl72", "all-to-all", "1GiB").time_us
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_WHERE = {
    "Conditions": "fabric.limits",
    "FabricError": "topologies.errors",
    "Result": "fabric.results",
    "Topology": "topologies.graph",
    "build": "topologies.registry",
    "capital_cost": "fabric.costing",
    "catalogue": "topologies.parts",
    "compare": "fabric.comparison",
    "compare_measured": "fabric.measuring.comparing",
    "describe": "fabric.describing",
    "draw": "fabric.drawing",
    "fail": "fabric.failures",
    "fluid_completion": "fabric.fluid",
    "model": "fabric.workloads.models.zoo",
    "network_power": "fabric.powering",
    "plan": "fabric.planning.planner",
    "plan_demand": "fabric.planning.engineering",
    "plan_phases": "fabric.planning.worth",
    "plan_repair": "fabric.planning.engineering",
    "power_trace": "fabric.powering.swing",
    "replay": "fabric.schedules.running",
    "schema": "fabric.schemas",
    "simulate": "fabric.simulation",
    "site_power": "fabric.powering",
    "size": "fabric.sizing",
    "total_cost_of_ownership": "fabric.costing.ownership",
    "Load": "fabric.workloads.replicas",
    "train": "fabric.workloads.training",
    "train_recommender": "fabric.workloads.recommending",
    "trace": "fabric.tracing",
    "tune": "fabric.tuning",
    "validate": "fabric.validation",
    "wall_growth": "fabric.limits.growth",
    "walls": "fabric.limits",
    "walls_under": "fabric.limits.under",
    "workload": "fabric.workloads.comparing",
}

if TYPE_CHECKING:
    from fabric.comparison import compare
    from fabric.costing import capital_cost
    from fabric.costing.ownership import total_cost_of_ownership
    from fabric.describing import describe
    from fabric.drawing import draw
    from fabric.failures import fail
    from fabric.fluid import fluid_completion
    from fabric.limits import Conditions, walls
    from fabric.limits.growth import wall_growth
    from fabric.limits.under import walls_under
    from fabric.measuring.comparing import compare_measured
    from fabric.planning.engineering import plan_demand, plan_repair
    from fabric.planning.planner import plan
    from fabric.planning.worth import plan_phases
    from fabric.powering import network_power, site_power
    from fabric.powering.swing import power_trace
    from fabric.results import Result
    from fabric.schedules.running import replay
    from fabric.schemas import schema
    from fabric.simulation import simulate
    from fabric.sizing import size
    from fabric.tracing import trace
    from fabric.tuning import tune
    from fabric.validation import validate
    from fabric.workloads.comparing import workload
    from fabric.workloads.models.zoo import model
    from fabric.workloads.recommending import train_recommender
    from fabric.workloads.replicas import Load
    from fabric.workloads.training import train
    from topologies.errors import FabricError
    from topologies.graph import Topology
    from topologies.parts import catalogue
    from topologies.registry import build

__all__ = [
    "Conditions", "FabricError", "Load", "Result", "Topology", "build", "capital_cost", "catalogue", "compare",
    "compare_measured", "describe", "draw", "fail", "fluid_completion", "model", "network_power", "plan", "plan_demand",
    "plan_phases", "plan_repair", "power_trace", "replay", "schema", "simulate", "site_power", "size",
    "total_cost_of_ownership", "trace", "train", "train_recommender", "tune", "validate", "wall_growth", "walls",
    "walls_under", "workload",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'fabric' has no attribute '{name}'")
    return getattr(import_module(_WHERE[name]), name)
