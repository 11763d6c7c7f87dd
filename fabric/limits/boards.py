"""Traces on boards and midplanes: what they lose against what packages leave of a channel, where a source says it."""

from fabric.limits.judging import Check, Span
from fabric.results import Wall
from topologies.kinds import Channel
from topologies.parts import Cable, Catalogue

INCHES_PER_M = 39.37007874
BALL_TO_BALL = "ball to ball"


def board_wall(row: Cable, length_m: float, parts: Catalogue) -> Wall | None:
    """Loss of traces so long against the channel's budget at their lane rate; the row's own length with its range.

    None where no source gives both at that rate (today only 200G lanes on boards of ultra-low loss).

    >>> from topologies.parts import catalogue, part
    >>> wall = board_wall(part("nvlink5-board", Cable), 0.3, catalogue())
    >>> wall["state"], round(wall["margin"], 1)
    ('ok', 9.2)
    """
    channel = next((c for c in parts.of_kind(Channel) if _is_board(c) and c.lane_gbps == row.lane_gbps), None)
    if channel is None or row.medium != "board":
        return None
    per_inch, budget = Span.of(channel, "loss_db_per_inch"), Span.of(channel, "insertion_loss_db")
    assert per_inch is not None and budget is not None
    own = Span.of(row, "length_m")
    metres = own if own is not None and own.value == length_m else Span.exact(length_m)
    loss = Span(*(m * INCHES_PER_M * db for m, db in zip(metres, per_inch, strict=True)))
    longest = budget.value / per_inch.value / INCHES_PER_M
    least, most = budget.low - loss.high, budget.high - loss.low
    why = f"{length_m:g} m of traces of {row.name} at {per_inch.value:g} dB an inch lose {loss.value:.1f} dB of "
    why += f"{budget.value:g} dB that packages leave, {least:+.1f} to {most:+.1f} dB by the sources' ranges"
    moves = "" if loss.value <= budget.value else f"at most {longest:.2f} m of it, flyover cables, or optics in place"
    return Check("board", loss, budget, "dB", why, moves).wall()


def _is_board(channel: Channel) -> bool:
    """Does the row give both the budget and the loss an inch of traces?"""
    return channel.planes == BALL_TO_BALL and None not in (channel.insertion_loss_db, channel.loss_db_per_inch)
