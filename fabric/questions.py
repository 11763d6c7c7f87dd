"""The questions that `compare` answers when it is given no configuration."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fabric.comparison import Comparison, compare
from fabric.savings import Saving, savings
from topologies.parts import Catalogue

_FILE = Path(__file__).with_name("questions.toml")


@dataclass(frozen=True, slots=True)
class Answer:
    """A question, its comparison, and what a fabric saves where the question asks for it."""

    id: str
    title: str
    note: str
    comparison: Comparison
    savings: tuple[Saving, ...]


def answers(size: "str | float" = "1GiB", parts: Catalogue | None = None, threads: int = 0) -> Iterator[Answer]:
    """The standing questions, answered one by one."""
    for row in tomllib.loads(_FILE.read_text(encoding="utf-8"))["question"]:
        asked = row.get("savings")
        saved = () if asked is None else tuple(
            savings(asked["spec"], asked["against"], asked["boundaries"], asked["stretch"], asked["published"], parts)
        )  # fmt: skip
        compared = compare(row["specs"], row["collectives"], size, parts=parts, threads=threads)
        yield Answer(row["id"], row["title"], row["note"], compared, saved)
