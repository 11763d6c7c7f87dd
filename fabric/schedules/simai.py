"""SimAI's workload text: how the ranks of a training step are grouped, and what each layer computes and exchanges."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from fabric.schedules import Recorded
from fabric.schedules.program import Program
from topologies.errors import ConfigError, unknown
from topologies.formats.contents import read_whole

MAX_MIB = 256
MAX_ROWS = 1_000_000
MAX_RANKS = 10_000_000
WANTED = "a workload of SimAI (HYBRID_TRANSFORMER_FWD_IN_BCKWD model_parallel_NPU_group: N ep: N ..., then layers)"
KINDS = ("HYBRID_TRANSFORMER_FWD_IN_BCKWD", "HYBRID_TRANSFORMER")
COLLECTIVES = {
    "ALLREDUCE": "all-reduce", "ALLGATHER": "all-gather", "REDUCESCATTER": "reduce-scatter", "ALLTOALL": "all-to-all",
}  # fmt: skip
ENDINGS = ("EP", "DP_EP")  # of a type: who takes part; without one the pass says so
KEYS = {
    "model_parallel_NPU_group": "tensor", "ep": "experts", "pp": "stages", "vpp": "chunks", "ga": "microbatches",
    "all_gpus": "ranks", "pp_comm": "stage_bytes", "checkpoints": "checkpoints",
    "checkpoint_initiates": "checkpoint_initiates",
}  # fmt: skip
NEEDED = ("model_parallel_NPU_group", "all_gpus")
COLUMNS = 12
_WHOLE = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A collective that all groups of a kind (TP, EP, DP or DP_EP) do at once; `bytes` as on the command line."""

    collective: str
    group: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Pass:
    """What a layer does in one direction: seconds of computation, then a collective, if any."""

    seconds: float
    exchanged: Exchanged | None


@dataclass(frozen=True, slots=True)
class Layer:
    """A row: forward, gradients of its input, gradients of its weights, and the update once those are exchanged."""

    name: str
    forward: Pass
    input_gradient: Pass
    weight_gradient: Pass
    update_s: float

    def scaled(self, factor: float) -> "Layer":
        """The same with computations that take so many times as long."""
        forward, inputs, weights = (
            replace(own, seconds=own.seconds * factor)
            for own in (self.forward, self.input_gradient, self.weight_gradient)
        )
        return Layer(self.name, forward, inputs, weights, self.update_s * factor)


