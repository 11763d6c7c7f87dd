"""Spares: fibres of failed ports on free ports of the same switch and side, those that lose least."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fabric.planning.losses import MOST_LOSS_DB, Losses
from topologies.circuits import SIDE_A, CircuitLayer
from topologies.errors import InfeasibleError
from topologies.optical_loss import switch_loss


@dataclass(frozen=True, slots=True)
class Replugged:
    """A fibre that hands move from a failed port to a spare one of the same switch and side; `loss_db` is that to the
    port that it faces."""

    switch: int
    side: int
    failed: int
    spare: int
    loss_db: float


def replug(
    layer: CircuitLayer, dead: NDArray[np.int32], losses: Losses | None = None
) -> tuple[CircuitLayer, list[Replugged]]:
    """The layer with the strands of dead ports (int32[F, 3] of device, side, port), and the circuits on them, on free
    ports of the same switch and side, those that lose least to the ports that they face; and the fibres to move.

    Ports without a strand are the spares of a switch. InfeasibleError where a side has fewer of them than fibres to
    move, or each of them loses too much.

    >>> from topologies.registry import build
    >>> layer, moved = replug(build("jupiter:blocks=4,uplinks=6").circuits, np.array([[0, 0, 2]], np.int32))
    >>> layer.lost[0], layer.circuits, [(one.failed, one.spare) for one in moved]
    (0, 12, [(2, 12)])
    """
    from scipy.optimize import linear_sum_assignment

    failed = np.unique(np.concatenate([layer.failed, dead]), axis=0)
    gone, asked = ({tuple(row) for row in rows.tolist()} for rows in (failed, dead))
    strands, moved = layer.strands.copy(), []
    for device, side in sorted({(d, s) for d, s, _ in asked}):
        rows = np.flatnonzero((strands[:, 0] == device) & (strands[:, 1] == side))
        hit = [row for row in rows.tolist() if (device, side, int(strands[row, 2])) in asked]
        used = set(layer.strands[rows, 2].tolist())
        free = [p for p in range(int(layer.ports_per_side[device])) if p not in used and (device, side, p) not in gone]
        if len(hit) > len(free):
            raise InfeasibleError(
                f"ocs-{device} has {len(free)} free ports on side {'AB'[side]} for {len(hit)} fibres of failed ones; "
                "use a switch with spare ports, or leave those links out"
            )
        price = np.array([_losing(layer, losses, device, side, int(strands[row, 2]), free) for row in hit])
        for row, spare in zip(hit, linear_sum_assignment(price)[1] if hit else (), strict=True):
            loss = float(price[hit.index(row), spare])
            if loss > MOST_LOSS_DB:
                raise InfeasibleError(
                    f"no free port on side {'AB'[side]} of ocs-{device} loses little enough for the fibre of port "
                    f"{strands[row, 2]}; leave its link out"
                )
            moved.append(Replugged(device, side, int(strands[row, 2]), free[spare], loss))
            strands[row, 2] = free[spare]
    place = {(one.switch, one.side, one.failed): one.spare for one in moved}
    state = layer.state.copy()
    for circuit in state:
        k = int(circuit[0])
        for column, side in ((1, SIDE_A), (2, int(layer.last_side[k]))):
            circuit[column] = place.get((k, side, int(circuit[column])), int(circuit[column]))
    order = np.lexsort(strands[:, 2::-1].T)
    return replace(layer, strands=np.ascontiguousarray(strands[order]), state=state, failed=failed), moved


def _losing(
    layer: CircuitLayer, losses: Losses | None, device: int, side: int, port: int, free: list[int]
) -> NDArray[np.float64]:
    """dB between each free port and the port that this one faces today, or all of the other side in the mean where it
    faces none; beyond any where a pair loses too much."""
    if losses is None or device not in losses.db:
        loss = switch_loss(layer.model(device))
        return np.full(len(free), 0.0 if loss is None else loss.mean_db)
    db = np.where(losses.over_db(device) > 0, 2 * MOST_LOSS_DB, losses.db[device])
    last = int(layer.last_side[device])
    here = layer.state[layer.state[:, 0] == device]
    columns = ((1, 2), (2, 1)) if last == SIDE_A else ((1, 2),) if side == SIDE_A else ((2, 1),)
    facing = np.concatenate([here[here[:, own] == port, other] for own, other in columns])
    if not len(facing):
        facing = layer.strands[(layer.strands[:, 0] == device) & (layer.strands[:, 1] == last - side), 2]
    found: NDArray[np.float64] = (db if side == SIDE_A else db.T)[np.ix_(np.array(free, np.int64), facing)].mean(axis=1)
    return found
