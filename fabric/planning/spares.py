"""Spares: fibres of failed ports on free ports of the same switch and side, those that lose least."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fabric.planning.losses import MOST_LOSS_DB, Losses
from topologies.circuits import CircuitLayer
from topologies.errors import InfeasibleError
from topologies.optical_loss import switch_loss


@dataclass(frozen=True, slots=True)
class Replugged:
    """A fibre that hands move from a failed port to a spare one of the same switch and side; `loss_db` is the mean of
    the spare's pairs with ports in use."""

    switch: int
    side: int
    failed: int
    spare: int
    loss_db: float


def replug(layer: CircuitLayer, losses: Losses | None = None) -> tuple[CircuitLayer, list[Replugged]]:
    """The layer with every strand of a failed port on a free port of the same switch and side, those that lose least,
    and the fibres to move; ports without a strand are the spares of a switch.

    InfeasibleError where a side has fewer free ports than failed ones.

    >>> from topologies.registry import build
    >>> t = build("jupiter:blocks=4,uplinks=6")
    >>> layer, moved = replug(t.circuits.with_failed([[0, 0, 2]]))
    >>> layer.lost[0], [(one.failed, one.spare) for one in moved]
    (0, [(2, 12)])
    """
    from scipy.optimize import linear_sum_assignment

    strands, moved = layer.strands.copy(), []
    dead = {tuple(row) for row in layer.failed.tolist()}
    for device, side in sorted({(d, s) for d, s, _ in dead}):
        rows = np.flatnonzero((strands[:, 0] == device) & (strands[:, 1] == side))
        hit = [row for row in rows.tolist() if (device, side, int(strands[row, 2])) in dead]
        used = set(strands[rows, 2].tolist())
        ports = range(int(layer.ports_per_side[device]))
        free = [port for port in ports if port not in used and (device, side, port) not in dead]
        if len(hit) > len(free):
            raise InfeasibleError(
                f"ocs-{device} has {len(free)} free ports on side {'AB'[side]} for {len(hit)} fibres of failed ones; "
                "use a switch with spare ports, or leave those links out"
            )
        if not hit:
            continue
        facing = strands[(strands[:, 0] == device) & (strands[:, 1] == int(layer.last_side[device]) - side), 2]
        price = np.array([_mean_loss(layer, losses, device, side, port, facing) for port in free])
        _, column = linear_sum_assignment(np.tile(price, (len(hit), 1)))
        for row, spare in zip(hit, sorted(column.tolist()), strict=True):
            moved.append(Replugged(device, side, int(strands[row, 2]), free[spare], float(price[spare])))
            strands[row, 2] = free[spare]
    order = np.lexsort(strands[:, 2::-1].T)
    return replace(layer, strands=np.ascontiguousarray(strands[order])), moved


def _mean_loss(
    layer: CircuitLayer, losses: Losses | None, device: int, side: int, port: int,
    facing: NDArray[np.int32],
) -> float:  # fmt: skip
    """Mean loss from a port to those on the other side that have a fibre, forbidden pairs at the largest loss."""
    if losses is None or device not in losses.db:
        loss = switch_loss(layer.model(device))
        return 0.0 if loss is None else loss.mean_db
    matrix = np.minimum(losses.db[device], MOST_LOSS_DB)
    row = matrix[port] if side == 0 else matrix[:, port]
    return float(row[facing].mean()) if len(facing) else 0.0
