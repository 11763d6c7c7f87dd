"""Names to routers: what a routing's name stands for on a topology, and the loads of traffic under it."""

from dataclasses import replace

from fabric.routing.dmodk import dmodk
from fabric.routing.ecmp import ecmp, weighted
from fabric.routing.grid import dor
from fabric.routing.hashing import hashed, hashed_between
from fabric.routing.home import home, keeping_home
from fabric.routing.in_network import in_network
from fabric.routing.limited import ksp, slack, te, vlb
from fabric.routing.minimal import minimal
from fabric.routing.optimal import adaptive, optimal
from fabric.routing.policy import TIES, parse_routing, preferred, refuse_no_grid
from fabric.routing.router import Loads, Router, RoutingOptions, remembered
from fabric.routing.tables import lft
from fabric.routing.valiant import ugal, valiant
from fabric.traffic import Traffic
from topologies.errors import ConfigError, unknown
from topologies.graph import Topology

ROUTERS: dict[str, Router] = {
    "ecmp": ecmp,
    "weighted": weighted,
    "dor": dor,
    "dmodk": dmodk,
    "hash": hashed,
    "minimal": minimal,
    "valiant": valiant,
    "ugal": ugal,
    "adaptive": adaptive,
    "te": te,
    "ksp": ksp,
    "slack": slack,
    "vlb": vlb,
    "optimal": optimal,
    "lft": lft,
}
FREE = ("optimal", "lft")  # all paths; those of given tables. All others keep to their domain what stays in it
DETOURS = ("valiant", "ugal", "te", "vlb")  # inside domains they split equally over shortest paths
ADDING = ("ecmp", "weighted", "minimal", "adaptive")  # large fabrics' adaptive routing splits equally
HOME = {
    name: keeping_home(
        router,
        adds=name in ADDING,
        between=hashed_between if name == "hash" else None,
        within=ecmp if name in DETOURS else None,
    )
    for name, router in ROUTERS.items()
    if name not in FREE
}
ROUTINGS = ("auto", *ROUTERS)
ANY = RoutingOptions()


def resolve(topology: Topology, routing: str) -> str:
    """The routing that `auto` stands for, as `fabric.routing.policy` has it; ConfigError for one that does not fit.

    >>> from topologies.registry import build
    >>> resolve(build("torus:dims=4x4"), "auto"), resolve(build("dragonfly:p=2,a=4,h=2"), "auto")
    ('dor', 'ugal')
    """
    if routing == "auto":
        return preferred(topology)
    name, _ = parse_routing(routing)
    if name not in ROUTERS:
        raise ConfigError(unknown("routing", name, ROUTINGS))
    if name == "dor":
        refuse_no_grid(topology)
    return routing


def route(topology: Topology, traffic: Traffic, routing: str, options: RoutingOptions = ANY) -> Loads:
    """Loads of the traffic under a routing; InfeasibleError names a pair that no path serves. Traffic between some
    accelerators goes through the whole fabric that they are of.

    Traffic to and from switches goes along its trees, whatever the routing.

    >>> from topologies.registry import build
    >>> route(build("full-mesh:n=4"), Traffic.uniform(4, 1.0), "ecmp").arcs.max()
    np.float64(1.0)
    """
    if options.tie not in TIES:
        raise ConfigError(f"tie '{options.tie}' is not one of {', '.join(TIES)}")
    if topology.whole is not None and topology.chosen is not None:
        moved = traffic.over(topology.chosen[None, :], len(topology.whole.accelerators))
        return route(topology.whole, moved, routing, options)
    name, _, argument = resolve(topology, routing).partition(":")
    options = replace(options, argument=argument)
    if traffic.n > len(topology.accelerators):
        return in_network(topology, traffic, options)
    router = ROUTERS[name] if name in FREE or home(topology) is None else HOME[name]
    return remembered(router, topology, traffic, options)
