"""Demand: what blocks want to send each other, from a file or from a collective."""

import csv
from collections.abc import Sequence
from pathlib import Path

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from fabric.algorithms import ALGORITHMS
from fabric.collectives import COLLECTIVES, collective
from fabric.traffic import Traffic
from topologies.errors import ConfigError, TopologyError, unknown
from topologies.graph import Topology

Matrix = NDArray[np.float64]  # [N, N], from the row's block to the column's; zero diagonal
ENDINGS = (".csv", ".npy")
SPAN = 1e7  # from the smallest to the largest entry: less is lost in the rounding of solvers
LIMITS = 1e-6, 1e18  # of an entry: what lies outside is a slip of units, and no float holds sums of it


def demand_of(given: str, topology: Topology, blocks: Sequence[str]) -> tuple[Matrix, str]:
    """The demand that a file (.csv, .npy: Gb/s) or a collective's name (`all-to-all`, `all-reduce:ring`) stands for,
    and what it is.

    A collective's demand has no rate: it is in bytes per byte of size, for `filling` to scale. ConfigError for what is
    neither.
    """
    name = given.partition(":")[0]
    if name in COLLECTIVES:
        return collective_demand(topology, given, blocks), f"{given} between the accelerators of {topology.name}"
    if given.lower().endswith(ENDINGS):
        return read_demand(Path(given), blocks), given
    raise ConfigError(unknown("demand", given, COLLECTIVES, "give a .csv or .npy matrix of blocks, or a collective"))


def read_demand(path: Path, blocks: Sequence[str], *, what: str = "block", unit: str = "Gb/s") -> Matrix:
    """The matrix of a file from the row's block to the column's, Gb/s (another `unit`, between `what` else is named):
    `.npy`, or `.csv`, plain or with the names of blocks in its first row and column. Blocks that a named file leaves
    out want nothing. The diagonal is ignored: it needs no circuit.

    ConfigError, of one line, for a file that cannot be read, another shape, a name that is no block's, a value that is
    negative or no number, or no demand at all.
    """
    matrix = _npy(path) if path.name.lower().endswith(".npy") else _csv(path, blocks, what)
    n = len(blocks)
    if matrix.shape != (n, n):
        shape = " x ".join(map(str, matrix.shape)) or "a single number"
        raise ConfigError(f"{path}: {shape} is not the demand between {n} {what}s; give {n} x {n} numbers")
    outside = (matrix > LIMITS[1]) | ((matrix > 0) & (matrix < LIMITS[0]))
    bad = np.argwhere(~np.isfinite(matrix) | (matrix < 0) | outside)
    if len(bad):
        i, j = bad[0]
        raise ConfigError(
            f"{path}: the demand from {blocks[i]} to {blocks[j]} is {matrix[i, j]:g}; give {unit}, zero or from "
            f"{LIMITS[0]:g} to {LIMITS[1]:g}"
        )
    np.fill_diagonal(matrix, 0.0)
    if not matrix.any():
        raise ConfigError(f"{path}: no {what} sends another anything; give at least one demand above zero")
    least, most = matrix[matrix > 0].min(), matrix.max()
    if most > SPAN * least:
        raise ConfigError(f"{path}: {unit} from {least:g} to {most:g} are no one demand; leave the smallest out")
    return matrix


def _npy(path: Path) -> Matrix:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.ndim != 2 or array.dtype.kind not in "iuf":
            raise ConfigError(
                f"{path}: an array of {array.dtype} in {array.ndim} dimensions is no matrix of numbers; give one "
                "row and one column each"
            )
        return np.array(array, np.float64)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or 'not an .npy file'}; give a .csv or .npy matrix") from None
    except (ValueError, EOFError, AttributeError, SyntaxError):
        raise ConfigError(f"{path}: not an .npy file of numbers; write it by numpy.save") from None


