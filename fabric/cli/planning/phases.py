"""aifabric plan phases: is it worth switching circuits between the phases of a step?"""

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import CONTEXT, Output, one_form, output_options, parts_option, quiet_option, verbose_option

MOST_STRETCHES, MOST_RUNS = 12, 12  # shown without -v, and of a walk

if TYPE_CHECKING:
    from rich.table import Table

    from fabric.planning.worth import Worth


@click.command("phases", context_settings=CONTEXT)
@click.argument("things", nargs=-1, required=True, metavar="FILE.toml | SPEC...")
@click.option("--workload", metavar="MODEL", help="SPECs are states of one fabric, the step is that of training MODEL.")
@click.option("--parallel", metavar="LAYOUT", help="--workload: its layout, tp=8,pp=4,batch=64,...")
@click.option("--transport", default="auto", show_default=True, help="--workload: as in workload.")
@click.option(
    "--delay-ms", type=click.FloatRange(min=0), help="Time of a switch, in place of what the file says, milliseconds."
)
@click.option("--ocs", help="Circuit switch of the catalogue whose times hold, in place of what the file says.")
@click.option("--routing", default="auto", show_default=True, help="As in solve.")
@quiet_option
@verbose_option("Every step of a switch with its source, and every circuit switch of the catalogue.")
@parts_option
@output_options
def command(
    things: tuple[str, ...],
    workload: str | None,
    parallel: str | None,
    transport: str,
    delay_ms: float | None,
    ocs: str | None,
    routing: str,
    quiet: bool,
    verbose: bool,
    parts: Path | None,
    out: Output,
) -> None:
    """Does it pay to switch circuits between the phases of a step, and from which delay or size on?

    FILE has [[phase]] tables in order (name, collective, size, group and stride, or demand; idle_ms before it),
    [[configuration]] tables (name, spec; state) and [switching] (delay_ms, or ocs and optic; steps, moves, planes).
    [step] numbers the ranks (group = "tp=8,dp=16") for phases that are over = "tp"; or stands for all phases of a
    training step: layers, a workload of SimAI, or model and parallel.

    With --workload SPECs are the states of circuits among which the step could switch; of one SPEC of photonic-rail or
    tpu-pod those that fit the layout are taken: rings of each dimension's groups, slices of as many cubes.
    """
    from fabric.cli.options import load_parts
    from fabric.cli.output import emit_json, emit_tables
    from fabric.planning.phases import read_iteration
    from fabric.planning.worth import plan_phases, worth
    from fabric.results import provenance
    from fabric.timing import Assumptions
    from fabric.workloads.training import TRANSPORT

    one_form(out)
    if delay_ms is not None and ocs is not None:
        raise click.UsageError("--delay-ms and --ocs both say what a switch takes; give one")
    _check(things, workload, parallel)
    catalogue, delay_s = load_parts(parts), None if delay_ms is None else delay_ms / 1e3
    given = Assumptions(routing=routing)
    if workload is None:
        found = worth(read_iteration(Path(things[0])), catalogue, given=given, delay_s=delay_s, ocs=ocs)
    else:
        way = TRANSPORT if transport == "auto" else transport
        found = plan_phases(things, workload, parallel or "", catalogue, delay_s, given=given, ocs=ocs, transport=way)
    if out.json:
        asked = {"specs": list(things), "workload": workload, "parallel": parallel, "transport": transport}
        told = {**({"file": things[0]} if workload is None else asked), "delay_ms": delay_ms, "ocs": ocs,
                "routing": routing}  # fmt: skip
        emit_json("plan-phases", found.document(), provenance(told, catalogue.hash), out)
    else:
        emit_tables(_render(found, quiet, verbose), out)


