"""Calient S-series by TL1: ENT-CRS and DLT-CRS, one cross-connect a command."""

from collections.abc import Sequence

from fabric.planning.export.kinds import Kind, Message, Named, Task, changes, reads

GROUP = "SYSTEM"
GRAMMAR = r"[1-9]\d*(\.[1-9]\d*)*"
NAMING = "ports count in banks of 8 and shelves of 8 banks (1.1.1 to 5.8.8 on an S320); a names file overrides it"


def name_port(side: str, port: int, ports_per_side: int | None) -> str:
    """The shelf, bank and place of a port: an input and an output carry the same name.

    >>> name_port("A", 0, None), name_port("B", 319, None)
    ('1.1.1', '5.8.8')
    """
    return f"{port // 64 + 1}.{port // 8 % 8 + 1}.{port % 8 + 1}"


def connections(pairs: Sequence[Named], paired: bool) -> list[tuple[str, str, bool]]:
    """Input, output and whether light runs both ways: of duplex wiring's two cross-connects one such is made.

    >>> connections([("1.1.1", "1.1.2"), ("1.1.2", "1.1.1")], True)
    [('1.1.1', '1.1.2', True)]
    """
    if not paired:
        return [(a, b, False) for a, b in pairs]
    there = set(pairs)
    seen: set[Named] = set()
    for a, b in pairs:
        if (b, a) in there and (b, a) not in seen:
            seen.add((a, b))
    return [(a, b, True) for a, b in pairs if (a, b) in seen]


def connection_id(a: str, b: str, both_ways: bool) -> str:
    """How the switch calls a connection."""
    return f"{a}{'-' if both_ways else '>'}{b}"


def _messages(task: Task) -> Sequence[Message]:
    before, after = reads("RTRV-CRS:::1;\n", "tl1")
    delete = "".join(
        f"DLT-CRS::{a},{b}:{tag}::{GROUP},{connection_id(a, b, both)};\n"
        for tag, (a, b, both) in enumerate(connections(task.delete, task.paired), 1)
    )
    add = "".join(
        f"ENT-CRS::{a},{b}:{tag}::{GROUP},{'2WAY' if both else '1WAY'};\n"
        for tag, (a, b, both) in enumerate(connections(task.add, task.paired), 1)
    )
    return [before, *changes(delete, add, "tl1"), after]


KIND = Kind(
    name="calient-tl1",
    title="Calient S-series, TL1 (port 3082)",
    send="after login, one command at a time; stop at the first answer that is not COMPLD",
    source="public drivers (ENT-CRS, DLT-CRS with group and connection, RTRV-CRS)",
    name_port=name_port,
    grammar=GRAMMAR,
    messages=_messages,
    unverified=(NAMING, f"the group of the cross-connects is {GROUP}"),
)
