"""A server as `nvidia-smi topo -m` prints it: NVLinks between GPUs, and how near adapters and GPUs are on PCIe."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated

from topologies.errors import ConfigError, TopologyError
from topologies.formats.contents import read_whole
from topologies.formats.devices import nvlink_of, pcie_gbps, socket_gbps
from topologies.formats.draft import Draft
from topologies.formats.hosts import add_domains
from topologies.graph import Topology
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue

WANTED = "the output of nvidia-smi topo -m"
LEVELS = ("PIX", "PXB", "PHB", "NODE")  # one PCIe bridge, several, one host bridge, one processor; SYS is beyond
MOST_NVLINKS = 18  # of any GPU that is sold
MOST_DEVICES = 256
BOARD_M = 0.3
_ESCAPE = re.compile(r"\x1b?\[[0-9;]*m")
_CODE = re.compile(r"X|NV[0-9]{1,2}|PIX|PXB|PHB|NODE|SYS|SOC")
_DEVICE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,40}")


@dataclass(frozen=True, slots=True)
class _Matrix:
    """Devices in the order of the file, the code of every pair, the NUMA node of each GPU that states one."""

    names: list[str]
    codes: list[list[str]]
    numa: dict[int, str]

    def gpus(self) -> list[int]:
        """Positions of GPUs."""
        return [i for i, name in enumerate(self.names) if re.fullmatch(r"GPU[0-9]+", name)]


def read_nvidia_smi(
    path: Path,
    accelerator: Annotated[str | None, "catalogue name of the GPUs, which the matrix does not name"] = None,
    pcie: Annotated[str, "speed and width of every PCIe link"] = "16.0 GT/s x16",
    *,
    parts: Catalogue,
) -> Topology:
    """The matrix of `nvidia-smi topo -m`: one server, its NVLinks, its PCIe tree as far as the codes tell it.

    NV# between two GPUs are so many links; where a GPU would need more of them than it has, they lead to switch chips,
    which the matrix does not show: one switch node stands for them. PIX, PXB, PHB and NODE nest what they join below
    bridges and processors; SYS joins processors.

    ConfigError names the line of what cannot be read, TopologyError a matrix that contradicts itself.
    """
    speed, _, width = pcie.rpartition(" x")
    rate = pcie_gbps(speed, width)
    if rate is None:
        raise ConfigError(f"pcie = '{pcie[:40]}' is no PCIe link; write it like '16.0 GT/s x16'")
    matrix = _read(path)
    draft = Draft(path, "nvidia-smi", parts)
    for i, name in enumerate(matrix.names):
        if i in matrix.gpus():
            draft.accelerator(name, str(path), accelerator, tray="server")
    notes = _add_nvlinks(draft, matrix, accelerator)
    _add_tree(draft, matrix, LinkOptions(rate, None, BOARD_M, "pcie", "pcie"))
    notes += add_domains(draft, "scaleup")
    notes.append(f"PCIe links are taken as {pcie}, processors as NCCL's search takes AMD's; lengths as {BOARD_M:g} m")
    return draft.topology(notes)


def _read(path: Path) -> _Matrix:
    """The matrix, found by its first line: GPU0 and the other devices."""
    lines = _ESCAPE.sub("", read_whole(path, WANTED, 4)).splitlines()
    start = next((i for i, line in enumerate(lines) if re.match(r"\s*GPU0\b", line)), None)
    if start is None:
        raise ConfigError(f"{path}: no line starts with GPU0; give {WANTED}")
    names: list[str] = []
    for word in lines[start].split():
        if word in ("CPU", "NUMA") or (word == "GPU" and names):
            break
        names.append(word)
    if len(names) > MOST_DEVICES or len(set(names)) < len(names) or not all(map(_DEVICE.fullmatch, names)):
        raise ConfigError(f"{path}: line {start + 1}: devices stand there twice or have no name; give {WANTED}")
    codes, numa = [], {}
    for i, name in enumerate(names):
        number = start + 2 + i
        words = lines[number - 1].split() if number <= len(lines) else []
        if not words or words[0] != name or len(words) <= len(names):
            raise ConfigError(f"{path}: line {number}: the row of {name} is missing or cut off; give {WANTED}")
        row = words[1 : len(names) + 1]
        bad = next((code for code in row if not _CODE.fullmatch(code)), None)
        if bad is not None:
            raise ConfigError(f"{path}: line {number}: {bad[:20]!r} is none of X, NV#, {', '.join(LEVELS)}, SYS")
        codes.append(["SYS" if code == "SOC" else code for code in row])
        if len(words) > len(names) + 2 and words[len(names) + 2].isdigit():
            numa[i] = words[len(names) + 2]
    _check(path, names, codes, start)
    return _Matrix(names, codes, numa)


def _check(path: Path, names: Sequence[str], codes: Sequence[Sequence[str]], start: int) -> None:
    for i, j in combinations(range(len(names)), 2):
        if codes[i][j] != codes[j][i]:
            raise TopologyError(
                f"{path}: line {start + 2 + i}: {names[i]} to {names[j]} is {codes[i][j]}, {codes[j][i]} the other way"
            )
        if codes[i][j] == "X":
            raise TopologyError(f"{path}: line {start + 2 + i}: {names[i]} to {names[j]} is X, which is for itself")
    for i, name in enumerate(names):
        if codes[i][i] != "X":
            raise TopologyError(f"{path}: line {start + 2 + i}: {name} to itself is {codes[i][i]}, not X")


def _add_nvlinks(draft: Draft, matrix: _Matrix, accelerator: str | None) -> list[str]:
    """Direct links where the GPUs have as many, else links to one node that stands for the switch chips."""
    gpus = matrix.gpus()
    codes = {(i, j): matrix.codes[i][j] for i, j in combinations(gpus, 2)}
    links = {pair: int(code[2:]) for pair, code in codes.items() if code.startswith("NV") and int(code[2:])}
    if not links:
        return ["no NVLink in the matrix: GPUs reach each other over PCIe"]
    row = draft.parts.part(accelerator, Accelerator) if accelerator is not None else None
    most = row.scaleup_links if row is not None and row.scaleup_links is not None else MOST_NVLINKS
    per_gpu: Counter[int] = Counter()
    for (i, j), count in links.items():
        per_gpu[i] += count
        per_gpu[j] += count
    rate = row.known("scaleup_link_gbps") if row is not None else 200.0
    generation = nvlink_of(row) if row is not None else None
    cable = "nvlink4-board" if row is None else generation["cable"] if generation is not None else "board-generic"
    link = LinkOptions(rate, None, BOARD_M, "board", cable)
    notes = [] if row is not None else ["200 Gb/s is assumed for an NVLink; accelerator= names the GPU"]
    widest = max(links.values())
    if widest > most:
        raise TopologyError(f"{draft.path}: NV{widest}, but {accelerator or 'no GPU'} has more than {most} NVLinks")
    if max(per_gpu.values()) <= most:
        for (i, j), count in links.items():
            draft.link(matrix.names[i], matrix.names[j], str(draft.path), link, count)
        return [f"{sum(links.values())} NVLinks between GPUs, none through a switch", *notes]
    chip = generation["switch"] if generation is not None else None
    draft.switch("nvswitch", str(draft.path), tier=0)
    ends = sorted({i for pair in links for i in pair})
    for i in ends:
        own = max(count for pair, count in links.items() if i in pair)
        draft.link(matrix.names[i], "nvswitch", str(draft.path), link, own)
    return [
        f"pairs of GPUs share their NVLinks (each would need {max(per_gpu.values())}): they lead to switch chips, of "
        f"which the matrix shows none; one node without a part stands for them{f' ({chip})' if chip else ''}",
        *notes,
    ]


def _add_tree(draft: Draft, matrix: _Matrix, link: LinkOptions) -> None:
    """Bridges and processors: what a code joins hangs below one node of its level."""
    for i, name in enumerate(matrix.names):
        if i not in matrix.gpus():
            draft.node(name, str(draft.path), kind="nic", forwards=True, part=None, tray="server")
    group = list(range(len(matrix.names)))
    top = list(matrix.names)  # the highest node of each group so far, by device
    for level, code in enumerate(LEVELS):
        _join(matrix, group, level)
        last = code == LEVELS[-1]
        for number, first in enumerate(dict.fromkeys(group)):
            below = dict.fromkeys(top[i] for i in range(len(group)) if group[i] == first)
            if len(below) == 1 and not last:
                continue
            name = f"cpu-{number}" if last else f"{code.lower()}-{number}"
            draft.node(name, str(draft.path), kind="host", forwards=True)
            for node in below:
                draft.link(node, name, str(draft.path), link)
            for i in range(len(group)):
                if group[i] == first:
                    top[i] = name
    socket = LinkOptions(socket_gbps("x86_64", "AuthenticAMD", 0), None, BOARD_M, "socket", "socket")
    for a, b in combinations(dict.fromkeys(top), 2):
        draft.link(a, b, str(draft.path), socket)


def _join(matrix: _Matrix, group: list[int], level: int) -> None:
    """Merge the groups of devices that a code of this level or a nearer one joins; at the last, of a NUMA node too."""
    for i, j in combinations(range(len(group)), 2):
        near = matrix.codes[i][j] in LEVELS[: level + 1]
        near |= level == len(LEVELS) - 1 and i in matrix.numa and matrix.numa.get(i) == matrix.numa.get(j)
        if near and group[i] != group[j]:
            old, new = max(group[i], group[j]), min(group[i], group[j])
            group[:] = [new if g == old else g for g in group]