def _check(things: tuple[str, ...], workload: str | None, parallel: str | None) -> None:
    """A file alone, or states of one fabric with a model and a layout."""
    from fabric.workloads.steps.parallel import parse_parallel
    from topologies.errors import ConfigError

    if workload is None and parallel is not None:
        raise click.UsageError("--parallel is of --workload; give its MODEL as well")
    if workload is None and len(things) > 1:
        raise click.UsageError(f"{len(things)} files are given; one holds a step, SPECs go with --workload MODEL")
    if workload is not None and parallel is None:
        raise click.UsageError("--workload takes a layout; give --parallel tp=8,pp=4,batch=64")
    try:
        parse_parallel(parallel or "tp=1")
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


def _render(found: "Worth", quiet: bool, verbose: bool) -> list[Any]:
    from rich.text import Text

    shown: list[Any] = [_times(found), Text(), *_stretches(found, verbose)]
    if found.break_even:
        shown += [Text(), _sizes(found)]
    if found.inside:
        shown += [Text(), *(Text(line) for line in _inside(found))]
    if found.job is not None:
        shown += [Text(), Text(_job(found.job))]
    if verbose:
        shown += [Text(), *_steps(found), _devices(found)]
    if not quiet:
        shown += [Text(), *(Text(f"note: {note}", style="dim") for note in found.notes)]
    style = "bold green" if found.pays else "bold"
    return [*shown, Text(), Text(found.answer, style=style)]


def _time(seconds: float) -> str:
    from math import isfinite

    from topologies.units import format_time_us

    return format_time_us(seconds * 1e6) if isfinite(seconds) else "-"


def _times(found: "Worth") -> "Table":
    """Phases by configurations; the walk's own in green."""
    from rich.text import Text

    from fabric.cli.tables import new_table
    from fabric.planning.worth import described

    what = "time of each phase" if not found.base_s else "time that each phase shows"
    table = new_table(f"{what} in each configuration (* where the best walk is)")
    table.add_column("phase", overflow="fold")
    table.add_column("what", overflow="fold")
    table.add_column("idle before", justify="right")
    for own in found.iteration.configurations:
        table.add_column(own.name, justify="right")
    alike: dict[str, list[int]] = {}
    for p, phase in enumerate(found.iteration.phases):
        alike.setdefault(phase.name, []).append(p)
    for name, places in alike.items():
        phase, chosen = found.iteration.phases[places[0]], {found.walk.configurations[p] for p in places}
        cells = [
            Text(f"{_time(seconds)} {'*' if c in chosen else ' '}", "green" if c in chosen else "")
            for c, seconds in enumerate(found.cost_s[places[0]].tolist())
        ]
        told = name if len(places) == 1 else f"{name} x {len(places):,}"
        idle = sorted({found.iteration.phases[p].idle_s for p in places})
        waits = _window(idle[-1])
        table.add_row(told, described(phase), waits if len(idle) == 1 else f"up to {waits}", *cells)
    if found.base_s:
        table.add_row("the rest", "computation, and what no circuit carries", "", *[_time(found.base_s)] * len(cells))
    return table


def _window(seconds: float) -> str:
    """A window before a phase; below zero what a switch there lays open."""
    return "-" if not seconds else _time(seconds) if seconds > 0 else f"-{_time(-seconds)}"


def _stretches(found: "Worth", verbose: bool) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import new_table

    own = [c.name for c in found.iteration.configurations]
    table = new_table("the best walk by the delay of a switch: where each switch disappears")
    for head in ("delay from", "to", "switches", "step at its end"):
        table.add_column(head, justify="right")
    table.add_column("configurations", overflow="fold")
    rows = found.stretches if verbose else found.stretches[-MOST_STRETCHES:]
    for row in rows:
        path = row.walk.configurations
        runs = [(own[c], len(list(group))) for c, group in groupby(path)]
        told = ", ".join(name if times == 1 else f"{name} x {times}" for name, times in runs[:MOST_RUNS])
        told += f", ... ({len(runs)} runs)" if len(runs) > MOST_RUNS else ""
        told = own[path[0]] + " throughout" if len(runs) == 1 else told
        end = _at(found, path, row.to_s)
        table.add_row(_time(row.from_s), _time(row.to_s), str(row.walk.switches), end, told)
    left = len(found.stretches) - len(rows)
    return [table] if not left else [table, Text(f"{left} walks at shorter delays are not shown; -v shows them")]


