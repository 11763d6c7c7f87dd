"""Polatis by TL1: ENT-PATCH and DLT-PATCH, one port or pair a command."""

from collections.abc import Sequence

from fabric.planning.export.kinds import Kind, Message, Task, changes, numbered_through, reads
from fabric.planning.export.polatis_netconf import BY_INGRESS, GRAMMAR


def _messages(task: Task) -> Sequence[Message]:
    before, after = reads("RTRV-PATCH:::1:;\n", "tl1")
    delete = "".join(f"DLT-PATCH::{a}:{tag}:;\n" for tag, (a, _) in enumerate(task.delete, 1))
    add = "".join(f"ENT-PATCH::{a},{b}:{tag}:;\n" for tag, (a, b) in enumerate(task.add, 1))
    return [before, *changes(delete, add, "tl1"), after]


KIND = Kind(
    name="polatis-tl1",
    title="Polatis, TL1 (port 3082)",
    send="after ACT-USER, one command at a time; stop at the first answer that is not COMPLD",
    source="public Polatis TL1 scripts",
    name_port=numbered_through,
    grammar=GRAMMAR,
    messages=_messages,
    any_to_any=True,
    cautions=(BY_INGRESS,),
    unverified=("whether ENT-PATCH refuses a port in use: read before",),
)
