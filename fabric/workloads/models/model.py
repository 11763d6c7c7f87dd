"""A transformer by its shapes: parameters, operations, weights and cache that follow from them."""

from dataclasses import dataclass, fields

from fabric.workloads.models.precisions import precision
from topologies.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The shapes of a decoder. A layer count of None is derived: every layer has a mixer (attention or linear) and a
    feed-forward part, unless `attention_layers` or `dense_layers` says otherwise (Nemotron-H stacks single parts).

    Attention: `heads` of `head_dim`, `kv_heads` of them with keys of their own; or latent (MLA) where `kv_lora` is
    given; `window_layers` see `window` tokens back only; a sparse index lets a token see `index_topk` at most;
    `linear_layers` are recurrent (Mamba-2 or gated delta: `linear_heads` of `linear_head_dim`, `linear_groups` keys of
    `linear_state`). Feed-forward: `gated` has three matrices, else two; `moe_layers` have `experts` of width
    `expert_ffn`, of which a token takes `topk`, in a space of `moe_latent` if given, besides shared ones that are
    `shared_ffn` wide together. Hyper-connections keep `streams` residual streams between layers. Extra heads that
    predict further tokens are not counted.
    """

    name: str
    title: str
    layers: int
    hidden: int
    heads: int
    vocab: int
    sequence: int
    source: str
    ffn: int = 0
    kv_heads: int = 0  # 0: as many as heads
    head_dim: int = 0  # 0: hidden / heads
    gated: bool = True
    tied: bool = False
    positions: int = 0
    qkv_bias: bool = False
    bias: bool = False  # in every matrix and norm
    qk_norm: bool = False
    gated_attention: bool = False
    single_norm: bool = False  # attention and feed-forward part of a layer share one norm
    attention_layers: int | None = None
    window_layers: int = 0
    window: int = 0
    q_lora: int = 0
    kv_lora: int = 0
    rope_dim: int = 0
    nope_dim: int = 0
    v_dim: int = 0
    index_topk: int = 0
    index_heads: int = 0
    index_dim: int = 0
    linear_layers: int = 0
    linear_heads: int = 0
    linear_head_dim: int = 0
    linear_groups: int = 0
    linear_state: int = 0
    dense_layers: int | None = None
    moe_layers: int = 0
    experts: int = 0
    topk: int = 0
    expert_ffn: int = 0
    shared_ffn: int = 0
    moe_latent: int = 0
    streams: int = 1
    note: str = ""
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool):
                if not isinstance(value, bool):
                    raise ConfigError(f"{field.name} = {value!r:.40} of model '{self.name}' is neither true nor false")
            elif (isinstance(field.default, int) or field.name in _COUNTS) and not _counts(value):
                what = f"is not a whole number from 0 to {_MOST:,}"
                raise ConfigError(f"{field.name} = {value!r:.40} of model '{self.name}' {what}")
        self._check()

    def _check(self) -> None:
        def refuse(what: str) -> None:
            raise ConfigError(f"model '{self.name}': {what}")

        if min(self.layers, self.hidden, self.heads, self.vocab, self.sequence) < 1:
            refuse("layers, hidden, heads, vocab and sequence are 1 or more")
        if not self.head_dim and not self.kv_lora and self.hidden % self.heads:
            refuse(f"{self.heads} heads do not divide hidden = {self.hidden}; give head_dim")
        if self.heads % self.key_heads:
            refuse(f"{self.key_heads} kv_heads do not divide {self.heads} heads")
        if self.full_layers < 0 or self.plain_layers < 0:
            refuse(f"more window, linear or expert layers than its {self.layers} layers")
        if self.moe_layers and not (0 < self.topk <= self.experts and self.expert_ffn):
            refuse(f"experts = {self.experts}, topk = {self.topk}, expert_ffn = {self.expert_ffn}; give all three")
        if self.plain_layers and not self.ffn:
            refuse(f"{self.plain_layers} dense layers without ffn; give it")
        if self.window_layers and not self.window:
            refuse(f"{self.window_layers} window_layers without a window; give it")

    @property
    def key_heads(self) -> int:
        """Heads with keys and values of their own."""
        return self.kv_heads or self.heads

    def shards_evenly(self, tp: int) -> bool:
        """Do so many shards each get as many heads, with whole heads of keys or copies of one?

        >>> from fabric.workloads.models.zoo import model
        >>> [tp for tp in (2, 3, 4, 6, 8, 24) if model("mixtral-8x22b").shards_evenly(tp)]  # 48 heads, 8 of keys
        [2, 4, 8, 24]
        """
        return self.heads % tp == 0 and (self.key_heads % tp == 0 or tp % self.key_heads == 0)

    @property
    def head_width(self) -> int:
        """Values of one query head."""
        return self.nope_dim + self.rope_dim if self.kv_lora else self.head_dim or self.hidden // self.heads

    @property
    def value_width(self) -> int:
        """Values that one head gives."""
        return self.v_dim if self.kv_lora else self.head_width

    @property
    def full_layers(self) -> int:
        """Layers whose attention sees the whole context."""
        if self.attention_layers is not None:
            return self.attention_layers
        return self.layers - self.window_layers - self.linear_layers

    @property
    def attending_layers(self) -> int:
        """Layers with attention, windowed ones among them."""
        return self.full_layers + self.window_layers

    @property
    def plain_layers(self) -> int:
        """Layers with a feed-forward part that has no experts."""
        return self.layers - self.moe_layers if self.dense_layers is None else self.dense_layers

    @property
    def attention_params(self) -> int:
        """Parameters of the attention of one layer."""
        h, q, d, k = self.hidden, self.heads, self.head_width, self.key_heads
        if self.kv_lora:
            query = h * self.q_lora + self.q_lora + self.q_lora * q * d if self.q_lora else h * q * d
            latent = h * (self.kv_lora + self.rope_dim) + self.kv_lora
            found = query + latent + self.kv_lora * q * (self.nope_dim + self.v_dim) + q * self.v_dim * h
            index = (self.q_lora or h) * self.index_heads * self.index_dim + h * (self.index_dim + self.index_heads)
            return found + (q * self.v_dim * h if self.gated_attention else 0) + index
        found = 2 * h * q * d + 2 * h * k * d + (h * q * d if self.gated_attention else 0)
        found += (q + 2 * k) * d if self.qkv_bias or self.bias else 0
        return found + (h if self.bias else 0) + (2 * d if self.qk_norm else 0)

    @property
    def up_params(self) -> int:
        """Parameters that give heads their queries, keys and values from latents, in one layer."""
        if not self.kv_lora:
            return 0
        return self.heads * (self.q_lora * self.head_width + self.kv_lora * (self.nope_dim + self.v_dim))

    @property
    def linear_params(self) -> int:
        """Parameters of the recurrent mixer of one layer: Mamba-2, or gated delta with the same parts."""
        if not self.linear_layers:
            return 0
        inner, keys = self.linear_heads * self.linear_head_dim, 2 * self.linear_groups * self.linear_state
        convolution = 5 * (inner + keys)  # 4 taps and a bias
        return self.hidden * (3 * inner + keys + self.linear_heads) + convolution + 3 * self.linear_heads + inner

    @property
    def ffn_params(self) -> int:
        """Parameters of the dense feed-forward part of one layer."""
        matrices = (3 if self.gated else 2) * self.hidden * self.ffn
        return matrices + (((2 if self.gated else 1) * self.ffn + self.hidden) if self.bias else 0)

    @property
    def expert_params(self) -> int:
        """Parameters of one expert of one layer."""
        if not self.moe_layers:
            return 0
        width = self.moe_latent or self.hidden
        biases = ((2 if self.gated else 1) * self.expert_ffn + width) if self.bias else 0
        return (3 if self.gated else 2) * width * self.expert_ffn + biases

    @property
    def router_params(self) -> int:
        """Parameters of one layer's router and shared experts, and of the way into and out of a latent space."""
        if not self.moe_layers:
            return 0
        shared = (3 if self.gated else 2) * self.hidden * self.shared_ffn
        router = self.hidden * self.experts + (self.experts if self.bias else 0)
        return router + shared + 2 * self.hidden * self.moe_latent

    @property
    def embedding_params(self) -> int:
        """Parameters of the table of tokens (and of learned positions): looked up, not multiplied."""
        return (self.vocab + self.positions) * self.hidden

    @property
    def head_params(self) -> int:
        """Parameters of the output layer, also where it shares the table of tokens."""
        return self.vocab * self.hidden

    @property
    def norm_params(self) -> int:
        """Parameters of all norms."""
        mixers, parts = self.attending_layers + self.linear_layers, self.plain_layers + self.moe_layers
        norms = 1 + mixers + (0 if self.single_norm else parts)
        return norms * self.hidden * (2 if self.bias else 1)

    @property
    def dense_params(self) -> int:
        """All parameters outside routed experts."""
        return (
            self.attending_layers * self.attention_params
            + self.linear_layers * self.linear_params
            + self.plain_layers * self.ffn_params
            + self.moe_layers * self.router_params
            + self.norm_params
            + self.embedding_params
            + (0 if self.tied else self.head_params)
        )

    @property
    def routed_params(self) -> int:
        """Parameters of all routed experts."""
        return self.moe_layers * self.experts * self.expert_params

    @property
    def params(self) -> int:
        """All parameters."""
        return self.dense_params + self.routed_params

    @property
    def active_params(self) -> int:
        """Parameters that a token meets, the table of tokens among them."""
        return self.dense_params + self.moe_layers * self.topk * self.expert_params

    @property
    def multiplied_params(self) -> int:
        """Parameters that a token is multiplied with: two operations each, forward."""
        return self.active_params - self.embedding_params + (self.head_params if self.tied else 0)

    def attention_flops(self, context: float, absorbed: bool = False) -> float:
        """Operations of the scores and the weighted sums of one token, all layers, forward, over `context` tokens.
        `absorbed`: latent attention in its decode form, where every head works on the latent itself."""
        query, value = self.head_width, self.value_width
        if absorbed and self.kv_lora:
            query, value = self.kv_lora + self.rope_dim, self.kv_lora
        seen = min(context, self.index_topk) if self.index_topk else context
        spans = self.full_layers * seen + self.window_layers * min(context, self.window or context)
        index = 2.0 * self.full_layers * self.index_heads * self.index_dim * context if self.index_topk else 0.0
        state = 4.0 * self.linear_layers * self.linear_heads * self.linear_head_dim * self.linear_state
        return 2.0 * self.heads * (query + value) * spans + index + state

    def forward_flops(self, context: float, absorbed: bool = False) -> float:
        """Operations of one token forward, over a context of so many tokens."""
        return 2.0 * self.multiplied_params + self.attention_flops(context, absorbed)

    def train_flops(self, sequence: int, causal: bool = True) -> float:
        """Operations of one token of a training step, forward and backward, without recomputation: 6P + 6 L h s; or
        6P + 12 L h s if not `causal`, as papers count that do not leave out what a causal mask hides.
        Source: Korthikanti et al., arXiv:2205.05198, appendix A."""
        return 3.0 * self.forward_flops(sequence / 2 if causal else sequence)

    def weight_bytes(self, name: str = "bf16", dense: str | None = None) -> float:
        """Bytes of all weights in a precision; of those outside routed experts in that of `dense`, if given."""
        dense_bytes = self.dense_params * precision(dense or name).weight_bytes
        return self.routed_params * precision(name).weight_bytes + dense_bytes

    @property
    def kv_values(self) -> int:
        """Values that a token leaves in the cache of one layer with attention."""
        if self.kv_lora:
            return self.kv_lora + self.rope_dim
        return self.key_heads * (self.head_width + self.value_width)

    def kv_bytes_per_token(self, name: str = "bf16") -> float:
        """What a further token adds to the cache, all layers that see the whole context.

        >>> from fabric.workloads.models.zoo import model
        >>> model("llama-3.1-70b").kv_bytes_per_token()
        327680.0
        """
        return self.full_layers * self.kv_values * precision(name).weight_bytes

    def kv_bytes(self, context: float, name: str = "bf16") -> float:
        """The cache of a sequence: full layers grow, windowed ones stop, recurrent ones keep a state (in 16 bits)."""
        windowed = self.window_layers * self.kv_values * min(context, self.window)
        state = self.linear_layers * self.linear_heads * self.linear_head_dim * self.linear_state
        return (
            self.kv_bytes_per_token(name) * context
            + windowed * precision(name).weight_bytes
            + state * precision("bf16").weight_bytes
        )


_MOST = 10**9


def _counts(value: object) -> bool:
    """Is it a whole number that a shape can be, or derived?"""
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST)


_COUNTS = ("layers", "hidden", "heads", "vocab", "sequence", "attention_layers", "dense_layers")
