"""Schedules that others recorded or made, one file a format: what each rank sends, receives and computes."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from fabric.schedules.program import Program
from topologies.errors import ConfigError

if TYPE_CHECKING:
    from fabric.schedules.simai import Layers


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """A schedule of `ranks` ranks from a file.

    `program` gives its operations at a size in bytes, which is that of `collective` where the file names one, and
    without effect where it is None: the file then holds the bytes of each message.
    `calls` says whether it has collectives that it leaves to an algorithm of ours, `notes` what was taken for granted.
    `layers` are there where the file says what all ranks alike do layer by layer; it has no program then.
    """

    name: str
    format: str
    ranks: int
    collective: str | None
    program: Callable[[float], Program]
    calls: bool = False
    notes: tuple[str, ...] = ()
    layers: "Layers | None" = None


# format -> module and function, endings, one line of help
READERS = {
    "msccl": ("fabric.schedules.msccl:read_msccl", (".xml",), "an algorithm of MSCCL"),
    "goal": ("fabric.schedules.goal:read_goal", (".goal",), "a schedule in GOAL"),
    "chakra": ("fabric.schedules.chakra:read_chakra", (".et",), "Chakra traces, one file a rank: folder or prefix"),
    "simai": ("fabric.schedules.simai:read_simai", (".txt",), "layers of a training step, as AICB writes for SimAI"),
}


def read_schedule(path: Path) -> Recorded:
    """The schedule of a file by its ending; a folder, or a prefix of `PREFIX.0.et`, `PREFIX.1.et`, ..., is Chakra's.

    ConfigError for another ending, and whatever the reader raises.

    >>> read_schedule(Path("ring.csv"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    topologies.errors.ConfigError: no schedule 'ring.csv'; give a file *.xml, *.goal, *.et, *.txt, or a prefix of ...
    """
    ending = path.suffix.lower()
    chosen = next((name for name, (_, endings, _) in READERS.items() if ending in endings), None)
    if path.is_dir() or path.with_name(f"{path.name}.0.et").is_file():
        chosen = "chakra"
    if chosen is None:
        endings = ", ".join(f"*{ending}" for _, endings, _ in READERS.values() for ending in endings)
        raise ConfigError(f"no schedule '{path}'; give a file {endings}, or a prefix of PREFIX.0.et")
    module, _, function = READERS[chosen][0].partition(":")
    read: Callable[[Path], Recorded] = getattr(import_module(module), function)
    return read(path)
