"""A server as NCCL and RCCL dump it (NCCL_TOPO_DUMP_FILE): accelerators, NVLink or xGMI, the PCIe tree, adapters."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Annotated

from topologies.errors import ConfigError, TopologyError
from topologies.formats.contents import name_of, positive, whole
from topologies.formats.devices import nvlink, nvlink_of, part_of_device, pcie_gbps, socket_gbps
from topologies.formats.draft import Draft
from topologies.formats.elements import Element, read_tree
from topologies.formats.hosts import add_domains
from topologies.graph import Topology
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue, Nic

ASSUMED_PCIE = ("16.0 GT/s PCIe", "16")
BOARD_M = 0.3
_MOST_LINKS = 64  # of one accelerator to one target


@dataclass(slots=True)
class _Server:
    """What has been read so far."""

    draft: Draft
    given: str | None
    label: dict[tuple[str, str], str] = field(default_factory=dict)  # (host, bus id) -> node
    scaleup: list[tuple[str, str, Element]] = field(default_factory=list)  # host, accelerator, its nvlink or xgmi
    sm: dict[str, int] = field(default_factory=dict)
    order: list[tuple[int, str]] = field(default_factory=list)
    assumed: Counter[str] = field(default_factory=Counter)
    ports: Counter[float] = field(default_factory=Counter)


def read_nccl(
    path: Path,
    accelerator: Annotated[str | None, "catalogue name of accelerators whose PCI ids the file does not hold"] = None,
    *,
    parts: Catalogue,
) -> Topology:
    """A topology file of NCCL or RCCL (NCCL_TOPO_FILE): one server, its scale-up links and its PCIe tree.

    Accelerators in rank order, then switch chips, processors (`cpu-N`), PCIe bridges and adapters. A link that both
    its ends state is one; PCIe and the links between processors are in the graph, not in `links`, watts or dollars.

    ConfigError names the line of what cannot be read, TopologyError of links whose ends do not agree.
    """
    server = _Server(Draft(path, "nccl", parts), accelerator)
    system = read_tree(path, "system")
    hosts: dict[str, list[tuple[str, Element]]] = {}
    cpus = system.all("cpu")
    several = len({cpu.attributes.get("host_hash") for cpu in cpus}) > 1
    for cpu in cpus:
        hosts.setdefault(cpu.attributes.get("host_hash", "0"), [])
    for number, key in enumerate(hosts):
        prefix = f"host-{number}/" if several else ""
        for cpu in cpus:
            if cpu.attributes.get("host_hash", "0") == key:
                hosts[key].append((_add_cpu(server, cpu, prefix, key), cpu))
        _add_sockets(server, hosts[key])
    _add_scaleup(server)
    _rank(server)
    notes = _notes(server, add_domains(server.draft, "scaleup"))
    return server.draft.topology(notes)


def _add_cpu(server: _Server, cpu: Element, prefix: str, key: str) -> str:
    where = cpu.at(server.draft.path)
    name = f"{prefix}cpu-{name_of(cpu.need('numaid', server.draft.path), where, 'numaid')}"
    server.draft.node(name, where, kind="host", forwards=True)
    for child in cpu.children:
        if child.tag == "pci":
            _add_pci(server, child, name, prefix, key)
        elif child.tag == "nic":
            _add_nic(server, child, child, name, prefix, key)
    return name


def _add_pci(server: _Server, pci: Element, above: str, prefix: str, key: str) -> None:
    """A PCIe device and what hangs below it."""
    path, draft = server.draft.path, server.draft
    where = pci.at(path)
    bus = name_of(pci.need("busid", path), where, "busid")
    kind = _kind(pci)
    if kind == "accelerator":
        name = _add_accelerator(server, pci, prefix, key)
    elif kind == "nic":
        holder = next(iter(pci.all("nic")), pci)
        _add_nic(server, pci, holder, above, prefix, key)
        return
    else:
        name = f"{prefix}pci-{bus}"
        draft.node(name, where, kind="host", forwards=True)
    _own(server, key, bus, name, where)
    draft.link(above, name, where, _pcie(server, pci))
    for child in pci.all("pci"):
        _add_pci(server, child, name, prefix, key)


def _kind(pci: Element) -> str:
    """What a PCIe device is: by what it holds, else by its class (03 display, 12 accelerator, 02 network)."""
    if pci.all("gpu"):
        return "accelerator"
    if pci.all("nic"):
        return "nic"
    by_class = {"0x03": "accelerator", "0x12": "accelerator", "0x02": "nic"}
    return by_class.get(pci.attributes.get("class", "")[:4].lower(), "host")


def _own(server: _Server, key: str, bus: str, name: str, where: str) -> None:
    if (key, bus) in server.label:
        raise ConfigError(f"{where}: bus id {bus[:40]} stands there twice")
    server.label[key, bus] = name


def _pcie(server: _Server, pci: Element) -> LinkOptions:
    """The link above a device, PCIe 4 x16 where speed and width are not stated."""
    stated = pci.attributes.get("link_speed", ""), pci.attributes.get("link_width", "")
    rate = pcie_gbps(*stated)
    if rate is None:
        server.assumed["PCIe links state no speed and width: 16 GT/s x16 is assumed"] += 1
        rate = pcie_gbps(*ASSUMED_PCIE)
    assert rate is not None
    return LinkOptions(rate, None, BOARD_M, "pcie", "pcie")


def _add_accelerator(server: _Server, pci: Element, prefix: str, key: str) -> str:
    """An accelerator named by its device number, of the part that its PCI ids name, else of the one given."""
    path, parts = server.draft.path, server.draft.parts
    where = pci.at(path)
    gpu = next(iter(pci.all("gpu")), None)
    number = len(server.order)
    if gpu is not None and "dev" in gpu.attributes:
        number = whole(gpu.attributes["dev"], gpu.at(path), "dev", least=0)
    else:
        server.assumed["accelerators without a <gpu> element are numbered in the order of the file"] += 1
    name = f"{prefix}gpu-{number}"
    ids = pci.attributes.get("vendor", ""), pci.attributes.get("device", "")
    part = part_of_device(*ids, Accelerator, parts) or server.given
    if part is None:
        server.assumed["accelerators are generic: no PCI ids that the catalogue knows; accelerator= names them"] += 1
    server.draft.accelerator(name, where, part, tray=f"{prefix}server")
    rank = len(server.order)
    if gpu is not None:
        rank = whole(gpu.attributes.get("rank", rank), gpu.at(path), "rank", least=-1)
        server.sm[name] = whole(gpu.attributes.get("sm", 0), gpu.at(path), "sm", least=0, most=10_000)
        server.scaleup += [(key, name, link) for link in gpu.children if link.tag in ("nvlink", "xgmi")]
    server.order.append((rank, name))
    return name


def _add_nic(server: _Server, pci: Element, nic: Element, above: str, prefix: str, key: str) -> None:
    """An adapter, one node with all its ports, named by them; by its bus id where the file names no port."""
    path, parts = server.draft.path, server.draft.parts
    where = pci.at(path)
    nets = nic.all("net")
    names = [name_of(net.attributes.get("name", f"net{i}"), net.at(path), "name") for i, net in enumerate(nets)]
    bus = pci.attributes.get("busid", "")
    name = f"{prefix}{'/'.join(names) or f'nic-{bus}'}"
    for net in nets:
        if "speed" in net.attributes:
            server.ports[positive(net.attributes["speed"], net.at(path), "speed", "200000") / 1000] += 1
    part = part_of_device(pci.attributes.get("vendor", ""), pci.attributes.get("device", ""), Nic, parts)
    server.draft.node(name, where, kind="nic", forwards=True, part=part, tray=f"{prefix}server")
    if bus:
        _own(server, key, bus, name, where)
    server.draft.link(above, name, where, _pcie(server, pci))


def _add_sockets(server: _Server, cpus: list[tuple[str, Element]]) -> None:
    """Every pair of a host's processors is joined, as NCCL takes them to be."""
    if len(cpus) > 64:
        raise ConfigError(f"{server.draft.path}: {len(cpus)} processors in one host; at most 64 are read")
    for (a, cpu), (b, _) in combinations(cpus, 2):
        model = cpu.attributes.get("modelid", "0")
        known = cpu.attributes.get("arch", ""), cpu.attributes.get("vendor", "")
        rate = socket_gbps(*known, int(model) if model.isascii() and model.isdigit() and len(model) < 6 else 0)
        server.draft.link(a, b, cpu.at(server.draft.path), LinkOptions(rate, None, BOARD_M, "socket", "socket"))


