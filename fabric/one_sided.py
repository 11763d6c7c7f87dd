"""One-sided: the time of kernels that put experts' tokens into other ranks' memory, from the loads of a routed plan."""

from dataclasses import dataclass, replace
from math import log2

import numpy as np

from fabric.collectives import Collective
from fabric.domains import domains_of_nodes, inside_domains
from fabric.intervals import band_of
from fabric.moe import FORMATS
from fabric.patterns import bytes_of
from fabric.results import accelerator_of
from fabric.timing import Assumptions, Outcome, Plan, choose, steady
from topologies.errors import ConfigError, InfeasibleError, unknown
from topologies.graph import Topology
from topologies.kinds import OneSidedKernel

NAME = "one-sided"


@dataclass(frozen=True, slots=True)
class Crossing:
    """What a plan at a size puts on its links, before any software: busiest scale-up link and busiest network link at
    line rate (s), the most bytes that a rank sends or receives on scale-up links, the counts that kernels go by, and
    the plan's own bandwidth term and latency (s)."""

    scale_up_s: float
    rank_bytes: float
    network_s: float
    ranks: int
    peers: int
    experts: int
    tokens: int
    line_rate_s: float
    latency_s: float

    def with_tokens(self, tokens: int) -> "Crossing":
        """The same layer with so many tokens a rank: all but the latency grows with them."""
        by = tokens / self.tokens
        return replace(
            self, scale_up_s=self.scale_up_s * by, rank_bytes=self.rank_bytes * by, network_s=self.network_s * by,
            tokens=tokens, line_rate_s=self.line_rate_s * by,
        )  # fmt: skip



def crossing(plan: Plan, size_bytes: float) -> Crossing:
    """The links inside scale-up domains and those beyond them, told apart by what they join."""
    pattern, topology = plan.collective, plan.topology
    assert pattern.moe is not None
    csr = topology.csr()
    inside, domain = inside_domains(topology), domains_of_nodes(topology)[csr.accelerators]
    seconds = plan.arcs * size_bytes / csr.capacity
    carried = np.where(inside, np.sum([load.arcs for load in plan.loads], axis=0), 0.0) * size_bytes
    ends = (csr.tails, csr.heads)
    out, into = (np.bincount(end, carried, minlength=len(csr.forwards))[csr.accelerators] for end in ends)
    members = np.arange(len(csr.accelerators)) if pattern.groups is None else pattern.groups.members[0]
    least = np.unique(domain[members], return_counts=True)[1].min() if topology.domains else 1
    return Crossing(
        scale_up_s=float(seconds[inside].max(initial=0.0)),
        rank_bytes=float(max(out.max(), into.max())),
        network_s=float(seconds[~inside].max(initial=0.0)),
        ranks=pattern.n,
        peers=int(pattern.n - least) if seconds[~inside].any() else 0,
        experts=pattern.moe.held(pattern.n),
        tokens=pattern.moe.tokens,
        line_rate_s=plan.per_byte_s * size_bytes,
        latency_s=plan.latency_s,
    )


def kernel_s(kernel: OneSidedKernel, found: Crossing) -> float:
    """Seconds of a kernel (see OneSidedKernel), never below line rate and latency of the plan.

    InfeasibleError where it knows no network and one has to be crossed.
    """
    scale_up = max(
        found.scale_up_s / kernel.scale_up_share,
        0.0 if kernel.copy_gb_per_s is None else found.rank_bytes / kernel.copy_gb_per_s / 1e9,
    )
    network, waits_ns = 0.0, kernel.launch_ns + kernel.barrier_ns * log2(found.ranks) + kernel.expert_ns * found.experts
    if found.peers:
        if kernel.network_share is None:
            raise InfeasibleError(f"kernel {kernel.kernel} works inside one scale-up domain only; name another kernel")
        network = found.network_s / kernel.network_share
        waits_ns += kernel.network_launch_ns + kernel.peer_ns * found.peers
    if not kernel.carries_tokens:
        scale_up, network = 0.0, 0.0
    both = (scale_up + found.tokens * kernel.token_ns * 1e-9, network)
    moved = max(both) + kernel.serial_share * min(both)
    time_s = waits_ns * 1e-9 + max(moved, found.tokens * kernel.floor_ns * 1e-9, _blocks_s(kernel, found))
    return max(time_s, found.latency_s + found.line_rate_s) if kernel.carries_tokens else time_s


def interval_us(kernel: OneSidedKernel, time_us: float, size_bytes: float) -> tuple[float, float]:
    """Both ends of the 90 % interval about a predicted time."""
    low, high = kernel.ratios_large if band_of(size_bytes) == "large" else kernel.ratios_small
    return low * time_us, high * time_us


