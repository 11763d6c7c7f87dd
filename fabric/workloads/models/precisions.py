"""Precisions: how many bytes a weight takes in a number format, and which rate of an accelerator it computes at."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from topologies.errors import ConfigError, unknown
from topologies.kinds import Accelerator

_FILE = Path(__file__).with_name("precisions.toml")


@dataclass(frozen=True, slots=True)
class Precision:
    """A number format: bytes of a weight with its share of a scale, and the field of an accelerator's rate."""

    name: str
    weight_bytes: float
    peak: str
    source: str

    def peak_tflops(self, row: Accelerator) -> float:
        """Dense rate of an accelerator in this format; ConfigError where its row has none.

        >>> from topologies.parts import part
        >>> precision("fp8").peak_tflops(part("h100-sxm", Accelerator))
        1979.0
        """
        value = getattr(row, self.peak, None)
        if value is None:
            what = f"accelerator '{row.name}' has no {self.peak}, the rate of {self.name}"
            raise ConfigError(f"{what}; give another precision")
        return float(value)


def precision(name: str) -> Precision:
    """The number format of a name, in any case; ConfigError with the nearest one where there is none.

    >>> precision("NVFP4").weight_bytes
    0.5625
    """
    rows = precisions()
    if str(name).lower() not in rows:
        raise ConfigError(unknown("precision", name, rows))
    return rows[str(name).lower()]


@lru_cache(maxsize=1)
def precisions() -> dict[str, Precision]:
    """All of them by name."""
    rows = tomllib.loads(_FILE.read_text("utf-8"))
    return {name: Precision(name, **row) for name, row in rows.items()}
