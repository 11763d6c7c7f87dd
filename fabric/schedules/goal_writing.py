"""Our own schedules as GOAL, which LogGOPSim and ATLAHS read: sends, receives and computations of every rank."""

import numpy as np
from numpy.typing import NDArray

from fabric.flows import Flows
from fabric.patterns import pattern_of
from fabric.timing import Assumptions, choose, unrolled
from fabric.transports import IDEAL
from topologies.errors import InfeasibleError
from topologies.formats.writing import Exported
from topologies.graph import Topology
from topologies.units import parse_size_bytes

MAX_FLOWS = 2_000_000


def goal_text(topology: Topology, collective_name: str, algorithm: str, size: str | float) -> Exported:
    """A collective of a size on a fabric by an algorithm of ours (`auto`: the fastest there at raw rates), as GOAL.

    InfeasibleError where switches reduce or multicast, which GOAL does not, and above 2 million messages.

    >>> from topologies.registry import build
    >>> print(goal_text(build("switch:n=2"), "all-gather", "direct", 2).text, end="")
    num_ranks 2
    rank 0 {
    s0: send 1b to 1 tag 0
    r1: recv 1b from 1 tag 0
    }
    rank 1 {
    r0: recv 1b from 0 tag 0
    s1: send 1b to 0 tag 0
    }
    """
    given, size_bytes = Assumptions(algorithm=algorithm, transport=IDEAL, fidelity="fluid"), parse_size_bytes(size)
    plan = choose(topology, pattern_of(topology, collective_name), size_bytes, given)
    flows, overlap, said = unrolled(plan, size_bytes)
    made = goal_of(flows, len(topology.accelerators), plan.schedule.algorithm)
    return Exported(made.text, (f"{plan.schedule.algorithm}, {overlap}", *said, *made.notes))


def goal_of(flows: Flows, ranks: int, name: str) -> Exported:
    """Flows between ranks: each a send and a receive with a tag of its own between the two, or a computation.

    A rank knows of what it sends, receives and computes alone: where a flow waits for anything else, the line is left
    out, and a note counts it. Bytes and nanoseconds are whole.
    """
    source, target = flows.source, flows.target
    if max(source.max(initial=0), target.max(initial=0)) >= ranks:
        raise InfeasibleError(f"{name} lets switches reduce or multicast, which GOAL does not; take another algorithm")
    if len(flows) > MAX_FLOWS:
        raise InfeasibleError(f"{name} has {len(flows):,} messages; GOAL of at most {MAX_FLOWS:,} is written")
    lines: list[list[str]] = [[] for _ in range(ranks)]
    columns = (source, target, np.rint(flows.bytes).astype(np.int64), _tags(source, target, ranks))
    nanoseconds = np.rint(flows.duration * 1e9).astype(np.int64).tolist()
    for f, (s, t, size, tag) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        if s == t:
            lines[s].append(f"c{f}: calc {nanoseconds[f]}")
        else:
            lines[s].append(f"s{f}: send {size}b to {t} tag {tag}")
            lines[t].append(f"r{f}: recv {size}b from {s} tag {tag}")
    lost = _requirements(flows, lines)
    notes = []
    if lost:
        told = "what waits so comes earlier, or later where it then shares a link"
        notes.append(f"{lost:,} waits for what a rank knows nothing of are left out: {told}")
    if (flows.bytes != np.rint(flows.bytes)).any():
        notes.append("messages are rounded to whole bytes")
    blocks = ["\n".join([f"rank {rank} {{", *own, "}"]) for rank, own in enumerate(lines)]
    return Exported("\n".join([f"num_ranks {ranks}", *blocks]) + "\n", tuple(notes))


def _tags(source: NDArray[np.int32], target: NDArray[np.int32], ranks: int) -> NDArray[np.int64]:
    """How many messages between the two come before each."""
    pair = source.astype(np.int64) * ranks + target
    order = np.argsort(pair, kind="stable")
    begins = np.flatnonzero(np.diff(pair[order], prepend=-1))
    tags = np.empty(len(pair), np.int64)
    tags[order] = np.arange(len(pair)) - np.repeat(begins, np.diff(begins, append=len(pair)))
    return tags


def _requirements(flows: Flows, lines: list[list[str]]) -> int:
    """Add what each flow waits for at its source; how many waits that leaves out."""
    waits = np.repeat(np.arange(len(flows)), np.diff(flows.pred_ptr))
    at, before = flows.source[waits], flows.pred
    lost = 0
    columns = (waits, at, before, flows.source[before], flows.target[before])
    for f, rank, p, s, t in zip(*(column.tolist() for column in columns), strict=True):
        own = "c" if flows.source[f] == flows.target[f] else "s"
        if rank not in (s, t):
            lost += 1
        else:
            lines[rank].append(f"{own}{f} requires {'c' if s == t else 'r' if rank == t else 's'}{p}")
    return lost
