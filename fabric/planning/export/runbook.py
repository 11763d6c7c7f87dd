"""The runbook: what an operator does, in what order, what must be seen before going on, and how to go back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fabric.planning.export.names import Names
from fabric.planning.plan import Links, Plan, Stage

_MOST_ROWS = 40
PRECHECKS = (
    "the cross-connects read from every device have the fingerprint below (`aifabric plan readback`)",
    "no alarm on the ports in use, and light within range on them",
    "nothing has failed since the plan was made that its throughput does not allow for",
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
    lines += ["", "Files of a device are numbered in their order. Send none after one that failed: undo the stage.", ""]
    for stage, entry in zip(plan.stages, index["stages"], strict=True):
        lines += _stage(stage, entry)
    order = ", ".join(str(number) for number in index["rollback_order"])
    lines += [
        "## Going back",
        "",
        "A stage: its rollback drain, the rollback files of its devices in the reverse order, its rollback undrain. "
        f"The whole plan: stages {order}, each in this way.",
    ]
    return "\n".join(lines) + "\n"


def _stage(stage: Stage, entry: Mapping[str, Any]) -> list[str]:
    seconds = sum(stage.seconds.values())
    certain = f"Certain throughput meanwhile: {stage.throughput:.1%} of the demand; about {seconds:,.0f} s."
    lines = [f"## Stage {stage.id}", "", f"{_text(stage.reason)}. {certain}", ""]
    lines += ["### Before", "", *_boxes([*PRECHECKS, *stage.prechecks]), ""]
    lines += ["### Drain", "", *_links(stage.drain, "Links to take out of use")]
    lines += [f"- [ ] `{path}`" for path in entry["packet_side"] if "/drain/" in path or path.endswith(".csv")]
    lines += ["", "### Switch", "", "| device | kind | delete | add | fingerprint before | after |"]
    lines += ["|---|---|---|---|---|---|"]
    for row in entry["devices"]:
        prints = (row["fingerprint_before"][:12], row["fingerprint_after"][:12])
        lines += [f"| {row['switch']} | {row['kind']} | {row['delete']} | {row['add']} | {prints[0]} | {prints[1]} |"]
    lines += ["", *(f"- [ ] `{file['file']}`" for row in entry["devices"] for file in row["files"]), ""]
    lines += ["### After", "", *_boxes([*POSTCHECKS, *stage.postchecks]), ""]
    lines += ["### Undrain", "", *_links(stage.undrain, "Links to bring into use")]
    lines += [f"- [ ] `{path}`" for path in entry["packet_side"] if "/undrain/" in path]
    return [*lines, ""]


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
    return " ".join(str(value).split()).replace("|", "/").replace("`", "'")
