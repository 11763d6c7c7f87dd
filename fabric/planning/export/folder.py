"""The folder of an export: files by stage and device, an index of their order, written whole or not at all."""

import json
from collections.abc import Mapping
from typing import Any

from fabric.planning.export.interfaces import Interfaces, counts_before, packet_files
from fabric.planning.export.kinds import ROLES, Message, Task
from fabric.planning.export.legality import refuse_illegal
from fabric.planning.export.names import Names
from fabric.planning.export.runbook import runbook
from fabric.planning.files import document_of
from fabric.planning.plan import Change, Plan, Stage

INDEX = "index.json"
RUNBOOK = "runbook.md"
FORMAT = "1.0"


def export_files(plan: Plan, names: Mapping[str, Names], interfaces: Interfaces | None = None) -> dict[str, str]:
    """Path -> text of everything that an operator of this plan needs, in one order; the same plan gives the same bytes.

    `names` are by switch (`names.all_names`), `interfaces` by switch, side and port name: without them, the packet side
    names blocks only. ConfigError for what a device kind cannot express.
    """
    refuse_illegal(plan, [switch for switch, own in names.items() if own.any_to_any])
    files: dict[str, str] = {}
    stages = []
    for stage, before in zip(plan.stages, counts_before(plan), strict=True):
        folder = f"stage-{stage.id}"
        packets = packet_files(stage, before, names, interfaces)
        files |= {f"{folder}/{path}": text for path, text in packets.items()}
        devices = [_device(files, folder, stage, change, names[change.switch], plan) for change in stage.changes]
        stages.append({
            "id": stage.id,
            "reason": stage.reason,
            "packet_side": [f"{folder}/{path}" for path in packets],
            "devices": devices,
        })  # fmt: skip
    index = {
        "format_version": FORMAT,
        "plan_digest": document_of(plan)["digest"],
        "wiring": plan.wiring,
        "base": dict(plan.base),
        "kinds": _kinds(names),
        "stages": stages,
        "rollback_order": [stage.id for stage in reversed(plan.stages)],
    }
    return {
        INDEX: json.dumps(index, indent=1, ensure_ascii=False) + "\n",
        RUNBOOK: runbook(plan, names, index),
        **files,
    }


def _device(files: dict[str, str], folder: str, stage: Stage, change: Change, names: Names, plan: Plan
            ) -> dict[str, Any]:  # fmt: skip
    """Put the files of a change and of its rollback into `files`; what the index says of them."""
    own = f"{folder}/{change.switch}"
    label = f"aifabric-stage-{stage.id}"
    return {
        "switch": change.switch,
        "kind": names.kind.name,
        "delete": len(change.delete),
        "add": len(change.add),
        "fingerprint_before": change.before,
        "fingerprint_after": change.after,
        "files": _put(files, own, messages(change, names, plan.wiring, label)),
        "rollback": _put(files, f"{own}/rollback", messages(change.undone(), names, plan.wiring, f"{label}-rollback")),
    }


def messages(change: Change, names: Names, wiring: str, label: str) -> list[Message]:
    """The messages of one change, deletes before adds."""
    paired = wiring == "duplex" and not names.any_to_any
    delete, add = (tuple(names.pair(pair) for pair in sorted(pairs)) for pairs in (change.delete, change.add))
    return list(names.kind.messages(Task(label, change.switch, delete, add, paired, names.paths)))


def _put(files: dict[str, str], folder: str, made: list[Message]) -> list[dict[str, str]]:
    rows = []
    for message in made:
        path = f"{folder}/{ROLES.index(message.role) + 1}-{message.role}.{message.ending}"
        files[path] = message.text
        rows.append({"role": message.role, "file": path})
    return rows


def _kinds(names: Mapping[str, Names]) -> dict[str, Any]:
    """How to send the files of each kind, where its facts come from, and what nobody confirmed."""
    kinds = {own.kind.name: own.kind for own in names.values()}
    return {
        name: {
            "title": kind.title,
            "send": kind.send,
            "source": kind.source,
            "cautions": list(kind.cautions),
            "unverified": list(kind.unverified),
        }
        for name, kind in sorted(kinds.items())
    }
