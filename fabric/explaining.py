"""Why an answer is what it is: the busiest classes of links, the other algorithms, what would help."""

from dataclasses import replace
from typing import Any

import numpy as np

from fabric.algorithms import ALGORITHMS
from fabric.bounds import Bound, collective_bound
from fabric.contention import sharers, told
from fabric.moe import Moe
from fabric.patterns import bytes_of, pattern_of
from fabric.routing.router import RoutingOptions
from fabric.timing import Assumptions, Plan, choose
from topologies.errors import InfeasibleError
from topologies.graph import Topology

ROLES = {0: "scale-up switch", 1: "leaf", 2: "spine", 3: "core"}


def planned(
    topology: Topology,
    collective_name: str,
    size: "str | float",
    algorithm: str,
    *,
    routing: str = "auto",
    overlap: str = "auto",
    tie: str = "split",
    seed: int = 0,
    flows_per_pair: int = 1,
    hedge: float = 0.0,
    shift: int | None = None,
    permutation: Any = None,
    ranks: Any = None,
    group: Any = None,
    over: Any = None,
    placement: Any = "packed",
    moe: Moe | None = None,
    transport: str = "auto",
    tune: str = "library",
    threads: int = 0,
) -> Plan:
    """The routed schedule behind an answer, with the loads of every link; who takes part as in `pattern_of`.

    >>> from topologies.registry import build
    >>> planned(build("full-mesh:n=4,latency_ns=0"), "all-to-all", "1GiB", "direct").busy(2**30).max()
    np.float64(1.0)
    """
    pattern = pattern_of(
        topology, collective_name, shift=shift, permutation=permutation, ranks=ranks, group=group, over=over,
        placement=placement, moe=moe, seed=seed,
    )  # fmt: skip
    options = RoutingOptions(tie=tie, seed=seed, flows_per_pair=flows_per_pair, hedge=hedge, threads=threads)
    given = Assumptions(algorithm, routing, overlap, transport, options=options, tune=tune)
    return choose(topology, pattern, bytes_of(topology, pattern, size), given)


def explanation(
    topology: Topology,
    collective_name: str,
    size: "str | float",
    algorithm: str,
    *,
    routing: str = "auto",
    overlap: str = "auto",
    transport: str = "auto",
    threads: int = 0,
    **choice: Any,
) -> dict[str, Any]:
    """Links by class with their utilisation, every algorithm with its time, how many times as long as the answer's that
    is, and its times under both overlaps, or the reason why not, and the changes that move what binds; `choice` as in
    `planned`."""
    plan = planned(
        topology, collective_name, size, algorithm, routing=routing, overlap=overlap, transport=transport,
        threads=threads, **choice,
    )  # fmt: skip
    pattern, options = plan.collective, plan.options
    size_bytes = bytes_of(topology, pattern, size)
    bound = collective_bound(topology, pattern, threads=threads)
    given = Assumptions(routing=routing, transport=transport, options=options)
    rows = [_other(plan, name, size_bytes, given, overlap) for name in ALGORITHMS]
    links = _links(plan, size_bytes)
    said = [*_help(plan, size_bytes, links), _at_best(plan, bound, size_bytes)]
    shared = sharers(plan)
    if shared is not None and pattern.groups is not None:
        csr, nodes = topology.csr(), topology.nodes
        ends = [str(nodes[end[plan.binding_arc]]) for end in (csr.tails, csr.heads)]
        said.insert(1, told(shared, pattern.groups, ends))
    return {
        "links": links, "algorithms": rows, "bound": _bound(bound, size_bytes),
        "sharing": None if shared is None else shared.document(), "help": said,
    }  # fmt: skip


def _other(plan: Plan, name: str, size_bytes: int, given: Assumptions, overlap: str) -> dict[str, Any]:
    """Another algorithm in place of a plan's, at the same size."""
    times: dict[str, float | None] = dict.fromkeys((overlap, "pipelined", "phased"))
    protocol = reason = None
    for how in times:
        try:
            other = choose(plan.topology, plan.collective, size_bytes, replace(given, algorithm=name, overlap=how))
        except InfeasibleError as error:
            reason = str(error)
            continue
        times[how] = other.time_s(size_bytes) * 1e6
        protocol = protocol if how != overlap else other.protocol(size_bytes)
    own = times[overlap]
    return {
        "algorithm": name,
        "protocol": protocol,
        "time_us": own,
        "takes": None if own is None else own / (plan.time_s(size_bytes) * 1e6),
        "pipelined_us": times["pipelined"],
        "phased_us": times["phased"],
        "reason": reason,
    }


