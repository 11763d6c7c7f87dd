"""PXN: all-to-all relayed inside the server onto the rail of its target."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.draft import Draft, Ids
from fabric.algorithms.groups import within
from fabric.algorithms.messages import Messages
from fabric.algorithms.schedule import NotApplicable, Schedule, Step, equal_domains
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.graph import Topology


def pxn(topology: Topology, collective: Collective) -> Schedule:
    """All-to-all in which a message for rail s first crosses the scale-up domain to its accelerator on rail s.

    (i, r) -> (i, s) -> (j, s): inside a domain every pair carries N shares of S/n for N domains, outside every pair of
    one rail carries g shares (NCCL 2.12, "PCI x NVLink"). The relays are accelerators of the sender's own server.
    """
    if collective.name != "all-to-all":
        raise NotApplicable(f"pxn does all-to-all, not {collective.name}")
    domains = np.array(equal_domains(topology))
    count, size = domains.shape
    n = collective.n
    inside = Traffic.within(domains, n, count / n)
    across = Traffic.within(domains.T, n, size / n)
    steps = (Step("onto the rail", inside, 1), Step("along the rail", across, 1))
    relays = "accelerators of the sender's server"
    return Schedule("pxn", "pipelined", steps, relays, partial(_messages, domains, n))


def _messages(domains: Ids, n: int, chunks: int) -> Messages:
    count, size = domains.shape
    draft = Draft("pxn", n, 1, n * (size + count), chunks)
    rail, server = np.zeros(n, np.int64), np.zeros(n, np.int64)
    rail[domains], server[domains] = np.arange(size), np.arange(count)[:, None]
    source, target = within(domains)
    first = partial(_shares, source[:, None], domains[:, rail[target]].T, n)
    onto = draft.arrived(draft.send(source, target, count / n, first), target)
    relay, end = within(domains.T)
    gathered = partial(_shares, domains[server[relay]], end[:, None], n)
    draft.send(relay, end, size / n, gathered, after=[onto[relay]])
    return draft.messages()


def _shares(source: Ids, target: Ids, n: int) -> NDArray[np.int64]:
    """What each source has for each target, as chunks."""
    return source * n + target
