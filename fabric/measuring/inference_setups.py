"""What a measured row of inference ran: machine, model, stack, layout and load, and what had to be assumed of them."""

import re
from dataclasses import dataclass
from functools import lru_cache

from fabric.measuring.accelerator_names import named_accelerator
from fabric.measuring.inference_rows import InferenceRow, rules
from fabric.measuring.machines import NoMachineError, machine_of
from fabric.measuring.predicting import serves
from fabric.measuring.reading import Measurement
from fabric.measuring.unmet_models import met_model
from fabric.workloads.models.model import Model
from fabric.workloads.models.model_names import stated_precision
from fabric.workloads.models.precisions import precision
from fabric.workloads.serving.calibration import DEFAULT_STACK, cache_format, cores_of, generation_of
from fabric.workloads.serving.exchanges import ALONE
from fabric.workloads.serving.layout import Layout
from topologies.errors import ConfigError
from topologies.kinds import Accelerator
from topologies.parts import part


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One row, understood. `spec` and `transport` are the fabric within one replica; `replicas` share the load of the
    row; `low_load`: does a time to the first token say something of prefill; `stated`: are layout, lengths and batch
    the row's own? `capped`: an accelerator below its rated power."""

    accelerator: Accelerator
    generation: str
    model: Model
    weights: str
    cache: str
    stack: str
    layout: Layout
    spec: str
    transport: str
    input_tokens: float
    output_tokens: float
    concurrency: float
    replicas: float
    accelerators: int
    static: bool
    lockstep: bool
    copies: bool  # requests are copies of one, whose experts all go to
    apart: bool
    low_load: bool
    stated: bool
    capped: bool
    said: tuple[str, ...]


def setup_of(row: InferenceRow, stack: str | None = None) -> Setup:
    """What a row ran, on `stack` if given; ConfigError with the reason where its words do not tell.

    >>> from fabric.measuring.inference_rows import read_inference
    >>> found = setup_of(next(r for r in read_inference()[0] if r.metric == "tpot_ms" and r.accelerator == "H200-SXM"))
    >>> found.generation, found.transport
    ('hopper', 'nccl')
    """
    accelerator, (shape, unmet) = accelerator_of_row(row), met_model(row.model)
    if row.says("at_least"):
        raise ConfigError("a bound, no figure")
    said = [] if unmet is None else [unmet]
    weights = weights_of_row(row, accelerator, shape, said)
    name, static = _stack(row)
    if stack is not None or name is None:
        name = stack or DEFAULT_STACK
        said.append(f"served by {name}" + (", which the row does not say" if stack is None else ""))
    layout = _layout(row, accelerator, shape, weights, said)
    disaggregated = row.says("apart")
    apart = disaggregated or row.scenario == "decode"
    accelerators = row.accelerators or layout.accelerators
    part = accelerators / layout.accelerators  # of a replica, where the row is of a node of it
    whole = part if layout.dp > accelerators else max(1.0, part)
    replicas = _decoders(row, layout, said) if disaggregated else whole
    inputs, outputs = _lengths(row, shape, said)
    if inputs + outputs > shape.sequence and (shape.positions or name in rules()["load"]["capping"]):
        said.append(f"answers that end at a context of {shape.sequence:,} tokens, which is the model's")
    alone = row.scenario == "single-user" or row.says("low_load")
    concurrency = 1.0 if row.concurrency is None and alone else row.concurrency
    if concurrency is None and row.metric == "ttft_ms":
        raise ConfigError("a first token behind a load that the row does not give")
    if concurrency is None:
        static, concurrency = False, rules()["load"]["most_offline"] * max(replicas, 1 / replicas)
        said.append("as many requests as fit, which the row does not say")
    each = max(1.0, concurrency / max(replicas, 1.0))
    low = (static or each <= rules()["load"]["low_concurrency"]) and not apart
    spec, transport = _fabric(accelerator.name, layout.accelerators)
    return Setup(
        accelerator=accelerator, generation=generation_of(accelerator.name), model=shape, weights=weights,
        cache=cache_format(name, weights), stack=name, layout=layout, spec=spec, transport=transport,
        input_tokens=inputs, output_tokens=outputs, concurrency=each, replicas=replicas, accelerators=accelerators,
        static=static, lockstep=row.says("lockstep"),
        copies=row.says("copies"), apart=apart, low_load=low, stated=not said,
        capped="power-capped" in row.words, said=tuple(said),
    )  # fmt: skip


def accelerator_of_row(row: InferenceRow) -> Accelerator:
    """The catalogue's row of its accelerator; ConfigError where there is none."""
    return named_accelerator(row.accelerator)


def weights_of_row(row: InferenceRow, accelerator: Accelerator, shape: Model, said: list[str]) -> str:
    """The precision that the row states, or the name of its checkpoint; else 16 bits, or what fits of fewer."""
    known, stated = rules()["precisions"], row.precision or stated_precision(row.model) or ""
    if stated not in known:
        raise ConfigError(f"no precision is known as '{stated:.20}'")
    found = str(known[stated])
    for rule in rules()["relabelled"]:
        if found == rule["from"] and accelerator.fp8_tflops and re.search(rule["pattern"], row.words):
            return str(rule["to"])
    if not stated:
        found = _fitting(row, accelerator, shape, found, said)
    if (found == "nvfp4" and "mxfp4" in row.words) or (found in ("nvfp4", "fp8") and "gpt-oss" in row.model.lower()):
        found = "mxfp4"  # the only checkpoint there is
    return found


