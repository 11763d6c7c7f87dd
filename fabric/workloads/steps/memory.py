"""What a rank of a training step holds: weights, gradients, the optimizer's state, activations."""

from dataclasses import dataclass

from fabric.workloads.models.model import Model
from fabric.workloads.models.precisions import precision
from fabric.workloads.steps.parallel import Parallel
from fabric.workloads.steps.states import bytes_of, layers_of


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of the fullest rank. `activations` are of all micro-batches in flight."""

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.weights + self.gradients + self.optimizer + self.activations


def memory(model: Model, p: Parallel) -> Memory:
    """Bytes of a rank of the first stage (which has the most micro-batches in flight), with the larger of the two
    tables of tokens. Layers count as equal parts of a stage. With ZeRO-3 some layers are whole at any time, all of them
    where they are kept from one micro-batch to the next. Under DualPipe a rank holds two stages, whose optimizer's
    state it shares with its mirror image, and one micro-batch more (Liu et al., arXiv:2412.19437, table 2).

    Sources: Rajbhandari et al., arXiv:1910.02054 (ZeRO); Korthikanti et al., arXiv:2205.05198, equations 1 to 6.

    >>> from fabric.workloads.models.zoo import model
    >>> found = memory(model("gpt3-175b"), Parallel(tp=8, pp=8, zero=0, global_batch=64, sequence=2048))
    >>> round(found.weights / 1e9, 2), round(found.optimizer / 1e9, 2)
    (5.59, 33.54)
    """
    dense, experts = held_params(model, p)
    weights = gradients = optimizer = 0.0
    whole = 1.0 if p.kept and p.micro_batches > 1 else layers_of("gathered") / model.layers * p.pp
    for params, shards in ((dense, p.shards), (experts, p.expert_shards)):
        weights += p.held * bytes_of("weight") * params * (min(1.0, whole + 1 / shards) if p.zero == 3 else 1)
        trained = 0.0 if p.adapters else params
        gradients += p.held * p.gradient_bytes * trained / (shards if p.zero >= 2 else 1)
        optimizer += bytes_of("optimizer") * trained * (1 / shards if p.zero >= 1 else p.held)
    return Memory(weights, gradients, optimizer, activation_bytes(model, p))


def held_params(model: Model, p: Parallel) -> tuple[float, float]:
    """Parameters of one rank before ZeRO: dense ones, and those of experts."""
    tables = (1 if p.pp > 1 or model.tied else 2) * model.head_params
    layers = model.dense_params - model.embedding_params - (0 if model.tied else model.head_params)
    return (layers / p.pp + tables) / p.tp, model.routed_params / (p.pp * p.ep)


def activation_bytes(model: Model, p: Parallel) -> float:
    """Bytes of activations that wait for their backward pass: what a layer keeps times the layers in flight, and the
    logits where the only stage is the last one too."""
    tokens = p.micro_batch * (p.sequence or model.sequence) / p.cp
    logits = bytes_of("logit") * tokens * model.vocab / p.tp if p.pp == 1 else 0.0
    return layers_in_flight(model.layers, p) / model.layers * tokens * kept_per_token(model, p) + logits


def layers_in_flight(layers: int, p: Parallel) -> float:
    """Layers of micro-batches under way on the fullest rank. The first stage has the most of these, but a layer less
    where stages are even with the table of tokens and the output as a layer each; then the second may be fuller.

    >>> layers_in_flight(126, Parallel(pp=16, global_batch=16))     # Llama 3: 7 x 16 on the first, 8 x 15 on the second
    120.0
    """
    if p.v > 1 and p.pp > 1:
        return layers * min(p.micro_batches / p.pp, 1 + (p.pp - 1) / (p.pp * p.v))
    if p.held > 1 or layers % p.pp == 0 or (layers + 2) % p.pp:
        return layers * min(p.micro_batches, p.pp + p.held - 1) / p.pp
    slots = (layers + 2) / p.pp
    return max((slots - 1) * min(p.micro_batches, p.pp), slots * min(p.micro_batches, p.pp - 1))


def kept_per_token(model: Model, p: Parallel) -> float:
    """Bytes that all layers keep of a token on one rank of `tp`: Korthikanti et al., table 2, with the widths of
    grouped and latent attention, gated feed-forward parts and experts in place of the paper's. Inputs of matrices are
    kept in the precision of the products; gated models have no dropout and keep no masks. What is cheap to compute
    again (`Parallel.cheap`) is what norms and activation functions give, and of latent attention all but the latents.
    """
    h, held = model.hidden, min(2.0, precision(p.precision).weight_bytes)
    spread = p.tp if p.sp else 1
    if p.recompute == "full":
        return model.layers * 2.0 * h / spread
    again = 0.0 if p.cheap else held
    norms, masks = 4.0 * h, 0.0 if model.gated else 2.0 * h
    between = (norms + masks + 2 * again * h) / spread
    latents = 0
    attention = 2.0 * (model.heads + model.key_heads) * (model.head_width + model.value_width)
    if p.cheap and model.kv_lora:
        latents = model.q_lora + model.kv_lora + model.rope_dim
        attention = 2.0 * model.heads * (model.value_width + (0 if model.q_lora else model.head_width))
    if not p.fused and p.recompute == "none":
        attention += 5.0 * model.heads * (p.sequence or model.sequence)
    recurrent = 8.0 * model.linear_heads * model.linear_head_dim
    wide = (4 if model.gated else 2) + again
    routed = model.topk * (held * (model.moe_latent or h) + wide * model.expert_ffn)
    mixers = model.attending_layers * attention + model.linear_layers * recurrent
    ffn = (model.plain_layers * model.ffn + model.moe_layers * model.shared_ffn) * wide
    sharded = (mixers + ffn + model.moe_layers * routed) / p.tp
    return model.layers * between + model.attending_layers * 2.0 * latents / spread + sharded