def _at(found: "Worth", path: tuple[int, ...], delay_s: float) -> str:
    """The step along a walk at a delay."""
    total = found.base_s
    for p, (phase, here) in enumerate(zip(found.iteration.phases, path, strict=True)):
        total += float(found.cost_s[p, here])
        total += max(0.0, delay_s - phase.idle_s) if path[p - 1] != here else 0.0
    return _time(total)


def _sizes(found: "Worth") -> "Table":
    from fabric.cli.tables import new_table
    from fabric.planning.worth import DELAYS_S
    from topologies.units import format_size

    table = new_table("bytes of a phase from which one switch into its best configuration pays, by the switch's delay")
    table.add_column("phase", overflow="fold")
    table.add_column("from > to", overflow="fold")
    for head in (*DELAYS_S, "has", "pays up to"):
        table.add_column(head, justify="right")
    for row in found.break_even:
        cells = ["any" if not size else format_size(size) for size in row["bytes"].values()]
        limit = _time(row["delay_ms"] / 1e3) if row["delay_ms"] > 0 else "never"
        table.add_row(
            row["phase"], f"{row['from']} > {row['to']}", *cells, format_size(row["size_bytes"]), limit,
        )  # fmt: skip
    return table


def _inside(found: "Worth") -> list[str]:
    return [
        f"inside {row['phase']}: recursive doubling with a switch before every step beats its ring of {row['ranks']:,} "
        f"ranks, at sizes that latency binds, below {_time(row['delay_us'] / 1e6)} a switch "
        f"(a message takes {_time(row['step_us'] / 1e6)})"
        for row in found.inside
    ]


def _job(job: Any) -> str:
    from topologies.units import format_number

    return (
        f"one switch for the whole job, {job['from']} to {job['to']}: a step of {_time(job['step_before_ms'] / 1e3)} "
        f"becomes {_time(job['step_after_ms'] / 1e3)}; it pays from {format_number(job['steps'])} steps on, "
        f"{_time(job['run_s'])} of run time"
    )


def _steps(found: "Worth") -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import new_table

    if "steps" not in found.delay:
        return []
    table = new_table(f"a switch of {found.delay['switch']}, {found.delay['moves']} circuits at once")
    table.add_column("step")
    table.add_column("time", justify="right")
    table.add_column("range", justify="right")
    table.add_column("source", overflow="fold")
    for row in found.delay["steps"]:
        span = f"{_time(row['low_ms'] / 1e3)} to {_time(row['high_ms'] / 1e3)}"
        guess = f"estimate: {row['estimate']}; " if row["estimate"] else ""
        mark = "~" if row["estimate"] else ""
        table.add_row(row["step"], f"{mark}{_time(row['ms'] / 1e3)}", span, f"{guess}{row['source']}")
    return [table, Text()]


def _devices(found: "Worth") -> "Table":
    from fabric.cli.tables import new_table

    table = new_table("the best step by device: optics alone, with command and relock, until links carry")
    table.add_column("circuit switch", no_wrap=True)
    for what in ("optics", "relock", "link up"):
        table.add_column(what, justify="right")
        table.add_column("step", justify="right")
        table.add_column("switches", justify="right")
    for row in found.devices:
        cells = [
            text
            for kind in ("optics", "relock", "link-up")
            for text in (_time(row[kind]["delay_ms"] / 1e3), _time(row[kind]["step_ms"] / 1e3),
                         str(row[kind]["switches"]))
        ]  # fmt: skip
        table.add_row(row["switch"], *cells)
    return table
