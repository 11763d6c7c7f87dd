"""A measured row of inference beside its prediction."""

from collections.abc import Sequence

from fabric.measuring.inference_rows import InferenceRow
from fabric.measuring.steps import ComparedStep

POWER, ENERGY = "system_w", "tok_per_j"
UNITS = {"tpot_ms": "ms", "ttft_ms": "ms", "tok_per_s_total": "tokens/s", "tok_per_s_per_gpu": "tokens/s/GPU",
         "tok_per_s_per_user": "tokens/s/user", POWER: "W", ENERGY: "tokens/J"}  # fmt: skip
TIMES = ("tpot_ms", "ttft_ms", POWER)


def compared(
    row: InferenceRow, metric: str, value: float, spec: str, transport: str, said: Sequence[str],
    ends: tuple[float, float] | None = None,
) -> ComparedStep:  # fmt: skip
    """Errors are of time (and of watts): positive where we are too slow."""
    error = value / row.value - 1 if row.metric in TIMES else row.value / value - 1
    return ComparedStep(
        row=row.row, group=row.group, metric=metric, spec=spec, transport=transport, measured=row.value,
        predicted=float(value), unit=UNITS[row.metric], error=error, low=ends[0] if ends else None,
        high=ends[1] if ends else None, said=tuple(said),
    )  # fmt: skip
