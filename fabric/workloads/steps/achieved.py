"""What training steps achieve of data-sheet rates, and how much of their communication shows."""

import tomllib
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from topologies.errors import ConfigError
from topologies.kinds import Accelerator

_FILE = Path(__file__).with_name("achieved.toml")


@dataclass(frozen=True, slots=True)
class Achieved:
    """Shares of peak rates of matrix products in 16, 8 and 4 bits, how they depend on a chip's power (`sustained`), of
    attention (of the 16-bit peak), of experts' products (of a dense one's). Passes over memory of a layer's
    activations, and over its scores where attention is not fused. Shares of communication that stay exposed even where
    there is enough to hide it behind. Time in which the host launches a layer's kernels, and what part of it each
    expert of a rank adds. What Blackwell Ultra sustains over Blackwell."""

    gemm_16: float
    gemm_8: float
    gemm_4: float
    power: float
    tpu: float
    attention: float
    experts: float
    vector_passes: float
    score_passes: float
    tp_exposed: float
    ep_exposed: float
    dp_exposed: float
    launch_ms: float
    expert_launch: float
    ultra: float

    def gemm(self, weight_bytes: float) -> float:
        """Share of the peak rate of a format whose weights take so many bytes, at 1 W for each TFLOP/s of 16 bits."""
        return self.gemm_16 if weight_bytes > 1.5 else self.gemm_8 if weight_bytes > 0.75 else self.gemm_4

    def experts_of(self, width: float) -> float:
        """Rate of the products of experts so wide over that of dense ones: `experts` up to the widest of the measured
        steps; beyond, what narrow matrices leave, w / (w + half), continued from there.

        >>> a = achieved()
        >>> a.experts_of(2048) == a.experts < a.experts_of(16384) < 1
        True
        """
        half = widest_experts() * (1 / self.experts - 1)
        return max(self.experts, width / (width + half))

    def sustained(self, row: Accelerator) -> float:
        """What the power of an accelerator leaves of its peak clock: (TDP in W / 16-bit TFLOP/s) to the power `power`,
        for TPUs a constant, `ultra` times for Blackwell Ultra. ConfigError where its row has no TDP or no rate.

        >>> from topologies.parts import part
        >>> a = achieved()
        >>> a.sustained(part("a100-80gb", Accelerator)) > a.sustained(part("b200-sxm", Accelerator))
        True
        """
        if generation_of(row.name) == "tpu":
            return self.tpu
        if row.tdp_w is None or row.bf16_tflops is None:
            raise ConfigError(f"accelerator '{row.name}' has no tdp_w or no bf16_tflops; use --parts FILE")
        own = self.ultra if row.name in _lists()["ultra"] else 1.0
        return float((row.tdp_w / row.bf16_tflops) ** self.power) * own


def widest_experts() -> float:
    """Width of the widest experts of the measured steps, but for those in a latent space."""
    return float(_rows()["experts"]["widest"])


def most_cp() -> int:
    """The most ranks that share a sequence in the measured steps."""
    return int(_rows()["attention"]["most_cp"])


def routing_launch() -> float:
    """What part of a dense layer's launches a layer of experts has for routing and permutation."""
    return float(_rows()["expert_launch"]["routing"])


@lru_cache(maxsize=1)
def achieved() -> Achieved:
    """The constants that come with the program."""
    return Achieved(**{field.name: float(_rows()[field.name]["value"]) for field in fields(Achieved)})


def generation_of(accelerator: str) -> str | None:
    """The generation whose constants an accelerator of the catalogue has; None where no measured step is of it.

    >>> generation_of("gb300"), generation_of("mi300x")
    ('blackwell', None)
    """
    generations = _lists().items()
    return next((name for name, chips in generations if name != "ultra" and accelerator in chips), None)


def _lists() -> dict[str, list[str]]:
    """Accelerators by generation, and those of Blackwell Ultra."""
    lists: dict[str, list[str]] = _rows()["generations"]
    return lists


@lru_cache(maxsize=1)
def _rows() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text("utf-8"))
