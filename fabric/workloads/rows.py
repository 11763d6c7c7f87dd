"""Rows: a workload's answers with the keys that every form prints."""

from dataclasses import asdict, fields
from typing import Any

from fabric.workloads.comparing import Answer
from fabric.workloads.replicas import Serving
from fabric.workloads.steps.parallel import Parallel
from fabric.workloads.training import TrainingStep


def row_of(answer: Answer, rank: int | None) -> dict[str, Any]:
    """One answer as JSON has it: what it is of, its rank, the step or the point, walls, what it stands on."""
    head = {"topology": answer.spec, "values": dict(answer.values), "rank": rank, "why": answer.why}
    if answer.step is not None:
        body = step_row(answer.step)
        found = answer.search
        keys = ("splits", "fitting", "priced", "unreached")
        body["search"] = None if found is None else {key: getattr(found, key) for key in keys}
    elif answer.serving is not None:
        body = serving_row(answer.serving)
    else:
        body = {}
    walls = None if answer.walls is None else dict(answer.walls)
    return {**head, **body, "first_wall": answer.first_wall, "walls": walls, "estimates": list(answer.said)}


def step_row(step: TrainingStep) -> dict[str, Any]:
    """A training step: seconds by part, bytes by kind, rates, energy, exchanges."""
    told = {key: value for key, value in step.document().items() if key not in ("topology", "said")}
    more = {
        "accelerators_used": step.parallel.ranks, "parallel": written(step.parallel), "compute": asdict(step.compute),
        "binds": binds(step),
    }  # fmt: skip
    return {"mode": "train", **told, **more}


def serving_row(found: Serving) -> dict[str, Any]:
    """A model served: its layout, the point that was chosen, the curve, memory, energy."""
    served = found.inference
    whole = {field.name: getattr(served, field.name) for field in fields(served)}
    skipped = ("topology", "layout", "points", "estimates")
    search = {"layouts": found.layouts, "fitting": found.fitting, "reaching": found.reaching}
    return {
        "mode": "serve", **{key: value for key, value in whole.items() if key not in skipped},
        "layout": str(served.layout),
        "prefill_layout": None if served.prefill_layout is None else str(served.prefill_layout),
        **asdict(found.point), "search": search,
        "points": [asdict(point) for point in served.points],
        "front": [{"layout": str(layout), **asdict(point)} for layout, point in found.front],
    }  # fmt: skip


def parts_of(step: TrainingStep) -> list[tuple[str, float]]:
    """Seconds of a step by part, which add up to it: compute, bubble, exposed by dimension."""
    exposed = [(f"exposed {name}", seconds) for name, seconds in step.exposed_s.items() if step.wire_s[name] > 0]
    return [("compute", step.compute_s), ("bubble", step.bubble_s), *exposed]


def hides_behind(p: Parallel) -> dict[str, str]:
    """What the communication of each dimension runs beside (`fabric.workloads.training.timeline`)."""
    return {
        "tp": "matrix products, less what shows in any case", "cp": "attention",
        "ep": "another micro-batch, less what shows in any case" if p.hides else "nothing: one chunk a rank",
        "pp": "other micro-batches, but to fill and drain",
        "dp": f"{'all micro-batches' if p.zero == 3 else 'one micro-batch'}, less what shows in any case",
    }  # fmt: skip


def binds(step: TrainingStep) -> str:
    """The largest part of a step."""
    return max(parts_of(step), key=lambda part: part[1])[0]


def written(p: Parallel) -> str:
    """A layout as it is given to --parallel.

    >>> written(Parallel(tp=8, pp=2, dp=4, global_batch=64, sequence=8192))
    'tp=8,dp=4,pp=2,micro_batch=1,batch=64,seq=8192,zero=1,recompute=none,precision=bf16'
    >>> written(Parallel(pp=8, global_batch=64, sequence=8192, schedule="dualpipe", mtp=1, zero=3, kept=True))
    'pp=8,micro_batch=1,batch=64,seq=8192,zero=3,recompute=none,precision=bf16,kept=true,schedule=dualpipe,mtp=1'
    """
    dimensions = ("tp", "cp", "ep", "dp", "pp", "v")
    always = ("micro_batch", "global_batch", "sequence", "zero", "recompute", "precision")
    short = {"global_batch": "batch", "sequence": "seq"}
    plain, told = Parallel(dp=1), []
    others = [field.name for field in fields(Parallel) if field.name not in (*dimensions, *always)]
    for name in (*dimensions, *always, *others):
        value = getattr(p, name)
        if name in always or (value is not None and value != getattr(plain, name)):
            told.append(f"{short.get(name, name)}={str(value).lower() if isinstance(value, bool) else value}")
    return ",".join(told)