def _bound(bound: Bound, size_bytes: float) -> dict[str, Any]:
    return {
        "time_us": bound.time_s(size_bytes) * 1e6,
        "latency_us": bound.latency_s * 1e6,
        "gap": bound.gap,
        "attained": bound.attained,
        "why": bound.why,
        "relays": bound.relays,
        "in_network": bound.in_network,
    }


def _at_best(plan: Plan, bound: Bound, size_bytes: float) -> str:
    """How far the answer is from what nothing can beat, and what that hangs on."""
    share = bound.time_s(size_bytes) / plan.time_s(size_bytes)
    if bound.latency_s > bound.per_byte_s * size_bytes:
        return f"At best {share:.0%} of this time: the slowest pair's latency alone."
    allowed = [text for text, on in (("switches reduce", bound.in_network), ("accelerators relay", bound.relays)) if on]
    where = f" where {' and '.join(allowed)}" if allowed else ""
    sure = "a schedule attains it" if bound.attained else f"known to within {bound.gap:.1%}"
    if not bound.attained and bound.gap >= 1:
        sure = "no schedule is known to attain it"
    return f"At best {share:.0%} of this time{where} ({sure}): {bound.why}."


def _links(plan: Plan, size_bytes: int) -> list[dict[str, Any]]:
    """Arcs by the roles of their ends and medium, busiest class first."""
    csr, nodes = plan.topology.csr(), plan.topology.graph.nodes
    busy = plan.busy(size_bytes)
    labels = plan.topology.nodes
    role = np.array([_role(nodes[n]) for n in labels])
    media = {frozenset((a, b)): m for a, b, m in plan.topology.graph.edges(data="medium")}
    tails, heads = csr.tails.tolist(), csr.heads.tolist()
    medium = np.array([media[frozenset((labels[a], labels[b]))] for a, b in zip(tails, heads, strict=True)])
    classes = np.char.add(np.char.add(np.char.add(role[csr.tails], " > "), role[csr.heads]), np.char.add("|", medium))
    rows = []
    for name in np.unique(classes):
        mine = busy[classes == name]
        between, _, of = str(name).partition("|")
        rows.append({
            "between": between, "medium": of, "arcs": len(mine),
            "utilisation_max": float(mine.max()), "utilisation_mean": float(mine.mean()),
        })  # fmt: skip
    return sorted(rows, key=lambda row: -row["utilisation_max"])


def _role(node: dict[str, Any]) -> str:
    return ROLES.get(node.get("tier", 1), "switch") if node["kind"] == "switch" else str(node["kind"])


def _help(plan: Plan, size_bytes: int, links: list[dict[str, Any]]) -> list[str]:
    """What binds, and what would move it."""
    latency = plan.latency_s / plan.time_s(size_bytes)
    first = links[0]
    binding = [row for row in links if row["utilisation_max"] > 0.999 * first["utilisation_max"]]
    names = " and ".join(f"{row['between']} ({row['medium']})" for row in binding[:2])
    said = [f"Links {names} bind: twice their rate shortens the bandwidth term"]
    if latency > 0.5:
        said = [f"Latency is {latency:.0%} of the time: fewer rounds or a larger message help, bandwidth does not."]
    elif len(links) > len(binding):
        after = links[len(binding)]
        said[0] += f" until {after['between']} ({after['medium']}) binds, now {after['utilisation_max']:.0%} busy."
    else:
        said[0] += " by half."
    uneven = first["utilisation_max"] / first["utilisation_mean"] if first["utilisation_mean"] else 1.0
    if uneven > 1.05:
        said.append(
            f"They are loaded unevenly, {uneven:.2f}x the mean at most: another routing or shape could spread it."
        )
    return said
