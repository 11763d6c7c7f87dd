"""aifabric trace: a recorded step on a fabric, what sets its time and who waits.

A command of its own: `solve` answers for one collective and `workload` makes up a step from a model; here the step is
what a file says, the answer is a chain of operations, and no size or model is asked.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import (
    CONTEXT,
    Output,
    is_given,
    load_parts,
    one_form,
    output_options,
    parts_option,
    quiet_option,
)

if TYPE_CHECKING:
    from rich.table import Table

    from fabric.tracing.answer import Trace

PATIENCE_S = 2.0  # before it is worth saying what goes on
SHOWN_RANKS, SHOWN_SEGMENTS, EXPLAINED_SEGMENTS = 5, 5, 30


@click.command("trace", context_settings=CONTEXT)
@click.argument("spec")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--perfetto", type=click.Path(path_type=Path), metavar="OUT.json", help="Timeline for ui.perfetto.dev.")
@click.option("--explain", is_flag=True, help="What would help, the whole critical path, the price of each collective.")
@click.option(
    "--fidelity",
    default="auto",
    show_default=True,
    help="steady (a message alone on its path, collectives at the transport's prices) or fluid (all share links); "
    "auto: fluid for messages, steady for layers (SimAI).",
)
@click.option("-s", "--size", default="1GiB", show_default=True, help="MSCCL: size of the file's collective.")
@click.option("--algorithm", default="auto", show_default=True, help="Of the collectives that FILE names, as in solve.")
@click.option("--transport", default="auto", show_default=True, help="Of those, under steady, as in solve.")
@click.option("--routing", default="auto", show_default=True, help="As in solve.")
@click.option(
    "--placement", default="packed", show_default=True, metavar="HOW", help="Layers: where ranks run, as in solve."
)
@click.option("--seed", type=int, default=0, help="Seed of what is random: hash, placement.")
@click.option("-j", "--jobs", type=click.IntRange(min=0), default=0, help="Threads; 0 takes all.")
@quiet_option
@parts_option
@output_options
def command(
    spec: str,
    file: Path,
    perfetto: Path | None,
    explain: bool,
    fidelity: str,
    size: str,
    algorithm: str,
    transport: str,
    routing: str,
    placement: str,
    seed: int,
    jobs: int,
    quiet: bool,
    parts: Path | None,
    out: Output,
) -> None:
    """A recorded step on a fabric: makespan, exposed communication, the critical path, the slowest ranks.

    FILE is a Chakra trace (a folder, or a prefix of PREFIX.0.et, ...), a GOAL schedule (.goal), a workload of SimAI
    (.txt), or an MSCCL algorithm (.xml). Rank r runs on accelerator r.
    """
    from fabric.cli.output import emit_json, emit_tables, write_whole
    from fabric.results import provenance
    from fabric.tracing import trace
    from topologies.registry import build

    one_form(out)
    _check(fidelity, algorithm, transport, routing, size)
    catalogue = load_parts(parts)
    found = trace(
        build(spec, catalogue), file, size, fidelity=fidelity, algorithm=algorithm, routing=routing,
        transport=transport, placement=placement, seed=seed, parts=catalogue, threads=jobs,
        progress=_silent if quiet else _told_late(),
    )  # fmt: skip
    if found.format != "msccl" and is_given("size"):
        raise click.UsageError(f"--size has no effect: {found.format} files hold their own bytes; leave it out")
    if perfetto is not None:
        write_whole(found.perfetto(), perfetto)
        click.echo(f"timeline written into {perfetto}; open it at ui.perfetto.dev", err=True)
    if out.json:
        told = {
            "spec": spec, "file": str(file), "size": size, "fidelity": fidelity, "algorithm": algorithm,
            "transport": transport, "routing": routing, "placement": placement,
        }  # fmt: skip
        emit_json("trace", found.document(explain), provenance(told, catalogue.hash, seed), out)
    else:
        emit_tables(_render(found, explain, quiet), out)


def _silent(words: str) -> None:
    """Say nothing."""


def _told_late() -> Callable[[str], None]:
    """What goes on, on stderr, once it takes a while."""
    from time import monotonic

    begun = monotonic()

    def tell(words: str) -> None:
        if monotonic() - begun > PATIENCE_S:
            click.echo(words, err=True)

    return tell


def _check(fidelity: str, algorithm: str, transport: str, routing: str, size: str) -> None:
    """Refuse what no fabric could answer, as wrong usage and in the words of the library."""
    from fabric.choices import check_choices
    from fabric.tracing import FIDELITIES
    from topologies.errors import ConfigError, unknown

    try:
        if fidelity not in FIDELITIES:
            raise ConfigError(unknown("fidelity of a trace", fidelity, FIDELITIES))
        check_choices(size=size, algorithm=algorithm, transport=transport, routing=routing)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


def _render(found: "Trace", explain: bool, quiet: bool) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import facts_table

    shown: list[Any] = [facts_table(_facts(found)), Text(), _exposed(found), Text(), _path(found)]
    shown += [Text(), _segments(found, EXPLAINED_SEGMENTS if explain else SHOWN_SEGMENTS, explain)]
    shown += [Text(), _slowest(found)]
    if explain:
        shown += [Text(), _prices(found)] if found.prices else []
        shown += [Text(), *(Text(line) for line in found.help())]
    if found.notes and not quiet:
        shown += [Text(), Text("stands on estimates and defaults (~):", style="dim")]
        shown += [Text(f"  {line}", style="dim") for line in found.notes]
    return shown


def _time(seconds: float) -> str:
    from topologies.units import format_time_us

    return format_time_us(seconds * 1e6) if seconds > 0 else "0"


def _share(seconds: float, whole: float) -> str:
    return f"{seconds / whole:.1%}"


def _facts(found: "Trace") -> list[tuple[str, Any]]:
    whole, mean = found.makespan_s, found.mean
    exposed = mean(found.times.exposed.sum(axis=1))
    hidden = mean(found.times.communication) - exposed
    end = found.bottleneck
    busiest = "-" if end is None else f"{end['medium']} {end['from']} > {end['to']}, busy {end['utilisation']:.1%}"
    return [
        ("topology", found.topology),
        ("trace", f"{found.file}, {found.format}"),
        ("ranks", f"{found.ranks:,} of {found.accelerators:,} accelerators, {found.operations:,} operations"),
        ("fidelity", f"{found.fidelity}; routing {found.routing}, transport {found.transport}"),
        ("makespan", _time(whole)),
        ("computation", f"{_time(mean(found.times.compute))}, {_share(mean(found.times.compute), whole)}"),
        ("exposed communication", f"{_time(exposed)}, {_share(exposed, whole)}"),
        ("hidden communication", _time(max(0.0, hidden) if hidden > 1e-9 * whole else 0.0)),
        ("idle", f"{_time(mean(found.times.idle))}, {_share(mean(found.times.idle), whole)}"),
        ("busiest link", busiest),
    ]


def _exposed(found: "Trace") -> "Table":
    from fabric.cli.tables import new_table

    table = new_table("communication that no computation hides")
    for head in ("kind", "on average", "of the time", "at most"):
        table.add_column(head, justify="left" if head == "kind" else "right", overflow="fold")
    for kind, (mean, most) in sorted(found.exposed.items(), key=lambda item: -item[1][0]):
        table.add_row(kind, _time(mean), _share(mean, found.makespan_s), _time(most))
    return table


def _path(found: "Trace") -> "Table":
    from fabric.cli.tables import new_table

    table = new_table("critical path: what it is made of")
    for head in ("part", "time", "of the makespan"):
        table.add_column(head, justify="left" if head == "part" else "right")
    for part, seconds in found.critical_parts.items():
        table.add_row(part, _time(seconds), _share(seconds, found.makespan_s))
    return table


def _segments(found: "Trace", most: int, in_order: bool) -> "Table":
    """The longest operations of the critical path; in their order, where they are explained."""
    from fabric.cli.tables import new_table

    segments = found.segments()
    longest = sorted(segments, key=lambda segment: segment["start_us"] - segment["end_us"])[:most]
    if in_order:
        longest.sort(key=lambda segment: float(segment["start_us"]))
    told = "" if len(segments) <= most else f", the {len(longest)} longest of {len(segments):,} operations"
    table = new_table(f"critical path{told}")
    for head in ("rank", "operation", "kind", "from", "takes"):
        table.add_column(head, justify="right" if head in ("from", "takes") else "left", overflow="fold")
    for row in longest:
        name = row["name"] + ("" if row["to"] is None else f" to {row['to']}")
        took = (row["end_us"] - row["start_us"]) * 1e-6
        table.add_row(row["rank"], name, row["kind"], _time(row["start_us"] * 1e-6), _time(took))
    return table


def _slowest(found: "Trace") -> "Table":
    from fabric.cli.tables import new_table

    rows, times = found.slowest.tolist(), found.times
    table = new_table("slowest ranks" + ("" if len(rows) <= SHOWN_RANKS else f", {SHOWN_RANKS} of {len(rows):,}"))
    for head in ("rank", "acc.", "ends", "computes", "exposed", "idle"):
        table.add_column(head, justify="left" if head == "rank" else "right")
    for row in rows[:SHOWN_RANKS]:
        columns = (times.end, times.compute, times.exposed.sum(axis=1), times.idle)
        cells = (_time(float(column[row])) for column in columns)
        table.add_row(found.timeline.labels[row], f"{found.timeline.counts[row]:,}", *cells)
    return table


def _prices(found: "Trace") -> "Table":
    from fabric.cli.tables import new_table
    from fabric.crossovers import named
    from topologies.units import format_size

    table = new_table("collectives of a rank, each in all groups at once")
    for head in ("groups", "collective", "size", "times", "each", "algorithm"):
        table.add_column(head, justify="right" if head in ("size", "times", "each") else "left", overflow="fold")
    for price in sorted(found.prices, key=lambda price: -price.times * price.outcome.time_s):
        own, outcome = price.exchanged, price.outcome
        groups = f"{own.group} {price.groups:,} x {price.ranks:,}"
        how = named(outcome.algorithm, outcome.protocol) + ("" if price.fidelity == found.fidelity else " (steady)")
        table.add_row(
            groups, own.collective, format_size(own.bytes), f"{price.times:,}", _time(outcome.time_s), how
        )  # fmt: skip
    return table
