"""Working: what a workload comes to on the fabric that fits: its layout, rate, tokens a joule and a dollar."""

from dataclasses import dataclass

from fabric.sizing.limits import Weight
from fabric.workloads.comparing import Answer
from fabric.workloads.rows import binds, written


@dataclass(frozen=True, slots=True)
class Worked:
    """A workload on a fabric of a site. Tokens a joule are over the watts that must fit under the limit, tokens a
    second and a million dollars over all that has a price; None where watts or prices are not known, or, of
    `tokens_per_s_per_user` and `first_token_s`, in training."""

    layout: str
    binds: str
    tokens_per_s: float
    tokens_per_s_per_accelerator: float
    tokens_per_s_per_user: float | None
    first_token_s: float | None
    tokens_per_joule: float | None
    tokens_per_s_per_musd: float | None
    first_wall: str | None
    estimates: tuple[str, ...]


def worked(answer: Answer, weight: Weight | None) -> Worked | None:
    """What an answer comes to under the weight of its fabric; None where it does not fit into memory.

    >>> from fabric.sizing.limits import Limits, weigh
    >>> from fabric.workloads.comparing import workload
    >>> from fabric.workloads.replicas import Load
    >>> from topologies.registry import build
    >>> nvl72 = build("nvl72")
    >>> answer = workload([nvl72], "deepseek-r1", Load(concurrency=2304), layout="tp=8")[0]
    >>> found = worked(answer, weigh(nvl72, Limits(racks=1, pue=1.15)))
    >>> round(found.tokens_per_joule * 151800 / found.tokens_per_s, 9), found.layout  # 132 kW x 1.15
    (1.0, '9 x tp=8 in fp8')
    """
    watts = None if weight is None else weight.facility_w
    musd = None if weight is None or not weight.usd.value else weight.usd.value / 1e6

    def per(rate: float, of: float | None) -> float | None:
        return None if not of else rate / of

    step, serving = answer.step, answer.serving
    if step is not None and answer.fits:
        rate = step.tokens_per_s
        return Worked(
            written(step.parallel), binds(step), rate, rate / step.accelerators, None, None, per(rate, watts),
            per(rate, musd), answer.first_wall, answer.stands_on,
        )  # fmt: skip
    if serving is None:
        return None
    served, point = serving.inference, serving.point
    rate = point.tokens_per_s
    return Worked(
        served.laid_out, point.wall, rate, rate / served.accelerators,
        point.tokens_per_s_per_user, point.first_token_s, per(rate, watts), per(rate, musd), answer.first_wall,
        answer.stands_on,
    )  # fmt: skip