def _add_scaleup(server: _Server) -> None:
    """NVLink and xGMI: to another accelerator of the file, to a processor, else to a switch chip."""
    path, draft = server.draft.path, server.draft
    stated: dict[tuple[str, str], tuple[int, Element]] = {}
    for key, name, link in server.scaleup:
        where = link.at(path)
        bus = name_of(link.need("target", path), where, "target")
        count = whole(link.need("count", path), where, "count", most=_MOST_LINKS)
        target = server.label.get((key, bus))
        if target is None:
            target = f"nvswitch-{bus}"
            if target not in draft.graph:
                draft.switch(target, where, _chip(server, name), tier=0, tray=f"nvswitch-{bus}")
        if target == name:
            raise TopologyError(f"{where}: a link joins {name} to itself; remove it")
        before, _ = stated.get((name, target), (0, link))
        stated[name, target] = before + count, link
    for (name, target), (count, link) in stated.items():
        back = stated.get((target, name))
        if back is not None and back[0] != count:
            raise TopologyError(
                f"{link.at(path)}: {count} links from {name} to {target}, {back[0]} back in line {back[1].line}"
            )
        if back is None or name < target:
            draft.link(name, target, link.at(path), _link(server, name, link.tag), count)


def _link(server: _Server, name: str, kind: str) -> LinkOptions:
    """One scale-up link of an accelerator: the rate of its part, else of its compute capability."""
    parts = server.draft.parts
    row = parts.get(server.draft.graph.nodes[name]["part"])
    rate = row.scaleup_link_gbps if isinstance(row, Accelerator) else None
    generation = nvlink(server.sm.get(name, 0))
    if rate is None and kind == "nvlink" and generation is not None:
        rate = float(generation["link_gbps"])
    if rate is None:
        server.assumed["scale-up links of unknown rate: 200 Gb/s each is assumed; accelerator= names the part"] += 1
        rate = 200.0
    cable = "xgmi-board" if kind == "xgmi" else "board-generic"
    if kind == "nvlink" and isinstance(row, Accelerator):
        generation = nvlink_of(row) or generation
    if kind == "nvlink" and generation is not None and generation["link_gbps"] == rate:
        cable = generation["cable"]
    return LinkOptions(rate, None, BOARD_M, "board", cable)


