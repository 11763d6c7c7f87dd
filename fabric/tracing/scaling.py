"""Scaling: how much longer computation takes than a file says, as on another accelerator than it was recorded on."""

import math

from fabric.workloads.training import accelerator_with_rate
from topologies.device_kinds import Accelerator
from topologies.errors import ConfigError
from topologies.graph import Topology


def scale_of(given: float | str, topology: Topology) -> tuple[float, str | None]:
    """How many times as long computation takes, and what that stands on where it is not given as a number.

    For the name of an accelerator: its dense bf16 rate over that of the fabric's. ConfigError for what is neither, and
    where no rate is known.

    >>> from topologies.registry import build
    >>> scale_of("0.5", build("switch:n=2")), round(scale_of("a100-80gb", build("hgx-h100"))[0], 4)
    ((0.5, None), 0.3155)
    """
    try:
        number = float(given)
    except ValueError:
        return _ratio(str(given), topology)
    if not 0 < number < math.inf:
        raise ConfigError(f"a compute scale of {given} is no number above zero; 0.5 halves computation")
    return number, None


def _ratio(name: str, topology: Topology) -> tuple[float, str]:
    recorded_on = topology.catalogue.part(name, Accelerator)
    if recorded_on.bf16_tflops is None:
        raise ConfigError(f"no bf16 rate of {name} is known, to scale computation by; give a number")
    here = accelerator_with_rate(topology)
    ratio = recorded_on.bf16_tflops / (here.bf16_tflops or math.nan)
    rates = f"its dense bf16 rate over that of {here.name}"
    return ratio, f"computation takes {ratio:.3g} times as long as on {name}: {rates}"
