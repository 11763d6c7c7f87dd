"""Bytes of what training keeps and moves, by name, each with its source."""

import tomllib
from functools import lru_cache
from pathlib import Path

_FILE = Path(__file__).with_name("states.toml")


def bytes_of(name: str) -> int:
    """Bytes of a weight's or a value's state.

    >>> bytes_of("weight") + bytes_of("optimizer")
    14
    """
    return _states()[name]


@lru_cache(maxsize=1)
def _states() -> dict[str, int]:
    rows = tomllib.loads(_FILE.read_text("utf-8"))
    return {name: int(row["bytes"]) for name, row in rows.items()}
