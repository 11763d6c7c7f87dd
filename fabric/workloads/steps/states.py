"""Bytes of what training keeps and moves, by name, each with its source."""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("states.toml")


def bytes_of(name: str) -> int:
    """Bytes of a weight's or a value's state.

    >>> bytes_of("weight") + bytes_of("optimizer")
    14
    """
    return int(_states()[name]["bytes"])


def pretraining_tokens() -> int:
    """Tokens of a sequence where a step names none.

    >>> pretraining_tokens()
    8192
    """
    return int(_states()["sequence"]["tokens"])


def layers_of(name: str) -> int:
    """How many layers are in a state at a time.

    >>> layers_of("gathered")
    2
    """
    return int(_states()[name]["layers"])


@lru_cache(maxsize=1)
def _states() -> dict[str, dict[str, Any]]:
    return tomllib.loads(_FILE.read_text("utf-8"))
