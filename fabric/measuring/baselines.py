"""Simpler models that predictions are shown beside: line rate, NCCL's own tuning constants, SimAI's efficiencies."""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fabric.collectives import collective
from fabric.measuring.machines import Machine
from topologies.parts import Accelerator, catalogue
from topologies.toml_documents import read_toml

Baseline = Callable[[Machine, str, int], float | None]

_SPREADS = ("all-to-all", "send-recv")  # collectives that no rule of NCCL's tuning model chooses for
_RING_RATIO = ("all-gather", "reduce-scatter")  # to which SimAI applies its tables of rings


def line_rate(machine: Machine, pattern: str, size_bytes: int) -> float | None:
    """Microseconds of the bytes over the busiest link at its line rate, and nothing else.

    A ring in a domain, through every domain's adapters where there are several; all-to-all sends what leaves a domain.

    >>> from fabric.measuring.machines import machine_of
    >>> from fabric.measuring.reading import read_rows
    >>> row = read_rows("system,gpus,nodes,collective,size_bytes,time_us\\nH100 8x400G,16,2,all_reduce,8,1\\n")[0][0]
    >>> line_rate(machine_of(row), "all-reduce", 400_000_000)  # 2 (n-1)/n of it at the 400 GB/s of eight adapters
    1875.0
    """
    inside = _moved(machine, pattern, size_bytes) / machine.domain_gb_per_s
    if machine.domains == 1:
        return inside / 1e3
    crossing = _moved(machine, pattern, size_bytes)
    if pattern == "all-to-all":
        crossing = machine.ranks / machine.domains * size_bytes * (machine.domains - 1) / machine.domains
    return max(inside, crossing / machine.nics_gb_per_s) / 1e3


def nccl_tuning(machine: Machine, pattern: str, size_bytes: int) -> float | None:
    """Microseconds by the constants of NCCL's tuning model, the least of its algorithms and protocols.

    NVLS bandwidth is read literally, twice the link share times n/steps. All-to-all is one step at a ring's rate, for
    which the model itself has no row. None for accelerators that it does not know.
    """
    own = constants()["nccl"].get(_generation(machine))
    if own is None or machine.options.get("net") == "tcp":
        return None
    ranks, domains = machine.ranks, machine.domains
    inside = _links_gb_per_s(machine, own["link_gb_per_s"])
    network = machine.nics_gb_per_s * 8 / 100 * constants()["nccl"]["net_gb_per_s_per_100g"]
    times = [_ring(machine, own, pattern, size_bytes, p, min(inside, network)) for p in _protocols(machine)]
    if pattern == "all-reduce":
        through = min(inside, 2 * network if domains == 2 else network)
        times += [_tree(machine, own, size_bytes, p, through) for p in _protocols(machine)]
        if "nvls_efficiency" in own and ranks / domains >= constants()["nccl"]["least_nvls"]:
            times += [_nvls(machine, own, size_bytes, inside, network)] * (machine.options.get("nvls") is not False)
    return min(times)


def simai(machine: Machine, pattern: str, size_bytes: int) -> float | None:
    """Microseconds by SimAI's closed form of rings and its tables of efficiency over size and nodes.

    Its code applies a table to all-gather, reduce-scatter and all-to-all; below 16 MiB the first row stays. None for
    accelerators that it does not know.
    """
    known = constants()["simai"]
    link = known["link_gb_per_s"].get(_generation(machine))
    if link is None:
        return None
    gpus, domains = machine.ranks // machine.domains, machine.domains
    inside = _links_gb_per_s(machine, link)
    if machine.shape == "pcie":
        inside = machine.domain_gb_per_s * known["pcie_share"]
    busbw, table = inside, "nvlink"
    if domains > 1:
        share = next(share for upto, share in known["nic_share"] if _nic_gbps(machine) <= upto)
        network = machine.nics_gb_per_s * share
        across = inside if gpus == 1 or network <= inside else inside * gpus / (gpus - 1)
        busbw, table = (across, "nvlink") if across < network else (network, "nic")
        if pattern == "all-to-all":
            busbw = network / gpus * (machine.ranks - 1) / ((domains - 1) * gpus)
    if pattern == "all-to-all":
        busbw *= _efficiency(known["all-to-all"], domains, size_bytes)
    elif pattern in _RING_RATIO:
        busbw *= _efficiency(known[table], domains, size_bytes)
    return _moved(machine, pattern, size_bytes) / busbw / 1e3


BASELINES: dict[str, Baseline] = {"line rate": line_rate, "NCCL tuning": nccl_tuning, "SimAI": simai}


def _moved(machine: Machine, pattern: str, size_bytes: int) -> float:
    """Bytes over the busiest link of a ring: the size times the busbw factor."""
    return size_bytes * collective(pattern, machine.ranks).busbw_factor


def _generation(machine: Machine) -> str:
    """The generation whose constants a card on PCIe shares."""
    return {"ada": "ampere", "turing": "volta", "blackwell-pcie": "blackwell"}.get(
        machine.generation, machine.generation
    )


