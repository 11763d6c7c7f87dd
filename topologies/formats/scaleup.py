"""What stands inside the servers of a file that lists only their adapters or names, as the user states it."""

from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Literal

from topologies.errors import ConfigError, TopologyError
from topologies.formats.devices import scaleup_of
from topologies.formats.draft import Draft
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Switch

BOARD_M = 0.3


@dataclass(frozen=True, slots=True)
class ScaleUp:
    """What the file does not say about its servers."""

    accelerator: Annotated[str | None, "catalogue name of the accelerators; names what joins those of a domain"] = None
    gpus: Annotated[int, "accelerators of a host that the file lists as one"] = 1
    scaleup: Annotated[
        Literal["auto", "none"], "links of a domain: auto (those of the accelerator's own systems) or none"
    ] = "auto"


def add_server(
    draft: Draft, host: str, where: str, inside: ScaleUp, *, domain: str | None = None, part: str | None = None
) -> list[str]:
    """The accelerators of a host, in one tray and, where there are several or a domain is given, in one domain.

    `part` is what the file names them, unless the user states another.
    """
    ends = [host] if inside.gpus == 1 else [f"{host}/gpu-{i}" for i in range(inside.gpus)]
    if domain is None and inside.gpus > 1:
        domain = host
    for end in ends:
        draft.accelerator(end, where, inside.accelerator or part, domain=domain, tray=host)
    return ends


def add_scaleup(draft: Draft, inside: ScaleUp) -> list[str]:
    """Join the accelerators of each domain as the systems of the stated accelerator do; says what it added.

    TopologyError for a domain that exceeds what the accelerator's own systems join.
    """
    domains: dict[str, list[str]] = {}
    for node, domain in draft.graph.nodes(data="domain"):
        if domain is not None and draft.graph.nodes[node]["kind"] == "accelerator":
            domains.setdefault(domain, []).append(node)
    several = {domain: ends for domain, ends in domains.items() if len(ends) > 1}
    if not several:
        return []
    sizes = sorted({len(ends) for ends in several.values()})
    told = f"{len(several)} domains of {sizes[0]}" + (f" to {sizes[-1]}" if len(sizes) > 1 else "") + " accelerators"
    if inside.accelerator is None or inside.scaleup == "none":
        return [f"{told}; no link inside them: accelerator= adds those of the accelerator's own systems"]
    row = scaleup_of(inside.accelerator)
    if row is None:
        return [f"{told}; no link inside them: what joins {inside.accelerator} is not known"]
    if sizes[-1] > row["most"]:
        raise TopologyError(
            f"{draft.path}: a domain of {sizes[-1]} {inside.accelerator}, whose systems join at most {row['most']}; "
            "give scaleup=none, or another accelerator"
        )
    part = draft.parts.part(inside.accelerator, Accelerator)
    links, rate = int(part.known("scaleup_links")), float(part.known("scaleup_link_gbps"))
    link = LinkOptions(rate, None, BOARD_M, "board", row["cable"])
    chips = [f"scale-up/{domain}" for domain in several]
    for name, ends in zip(chips, several.values(), strict=True):
        if row["chips"]:
            _add_chips(draft, name, ends, links, row["chips"], row["switch"], link)
        else:
            _add_mesh(draft, ends, links, row["most"], link)
    how = f"{row['chips']} switch chips each" if row["chips"] else "links between every two"
    return [f"{told}, joined by {links} links of {rate:g} Gb/s each over {how}, as stated by accelerator="]


def _add_chips(
    draft: Draft, name: str, ends: list[str], links: int, chips: int, switch: str, link: LinkOptions
) -> None:
    """Links dealt to the chips in turn (H100: 18 on 4 chips, 5 5 4 4)."""
    part = draft.parts.get(switch)
    row = part if isinstance(part, Switch) else None
    widest = -(-links // chips)
    if row is not None and len(ends) * widest > row.ports(link.rate_gbps):
        raise TopologyError(f"{draft.path}: {len(ends)} accelerators with {widest} links each exceed {switch}")
    for chip in range(chips):
        node = f"{name}/nvs-{chip}"
        draft.switch(node, str(draft.path), None if row is None else switch, tier=0, tray=f"{name}/{chip // 2}")
        for end in ends:
            draft.link(end, node, str(draft.path), link, links // chips + (chip < links % chips))


def _add_mesh(draft: Draft, ends: list[str], links: int, most: int, link: LinkOptions) -> None:
    """As many links between every two as a full board has."""
    each = links // (most - 1)
    if not each:
        raise ConfigError(f"{draft.path}: {links} links do not join {most} accelerators")
    row = draft.parts.get(str(link.cable))
    if row is not None and getattr(row, "rate_gbps", link.rate_gbps) < link.rate_gbps:
        link = LinkOptions(link.rate_gbps, None, link.length_m, "board", "board-generic")
    for a, b in combinations(ends, 2):
        draft.link(a, b, str(draft.path), link, each)
