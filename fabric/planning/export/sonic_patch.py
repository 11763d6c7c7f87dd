"""SONiC-OCS by JSON patches of CONFIG_DB (RFC 6902) for `config apply-patch`."""

import json
from collections.abc import Sequence

from fabric.planning.export.kinds import Kind, Message, Named, Task, changes, lettered
from fabric.planning.export.sonic_cli import GRAMMAR, READ, SOURCE, TUNING

TABLE = "OCS_CROSS_CONNECT"


def _messages(task: Task) -> Sequence[Message]:
    before = Message("read-before", "txt", f"{READ}config checkpoint {task.label}\n")
    after = Message("read-after", "txt", READ)
    remove = [{"op": "remove", "path": _pointer(pair)} for pair in task.delete]
    add = [{"op": "add", "path": _pointer(pair), "value": {"a_side": pair[0], "b_side": pair[1]}} for pair in task.add]
    delete, create = (_patch(steps) for steps in (remove, add))
    return [before, *changes(delete, create, "json"), after]


def _pointer(pair: Named) -> str:
    return f"/{TABLE}/{pair[0]}-{pair[1]}"


def _patch(steps: Sequence[object]) -> str:
    lines = ",\n ".join(json.dumps(step, separators=(", ", ": ")) for step in steps)
    return f"[{lines}]\n" if steps else ""


KIND = Kind(
    name="sonic-patch",
    title="SONiC-OCS, JSON patch of CONFIG_DB",
    send="config apply-patch FILE, as root on the switch",
    source=f"{SOURCE}; SONiC PR 736 (generic update and rollback)",
    name_port=lettered,
    grammar=GRAMMAR,
    messages=_messages,
    cautions=(
        TUNING,
        "`config rollback` to a checkpoint undoes what others have changed, too: the rollback files undo a stage alone",
    ),
    unverified=(
        "an add replaces a cross-connect of the same two ports, and the first of a table needs the table: read before",
    ),
)