def _blocks_s(kernel: OneSidedKernel, found: Crossing) -> float:
    """Where an expert's tokens are sent by warps of one multiprocessor, few experts leave the others idle."""
    if kernel.blocks is None:
        return 0.0
    experts = found.experts * found.ranks
    turns = -(-experts // kernel.blocks)
    return found.tokens / -(-experts // turns) * kernel.block_ns * 1e-9


def kernel_of(
    topology: Topology, pattern: Collective, name: str | None = None, operation: str | None = None
) -> OneSidedKernel:
    """The kernel of that name, one for other accelerators where it knows not this one; without a name the first of the
    catalogue that serves the accelerator, the number of domains and the tokens. `operation` is the pattern's own by
    default.

    >>> from fabric.patterns import pattern_of
    >>> from topologies.registry import build
    >>> rack = build("nvl72")
    >>> kernel_of(rack, pattern_of(rack, "moe-dispatch")).name
    'trtllm-one-sided-dispatch'
    """
    operation = operation or pattern.name.removeprefix("moe-")
    every = topology.catalogue.of_kind(OneSidedKernel)
    accelerator, several = accelerator_of(topology), _several_domains(topology, pattern)
    tokens = 0 if pattern.moe is None else pattern.moe.tokens

    def fits(row: OneSidedKernel) -> bool:
        small = row.most_tokens is None or tokens <= row.most_tokens
        return accelerator in row.serves.split() and (row.several_domains or not several) and small

    mine = [row for row in every if row.operation == operation and name in (None, row.kernel)]
    if not mine:
        raise ConfigError(unknown("one-sided kernel", str(name), sorted({row.kernel for row in every})))
    found = next((row for row in mine if fits(row)), None)
    if found is None and name is None:
        raise InfeasibleError(
            f"no one-sided kernel is known for {accelerator or 'mixed accelerators'} here; name one with "
            f"--transport {NAME}:kernel=NAME, of {', '.join(sorted({row.kernel for row in every}))}"
        )
    return found or next((row for row in mine if accelerator in row.serves.split()), mine[0])


def _several_domains(topology: Topology, pattern: Collective) -> bool:
    """Do the ranks of a group lie in more than one scale-up domain?"""
    if not topology.domains:
        return not inside_domains(topology).all()
    ranks = topology.csr().accelerators if pattern.groups is None else pattern.groups.members[0]
    nodes = ranks if pattern.groups is None else topology.csr().accelerators[ranks]
    return len(np.unique(domains_of_nodes(topology)[nodes])) > 1


def kernel_named(transport: str) -> str | None:
    """What follows `one-sided`: a kernel's name, or none; ConfigError for any other option.

    >>> kernel_named("one-sided"), kernel_named("one-sided:kernel=deepep-ll")
    (None, 'deepep-ll')
    """
    _, colon, option = transport.partition(":")
    key, equals, name = option.partition("=")
    if not colon:
        return None
    if key != "kernel" or not equals or not name:
        raise ConfigError(f"transport {NAME} takes kernel=NAME, not '{option}'")
    return name


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """A pattern as a kernel carries it (its copies), how that goes, and within what."""

    pattern: Collective
    size_bytes: int
    outcome: Outcome
    low_us: float
    high_us: float


def one_sided(topology: Topology, pattern: Collective, given: Assumptions) -> Served:
    """A pattern under the kernel that serves it, or the one named; never below line rate of the same plan."""
    if pattern.moe is None:
        raise ConfigError(f"transport {NAME} carries moe-dispatch and moe-combine, not {pattern.name}")
    if given.fidelity == "fluid":
        raise InfeasibleError(f"transport {NAME} knows times of whole kernels only: use --fidelity steady")
    moe = replace(pattern.moe, precision=pattern.moe.precision or FORMATS[pattern.name])
    pattern = replace(pattern, moe=moe)
    return served(topology, pattern, given, kernel_of(topology, pattern, kernel_named(given.transport)))


def served(topology: Topology, pattern: Collective, given: Assumptions, kernel: OneSidedKernel) -> Served:
    """The outcome of a pattern under one kernel."""
    pattern, plan = carried(topology, pattern, given, kernel)
    size_bytes = bytes_of(topology, pattern, None)
    ideal = steady(plan, size_bytes)
    time_s = kernel_s(kernel, crossing(plan, size_bytes))
    end = ideal.bottleneck
    if end is not None:
        end = {**end, "utilisation": end["utilisation"] * ideal.time_s / time_s}
    known = accelerator_of(topology) in kernel.serves.split()
    said = [*ideal.said, f"times of kernel {kernel.name}{'' if known else ', of another machine'}: {kernel.source}"]
    outcome = replace(ideal, time_s=time_s, bottleneck=end, said=said)
    return Served(pattern, size_bytes, outcome, *interval_us(kernel, time_s * 1e6, size_bytes))


def carried(
    topology: Topology, pattern: Collective, given: Assumptions, kernel: OneSidedKernel
) -> tuple[Collective, Plan]:
    """The pattern with the kernel's number format, where none was asked for, and its copies; and its routed plan."""
    assert pattern.moe is not None
    moe = replace(pattern.moe, precision=pattern.moe.precision or kernel.precision)
    pattern = replace(pattern, moe=moe if kernel.deduplicates or moe.even else replace(moe, deduplicate=False))
    algorithm = kernel.algorithm if given.algorithm == "auto" else given.algorithm
    if algorithm == "two-hop" and not _several_domains(topology, pattern):
        algorithm = "direct"
    size_bytes = bytes_of(topology, pattern, None)
    return pattern, choose(topology, pattern, size_bytes, replace(given, algorithm=algorithm, transport="ideal"))
