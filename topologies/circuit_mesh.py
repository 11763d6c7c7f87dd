"""Meshes of blocks through circuit switches: every uplink used, every pair joined alike."""

from collections.abc import Hashable, Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np

from topologies.circuits import SIDE_A, SIDE_B, CircuitLayer
from topologies.errors import TopologyError
from topologies.parts import CircuitSwitch


def mesh_offsets(blocks: int, uplinks: int) -> list[int]:
    """uplinks/2 cyclic shifts that join every pair of blocks by floor or ceil of uplinks/(blocks - 1) links.

    The distances of the pairs with one link more are spread evenly, so that two of them add up to many others: traffic
    between blocks far apart finds transit blocks with wide links on both sides.

    A shift t joins each block's port on side A to side B of the block t further on: each block uses one port of either
    side. Uplinks must be even (they are, two to a strand pair); TopologyError otherwise, and below one link a pair.

    >>> from collections import Counter
    >>> shifts = Counter(mesh_offsets(64, 512))
    >>> sorted({shifts[t] + shifts[64 - t] for t in range(1, 32)}), 2 * shifts[32], sum(shifts.values())
    ([8, 9], 8, 256)
    """
    if blocks < 2:
        raise TopologyError(f"a mesh through circuit switches joins at least 2 blocks, not {blocks}")
    if uplinks % 2 or uplinks < blocks - 1:
        raise TopologyError(
            f"{uplinks} uplinks do not mesh {blocks} blocks: an even number, at least {blocks - 1}, is needed"
        )
    base = uplinks // (blocks - 1)
    offsets: list[int] = []
    remaining = uplinks
    if blocks % 2 == 0:
        opposite = base + base % 2
        offsets += [blocks // 2] * (opposite // 2)
        remaining -= opposite
    pairs = (blocks - 1) // 2
    larger = (remaining - 2 * pairs * base) // 2 if pairs else 0
    wider = {1 + (2 * i + 1) * pairs // (2 * larger) for i in range(larger)}
    for t in range(1, pairs + 1):
        links = base + (t in wider)
        offsets += [t] * ((links + 1) // 2) + [blocks - t] * (links // 2)
    return offsets


def mesh_layer(
    part: CircuitSwitch,
    groups: Sequence[Sequence[Hashable]],
    uplinks: int,
    link: Mapping[str, Any],
    devices: int | None = None,
    *,
    fibres: int = 1,
    lanes: int = 1,
) -> CircuitLayer:
    """Groups of blocks, each meshed on its own with all its uplinks; shifts go round the devices, so that a pair's
    parallel links, and a group's, are spread over as many devices as there are: by default as few as hold them all.

    A shift takes one port of every block of its group on either side of one device, or two ports of an any-to-any one.
    Strands that carry both ways join a block to two others in one shift; of two strands a link the one
    sends and the other receives, and a shift has its return: twice as many shifts, times the lanes of a link.
    """
    size = max(map(len, groups))
    shifts = [(g, shift) for g, group in enumerate(groups) for shift in _shifts(len(group), uplinks, fibres, lanes)]
    second = SIDE_A if part.any_to_any else SIDE_B
    wide = 2 if part.any_to_any else 1
    if devices is None:
        each = part.usable_ports // (wide * size)
        if not each:
            where = "" if part.any_to_any else " on either side"
            raise TopologyError(
                f"{size} blocks need {wide * size} ports{where} of a {part.name}, "
                f"which has {part.usable_ports} beside its spares; use a larger one"
            )
        devices = ceil(len(shifts) / each)
    strands, state = [], []
    firsts = np.cumsum([0] + [len(group) for group in groups])
    used = [0] * devices
    for placed, (g, offset) in enumerate(shifts):
        here = np.arange(len(groups[g]))
        there = (here + offset) % len(here)
        device = np.full(len(here), placed % devices)
        a = used[placed % devices] + here
        b = a + len(here) * (wide - 1)
        strands.append(np.stack([device, np.full(len(here), SIDE_A), a, firsts[g] + here], 1))
        strands.append(np.stack([device, np.full(len(here), second), b, firsts[g] + here], 1))
        state.append(np.stack([device, a, b[there]], 1))
        used[placed % devices] += wide * len(here)
    table = np.concatenate(strands)
    ends = [end for group in groups for end in group]
    return CircuitLayer(
        part=part,
        devices=devices,
        strands=table[np.lexsort(table[:, 2::-1].T)].astype(np.int32),
        state=np.concatenate(state).astype(np.int32),
        ends=ends,
        blocks=[str(e) for e in ends],
        link=link,
        fibres=fibres,
        lanes=lanes,
    )


def _shifts(blocks: int, uplinks: int, fibres: int, lanes: int) -> list[int]:
    """The shifts of a mesh, each with its return where a strand carries one way only, once for each lane."""
    shifts = mesh_offsets(blocks, uplinks)
    if fibres == 2:
        shifts = [t for shift in shifts for t in (shift, blocks - shift)]
    return [t for t in shifts for _ in range(lanes)]
