"""TOML files that a user writes, read within bounds: text, size, depth, and keys of keys."""

import re
import tomllib
from pathlib import Path
from typing import Any

from topologies.errors import ConfigError
from topologies.formats.contents import read_text

MAX_MIB = 8  # the largest of ours has 100 KiB; tomllib takes a second a MiB
_DOTTED = re.compile(r"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){64}")  # tomllib's time and memory grow with their square


def read_toml(path: Path, wanted: str, most_mib: int = MAX_MIB) -> dict[str, Any]:
    """The document of a TOML file, empty where the file is; ConfigError says what is wrong and what is wanted.

    >>> read_toml(Path("absent.toml"), "a TOML topology")
    Traceback (most recent call last):
    topologies.errors.ConfigError: absent.toml: No such file or directory; give a TOML topology
    """
    text = read_text(path, wanted, most_mib)
    if _DOTTED.search(text):
        raise ConfigError(f"{path}: a key within keys, more than 64 deep; give {wanted}")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{path}: lists within lists, too deep; give {wanted}") from None
    except ValueError as error:  # tomllib's own, digits without end
        raise ConfigError(f"{path}: not {wanted}: {error}") from None
