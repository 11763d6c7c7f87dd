"""Fluid completion times: when every flow ends if all share the links max-min fairly."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cext import fluid
from fabric.flows import Flows
from fabric.routing.paths import Paths, flow_paths, given_paths
from topologies.errors import ConfigError
from topologies.graph import Topology


@dataclass(frozen=True, slots=True, eq=False)
class FluidResult:
    """When F flows send and what that puts on links.

    `start`, `finish` float64[F]: seconds when a flow begins to send, or a computation to run, and when it has ended;
    `makespan`: the last finish; `link_bytes` float64[A]: what crosses each arc of `topology.csr()`; `solves`: how
    often rates were solved anew.
    """

    start: NDArray[np.float64]
    finish: NDArray[np.float64]
    makespan: float
    link_bytes: NDArray[np.float64]
    solves: int


def fluid_completion(
    topology: Topology,
    flows: Flows | Mapping[str, ArrayLike] | NDArray[Any],
    *,
    routing: str = "ecmp",
    tie: str = "split",
    paths: Paths | Mapping[str, ArrayLike] | None = None,
    epsilon: float = 0.0,
    seed: int = 0,
    in_network: bool = False,
) -> FluidResult:
    """Simulate flows that share links max-min fairly at every moment, with equal shares whatever their latency.

    A flow waits for its predecessors, then `release` seconds, then for one path latency (occupying nothing), then
    sends at its max-min rate; it finishes when its last byte is sent, which has then arrived. A computation (its own
    target, no bytes) runs for its `duration` and uses no link; on one processor they take turns, first ready first. A
    flow without bytes takes its latency alone.

    Rates are exact up to rounding: max-min rates are unique, and every event re-solves until the max-min certificate
    holds on all links. Completions within 1e-12 of the time are one event, since equal flows differ by that much in
    floating point; `epsilon` widens this (relative; the error of a finish is at most about twice as much).

    More rate can take longer. Max-min fairness looks at rates, not at what is left to send: where a faster link lets a
    flow take more of a later link from one that many bytes wait behind, the last flow ends later. (An instance is in
    tests/fabric/test_fluid.py.) So do not read "more bandwidth, never later" into this model; the largest load over
    capacity, which every makespan is above, is monotone.

    What a fluid model cannot show: incast, head-of-line blocking, PFC spreading, packet headers.

    Parameters
    ----------
    flows
        fields `source`, `target` (ranks), `bytes`, and optionally `release`, `duration`, `pred_ptr`, `pred` and
        `processor`; see `Flows`.
    routing, tie, seed
        as for `flow_paths`.
    paths
        in place of a routing: Paths, or a mapping of `ptr` and `node`, each flow's nodes by position in topology.nodes.
    in_network
        may ends be nodes (n + position, as in `Csr.ends`), for flows to and from switches that reduce and multicast?

    Raises
    ------
    ConfigError
        names the flow that is wrong.
    InfeasibleError
        names a pair that no path serves.

    >>> from topologies.registry import build
    >>> pair = build("switch:n=3,rate_gbps=400,latency_ns=0")             # 50e9 bytes/s
    >>> fluid_completion(pair, {"source": [0, 1], "target": [2, 2], "bytes": [50e9, 150e9]}).finish.tolist()
    [2.0, 4.0]
    """
    if not (np.isfinite(epsilon) and epsilon >= 0):
        raise ConfigError(f"epsilon = {epsilon} is not a share of time; give 0 (exact) or more, such as 1e-3")
    csr = topology.csr()
    made = Flows.of(flows, len(csr.ends if in_network else csr.accelerators))
    if paths is None:
        found = flow_paths(topology, made.source, made.target, routing, tie=tie, seed=seed)
    elif isinstance(paths, Paths):
        found = paths
    else:
        found = _along_nodes(topology, made, paths)
    if len(found.path_of) != len(made):
        raise ConfigError(f"paths are given for {len(found.path_of)} flows; there are {len(made)}")
    if paths is not None or routing == "hash":
        found = found.merged()
    start, finish, solves = fluid(
        found.ptr, found.arc, found.share, csr.capacity, found.latency_s,
        np.where(made.source == made.target, np.int32(-1), found.path_of), made.bytes, made.release, made.duration,
        made.pred_ptr, made.pred, epsilon, made.processor,
    )  # fmt: skip
    return FluidResult(
        start, finish, float(finish.max(initial=0.0)), found.loads(made.bytes, len(csr.heads)), solves
    )


def _along_nodes(topology: Topology, flows: Flows, paths: Mapping[str, ArrayLike]) -> Paths:
    """Paths of nodes, which must lead from each flow's source to its target."""
    if set(paths) != {"ptr", "node"}:
        raise ConfigError(f"paths have the fields {', '.join(map(str, paths))}; give ptr and node")
    found = given_paths(topology, paths["ptr"], paths["node"])
    ptr, node = np.asarray(paths["ptr"], np.int64), np.asarray(paths["node"])
    if len(ptr) - 1 != len(flows):
        raise ConfigError(f"paths are given for {len(ptr) - 1} flows; there are {len(flows)}")
    ends = topology.csr().ends
    wrong = np.flatnonzero((node[ptr[:-1]] != ends[flows.source]) | (node[ptr[1:] - 1] != ends[flows.target]))
    if wrong.size:
        f = int(wrong[0])
        raise ConfigError(f"paths: the path of flow {f} does not lead from rank {flows.source[f]} to {flows.target[f]}")
    return found
