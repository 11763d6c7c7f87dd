"""SRAM machines: floors, devices and readings by hand; published speeds where the number of devices is known."""

import pytest

from fabric.limits.duty import duty_of
from fabric.workloads.comparing import workload
from fabric.workloads.models.zoo import model
from fabric.workloads.replicas import Load
from fabric.workloads.sram.floors import explaining_devices, fitting_requests, hop_seconds, least_devices, sram_step
from topologies.errors import ConfigError, InfeasibleError
from topologies.kinds import Accelerator
from topologies.parts import part
from topologies.registry import build


def row(name: str) -> Accelerator:
    return part(name, Accelerator)


@pytest.mark.parametrize(
    ("machine", "name", "devices", "speed"),
    [("wse-3", "llama-3.1-8b", 1, 1800), ("groq-lpu1", "llama-2-70b", 576, 300), ("corsair", "llama-3-70b", 128, 500)],
)
def test_published_speeds_where_devices_are_known(machine: str, name: str, devices: int, speed: float) -> None:
    found = 1 / sram_step(model(name), row(machine), devices=devices).token_s
    assert speed / 1.5 < found < speed * 1.5


def test_a_bare_roofline_is_off_by_hundreds() -> None:
    step = sram_step(model("llama-3.1-8b"), row("wse-3"))
    assert 300 < step.token_s / step.read_s < 750
    assert step.floor_s == pytest.approx(32 * 17e-6)


def test_devices_that_hold_the_weights() -> None:
    assert least_devices(model("llama-2-70b"), row("groq-lpu1"), "fp16") == 600  # 137.95 GB / 230 MB
    assert least_devices(model("llama-2-70b"), row("groq-lpu1"), "int8") == 300
    assert least_devices(model("llama-3-70b"), row("corsair"), "int8") == 36
    with pytest.raises(InfeasibleError, match="do not hold"):
        sram_step(model("llama-3.1-405b"), row("wse-3"), devices=4)


def test_what_no_number_of_devices_explains_is_not_modelled() -> None:
    assert explaining_devices(model("llama-3.1-405b"), row("wse-3"), 1 / 969) is None
    sockets = explaining_devices(model("llama-3.1-70b"), row("sn40l"), 1 / 457)
    assert sockets is not None
    assert 50 <= sockets <= 60
    again = sram_step(model("llama-3.1-70b"), row("sn40l"), devices=sockets)
    assert again.token_s == pytest.approx(1 / 457, rel=0.02)


def test_hops_are_the_schedule_of_the_fabric() -> None:
    ring = build("ring:n=20,rate_gbps=400,latency_ns=500")
    hop = hop_seconds(ring, model("llama-3.1-405b"))
    assert hop == pytest.approx(500e-9 + 16384 * 2 / 50e9, rel=1e-6)
    near, far = (sram_step(model("llama-3.1-405b"), row("wse-3"), hop_s=h).token_s for h in (0.0, hop))
    assert far - near == pytest.approx(18 * hop)


def test_others_are_refused() -> None:
    with pytest.raises(ConfigError, match="not modelled"):
        sram_step(model("llama-3.1-8b"), row("h100-sxm"))
    with pytest.raises(ConfigError, match="no SRAM machine is named 'groq-3-lpx'"):
        sram_step(model("llama-3.1-8b"), row("groq-3-lpx"))


def test_caches_take_the_room_that_weights_leave() -> None:
    """Llama-3.1 70B in 16 bits: 141.1 GB on four wafers of 44 leave 34.9 GB; a request of 2,048 tokens takes 0.67."""
    shape, wafer = model("llama-3.1-70b"), row("wse-3")
    assert fitting_requests(shape, wafer, 4, 2048) == int((4 * 44e9 - shape.params * 2) / (2048 * 327680)) == 51
    full = sram_step(shape, wafer, batch=64, input_tokens=1536, output_tokens=1024)
    assert (full.running, full.fits, full.bound_by) == (51, 51, "memory capacity")
    with pytest.raises(InfeasibleError, match="no room beside the weights for the cache of one request"):
        sram_step(shape, wafer, input_tokens=200_000, output_tokens=1)


def test_streams_under_way_are_one_a_layer_or_a_device() -> None:
    few = sram_step(model("llama-3.1-8b"), row("wse-3"), batch=1000)
    assert (few.running, few.tokens_per_s) == (32, pytest.approx(32 / few.token_s))
    many = sram_step(model("llama-2-70b"), row("groq-lpu1"), devices=576, batch=1000)
    assert (many.running, many.least_devices) == (300, 300)
    together = sram_step(model("llama-3-8b"), row("sn40l"), devices=8, batch=64)
    assert together.floor_s == pytest.approx(32 * (8e-6 + 63 * 4.5e-6))


def test_a_prompt_takes_its_operations() -> None:
    """1,024 tokens of 8B on a wafer: 2 x 7.5e9 and attention over 512 tokens each, at half of 12.5 PFLOP/s."""
    shape = model("llama-3.1-8b")
    found = sram_step(shape, row("wse-3"), input_tokens=1024, output_tokens=1)
    flops = 1024 * (2 * shape.multiplied_params + 4 * 32 * 4096 * 512)
    assert found.prompt_s == pytest.approx(flops / 6.25e15)
    assert found.first_token_s == found.token_s + found.prompt_s
    assert sram_step(shape, row("sn40l"), input_tokens=1024, output_tokens=1024).prompt_s > 0


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("cs3-4", "llama-3.1-70b"), ("groqrack-8", "llama-2-70b"), ("corsair-rack", "llama-3-70b"),
        ("sn40l-16", "llama-3-8b"),
    ],
)  # fmt: skip
def test_ready_made_machines_answer_as_a_rack_of_gpus_does(name: str, shape: str) -> None:
    (answer,) = workload([name], shape, Load())
    point = answer.serving.point
    assert point.tokens_per_j_rack and point.tokens_per_j_facility
    assert point.tokens_per_j_facility < point.tokens_per_j_rack
    assert answer.walls and answer.walls["thermal"]["state"] in ("ok", "marginal")
    assert sum(point.shares.values()) == pytest.approx(1)


def test_walls_of_wafers_count_all_of_their_memory() -> None:
    """70B in 16 bits on four wafers: 35.3 GB of weights on each, and the caches that the other 8.7 GB hold."""
    (answer,) = workload(["cs3-4"], "llama-3.1-70b", Load())
    duty, _ = duty_of(build("cs3-4"), model("llama-3.1-70b"), answer)
    assert duty.usable == 1
    held = dict(duty.held_gb)
    assert held["weights"] == pytest.approx(35.28, rel=1e-3)
    assert 43 < held["weights"] + held["caches"] <= 44
