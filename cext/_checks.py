"""Door checks of the kernels: a malformed array becomes one sentence, before any compiled loop runs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_offsets(name: str, offsets: NDArray[np.int64], items: int) -> None:
    """Raise ValueError unless ``offsets`` climbs from 0 to ``items`` and never falls."""
    if offsets.size == 0 or offsets[0] != 0 or offsets[-1] != items or bool((np.diff(offsets) < 0).any()):
        raise ValueError(f"{name} must climb from 0 to {items} and never fall")


def check_range(name: str, values: NDArray[np.int32], stop: int) -> None:
    """Raise ValueError unless every value lies in 0 .. stop - 1."""
    if values.size and (int(values.min()) < 0 or int(values.max()) >= stop):
        raise ValueError(f"{name} must lie in 0 to {stop - 1}, got {values.min()} to {values.max()}")


def check_length(length: int, **arrays: NDArray[Any]) -> None:
    """Raise ValueError unless every named array has ``length`` items."""
    for name, array in arrays.items():
        if len(array) != length:
            raise ValueError(f"{name} must have {length} items, got {len(array)}")


def check_amounts(**arrays: NDArray[np.float64]) -> None:
    """Raise ValueError unless every named array is finite and not negative."""
    for name, array in arrays.items():
        if not (np.isfinite(array) & (array >= 0)).all():
            raise ValueError(f"{name} must be finite and not negative")


def check_positive(**arrays: NDArray[np.float64]) -> None:
    """Raise ValueError unless every named array is finite and positive."""
    for name, array in arrays.items():
        if not (np.isfinite(array) & (array > 0)).all():
            raise ValueError(f"{name} must be finite and positive")


def check_graph(indptr: NDArray[np.int64], indices: NDArray[np.int32]) -> None:
    """Raise ValueError unless ``indptr`` and ``indices`` form a CSR graph."""
    check_offsets("indptr", indptr, indices.size)
    check_range("indices", indices, indptr.size - 1)


def check_twin(indptr: NDArray[np.int64], indices: NDArray[np.int32], twin: NDArray[np.int32]) -> None:
    """Raise ValueError unless ``twin`` pairs each arc u -> v with one v -> u: the graph is symmetric."""
    check_length(indices.size, twin=twin)
    check_range("twin", twin, indices.size)
    tails = np.repeat(np.arange(indptr.size - 1, dtype=np.int32), np.diff(indptr))
    if (twin[twin] != np.arange(twin.size)).any() or (indices[twin] != tails).any():
        raise ValueError("twin must name the reverse of every arc, and the reverse of that the arc itself")


def check_threads(threads: int) -> None:
    """Raise ValueError unless ``threads`` is 0 (all) or a number of threads."""
    if threads < 0:
        raise ValueError(f"threads must be 0 (all) or more, got {threads}")


def check_grid(dims: NDArray[np.int32], wrapped: NDArray[np.uint8]) -> int:
    """Return the number of nodes of a grid; raise ValueError if it has none, or more than int32 can name."""
    check_length(dims.size, wrapped=wrapped)
    if dims.size == 0 or int(dims.min()) < 1:
        raise ValueError("dims must be one or more sizes of at least 1")
    nodes = 1
    for size in dims.tolist():
        nodes *= int(size)
    if nodes > np.iinfo(np.int32).max:
        raise ValueError(f"dims must make fewer than 2^31 nodes, got {nodes}")
    return nodes


def check_network(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    weight: NDArray[np.float64],
    twin: NDArray[np.int32],
    forwards: NDArray[np.uint8],
    latency: NDArray[np.float64],
    node_latency: NDArray[np.float64],
) -> None:
    """Raise ValueError unless the arrays form a symmetric graph with weights and times."""
    check_graph(indptr, indices)
    check_twin(indptr, indices, twin)
    check_length(indices.size, weight=weight, latency=latency)
    check_length(indptr.size - 1, forwards=forwards, node_latency=node_latency)
    check_amounts(weight=weight, latency=latency, node_latency=node_latency)
    if not weight.all():
        raise ValueError("weight must be positive: leave out an arc that carries nothing")


def check_demand(
    destinations: NDArray[np.int32],
    entry_ptr: NDArray[np.int64],
    entry_list: NDArray[np.int32],
    entry_scale: NDArray[np.float64],
    list_ptr: NDArray[np.int64],
    list_source: NDArray[np.int32],
    list_amount: NDArray[np.float64],
    nodes: int,
) -> None:
    """Raise ValueError unless the arrays form a demand between nodes: destinations, entries, source lists."""
    check_range("destinations", destinations, nodes)
    check_length(destinations.size + 1, entry_ptr=entry_ptr)
    check_offsets("entry_ptr", entry_ptr, entry_list.size)
    check_length(entry_list.size, entry_scale=entry_scale)
    check_offsets("list_ptr", list_ptr, list_source.size)
    check_range("entry_list", entry_list, list_ptr.size - 1)
    check_range("list_source", list_source, nodes)
    check_length(list_source.size, list_amount=list_amount)
    check_amounts(entry_scale=entry_scale, list_amount=list_amount)


def check_terminals(
    terminals: NDArray[np.int32],
    multiplicity: NDArray[np.float64],
    extra_hops: NDArray[np.int32],
    nodes: int,
) -> None:
    """Raise ValueError unless the terminals are distinct nodes, each with a multiplicity and extra hops."""
    check_range("terminals", terminals, nodes)
    check_length(terminals.size, multiplicity=multiplicity, extra_hops=extra_hops)
    check_amounts(multiplicity=multiplicity)
    if np.unique(terminals).size < terminals.size:
        raise ValueError("terminals must be distinct nodes: merge those that share one into its multiplicity")


def check_capacities(
    indptr: NDArray[np.int64],
    heads: NDArray[np.int32],
    twin: NDArray[np.int32],
    capacity: NDArray[np.float64],
    forwards: NDArray[np.uint8],
) -> None:
    """Raise ValueError unless the arrays form a symmetric graph with positive capacities."""
    check_graph(indptr, heads)
    check_twin(indptr, heads, twin)
    check_length(heads.size, capacity=capacity)
    check_length(indptr.size - 1, forwards=forwards)
    check_amounts(capacity=capacity)
    if not capacity.all():
        raise ValueError("capacity must be positive: leave out an arc that carries nothing")


def check_pairs(source: NDArray[np.int32], target: NDArray[np.int32], amount: NDArray[np.float64], nodes: int) -> None:
    """Raise ValueError unless the arrays form pairs of different nodes, at least one, with positive amounts."""
    check_range("source", source, nodes)
    check_range("target", target, nodes)
    check_length(source.size, target=target, amount=amount)
    check_amounts(amount=amount)
    if source.size == 0 or (source == target).any() or not amount.all():
        raise ValueError("pairs must be at least one, join different nodes and have positive amounts; drop the others")
def check_capacity(arcs: int, capacity: NDArray[np.int64]) -> None:
    """Raise ValueError unless every arc has a whole capacity of 0 or more whose sum stays below 2^61."""
    check_length(arcs, capacity=capacity)
    if capacity.size and (int(capacity.min()) < 0 or float(capacity.sum(dtype=np.float64)) >= 2.0**61):
        raise ValueError("capacity must be 0 or more and sum to less than 2^61; divide out a common unit")
def check_concurrent(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    twin: NDArray[np.int32],
    capacity: NDArray[np.float64],
    forwards: NDArray[np.uint8],
    terminals: NDArray[np.int32],
    sent: NDArray[np.float64],
    received: NDArray[np.float64],
    demand: NDArray[np.float64] | None,
) -> None:
    """Raise ValueError unless the arrays form a symmetric network with capacities, and demand between terminals."""
    check_graph(indptr, indices)
    check_twin(indptr, indices, twin)
    check_length(indices.size, capacity=capacity)
    check_length(indptr.size - 1, forwards=forwards)
    check_amounts(capacity=capacity, sent=sent, received=received)
    if not capacity.all():
        raise ValueError("capacity must be positive: leave out an arc that carries nothing")
    check_terminals(terminals, sent, np.zeros(received.size, np.int32), indptr.size - 1)
    if demand is not None:
        if np.shape(demand) != (terminals.size, terminals.size):
            raise ValueError(f"demand must have shape ({terminals.size}, {terminals.size}), got {np.shape(demand)}")
        check_amounts(demand=demand)


def check_circuits(
    before: NDArray[np.int16], now: NDArray[np.int16], north: NDArray[np.int32], south: NDArray[np.int32]
) -> None:
    """Raise ValueError unless circuits are counted by switch and two blocks, ports by block and switch."""
    switches, blocks = now.shape[0], now.shape[1]
    for name, array, shape in (
        ("now", now, (switches, blocks, blocks)),
        ("before", before, now.shape),
        ("north", north, (blocks, switches)),
        ("south", south, (blocks, switches)),
    ):
        if array.shape != shape or 0 in shape:
            raise ValueError(f"{name} must have the shape {shape} without a zero, got {array.shape}")
        if int(array.min()) < 0 or int(array.max()) > 30_000:
            raise ValueError(f"{name} must lie in 0 to 30,000, got {array.min()} to {array.max()}")
