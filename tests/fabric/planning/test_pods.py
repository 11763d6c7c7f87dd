"""Pods of several slices: what a swap, a twist and another set of slices move, counted by hand."""

from itertools import permutations

import numpy as np
import pytest

from fabric.planning.pods import Pod, changes, read_pod, usable_chips
from topologies.errors import ConfigError
from topologies.registry import build


@pytest.mark.parametrize(
    ("spec", "circuits"),
    [
        ("tpu-pod:slice=8x8x8", 96),  # 48 switches, "+" and "-" each with another cube
        ("tpu-pod:slice=8x8x16", 96),
        ("tpu-pod:slice=4x4x8", 64),  # 32 switches join the cube to itself, once
        ("tpu-pod:slice=4x8x8", 80),
        ("tpu-pod:slice=4x4x4", 48),
        ("tpu-pod:slice=4x4x8,twist=true", 96),  # the twist leads out of the cube
        ("tpu-pod:slice=8x8x8,optic=400g-fr4", 192),  # a strand each way
    ],
)
def test_a_cube_swap_moves_what_ends_at_the_cube(spec: str, circuits: int) -> None:
    pod = read_pod(spec)
    after = pod.swapped(pod.slices[0].cubes[-1], 60)
    old, new = pod.layer(), after.layer()
    assert changes(old, new) == (circuits, circuits)
    moved = {tuple(row) for row in old.state.tolist()} ^ {tuple(row) for row in new.state.tolist()}
    assert {device for device, _, _ in moved} == set(range(48))
    assert after.chips == pod.chips
    assert 60 not in after.spares
    assert pod.slices[0].cubes[-1] not in after.spares


@pytest.mark.parametrize(
    ("before", "after", "circuits", "chips"),
    [
        # x and y of both cubes turn from themselves to each other
        ("tpu-pod:slice=4x4x8", "tpu-pod:slice=4x4x8,twist=true", 64, (128, 0, 128)),
        ("tpu-pod:slice=4x8x8", "tpu-pod:slice=4x8x8,twist=true", 64, (256, 0, 256)),
        # a ring of four cubes becomes two of two: half of its links stay
        ("tpu-pod:slice=16x16x16", "8*tpu-pod:slice=8x8x8", 1536, (4096, 0, 4096)),
        ("8*tpu-pod:slice=8x8x8", "tpu-pod:slice=16x16x16", 1536, (4096, 0, 4096)),
        # x alone all anew (2 x 4 x 16), y as it was, half of z
        ("tpu-pod:slice=8x8x8", "tpu-pod:slice=4x8x16", 192, (512, 0, 512)),
        ("2*tpu-pod:slice=8x8x8", "2*tpu-pod:slice=8x8x8", 0, (1024, 1024, 1024)),
    ],
)
def test_other_slices_move_as_many_circuits_as_counted(
    before: str, after: str, circuits: int, chips: tuple[int, int, int]
) -> None:
    old = read_pod(before)
    new = read_pod(after, before=old)
    assert changes(old.layer(), new.layer()) == (circuits, circuits)
    assert usable_chips(old, new) == chips


def test_slices_that_stay_keep_their_cubes_and_their_chips_in_use() -> None:
    old = read_pod("tpu-pod:slice=8x8x8+tpu-pod:slice=4x4x8")
    new = read_pod("tpu-pod:slice=4x4x8,twist=true+tpu-pod:slice=8x8x8+tpu-pod:slice=4x4x4", before=old)
    assert new.slices[1].cubes == old.slices[0].cubes
    assert usable_chips(old, new) == (640, 512, 704)
    assert changes(old.layer(), new.layer()) == (64, 64 + 48)


def test_a_pod_of_one_slice_is_that_slice_and_idle_cubes() -> None:
    pod, alone = read_pod("tpu-pod:slice=4x4x8"), build("tpu-pod:slice=4x4x8").circuits
    assert alone is not None
    layer = pod.layer()
    assert np.array_equal(layer.state, alone.state)
    assert len(layer.strands) == 64 * 96
    assert layer.strands_per_device.tolist() == [128] * 48
    assert pod.spares == list(range(2, 64))


def test_the_best_place_of_a_small_slice_is_found() -> None:
    old = read_pod("tpu-pod:slice=4x8x8,cubes=4")
    new = read_pod("tpu-pod:slice=4x4x16,cubes=4", before=old)
    found = changes(old.layer(), new.layer())[0]
    every = (Pod((type(one)(one.topology, cubes),)) for one in new.slices for cubes in permutations(range(4)))
    assert found == min(changes(old.layer(), pod.layer())[0] for pod in every)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("9*tpu-pod:slice=8x8x8", "takes 72 cubes, the pod has 64"),
        ("tpu-pod:slice=8x8x8+tpu-pod:slice=4x4x8,cubes=32", "share its switches"),
        ("tpu-pod:slice=8x8x8+tpu-pod:slice=4x4x8,optic=400g-fr4", "share its switches"),
        ("tpu-pod:slice=8x8x8+jupiter:blocks=4,uplinks=6", "is no slice of a TPU pod"),
        ("0*tpu-pod:slice=8x8x8", "0 slices"),
        ("tpu-pod:slice=8x8x9", "three multiples of 4"),
    ],
)
def test_slices_that_are_no_pod_are_refused(spec: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("*", r"\*")):
        read_pod(spec)


def test_a_swap_needs_a_spare_cube_and_a_used_one() -> None:
    pod = read_pod("tpu-pod:slice=8x8x8")
    for cube, spare in ((3, 4), (40, 41), (3, 64)):
        with pytest.raises(ConfigError):
            pod.swapped(cube, spare)
