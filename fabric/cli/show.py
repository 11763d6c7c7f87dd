"""aifabric show: what a topology is made of."""

from pathlib import Path
from typing import Any

import click

from fabric.cli.options import (
    CONTEXT,
    Output,
    csv_option,
    load_parts,
    one_form,
    output_options,
    parts_option,
    quiet_option,
    svg_option,
    verbose_option,
)


@click.command("show", context_settings=CONTEXT)
@click.argument("spec")
@csv_option
@parts_option
@quiet_option
@verbose_option("List link classes, and the source of each part.")
@svg_option("Draw it into FILE.")
@output_options
def command(
    spec: str,
    svg: Path | None,
    csv: bool,
    parts: Path | None,
    quiet: bool,
    verbose: bool,
    out: Output,
) -> None:
    """What a topology is made of: nodes, links by medium, diameter, bisection, bill of materials, watts, cost."""
    from fabric.cli.output import emit_csv, emit_json, emit_tables, write_svg
    from fabric.describing import describe
    from fabric.results import provenance
    from topologies.registry import build

    one_form(out, csv)
    catalogue = load_parts(parts)
    topology = build(spec, catalogue)
    found = describe(topology)
    if svg is not None:
        write_svg(topology, svg)
    if out.json:
        emit_json("show", {"topology": found}, provenance({"spec": spec}, catalogue.hash), out)
    elif csv:
        emit_csv(found["bill_of_materials"], out)
    else:
        emit_tables(_render(found, quiet, verbose), out)


def _bisection(low: float | None, high: float | None) -> str:
    """One value, or the certified interval where no formula is known."""
    from topologies.units import format_number

    if low is None or high is None:
        return "-"
    if low >= high * (1 - 1e-9):
        return f"{format_number(high)} GB/s one way"
    return f"{format_number(low)} to {format_number(high)} GB/s one way (certified; no formula)"


def _render(found: dict[str, Any], quiet: bool, verbose: bool) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import facts_table, known, sources, warning
    from fabric.cli.wall_tables import walls_facts
    from fabric.limits import broken
    from topologies.units import format_number, format_usd

    def listed(counts: dict[str, int]) -> str:
        return ", ".join(f"{number:,} {name}" for name, number in counts.items()) or "none"

    under_way = [("between sites", _span(span)) for span in found["spans"]]
    guess = any(line.startswith("power of") for line in found["estimates"])
    facts: list[tuple[str, Any]] = [
        ("topology", f"{found['name']} ({found['family']})"),
        ("accelerators", f"{found['accelerators']:,}" + (f" ({found['dies']:,} dies)" if found["dies"] else "")),
        ("switches", listed(found["switches_by_tier"])),
        ("links", f"{found['links']:,}: {listed(found['links_by_medium'])}"),
        ("diameter", _hops(found)),
        ("average distance", known(found["average_distance"], lambda d: f"{format_number(d)} links", False)),
        (
            "bisection",
            _bisection(found["bisection_low_gb_per_s"], found["bisection_gb_per_s"]),
        ),
        ("injection", f"{format_number(found['injection_gb_per_s'])} GB/s one way"),
        *under_way,
        ("network power", _power(found, guess)),
        ("capex", _capex(found, format_usd)),
        *walls_facts(found["walls"]),
    ]
    if found["circuit_switches"]:
        used, side = found["strands_per_circuit_switch"], found["ports_per_side"]
        sides = found["sides_of_circuit_switch"]
        lit = f"{found['circuit_switches']}, at most {used} of {sides} x {side} strands used on each; "
        lit += f"{found['strands']:,} in all, {found['circuits']:,} circuits"
        facts.insert(4, ("circuit switches", lit))
        facts += _optics(found["optics"])
    shown: list[Any] = [facts_table(facts), Text(), _bill(found)]
    if why := broken(found["walls"]):
        shown[:0] = [warning(f"CANNOT BE BUILT AS GIVEN, {why}"), Text()]
    if verbose:
        shown += [Text(), _links(found)]
        shown += [Text(), _circuits(found["optics"])] if found["optics"] and found["optics"]["classes"] else []
        shown += [Text(), *sources((r["part"], r["source"]) for r in found["bill_of_materials"])]
    if found["estimates"] and not quiet:
        shown += [Text(), Text("stands on estimates and defaults (~):", style="dim")]
        shown += [Text(f"  {line}", style="dim") for line in found["estimates"]]
    return shown


