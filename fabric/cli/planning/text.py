"""Plans for the eye: `+` green goes up, `-` red comes down, `~` yellow a switch that changes."""

from typing import TYPE_CHECKING, Any

import click

from fabric.cli.planning.engineered import engineered_lines

if TYPE_CHECKING:
    from fabric.cli.options import Output
    from fabric.planning.plan import Plan, Stage

LISTED = 60  # cross-connects up to which all are listed


def emit_plan(plan: "Plan", lines: list[Any], out: "Output", told: dict[str, Any], catalogue_hash: str) -> None:
    """The plan file where -o names a JSON file; the plan as JSON or text on stdout, or in a file of another name."""
    from dataclasses import replace

    from fabric.cli.output import emit_json, emit_tables, write_whole
    from fabric.planning.files import document_of, plan_text
    from fabric.results import provenance

    into = out.output
    if into is not None and (out.json or into.suffix.lower() == ".json"):
        write_whole(plan_text(plan), into)
        click.echo(f"plan written into {into}", err=True)
        out = replace(out, output=None)
    if out.json:
        emit_json("plan", document_of(plan), provenance(told, catalogue_hash, plan.seed), out)
    else:
        emit_tables(lines, out)


def plan_lines(plan: "Plan", verbose: bool) -> list[Any]:
    """What a plan does, stage by stage, and one line in the end."""
    from rich.text import Text

    number = plan.summary["down"] + plan.summary["up"]
    every = verbose or number <= LISTED
    parts = {switch.name: switch.part for switch in plan.switches}
    lines: list[Any] = engineered_lines(plan.engineered) if plan.engineered else []
    for stage in plan.stages:
        lines += [*_stage(stage, plan, parts, every), Text()]
    if plan.stages and not every:
        lines += [Text(f"{number:,} cross-connects are not listed; -v lists them", style="dim"), Text()]
    summary = plan.summary
    lines += [Text(f"note: {warning}", style="yellow") for warning in plan.warnings]
    lines.append(Text(_floor(plan), style="dim"))
    if "chips_before" in summary:
        counts = ", ".join(f"{summary[f'chips_{when}']:,} {when}" for when in ("before", "during", "after"))
        lines.append(Text(f"chips in usable slices: {counts}", style="dim"))
    lines.append(Text(
        f"Plan: {summary['up']:,} to put up, {summary['down']:,} to take down, {summary['kept']:,} unchanged, in "
        f"{summary['stages']} stages (bounds: {summary['lower_bound_down']:,} down, {summary['stage_lower_bound']} "
        "stages).", style="bold",
    ))  # fmt: skip
    return lines


def _floor(plan: "Plan") -> str:
    from topologies.units import format_number

    floor, summary = plan.floor, plan.summary
    if floor["throughput"] is None:
        return "no demand between blocks: any order of changes keeps it"
    low, before, after = (
        format_number(summary[key]) for key in ("throughput_during_min", "throughput_before", "throughput_after")
    )
    pays = plan.break_even_s
    told = f"; pays for jobs that run on for {format_number(pays / 60)} minutes" if pays else ""
    return (
        f"throughput {before} x the demand before, at least {low} in every stage, {after} after; floor "
        f"{floor['share']:.1%} of the {floor['of']} ({floor['routing']}); {format_number(summary['minutes'])} minutes"
        f"{told}"
    )


def _stage(stage: "Stage", plan: "Plan", parts: dict[str, str], every: bool) -> list[Any]:
    from rich.text import Text

    from topologies.units import format_number

    down, up = (sum(len(getattr(change, key)) for change in stage.changes) for key in ("delete", "add"))
    keeps = "" if stage.throughput is None else f", keeps {format_number(stage.throughput)} x the demand"
    minutes = sum(stage.seconds.values()) / 60
    when = f", from {stage.starts}" if stage.starts else ""
    head = Text(f"stage {stage.id}", style="bold")
    head.append(f": {stage.reason}{keeps}; {down:,} down, {up:,} up on {len(stage.changes)} switches, "
                f"{minutes:.1f} minutes{when}", style="not bold")  # fmt: skip
    lines = [head]
    for verb, rows in (("drain", stage.drain), ("bring back", stage.undrain)):
        if rows:
            total = sum(links.number for links in rows)
            shown = ", ".join(f"{links.number} {links.a} - {links.b}" for links in rows[:6]) if every else ""
            more = ", ..." if every and len(rows) > 6 else ""
            lines.append(Text(f"  {verb} {total:,} links{': ' if shown else ''}{shown}{more}"))
    for change in stage.changes if every else ():
        lines.append(Text(f"  ~ {change.switch} ({parts.get(change.switch, '?')})", style="yellow"))
        lines += [Text(f"    - {a}-{b}", style="red") for a, b in change.delete]
        lines += [Text(f"    + {a}-{b}", style="green") for a, b in change.add]
    return lines
