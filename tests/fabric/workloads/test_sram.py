"""SRAM machines: floors, devices and readings by hand; published speeds where the number of devices is known."""

import pytest

from fabric.workloads.sram import explaining_devices, hop_seconds, least_devices, sram_step
from fabric.workloads.zoo import model
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
