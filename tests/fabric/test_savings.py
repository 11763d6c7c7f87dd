"""What Jupiter saves without a spine: by the catalogue's rows, worked out here, and as its notes say."""

import re

import pytest

from fabric.savings import savings
from topologies.families import systems
from topologies.parts import part

SPEC, SPINE = "jupiter-64x512", "jupiter-64x512:spine=true"
UPLINKS = 64 * 512


def saved(boxes, cables):
    """Power of blocks and spine saved, each block with so many switches and copper cables."""
    switch, copper = part("th5-64x800g").power_typical_w, 2 * part("dac-400g").power_w_per_end
    blocks = 64 * (boxes * switch + cables * copper)
    without = UPLINKS * part("400g-fr4-bidi").power_typical_w + 128 * part("palomar-136").power_typical_w
    against = 2 * UPLINKS * part("400g-fr4").power_typical_w + UPLINKS / 128 * switch
    return 1 - (blocks + without) / (blocks + against)


@pytest.mark.parametrize(
    ("boundary", "boxes", "cables"), [("blocks+spine", 8, 0), ("blocks+spine,stages=2", 24, 1024), ("spine", 0, 0)]
)
def test_power_saved(boundary, boxes, cables):
    (row,) = savings(SPEC, SPINE, [boundary], 1.4, {})
    assert row.power == pytest.approx(saved(boxes, cables), rel=1e-9)


def test_the_note_of_the_system_says_what_comes_out():
    (note,) = systems()[SPEC].notes
    rows = savings(SPEC, SPINE, ["blocks+spine", "blocks+spine,stages=2"], 1.4, {})
    assert [int(n) for n in re.findall(r"-(\d+) %", note)] == [round(100 * row.power) for row in rows] == [38, 24]
