"""SRAM machines that serve: pipelines that hold the weights and their requests' caches, side by side on a fabric."""

from fabric.workloads.inference import CONCURRENCIES, Inference, Point, provisioned_watts
from fabric.workloads.models.model import Model
from fabric.workloads.replicas import Load, Serving, best_point, idling
from fabric.workloads.serving.layout import Layout
from fabric.workloads.sram.floors import SramStep, hop_seconds, least_devices, sram_step
from fabric.workloads.sram.machines import sram_machine
from fabric.workloads.steps.splits import AUTO
from topologies.errors import InfeasibleError
from topologies.graph import Topology
from topologies.kinds import Accelerator

ALIKE = 0.98  # rates that are no reason for fewer pipelines
SAID = ("no interval of a token is known; draft models, admission and the network in front are not in it",)


def serve_from_sram(topology: Topology, model: Model, row: Accelerator, load: Load, layout: str = AUTO) -> Serving:
    """A model on devices that hold it in SRAM: as many pipelines side by side as hold the weights, or fewer where the
    room for caches that this gives is worth more; what the weights leave of devices holds caches. What of a load, and
    of a `layout`, they do not have is said.

    InfeasibleError where the fabric has too few, or no user gets the floor.

    >>> from fabric.workloads.models.zoo import model
    >>> from topologies.registry import build
    >>> from topologies.parts import part
    >>> wafers = build("switch:n=8,accelerator=wse-3")
    >>> found = serve_from_sram(wafers, model("llama-3.1-8b"), part("wse-3", Accelerator), Load(concurrency=8))
    >>> found.inference.replicas, found.point.wall
    (8, 'fabric latency')
    """
    n, least = len(topology.accelerators), least_devices(model, row, load.weights)
    if least > n:
        raise InfeasibleError(
            f"{model.name} takes {least:,} x {row.name} to hold its weights, {topology.name} has {n:,}; give more"
        )
    found: list[tuple[Inference, Point]] = []
    fastest, reason = 0.0, ""
    for pipelines in _numbers(n // least):
        try:
            inference = _pipelines(topology, model, row, load, layout, pipelines)
        except InfeasibleError as error:
            reason = reason or str(error)
            continue
        fastest = max(fastest, *(p.tokens_per_s_per_user for p in inference.points))
        if (point := best_point(inference, load)) is not None:
            found.append((inference, point))
    if not found:
        slow = f"{topology.name} gives a user {fastest:.1f} tokens/s at most, not {load.floor or 0:g}"
        raise InfeasibleError(slow if fastest else reason)
    best_rate = max(point.tokens_per_s for _, point in found)
    inference, point = next(pair for pair in found if pair[1].tokens_per_s > ALIKE * best_rate)
    return Serving(inference, point, len(_numbers(n // least)), len(found), len(found))


def _numbers(most: int) -> list[int]:
    """Numbers of pipelines that are tried: all that fit, and halves of it."""
    return [most >> i for i in range(most.bit_length())]


def _pipelines(
    topology: Topology, model: Model, row: Accelerator, load: Load, layout: str, pipelines: int
) -> Inference:
    n, machine = len(topology.accelerators), sram_machine(row)
    devices, weights = n // pipelines, load.weights or machine.weights
    share = None if load.concurrency is None else load.concurrency / pipelines
    hop_s = hop_seconds(topology, model) if devices > 1 else 0.0

    def step(streams: float) -> SramStep:
        return sram_step(
            model, row, devices=devices, batch=streams, weights=load.weights, hop_s=hop_s,
            input_tokens=load.input_tokens, output_tokens=load.output_tokens,
        )  # fmt: skip

    most = step(float(CONCURRENCIES[-1])).running  # beyond it more only wait
    loads = sorted({*(float(c) for c in CONCURRENCIES), most}) if share is None else [max(1.0, share)]
    steps = [step(streams) for streams in loads]
    points = [_point(topology, step, streams, pipelines, load.output_tokens)
              for step, streams in zip(steps, loads, strict=True)]  # fmt: skip
    points = points if share is None or share >= 1 else [idling(point, share) for point in points]
    tokens = load.input_tokens + load.output_tokens / 2
    noted = [f"{model.title}: {model.note}"] if model.note else []
    return Inference(
        topology=topology.name, model=model.name, accelerator=row.name, accelerators=n, stack="the machine's own",
        weights=weights, cache=machine.cache, layout=Layout(pp=devices), replicas=pipelines, prefill_replicas=0,
        prefill_layout=None,
        input_tokens=load.input_tokens, output_tokens=load.output_tokens, batch_limit=steps[0].fits or 0,
        weights_gb=model.weight_bytes(weights) / 1e9 / devices,
        cache_bytes_per_token=model.kv_bytes_per_token(machine.cache),
        request_gb=model.kv_bytes(tokens, machine.cache) / 1e9 / devices, transfer_s=None,
        prefill_s=steps[0].prompt_s, points=tuple(points),
        estimates=(*steps[0].said, *_unused(load, layout), *SAID, *noted),
    )  # fmt: skip


def _unused(load: Load, layout: str) -> list[str]:
    """What is asked that these machines do not have."""
    given = {
        "layout": layout != AUTO, "stack": load.stack is not None, "halves": load.micro_batches > 1,
        "chunks": load.chunk_tokens is not None, "replicas that prefill": load.prefill_replicas != 0,
    }  # fmt: skip
    found = [name for name, is_there in given.items() if is_there]
    return [f"pipelines of devices that hold the weights have no {', '.join(found)}: left out"] if found else []


def _point(topology: Topology, step: SramStep, streams: float, pipelines: int, answer: float) -> Point:
    """All pipelines under the same number of streams each; those that find no place wait for others' answers."""
    rate, watts = step.tokens_per_s * pipelines, provisioned_watts(topology)
    rack, facility = (None, None) if watts is None else (rate / watts[0], rate / watts[1])
    spread_s = step.running / step.tokens_per_s  # of a token, prompts of those who follow included
    shares = {"fabric latency": step.floor_s + step.hops_s, "memory bandwidth": step.read_s,
              "compute": spread_s - step.token_s}  # fmt: skip
    waiting_s = (streams / step.running - 1) * (step.first_token_s + (answer - 1) * spread_s)
    return Point(
        concurrency=streams, running=step.running, users=step.running * pipelines,
        first_token_s=step.first_token_s + waiting_s, token_s=spread_s, token_low_s=spread_s,
        token_high_s=spread_s, worst_token_s=spread_s,
        tokens_per_s_per_user=1 / spread_s, tokens_per_s_per_accelerator=rate / len(topology.accelerators),
        tokens_per_s=rate, tokens_per_j_rack=rack, tokens_per_j_facility=facility, wall=step.bound_by,
        shares={name: seconds / spread_s for name, seconds in shares.items()}, hidden_s=0.0,
    )  # fmt: skip
