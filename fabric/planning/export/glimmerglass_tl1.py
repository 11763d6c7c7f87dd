"""Glimmerglass by TL1: ENT-CRS-FIBER and DLT-CRS-FIBER, inputs from 10001, outputs from 20001."""

from collections.abc import Sequence

from fabric.planning.export.kinds import Kind, Message, Task, changes, reads
from fabric.planning.export.polatis_netconf import BY_INGRESS

FIRST = {"A": 10001, "B": 20001}


def _name_port(side: str, port: int, ports_per_side: int | None) -> str:
    """
    >>> _name_port("A", 0, None), _name_port("B", 16, None)
    ('10001', '20017')
    """
    return str(FIRST[side] + port)


def _messages(task: Task) -> Sequence[Message]:
    before, after = reads("RTRV-CRS-FIBER::ALL:1;\n", "tl1")
    delete = "".join(f"DLT-CRS-FIBER::{a}:{tag};\n" for tag, (a, _) in enumerate(task.delete, 1))
    add = "".join(f"ENT-CRS-FIBER::{a},{b}:{tag};\n" for tag, (a, b) in enumerate(task.add, 1))
    return [before, *changes(delete, add, "tl1"), after]


KIND = Kind(
    name="glimmerglass-tl1",
    title="Glimmerglass, TL1",
    send="after login, one command at a time; stop at the first answer that is not COMPLD",
    source="public drivers (ENT-CRS-FIBER, DLT-CRS-FIBER, RTRV-CRS-FIBER)",
    name_port=_name_port,
    grammar=r"[12]\d{4}",
    messages=_messages,
    cautions=(BY_INGRESS,),
    unverified=("drivers differ in whether DLT-CRS-FIBER names the output too; here the input alone",),
)
