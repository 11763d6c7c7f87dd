"""PXN: all-to-all relayed inside the server onto the rail of its target."""

import numpy as np

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
    return Schedule("pxn", "pipelined", steps, relays="accelerators of the sender's server")
