"""Placement: new circuits on the ports of their blocks that lose least, and on none that lose too much."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.planning.losses import Losses, Matrix
from fabric.planning.ports import Ports
from fabric.planning.strands import HELD, IDLE, Choice, Chosen, choose_ports
from fabric.planning.units import Units
from topologies.errors import InfeasibleError

Rows = NDArray[np.int32]  # [M, 2] of slots
Vector = NDArray[np.int32]


def on_good_ports(
    ports: Ports,
    units: Units,
    losses: Losses,
    *,
    exact: bool = False,
    pinned: Sequence[str] = (),
) -> tuple[Units, list[str]]:
    """Changes on ports that lose little, and what is to be said about them; an `exact` target is only checked.

    InfeasibleError where a pair that would have to be joined is forbidden.
    """
    if exact:
        _refuse_forbidden(ports, units, losses)
    moved = units if exact else avoiding(ports, units, losses, pinned=pinned)
    notes = []
    if len(moved.down) > len(units.down):
        notes.append(
            f"{len(moved.down) - len(units.down)} circuits that could stay are laid anew, for the loss of others"
        )
    rows, over = _crosses_over(ports, losses, moved.up)
    if len(rows):
        db = np.array([losses.db[k][a, b] for k, a, b in rows.tolist()])
        k, a, b = rows[int(np.argmax(db))].tolist()
        rest = "" if np.isinf(over).all() else f", {-over.max():.2f} dB within what it may for the nearest to its limit"
        notes.append(
            f"new circuits lose {db.mean():.2f} dB on average, {db.max():.2f} dB at most ({ports.wiring.switches[k]} "
            f"ports {a} and {b}){rest}"
        )
    _, stay = _crosses_over(ports, losses, _kept(ports, moved))
    if (stay > 0).any():
        notes.append(f"{int((stay > 0).sum())} cross-connects that stay lose more than they may, as they do today")
    if losses.unmeasured:
        notes.append(f"{losses.unmeasured:,} pairs of ports are not in the file and take the mean of the catalogue")
    return moved, notes


def _crosses_over(ports: Ports, losses: Losses, circuits: Rows) -> tuple[Rows, Matrix]:
    """Cross-connects of these circuits on measured switches, and how much more than they may each loses."""
    rows = ports.crosses(circuits) if len(circuits) else np.empty((0, 3), np.int32)
    rows = rows[np.isin(rows[:, 0], list(losses.db))]
    over = {k: losses.over_db(k) for k in np.unique(rows[:, 0]).tolist()}
    return rows, np.array([over[k][a, b] for k, a, b in rows.tolist()], np.float64)


def _refuse_forbidden(ports: Ports, units: Units, losses: Losses) -> None:
    rows, over = _crosses_over(ports, losses, units.up)
    if (over > 0).any():
        k, a, b = rows[int(np.argmax(over))].tolist()
        by = f"{over.max():.2f} dB more than it may" if np.isfinite(over.max()) else "a pair that must not be joined"
        raise InfeasibleError(
            f"the target joins ports {a} and {b} of {ports.wiring.switches[k]}, {by}, and leaves no choice of ports; "
            "give another target"
        )


def _kept(ports: Ports, units: Units) -> Rows:
    """The circuits that stay."""
    size = len(ports.slots.pool)
    old, lost = (c[:, 0].astype(np.int64) * size + c[:, 1] for c in (ports.circuits, units.down))
    return ports.circuits[~np.isin(old, lost)]


def avoiding(ports: Ports, units: Units, losses: Losses, *, pinned: Sequence[str] = ()) -> Units:
    """The same changes on ports that avoid forbidden pairs and lose least: each new circuit on idle ports, or on those
    that its own unit frees, of the same block and side. Where that is not enough, units of a switch exchange ports and
    become one; then the fewest circuits that would stay, none of a `pinned` block, are laid anew on other ports of
    their blocks.

    InfeasibleError names the pair that is nearest, and by how many dB it is short.
    """
    switch_of_up, switch_of_down = ports.switch_of[units.up[:, 0]], ports.switch_of[units.down[:, 0]]
    downs, ups, of_downs, of_ups = ([units.down[:0]], [units.up[:0]], [units.unit_of_down[:0]], [units.unit_of_up[:0]])
    labels = units.number
    held = np.isin(ports.block_of, [n for n, name in enumerate(ports.wiring.blocks) if name in pinned])
    movable = _kept(ports, units)
    movable = movable[~held[movable].any(axis=1)]
    for k in range(len(ports.wiring.switches)):
        mine, gone = switch_of_up == k, switch_of_down == k
        down, of_down = units.down[gone], units.unit_of_down[gone]
        up, of_up = units.up[mine], units.unit_of_up[mine]
        if k in losses.db and len(up):
            kept = movable[ports.switch_of[movable[:, 0]] == k]
            found, slots = _chosen(ports, losses, k, down, of_down, up, of_up, kept)
            up = slots[found.circuits].astype(np.int32)
            if found.exchanged:
                down = np.concatenate([down, kept[found.relaid]])
                of_down, of_up = (labels + label for label in _hanging_together(down, up))
                labels = int(max(of_down.max(initial=0), of_up.max(initial=0))) + 1
        for rows, own in ((downs, down), (ups, up), (of_downs, of_down), (of_ups, of_up)):
            rows.append(own)
    every = np.concatenate([*of_downs, *of_ups])
    known, number = np.unique(every, return_inverse=True)
    label = np.asarray(number, np.int32)
    first = sum(len(rows) for rows in of_downs)
    return Units(
        np.concatenate(downs).astype(np.int32), np.concatenate(ups).astype(np.int32), label[:first], label[first:],
        len(known),
    )  # fmt: skip


def _chosen(
    ports: Ports, losses: Losses, switch: int, down: Rows, of_down: Vector, up: Rows, of_up: Vector, kept: Rows
) -> tuple[Chosen, NDArray[np.int64]]:
    """The choice on one switch, and the slots that it counts by."""
    size = len(ports.slots.pool)
    taken = np.zeros(size, bool)
    taken[ports.circuits.ravel()] = True
    idle = np.flatnonzero(~taken & ports.slots.usable & (ports.switch_of == switch))
    slots = np.concatenate([down.ravel(), idle, kept.ravel()]).astype(np.int64)
    owner = np.concatenate([np.repeat(of_down, 2), np.full(len(idle), IDLE), np.full(2 * len(kept), HELD)])
    loss, over = _pairs(ports, losses, switch, slots)
    place = np.full(size, -1)
    place[slots] = np.arange(len(slots))
    pools = ports.slots.pool[up]
    owner = owner.astype(np.int32)
    choice = Choice(place[up], pools, of_up, ports.slots.pool[slots], owner, loss, over > 0, place[kept])
    found = choose_ports(choice)
    if found is None:
        raise InfeasibleError(_short(ports, switch, slots, pools, over))
    return found, slots


def _hanging_together(down: Rows, up: Rows) -> tuple[Vector, Vector]:
    """Labels of circuits taken down and put up, one for those that share a slot."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, edges = np.unique(np.concatenate([down, up]), return_inverse=True)
    edges = edges.reshape(-1, 2)
    size = int(edges.max()) + 1
    _, label = connected_components(coo_array((np.ones(len(edges)), edges.T), shape=(size, size)), directed=False)
    own = label[edges[:, 0]]
    return own[: len(down)], own[len(down) :]


