"""Device kinds: what an exporter gets, in the device's own port names, and the messages that it makes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Named = tuple[str, str]  # the two ports of a cross-connect, by the device's own names
Role = Literal["read-before", "delete", "add", "read-after"]
ROLES: tuple[Role, ...] = ("read-before", "delete", "add", "read-after")


@dataclass(frozen=True, slots=True)
class Task:
    """What one device does in one step: deletes before adds, both in ascending order of ports.

    `paired` says that the light of a link comes back through a second cross-connect with the ends swapped (duplex
    wiring). `paths` are the templates of kinds that have some (gNMI): key -> text with `{a}` and `{b}`.
    """

    label: str
    switch: str
    delete: Sequence[Named]
    add: Sequence[Named]
    paired: bool = False
    paths: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One file: what it is for, the ending of its name, its text."""

    role: Role
    ending: str
    text: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to talk to a make of circuit switch.

    `name_port(side, port, ports_per_side)` names port 0, 1, ... of side "A" or "B" unless a names file does; it may
    raise ValueError where it needs the number of ports. `grammar` is a regular expression for whole names.
    `any_to_any`: can it join two ports of one side. `cautions` is what the device does not check,
    `unverified` what no document or driver confirmed.
    """

    name: str
    title: str
    send: str
    source: str
    name_port: Callable[[str, int, int | None], str]
    grammar: str
    messages: Callable[[Task], Sequence[Message]]
    any_to_any: bool = False
    cautions: Sequence[str] = ()
    unverified: Sequence[str] = ()
    templates: tuple[tuple[str, str], ...] = ()


def changes(delete: str, add: str, ending: str) -> list[Message]:
    """The two messages that change something; an empty one is not sent.

    >>> [message.role for message in changes("", "ENT-PATCH::1,17:1;", "tl1")]
    ['add']
    """
    texts: tuple[tuple[Role, str], ...] = (("delete", delete), ("add", add))
    return [Message(role, ending, text) for role, text in texts if text]


def reads(text: str, ending: str) -> tuple[Message, Message]:
    """The same questions before and after."""
    return Message("read-before", ending, text), Message("read-after", ending, text)


def both_sides(side: str, port: int, ports_per_side: int | None) -> str:
    """Ports 1..n on either side.

    >>> both_sides("B", 0, None)
    '1'
    """
    return str(port + 1)


def lettered(side: str, port: int, ports_per_side: int | None) -> str:
    """Ports 1A..nA and 1B..nB.

    >>> lettered("B", 3, None)
    '4B'
    """
    return f"{port + 1}{side}"


def numbered_through(side: str, port: int, ports_per_side: int | None) -> str:
    """Ports 1..n on side A and n+1..2n on side B; ValueError where n is not known.

    >>> numbered_through("A", 0, None), numbered_through("B", 0, 16)
    ('1', '17')
    """
    if side == "A":
        return str(port + 1)
    if ports_per_side is None:
        raise ValueError("side B is numbered on from side A")
    return str(ports_per_side + port + 1)
