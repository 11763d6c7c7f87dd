"""One server of a fabric as an NCCL topology file: accelerators, what joins them, network adapters."""

import tomllib
from collections.abc import Hashable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from topologies.errors import ConfigError
from topologies.formats.devices import device_of_part, pcie_gbps
from topologies.formats.writing import Exported
from topologies.formats.writing.xml_text import attributes
from topologies.graph import Topology

BRIDGE, GPU, NIC, SWITCH = "0x060400", "0x030200", "0x020700", "0x068000"  # PCI classes, as NCCL reads them
MAX_GPUS = 256
ACCELERATOR, AMD = "0x120000", "0x1002"  # the class of AMD's accelerators, and the vendor
SPEEDS = ("16.0 GT/s PCIe", "32.0 GT/s PCIe", "64.0 GT/s PCIe")  # of PCIe 4, 5 and 6, as Linux says them


def nccl_text(topology: Topology) -> Exported:
    """The first scale-up domain, or the whole fabric where it has none: what NCCL_TOPO_FILE takes.

    Links to switches within it are `nvlink` elements to a switch, links between its accelerators to each other (`xgmi`
    between AMD's); links that leave it are network adapters. PCIe and CPUs are no part of a fabric: one PCIe switch an
    accelerator stands in. ConfigError above 256 accelerators, and where none has a link to another.

    >>> from topologies.registry import build
    >>> text = nccl_text(build("dgx-h100-superpod-256")).text
    >>> text.count("<gpu"), text.count("<nvlink"), text.count("<net ")
    (8, 32, 8)
    """
    ends = topology.accelerators
    own = [ends[rank] for rank in topology.domains[0]] if topology.domains else ends
    if len(own) > MAX_GPUS:
        raise ConfigError(
            f"{topology.name}: {len(own):,} accelerators without scale-up domains are no server; "
            f"NCCL's file takes one of at most {MAX_GPUS}"
        )
    inside = {node: i for i, node in enumerate(own)}
    near = dict.fromkeys(far for node in own for far in topology.graph.adj[node] if far not in inside)
    switches = {far: i for i, far in enumerate(s for s in near if inside.keys() >= topology.graph.adj[s].keys())}
    lines = ['<system version="1">\n']
    cpu = attributes(numaid=0, arch="x86_64", vendor="GenuineIntel", familyid=6, modelid=143)
    lines.append(f"  <cpu{cpu}>\n")
    adapter = 0
    for node in own:
        nets = [edge for far, edge in topology.graph.adj[node].items() if far not in inside and far not in switches]
        lines += _accelerator(topology, node, inside, switches, nets, adapter)
        adapter += sum(edge["count"] for edge in nets)
    lines.append("  </cpu>\n</system>\n")
    if not any("<nvlink" in line or "<xgmi" in line for line in lines):
        raise ConfigError(f"{topology.name}: no server: nothing near {own[0]} has a link within it")
    return Exported("".join(lines), _notes(topology, own))


def _notes(topology: Topology, own: list[Hashable]) -> tuple[str, ...]:
    notes = [
        "CPU and PCIe are stand-ins: one PCIe switch for each accelerator and its adapters",
        "NCCL takes the rate of an nvlink from the compute capability (sm); the file holds none",
    ]
    others = len(topology.domains) - 1
    if others > 0:
        notes.append(f"one server of {others + 1} ({own[0]} to {own[-1]}); NCCL reads no network between servers")
    if any(
        _sm(topology, node) is None and _ids(topology.graph.nodes[node].get("part")).get("vendor") != AMD
        for node in own
    ):
        notes.append("no compute capability (sm) is known for some accelerators; NCCL finds it out where it runs")
    return tuple(notes)


def _accelerator(
    topology: Topology, node: Hashable, inside: dict[Hashable, int], switches: dict[Hashable, int],
    nets: list[dict[str, Any]], adapter: int,
) -> Iterator[str]:  # fmt: skip
    """A PCIe switch with the accelerator, its links, and its adapters."""
    place = inside[node]
    how = {"link_speed": _pcie(max((edge["rate_gbps"] for edge in nets), default=0.0)), "link_width": 16}
    own = _ids(topology.graph.nodes[node].get("part"))
    amd = own.get("vendor") == AMD
    kind, tag = (ACCELERATOR, "xgmi") if amd else (GPU, "nvlink")
    yield f"    <pci{attributes(busid=_bus(place, 1), class_=BRIDGE, **how)}>\n"
    yield f"      <pci{attributes(busid=_bus(place, 2), class_=kind, **own, **how)}>\n"
    yield f"        <gpu{attributes(dev=place, sm=_sm(topology, node), rank=place, gdr=1)}>\n"
    for far, edge in topology.graph.adj[node].items():
        if far in switches:
            target = attributes(target=_bus(MAX_GPUS + switches[far], 1), count=edge["count"], tclass=SWITCH)
        elif far in inside:
            target = attributes(target=_bus(inside[far], 2), count=edge["count"], tclass=kind)
        else:
            continue
        yield f"          <{tag}{target}/>\n"
    yield "        </gpu>\n      </pci>\n"
    ports = [edge for edge in nets for _ in range(edge["count"])]
    for port, edge in enumerate(ports):
        number = adapter + port
        adapters = _ids(edge.get("nic"))
        yield f"      <pci{attributes(busid=_bus(place, 3 + port), class_=NIC, **adapters, **how)}>\n        <nic>\n"
        speed = round(edge["rate_gbps"] * 1000)
        told = {"name": f"mlx5_{number}", "dev": number, "speed": speed, "port": 1, "latency": "0.000000"}
        yield f"          <net{attributes(**told, guid=f'0x{number + 1:x}', maxconn=131072, gdr=1)}/>\n"
        yield "        </nic>\n      </pci>\n"
    yield "    </pci>\n"


def _ids(part: str | None) -> dict[str, str]:
    """PCI ids of a part, where they are known."""
    found = None if part is None else device_of_part(part)
    return {} if found is None else {"vendor": found[0], "device": found[1]}


def _bus(place: int, slot: int) -> str:
    """A PCI address: one PCI domain for each accelerator and its adapters."""
    return f"{place:04x}:{slot:02x}:00.0"


def _pcie(rate_gbps: float) -> str:
    """The first generation whose 16 lanes carry the fastest adapter; PCIe 5 where there is none."""
    if not rate_gbps:
        return SPEEDS[1]
    return next((speed for speed in SPEEDS if (pcie_gbps(speed, "16") or 0.0) >= rate_gbps), SPEEDS[-1])


@cache
def _capabilities() -> dict[str, int]:
    table: dict[str, int] = tomllib.loads(files("topologies.formats.writing").joinpath("nccl.toml").read_text())["sm"]
    return table


def _sm(topology: Topology, node: Hashable) -> int | None:
    return _capabilities().get(str(topology.graph.nodes[node].get("part")))
