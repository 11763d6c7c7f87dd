"""Roofline: computations that say what they do, not how long it takes, timed by the accelerators of a fabric."""

from array import array
from dataclasses import replace

import numpy as np

from fabric.results import accelerator_of
from fabric.schedules.program import Program
from topologies.device_kinds import Accelerator
from topologies.graph import Topology


def rated(
    topology: Topology, made: Program, recorded_scale: float = 1.0, scale: float = 1.0
) -> tuple[Program, list[str]]:
    """A program whose recorded computations take `recorded_scale` times as long, and whose others take `scale` times
    what the accelerator's peak allows (Williams, Waterman, Patterson, CACM 2009): operations at its dense bf16 rate,
    or bytes at its memory bandwidth, whichever is longer. What was taken for granted comes with it.

    Where the fabric's accelerators have no rates, those take no time, and a note says so.

    >>> from topologies.registry import build
    >>> made = Program(2, "two")
    >>> made.work(made.compute(0, "matmul", 0.0), 989.4e12, 0.0)
    >>> found, said = rated(build("hgx-h100"), made)
    >>> round(found.seconds[0], 2), len(said)
    (1.0, 1)
    """
    seconds = np.array(made.seconds) * recorded_scale
    said = []
    if len(made.worked):
        count = f"{len(made.worked):,} computations give operations (num_ops), no microseconds"
        name = accelerator_of(topology)
        row = topology.catalogue.get(name) if name else None
        if isinstance(row, Accelerator) and row.bf16_tflops and row.memory_bandwidth_tb_per_s:
            operations = np.array(made.operations) / (row.bf16_tflops * 1e12)
            moved = np.array(made.moved) / (row.memory_bandwidth_tb_per_s * 1e12)
            seconds[np.array(made.worked)] = scale * np.maximum(operations, moved)
            said.append(f"{count}: timed at the bf16 peak and memory bandwidth of {row.name} (a roofline, no more)")
        else:
            said.append(f"{count}: they take no time; accelerator=h100-sxm, or another that has rates, times them")
    return replace(made, seconds=array("d", seconds.tobytes())), said
