"""aifabric cost: what a network costs to buy, lay, feed and keep."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import (
    CONTEXT,
    PUE,
    Number,
    Output,
    csv_option,
    load_parts,
    one_form,
    output_options,
    parts_option,
    quiet_option,
)

if TYPE_CHECKING:
    from fabric.costing import Usd
    from fabric.costing.ownership import Ownership


@click.command("cost", context_settings=CONTEXT)
@click.argument("spec")
@click.option("--prices", type=click.Path(path_type=Path), help="Your prices: TOML, or CSV of name,price[,low,high].")
@click.option("--years", type=Number(0, 100, min_open=True), help="That it runs; 5.")
@click.option(
    "--power-price", type=Number(0, 100, max_open=True), metavar="USD",
    help="Dollars a kWh; industrial customers in the USA.",
)  # fmt: skip
@click.option("--pue", type=PUE, help="Facility power over IT power; 1.15.")
@click.option("--machine", is_flag=True, help="With the racks of accelerators, and all their electricity.")
@click.option("-s", "--size", default="1GiB", show_default=True, help="Of the collectives that dollars are divided by.")
@click.option("--transport", default="auto", show_default=True, help="Of those collectives.")
@parts_option
@csv_option
@quiet_option
@output_options
def command(
    spec: str,
    prices: Path | None,
    years: float | None,
    power_price: float | None,
    pue: float | None,
    machine: bool,
    size: str,
    transport: str,
    parts: Path | None,
    csv: bool,
    quiet: bool,
    out: Output,
) -> None:
    """Dollars of parts, cables, labour, electricity and upkeep over years; per accelerator, per GB/s, per TB.

    What has no price is listed and never counted as zero: the sum of the rest is then a least value (>). Low and high
    are sums of the sources' lows and highs.
    """
    from fabric.cli.output import emit_csv, emit_json, emit_tables
    from fabric.costing import priced, read_prices
    from fabric.costing.ownership import total_cost_of_ownership
    from fabric.results import provenance
    from topologies.registry import build

    one_form(out, csv)
    catalogue = load_parts(parts)
    if prices is not None:
        catalogue = priced(catalogue, read_prices(prices), f"{prices.name}")
    topology = build(spec, catalogue)
    found = total_cost_of_ownership(
        topology, years=years, usd_per_kwh=power_price, pue=pue, machine=machine, size=size, transport=transport
    )
    rows = _rows(found)
    if out.json:
        told = {"spec": spec, "prices": None if prices is None else str(prices), "years": years, "pue": pue}
        told |= {"power_price": power_price, "machine": machine, "size": size, "transport": transport}
        document = {"cost": _document(topology.name, found, rows)}
        emit_json("cost", document, provenance(told, catalogue.hash), out)
    elif csv:
        emit_csv(rows, out)
    else:
        emit_tables(_render(topology.name, found, rows, quiet), out)


def _rows(found: "Ownership") -> list[dict[str, Any]]:
    """The amounts that make up the total, and the total; `whole` is false where a part of it has no price."""

    def row(what: str, usd: "Usd", whole: bool = True) -> dict[str, Any]:
        return {"what": what, **usd.row(), "whole": whole}

    rows = [row("parts", found.parts.priced, not found.parts.missing)]
    if found.machine and found.machines.value:
        rows.append(row("racks of accelerators", found.machines))
    rows += [row("fibre", found.cabling.fibre), row("laying cables", found.cabling.labour)]
    if found.energy is not None:
        rows.append(row(f"electricity of {found.years:g} years", found.energy))
    rows.append(row(f"upkeep of {found.years:g} years", found.upkeep, not found.missing))
    return [*rows, row("total", found.priced, not found.missing)]


def _document(name: str, found: "Ownership", rows: list[dict[str, Any]]) -> dict[str, Any]:
    def usd(amount: "Usd | None") -> dict[str, float] | None:
        return None if amount is None else amount.row()

    return {
        "topology": name, "accelerators": found.accelerators, "years": found.years, "machine": found.machine,
        "power_w": found.power_w, "pue": found.pue, "usd_per_kwh": found.usd_per_kwh.row(),
        "cables": found.cabling.cables, "fibres": found.cabling.fibres, "fibre_m": found.cabling.fibre_m,
        "capex": usd(found.capex), "capex_usd": found.parts.capex_usd, "rows": rows, "total": usd(found.total),
        "priced": usd(found.priced), "per_accelerator": usd(found.per_accelerator),
        "per_gb_per_s_all_to_all": usd(found.per_gb_per_s_all_to_all),
        "per_tb_all_reduced": usd(found.per_tb_all_reduced), "missing": list(found.missing),
        "estimates": list(found.estimates),
    }  # fmt: skip


def _render(name: str, found: "Ownership", rows: list[dict[str, Any]], quiet: bool) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import facts_table, known, new_table
    from topologies.units import format_number, format_power_w, format_usd

    table = new_table("cost of the machine" if found.machine else "cost of the network")
    table.add_column("what", overflow="fold")
    for head in ("dollars", "low", "high"):
        table.add_column(head, justify="right")
    for row in rows:
        least = "" if row["whole"] else ">"
        table.add_row(row["what"], *(least + format_usd(row[key]) for key in ("usd", "low_usd", "high_usd")))
    least = "" if found.total is not None else ">"

    def over(amount: "Usd | None") -> str:
        if amount is None:
            return "-"
        value, low, high = (format_usd(usd) for usd in (amount.value, amount.low, amount.high))
        return f"{least}{value} ({low} to {high})"

    watts = known(found.power_w, format_power_w, False)
    laid = f"{found.cabling.cables:,}, {found.cabling.fibres:,} of fibre ({format_number(found.cabling.fibre_m, 4)} m)"
    facts = [
        ("topology", name), ("accelerators", f"{found.accelerators:,}"), ("cables to lay", laid),
        ("at the meter", f"{watts} at PUE {found.pue:g}, {100 * found.usd_per_kwh.value:.3g} cents a kWh"),
    ]  # fmt: skip
    per = [
        ("an accelerator", over(found.per_accelerator)),
        ("a GB/s of all-to-all", over(found.per_gb_per_s_all_to_all)),
        ("a TB of all-reduce", over(found.per_tb_all_reduced)),
    ]
    shown: list[Any] = [facts_table(facts), Text(), table, Text(), facts_table(per)]
    if found.missing:
        shown += [Text(), Text("no price (on top of what is marked >):")]
        shown += [Text(f"  {line}") for line in found.missing]
    if found.estimates and not quiet:
        shown += [Text(), Text("stands on estimates and defaults (~):", style="dim")]
        shown += [Text(f"  {line}", style="dim") for line in found.estimates]
    return shown
