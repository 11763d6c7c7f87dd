"""Checkpoints: how often to take one, and what share of the time training goes forward."""

from math import exp, expm1, isinf, sqrt


def interval_s(checkpoint_s: float, between_failures_s: float) -> float:
    """Seconds of work between checkpoints that lose least: sqrt(2 C M), no longer than M (Young, CACM 1974; Daly,
    FGCS 2006, equation 37).

    >>> interval_s(15.0, 10_000.0) == sqrt(2 * 15 * 10_000)
    True
    """
    return min(sqrt(2 * checkpoint_s * between_failures_s), between_failures_s)


def effective_share(
    checkpoint_s: float, restart_s: float, between_failures_s: float, interval: float | None = None
) -> float:
    """The share of the time in which work that lasts is done, failures coming at random: Daly's complete model,
    T / (M e^(R/M) (e^((T + C)/M) - 1)) for T of work between checkpoints, those of `interval_s` by default.

    Between 0 and 1; 1 where nothing fails and nothing is written.

    >>> round(effective_share(15.0, 300.0, 54 * 86400 / 466), 3)
    0.918
    """
    if isinf(between_failures_s):
        return 1.0
    work = interval_s(checkpoint_s, between_failures_s) if interval is None else interval
    if work <= 0:  # checkpoints cost nothing: nothing but restarts is lost
        return exp(-restart_s / between_failures_s)
    turns = (work + checkpoint_s) / between_failures_s
    if turns > 500 or restart_s / between_failures_s > 500:
        return 0.0
    return work / (between_failures_s * exp(restart_s / between_failures_s) * expm1(turns))
