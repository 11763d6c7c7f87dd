"""Tables of `power`: network, kinds, accelerators, site, delivery, trace."""

from typing import Any

from rich.table import Table
from rich.text import Text

from fabric.cli.tables import facts_table, known, new_table
from topologies.units import format_number, format_power_w, format_size, format_time_us, format_usd


def render(found: dict[str, Any], quiet: bool, verbose: bool, width: int) -> list[Any]:
    """All that is known, in the order of the question: network, inside accelerators, site, step."""
    shown: list[Any] = [facts_table(_facts(found)), Text(), _kinds(found)]
    if found["site"] is not None:
        shown += [Text(), _site(found), *_parts(found["site"])]
        if verbose:
            shown += [Text(), _stages(found["site"]["delivery"])]
    if found["trace"] is not None:
        shown += [Text(), _phases(found["trace"])]
        shown += [Text(), facts_table(_swing(found))]
    if found["collectives"]:
        shown += [Text(), _collectives(found["collectives"])]
    if not quiet:
        shown += _notes(found, verbose)
    return shown


def _facts(found: dict[str, Any]) -> list[tuple[str, Any]]:
    network = found["network"]
    facts = [("topology", found["topology"]), ("accelerators", f"{found['accelerators']:,}")]
    for name, key in (("network power", "total"), ("external", "external"), ("in accelerators", "in_accelerator")):
        facts.append((name, _levels(network[key])))
    if network["total"] is not None:
        load = f"at {100 * network['load']:g} % load"
        facts.append((load, format_power_w(network["at_load_w"])))
        facts.append(("per accelerator", f"{format_number(network['w_per_accelerator'], 3)} W typical"))
        facts.append(("per bit", f"{known(network['pj_per_bit_injected'], lambda v: format_number(v, 3), False)} "
                                 "pJ of what all accelerators can receive"))  # fmt: skip
    if found["optics"]["typical_w"]:
        facts.append(("optics", f"{_levels(found['optics'])}, lasers with them"))
    for row in found["serdes"]:
        watts = f"{row['typical_w']:.1f} W ({row['low_w']:.1f} to {row['high_w']:.1f} W)"
        facts.append(
            ("links of one", f"{watts} inside {row['part']}, {format_number(row['gbps_per_accelerator'])} Gb/s")
        )
    if network["excluded"]:
        facts.append(("left out", ", ".join(network["excluded"])))
    facts.append(("not counted", ", ".join(found["not_counted"]) or "nothing"))
    return facts


def _levels(watts: dict[str, float] | None) -> str:
    if watts is None:
        return "unknown"
    idle, typical, most, low, high = (
        format_power_w(watts[key]) for key in ("idle_w", "typical_w", "max_w", "low_w", "high_w")
    )
    return f"{typical} ({low} to {high}); {idle} idle, {most} at most"


def _watts_table(title: str, first: str) -> Table:
    table = new_table(title)
    table.add_column(first, overflow="fold")
    for name in ("idle", "typical", "low", "high", "at most"):
        table.add_column(name, justify="right")
    return table


def _watts_cells(row: dict[str, float]) -> list[str]:
    return [format_power_w(row[key]) for key in ("idle_w", "typical_w", "low_w", "high_w", "max_w")]


def _kinds(found: dict[str, Any]) -> Table:
    table = _watts_table("network by kind", "kind")
    for row in found["by_kind"]:
        table.add_row(row["kind"], *_watts_cells(row))
    return table


def _site(found: dict[str, Any]) -> Table:
    site = found["site"]
    table = _watts_table(f"site, racks by {site['racks_by']}", "what")
    number = f"{site['racks']:,} rack" + ("s" if site["racks"] > 1 else "")
    housed = f"{number}, {site['rack']}" if site["rack"] else "accelerators and hosts, no rack known"
    table.add_row(housed, *_watts_cells(site["racks_w"]))
    table.add_row("network outside them", *_watts_cells(site["network_outside_racks"]))
    for side in found["sides"]:
        table.add_row(f"{side['scope']} network", *_watts_cells(side))
    table.add_row("IT", *_watts_cells(site["it"]))
    table.add_row(f"facility, PUE {site['pue']:g}, {site['delivery']['chain']}", *_watts_cells(site["facility"]))
    return table


def _parts(site: dict[str, Any]) -> list[Any]:
    """What the parts of a rack add up to beside its nameplate."""
    if site["rack_parts_w"] is None:
        return []
    told = f"TDPs, hosts, network and conversion of {site['rack_parts_of']:,} accelerators in a rack add up to "
    return [Text(f"{told}{format_power_w(site['rack_parts_w'])}: walls judge its feed by that")]


