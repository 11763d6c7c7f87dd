"""Polatis by SCPI: connections subtracted and added by lists, at most 32 pairs a line."""

from collections.abc import Sequence

from fabric.planning.export.kinds import Kind, Message, Named, Task, changes, numbered_through, reads
from fabric.planning.export.polatis_netconf import GRAMMAR

PAIRS_A_LINE = 32


def _messages(task: Task) -> Sequence[Message]:
    before, after = reads(":oxc:swit:conn:stat?\n:syst:err:all?\n", "scpi")
    return [before, *changes(_lines("sub", task.delete), _lines("add", task.add), "scpi"), after]


def _lines(verb: str, pairs: Sequence[Named]) -> str:
    """
    >>> _lines("add", [("1", "17"), ("2", "18")])
    ':oxc:swit:conn:add (@1,2),(@17,18)\\n'
    """
    lines = []
    for start in range(0, len(pairs), PAIRS_A_LINE):
        first, second = zip(*pairs[start : start + PAIRS_A_LINE], strict=True)
        lines.append(f":oxc:swit:conn:{verb} (@{','.join(first)}),(@{','.join(second)})\n")
    return "".join(lines)


KIND = Kind(
    name="polatis-scpi",
    title="Polatis, SCPI",
    send="one line at a time; then :syst:err:all? must say no error",
    source="public Polatis drivers (conn:add, conn:sub, conn:stat?)",
    name_port=numbered_through,
    grammar=GRAMMAR,
    messages=_messages,
    any_to_any=True,
    unverified=("the longest line that a device takes; whether conn:add refuses a port in use: read before",),
)
