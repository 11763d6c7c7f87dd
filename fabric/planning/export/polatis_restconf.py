"""Polatis by RESTCONF: a DELETE and a PUT for each pair, never one of the container that holds them all."""

import json
from collections.abc import Sequence
from typing import Any

from fabric.planning.export.kinds import Kind, Message, Task, changes, numbered_through, reads
from fabric.planning.export.polatis_netconf import BY_INGRESS, GRAMMAR, SAME_EGRESS, SOURCE

CONTAINER = "/api/data/optical-switch:cross-connects"
MEDIA = "application/yang-data+json"


def _messages(task: Task) -> Sequence[Message]:
    state = [{"method": "GET", "path": path, "headers": {"Accept": MEDIA}}
             for path in (CONTAINER, "/api/data/optical-switch:opm-power")]  # fmt: skip
    before, after = reads(requests(state), "json")
    delete = [{"method": "DELETE", "path": f"{CONTAINER}/pair={a}"} for a, _ in task.delete]
    add = [
        {
            "method": "PUT",
            "path": f"{CONTAINER}/pair={a}",
            "headers": {"Content-Type": MEDIA, "If-None-Match": "*"},
            "body": {"optical-switch:pair": [{"ingress": int(a), "egress": int(b)}]},
        }
        for a, b in task.add
    ]
    return [before, *changes(requests(delete), requests(add), "json"), after]


def requests(steps: Sequence[dict[str, Any]]) -> str:
    """HTTP requests in their order, as JSON, one a line."""
    lines = ",\n ".join(json.dumps(step) for step in steps)
    return f"[{lines}]\n" if steps else ""


KIND = Kind(
    name="polatis-restconf",
    title="Polatis, RESTCONF (HTTP port 8008)",
    send="each request in its order; stop at the first that is not answered with 2xx",
    source=f"{SOURCE}; RFC 8040",
    name_port=numbered_through,
    grammar=GRAMMAR,
    messages=_messages,
    any_to_any=True,
    cautions=(BY_INGRESS, SAME_EGRESS),
    unverified=(
        "If-None-Match (RFC 8040, section 3.4.1) keeps a PUT from replacing; a device may ignore it, so read before",
        "one user reports that pairs made by POST vanish after seconds; these are PUTs",
    ),
)
