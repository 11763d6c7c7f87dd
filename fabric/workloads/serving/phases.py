"""The two phases of inference: a step of decode and a prefill, each as the time of what limits it."""

from dataclasses import dataclass

import numpy as np

from fabric.workloads.serving.calibration import Calibration, Floats
from fabric.workloads.serving.demands import Demands
from fabric.workloads.serving.exchanges import Exchanges
from fabric.workloads.steps.states import bytes_of

EIGHT = 8.0  # ranks for which sync_s is stated


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of decode: seconds by what takes them, float64[n]. `work_s` is the larger of reading weights and
    multiplying, with the cache, `arithmetic_s` of it where multiplying is the larger; `launch_s` runs beside."""

    weights_s: Floats
    compute_s: Floats
    cache_s: Floats
    work_s: Floats
    arithmetic_s: Floats
    fabric_latency_s: Floats
    fabric_bytes_s: Floats
    sync_s: Floats
    launch_s: Floats
    overhead_s: Floats
    hidden_s: Floats  # of the exchanges, behind the other micro-batch
    time_s: Floats

    @property
    def exchange_s(self) -> Floats:
        """All that waits for other accelerators."""
        return self.fabric_latency_s + self.fabric_bytes_s + self.sync_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefill:
    """One prefill: `time_s` alone, `marginal_s` of one more prompt in a busy server."""

    compute_s: Floats
    weights_s: Floats
    attention_s: Floats
    fabric_s: Floats
    launch_s: Floats
    time_s: Floats
    marginal_s: Floats


def decode_step(
    d: Demands, c: Calibration, ex: Exchanges, batch: Floats, context: Floats, micro_batches: int = 1
) -> Step:
    """A step in which each of `batch` running requests of a replica gets a token, behind `context` tokens each.

    The larger of weights read and operations, dense and experts apart; the cache; two exchanges a layer; beside them
    launches, as the root of the sum of squares. With two micro-batches exchanges of one hide behind the work of the
    other, which reads the weights again.
    """
    local = batch / (d.dp * d.pp)  # of one attention group, in one stage
    together = batch / d.pp
    rate, flops = d.memory_bytes_per_s * c.memory_share, d.peak_flops * c.compute_share
    dense_read, dense_flops = d.dense_bytes / d.tp / rate, d.dense_flops * local / d.tp / flops
    touched = touched_experts(d, c, together)
    expert_read = touched * d.expert_bytes / d.ranks / (rate * c.expert_memory_share)
    expert_flops = d.expert_flops * together / d.ranks / flops
    scores = d.absorbed_flops / d.tp * local * context / (d.scores_flops * c.attention_share)
    cache = local * d.read_bytes(context) / d.cache_ranks / (d.memory_bytes_per_s * c.cache_share)
    arithmetic = _larger(dense_flops, dense_read) + _larger(expert_flops, expert_read) + _larger(scores, cache)
    cache = np.maximum(cache, scores)
    work = np.maximum(dense_read, dense_flops) + np.maximum(expert_read, expert_flops) + cache
    latency, moved, sync = exchanges_s(d, c, ex, local)
    launch = d.layers * c.layer_s + d.expert_layers * c.expert_layer_s + d.latent_layers * c.latent_layer_s
    overhead = c.step_s + c.request_s * local  # each attention group has a scheduler of its own
    exchange = latency + moved + sync
    hidden = np.zeros_like(exchange)
    if micro_batches == 2:
        half = touched_experts(d, c, together / 2) / touched * expert_read
        halves = np.maximum(2 * dense_read, dense_flops) + np.maximum(2 * half, expert_flops)
        again = halves + cache - work
        hidden = np.minimum(exchange, work) - again
        hidden = np.maximum(hidden, 0.0)  # a scheduler does not split where it would lose
    time = np.hypot(work + exchange - hidden, launch) + overhead
    return Step(
        weights_s=dense_read + expert_read, compute_s=dense_flops + expert_flops, cache_s=cache, work_s=work,
        arithmetic_s=arithmetic, fabric_latency_s=latency, fabric_bytes_s=moved, sync_s=sync, launch_s=launch,
        overhead_s=overhead, hidden_s=hidden, time_s=time,
    )  # fmt: skip


def _larger(one: Floats, other: Floats) -> Floats:
    """One where it is the larger of two, else 0."""
    return np.where(one > other, one, 0.0)


def touched_experts(d: Demands, c: Calibration, tokens: Floats) -> Floats:
    """Experts of a layer that at least one of so many tokens goes to, each choice as likely; a little more on the
    busiest accelerator where experts are spread and tokens few."""
    found = d.experts * -np.expm1(tokens * np.log1p(-np.minimum(d.topk / d.experts, 1 - 1e-12)))
    uneven = (d.ep > 1) & (tokens * d.topk < 4 * d.experts)
    return np.minimum(found * np.where(uneven, c.imbalance, 1.0), d.experts)


def exchanges_s(d: Demands, c: Calibration, ex: Exchanges, tokens: Floats) -> tuple[Floats, Floats, Floats]:
    """Latency, transfer and synchronisation of all layers, with so many tokens at each attention group: two
    all-reduces a layer within an attention group, or dispatch and combine of an expert layer between groups."""
    sharded = d.tp > 1
    size = tokens * d.hidden * bytes_of("activation")
    least, whole = ex.all_reduce_s(np.full_like(size, bytes_of("activation"))), ex.all_reduce_s(size)
    spread = d.dp > 1
    start, through = ex.experts_s(np.ones_like(tokens)), ex.experts_s(tokens)
    reductions = np.where(sharded, 2 * d.layers - np.where(spread, d.expert_layers, 0), 0)
    dispatches = np.where(spread, d.expert_layers, 0)
    latency = reductions * least + dispatches * np.minimum(start, through)
    moved = reductions * np.maximum(whole - least, 0) + dispatches * np.maximum(through - start, 0)
    step = np.sqrt(np.log2(np.maximum(d.tp, 1)) / np.log2(EIGHT))
    far = np.sqrt(np.log2(np.maximum(d.ranks, 1)) / np.log2(EIGHT))
    sync = c.sync_s * (reductions * step + 2 * dispatches * far)
    hops = (d.pp - 1) * ex.send_s(size)
    return latency + hops, moved, sync


def prefill(d: Demands, c: Calibration, ex: Exchanges, prompts: Floats, tokens: Floats) -> Prefill:
    """A prefill of `prompts` prompts of `tokens` tokens together, on one replica: matrix products by their ramp and the
    width of their shards, the weights' reading (a cubic mean of both), attention, exchanges, launches."""
    local = np.maximum(prompts / d.dp, 1.0)  # each attention group has prompts of its own
    own = local * tokens
    ramp = c.ramp_tokens * d.peak_flops / 1e15 / own  # what few tokens and narrow shards add to the time at full rate
    narrow = c.half_columns * d.tp / d.hidden
    sliced = c.half_expert_columns * d.peak_flops / 1e15 * d.ranks / (d.expert_width * d.ep)
    rate = d.peak_flops * c.prefill_share
    dense = d.dense_flops * own / d.tp / rate * (1 + ramp) * (1 + narrow)
    experts = d.expert_flops * own * np.minimum(prompts, d.dp) / d.ranks / rate * (1 + ramp + sliced)
    experts = experts / c.expert_prefill_share
    products = dense + experts
    everything = d.dense_bytes / d.tp + touched_experts(d, c, own) * d.expert_bytes / d.ranks
    read = everything / (d.memory_bytes_per_s * c.memory_share)
    attention = local * d.prompt_flops(tokens) / d.tp / (d.attention_flops * c.attention_share)
    latency, moved, sync = exchanges_s(d, c, ex, own)
    launch = d.layers * c.prefill_layer_s + d.expert_layers * c.prefill_expert_layer_s
    alone = np.cbrt(products**3 + read**3)
    return Prefill(
        compute_s=products, weights_s=read, attention_s=attention, fabric_s=latency + moved, launch_s=launch,
        time_s=alone + attention + latency + moved + sync + launch,
        marginal_s=products + attention + moved + c.prompt_s,
    )  # fmt: skip
