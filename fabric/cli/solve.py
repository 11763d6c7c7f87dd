"""aifabric solve: one configuration in depth."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.experts import Layer, layer_options
from fabric.cli.options import (
    CONTEXT,
    Members,
    Model,
    Output,
    Pattern,
    check_members,
    check_usage,
    csv_option,
    is_given,
    load_parts,
    member_options,
    model_options,
    one_form,
    output_options,
    parts_option,
    pattern_options,
    quiet_option,
    svg_option,
    verbose_option,
)

if TYPE_CHECKING:
    from fabric.results import Result
    from topologies.graph import Topology


@click.command("solve", context_settings=CONTEXT)
@click.argument("spec")
@pattern_options
@click.option("--explain", is_flag=True, help="What binds, the other algorithms, what would help.")
@click.option(
    "--schedule",
    type=click.Path(path_type=Path),
    help="Run this instead of an algorithm: MSCCL (.xml), GOAL (.goal), Chakra (.et, a folder or prefix of them).",
)
@member_options
@layer_options
@model_options
@csv_option
@parts_option
@quiet_option
@verbose_option("List the source of each part.")
@svg_option("Draw it into FILE, the load of links by width.")
@output_options
def command(
    spec: str,
    explain: bool,
    schedule: Path | None,
    svg: Path | None,
    pattern: Pattern,
    members: Members,
    layer: Layer,
    model: Model,
    csv: bool,
    parts: Path | None,
    quiet: bool,
    verbose: bool,
    out: Output,
) -> None:
    """One collective on one topology: time, bandwidth, the binding link, watts, dollars, copper."""
    from fabric.cli.output import emit_csv, emit_json, emit_tables, write_svg
    from fabric.explaining import explanation, planned
    from fabric.results import provenance
    from fabric.simulation import simulate
    from topologies.bill import bill_of_materials
    from topologies.registry import build

    one_form(out, csv)
    if schedule is not None:
        _refuse_idle()
    if csv and explain:
        raise click.UsageError("--csv has no place for --explain; use --json")
    check_members(members)
    if (explain or svg is not None) and model.transport.partition(":")[0] == "one-sided":
        raise click.UsageError("--explain and --svg are of links at line rate; leave out --transport one-sided")
    if svg is not None and model.fidelity == "bound":
        raise click.UsageError("--svg shows an algorithm's loads, --fidelity bound has no algorithm; leave one out")
    collective, choice = pattern.collective, pattern.choice() | model.choice() | members.told()
    choice["moe"] = moe = layer.moe(collective, model.seed)
    catalogue = load_parts(parts)
    check_usage(model, [collective], catalogue)
    topology = build(spec, catalogue)
    if schedule is not None:
        result = _replayed(topology, schedule, model)
    else:
        result = simulate(
            topology, collective, model.size if moe is None else None, algorithm=model.algorithm,
            transport=model.transport, tune=model.tune, fidelity=model.fidelity, **choice,
        )  # fmt: skip
    choice["transport"] = model.transport if model.fidelity == "steady" else "ideal"
    if svg is not None:
        plan = planned(topology, collective, model.size, result.algorithm, **choice)
        write_svg(topology, svg, plan.busy(result.size_bytes))
    explained = explanation(topology, collective, model.size, result.algorithm, **choice) if explain else None
    if out.json:
        told = {"spec": spec, **pattern.told(), **members.told(), **model.told()}
        if moe is not None:
            told |= {"size": None, **layer.told()}
        if schedule is not None:
            told = _told(spec, schedule, model)
        document = {"result": result.row(), **({"explain": explained} if explained else {})}
        emit_json("solve", document, provenance(told, catalogue.hash, model.seed), out)
    elif csv:
        emit_csv([result.row()], out)
    else:
        cited = [(row.part.name, f"{row.part.source} ({row.part.year})") for row in bill_of_materials(topology)]
        emit_tables(_render(result, explained, [] if not verbose else cited, quiet), out)


# options that a schedule leaves without effect: it has its own pattern, messages and order
_IDLE = ("explain", "shift", "permutation", "overlap", "hedge", "flows_per_pair", "svg",
         "ranks", "group", "over", "placement")  # fmt: skip


def _refuse_idle() -> None:
    idle = next((option for option in _IDLE if is_given(option)), None)
    if idle is not None:
        raise click.UsageError(f"--{idle.replace('_', '-')} has no effect with --schedule; leave one out")
    if is_given("fidelity") and click.get_current_context().params["fidelity"] != "fluid":
        raise click.UsageError("--schedule is run flow by flow: --fidelity fluid; leave it out")


def _replayed(topology: "Topology", schedule: Path, model: Model) -> "Result":
    """The schedule on the fabric; options that have no effect on this one are refused."""
    from fabric.schedules import read_schedule
    from fabric.schedules.running import replay

    recorded = read_schedule(schedule)
    named = click.get_current_context().params["collective"]
    if is_given("collective") and named != recorded.collective:
        raise click.UsageError(f"--collective {named} is not that of the schedule, {recorded.collective or 'none'}")
    if recorded.collective is None and is_given("size"):
        raise click.UsageError(f"--size has no effect: {recorded.format} schedules hold their own bytes; leave it out")
    if not recorded.calls and is_given("algorithm"):
        raise click.UsageError("--algorithm has no effect: the schedule calls no collective by name; leave it out")
    return replay(
        topology, recorded, model.size, algorithm=model.algorithm, routing=model.routing, transport=model.transport,
        tie=model.tie, seed=model.seed, threads=model.jobs,
    )  # fmt: skip


def _told(spec: str, schedule: Path, model: Model) -> dict[str, Any]:
    """The parameters of a replay for provenance."""
    told = {"spec": spec, "schedule": str(schedule), **model.told(), "fidelity": "fluid"}
    return {key: value for key, value in told.items() if key not in _IDLE}


def _binding(end: dict[str, Any] | None) -> str:
    if end is None:
        return "-"
    return end.get("cut") or f"{end['medium']} {end['from']} > {end['to']}, busy {end['utilisation']:.1%}"


def _library(result: "Result") -> str:
    if result.transport == "ideal":
        return "ideal (raw rates, no library overhead)"
    return result.transport + (f", {result.protocol}" if result.protocol else "")


def _range(result: "Result") -> list[tuple[str, Any]]:
    """The interval in which nine of ten measurements of machines of this kind lie."""
    from topologies.units import format_time_us

    if result.time_low_us is None or result.time_high_us is None:
        return []
    low, high = format_time_us(result.time_low_us), format_time_us(result.time_high_us)
    return [("  nine of ten", f"{low} to {high}, by measurements of its kind")]


def _at_best(result: "Result") -> str:
    """The bound beside the time: nothing can be faster on this topology."""
    from topologies.units import format_time_us

    if result.bound_time_us is None or result.of_bound is None:
        return "-"
    return f"{format_time_us(result.bound_time_us)}, {result.of_bound:.1%} of this time"


def _render(result: "Result", explained: dict[str, Any] | None, cited: list[tuple[str, str]], quiet: bool) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import capex_text, counted, facts_table, guessed, known, sources, warning
    from fabric.cli.wall_tables import walls_facts, walls_table
    from fabric.limits import NO_MODEL, broken
    from topologies.units import format_number, format_power_w, format_size, format_time_us

    end = result.bottleneck
    watts = guessed(result, "power")
    waiting = 0.0 if result.latency_us is None else result.latency_us / result.time_us
    idle = f", mostly of waiting: latency is {waiting:.1%} of the time" if waiting > 0.5 else ""
    how = f"{result.algorithm}, {result.overlap}" + (f", relayed by {result.relays}" if result.relays else "")
    facts: list[tuple[str, Any]] = [
        ("topology", result.topology),
        ("accelerators", counted(result)),
        ("collective", f"{result.collective} of {format_size(result.size_bytes)}"),
        ("algorithm", how),
        (
            "routing, transport",
            f"{result.routing}, {_library(result)}; {result.fidelity}",
        ),
        (
            "time",
            f"{format_time_us(result.time_us)}, of which latency {known(result.latency_us, format_time_us, False)}",
        ),
        *([] if explained is None else _range(result)),
        (
            "algbw, busbw",
            f"{format_number(result.algbw_gb_per_s)}, {format_number(result.busbw_gb_per_s)} GB/s",
        ),
        ("binds", _binding(end)),
        ("at best", _at_best(result)),
        ("network power", known(result.network_power_w, format_power_w, watts)),
        ("  external", known(result.network_power_external_w, format_power_w, watts)),
        ("  in accelerators", known(result.network_power_in_accelerator_w, format_power_w, watts)),
        (
            "  per accelerator",
            known(result.network_power_w_per_accelerator, lambda w: f"{format_number(w, 3)} W", watts),
        ),
        ("energy", known(result.energy_pj_per_bit, lambda e: f"{format_number(e, 3)} pJ/bit{idle}", watts)),
        ("capex", capex_text(result.capex_usd, result.priced_usd, guessed(result, "price"))),
        *walls_facts(result.walls),
    ]
    shown: list[Any] = [facts_table(facts)]
    if why := broken(result.walls):
        shown[:0] = [warning(f"CANNOT BE BUILT AS GIVEN, {why}"), Text()]
    if explained is not None:
        shown += [*_explained(explained), Text(), *walls_table(result.walls.items(), {"memory": NO_MODEL})]
    shown += [Text(), *sources(cited)] if cited else []
    if result.estimates and not quiet:
        shown += [Text(), Text("stands on estimates and defaults (~):", style="dim")]
        shown += [Text(f"  {line}", style="dim") for line in result.estimates]
    return shown


def _explained(explained: dict[str, Any]) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import new_table
    from fabric.crossovers import named
    from topologies.units import format_number, format_time_us

    links = new_table("links, busiest first")
    for name in ("between", "medium", "arcs", "busy at most", "on average"):
        links.add_column(name, justify="left" if name in ("between", "medium") else "right")
    for row in explained["links"]:
        busy = f"{row['utilisation_max']:.1%}", f"{row['utilisation_mean']:.1%}"
        links.add_row(row["between"], row["medium"], f"{row['arcs']:,}", *busy)
    others = new_table("algorithms, fastest first")
    for name in ("algorithm", "time", "takes", "pipelined", "phased", "why not"):
        others.add_column(name, justify="left" if name in ("algorithm", "why not") else "right", overflow="fold")
    for row in sorted(explained["algorithms"], key=lambda row: (row["takes"] is None, row["takes"])):
        times = ["-" if row[k] is None else format_time_us(row[k]) for k in ("time_us", "pipelined_us", "phased_us")]
        takes = "-" if row["takes"] is None else f"{format_number(row['takes'], 3)}x"
        others.add_row(named(row["algorithm"], row["protocol"]), times[0], takes, *times[1:], row["reason"] or "")
    return [Text(), links, Text(), others, Text(), *(Text(line) for line in explained["help"])]
