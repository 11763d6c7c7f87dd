"""Experts: tokens put straight to the ranks of their experts, or once to each domain and passed on inside; and back."""

from dataclasses import replace
from functools import partial

import numpy as np

from fabric.algorithms.draft import Draft
from fabric.algorithms.messages import Messages
from fabric.algorithms.schedule import NotApplicable, Schedule, Step, equal_domains
from fabric.collectives import Collective
from fabric.moe import exchange
from topologies.graph import Topology


def to_experts(topology: Topology, collective: Collective) -> Schedule:
    """Direct: a message between every two ranks, as large as what the one is expected to have for the other."""
    if collective.moe is None:
        raise NotApplicable(f"experts are sent moe-dispatch and moe-combine, not {collective.name}")
    steps = (Step("to or from experts", exchange(topology, collective.name, collective.moe).traffic(), 1),)
    return Schedule("direct", "pipelined", steps, None, partial(_messages, "direct", collective.n, steps))


def two_hop(topology: Topology, collective: Collective) -> Schedule:
    """Dispatch (i, r) -> (j, r) -> (j, s): a token crosses the network once for every domain that it goes to, whatever
    the number of its ranks there. Combine goes the other way and sums up in the domain (DeepEP's normal kernels).

    On D domains of g, hit with probability p_D, a rank sends tokens (D-1) p_D on its rail, and passes on those of D
    ranks inside. Of groups that run at once, one inside a domain has the second hop alone.
    """
    if collective.moe is None:
        raise NotApplicable(f"two-hop does moe-dispatch and moe-combine, not {collective.name}")
    if topology.whole is not None and len(topology.domains) == 1 < len(topology.whole.domains):
        return replace(to_experts(topology, collective), algorithm="two-hop")
    along, inside = exchange(topology, collective.name, collective.moe).relayed(np.array(equal_domains(topology)))
    steps = Step("along the rail", along, 1), Step("inside the domain", inside, 1)
    if collective.name == "moe-combine":
        steps = steps[::-1]
    relays = "accelerators of the other domain on the sender's rail"
    return Schedule("two-hop", "pipelined", steps, relays, partial(_messages, "two-hop", collective.n, steps))


def _messages(name: str, n: int, steps: tuple[Step, ...], chunks: int) -> Messages:
    """A rank passes on what it has got of the step before; expected tokens have no chunks that messages carry."""
    expected = sum(np.diff(step.traffic.list_ptr)[step.traffic.entry_list].sum() for step in steps)
    draft, ready = Draft(name, n, 1, float(expected), chunks), None
    for step in steps:
        source, target, amount = step.traffic.as_pairs()
        sent = draft.send(source, target, amount, None, after=[] if ready is None else [ready[source]])
        if step is not steps[-1]:
            ready = draft.arrived(sent, target.astype(np.int64))
    return draft.messages()
