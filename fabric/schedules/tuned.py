"""Tuned: the best algorithm at a size, or of every span of sizes, as MSCCL files that say which sizes they are for."""

from typing import TYPE_CHECKING

from fabric.schedules.msccl_writing import msccl_of
from topologies.errors import ConfigError
from topologies.formats.writing import Exported

if TYPE_CHECKING:
    from fabric.timing import Plan
    from fabric.tuning import Tuning


def best_file(tuned: "Tuning", size_bytes: int) -> Exported:
    """The best algorithm at a size.

    ConfigError for groups of ranks, InfeasibleError where the best has no messages that MSCCL could send.

    >>> from fabric.tuning import tune
    >>> best_file(tune("switch:n=2"), 2**20).text.splitlines()[0][:50]
    '<algo name="aifabric-recursive-doubling-all-reduce'
    """
    return _file(tuned.best(size_bytes), size_bytes, None)


def files_of_spans(tuned: "Tuning") -> dict[str, Exported]:
    """A file for every span of sizes in which one algorithm and protocol is best, each with the sizes that it is for.

    >>> from fabric.tuning import tune
    >>> list(files_of_spans(tune("switch:n=2")))
    ['1-recursive-doubling.xml']
    """
    found = {}
    for number, (start, end, plan) in enumerate(tuned.spans(), start=1):
        words = (str(number), plan.schedule.algorithm, plan.protocol(start) or "")
        found["-".join(filter(None, words)) + ".xml"] = _file(plan, start, (start, end))
    return found


def _file(plan: "Plan", size_bytes: int, sizes: tuple[int, int] | None) -> Exported:
    if plan.collective.groups is not None:
        raise ConfigError("an MSCCL file is of all ranks of a fabric; leave --ranks, --group and --placement out")
    return msccl_of(plan.schedule, plan.collective, sizes, plan.protocol(size_bytes))
