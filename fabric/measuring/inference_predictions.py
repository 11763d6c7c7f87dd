"""Predictions of many measured rows of inference at once, each with the constants of its class."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from fabric.measuring.inference_rows import InferenceRow, rules
from fabric.measuring.inference_setups import Setup
from fabric.workloads.serving.batching import Requests, Served, serve
from fabric.workloads.serving.calibration import FIELDS, Calibration, Floats, calibration, own_reductions, reads_by_head
from fabric.workloads.serving.demands import Demands, demands, stacked
from fabric.workloads.serving.exchanges import Exchanges, priced, stacked_exchanges

_MS = 1e3
LATENCY, FIRST, RATE = "tpot_ms", "ttft_ms", "tok_per_s_total"  # metrics that rows are put in


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows laid side by side for one evaluation: `factor` turns what a replica gives into the row's metric."""

    demands: Demands
    exchanges: Exchanges
    requests: Requests
    kinds: tuple[str, ...]  # per row: LATENCY, FIRST, RATE, or "user" and "input"
    factor: Floats

    def taken(self, index: NDArray[np.intp]) -> "Batch":
        """The rows of an index."""
        requests = Requests(**{f.name: getattr(self.requests, f.name)[index] for f in fields(Requests)})
        kinds = tuple(self.kinds[i] for i in index)
        return Batch(self.demands.taken(index), self.exchanges.taken(index), requests, kinds, self.factor[index])


def batch_of(rows: Sequence[InferenceRow], setups: Sequence[Setup]) -> Batch:
    """Rows and what they ran; FabricError where a fabric or a layout cannot be priced."""
    each = [_demanded(s) for s in setups]
    priced_each = [priced(s.spec, s.model, s.layout, s.transport, own_reductions(s.stack)) for s in setups]

    def field(name: str) -> Floats:
        return np.array([float(getattr(s, name)) for s in setups])

    requests = Requests(
        input_tokens=field("input_tokens"), output_tokens=field("output_tokens"), concurrency=field("concurrency"),
        static=field("static"), lockstep=field("lockstep"), apart=field("apart"),
    )  # fmt: skip
    told = [_kind(row, setup) for row, setup in zip(rows, setups, strict=True)]
    return Batch(
        stacked(each), stacked_exchanges(priced_each), requests, tuple(kind for kind, _ in told),
        np.array([factor for _, factor in told]),
    )  # fmt: skip


def _demanded(s: Setup) -> Demands:
    """What a setup asks of its accelerators; copies of one request go to the experts of one."""
    found = demands(s.model, s.accelerator, s.layout, s.weights, s.cache, reads_by_head(s.stack))
    return replace(found, experts=found.topk) if s.copies else found


def _kind(row: InferenceRow, s: Setup) -> tuple[str, float]:
    if row.metric == "tpot_ms":
        return LATENCY, _MS
    if row.metric == "ttft_ms":
        return FIRST, _MS
    if row.metric == "tok_per_s_per_user":
        return "user", 1.0
    both = (s.input_tokens + s.output_tokens) / s.output_tokens if row.says("both") else 1.0
    share = s.accelerators if row.metric == "tok_per_s_per_gpu" else 1
    if row.scenario == "prefill" or (row.says("per_input") and not row.says("both")):
        return "input", s.replicas * s.input_tokens / share
    return RATE, both * s.replicas / share


def predicted(batch: Batch, constants: Calibration) -> Floats:
    """The metric of each row, float64[n], in the unit of its column."""
    return metrics(batch, serve_all(batch, constants))


def serve_all(batch: Batch, constants: Calibration) -> Served:
    """What every row's replica gives."""
    return serve(batch.demands, constants, batch.exchanges, batch.requests, usable=rules()["load"]["usable"])


def metrics(batch: Batch, found: Served) -> Floats:
    """The metric of each row of what its replica gives."""
    kinds = np.array(batch.kinds)
    choices = {
        LATENCY: found.token_s, FIRST: found.first_token_s, RATE: found.tokens_per_s, "user": 1 / found.token_s,
        "input": batch.demands.dp / found.round.marginal_s,  # attention groups prefill side by side
    }  # fmt: skip
    values = np.select([kinds == name for name in choices], list(choices.values()))
    return np.asarray(values * batch.factor)


def constants_of(setups: Sequence[Setup]) -> Calibration:
    """The constants of each row's class, side by side."""
    each = [calibration(s.generation, s.stack, s.weights) for s in setups]
    return Calibration(**{name: np.array([getattr(c, name) for c in each], float) for name in FIELDS})
