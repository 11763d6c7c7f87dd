"""aifabric trace: a recorded step on a fabric, what sets its time and who waits.

A command of its own: `solve` answers for one collective and `workload` makes up a step from a model; here the step is
what a file says, the answer is a chain of operations, and no size or model is asked.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import (
    CONTEXT,
    Output,
    csv_option,
    is_given,
    load_parts,
    one_form,
    output_options,
    parts_option,
    quiet_option,
)

if TYPE_CHECKING:
    from fabric.tracing.answer import Trace

PATIENCE_S = 2.0  # before it is worth saying what goes on


@click.command("trace", context_settings=CONTEXT)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC... FILE", type=str)
@click.option("--perfetto", type=click.Path(path_type=Path), metavar="OUT.json", help="Timeline for ui.perfetto.dev.")
@click.option(
    "--perfetto-ranks", metavar="LIST",
    help="Its ranks (layers: stages), like 0-7,64; by default all, or of too many those of the critical path.",
)  # fmt: skip
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
@click.option("--placement", default="packed", show_default=True, metavar="HOW", help="Where ranks run, as in solve.")
@click.option(
    "--compute-scale", default="1", show_default=True, metavar="X|PART",
    help="Computation takes X times as long; or PART, on which FILE was recorded: the ratio of dense bf16 rates.",
)  # fmt: skip
@click.option("--vary", multiple=True, metavar="KEY=A,B,...", help="Each SPEC with each value; several make a grid.")
@click.option("--seed", type=int, default=0, help="Seed of what is random: hash, placement.")
@click.option("-j", "--jobs", type=click.IntRange(min=0), default=0, help="Threads; 0 takes all.")
@csv_option
@quiet_option
@parts_option
@output_options
def command(
    specs: tuple[str, ...],
    perfetto: Path | None,
    perfetto_ranks: str | None,
    explain: bool,
    csv: bool,
    quiet: bool,
    parts: Path | None,
    out: Output,
    **given: Any,
) -> None:
    """A recorded step on a fabric: makespan, exposed communication, the critical path, the slowest ranks.

    FILE is a Chakra trace (a folder, or a prefix of PREFIX.0.et, ...), a GOAL schedule (.goal), a workload of SimAI
    (.txt), or an MSCCL algorithm (.xml). Rank r runs on accelerator r, unless --placement says otherwise. Several SPECs
    stand side by side, the fastest first.
    """
    from fabric.cli.output import console, emit_csv, emit_json, emit_tables
    from fabric.cli.trace_tables import compared, rendered
    from fabric.results import provenance

    one_form(out, csv)
    if len(specs) < 2:
        raise click.UsageError(f"'{specs[0]}' alone is given; give SPEC and FILE, e.g. rail:servers=4 step.goal")
    catalogue = load_parts(parts)
    *fabrics, file = specs
    _check(fabrics, perfetto, perfetto_ranks, explain, given)
    several = len(fabrics) > 1 or bool(given["vary"])
    found = _traced(fabrics, Path(file), given, catalogue, _silent if quiet else _told_late())
    if found[0].format != "msccl" and is_given("size"):
        raise click.UsageError(f"--size has no effect: {found[0].format} files hold their own bytes; leave it out")
    if perfetto is not None:
        _write_timeline(found[0], perfetto, perfetto_ranks)
    told = {"spec" if not several else "specs": fabrics if several else fabrics[0], "file": file}
    told |= {name: given[name] for name in _TOLD if name != "vary" or given[name]}
    rows = [one.row() for one in found]
    if out.json:
        document = {"rows": rows} if several else found[0].document(explain)
        emit_json("trace", document, provenance(told, catalogue.hash, given["seed"]), out)
    elif csv:
        emit_csv(rows, out)
    else:
        width = console(out.color).width
        emit_tables(compared(found, width, quiet) if several else rendered(found[0], explain, quiet), out)


_TOLD = ("size", "fidelity", "algorithm", "transport", "routing", "placement", "compute_scale", "vary")


def _silent(words: str) -> None:
    """Say nothing."""


def _told_late() -> Callable[[str], None]:
    """What goes on, on a terminal's stderr, once it takes a while."""
    from time import monotonic

    begun = monotonic()

    def tell(words: str) -> None:
        if monotonic() - begun > PATIENCE_S:
            click.echo(words, err=True)

    return tell if sys.stderr.isatty() else _silent


def _check(
    fabrics: list[str], perfetto: Path | None, ranks: str | None, explain: bool, given: dict[str, Any]
) -> None:  # fmt: skip
    """Refuse what no fabric could answer, as wrong usage and in the words of the library."""
    from fabric.choices import check_choices
    from fabric.cli.output import check_file
    from fabric.tracing import FIDELITIES
    from topologies.errors import ConfigError, unknown

    several = len(fabrics) > 1 or bool(given["vary"])
    if several and (perfetto is not None or explain):
        raise click.UsageError("--perfetto and --explain are of one fabric; give one SPEC")
    if ranks is not None and perfetto is None:
        raise click.UsageError("--perfetto-ranks has no effect without --perfetto; give --perfetto OUT.json")
    if perfetto is not None:
        check_file(perfetto)
    try:
        if given["fidelity"] not in FIDELITIES:
            raise ConfigError(unknown("fidelity of a trace", given["fidelity"], FIDELITIES))
        check_choices(**{name: given[name] for name in ("size", "algorithm", "transport", "routing")})
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


def _traced(
    fabrics: list[str], file: Path, given: dict[str, Any], catalogue: Any, progress: Callable[[str], None]
) -> "list[Trace]":
    """The answer of every fabric, the fastest first."""
    from fabric.tracing import traces
    from fabric.varying import varied_specs
    from topologies.errors import ConfigError

    try:
        specs = [one.spec for one in varied_specs(fabrics, given["vary"])] if given["vary"] else fabrics
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    found = traces(
        specs, file, given["size"], fidelity=given["fidelity"], algorithm=given["algorithm"],
        routing=given["routing"], transport=given["transport"], placement=given["placement"],
        compute_scale=given["compute_scale"], seed=given["seed"], parts=catalogue, threads=given["jobs"],
        progress=progress,
    )  # fmt: skip
    return sorted(found, key=lambda one: one.makespan_s)


def _write_timeline(found: "Trace", path: Path, ranks: str | None) -> None:
    from fabric.cli.output import write_whole
    from topologies.units import format_time_us

    part, every = found.shown(ranks), len(found.timeline.labels)
    write_whole(found.perfetto(ranks), path)
    some = ""
    if len(part.rows) < every:
        why = "" if ranks is not None else ", those of the critical path and then the slowest"
        some = f" of {len(part.rows):,} of {every:,} ranks{why};"
    if part.until_s < found.makespan_s:
        some += f" up to {format_time_us(part.until_s * 1e6)} of {format_time_us(found.makespan_s * 1e6)};"
    click.echo(f"timeline{some} written into {path}; open it at ui.perfetto.dev", err=True)
