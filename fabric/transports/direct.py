"""Libraries of which launch, hop and reachable share are known: any algorithm, floor and bytes added."""

import numpy as np

from fabric.transports.joining import Times
from fabric.transports.nccl import Time
from fabric.transports.work import Work
from topologies.library_kinds import DirectTransport


def any_algorithm(row: DirectTransport, work: Work) -> dict[str, Time]:
    """Launch, a hop for each message that waits for another, and the bytes at the share of the line rate."""
    floor = row.launch_us + (work.rounds_inside + work.rounds_outside) * row.hop_us

    def time_us(size: Times) -> Times:
        outside = work.outside_us(size) / (row.network_share or row.share)
        return floor + np.maximum(work.inside_us(size) / row.share, outside)

    return {"": time_us}
