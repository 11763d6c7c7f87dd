"""What the accelerators of a training step compute, and how long it takes them: a roofline of achieved rates."""

from dataclasses import dataclass
from math import ceil, hypot

from fabric.workloads.models.model import Model
from fabric.workloads.models.precisions import precision
from fabric.workloads.steps.achieved import Achieved, routing_launch
from fabric.workloads.steps.memory import held_params
from fabric.workloads.steps.mix import tokens_of
from fabric.workloads.steps.parallel import Parallel
from fabric.workloads.steps.states import bytes_of
from topologies.errors import ConfigError
from topologies.kinds import Accelerator


@dataclass(frozen=True, slots=True)
class Amounts:
    """A micro-batch on one rank, forward and backward, recomputation included: operations by kind, and bytes through
    memory. `layers` and `moe_layers` are those of a stage that a host launches, of a forward pass, a backward one
    and one for the gradients of weights each a third, none where a step is one graph; `local_experts` a rank's of a
    layer."""

    gemm: float
    head: float
    experts: float
    attention: float
    vector_bytes: float
    score_bytes: float
    weight_bytes: float
    expert_bytes: float
    layers: float
    moe_layers: float
    local_experts: float
    expert_width: float  # 0 in a latent space


@dataclass(frozen=True, slots=True)
class Compute:
    """Seconds of a micro-batch on one rank by kind, and of the optimizer once a step."""

    gemm_s: float
    experts_s: float
    attention_s: float
    vector_s: float
    launch_s: float
    update_s: float

    @property
    def work_s(self) -> float:
        """One micro-batch without its launches."""
        return self.gemm_s + self.experts_s + self.attention_s + self.vector_s

    @property
    def micro_batch_s(self) -> float:
        """One micro-batch, forward and backward."""
        return hypot(self.work_s, self.launch_s)


def amounts(model: Model, p: Parallel) -> Amounts:
    """Operations and bytes of a micro-batch on one rank of an average stage.

    Backward is twice forward, once where weights are frozen; full recomputation adds a forward pass, selective that of
    attention's core or what is cheap. Fused attention skips what a causal mask hides, the other does not. A head for a
    further token is one more layer, of experts where there are some, and one more pass through the output layer (Liu et
    al., arXiv:2412.19437, section 2.2).
    """
    tokens, sequence = tokens_of(model, p), p.sequence or model.sequence
    again = 1 if p.recompute == "full" else 0
    passes = (2 if p.adapters else 3) + again
    core = 3 + (again or (1 if p.recompute == "selective" and not p.fused else 0))
    deeper = 1 + p.mtp / (model.moe_layers or model.layers)
    full = ceil(model.layers / p.pp) / model.layers * deeper  # the fullest stage
    rank = tokens * full / p.tp
    routed = model.moe_layers * model.topk * model.expert_params
    dense = model.multiplied_params - model.head_params - routed
    up = model.attending_layers * model.up_params if p.cheap else 0
    seen = sequence / 2 if p.fused else sequence
    hidden = tokens * model.streams * model.hidden * bytes_of("activation") * model.layers * full
    dense_held, experts_held = held_params(model, p)
    own = precision(p.precision).weight_bytes
    moved = (passes - 1) * own + (0 if p.adapters else bytes_of("accumulated"))
    scores = tokens * model.heads * sequence * bytes_of("activation") * model.attending_layers * full / p.tp
    launched = 0.0 if p.graphs else passes / 3
    return Amounts(
        gemm=2.0 * (passes * dense + up) * rank,
        head=2.0 * (2 if p.adapters else 3) * (1 + p.mtp) * model.head_params * tokens / (p.tp * p.pp),
        experts=2.0 * passes * routed * rank,
        attention=core * model.attention_flops(seen) * rank,
        vector_bytes=hidden * (passes + p.cheap) / 3 / p.tp,
        score_bytes=0.0 if p.fused else scores * core / 3,
        weight_bytes=dense_held * moved,
        expert_bytes=experts_held * moved,
        layers=launched * model.layers * full,
        moe_layers=launched * model.moe_layers * full,
        local_experts=model.experts / p.ep, expert_width=0.0 if model.moe_latent else model.expert_ffn,
    )


def compute(
    work: Amounts, name: str, row: Accelerator, a: Achieved, updated: float
) -> Compute:
    """Seconds of a micro-batch on an accelerator, its products in the precision of a name; `updated` are the parameters
    whose state a rank keeps.

    ConfigError where the accelerator has no rate of the precision, or no memory bandwidth.
    """
    if row.memory_bandwidth_tb_per_s is None:
        raise ConfigError(f"accelerator '{row.name}' has no memory_bandwidth_tb_per_s; use --parts FILE")
    own = precision(name)
    memory = row.memory_bandwidth_tb_per_s * 1e12
    sustained = a.sustained(row)
    rate = own.peak_tflops(row) * 1e12 * sustained * a.gemm(own.weight_bytes)
    plain = precision("bf16").peak_tflops(row) * 1e12 * sustained
    head = plain * a.gemm(2.0)
    launches = work.layers + work.moe_layers * (routing_launch() + a.expert_launch * work.local_experts)
    return Compute(
        gemm_s=max(work.gemm / rate + work.head / head, work.weight_bytes / memory),
        experts_s=work.experts / (rate * a.experts_of(work.expert_width)) + work.expert_bytes / memory,
        attention_s=work.attention / (plain * a.attention),
        vector_s=(work.vector_bytes * a.vector_passes + work.score_bytes * a.score_passes) / memory,
        launch_s=a.launch_ms * 1e-3 * launches,
        update_s=bytes_of("update") * updated / memory,
    )
