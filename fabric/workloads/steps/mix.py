"""The collectives of a training step: who, how much, how often, by dimension of parallelism."""

from dataclasses import dataclass

from fabric.moe import Moe
from fabric.workloads.models.model import Model
from fabric.workloads.steps.parallel import Parallel
from fabric.workloads.steps.states import bytes_of

DIMENSIONS = ("tp", "cp", "ep", "dp", "pp")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One kind of collective of a step. `size_bytes` in the nccl-tests convention, `count` times a step; a rank sends
    `sent_bytes` a step; `group` and `over` are as `simulate` takes them."""

    dimension: str
    collective: str
    ranks: int
    size_bytes: float
    count: float
    sent_bytes: float
    group: str
    over: str
    moe: Moe | None = None  # tokens to experts: its size is theirs


def mix(model: Model, p: Parallel) -> list[Exchange]:
    """Every exchange of a step of a complete layout (`Parallel.on`).

    Sources: Narayanan et al., arXiv:2104.04473, section 3; Korthikanti et al., arXiv:2205.05198, section 4.2;
    Rajbhandari et al., arXiv:1910.02054, section 7; Liu et al., arXiv:2310.01889 (ring attention).

    >>> from fabric.workloads.models.zoo import model
    >>> p = Parallel(tp=8, pp=8, global_batch=64, sequence=2048).on(64, model("gpt3-175b"))
    >>> [(e.dimension, e.collective, round(e.sent_bytes / 1e9, 2)) for e in mix(model("gpt3-175b"), p)]
    [('tp', 'reduce-scatter', 270.58), ('pp', 'send-recv', 0.81)]
    """
    made = [*_tensor(model, p), *_context(model, p), *_experts(model, p), *_data(model, p), *_pipeline(model, p)]
    return [exchange for exchange in made if exchange.ranks > 1 and exchange.count > 0]


def tokens_of(model: Model, p: Parallel) -> float:
    """Tokens of a micro-batch on one rank of cp."""
    return p.micro_batch * (p.sequence or model.sequence) / p.cp


def activation(model: Model, p: Parallel) -> float:
    """Bytes of a micro-batch between two layers."""
    return tokens_of(model, p) * model.hidden * bytes_of("activation")


def _stages(p: Parallel) -> str:
    return f"tp={p.tp},cp={p.cp},dp={p.replicas // p.copies},{_copied(p)}pp={p.pp}"


def _copied(p: Parallel) -> str:
    return f"copies={p.copies}," if p.copies > 1 else ""


def _tensor(model: Model, p: Parallel) -> list[Exchange]:
    """Four all-reduces a layer and micro-batch, two forward and two backward; full recomputation does the forward ones
    again. With sequence parallelism each is a reduce-scatter and an all-gather, of the same bytes. A mixer or a
    feed-forward part that stands alone has half of a layer's; experts, which are not sharded, none."""
    parts = model.attending_layers + model.linear_layers + model.plain_layers
    parts += model.moe_layers if model.shared_ffn or not p.sp else 0
    passes = parts * (3 if p.recompute == "full" else 2) / p.pp * p.micro_batches
    size = activation(model, p)
    sent = 2 * (p.tp - 1) / p.tp * size * passes
    kind, count = ("reduce-scatter", 2 * passes) if p.sp else ("all-reduce", passes)
    return [Exchange("tp", kind, p.tp, size, count, sent, _stages(p), "tp")]


def _context(model: Model, p: Parallel) -> list[Exchange]:
    """Ring attention: keys and values go round to all others forward, and twice as much backward."""
    size = tokens_of(model, p) * model.kv_values * bytes_of("activation") / (1 if model.kv_lora else p.tp)
    count = 3 * (p.cp - 1) * model.attending_layers / p.pp * p.micro_batches
    return [Exchange("cp", "send-recv", p.cp, size, count, size * count, _stages(p), "cp")]


def _experts(model: Model, p: Parallel) -> list[Exchange]:
    """Dispatch and combine of every token, forward and backward, all priced as combine (bf16); a rank of tp has its
    share of the tokens. `size_bytes` and `sent_bytes` count a copy for every expert."""
    if p.ep == 1:
        return []
    width, tokens = model.moe_latent or model.hidden, tokens_of(model, p) / p.tp
    size = tokens * model.topk * width * bytes_of("activation")
    count = 4 * model.moe_layers / p.pp * p.micro_batches
    group = f"ep={p.ep},edp={p.expert_shards},{_copied(p)}pp={p.pp}"
    moe = Moe(tokens=max(1, round(tokens)), hidden=width, topk=model.topk, experts=model.experts)
    return [Exchange("ep", "moe-combine", p.ep, size, count, (p.ep - 1) / p.ep * size * count, group, "ep", moe)]


def _data(model: Model, p: Parallel) -> list[Exchange]:
    """Gradients of dense weights over dp and cp, those of experts over the ranks that hold the same ones; then what is
    left on a rank over the copies. A rank that holds two stages has those of both."""
    if p.adapters:
        return []
    layers = model.dense_params - model.embedding_params - (0 if model.tied else model.head_params)
    dense = p.held * layers / (p.tp * p.pp)
    experts = p.held * model.routed_params / (p.pp * p.ep)
    over = "cp,dp" if p.cp > 1 else "dp"
    found = _reduced(dense, p.shards, model, p, _stages(p), over)
    group = f"ep={p.ep},edp={p.expert_shards},{_copied(p)}pp={p.pp}"
    return found + (_reduced(experts, p.expert_shards, model, p, group, "edp") if experts else [])


def _reduced(params: float, ranks: int, model: Model, p: Parallel, group: str, over: str) -> list[Exchange]:
    """One all-reduce of gradients; from ZeRO-1 on a reduce-scatter of them and an all-gather of weights (priced as
    another reduce-scatter: its mirror image); with ZeRO-3 two gathers and one scatter of a layer at a time. Copies
    that are sharded each on its own then reduce what a rank has left (HSDP)."""
    share = (ranks - 1) / ranks
    gradients, weights = params * p.gradient_bytes, params * bytes_of("weight")
    left = gradients / (ranks if p.zero else 1)
    sent = 2 * (p.copies - 1) / p.copies * left
    across = Exchange("dp", "all-reduce", p.copies, left, 1, sent, group, "copies")
    if p.zero == 0:
        return [Exchange("dp", "all-reduce", ranks, gradients, 1, 2 * share * gradients, group, over), across]
    if p.zero < 3:
        half = (gradients + weights) / 2
        return [Exchange("dp", "reduce-scatter", ranks, half, 2, share * (gradients + weights), group, over), across]
    times, layers = (1 if p.kept else p.micro_batches), model.layers / p.pp * p.held
    third = (2 * weights + gradients) / 3 / layers
    count = 3 * layers * times
    return [Exchange("dp", "reduce-scatter", ranks, third, count, share * third * count, group, over), across]


def _pipeline(model: Model, p: Parallel) -> list[Exchange]:
    """Activations of every residual stream to the next stage and their gradients back, for every micro-batch and chunk
    of layers."""
    size, count = model.streams * activation(model, p) / p.tp, 2.0 * p.micro_batches * p.v
    return [Exchange("pp", "send-recv", p.pp, size, count, size * count, _stages(p), "pp")]
