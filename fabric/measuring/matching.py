"""From the free text of a row to facts about its machine: ordered rules on words, as data."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from topologies.toml_documents import read_toml

Facts = dict[str, Any]

_FOLDER = Path(__file__).parent
_WRITTEN = {"one": 1, "single": 1}
_PER_ACCELERATOR = ("gpu", "rank", "accelerator", "device")


@dataclass(frozen=True, slots=True)
class Rule:
    """Words to search for in the system, the notes or both, what must hold besides, and the facts that follow."""

    words: re.Pattern[str]
    where: str
    given: Mapping[str, Any]
    facts: Mapping[str, Any]
    said: str | None


@dataclass(frozen=True, slots=True)
class Layer:
    """Rules of one question, of which the first found counts, or every one."""

    name: str
    first: bool
    rules: tuple[Rule, ...]


def facts_of(system: str, notes: str) -> tuple[Facts, list[str]]:
    """What the words of a row say about its machine, over what is usual for its accelerator, and what was assumed.

    No `accelerator` among the facts where no word names one.

    >>> facts, said = facts_of("H100 (AWS p5.48xlarge) EFA 32x100G", "NCCL_NVLS_ENABLE=0")
    >>> [facts[key] for key in ("accelerator", "nics", "nic_gbps", "fabric", "nvls")]
    ['h100-sxm', 32, 100, 'efa', False]
    """
    texts = {"system": plain(system), "notes": plain(notes)}
    said: list[str] = []
    if other := re.search(rules()["correction"]["words"], texts["notes"]):
        texts["system"] = other["instance"]
        said.append(rules()["correction"]["said"].format(**other.groupdict()))
        texts["notes"] = ""
    texts["text"] = f"{texts['system']}\n{texts['notes']}"
    stated: Facts = {}
    facts: Facts = {}
    for layer in layers():
        new: Facts = {}
        for rule in layer.rules:
            hit = rule.words.search(texts[rule.where])
            if hit is None or any(facts.get(key) != value for key, value in rule.given.items()):
                continue
            named = {key: _value(text) for key, text in hit.groupdict().items() if text is not None}
            new = {**rule.facts, **named, **new}
            said += [rule.said] if rule.said else []
            if layer.first:
                break
        stated.update(new)
        facts = {**_usual(stated.get("accelerator")), **stated}
    usual = facts.pop("said", None)
    adapters = adapters_of(texts["text"], facts)
    if "nics" in stated and "nics" not in adapters:  # an instance knows them better than a rate without a number
        adapters = {}
    return {**facts, **adapters}, [*said, *([usual] if usual else [])]


def adapters_of(text: str, facts: Mapping[str, Any]) -> Facts:
    """`nics` and `nic_gbps` where the text states them; `nics_stated`, and `nics_each` where they are per accelerator.

    >>> adapters_of("2x400g nic/rank", {})
    {'nic_gbps': 400, 'nics': 2, 'nics_stated': True, 'nics_each': True}
    >>> adapters_of("80gb, 8x hdr200", {}), adapters_of("3200 gbps", {"nics": 8})
    ({'nic_gbps': 200, 'nics': 8, 'nics_stated': True}, {'nic_gbps': 400.0})
    """
    known = rules()["adapters"]
    for pattern in known["patterns"]:
        for hit in re.finditer(pattern, text):
            told = hit.groupdict()
            rate = int(told["rate"]) if told.get("rate") else known["words_gbps"].get(told.get("word"))
            if told.get("rate") and rate not in known["rates_gbps"]:
                continue
            count = told.get("nics")
            if rate is None and count is None:
                continue
            found: Facts = {} if rate is None else {"nic_gbps": rate}
            if rate is not None and rate > known["largest_gbps"]:
                found["nic_gbps"] = rate / facts.get("nics", 8)
            if count is not None:
                found |= {"nics": _WRITTEN.get(count) or int(count), "nics_stated": True}
                found |= {"nics_each": True} if told.get("per") in _PER_ACCELERATOR else {}
            return found
    return {}


def counted(what: str, text: str) -> int | None:
    """Accelerators (`gpus`) or `nodes` that the text of a row names; None where it names none.

    >>> counted("gpus", "8x H100 SXM5"), counted("nodes", "DGX A100, 2 nodes, 8x HDR200"), counted("gpus", "H100")
    (8, 2, None)
    """
    found = re.search(rules()["counts"][what], plain(text))
    return None if found is None else next(int(n) for n in found.groups() if n)


def plain(text: str) -> str:
    """Lower case, one kind of blank, `x` for the multiplication sign and apart from names, bytes told from bits.

    >>> plain("8xH100"), plain("MI300X"), plain("H100x8")
    ('8x h100', 'mi300x', 'h100 x8')
    >>> plain("50 GB/s over 400 Gb/s")
    '50 gbyte/s over 400 gb/s'
    """
    bits = re.sub(r"(?<=[\d ])(Gi?)B(?=/s|ps)", r"\1byte", unicodedata.normalize("NFKC", text))
    folded = bits.lower().replace("\N{MULTIPLICATION SIGN}", "x").replace("_", " ")
    apart = re.sub(r"\b(\d+)x(?=[a-z])", r"\1x ", folded)
    return " ".join(re.sub(r"(?<=[a-z])(\d+)x(\d+)\b", r"\1 x\2", apart).split())


def _value(text: str) -> Any:
    return int(text) if text.isdigit() else text


def _usual(accelerator: str | None) -> Facts:
    """What is usual for an accelerator, where nothing else is said; nothing for an unknown one."""
    own = servers()["servers"].get(accelerator)
    return {} if own is None else {**servers()["servers"]["default"], **own}


@cache
def layers() -> tuple[Layer, ...]:
    """The layers of rules.toml in their order."""
    made = []
    for layer in rules()["layer"]:
        every = [
            Rule(re.compile(r["words"]), r.get("where", "system"), r.get("given", {}), r.get("set", {}), r.get("said"))
            for r in layer["rules"]
        ]
        made.append(Layer(layer["name"], layer["takes"] == "first", tuple(every)))
    return tuple(made)


@cache
def rules() -> dict[str, Any]:
    """The words, from rules.toml."""
    return read_toml(_FOLDER / "rules.toml", "rules of words")


@cache
def servers() -> dict[str, Any]:
    """What accelerators sit in, what stands for networks, and SPECs, from servers.toml."""
    return read_toml(_FOLDER / "servers.toml", "servers of accelerators")
