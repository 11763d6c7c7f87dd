"""Watts of servers that serve: at the wall under full load, and of an accelerator's board by its batch."""

from functools import lru_cache
from math import log2
from pathlib import Path
from typing import Any

from topologies.errors import ConfigError
from topologies.kinds import Accelerator
from topologies.toml_documents import read_toml

_FILE = Path(__file__).with_name("server_watts.toml")


def wall_watts(row: Accelerator, accelerators: int, liquid: bool = False, tuned: bool = False) -> float:
    """Watts at the wall of servers whose accelerators serve as many requests as they can: TDP of each, or the share of
    it that a run tuned for power leaves, hosts, and fans where air cools.

    >>> from topologies.parts import part
    >>> round(wall_watts(part("b200-sxm", Accelerator), 8))  # (8 x 1000 + 1500) x 1.095; measured 10,401 to 10,442 W
    10402
    """
    wall = _watts()["wall"]
    share = wall["tuned_share"] if tuned else 1.0
    inside = accelerators * (_tdp(row) * share + wall["host_w"] / wall["host_accelerators"])
    return float(inside * (1.0 if liquid else 1.0 + wall["fan_share"]))


def board_watts(row: Accelerator, batch: float) -> float:
    """Watts of one accelerator's board that serves so many streams.

    >>> from topologies.parts import part
    >>> round(board_watts(part("h100-sxm", Accelerator), 64))
    601
    """
    board = _watts()["board"]
    tdp_w = board["tdp_w"].get(row.name) or _tdp(row)
    return float(tdp_w * min(1.0, board["idle_share"] + board["doubling_share"] * log2(max(1.0, batch))))


def _tdp(row: Accelerator) -> float:
    if row.tdp_w is None:
        raise ConfigError(f"accelerator '{row.name}' has no tdp_w; give --parts with it")
    return row.tdp_w


@lru_cache(maxsize=1)
def _watts() -> dict[str, Any]:
    return read_toml(_FILE, "watts of servers")