def _fitting(row: InferenceRow, accelerator: Accelerator, shape: Model, widest: str, said: list[str]) -> str:
    """The widest precision in which the weights fit on the accelerators of a row that states none."""
    if row.accelerators is None or accelerator.memory_gb is None:
        return widest
    room = row.accelerators * accelerator.memory_gb * 1e9 * rules()["load"]["usable"]
    forms = [widest, *rules()["load"]["narrower"]]
    fits = next((form for form in forms if shape.weight_bytes(_plain(form)) < room), widest)
    if fits != widest:
        said.append(f"weights in {fits}, as more bits do not fit; the row states none")
    return fits


def _stack(row: InferenceRow) -> tuple[str | None, bool]:
    for rule in rules()["stack"]:
        if re.search(rule["pattern"], row.words):
            return rule["stack"], rule.get("static", False)
    return None, False


def _layout(row: InferenceRow, accelerator: Accelerator, shape: Model, weights: str, said: list[str]) -> Layout:
    """That of the row; else as few shards as hold the weights twice, in powers of two."""
    cores = cores_of(accelerator.name)
    if row.tp is None and row.dp is None and (wide := _wide(row, shape)):
        said.append(f"experts over {wide}, attention by requests, of which the row's accelerators are a part")
        return Layout(dp=wide, ep=wide)
    if row.tp is None and row.dp is None:
        most, held = row.accelerators or 1 << 10, shape.weight_bytes(_plain(weights))
        tp = 1
        while tp * 2 <= most and tp * (accelerator.memory_gb or 1) * 1e9 * 0.6 < held:
            tp *= 2
        said.append(f"tp={tp}, which the row does not say")
        return Layout(tp=tp)
    tp, dp, pp = max(1, (row.tp or 1) // cores), row.dp or 1, row.pp or 1
    if row.accelerators is not None and dp > 1 and tp * dp * pp > row.accelerators:
        tp = max(1, row.accelerators // (dp * pp))  # tp as of the experts, attention is split by requests
    ep = row.ep or 1
    return Layout(tp=tp, pp=pp, dp=dp, ep=ep if tp * dp % ep == 0 else 1)


def _wide(row: InferenceRow, shape: Model) -> int | None:
    """Accelerators that share the experts, where the row says that all do, or they are more than its own: a node of a
    cluster. As many as divide the experts, of those that the row tells."""
    if not shape.moe_layers or row.accelerators is None:
        return None
    nodes = re.search(rules()["words"]["cluster"], row.words) if row.says("per_node") else None
    told = row.ep or (row.accelerators * int(nodes.group(1)) if nodes else 0)
    if row.says("wide"):
        told = max(told, row.accelerators)
    most = max((n for n in range(1, told + 1) if shape.experts % n == 0), default=0)
    return most if most > row.accelerators or (row.says("wide") and most > 1) else None


def _plain(weights: str) -> str:
    return precision(weights).name


def _decoders(row: InferenceRow, layout: Layout, said: list[str]) -> float:
    """Replicas that decode in a disaggregated row: those that it counts, else all but one."""
    found = re.search(rules()["words"]["decode_workers"], row.words)
    if found is not None:
        return float(next(g for g in found.groups() if g))
    workers = max(1.0, (row.accelerators or layout.accelerators) / layout.accelerators - 1)
    said.append(f"{workers:g} replicas decode, which the row does not say")
    return workers


def _lengths(row: InferenceRow, shape: Model, said: list[str]) -> tuple[float, float]:
    if row.scenario == "prefill" and row.input_tokens is not None:
        return row.input_tokens, row.output_tokens or 1.0
    if row.input_tokens is not None and row.output_tokens is not None:
        return row.input_tokens, row.output_tokens
    data = next(d for d in rules()["data"] if d["model"] in ("*", shape.name) and re.search(d["pattern"], row.words))
    inputs, outputs = row.input_tokens or float(data["input"]), row.output_tokens or float(data["output"])
    said.append(f"prompts of {inputs:g} tokens, answers of {outputs:g}: {data['source']}")
    return inputs, outputs


@lru_cache(maxsize=512)
def _fabric(accelerator: str, ranks: int) -> tuple[str, str]:
    """The spec and the transport of so many accelerators: their usual server, else one switch of their scale-up."""
    if ranks == 1:
        return ALONE, "ideal"
    shape = rules()["fabrics"].get(accelerator, {})
    if (text := shape.get(str(ranks), shape.get("any"))) is not None:
        return f"{text.format(n=ranks)},accelerator={accelerator}", "ideal"
    try:
        machine = machine_of(
            Measurement(
                row=0, log="", system=rules()["systems"].get(accelerator, accelerator), notes="", ranks=ranks,
                nodes=None, collective="all-reduce", size_bytes=1, in_place=False, time_us=None, algbw_gb_per_s=None,
                busbw_gb_per_s=None,
            )
        )  # fmt: skip
        if serves(machine.spec, machine.transport):
            return machine.spec, machine.transport
    except (NoMachineError, ConfigError):
        pass
    rate = part(accelerator, Accelerator).scaleup_gbps
    if rate is None:
        raise ConfigError(f"accelerator '{accelerator}' has no scaleup_gbps")
    return f"switch:n={ranks},accelerator={accelerator},rate_gbps={rate:g},technology=board", "ideal"


def quantity(row: InferenceRow, setup: Setup) -> str:
    """What a row's error is an error of: its metric, rates per accelerator as totals and per user as times; with what
    makes it another question, where the batch is not stated, or a first token waits behind others."""
    name = {"tok_per_s_per_gpu": "tok_per_s_total", "tok_per_s_per_user": "tpot_ms"}.get(row.metric, row.metric)
    if row.says("speculative"):
        return f"{name}, speculative decoding"
    if name == "ttft_ms" and setup.apart:
        return f"{name}, prefill elsewhere"
    if name == "ttft_ms" and not setup.low_load:
        return f"{name}, under load"
    return name if setup.stated else f"{name}, of assumptions"
