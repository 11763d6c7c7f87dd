"""The runbook: what an operator does, in what order, what must be seen before going on, and how to go back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fabric.planning.export.interfaces import SOURCES, WEIGHTS
from fabric.planning.export.names import Names
from fabric.planning.plan import Links, Plan, Stage

_MOST_ROWS = 40
PRECHECKS = (  # where the plan brings none of its own
    "the cross-connects read from every device have the fingerprint below",
    "no alarm on the ports in use, and light within range on them",
    "nothing has failed since the plan was made that its throughput does not allow for",
)
_ORDER = (
    "Files of a device are numbered in their order: read, delete, add, read. Send none after one that failed: undo the "
    "stage. `aifabric plan readback` compares what a device says of itself with the fingerprints."
)
POSTCHECKS = (
    "the cross-connects read back have the fingerprint below",
    "both sides report the ports settled, and light within the budget",
    "each new link has the neighbour that the plan names, and few enough errors before correction",
)


def runbook(plan: Plan, names: Mapping[str, Names], index: Mapping[str, Any]) -> str:
    """Markdown of the whole plan; `index` is that of the folder."""
    plain = {key: value for key, value in plan.summary.items() if not isinstance(value, dict | list)}
    summary = ", ".join(f"{key} {_text(value)}" for key, value in plain.items())
    lines = ["# Reconfiguration runbook", "", f"Wiring {plan.wiring}; {summary}.", ""]
    lines += [f"- warning: {_text(warning)}" for warning in plan.warnings]
    lines += ["## Devices", ""]
    for kind in index["kinds"].values():
        lines += [f"- **{kind['title']}**: {kind['send']}. Source: {kind['source']}."]
        lines += [f"  - caution: {_text(note)}" for note in kind["cautions"]]
        lines += [f"  - unverified: {_text(note)}" for note in kind["unverified"]]
    lines += _packet_side([path for stage in index["stages"] for path in stage["packet_side"]])
    lines += ["", _ORDER, ""]
    for stage, entry in zip(plan.stages, index["stages"], strict=True):
        lines += _stage(stage, entry)
    order = ", ".join(str(number) for number in index["rollback_order"])
    lines += [
        "## Going back",
        "",
        "A stage: its rollback-drain and rollback-shut-down, the rollback files of its devices in the reverse order, "
        "its rollback-bring-up, rollback-check and rollback-undrain; the table of links from right to left. "
        f"The whole plan: stages {order}, each in this way.",
    ]
    return "\n".join(lines) + "\n"


def _packet_side(paths: Sequence[str]) -> list[str]:
    """Where the words for packet switches come from, of those that are there."""
    endings = {"sonic": ".sonic.txt", "infiniband": "/infiniband.txt", "traffic": WEIGHTS}
    lines = [f"- {_text(SOURCES[key])}." for key, end in endings.items() if any(path.endswith(end) for path in paths)]
    named = len(lines) > 1 or not paths
    return (
        lines if named else [*lines, "- The interfaces of packet switches were not given: drain and undrain by hand."]
    )


def _stage(stage: Stage, entry: Mapping[str, Any]) -> list[str]:
    seconds = sum(stage.seconds.values())
    share: float | None = stage.throughput
    certain = (
        "No throughput is certified" if share is None else f"Certain throughput meanwhile: {share:.1%} of the demand"
    )
    lines = [f"## Stage {stage.id}", "", f"{_text(stage.reason)}. {certain}; about {seconds:,.0f} s.", ""]
    lines += ["### Before", "", *_boxes(stage.prechecks or PRECHECKS), ""]
    lines += ["### Drain", "", *_links(stage.drain, "Links to take out of use")]
    lines += _paths(entry, WEIGHTS, "drain", "shut-down")
    lines += ["", "### Switch", "", "| device | kind | delete | add | fingerprint before | after | files in |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for row in entry["devices"]:
        before, after = row["fingerprint_before"][:12], row["fingerprint_after"][:12]
        folder = row["files"][0]["file"].rpartition("/")[0]
        lines += [
            f"| {row['switch']} | {row['kind']} | {row['delete']} | {row['add']} | {before} | {after} | `{folder}` |"
        ]
    lines += ["", "### After", "", *_paths(entry, "bring-up", "check"), *_boxes(stage.postchecks or POSTCHECKS), ""]
    lines += ["### Undrain", "", *_links(stage.undrain, "Links to bring into use")]
    lines += _paths(entry, "undrain")
    return [*lines, ""]


def _paths(entry: Mapping[str, Any], *places: str) -> list[str]:
    """Boxes for the packet side's files of these folders, in their order."""
    return [f"- [ ] `{path}`" for place in places for path in entry["packet_side"] if path.split("/")[1] == place]


def _boxes(texts: Iterable[str]) -> list[str]:
    return [f"- [ ] {_text(text)}" for text in dict.fromkeys(texts)]


def _links(links: Sequence[Links], title: str) -> list[str]:
    """A table of links between blocks; what does not fit is counted."""
    if not links:
        return [f"{title}: none.", ""]
    total = sum(row.number for row in links)
    lines = [f"{title}: {total}.", "", "| block | block | links |", "|---|---|---|"]
    lines += [f"| {_text(row.a)} | {_text(row.b)} | {row.number} |" for row in links[:_MOST_ROWS]]
    if len(links) > _MOST_ROWS:
        lines += [f"| and {len(links) - _MOST_ROWS} more pairs: `traffic-engineering.csv` | | |"]
    return [*lines, ""]


def _text(value: Any) -> str:
    """One line that neither closes a table's cell nor begins something else."""
    return " ".join(str(value).split()).replace("|", "/").replace("`", "'").replace("<", "&lt;")
