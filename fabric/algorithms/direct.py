"""Direct: every rank sends each other rank its share in one message."""

from functools import partial

import numpy as np

from fabric.algorithms.draft import Draft
from fabric.algorithms.experts import to_experts
from fabric.algorithms.groups import exchange, within
from fabric.algorithms.messages import Messages
from fabric.algorithms.schedule import Schedule, Step
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.graph import Topology


def direct(topology: Topology, collective: Collective) -> Schedule:
    """All collectives by messages between the ranks concerned, without relaying.

    All-reduce is reduce-scatter and all-gather; broadcast is scatter and all-gather, reduce its mirror (van de Geijn's
    scheme with direct messages): every rank sends S/n to every other in each. Bandwidth term on one switch of rate B:
    2 (n-1)/n S/B for all-reduce (Thakur, Rabenseifner, Gropp, IJHPCA 2005).
    """
    n = collective.n
    if collective.moe is not None:
        return to_experts(topology, collective)
    messages = partial(_messages, collective)
    if collective.target is not None:
        moved = np.flatnonzero(collective.target != np.arange(n))
        traffic = Traffic.pairs(n, moved, collective.target[moved], 1.0)
        return Schedule("direct", "pipelined", (Step("send", traffic, 1),), None, messages)
    share = Traffic.uniform(n, 1 / n)
    others = np.arange(1, n)
    steps: dict[str, tuple[Step, ...]] = {
        "all-to-all": (Step("exchange", share, 1),),
        "all-gather": (Step("gather", share, 1),),
        "reduce-scatter": (Step("scatter", share, 1),),
        "all-reduce": (Step("reduce-scatter", share, 1), Step("all-gather", share, 1)),
        "broadcast": (Step("scatter", Traffic.pairs(n, 0, others, 1 / n), 1), Step("all-gather", share, 1)),
        "reduce": (Step("reduce-scatter", share, 1), Step("gather", Traffic.pairs(n, others, 0, 1 / n), 1)),
    }
    return Schedule("direct", "pipelined", steps[collective.name], None, messages)


def _messages(collective: Collective, chunks: int) -> Messages:
    n, name = collective.n, collective.name
    if collective.target is not None:
        draft = Draft("direct", n, 1, n, chunks)
        moved = np.flatnonzero(collective.target != np.arange(n))
        draft.send(moved, collective.target[moved], 1.0, lambda: moved[:, None])
        return draft.messages()
    split = name in ("all-reduce", "broadcast", "reduce")  # the vector, into a part for each rank
    draft = Draft("direct", n, n if split else 1, (1 + split) * n * n, chunks)
    everyone, others = np.arange(n)[None], np.arange(1, n)
    each = partial(exchange, draft, everyone, amount=1 / n, shards=lambda rank: rank[:, None])
    if name == "all-to-all":
        source, target = within(everyone)
        draft.send(source, target, 1 / n, lambda: (source * n + target)[:, None])
    elif name == "broadcast":
        sent = draft.send(0 * others, others, 1 / n, lambda: others[:, None])
        each("all-gather", ready=draft.done(sent, 0 * others, others))
    elif name == "reduce":
        sums = each("reduce-scatter")
        draft.send(others, 0 * others, 1 / n, lambda: others[:, None], after=[sums[others]])
    elif name == "all-reduce":
        each("all-gather", ready=each("reduce-scatter"))
    else:
        each(name)
    return draft.messages()