def _span(span: dict[str, Any]) -> str:
    """Fibre between two sites, and its round trips."""
    from topologies.units import format_number

    fibre, whole = (format_number(span[key], 5) for key in ("fibre_round_trip_us", "round_trip_us"))
    what = f"{span['channels']} channels of {span['optic']} over {span['distance_km']:g} km"
    return (
        f"{span['from']} - {span['to']}: {what}, "
        f"{format_number(span['gb_per_s'])} GB/s one way; round trip {fibre} us in the fibre, {whole} us with modules"
    )


def _power(found: dict[str, Any], guess: bool) -> str:
    """Watts with their range and both shares; what is known of them where the whole is not."""
    from fabric.cli.tables import known
    from topologies.units import format_power_w

    whole, low, high, outside, inside = (
        known(found[f"network_power_{k}w"], format_power_w, guess)
        for k in ("", "low_", "high_", "external_", "in_accelerator_")
    )
    if found["network_power_w"] is not None:
        return f"{whole} ({low} to {high}): {outside} external, {inside} in accelerators"
    shares = [(outside, "external"), (inside, "in accelerators")]
    rest = ", ".join(f"{watts} {where}" for watts, where in shares if watts != "-")
    return f"unknown; {rest}" if rest else "unknown"


def _links(found: dict[str, Any]) -> Any:
    from fabric.cli.tables import new_table
    from topologies.units import format_number

    table = new_table("links")
    for name in ("cable", "technology", "number", "Gb/s", "m", "ns"):
        table.add_column(name, justify="left" if name in ("cable", "technology") else "right")
    for row in found["link_classes"]:
        numbers = (row["links"], row["rate_gbps"], row["length_m"], row["latency_ns"])
        table.add_row(row["cable"], row["technology"], *(format_number(n, 6) for n in numbers))
    return table


def _optics(optics: dict[str, Any]) -> list[tuple[str, Any]]:
    """The tightest circuits' margin, the links expected to fail, and the strands of a link."""
    from fabric.cli.wall_tables import wall_text
    from topologies.units import format_number

    if optics["state"] is None:
        return [("optics", "no live circuit")]
    wall = {"state": optics["state"], "margin": optics["margin_p99_db"], "unit": "dB at the 99th percentile"}
    lines: list[tuple[str, Any]] = [("optics", wall_text(wall))]
    if optics["budget_db"] is not None and optics["loss_p99_db"] is not None:
        names = " and ".join(optics["modules"])
        lines.append((
            "",
            f"{names}: {optics['loss_mean_db']:.1f} dB, {optics['loss_p99_db']:.1f} dB at the 99th percentile, and "
            f"{optics['mpi_penalty_db']:.1f} dB by reflections, of {optics['budget_db']:.1f} dB",
        ))  # fmt: skip
    expected = optics["expected_failures"]
    failing = "unknown" if expected is None else "under 0.001" if expected < 1e-3 else format_number(expected)
    each = optics["strands_per_link"]
    strands = f"{each} strand{'s' if each > 1 else ''} at each end of a link"
    ports = optics["free_ports"]
    free = "" if ports is None else "; " + " + ".join(f"{number:,}" for number in ports) + " ports free"
    lines.append(("", f"{failing} of {optics['links']:,} links expected over budget; {strands}{free}"))
    if optics["failed_ports"]:
        lost = f"strands to them {optics['lost_strands']:,}, {format_number(optics['lost_gbps'] / 8)} GB/s one way lost"
        lines.append(("", f"failed ports {optics['failed_ports']:,}, {lost}"))
    return lines


def _circuits(optics: dict[str, Any]) -> Any:
    from fabric.cli.tables import known, new_table
    from topologies.units import format_number

    table = new_table("circuits, dB")
    numbers = ("Gb/s", "m", "loss", "p99", "MPI", "budget", "margin", "low", "high", "P(fail)", "expected")
    for name in ("modules", "switch", *numbers):
        table.add_column(name, justify="right" if name in numbers else "left")
    for row in optics["classes"]:
        levels = ("loss_mean_db", "loss_p99_db", "mpi_penalty_db", "budget_db")
        margins = ("margin_p99_db", "margin_low_db", "margin_high_db")
        table.add_row(
            " and ".join(row["modules"]), row["circuit_switch"],
            *(format_number(row[key], 6) for key in ("rate_gbps", "length_m")),
            *(known(row[key], lambda value: f"{value:.2f}", False) for key in levels),
            *(known(row[key], lambda value: f"{value:+.2f}", False) for key in margins),
            known(row["failure_probability"], lambda value: f"{value:.1g}", False),
            f"{known(row['expected_failures'], lambda value: f'{value:.2g}', False)} of {row['links']:,}",
        )  # fmt: skip
    return table


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
