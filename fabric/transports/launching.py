"""How a benchmark launches: one process that drives all ranks launches one after the other."""

from fabric.transports.joining import Times, join
from fabric.transports.work import Work
from topologies.library_kinds import Harness


def launched(row: Harness, work: Work, time_us: Times) -> Times:
    """The time with the launches of all ranks behind it, or before it."""
    ranks = work.machine.ranks
    floor = row.launch_us + row.launch_us_per_rank * ranks
    if work.collective == "all-to-all":
        floor = row.launch_us + row.exchange_launch_us_per_pair * ranks**2
    return time_us if floor == 0 else join(row.join, floor, time_us)
