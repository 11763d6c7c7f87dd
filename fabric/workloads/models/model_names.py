"""Names of models as checkpoints and benchmarks write them: without publisher, tuning, release and quantisation."""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from topologies.toml_documents import read_toml

_FILE = Path(__file__).with_name("model_names.toml")
_APART = re.compile(r"[-_\s/]+")


def plain(name: str) -> str:
    """A name without case and separators.

    >>> plain("Qwen3_235B_a22B") == plain("qwen3-235b-a22b")
    True
    """
    return "".join(c for c in name.lower() if c.isalnum() or c == ".")


def spellings(name: str) -> Iterator[str]:
    """What to look a name up as, plain, the most literal first: as it stands, without its publisher, with `3_3` and
    `v3` read as versions, and without the words that do not change shapes or stand in brackets.

    >>> list(spellings("meta-llama/Llama-3.3-70B-Instruct-FP8"))[-1]
    'llama3.370b'
    >>> "llama70b" in spellings("DeepSeek-R1-Distill-Llama-70B")
    True
    """
    seen: set[str] = set()
    bare = name[name.rfind("/", 0, (name + "(").find("(")) + 1 :]
    versioned = re.sub(r"(?<=[a-z][-_ ])v(?=\d)", "", re.sub(r"(?<=\d)[_-](?=\d[-_ ])", ".", bare.lower()))
    for text in (name, bare, versioned, re.sub(r"\([^()]*\)", " ", versioned)):
        for words in (_APART.split(text.lower()), _kept(text)):
            found = plain("-".join(words))
            if found and found not in seen:
                seen.add(found)
                yield found


def stated_precision(name: str) -> str | None:
    """The precision of weights that a checkpoint's name states.

    >>> stated_precision("nvidia/DeepSeek-R1-FP4"), stated_precision("Qwen3-32B-W4A16"), stated_precision("Qwen3-32B")
    ('nvfp4', 'int4', None)
    """
    known = _rules()["precisions"]
    return next((str(known[word]) for word in _APART.split(name.lower()) if word in known), None)


def _kept(name: str) -> list[str]:
    """Words of a name that may tell its shapes."""
    rules = _rules()
    words = [word for word in _APART.split(name.lower()) if word]
    if rules["distilled"] in words:
        words = words[words.index(rules["distilled"]) + 1 :]
    while len(words) > 1 and words[0] in rules["prefixes"]:
        words = words[1:]
    dropped = re.compile("|".join(f"(?:{p})" for p in rules["patterns"]))
    return [*words[:1], *(w for w in words[1:] if w not in rules["words"] and not dropped.fullmatch(w))]


@lru_cache(maxsize=1)
def _rules() -> dict[str, Any]:
    return read_toml(_FILE, "names of models")