def _links_gb_per_s(machine: Machine, per_link: float) -> float:
    """What a library takes the links of an accelerator inside its domain to carry, one way."""
    if math.isinf(machine.domain_gb_per_s):
        return machine.domain_gb_per_s
    if machine.shape == "pcie":
        known = constants()["nccl"]
        bus = machine.domain_gb_per_s * 8 / 128 * known["pci_gb_per_s_per_gen3"]
        return float(min(bus, known["processor_gb_per_s"]))
    row = catalogue().part(machine.accelerator, Accelerator)
    nominal = float(row.known("scaleup_link_gbps")) / 8
    return machine.domain_gb_per_s / nominal * per_link


def _protocols(machine: Machine) -> list[int]:
    """LL, LL128 where all hops are NVLink or the network's, Simple."""
    return [0, 2] if machine.shape == "pcie" or machine.options.get("ll128") is False else [0, 1, 2]


def _column(domains: int) -> int:
    """Of one, two or more nodes."""
    return min(domains, 3) - 1


def _ring(machine: Machine, own: Any, pattern: str, size_bytes: int, protocol: int, busbw: float) -> float:
    known = constants()["nccl"]
    ranks, domains = machine.ranks, machine.domains
    channels = known["channels"]
    steps = _steps(pattern, ranks)
    crossing = min(steps, (2 if pattern == "all-reduce" else 1) * (domains - 1))
    if protocol == 0:
        busbw = min(own["ll_max"][_column(domains)], busbw * known["ll_share"])
    elif protocol == 1:
        busbw = min(busbw * known["ll128_share"], channels * own["ring_ll128"][_column(domains)])
    hop = known["hop_us"]["pci" if machine.shape == "pcie" else "nvlink"]["ring"][protocol]
    if domains > 1:
        hop = max(hop, known["post_us"][protocol])
    latency = known["base_us"]["ring"][protocol] + (steps - crossing) * hop
    latency += crossing * known["hop_us"]["net"]["ring"][protocol]
    if protocol == 2 and domains > 1 and pattern == "all-reduce":
        latency *= known["plateau"]
    return float(latency + _moved(machine, pattern, size_bytes) / busbw / 1e3)


def _steps(pattern: str, ranks: int) -> int:
    if pattern in _SPREADS:
        return 1
    return {"all-reduce": 2 * (ranks - 1), "all-gather": ranks - 1, "reduce-scatter": ranks - 1}.get(pattern, ranks)


def _tree(machine: Machine, own: Any, size_bytes: int, protocol: int, busbw: float) -> float:
    known = constants()["nccl"]
    domains, column = machine.domains, _column(machine.domains)
    busbw = min(busbw * known["tree_share"], known["channels"] * own["tree"][column])
    if protocol == 0:
        busbw *= known["tree_ll_share"]
    elif protocol == 1:
        busbw = min(busbw * known["tree_ll128_share"][domains > 1], known["channels"] * own["tree_ll128"][column])
    factor = known["correction"][known["protocols"][protocol]]
    place = int(math.log2(max(size_bytes, 64) / 64))
    busbw *= factor[place] if place < len(factor) else 1.0
    hop = known["hop_us"]["pci" if machine.shape == "pcie" else "nvlink"]["tree"][protocol]
    chain = machine.ranks // domains - 1
    latency = chain * hop + int(math.log2(domains)) * known["hop_us"]["net"]["tree"][protocol]
    algbw = busbw * (known["tree_pattern"] if domains == 1 else 1.0) / 2
    return float(known["base_us"]["tree"][protocol] + 2 * latency + size_bytes / algbw / 1e3)


def _nvls(machine: Machine, own: Any, size_bytes: int, inside: float, network: float) -> float:
    known = constants()["nccl"]
    domains, ranks, channels = machine.domains, machine.ranks, known["channels"]
    busbw = 2 * inside * own["nvls_efficiency"] * (channels - 1) / channels
    latency = float(known["nvls_us"])
    if domains > 1:
        busbw = min(busbw, 2 * network if domains == 2 else network, channels * own["nvlstree"][_column(domains)])
        latency += 2 * int(math.log2(domains)) * known["nvlstree_hop_us"]
    return float(latency + size_bytes / (busbw * ranks / (2 * (ranks - 1))) / 1e3)


def _nic_gbps(machine: Machine) -> float:
    """Gb/s of one adapter."""
    found = [part for part in machine.spec.split(",") if part.startswith("rate_gbps=")]
    return float(found[0].removeprefix("rate_gbps=")) if found else 400.0


def _efficiency(table: list[list[float]], domains: int, size_bytes: int) -> float:
    """A row of SimAI's table over its last entry, between sizes along a line."""
    known = constants()["simai"]
    row = min(range(len(table)), key=lambda i: abs(math.log(known["nodes"][i] / domains)))
    return float(np.interp(size_bytes, known["sizes"], table[row])) / table[row][-1]


@cache
def constants() -> dict[str, Any]:
    """Constants of the simpler models, from baselines.toml."""
    return read_toml(Path(__file__).with_name("baselines.toml"), "constants of simpler models")
