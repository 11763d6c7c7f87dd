"""Splits: every feasible layout of a training step on so many accelerators, memory checked first."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import gcd

from fabric.workloads.models.model import Model
from fabric.workloads.steps.memory import memory
from fabric.workloads.steps.parallel import RECOMPUTE, SCHEDULES, Parallel, parse_parallel
from fabric.workloads.steps.states import pretraining_tokens
from topologies.errors import ConfigError

FREE = ("tp", "pp", "cp", "ep", "v", "micro_batch", "zero", "recompute")
AUTO = "auto"
PLAIN = SCHEDULES[0]
SPACE = (
    "tp divides the heads and those of keys, or copies them, cp the sequence, dp x micro-batch the batch, ep the "
    "experts; v cuts the layers, or layers and two ends, into equal chunks, unequal stages into a power of two; ZeRO "
    "1, or 3 on one stage; recompute none, selective or full"
)


@dataclass(frozen=True, slots=True)
class Question:
    """A layout of which some parts are given; the others, `free`, are searched."""

    given: Parallel
    free: tuple[str, ...] = ()


def read_question(text: str, **options: object) -> Question:
    """A layout as it is written, "tp=8,pp=8" or "auto" or "auto,tp=8"; options of a command that are not None count as
    written. ConfigError where something is given twice, or not known.

    >>> read_question("auto,tp=8", precision="fp8").free
    ('pp', 'cp', 'ep', 'v', 'micro_batch', 'zero', 'recompute')
    """
    words = [word.strip() for word in text.split(",")]
    auto = AUTO in words
    words = [word for word in words if word != AUTO]
    told = {word.partition("=")[0].strip() for word in words}
    aliases = {"mbs": "micro_batch", "batch": "global_batch", "gbs": "global_batch", "seq": "sequence", "vp": "v"}
    named = {aliases.get(key, key) for key in told}
    more = {key: value for key, value in options.items() if value is not None}
    twice = next((key for key in more if key in named), None)
    if twice is not None:
        raise ConfigError(f"layout '{text:.60}' and an option both give {twice}; give it once")
    layout = parse_parallel(",".join(words)) if words else Parallel()
    layout = replace(layout, **more)  # type: ignore[arg-type]
    free = tuple(key for key in FREE if key not in named and key not in more) if auto else ()
    return Question(layout, free)


def completed(asked: Question, accelerators: int, model: Model) -> Parallel:
    """What is given, with the model's sequence and a batch of one sequence an accelerator where none is stated."""
    batch = asked.given.global_batch or accelerators
    sequence = asked.given.sequence or min(model.sequence, pretraining_tokens())
    return replace(asked.given, sequence=sequence, global_batch=batch)


def splits(asked: Question, accelerators: int, model: Model) -> Iterator[Parallel]:
    """Every layout that fits model, batch and accelerators, whatever it takes of memory (`SPACE` says what is tried).

    ConfigError where what is given of it fits none.

    >>> from fabric.workloads.models.zoo import model
    >>> found = list(splits(read_question("auto,mbs=1,recompute=none,zero=1"), 16, model("llama-3.1-8b")))
    >>> len(found), len({(p.tp, p.cp, p.dp, p.pp) for p in found})
    (110, 35)
    """
    found = _every(asked, accelerators, model)
    if set(FREE) <= set(asked.free) and asked.given.schedule == PLAIN and asked.given.copies == 1:
        yield from found  # all of it is chosen so that it fits
        return
    reason: ConfigError | None = None
    some = False
    for p in found:
        try:
            p.on(accelerators, model)
        except ConfigError as error:
            reason = error
            continue
        some = True
        yield p
    if reason is not None and not some:
        raise reason


def _every(asked: Question, accelerators: int, model: Model) -> Iterator[Parallel]:
    base, free = completed(asked, accelerators, model), set(asked.free)
    batch, sequence = base.global_batch or 1, base.sequence or 1

    def choices(name: str, of: Iterable[int]) -> list[int]:
        return list(of) if name in free else [int(getattr(base, name))]

    for tp in choices("tp", filter(model.shards_evenly, divisors(gcd(accelerators, model.heads)))):
        for pp in choices("pp", (d for d in divisors(accelerators) if d <= model.layers + 2)):
            for cp in choices("cp", divisors(gcd(accelerators, sequence))):
                one = tp * pp * cp
                if accelerators % one or batch % (dp := accelerators // one) or (base.dp or dp) != dp:
                    continue
                stage = replace(base, tp=tp, pp=pp, cp=cp, dp=dp)
                for ep in choices("ep", experts_by(model, tp * cp * dp)):
                    for v in choices("v", chunks(model.layers, pp) if base.schedule == PLAIN else [1]):
                        for micro_batch in choices("micro_batch", divisors(batch // dp)):
                            yield from _kept(replace(stage, ep=ep, v=v, micro_batch=micro_batch), free)


def _kept(p: Parallel, free: set[str]) -> Iterator[Parallel]:
    """What of a layout is sharded over copies, and what is computed again."""
    for zero in ((1, 3) if p.pp == 1 else (1,)) if "zero" in free else (p.zero,):
        for recompute in RECOMPUTE if "recompute" in free else (p.recompute,):
            yield replace(p, zero=zero, recompute=recompute)


def fits(model: Model, p: Parallel, limit_bytes: float | None) -> bool:
    """Does a rank's memory hold it? A memory that is not known holds all. Data sheets say GB and mean GiB, 7 % more:
    that is left to contexts, buffers of libraries and fragments."""
    return limit_bytes is None or memory(model, p).total <= limit_bytes


def divisors(n: int) -> list[int]:
    """All of them, in order.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    low = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    return low + [n // d for d in reversed(low) if d * d != n]


def experts_by(model: Model, ranks: int) -> list[int]:
    """Over how many of a stage's ranks experts can be spread.

    >>> from fabric.workloads.models.zoo import model
    >>> experts_by(model("mixtral-8x7b"), 4), experts_by(model("llama-3.1-8b"), 4)
    ([1, 2, 4], [1])
    """
    return divisors(gcd(model.experts, ranks)) if model.moe_layers else [1]


def chunks(layers: int, pp: int) -> list[int]:
    """Chunks of layers a rank can have in its pipeline: equal ones, or powers of two where stages are unequal anyway.

    >>> chunks(126, 16), chunks(32, 4), chunks(32, 1), chunks(61, 8)
    ([1, 2, 4, 8], [1, 2, 4, 8], [1], [1, 2, 4])
    """
    if pp == 1:
        return [1]
    most, both = (layers + 2) // pp, (layers, layers + 2)
    if any(count % pp == 0 for count in both):
        return [1, *(v for v in range(2, most + 1) if any(count % (pp * v) == 0 for count in both))]
    return [1 << j for j in range(most.bit_length())]
