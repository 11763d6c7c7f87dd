"""The machine of a row: a SPEC of as many accelerators, a transport with its options, and what was assumed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, gcd, prod
from typing import Any

from fabric.measuring.matching import Facts, counted, facts_of, rules, servers
from fabric.measuring.reading import Measurement
from topologies.parts import Accelerator, catalogue


@dataclass(frozen=True, slots=True)
class Machine:
    """What a row is predicted with. `ranks` take part; `domains` scale-up domains stand on one network."""

    spec: str
    transport: str
    ranks: int
    domains: int
    accelerator: str
    generation: str
    fabric: str | None
    shape: str
    said: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The kind of evidence that its measurements are: inside a domain of a shape, or across a network."""
        return f"network:{self.fabric}" if self.domains > 1 else f"{self.shape}:{self.generation}"


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
    ranks = counted("gpus", text) if ranks is None else ranks
    nodes = counted("nodes", text) if nodes is None else nodes
    if ranks is None and nodes is not None:
        ranks = nodes * facts["host"]
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
    return Machine(
        spec, _transport(facts), facts.get("group", ranks), facts["domains"], facts["accelerator"],
        facts["generation"], facts["fabric"] if facts["domains"] > 1 else None, facts["shape"], (*said, *more),
    )  # fmt: skip


def _domains(facts: Facts, ranks: int, nodes: int | None) -> Facts:
    """How many scale-up domains, and accelerators in each."""
    if ranks < 2:
        raise NoMachineError("one accelerator alone has no collective")
    if facts["shape"] == "flat":
        return {"domains": ranks, "gpus": 1, "several": True}
    whole = facts["host"] if facts.get("trays") else facts["domain"]
    if facts.get("rack") and not facts.get("trays"):  # a node is a tray
        domains = facts.get("domains", ceil(ranks / whole))
    else:
        domains = nodes or ceil(ranks / whole)
        if nodes and ranks / nodes > whole and ranks % whole == 0:
            domains = ranks // whole
    if ranks % domains:
        raise NoMachineError(f"{ranks} accelerators do not split evenly over {domains} domains of {whole}")
    gpus = ranks // domains
    if gpus > facts.get("whole", gpus) or gpus > max(whole, facts["host"]):
        raise NoMachineError(f"{gpus} accelerators in one domain of {facts['accelerator']}, which has {whole}")
    if facts.get("whole", gpus) != gpus:
        raise NoMachineError(f"{ranks} of {facts['accelerator']}: the SPEC of its domain is one of {facts['whole']}")
    return {"domains": domains, "gpus": gpus, "several": domains > 1, "bridged": gpus == 2 and "bridge" in facts}


def _attached(facts: Facts) -> Facts:
    """Adapters of a domain in proportion to its accelerators in use, and what they hang on."""
    gpus, host = facts["gpus"], facts["host"]
    nics = facts["nics"]
    if facts.get("nics_each"):
        nics *= gpus
    elif not (facts.get("nics_stated") and nics <= gpus < host):
        nics = max(1, round(nics * gpus / host))
    switches = gcd(gpus, nics) if facts["shape"] != "pcie" else max(1, gcd(gcd(gpus // 4 or 1, gpus), nics))
    sockets = gpus // host if gpus > host else 2
    found: Facts = {"nics": nics, "pcie_switches": switches, "sockets": sockets if switches % sockets == 0 else 1}
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
    if facts["shape"] == "pcie" and "peers" in facts:
        yield f"peers={facts['peers']} on PCIe"


def _grid(facts: Facts, text: str, chips: int) -> Facts:
    """Sizes and wraparound of a slice, and of the part of it that takes part."""
    named = [found for found in _dims(text) if prod(found) == chips]
    table = servers()["grids"][str(facts["axes"])]
    if not named and str(chips) not in table:
        raise NoMachineError(f"no slice of {chips} chips of {facts['accelerator']} is known; name it, e.g. 4x4x8")
    dims = named[0] if named else tuple(map(int, table[str(chips)].split("x")))
    wrap = [d >= facts["wraps_from"] and d % facts["wraps_from"] == 0 for d in dims]
    if facts["axes"] == 3 and not all(wrap):
        wrap = [False] * len(dims)
    ranks = facts.get("group", chips)
    while prod(dims) > ranks and dims[-1] > 1:  # a group is taken as the first of the slice's planes or rows
        axis = max(i for i, d in enumerate(dims) if d > 1)
        kept = max(1, ranks // prod(dims[:axis]))
        dims, wrap = (*dims[:axis], kept, *dims[axis + 1 :]), [*wrap[:axis], False, *wrap[axis + 1 :]]
        if kept > 1:
            break
    if prod(dims) != ranks or ranks < 2:
        raise NoMachineError(f"{ranks} of {chips} chips are no part of the slice {'x'.join(map(str, dims))}")
    row = catalogue().part(facts["accelerator"], Accelerator)
    return {
        "dims": "x".join(map(str, dims)), "wrap": "x".join(str(w).lower() for w in wrap), "domains": 1,
        "links": facts.get("links", 1), "link_gbps": facts.get("link_gbps", row.scaleup_link_gbps),
    }  # fmt: skip


def _dims(text: str) -> Iterator[tuple[int, ...]]:
    import re

    from fabric.measuring.matching import plain

    for found in re.finditer(rules()["counts"]["dims"], plain(text)):
        yield tuple(map(int, found["n"].split("x")))


def _spec(facts: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The first SPEC whose conditions hold, with the facts in it."""
    for row in servers()["spec"]:
        if all(facts.get(key) == value for key, value in row["given"].items()):
            text = row["text"].format(**{"counts": "gpus", **facts})
            return text.removesuffix(":"), [row["said"]] if "said" in row else []
    raise NoMachineError(f"no SPEC is known of {facts['shape']} machines")


def _transport(facts: Facts) -> str:
    """The library and those options of it that are set, in their order."""
    library = facts["library"]
    told = dict(facts)
    if facts["domains"] > 1:
        told["net"] = facts["fabric"]
    else:
        told.pop("sharp", None)
    if facts["shape"] != "pcie":
        told.pop("peers", None)
    options = [f"{key}={_spelt(told[key])}" for key in servers()["transports"][library] if key in told]
    return f"{library}:{','.join(options)}" if options else str(library)


def _spelt(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