def _stages(delivery: dict[str, Any]) -> Table:
    table = new_table(f"delivery, {delivery['chain']}")
    table.add_column("stage", overflow="fold")
    table.add_column("counted in")
    for name in ("efficiency", "low", "high", "loss"):
        table.add_column(name, justify="right")
    where = {"upstream": "PUE", "rack": "racks"}
    for stage in delivery["stages"]:
        shares = [f"{100 * stage[key]:.1f} %" for key in ("efficiency", "low", "high")]
        table.add_row(stage["title"], where[stage["side"]], *shares, format_power_w(stage["loss_w"]))
    shares = [f"{100 * delivery[key]:.1f} %" for key in ("grid_to_core", "grid_to_core_low", "grid_to_core_high")]
    lost = sum(stage["loss_w"] for stage in delivery["stages"])
    table.add_row("grid to core", "", *shares, format_power_w(lost))
    return table


def _phases(trace: dict[str, Any]) -> Table:
    table = new_table("one step")
    table.add_column("phase", overflow="fold")
    for name in ("from", "for", "racks", "network", "facility"):
        table.add_column(name, justify="right")
    for phase in trace["phases"]:
        times = [format_time_us(1e3 * phase[key]) for key in ("start_ms", "duration_ms")]
        watts = [format_power_w(phase[key]) for key in ("racks_w", "network_w", "facility_w")]
        table.add_row(phase["name"], *times, *watts)
    return table


def _swing(found: dict[str, Any]) -> list[tuple[str, Any]]:
    trace = found["trace"]
    facts = []
    for name in ("rack", "site"):
        swing = trace[name]
        peak, mean, least, step = (format_power_w(swing[key]) for key in ("peak_w", "mean_w", "least_w", "step_w"))
        ramp = format_power_w(swing["ramp_w_per_s"])
        facts.append((f"swing of a {name}", f"{least} to {peak}, mean {mean}; steps of {step}, at least {ramp}/s"))
    joules = format_number(trace["storage_j"], 3)
    facts.append(("to smooth it", f"{joules} J in {trace['storage']}: {trace['storage_why']}"))
    return facts


def _collectives(rows: list[dict[str, Any]]) -> Table:
    table = new_table("energy of a collective")
    table.add_column("collective")
    for name in ("size", "time", "energy", "pJ/bit"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row["collective"], format_size(row["size_bytes"]), format_time_us(row["time_us"]),
            known(row["energy_j"], lambda joules: f"{format_number(joules, 4)} J", False),
            known(row["pj_per_bit"], lambda energy: format_number(energy, 4), False),
        )  # fmt: skip
    return table


def _notes(found: dict[str, Any], verbose: bool) -> list[Any]:
    lines = [f"no power: {name}" for name in found["missing"]]
    if found["site"] is None:
        lines.append(f"no site: {found['site_why']}")
    else:
        chain = found["site"]["delivery"]
        loss = format_power_w(chain["busbar_loss_w"])
        kilograms = format_number(chain["busbar_kg"], 3)
        lines.append(
            f"{chain['voltage_v']:g} V: {format_number(chain['current_a_per_rack'], 4)} A a rack, busbars of "
            f"{kilograms} kg copper lose {loss}, within the racks' watts"
        )
        if chain["more_than_54v_w"]:
            more, than = abs(chain["more_than_54v_w"]), "less" if chain["more_than_54v_w"] < 0 else "more"
            lines.append(f"{chain['chain']} takes {format_power_w(more)} {than} from the grid than 54 V")
    if found["generation"] is not None and found["generation"]["units"] is not None:
        plant, trace = found["generation"], found["trace"]
        follows = None if trace is None else trace["generation_follows"]
        said = {None: "", True: "; they follow the swing", False: "; they cannot follow the swing: storage must"}[
            follows
        ]
        lines.append(
            f"on-site: {plant['units']:,} x {plant['name']} of {format_power_w(plant['unit_w'])}, one to spare, "
            f"{format_power_w(plant['fuel_w'])} of fuel, {known(plant['capex_usd'], format_usd, True)}{said}"
        )
    if found["trace"] is not None:
        lines.append("phases follow each other; cooling stays at the mean of the step")
    if found["constant"] and verbose:
        lines.append(f"the same at any load, no source says otherwise: {', '.join(found['constant'])}, SerDes")
    elif found["constant"]:
        lines.append("the same at any load, no source says otherwise: all but switches (-v lists them)")
    shown: list[Any] = [Text(), *(Text(line, style="dim") for line in lines)] if lines else []
    if found["estimates"]:
        shown += [Text(), Text("stands on estimates and defaults (~):", style="dim")]
        shown += [Text(f"  {line}", style="dim") for line in found["estimates"]]
    return shown
