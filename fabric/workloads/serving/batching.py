"""A replica that serves: requests batched as they come, or all at once; prefill among decodes, or apart from them."""

from dataclasses import dataclass

import numpy as np

from fabric.workloads.serving.calibration import Calibration, Floats
from fabric.workloads.serving.demands import Demands
from fabric.workloads.serving.exchanges import Exchanges
from fabric.workloads.serving.memory_wall import batch_limit
from fabric.workloads.serving.phases import Prefill, Step, decode_step, prefill


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What comes to one replica, float64[n] each: prompts of `input_tokens`, answers of `output_tokens`, so many at a
    time. `static`: they start together and the next wait for the last. `lockstep`: all have the same lengths.
    `apart`: other accelerators prefill (disaggregated)."""

    input_tokens: Floats
    output_tokens: Floats
    concurrency: Floats
    static: Floats
    lockstep: Floats
    apart: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Of one replica, float64[n]: seconds to the first token and per further one, output tokens a second, requests
    that run at once, how many fit, the step and the prefill behind them, and a round in which every attention group
    prefills a prompt."""

    first_token_s: Floats
    token_s: Floats
    tokens_per_s: Floats
    running: Floats
    fits: Floats
    worst_token_s: Floats
    step: Step
    prefill: Prefill
    round: Prefill


def serve(
    d: Demands, c: Calibration, ex: Exchanges, r: Requests, micro_batches: int = 1, usable: float = 0.9,
    chunk_tokens: float | None = None,
) -> Served:  # fmt: skip
    """Rates of replicas under a load. A further token takes a step, and the prefills of those who take the places of
    finished requests: (running - 1) prompts in each `output_tokens` steps, of which `interleave` of their time falls
    on a running request. Attention groups step together, so that all wait for a prompt of one, and prefill together
    where each has one: as many rounds as prompts while these are rare, and one for `dp` of them where they are not.
    What does not fit waits. Prompts in chunks of `chunk_tokens` ride along with decode steps: no token waits for more
    than a chunk, the first one for as many steps as there are chunks."""
    mean = r.input_tokens + r.output_tokens / 2
    fits = np.maximum(batch_limit(d, mean, usable), 1.0)
    running = np.minimum(r.concurrency, fits)
    step = decode_step(d, c, ex, running, mean, micro_batches)
    static = r.static > 0
    whole = prefill(d, c, ex, np.where(static, running, 1.0), r.input_tokens)
    share = np.where(r.lockstep > 0, c.lockstep, c.interleave)
    others = (running - 1) / r.output_tokens  # prompts a step
    shared = prefill(d, c, ex, np.clip(others, 1.0, d.dp), r.input_tokens)
    rounds = np.maximum(others / d.dp, -np.expm1(-others))
    joined = np.where(static | (r.apart > 0), 0.0, share * rounds * shared.marginal_s)
    token_s = step.time_s + joined
    collide = np.where(r.lockstep > 0, c.lockstep_collide, c.collide)
    ahead = np.maximum(running / d.dp - 1, 0.0)
    queued = np.where(static, 0.0, step.time_s / 2 + collide * ahead * whole.marginal_s)
    first = c.first_token_s * np.where(static, c.static_first_share, 1.0) + whole.time_s + queued
    worst_s = np.where(static | (r.apart > 0), step.time_s, step.time_s + whole.marginal_s)
    if chunk_tokens is not None:
        chunks = np.ceil(r.input_tokens / chunk_tokens)
        first = first + np.where(static | (r.apart > 0), 0.0, (chunks - 1) * step.time_s)
        worst_s = np.where(static | (r.apart > 0), step.time_s, step.time_s + whole.marginal_s / chunks)
    span = first + (r.output_tokens - 1) * token_s
    waves = np.where(static, np.ceil(r.concurrency / running), 1.0)
    waiting = np.where(static, 0.0, (r.concurrency - running) / running * span)
    rate = np.where(static, r.concurrency / (waves * span), running / span) * r.output_tokens
    return Served(
        first_token_s=first + waiting, token_s=token_s, tokens_per_s=rate, running=running, fits=fits,
        worst_token_s=worst_s, step=step, prefill=whole, round=prefill(d, c, ex, d.dp, r.input_tokens),
    )  # fmt: skip
