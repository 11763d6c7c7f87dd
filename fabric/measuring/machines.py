"""The machine of a row: a SPEC of as many accelerators, a transport with its options, and what was assumed."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fabric.intervals import kind_of
from fabric.measuring.matching import Facts, counted, facts_of, plain, rules, servers
from fabric.measuring.reading import Measurement
from topologies.parts import Accelerator, catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a row is predicted with: `ranks` on `domains` scale-up domains. One way and at line rate, `domain_gb_per_s`
    of an accelerator inside a domain and `nics_gb_per_s` of a domain's adapters; `fabric` is None in one domain."""

    spec: str
    transport: str
    ranks: int
    domains: int
    accelerator: str
    generation: str
    fabric: str | None
    shape: str
    domain_gb_per_s: float
    nics_gb_per_s: float
    options: Mapping[str, Any]
    said: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The kind of evidence that its measurements are."""
        library = self.transport.partition(":")[0]
        return kind_of(library, self.accelerator, self.fabric, on_pcie=self.shape == "pcie")


class NoMachineError(Exception):
    """No rule leads from a row to a machine; the message says why."""


def machine_of(row: Measurement) -> Machine:
    """The machine of a row; NoMachineError where its words name none that can be built.

    >>> from fabric.measuring.reading import read_rows
    >>> text = "system,gpus,nodes,collective,size_bytes,time_us\\nH100 SXM,4,1,all_reduce,1024,9\\n"
    >>> machine_of(read_rows(text)[0][0]).spec
    'hgx-h100:gpus=4'
    """
    return _machine(row.system, row.notes, row.ranks, row.nodes, row.in_place)


@lru_cache(maxsize=4096)
def _machine(system: str, notes: str, ranks: int | None, nodes: int | None, in_place: bool) -> Machine:
    facts, said = facts_of(system, notes)
    if "accelerator" not in facts:
        raise NoMachineError(f"no word of '{system:.60}' names an accelerator that is known")
    if "shape" not in facts:
        raise NoMachineError(f"no usual server is known of {facts['accelerator']}")
    text = f"{system}\n{notes}"
    nodes = counted("nodes", text) if nodes is None else nodes
    ranks = _ranks(text, nodes, facts["host"]) if ranks is None else ranks
    if ranks is None:
        raise NoMachineError(f"'{system:.60}' does not say of how many accelerators")
    if in_place:
        facts["inplace"] = True
    if facts["shape"] == "grid":
        facts |= _grid(facts, text, ranks)
    else:
        facts |= _domains(facts, int(facts.get("group", ranks)), nodes)
        facts |= _attached(facts)
        said += list(_assumed(facts))
    spec, more = _spec(facts)
    several, options = facts["domains"] > 1, _options(facts)
    return Machine(
        spec=spec, transport=_transport(facts["library"], options), ranks=facts.get("group", ranks),
        domains=facts["domains"], accelerator=facts["accelerator"], generation=facts["generation"],
        fabric=facts["fabric"] if several else None, shape=facts["shape"], domain_gb_per_s=_inside(facts) / 8,
        nics_gb_per_s=facts["nics"] * facts["nic_gbps"] / 8 if several else math.inf, options=options,
        said=(*said, *more),
    )  # fmt: skip


def _ranks(text: str, nodes: int | None, host: int) -> int | None:
    """How many accelerators the words count: those of a node, where they fit into one, times the nodes."""
    told = counted("gpus", text)
    if told is None:
        return None if nodes is None else nodes * host
    return told * nodes if nodes is not None and nodes > 1 and told <= host else told


def _domains(facts: Facts, ranks: int, nodes: int | None) -> Facts:
    """How many scale-up domains, and accelerators in each."""
    if ranks < 2:
        raise NoMachineError("one accelerator alone has no collective")
    if facts["shape"] == "flat":
        return {"domains": ranks, "gpus": 1, "several": True}
    whole = facts["host"] if facts.get("trays") else facts["domain"]
    if facts.get("rack") and not facts.get("trays"):  # a node is a tray
        domains = facts.get("domains", math.ceil(ranks / whole))
    else:
        domains = nodes or math.ceil(ranks / whole)
    if ranks % domains:
        raise NoMachineError(f"{ranks} accelerators do not split evenly over {domains} domains of {whole}")
    gpus = ranks // domains
    if gpus > facts.get("most", whole):
        raise NoMachineError(f"{gpus} accelerators in one domain of {facts['accelerator']}, which has {whole}")
    if facts.get("whole", gpus) != gpus:
        raise NoMachineError(f"{ranks} of {facts['accelerator']}: the SPEC of its domain is one of {facts['whole']}")
    found: Facts = {"domains": domains, "gpus": gpus, "several": domains > 1}
    if gpus == 2 and "bridge" in facts and domains == 1:
        found |= {"shape": "mesh", "pair_links": facts["bridge"], "bridged": True}
    return found


def _attached(facts: Facts) -> Facts:
    """Adapters of a domain in proportion to its accelerators in use, and what they hang on."""
    gpus, host = facts["gpus"], facts["host"]
    nics = facts["nics"]
    if facts.get("nics_each"):
        nics *= gpus
    elif not (facts.get("nics_stated") and nics <= gpus < host):
        nics = max(1, round(nics * gpus / host))
    switches = math.gcd(gpus, nics)
    if facts["shape"] == "pcie":  # four cards or so on one
        switches = math.gcd(switches, gpus // 4 or 1)
    sockets = gpus // host if gpus > host else 2
    each = min(nics * facts["nic_gbps"] / gpus, facts["pcie_most_gbps"])  # servers put as much behind their adapters
    found: Facts = {"pcie_gbps": max(facts["pcie_gbps"], each) if facts["several"] else facts["pcie_gbps"]}
    found |= {"nics": nics, "pcie_switches": switches, "sockets": sockets if switches % sockets == 0 else 1}
    if facts["several"]:
        found |= _port(facts["fabric"], facts["nic_gbps"])
    return found


def _port(fabric: str, rate_gbps: float) -> Facts:
    """The switch and the adapter that stand for a network."""
    for row in servers()["port"]:
        if rate_gbps <= row["upto_gbps"] and (fabric in row["fabrics"] or "any" in row["fabrics"]):
            return {"switch": row["switch"], "nic": row["nic"]}
    raise NoMachineError(f"no adapter of {rate_gbps:g} Gb/s is known")


def _assumed(facts: Facts) -> Iterator[str]:
    """What stands for something that the words do not say."""
    if facts["several"]:
        stated = "" if facts.get("nics_stated") else ", as usual for it"
        yield f"{facts['nics']} x {facts['nic_gbps']:g} Gb/s a domain over {facts['fabric']}{stated}"
    elif facts.get("rack") and facts["gpus"] > facts["host"]:
        yield "all trays in one scale-up domain"
    if facts["shape"] == "pcie" and "peers" in facts:
        yield f"peers={facts['peers']} on PCIe"


def _grid(facts: Facts, text: str, chips: int) -> Facts:
    """Sizes and wraparound of a slice, and of the part of it that takes part."""
    named = [found for found in _dims(text) if math.prod(found) == chips]
    table = servers()["grids"][facts["grid"]]
    if not named and str(chips) not in table:
        raise NoMachineError(f"no slice of {chips} chips of {facts['accelerator']} is known; name it, e.g. 4x4x8")
    dims = named[0] if named else tuple(map(int, table[str(chips)].split("x")))
    wrap = [d >= facts["wraps_from"] and d % facts["wraps_from"] == 0 for d in dims]
    if facts["grid"] == "cube" and not all(wrap):  # faces meet through circuit switches, cube by cube
        wrap = [False] * len(dims)
    ranks = facts.get("group", chips)
    while math.prod(dims) > ranks and dims[-1] > 1:  # a group is taken as the first of the slice's planes or rows
        axis = max(i for i, d in enumerate(dims) if d > 1)
        kept = max(1, ranks // math.prod(dims[:axis]))
        dims, wrap = (*dims[:axis], kept, *dims[axis + 1 :]), [*wrap[:axis], False, *wrap[axis + 1 :]]
        if kept > 1:
            break
    if math.prod(dims) != ranks or ranks < 2:
        raise NoMachineError(f"{ranks} of {chips} chips are no part of the slice {'x'.join(map(str, dims))}")
    row = catalogue().part(facts["accelerator"], Accelerator)
    links = str(facts.get(f"links_{len(dims)}d", "x".join("1" * len(dims))))
    counts = map(int, links.split("x"))
    ways = sum(k * ((d > 1) + (w and d > 2)) for k, d, w in zip(counts, dims, wrap, strict=True))
    return {
        "dims": "x".join(map(str, dims)), "wrap": "x".join(str(w).lower() for w in wrap), "domains": 1, "ways": ways,
        "links": links, "link_gbps": facts.get("link_gbps", row.scaleup_link_gbps),
    }  # fmt: skip


def _dims(text: str) -> Iterator[tuple[int, ...]]:
    for found in re.finditer(rules()["counts"]["dims"], plain(text)):
        yield tuple(map(int, found["n"].split("x")))


def _spec(facts: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The first SPEC whose conditions hold, with the facts in it."""
    for row in servers()["spec"]:
        if all(facts.get(key) == value for key, value in row["given"].items()):
            told = {key: f"{v:g}" if isinstance(v, float) else v for key, v in facts.items()}
            text = row["text"].format(**{"counts": "gpus", **told})
            return text.removesuffix(":"), [row["said"]] if "said" in row else []
    raise NoMachineError(f"no SPEC is known of {facts['shape']} machines")


