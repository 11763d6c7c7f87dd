"""aifabric show: what a topology is made of."""

from pathlib import Path
from typing import Any

import click

from fabric.cli.options import CONTEXT, Output, csv_option, load_parts, one_form, output_options, parts_option


@click.command("show", context_settings=CONTEXT)
@click.argument("spec")
@csv_option
@parts_option
@output_options
def command(
    spec: str,
    csv: bool,
    parts: Path | None,
    out: Output,
) -> None:
    """What a topology is made of: nodes, links by medium, diameter, bisection, bill of materials, watts, cost."""
    from fabric.cli.output import emit_csv, emit_json, emit_tables
    from fabric.describing import describe
    from fabric.results import provenance
    from topologies.registry import build

    one_form(out, csv)
    catalogue = load_parts(parts)
    found = describe(build(spec, catalogue))
    if out.json:
        emit_json("show", {"topology": found}, provenance({"spec": spec}, catalogue.hash), out)
    elif csv:
        emit_csv(found["bill_of_materials"], out)
    else:
        emit_tables(_render(found, out.quiet), out)


def _render(found: dict[str, Any], quiet: bool) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import facts_table, known, wall_text, warning
    from fabric.walls import broken
    from topologies.units import format_number, format_power_w, format_usd

    def listed(counts: dict[str, int]) -> str:
        return ", ".join(f"{number:,} {name}" for name, number in counts.items()) or "none"

    guess = any(line.startswith("power of") for line in found["estimates"])
    watts = [
        known(found[f"network_power_{k}w"], format_power_w, guess)
        for k in ("", "external_", "in_accelerator_", "low_", "high_")
    ]
    facts: list[tuple[str, Any]] = [
        ("topology", f"{found['name']} ({found['family']})"),
        ("accelerators", f"{found['accelerators']:,}"),
        ("switches", listed(found["switches_by_tier"])),
        ("links", f"{found['links']:,}: {listed(found['links_by_medium'])}"),
        ("diameter", _hops(found)),
        ("average distance", known(found["average_distance"], lambda d: f"{format_number(d)} links", False)),
        (
            "bisection",
            known(found["bisection_gb_per_s"], lambda b: f"{format_number(b)} GB/s one way", False),
        ),
        ("injection", f"{format_number(found['injection_gb_per_s'])} GB/s one way"),
        (
            "network power",
            f"{watts[0]} ({watts[3]} to {watts[4]}): {watts[1]} external, {watts[2]} in accelerators",
        ),
        ("capex", _capex(found, format_usd)),
        ("copper wall", wall_text(found["walls"]["copper"])),
        ("", (found["walls"]["copper"] or {}).get("why", "")),
    ]
    if found["circuit_switches"]:
        used, side = found["strands_per_circuit_switch"], found["ports_per_side"]
        lit = f"{found['circuit_switches']}, at most {used} of 2 x {side} strands used on each; "
        lit += f"{found['strands']:,} in all, {found['circuits']:,} circuits"
        facts.insert(4, ("circuit switches", lit))
    shown: list[Any] = [facts_table(facts), Text(), _bill(found)]
    if why := broken(found["walls"]):
        shown[:0] = [warning(f"CANNOT BE BUILT AS GIVEN, {why}"), Text()]
    if found["estimates"] and not quiet:
        shown += [Text(), Text("stands on estimates and defaults (~):", style="dim")]
        shown += [Text(f"  {line}", style="dim") for line in found["estimates"]]
    return shown


def _hops(found: dict[str, Any]) -> str:
    if found["diameter"] is None:
        return "- (some pairs have no path that crosses switches only)"
    routers = found["router_diameter"]
    return f"{found['diameter']} links" + ("" if routers is None else f", {routers} between switches")


def _capex(found: dict[str, Any], show: Any) -> str:
    if found["capex_usd"] is not None:
        return str(show(found["capex_usd"]))
    return f"unknown; what has a price: {show(found['priced_usd'])}"


def _bill(found: dict[str, Any]) -> Any:
    from fabric.cli.tables import known, new_table
    from topologies.units import format_number, format_power_w, format_usd

    table = new_table("bill of materials")
    for name in ("part", "kind", "number", "power", "price"):
        table.add_column(name, justify="left" if name in ("part", "kind") else "right")
    for row in found["bill_of_materials"]:
        table.add_row(
            row["part"], row["kind"], format_number(row["quantity"], 6),
            known(row["power_w"], format_power_w, False), known(row["price_usd"], format_usd, False),
        )  # fmt: skip
    return table
