"""How a training step is cut: dimensions of parallelism, batches, what is kept, what is computed again."""

from dataclasses import dataclass, fields, replace

from fabric.workloads.models.model import Model
from fabric.workloads.models.precisions import precision
from fabric.workloads.steps.states import pretraining_tokens
from topologies.errors import ConfigError, unknown

RECOMPUTE = ("none", "selective", "full")
SCHEDULES = ("1f1b", "zero-bubble", "dualpipe")
_KEYS = {"batch": "global_batch", "mbs": "micro_batch", "gbs": "global_batch", "seq": "sequence", "vp": "v"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """Ranks by dimension, the fastest first: `tp` shards matrices, `cp` the sequence, `dp` the batch, `pp` the layers.

    Experts are spread over `ep` neighbouring ranks of a stage, whole: an expert is not sharded by `tp`. `dp` None: as
    many as the accelerators leave. `schedule` of the pipeline, `v` chunks of layers a rank (interleaved 1F1B). `zero`
    shards over `dp` and `cp` the optimizer's state (1), gradients too (2), weights too (3, FSDP; `kept`: gathered once
    a step, not for every micro-batch); over all of dp, or within each of `copies` (HSDP, slices of TPUs). `sp` shards
    what lies between matrices over `tp` (sequence parallelism). `recompute` selective is the core of attention; where
    that is `fused` and never writes its scores (flash attention), it is what is cheap: norms, activation functions,
    up-projections of latent attention. `adapters`: the weights are frozen but for small adapters (LoRA), so no gradient
    of theirs is computed or sent. `mtp` heads predict further tokens. `graphs`: a step is one captured graph, no host
    launches its kernels. `overlap`: experts' exchanges run beside another micro-batch's work; by default where a rank
    has several chunks or directions.
    """

    tp: int = 1
    pp: int = 1
    cp: int = 1
    ep: int = 1
    dp: int | None = None
    v: int = 1
    micro_batch: int = 1
    global_batch: int | None = None
    sequence: int | None = None
    zero: int = 1
    kept: bool = False
    sp: bool = True
    recompute: str = "none"
    precision: str = "bf16"
    fused: bool = True
    adapters: bool = False
    gradient_bytes: int = 2
    schedule: str = "1f1b"
    copies: int = 1
    mtp: int = 0
    graphs: bool = False
    overlap: bool | None = None

    def __post_init__(self) -> None:
        for name in ("tp", "pp", "cp", "ep", "dp", "v", "micro_batch", "global_batch", "sequence", "copies"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ConfigError(f"{name} = {value} of a parallel layout is not a whole number from 1 on")
        if self.recompute not in RECOMPUTE:
            raise ConfigError(unknown("recomputation", self.recompute, RECOMPUTE))
        if self.schedule not in SCHEDULES:
            raise ConfigError(unknown("schedule", self.schedule, SCHEDULES))
        if self.schedule != "1f1b" and self.v > 1:
            raise ConfigError(f"schedule {self.schedule} has one chunk a rank and direction; leave v = {self.v} out")
        if self.mtp < 0:
            raise ConfigError(f"mtp = {self.mtp} of a parallel layout is not a whole number from 0 on")
        if self.zero not in (0, 1, 2, 3):
            raise ConfigError(f"zero = {self.zero} is not 0, 1, 2 or 3")
        if self.gradient_bytes not in (2, 4):
            raise ConfigError(f"gradient_bytes = {self.gradient_bytes} is not 2 (bf16) or 4 (fp32)")
        precision(self.precision)

    @property
    def cheap(self) -> bool:
        """Is what is cheap computed again, since the core of attention has nothing to save?"""
        return self.recompute == "selective" and self.fused

    @property
    def replicas(self) -> int:
        """Data-parallel copies; 1 where `dp` is still open."""
        return self.dp or 1

    @property
    def shards(self) -> int:
        """Ranks that share the optimizer's state of a dense weight."""
        return self.replicas * self.cp // self.copies

    @property
    def expert_shards(self) -> int:
        """Ranks that share the state of the same experts."""
        return self.tp * self.cp * self.replicas // (self.copies * self.ep)

    @property
    def held(self) -> int:
        """Stages whose weights a rank holds: its own and the mirrored one under DualPipe."""
        return 2 if self.schedule == "dualpipe" else 1

    @property
    def hides(self) -> bool:
        """Do experts' exchanges run beside the work of another micro-batch?"""
        return self.v > 1 or self.held > 1 if self.overlap is None else self.overlap

    @property
    def ranks(self) -> int:
        """All of them."""
        return self.tp * self.cp * self.replicas * self.pp

    @property
    def micro_batches(self) -> int:
        """Micro-batches of a replica in a step."""
        return (self.global_batch or self.replicas * self.micro_batch) // (self.replicas * self.micro_batch)

    def on(self, accelerators: int, model: Model) -> "Parallel":
        """Complete for a number of accelerators; ConfigError where it does not fit them, or the model.

        >>> from fabric.workloads.models.zoo import model
        >>> Parallel(tp=8, pp=16, global_batch=2048).on(16384, model("llama-3.1-405b")).dp
        128
        """
        self._check_shapes(model)
        one = self.tp * self.cp * self.pp
        if accelerators % one:
            what = f"tp x cp x pp = {one:,} does not divide {accelerators:,} accelerators"
            raise ConfigError(f"{what}; give {near(one, accelerators)}")
        if self.dp is not None and self.dp * one != accelerators:
            what = f"tp x cp x dp x pp = {self.dp * one:,}, not the {accelerators:,} accelerators"
            raise ConfigError(f"{what}; leave dp out")
        sequence = self.sequence or min(model.sequence, pretraining_tokens())
        made = replace(self, dp=accelerators // one, sequence=sequence)
        made = replace(made, global_batch=made.global_batch or made.replicas * made.micro_batch * made.pp)
        made._check(model)
        return made

    def _check_shapes(self, m: Model) -> None:
        """What no number of accelerators mends."""
        if m.heads % self.tp:
            what = f"tp = {self.tp} does not divide the {m.heads} heads of {m.name}"
            raise ConfigError(f"{what}; give {near(self.tp, m.heads)}")
        if self.pp * self.v > m.layers + 2:  # the table of tokens and the output layer count as one each
            what = f"pp x v = {self.pp * self.v} exceeds the {m.layers} layers and two ends of {m.name}"
            raise ConfigError(f"{what}; give {m.layers + 2} at most")
        if self.ep > 1 and not m.moe_layers:
            raise ConfigError(f"ep = {self.ep} of {m.name}, which has no experts; leave ep out")
        if self.ep > 1 and m.experts % self.ep:
            what = f"ep = {self.ep} does not divide the {m.experts} experts of {m.name}"
            raise ConfigError(f"{what}; give {near(self.ep, m.experts)}")
        sequence = self.sequence or min(m.sequence, pretraining_tokens())
        if sequence % self.cp:
            what = f"cp = {self.cp} does not divide the sequence of {sequence:,}"
            raise ConfigError(f"{what}; give {near(self.cp, sequence)}")

    def _check(self, m: Model) -> None:
        def refuse(what: str) -> None:
            raise ConfigError(f"{what} of {m.name}; give another layout")

        if self.replicas % self.copies:
            refuse(f"copies = {self.copies} does not divide dp = {self.replicas}")
        stage = self.tp * self.cp * self.replicas // self.copies
        if stage % self.ep:
            refuse(f"ep = {self.ep} does not divide the {stage} ranks of a stage")
        if self.schedule == "dualpipe" and (self.pp % 2 or self.micro_batches % 2):
            refuse(f"dualpipe takes even numbers of stages and micro-batches, not {self.pp} and {self.micro_batches},")
        assert self.global_batch is not None
        if self.global_batch % (self.replicas * self.micro_batch):
            raise ConfigError(
                f"a batch of {self.global_batch:,} is no multiple of dp x micro_batch = {self.replicas} x "
                f"{self.micro_batch}; give one"
            )


def near(wrong: int, whole: int) -> str:
    """The nearest divisors below and above, as words.

    >>> near(3, 64), near(128, 64)
    ('2 or 4', '64')
    """
    low, high = ((n for n in span if whole % n == 0) for span in (range(wrong, 0, -1), range(wrong, whole + 1)))
    return " or ".join(str(n) for n in (next(low, None), next(high, None)) if n is not None)


def parse_parallel(text: str) -> Parallel:
    """A layout as it is written: "tp=8,pp=16,v=8,batch=2048,seq=8192,zero=1,precision=fp8,recompute=full".

    ConfigError for a key that is none, a value that is not of its kind, or a key given twice.

    >>> parse_parallel("tp=8,pp=16,batch=2048,sp=false").sp
    False
    """
    kinds = {field.name: field for field in fields(Parallel)}
    given: dict[str, int | bool | str] = {}
    for word in text.split(","):
        key, equals, value = (piece.strip() for piece in word.partition("="))
        name = _KEYS.get(key, key)
        if not equals or name not in kinds:
            raise ConfigError(unknown("part of a layout", key, [*kinds, *_KEYS], "write e.g. tp=8,pp=8,batch=1024"))
        if name in given:
            raise ConfigError(f"layout '{text:.60}': {key} is given twice")
        given[name] = _value(name, value, text)
    return Parallel(**given)  # type: ignore[arg-type]


def _value(name: str, value: str, text: str) -> int | bool | str:
    if name in ("kept", "sp", "fused", "adapters", "graphs", "overlap"):
        if value not in ("true", "false"):
            raise ConfigError(f"layout '{text:.60}': {name} = {value:.20} is not true or false")
        return value == "true"
    if name in ("recompute", "precision", "schedule"):
        return value
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise ConfigError(f"layout '{text:.60}': {name} = {value:.20} is not a whole number")
    return int(value)
