"""Losses: what a switch was measured to lose from port to port, and which pairs that forbids."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from fabric.planning.ports import Ports
from topologies.circuits import CircuitLayer
from topologies.errors import ConfigError, unknown
from topologies.optical_limits import port_limits_db
from topologies.optical_loss import switch_loss
from topologies.parts import Catalogue, CircuitSwitch

Matrix = NDArray[np.float64]
COLUMNS = ("switch", "a", "b", "loss_db")
MOST_LOSS_DB = 100.0  # a file that says more means something else
ROUNDING_DB = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """Per switch, float64[P, P] from the first port of a cross-connect to the second: dB lost, and the most that may
    be; `unmeasured` counts pairs that stand on the catalogue's mean."""

    db: Mapping[int, Matrix]
    most_db: Mapping[int, Matrix]
    unmeasured: int = 0

    def over_db(self, switch: int) -> Matrix:
        """How much more than it may each pair of ports loses; above zero: forbidden."""
        db = self.db[switch]
        most = np.where(np.isinf(db), 0.0, self.most_db[switch])  # a pair that must not be joined is over any limit
        over: Matrix = db - most - ROUNDING_DB
        return over


def read_losses(path: Path, switches: Sequence[str]) -> dict[int, Matrix]:
    """Losses of a file by switch, dB, NaN where it is silent: `.npz` with an array [P, P] named after each switch, or
    `.csv` with the columns switch, a, b, loss_db; inf says that a pair must not be joined.

    ConfigError for a file that cannot be read, a switch that there is not, or a loss below zero.
    """
    found = _npz(path, switches) if path.suffix.lower() == ".npz" else _csv(path, switches)
    for k, matrix in found.items():
        wrong = (matrix < 0) | ((matrix > MOST_LOSS_DB) & np.isfinite(matrix))
        if wrong.any():
            a, b = np.argwhere(wrong)[0]
            raise ConfigError(
                f"{path}: {switches[k]} loses {matrix[a, b]:g} dB from port {a} to {b}; give 0 to {MOST_LOSS_DB:g}, "
                "or inf for a pair that must not be joined"
            )
    if not found:
        raise ConfigError(f"{path}: no loss of any switch; give at least one pair of ports")
    return found


def _npz(path: Path, switches: Sequence[str]) -> dict[int, Matrix]:
    place = {name: k for k, name in enumerate(switches)}
    found = {}
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            for name in file.files:
                if name not in place:
                    raise ConfigError(f"{path}: {unknown('circuit switch', name, switches)}")
                array = np.asarray(file[name])
                if array.ndim != 2 or array.dtype.kind not in "iuf":
                    raise ConfigError(f"{path}: {name} is no matrix of dB, first port by second")
                found[place[name]] = array.astype(np.float64)
    except ConfigError:
        raise
    except (OSError, ValueError, EOFError, TypeError, AttributeError, BadZipFile) as error:
        why = getattr(error, "strerror", None) or "not an .npz file"
        raise ConfigError(f"{path}: {why}; give an .npz file with a matrix for each switch") from None
    return found


def _csv(path: Path, switches: Sequence[str]) -> dict[int, Matrix]:
    place = {name: k for k, name in enumerate(switches)}
    rows: dict[int, list[tuple[int, int, float]]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise ConfigError(f"{path}: the first line is not {','.join(COLUMNS)}")
            for row in reader:
                if row["switch"] not in place:
                    raise ConfigError(f"{path}: {unknown('circuit switch', str(row['switch']), switches)}")
                a, b, loss = int(row["a"]), int(row["b"]), float(row["loss_db"] or "nan")
                if not 0 <= min(a, b) <= max(a, b) < 2**15:
                    raise ConfigError(f"{path}: {row['switch']} has no pair of ports {a} and {b}")
                rows.setdefault(place[row["switch"]], []).append((a, b, loss))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a .csv or .npz file of losses") from None
    except (UnicodeDecodeError, csv.Error, ValueError, TypeError):
        raise ConfigError(f"{path}: a line is not a switch, two ports and a loss in dB") from None
    found = {}
    for k, given in rows.items():
        most = max(max(a, b) for a, b, _ in given) + 1
        found[k] = np.full((most, most), np.nan)
        for a, b, loss in given:
            found[k][a, b] = loss
    return found


def losses_of(
    measured: Mapping[int, Matrix],
    ports: Ports,
    parts: Catalogue,
    *,
    layer: CircuitLayer | None = None,
    limit_db: float | None = None,
) -> Losses:
    """Measured losses as a plan needs them: pairs that were not measured lose the mean of the switch's catalogue row;
    a pair may lose `limit_db`, and with a layer what the modules at its ends allow.

    ConfigError for a matrix with more ports than the switch has.
    """
    db, most, silent = {}, {}, 0
    for k, given in measured.items():
        size = _ports_of(ports, k, layer)
        if max(given.shape) > size:
            raise ConfigError(
                f"{ports.wiring.switches[k]} has {size} ports a side; the losses are those of {max(given.shape)}"
            )
        matrix = np.full((size, size), np.nan)
        matrix[: given.shape[0], : given.shape[1]] = given
        if ports.one_sided and ports.one_sided_ports:  # a circuit has no direction
            matrix = np.fmax(matrix, matrix.T)
        blank = np.isnan(matrix)
        silent += int(blank.sum())
        matrix[blank] = _usual(ports.parts[k], matrix, parts)
        limits = np.full((size, size), np.inf if limit_db is None else limit_db)
        if layer is not None:
            limits = np.minimum(limits, port_limits_db(layer, k, parts))
        db[k], most[k] = matrix, limits
    return Losses(db, most, silent)


def _ports_of(ports: Ports, switch: int, layer: CircuitLayer | None) -> int:
    if layer is not None:
        return int(layer.ports_per_side[switch])
    own = ports.slots.port[ports.switch_of == switch]
    return int(max(own.max(initial=0), ports.slots.back[ports.switch_of == switch].max(initial=0))) + 1


def _usual(part: str, matrix: Matrix, parts: Catalogue) -> float:
    """The mean loss of a model; of what was measured where the catalogue does not know it."""
    row = parts.get(part)
    loss = switch_loss(row) if isinstance(row, CircuitSwitch) else None
    if loss is not None:
        return loss.mean_db
    known = matrix[np.isfinite(matrix)]
    return float(known.mean()) if len(known) else 0.0