def _chip(server: _Server, name: str) -> str | None:
    """The switch chip of an accelerator's generation, where the catalogue has it."""
    generation = nvlink(server.sm.get(name, 0))
    chip = generation["switch"] if generation is not None else None
    return chip if chip in server.draft.parts else None


def _rank(server: _Server) -> None:
    """Put accelerators first, in rank order where the file gives every one its own, else in the order of the file."""
    ranks = [rank for rank, _ in server.order]
    if len(set(ranks)) == len(ranks) and min(ranks, default=0) >= 0:
        server.order.sort()
    graph = server.draft.graph
    ordered = type(graph)()
    kinds = {"switch": 1, "host": 2, "nic": 3}
    rest = sorted((n for n in graph if graph.nodes[n]["kind"] in kinds), key=lambda n: kinds[graph.nodes[n]["kind"]])
    ordered.add_nodes_from((n, graph.nodes[n]) for n in [name for _, name in server.order] + rest)
    ordered.add_edges_from(graph.edges(data=True))
    server.draft.graph = ordered


def _notes(server: _Server, said: list[str]) -> list[str]:
    graph = server.draft.graph
    kinds = Counter(kind for _, kind in graph.nodes(data="kind"))
    notes = [
        f"{kinds['accelerator']} accelerators, {kinds['switch']} switch chips, {kinds['nic']} adapters, "
        f"{kinds['host']} processors and PCIe bridges; the data path is inside the server: the file does not say what "
        "adapters lead to"
    ]
    if server.ports:
        listed = ", ".join(f"{n} at {rate:g} Gb/s" for rate, n in sorted(server.ports.items(), reverse=True))
        notes.append(f"ports of adapters: {listed}")
    notes += said
    notes += [f"{n} {what}" for what, n in server.assumed.items()]
    if any(edge["technology"] == "socket" for _, _, edge in graph.edges(data=True)):
        notes.append("the file states no rate between processors: NCCL's own constants are taken")
    notes.append(f"lengths are not in the file: {BOARD_M:g} m of board on every link")
    return notes