def _inside(facts: Facts) -> float:
    """Gb/s of an accelerator's links inside its domain, one way; none where it is alone in it."""
    if facts.get("gpus", 0) == 1:
        return math.inf
    if facts["shape"] == "pcie":
        return float(facts["pcie_gbps"])
    row = catalogue().part(facts["accelerator"], Accelerator)
    if facts["shape"] == "grid":
        return float(facts["link_gbps"] * facts["ways"])
    if facts["shape"] == "mesh":
        return float(facts["pair_links"] * row.known("scaleup_link_gbps") * (facts["gpus"] - 1))
    return float(row.known("scaleup_gbps"))


def _options(facts: Facts) -> dict[str, Any]:
    """Those options of the machine's library that are set and matter on it, in their order."""
    told = dict(facts)
    if facts["domains"] > 1:
        told["net"] = facts["fabric"]
    else:
        told.pop("sharp", None)
    if facts["shape"] != "pcie":
        told.pop("peers", None)
    return {key: told[key] for key in servers()["transports"][facts["library"]] if key in told}


def _transport(library: str, options: Mapping[str, Any]) -> str:
    """A library and its options, as --transport takes them."""
    told = ",".join(f"{key}={_spelt(value)}" for key, value in options.items())
    return f"{library}:{told}" if told else library


def _spelt(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