def _csv(path: Path, blocks: Sequence[str], what: str) -> Matrix:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file) if any(map(str.strip, row))]
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a .csv or .npy matrix") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: not a CSV file: {error}") from None
    if not rows:
        raise ConfigError(f"{path}: empty; give one row and one column a {what}")
    named = not _is_number(rows[0][-1])
    columns, body, below = (rows[0][1:], [row[1:] for row in rows[1:]], rows[1:]) if named else ([], rows, rows)
    wide = len(columns) if named else len(rows[0])
    for row in body:
        if len(row) != wide:
            raise ConfigError(f"{path}: a row has {len(row)} numbers where others have {wide}; give a whole matrix")
        for cell in row:
            if not _is_number(cell):
                raise ConfigError(f"{path}: '{cell:.40}' is no number; give zero or more")
    values = np.array(body, np.float64).reshape(len(body), wide)
    if not named:
        return values
    place = {name: b for b, name in enumerate(blocks)}
    at = []
    for names in ([row[0] for row in below], columns):
        for name in names:
            if name not in place:
                raise ConfigError(f"{path}: {unknown(what, name, blocks)}")
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ConfigError(f"{path}: {what} '{twice}' stands there twice; give it one row and one column")
        at.append([place[name] for name in names])
    matrix = np.zeros((len(blocks), len(blocks)))
    matrix[np.ix_(*at)] = values
    return matrix


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def collective_demand(topology: Topology, given: str, blocks: Sequence[str]) -> Matrix:
    """What a collective (`all-to-all`, or with an algorithm `all-reduce:ring`; `direct` where none is named) has the
    accelerators of each block send those of each other, in bytes per byte of size.

    >>> from topologies.registry import build
    >>> t = build("jupiter:blocks=3,uplinks=4,hosts=2")
    >>> collective_demand(t, "all-to-all", ["block-0", "block-1", "block-2"])[0].round(3).tolist()
    [0.0, 0.667, 0.667]
    """
    name, _, algorithm = given.partition(":")
    if (algorithm or "direct") not in ALGORITHMS:
        raise ConfigError(unknown("algorithm", algorithm, ALGORITHMS))
    pattern = collective(name, len(topology.accelerators))
    steps = ALGORITHMS[algorithm or "direct"](topology, pattern).steps
    place = {block: b for b, block in enumerate(blocks)}
    of_rank = np.array([place[block] for block in blocks_of_ranks(topology)])
    matrix: Matrix = sum((summed(step.traffic, of_rank, len(blocks)) for step in steps), np.zeros((len(blocks),) * 2))
    if not matrix.any():
        raise ConfigError(f"{given}: nothing leaves a block; circuits between them carry none of it")
    return matrix


def summed(traffic: Traffic, group: NDArray[np.int64], groups: int) -> Matrix:
    """Traffic between ranks summed to groups of ranks (int[n], the group of each), what stays in one left out.

    >>> summed(Traffic.uniform(4, 1.0), np.array([0, 0, 1, 1]), 2).tolist()
    [[0.0, 4.0], [4.0, 0.0]]
    """
    from scipy.sparse import coo_array

    lists = len(traffic.list_ptr) - 1
    sent = coo_array((traffic.list_amount, (group[traffic.list_rank], traffic.list_of)), (groups, lists))
    taken = coo_array((traffic.entry_scale, (traffic.entry_list, group[traffic.entry_target])), (lists, groups))
    matrix: Matrix = (sent.tocsr() @ taken.tocsr()).toarray()
    np.fill_diagonal(matrix, 0.0)
    return matrix


def blocks_of_ranks(topology: Topology) -> list[str]:
    """The block that each accelerator belongs to: that of the circuit switches' end which it is, or which it reaches
    without a circuit.

    TopologyError where a fabric has no circuits, or accelerators reach the ends of several blocks, or of none.
    """
    layer = topology.circuits
    if layer is None:
        raise TopologyError(f"{topology.name} has no circuit switches, so nothing to plan")
    own = dict(zip(layer.ends, layer.blocks, strict=True))
    if all(label in own for label in topology.accelerators):
        return [own[label] for label in topology.accelerators]
    still = nx.Graph()
    still.add_nodes_from(topology.graph)
    still.add_edges_from((a, b) for a, b, medium in topology.graph.edges(data="medium") if medium != "circuit")
    found: dict[object, str] = {}
    for part in nx.connected_components(still):
        names = {own[node] for node in part if node in own}
        if len(names) == 1:
            found |= dict.fromkeys(part, names.pop())
    lost = next((label for label in topology.accelerators if label not in found), None)
    if lost is not None:
        raise TopologyError(
            f"{lost} of {topology.name} reaches circuits of no block, or of several: its demand between blocks is "
            "not known; give a matrix of blocks"
        )
    return [found[label] for label in topology.accelerators]


def filling(demand: Matrix, gbps: NDArray[np.float64]) -> Matrix:
    """The multiple of a demand at which the busiest block fills its links (float64[N], Gb/s one way)."""
    scaled: Matrix = demand * port_bound(demand, gbps)
    return scaled


def port_bound(demand: Matrix, gbps: NDArray[np.float64]) -> float:
    """The multiple of a demand that no topology exceeds: ports / largest row sum, in and out.

    >>> port_bound(np.array([[0, 100.0], [50, 0]]), np.array([400.0, 400]))
    4.0
    """
    loads = np.maximum(demand.sum(axis=1), demand.sum(axis=0))
    return float((gbps[loads > 0] / loads[loads > 0]).min())
