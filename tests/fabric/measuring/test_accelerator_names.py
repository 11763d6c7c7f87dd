"""Names of accelerators as benchmarks write them."""

import pytest

from fabric.measuring.accelerator_names import named_accelerator
from topologies.errors import ConfigError
from topologies.kinds import Accelerator
from topologies.parts import catalogue

WRITTEN = {
    "NVIDIA H100-SXM-80GB": "h100-sxm", "H100": "h100-sxm", "NVIDIA H100-PCIe-80GB": "h100-pcie",
    "H100 NVL 94GB": "h100-nvl", "NVIDIA H200-SXM-141GB-CTS": "h200-sxm", "H20-3e": "h20-141gb",
    "NVIDIA GH200-GraceHopper-Superchip_GH200-96GB_aarch64": "gh200", "A100": "a100-40gb",
    "A100-SXM4-80GB": "a100-80gb", "A100-SXM4-40GB": "a100-40gb", "NVIDIA A100 80GB PCIe": "a100-pcie",
    "NVIDIA B200-SXM-180GB": "b200-sxm", "GB300 NVL72": "gb300", "RTX PRO 6000 Blackwell Server": "rtx-pro-6000",
    "AMD Instinct MI300X 192GB HBM3": "mi300x", "AMD MI355X 288GB HBM3E": "mi355x", "Intel Max 1550": "max-1550",
    "Arc Pro B70": "arc-pro-b70", "BMG-B50": "arc-pro-b50", "Gaudi2D": "gaudi2", "Trainium": "trainium1",
    "Google TPU v6e (Trillium)": "tpu-v6e", "TPU v5p": "tpu-v5p", "Ascend 910B3": "ascend-910b", "A10G": "a10g",
    "Jetson AGX Thor": "jetson-agx-thor", "Cerebras CS-3": "wse-3", "Groq LPU v1": "groq-lpu1",
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_a_benchmarks_name_finds_its_row(name: str) -> None:
    assert named_accelerator(name).name == WRITTEN[name]
    assert named_accelerator(f"2x {name.upper()}").name == WRITTEN[name]


def test_every_part_is_found_by_its_own_name() -> None:
    rows = catalogue().of_kind(Accelerator)
    assert all(named_accelerator(row.name.upper()).name == row.name for row in rows)


def test_mixed_and_unknown_ones_are_refused() -> None:
    with pytest.raises(ConfigError, match="several kinds of accelerators in one: mi300x, mi325x"):
        named_accelerator("AMD Instinct MI300X 192GB HBM3 (x32), AMD Instinct MI325X 256GB HBM3e (x16)")
    for name in ("NPU die", "", "H1000", "XB2005"):
        with pytest.raises(ConfigError, match="no accelerator is named"):
            named_accelerator(name)


def test_who_serves_a_model_has_what_its_model_needs() -> None:
    """Everything that rows may name has a memory, a bandwidth and a 16-bit rate; SRAM machines their own model."""
    for name in set(WRITTEN.values()) - {"wse-3"}:
        row = named_accelerator(name)
        assert row.memory_gb and row.memory_bandwidth_tb_per_s and row.bf16_tflops and row.tdp_w, name
