"""Differing: what one plan does on each switch and another does not."""

from typing import Any

from fabric.planning.plan import Plan


def difference(a: Plan, b: Plan) -> dict[str, Any]:
    """Figures of the summary that differ, and by switch the changes ("stage 2: add 3-17") that one plan alone has.

    >>> from fabric.planning.planner import plan
    >>> one = plan("tpu-pod:slice=4x4x8", "tpu-pod:slice=4x4x8,twist=true")
    >>> difference(one, one)["same"], len(difference(one, one.reversed())["switches"])
    (True, 32)
    """
    keys = [key for key in {**a.summary, **b.summary} if a.summary.get(key) != b.summary.get(key)]
    one, two = _steps(a), _steps(b)
    switches = {}
    for name in sorted(one.keys() | two.keys(), key=lambda name: (len(name), name)):
        mine, other = one.get(name, []), two.get(name, [])
        if mine != other:
            switches[name] = {"only_a": [text for text in mine if text not in other],
                              "only_b": [text for text in other if text not in mine]}  # fmt: skip
    return {
        "same": a == b, "same_base": a.base == b.base,
        "summary": {key: [a.summary.get(key), b.summary.get(key)] for key in keys}, "switches": switches,
    }  # fmt: skip


def _steps(plan: Plan) -> dict[str, list[str]]:
    steps: dict[str, list[str]] = {}
    for stage in plan.stages:
        for change in stage.changes:
            own = steps.setdefault(change.switch, [])
            own += [f"stage {stage.id}: delete {a}-{b}" for a, b in change.delete]
            own += [f"stage {stage.id}: add {a}-{b}" for a, b in change.add]
    return steps
