"""What foreign files call devices, as rows of the catalogue; what a NVLink, a PCIe lane, a socket link carries."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from topologies.parts import Accelerator, Catalogue, Part

_TABLE = Path(__file__).with_name("devices.toml")
Rows = list[dict[str, Any]]


@cache
def _rows() -> dict[str, Rows]:
    return tomllib.loads(_TABLE.read_text(encoding="utf-8"))


def part_of_device(vendor: str, device: str, kind: type[Part], parts: Catalogue) -> str | None:
    """The part of a PCI device of that kind; None where its ids are not known.

    >>> from topologies.parts import catalogue
    >>> part_of_device("0x10de", "0x2330", Accelerator, catalogue())
    'h100-sxm'
    """
    wanted = vendor.lower(), device.lower()
    for row in _rows()["device"]:
        if wanted[0] == row["vendor"] and wanted[1] in row["ids"]:
            return row["part"] if isinstance(parts.get(row["part"]), kind) else None
    return None


def device_of_part(part: str) -> tuple[str, str] | None:
    """Vendor and device id of a part on PCI; None where they are not known.

    >>> device_of_part("h100-sxm")
    ('0x10de', '0x2330')
    """
    found = next((row for row in _rows()["device"] if row["part"] == part), None)
    return None if found is None else (found["vendor"], found["ids"][0])


def part_of_name(text: str, kind: type[Part], parts: Catalogue) -> str | None:
    """The part of that kind that a text names first; None where it names none.

    >>> from topologies.parts import Nic, catalogue
    >>> part_of_name("Nvidia A100 GPU", Accelerator, catalogue()), part_of_name("switch", Nic, catalogue())
    ('a100-40gb', None)
    """
    found: list[tuple[int, str]] = []
    for row in _rows()["name"]:
        match = re.search(row["pattern"], text[:500].lower())
        if match is not None and isinstance(parts.get(row["part"]), kind):
            found.append((match.start(), row["part"]))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def nvlink(sm: int) -> dict[str, Any] | None:
    """`link_gbps`, `cable` and `switch` of the NVLink generation of a compute capability; None before the first.

    >>> nvlink(90)["link_gbps"], nvlink(89)["switch"]
    (200, 'nvswitch2')
    """
    return next((row for row in reversed(_rows()["nvlink"]) if sm >= row["sm"]), None)


def nvlink_of(part: Accelerator) -> dict[str, Any] | None:
    """The row of an NVIDIA accelerator by the rate of its links; None where the catalogue gives it none."""
    rate = part.scaleup_link_gbps
    return next((row for row in reversed(_rows()["nvlink"]) if rate == row["link_gbps"]), None)


def socket_gbps(arch: str, vendor: str, model: int) -> float:
    """What two processors of a host send each other, one way, as NCCL's search has it.

    >>> socket_gbps("x86_64", "GenuineIntel", 143), socket_gbps("x86_64", "AuthenticAMD", 49)
    (176.0, 128.0)
    """
    for row in _rows()["socket"]:
        alike = (not row["arch"] or row["arch"] == arch) and (not row["vendor"] or row["vendor"] == vendor)
        if alike and model >= row["model_from"]:
            return float(row["gbps"])
    raise AssertionError("the last row fits every processor")


def pcie_gbps(speed: str, width: str) -> float | None:
    """One way, after coding, of a PCIe link as Linux prints its speed and width; None where these are no PCIe.

    >>> pcie_gbps("16.0 GT/s PCIe", "16"), pcie_gbps("Unknown", "255")
    (252.0608, None)
    """
    rate = re.match(r"([0-9]{1,3}(?:\.[0-9]{1,2})?) ?GT/s", speed)
    lanes = int(width) if re.fullmatch(r"[0-9]{1,2}", width) else 0
    if rate is None or lanes not in (1, 2, 4, 8, 12, 16, 32):
        return None
    lane = next((row["lane_gbps"] for row in _rows()["pcie"] if row["gt_per_s"] == float(rate[1])), None)
    return None if lane is None else float(lane) * lanes


def scaleup_of(accelerator: str) -> dict[str, Any] | None:
    """What joins accelerators of that name in a domain: `chips` (0: each other), `switch`, `cable`, `most` of them.

    >>> scaleup_of("h100-sxm")["chips"], scaleup_of("generic")
    (4, None)
    """
    return next((row for row in _rows()["scaleup"] if accelerator in row["accelerators"]), None)