@dataclass(frozen=True, slots=True)
class Layers:
    """What one rank of every pipeline stage does in a training step, and the sizes of the groups.

    Ranks are numbered as Megatron does: tensor parallelism fastest, then experts, data, pipeline stages. The rows hold
    all `microbatches`; `chunks` of a stage are interleaved; `stage_bytes` go from one stage to the next.
    """

    tensor: int
    experts: int
    stages: int
    chunks: int
    microbatches: int
    ranks: int
    stage_bytes: int
    rows: tuple[Layer, ...]

    @property
    def data(self) -> int:
        """Ranks of a data-parallel group, experts' among them."""
        return self.ranks // self.tensor // self.stages

    @property
    def numbering(self) -> dict[str, int]:
        """Dimensions and sizes, the fastest first, as `fabric.membership` takes them."""
        return {"tp": self.tensor, "ep": self.experts, "dp": self.data // self.experts, "pp": self.stages}

    def over(self, group: str) -> tuple[str, ...]:
        """The dimensions that a kind of group extends over.

        >>> Layers(2, 16, 12, 8, 24, 9216, 0, ()).over("DP")
        ('ep', 'dp')
        """
        return {"TP": ("tp",), "EP": ("ep",), "DP": ("ep", "dp"), "DP_EP": ("dp",), "PP": ("pp",)}[group]

    def size(self, group: str) -> int:
        """Ranks of a group of a kind."""
        found = 1
        for dimension in self.over(group):
            found *= self.numbering[dimension]
        return found

    def scaled(self, factor: float) -> "Layers":
        """The same with computations that take so many times as long.

        >>> from fabric.schedules.simai import Layer, Pass
        >>> one = Layer("a", Pass(2.0, None), Pass(0.0, None), Pass(0.0, None), 0.0)
        >>> Layers(1, 1, 1, 1, 1, 4, 0, (one,)).scaled(0.5).rows[0].forward.seconds
        1.0
        """
        return replace(self, rows=tuple(row.scaled(factor) for row in self.rows))

    def repeats(self) -> list[bool]:
        """For each row, does every micro-batch have one? What stands there another number of times is done once."""
        count: dict[str, int] = {}
        for row in self.rows:
            count[row.name] = count.get(row.name, 0) + 1
        return [count[row.name] % self.microbatches == 0 for row in self.rows]


def read_simai(path: Path) -> Recorded:
    """A workload that AICB wrote for SimAI (Wang et al., NSDI 2025), as its Workload.cc reads it: text, nanoseconds,
    bytes.

    A collective without ending is over TP in the forward pass and for gradients of inputs, over DP for gradients of
    weights; `_EP` and `_DP_EP` say otherwise. ConfigError names the line of what cannot be read, sizes of groups that
    do not divide the ranks, rows that are missing, and recomputation, which is not read.

    >>> read_simai(Path("nowhere.txt"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    topologies.errors.ConfigError: nowhere.txt: No such file or directory; give a workload of SimAI (HYBRID_...
    """
    lines = read_whole(path, WANTED, MAX_MIB).splitlines()
    head = _header(lines[0], path)
    count = lines[1].strip() if len(lines) > 1 else ""
    if not _WHOLE.fullmatch(count) or not 0 < int(count) <= MAX_ROWS:
        raise ConfigError(f"{path}: line 2: '{count[:40]}' is not the number of layers, 1 to {MAX_ROWS:,}")
    rows = [(number, line) for number, line in enumerate(lines[2:], start=3) if line.strip()]
    if len(rows) != int(count):
        raise ConfigError(f"{path}: {len(rows):,} layers follow, line 2 says {int(count):,}; the file is cut off")
    layers = Layers(
        head["model_parallel_NPU_group"], head.get("ep", 1), head.get("pp", 1), head.get("vpp", 1), head.get("ga", 1),
        head["all_gpus"], head.get("pp_comm", 0), tuple(_row(line, f"{path}: line {n}") for n, line in rows),
    )  # fmt: skip
    _check(layers, path)

    def program(size: float) -> Program:
        raise ConfigError(f"{path}: layers of {layers.ranks:,} ranks are not run flow by flow; use aifabric trace")

    return Recorded(path.stem, "simai", layers.ranks, None, program, layers=layers)


def _header(line: str, path: Path) -> dict[str, int]:
    """The numbers of the first line, by key."""
    words = line.split()
    where = f"{path}: line 1"
    if not words or words[0] not in KINDS:
        raise ConfigError(f"{where}: '{line[:40]}' is none of {', '.join(KINDS)}; give {WANTED}")
    found: dict[str, int] = {}
    at = 1
    while at < len(words):
        key = words[at].removesuffix(":")
        if key not in KEYS:
            raise ConfigError(f"{where}: {unknown('key', key[:40], KEYS)}")
        value = words[at + 1] if at + 1 < len(words) else ""
        if not _WHOLE.fullmatch(value):
            raise ConfigError(f"{where}: {key}: '{value[:40]}' is not a whole number")
        if key in found:
            raise ConfigError(f"{where}: {key} stands there twice")
        found[key] = int(value)
        at += 2
        if key.startswith("checkpoint") and found[key]:
            raise ConfigError(f"{where}: {key}: {found[key]}; recomputation is not read: give 0, its time in the rows")
    lost = next((key for key in NEEDED if key not in found), None)
    if lost is not None:
        raise ConfigError(f"{where}: no {lost}; give {WANTED}")
    return found


def _row(line: str, where: str) -> Layer:
    words = line.split()
    if len(words) != COLUMNS:
        raise ConfigError(f"{where}: {len(words)} columns, not {COLUMNS}: name, dependency, three of (ns, collective, "
                          "bytes), ns of the update")  # fmt: skip
    return Layer(
        words[0], _pass(words[2:5], "TP", where), _pass(words[5:8], "TP", where), _pass(words[8:11], "DP", where),
        _number(words[11], "update", where) * 1e-9,
    )  # fmt: skip


def _pass(words: list[str], usual: str, where: str) -> Pass:
    seconds, size = _number(words[0], "time", where) * 1e-9, _number(words[2], "size", where)
    if words[1] == "NONE":
        return Pass(seconds, None)
    name, _, ending = words[1].partition("_")
    if name not in COLLECTIVES or (ending and ending not in ENDINGS):
        _unread(words[1], where)
    return Pass(seconds, Exchanged(COLLECTIVES[name], ending or usual, size) if size else None)


def _number(word: str, what: str, where: str) -> int:
    if not _WHOLE.fullmatch(word):
        raise ConfigError(f"{where}: {what} '{word[:40]}' is not a whole number of zero or more")
    return int(word)


def _unread(word: str, where: str) -> NoReturn:
    endings = " or ".join(f"_{ending}" for ending in ENDINGS)
    raise ConfigError(f"{where}: collective '{word[:40]}' is none of NONE, {', '.join(COLLECTIVES)}, with {endings}")


def _check(layers: Layers, path: Path) -> None:
    """Sizes that are there and divide."""
    for key, value in (
        ("model_parallel_NPU_group", layers.tensor), ("ep", layers.experts), ("pp", layers.stages),
        ("vpp", layers.chunks), ("ga", layers.microbatches), ("all_gpus", layers.ranks),
    ):  # fmt: skip
        if not 1 <= value <= MAX_RANKS:
            raise ConfigError(f"{path}: line 1: {key}: {value:,} is not from 1 to {MAX_RANKS:,}")
    if layers.ranks % (layers.tensor * layers.stages * layers.experts):
        raise ConfigError(
            f"{path}: line 1: model_parallel_NPU_group {layers.tensor} x ep {layers.experts} x pp {layers.stages} "
            f"does not divide all_gpus {layers.ranks:,}"
        )
