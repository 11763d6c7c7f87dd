"""Memory against its roofline: sums by hand."""

import pytest

from fabric.limits import Conditions, checks, walls
from topologies.registry import build


def asked(spec, **given):
    return checks(build(spec), Conditions(**given))["memory"]


def test_seventy_billion_parameters_on_eight_h100():
    """140 GB over 8 x 80 GB at 3.35 TB/s: 17.5 GB each, read in 5.22 ms; bf16 binds above 989 / 3.35 operations."""
    capacity, bandwidth = asked("hgx-h100", weights_bytes=140e9)
    assert (capacity.value.value, capacity.limit.value, capacity.state) == (17.5, 80, "ok")
    assert bandwidth.value.value == pytest.approx(17.5 / 3.35) and bandwidth.state == "unknown"
    assert "above 295 operations a byte" in bandwidth.why


def test_what_does_not_fit():
    """1.4 TB and 200 GB of caches: 200 GB each, 20 accelerators of 80 GB hold them."""
    capacity = asked("hgx-h100", weights_bytes=1.4e12, kv_bytes=0.2e12)[0]
    assert capacity.state == "over" and capacity.moves.startswith("spread over 20 of them")
    assert walls("hgx-h100", Conditions(weights_bytes=1.4e12))["memory"]["state"] == "over"


def test_shards_are_a_domain_unless_given():
    assert asked("dgx-h100-superpod-256", weights_bytes=80e9)[0].value.value == 10
    assert asked("nvl72", weights_bytes=72e9)[0].value.value == 1
    assert asked("nvl72", weights_bytes=72e9, shards=4)[0].value.value == 18


def test_a_time_to_read_everything():
    state = {ms: asked("hgx-h100", weights_bytes=140e9, read_s=ms * 1e-3)[1].state for ms in (5, 6)}
    assert state == {5: "over", 6: "ok"}


def test_no_model_and_unknown_memory():
    assert walls("nvl72")["memory"] is None
    assert walls("ring:n=4", Conditions(weights_bytes=1e9))["memory"]["state"] == "unknown"
