"""The memory wall: a model's weights and caches against what accelerators hold and read."""

from collections import Counter
from collections.abc import Sequence

from fabric.limits.conditions import Conditions, Duty
from fabric.limits.judging import Check, Span
from fabric.results import accelerator_of
from topologies.graph import Topology
from topologies.parts import Accelerator
from topologies.units import format_number, format_size


def memory_checks(topology: Topology, given: Conditions, scale: float = 1.0) -> list[Check]:
    """Capacity, then the time in which everything is read once; empty without a model. Of a workload what it holds.

    The model lies spread over `shards` accelerators: those of the smallest scale-up domain by default (`scale` times as
    many), all of them where there is no domain. A step of generation reads it all: no batch makes it shorter.

    >>> from topologies.registry import build
    >>> seventy_b = Conditions(weights_bytes=140e9)
    >>> [round(check.value.value, 2) for check in memory_checks(build("hgx-h100"), seventy_b)]  # GB, ms
    [17.5, 5.22]
    """
    if given.duty is not None:
        return _of_duty(topology, given.duty)
    if given.weights_bytes is None:
        return []
    models = Counter(topology.graph.nodes[node].get("part") for node in topology.accelerators)
    shards = given.shards or round(domain_size(topology) * scale)
    each = (given.weights_bytes + given.kv_bytes) / shards
    return [check for name in models for check in _of_model(topology, str(name), each, shards, given)]


def _of_duty(topology: Topology, duty: Duty) -> list[Check]:
    """What a workload holds of each accelerator's memory; and the time of a token, where one is asked for."""
    name = accelerator_of(topology)
    row = None if name is None else topology.catalogue.get(name)
    memory = Span.of(row, "memory_gb") if isinstance(row, Accelerator) else None
    held = ", ".join(f"{what} {format_number(gb)} GB" for what, gb in duty.held_gb if gb > 0)
    why = f"{duty.workload} holds {held} on each {name}"
    limit, moves = None if memory is None else memory.times(duty.usable), ""
    if memory is not None and limit is not None:
        kept = "" if duty.usable == 1 else f", of which it may fill {100 * duty.usable:.0f} %"
        why += f" of {memory.value:g} GB{kept}"
        more = duty.total_gb / limit.value
        moves = "" if more <= 1 else f"{format_number(more, 3)} times as many accelerators a copy, or fewer bytes"
    checks = [Check("capacity", Span.exact(duty.total_gb), limit, "GB", why, moves)]
    if duty.token_s is not None and duty.asked_s is not None:
        value, asked = Span.exact(duty.token_s * 1e3), Span.exact(duty.asked_s * 1e3)
        checks.append(Check("token", value, asked, "ms", f"a token takes {value.value:.3g} ms of {asked.value:.3g}"))
    return checks


def domain_size(topology: Topology) -> int:
    """Accelerators of the smallest scale-up domain; all where the fabric has none."""
    return min((len(members) for members in topology.domains), default=len(topology.accelerators))


def _of_model(topology: Topology, name: str, each: float, shards: int, given: Conditions) -> Sequence[Check]:
    row = topology.catalogue.get(name)
    holds = Span.of(row, "memory_gb") if isinstance(row, Accelerator) else None
    reads = Span.of(row, "memory_bandwidth_tb_per_s") if isinstance(row, Accelerator) else None
    gb = each / 1e9
    why = f"{format_number(gb)} GB of {given.holding} on each of {shards} {name}"
    capacity = Check("capacity", Span.exact(gb), holds, "GB", f"{why}; no source states its memory")
    if holds is not None:
        needed = -(-each * shards // (holds.value * 1e9))
        moves = "" if gb <= holds.value else f"spread over {needed:.0f} of them, or fewer bytes a parameter"
        capacity = Check("capacity", Span.exact(gb), holds, "GB", f"{why} of {holds.value:g} GB", moves)
    if reads is None:
        return [capacity]
    return [capacity, _read(each, reads, name, row, given)]


def _read(each: float, reads: Span, name: str, row: object, given: Conditions) -> Check:
    """Time to read a share once; and the batch above which arithmetic, not memory, binds (roofline)."""
    value = Span.exact(each / 1e9).over(reads)  # GB over TB/s are ms
    why = f"{format_size(each)} at {reads.value:g} TB/s take {value.value:.3g} ms, the shortest step of generation"
    flops = row.bf16_tflops if isinstance(row, Accelerator) else None
    if flops is not None:
        why += f"; arithmetic binds above {flops / reads.value:.0f} operations a byte in bf16"
    limit = None if given.read_s is None else Span.exact(given.read_s * 1e3)
    if limit is None:
        return Check("bandwidth", value, None, "ms", f"{why}; --read-ms asks for a time")
    moves = ""
    if value.value > limit.value:
        moves = f"{value.value / limit.value:.2g} times as many accelerators, or fewer bytes a parameter"
    return Check("bandwidth", value, limit, "ms", why, moves)
