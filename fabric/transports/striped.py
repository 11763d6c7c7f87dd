"""A library over adapters alone, several to a rank: small messages take one of them, large ones all."""

import numpy as np

from fabric.transports.joining import Times, join
from fabric.transports.nccl import Time
from fabric.transports.work import Work
from topologies.library_kinds import StripedTransport


def ring(row: StripedTransport, work: Work, *, interleaved: bool) -> dict[str, Time]:
    """Round a ring of ranks, a chunk of S/n each step."""
    step = row.reduce_step_us if work.collective == "all-reduce" else row.gather_step_us

    def time_us(size: Times) -> Times:
        each = _message_us(row, work, step, size / work.machine.ranks, interleaved)
        return row.launch_us + work.ring_steps * each

    return {"ring": time_us}


def doubling(row: StripedTransport, work: Work, *, interleaved: bool) -> dict[str, Time]:
    """All-gather by recursive doubling: messages of S/n, 2 S/n, 4 S/n, ..."""
    rounds = int(np.ceil(np.log2(work.machine.ranks)))

    def time_us(size: Times) -> Times:
        first = size / work.machine.ranks
        each = [_message_us(row, work, row.doubling_step_us, first * 2.0**k, interleaved) for k in range(rounds)]
        times: Times = row.launch_us + np.sum(each, axis=0)
        return times

    return {"doubling": time_us}


def _message_us(row: StripedTransport, work: Work, step_us: float, size: Times, interleaved: bool) -> Times:
    most = row.interleaved_stripe_bytes if interleaved else row.stripe_bytes
    lanes = work.machine.adapters / work.machine.size
    rate = work.machine.adapters_gb_per_s / work.machine.size * row.share
    return join(row.join, step_us, size / np.where(size <= most, rate / lanes, rate) * 1e-3)
