"""Calient S-series by REST: one DELETE a cross-connect, then one list of new ones."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from fabric.planning.export.calient_tl1 import GRAMMAR, GROUP, NAMING, connection_id, connections, name_port
from fabric.planning.export.kinds import Kind, Message, Task, changes
from fabric.planning.export.polatis_restconf import requests

BASE = "/rest/crossconnects/"


def _messages(task: Task) -> Sequence[Message]:
    listing: list[dict[str, Any]] = [{"method": "GET", "path": f"{BASE}?id=list"}]
    detail = [
        {"method": "GET", "path": f"{BASE}?id=detail&conn={quote(connection_id(*row))}"}
        for row in connections(task.add, task.paired)
    ]
    before = Message("read-before", "json", requests(listing))
    after = Message("read-after", "json", requests([*listing, *detail]))
    old = [connection_id(*row) for row in connections(task.delete, task.paired)]
    delete = [
        {"method": "DELETE", "path": f"{BASE}?id=delete&conn={quote(name)}&group={GROUP}&name={quote(name)}"}
        for name in old
    ]
    new = [
        {"in": a, "out": b, "group": GROUP, "conn": connection_id(a, b, both), "dir": "bi" if both else "uni"}
        for a, b, both in connections(task.add, task.paired)
    ]
    add = [{"method": "POST", "path": f"{BASE}?id=badd", "body": new}] if new else []
    return [before, *changes(requests(delete), requests(add), "json"), after]


KIND = Kind(
    name="calient-rest",
    title="Calient S-series, REST",
    send="each request in its order; an item with status 0 in an answer has failed, whatever the HTTP status",
    source="public drivers (crossconnects: badd, delete, list, detail)",
    name_port=name_port,
    grammar=GRAMMAR,
    messages=_messages,
    unverified=(
        NAMING,
        "a cross-connect carries our name for it (in>out or in-out); take the name that id=list shows where it differs",
    ),
)
