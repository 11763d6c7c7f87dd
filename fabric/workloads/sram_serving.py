"""SRAM machines that serve: as many pipelines of devices as the fabric holds, the better the more streams they have."""

from fabric.workloads.inference import CONCURRENCIES, Inference, Point, provisioned_watts
from fabric.workloads.layout import Layout
from fabric.workloads.model import Model
from fabric.workloads.replicas import Load, Serving, best_point, idling
from fabric.workloads.sram import SramStep, hop_seconds, least_devices, own_format, sram_step
from topologies.errors import InfeasibleError
from topologies.graph import Topology
from topologies.kinds import Accelerator


def serve_from_sram(topology: Topology, model: Model, row: Accelerator, load: Load) -> Serving:
    """A model on devices that hold its weights in SRAM: a pipeline of the least number of them, several side by side.

    InfeasibleError where the fabric has too few, or no user gets the floor.

    >>> from fabric.workloads.zoo import model
    >>> from topologies.registry import build
    >>> from topologies.parts import part
    >>> wafers = build("switch:n=8,accelerator=wse-3")
    >>> found = serve_from_sram(wafers, model("llama-3.1-8b"), part("wse-3", Accelerator), Load(concurrency=8))
    >>> found.inference.replicas, found.point.wall
    (8, 'fabric latency')
    """
    n, devices = len(topology.accelerators), least_devices(model, row, load.weights)
    if devices > n:
        raise InfeasibleError(
            f"{model.name} takes {devices:,} x {row.name} to hold its weights, {topology.name} has {n:,}; give more"
        )
    pipelines, weights = n // devices, load.weights or own_format(row)
    share = None if load.concurrency is None else load.concurrency / pipelines
    loads = [float(c) for c in CONCURRENCIES] if share is None else [max(1.0, share)]
    steps = [_step(topology, model, row, devices, load, streams) for streams in loads]
    points = [_point(topology, step, streams, pipelines, load.output_tokens)
              for step, streams in zip(steps, loads, strict=True)]  # fmt: skip
    points = points if share is None or share >= 1 else [idling(point, share) for point in points]
    inference = Inference(
        topology=topology.name, model=model.name, accelerator=row.name, accelerators=n, stack="the machine's own",
        weights=weights, cache="SRAM, its room not counted:", layout=Layout(pp=devices),
        replicas=pipelines, prefill_replicas=0, input_tokens=load.input_tokens, output_tokens=load.output_tokens,
        batch_limit=0, weights_gb=model.weight_bytes(weights) / 1e9 / devices,
        cache_bytes_per_token=model.kv_bytes_per_token(), request_gb=0.0, transfer_s=None,
        prefill_s=steps[0].first_token_s,
        points=tuple(points),
        estimates=(*steps[0].said, "no interval of a token is known, nor how many requests fit beside the weights"),
    )  # fmt: skip
    point = best_point(inference, load)
    if point is None:
        fastest = max(p.tokens_per_s_per_user for p in points)
        raise InfeasibleError(f"{topology.name} gives a user {fastest:.1f} tokens/s at most, not {load.floor:g}")
    return Serving(inference, point, 1, 1, 1)


def _step(topology: Topology, model: Model, row: Accelerator, devices: int, load: Load, streams: float) -> SramStep:
    hop_s = hop_seconds(topology, model) if devices > 1 else 0.0
    return sram_step(
        model, row, devices=devices, batch=streams, weights=load.weights, hop_s=hop_s, output_tokens=load.output_tokens
    )


def _point(topology: Topology, step: SramStep, streams: float, pipelines: int, answer: float) -> Point:
    """All pipelines under the same number of streams each; those that find no device wait for others' answers."""
    rate, watts = step.tokens_per_s * pipelines, provisioned_watts(topology)
    rack, facility = (None, None) if watts is None else (rate / watts[0], rate / watts[1])
    shares = {"fabric latency": step.floor_s + step.hops_s, "memory bandwidth": step.read_s}
    waiting_s = (streams / step.running - 1) * (step.first_token_s + (answer - 1) * step.token_s)
    return Point(
        concurrency=streams, running=step.running, users=step.running * pipelines,
        first_token_s=step.first_token_s + waiting_s, token_s=step.token_s, token_low_s=step.token_s,
        token_high_s=step.token_s, worst_token_s=step.token_s,
        tokens_per_s_per_user=1 / step.token_s, tokens_per_s_per_accelerator=rate / len(topology.accelerators),
        tokens_per_s=rate, tokens_per_j_rack=rack, tokens_per_j_facility=facility, wall=step.bound_by,
        shares={name: seconds / step.token_s for name, seconds in shares.items()}, hidden_s=0.0,
    )  # fmt: skip
