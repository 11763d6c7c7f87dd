"""Names of accelerators as benchmarks write them, and the catalogue's row of each."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from topologies.errors import ConfigError, unknown
from topologies.kinds import Accelerator
from topologies.parts import catalogue, part
from topologies.toml_documents import read_toml

_FILE = Path(__file__).with_name("accelerator_names.toml")
_MOST = 60  # letters of a name that an error repeats


def named_accelerator(name: str) -> Accelerator:
    """The catalogue's row of an accelerator: by its own name, or by the words in which vendors' suffixes, memory and
    form are told. ConfigError for several kinds in one, and for those that are not known.

    >>> named_accelerator("NVIDIA H200-SXM-141GB").name, named_accelerator("AMD Instinct MI300X 192GB HBM3").name
    ('h200-sxm', 'mi300x')
    """
    own = re.sub(r"[-_\s]+", "-", name.strip().lower())
    if own in _accelerators():
        return part(own, Accelerator)
    found = _found(re.sub(r"[-_\s]+", " ", name.lower()))
    if len(found) > 1:
        raise ConfigError(f"several kinds of accelerators in one: {', '.join(found)}; a row has one")
    if not found:
        listed = "aifabric parts --kind accelerator lists them"
        raise ConfigError(unknown("accelerator", name[:_MOST], _accelerators(), listed))
    return part(found[0], Accelerator)


def _found(words: str) -> list[str]:
    """Parts whose patterns are found in the words, each once."""
    found: list[str] = []
    for pattern, name in _patterns():
        for match in pattern.finditer(words):
            told = re.sub(r"\\(\d)", next((group for group in match.groups() if group), ""), name)
            if told not in found:
                found.append(told)
        words = pattern.sub(" ", words)
    return found


def _accelerators() -> list[str]:
    return [row.name for row in catalogue().of_kind(Accelerator)]


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    rules: list[dict[str, Any]] = read_toml(_FILE, "names of accelerators")["name"]
    own = [(rf"(?<![a-z0-9]){re.escape(n.replace('-', ' '))}(?![a-z0-9])", n) for n in _accelerators()]
    told = [(rf"(?<![a-z0-9])(?:{rule['pattern']})(?![a-z0-9])", str(rule["part"])) for rule in rules]
    return [(re.compile(pattern), name) for pattern, name in (*told, *own)]