def _pairs(ports: Ports, losses: Losses, switch: int, slots: NDArray[np.int64]) -> tuple[Matrix, Matrix]:
    """dB that a circuit between any two of these slots loses, float64[L, L], and how much that is too much: the sum and
    the worse of both cross-connects where the wiring is duplex."""
    port, back = ports.slots.port[slots], ports.slots.back[slots]
    db, over = losses.db[switch], losses.over_db(switch)
    if ports.one_sided_ports:
        return db[np.ix_(port, port)], over[np.ix_(port, port)]
    there, again = np.ix_(port, back), np.ix_(port, back)
    return db[there] + db[again].T, np.maximum(over[there], over[again].T)


def _short(ports: Ports, switch: int, slots: NDArray[np.int64], pools: NDArray[np.int32], over: Matrix) -> str:
    """One line on the circuit whose best pair of ports is the furthest from what it may lose."""
    own = ports.slots.pool[slots]
    worst: tuple[float, Any] = (-np.inf, None)
    for p, q in np.unique(pools, axis=0).tolist():
        first, second = np.flatnonzero(own == p), np.flatnonzero(own == q)
        here = over[np.ix_(first, second)].copy()
        if p == q:
            np.fill_diagonal(here, np.inf)
        a, b = np.unravel_index(np.argmin(here), here.shape)
        if here[a, b] > worst[0]:
            worst = (float(here[a, b]), (p, q, int(slots[first[a]]), int(slots[second[b]])))
    short, (p, q, a, b) = worst
    names, n = ports.wiring.blocks, len(ports.wiring.blocks)
    pair = f"ports {ports.slots.port[a]} and {ports.slots.port[b]}"
    where = f"{names[p % n]} and {names[q % n]} on {ports.wiring.switches[switch]}"
    if short > 0:
        by = f"{short:.2f} dB short" if np.isfinite(short) else "forbidden"
        return f"no free ports of {where} lose little enough: the best, {pair}, are {by}; want fewer links there"
    return (
        f"the new circuits on {ports.wiring.switches[switch]} do not all find ports that lose little enough; nearest "
        f"to its limit are {pair} of {where}; want fewer links there"
    )
