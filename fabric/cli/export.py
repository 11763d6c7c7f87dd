"""aifabric export: a fabric, or one of its schedules, in a foreign format."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fabric.cli.options import CONTEXT, Output, load_parts, output_options, parts_option, quiet_option

if TYPE_CHECKING:
    from topologies.formats.writing import Exported
    from topologies.graph import Topology

FORMATS = "native, node-link, graphml, astra-sim, astra-sim-logical, simgrid, nccl, dot"
SCHEDULES = ("msccl", "goal")


@click.command("export", context_settings=CONTEXT)
@click.argument("spec")
@click.option("-f", "--format", "form", help=f"{FORMATS}; by default what the ending says; {', '.join(SCHEDULES)}.")
@click.option("-c", "--collective", help="Schedules: all-reduce (default), or another; msccl: no send-recv.")
@click.option("--algorithm", help="Schedules: ring (default), or any that `solve` takes; auto in goal.")
@click.option("-s", "--size", help="goal: 1GiB (default), or another size of the collective.")
@parts_option
@quiet_option
@output_options
def command(
    spec: str,
    form: str | None,
    collective: str | None,
    algorithm: str | None,
    size: str | None,
    parts: Path | None,
    quiet: bool,
    out: Output,
) -> None:
    """A fabric in a foreign format, to a file or to stdout; what the format does not say is noted on stderr. With
    --format msccl or goal, a schedule of ours on that fabric: GOAL is what LogGOPSim and `aifabric trace` run.

    --json tells about the file that -o names: the format, its size, the notes.
    """
    from dataclasses import replace

    from fabric.cli.output import emit, emit_json
    from fabric.results import provenance
    from topologies.errors import unknown
    from topologies.formats.writing import WRITERS, export
    from topologies.registry import build

    chosen = form or _by_ending(out)
    if chosen not in (*WRITERS, *SCHEDULES):
        raise click.UsageError(unknown("format", chosen, [*WRITERS, *SCHEDULES]))
    if chosen not in SCHEDULES and (collective or algorithm):
        whose = " or ".join(SCHEDULES)
        raise click.UsageError(f"--collective and --algorithm belong to --format {whose}, not to {chosen}")
    if chosen != "goal" and size:
        raise click.UsageError(f"--size belongs to --format goal, not to {chosen}")
    if out.json and out.output is None:
        raise click.UsageError("--json tells about a file; give -o FILE")
    catalogue = load_parts(parts)
    topology = build(spec, catalogue)
    told = {"spec": spec, "format": chosen}
    if chosen in SCHEDULES:
        told |= {"collective": collective or "all-reduce", "algorithm": algorithm or "ring"}
        told |= {"size": size or "1GiB"} if chosen == "goal" else {}
        made = _schedule(topology, **told)
    else:
        made = export(topology, chosen)
    emit(made.text, out)
    if out.json:
        document = {
            "format": chosen,
            "file": str(out.output),
            "bytes": len(made.text.encode()),
            "notes": list(made.notes),
        }
        shown = replace(out, output=None)  # the file holds the fabric
        emit_json("export", document, provenance(told, catalogue.hash), shown)
    elif not quiet:
        for note in made.notes:
            click.echo(f"note: {note}", err=True)


def _schedule(topology: "Topology", *, collective: str, algorithm: str, size: str = "", **told: str) -> "Exported":
    from fabric.schedules.goal_writing import goal_text
    from fabric.schedules.msccl_writing import msccl_text

    return goal_text(topology, collective, algorithm, size) if size else msccl_text(topology, collective, algorithm)


def _by_ending(out: Output) -> str:
    """The format that alone has the ending of the file."""
    from topologies.formats.writing import WRITERS

    ending = "" if out.output is None else out.output.suffix.lower()
    endings = {name: own for name, (_, own, _) in WRITERS.items()} | {"goal": ".goal"}
    found = [name for name, own in endings.items() if own == ending]
    if len(found) == 1:
        return found[0]
    between = f"{out.output} may be {', '.join(found)}" if found else "no file says which"
    raise click.UsageError(f"{between}; give --format: {FORMATS}")
