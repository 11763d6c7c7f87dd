"""aifabric workload: a training step, or a model that serves, on fabrics side by side."""

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
from fabric.cli.workload_options import SERVING, asked_workload, flag, told_workload, workload_options

if TYPE_CHECKING:
    from topologies.parts import Catalogue


@click.command("workload", context_settings=CONTEXT)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC... MODEL")
@workload_options
@click.option(
    "--vary", multiple=True, metavar="KEY=A,B,...",
    help="Each SPEC with each value of a parameter, or domain=8,72,144,576: scale-up domains of these sizes.",
)  # fmt: skip
@click.option("--explain", is_flag=True, help="Time by part, memory, walls, what binds, what it stands on.")
@csv_option
@quiet_option
@parts_option
@output_options
def command(
    specs: tuple[str, ...],
    vary: tuple[str, ...],
    explain: bool,
    csv: bool,
    quiet: bool,
    parts: Path | None,
    out: Output,
    **given: Any,
) -> None:
    """A step of training of MODEL on each SPEC, or MODEL served there: time by part, tokens a second and a joule.

    With auto the layout is the fastest of all that are feasible, memory checked first: exact over the space that the
    answer states. Rows are ranked by tokens a second and accelerator. MODEL is a name (`aifabric models`), a TOML file
    of shapes, or a config.json; or dlrm, a recommender, whose tables lie on all accelerators.
    """
    from fabric.cli.output import console, emit_csv, emit_json, emit_tables
    from fabric.cli.workload_tables import rendered
    from fabric.results import provenance
    from fabric.workloads.comparing import check_vary, places, workload
    from fabric.workloads.models.zoo import model as named
    from fabric.workloads.recommender import is_recommender
    from fabric.workloads.rows import row_of
    from topologies.errors import ConfigError

    one_form(out, csv)
    if out.output is not None and out.output.name.isdigit():
        raise click.UsageError(f"--output {out.output} names a file; tokens of an answer are --output-tokens")
    if len(specs) < 2:
        raise click.UsageError(f"'{specs[0]}' alone is given; give SPEC and MODEL, e.g. nvl72-x8 llama-3.1-405b")
    catalogue = load_parts(parts)
    *fabrics, name = specs
    if is_recommender(name):
        _recommended(fabrics, name, catalogue, given, (explain, csv, quiet, bool(vary)), out)
        return
    _last(specs)
    asked = asked_workload(given)
    try:
        check_vary(fabrics, vary)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    shape = named(name)
    answers = workload(
        fabrics, shape, asked, layout=given["layout"], vary=vary, transport=given["transport"],
        routing=given["routing"], parts=catalogue,
    )  # fmt: skip
    rows = [row_of(answer, rank) for answer, rank in zip(answers, places(answers), strict=True)]
    told = {"specs": fabrics, "model": name, **told_workload(asked, given, vary=list(vary))}
    if out.json:
        emit_json("workload", {"rows": rows}, provenance(told, catalogue.hash), out)
    elif csv:
        emit_csv(_flat(rows), out)
    else:
        emit_tables(rendered(answers, shape, asked, console(out.color).width, explain=explain, quiet=quiet), out)


_NOT_OF_A_RECOMMENDER = ("layout", "micro_batch", "sequence", "recompute", "zero", *SERVING)


def _recommended(
    fabrics: list[str], name: str, catalogue: "Catalogue", given: dict[str, Any], form: tuple[bool, ...], out: Output
) -> None:
    """A recommender's step on each fabric, the fastest first; the error of a single one is raised."""
    from fabric.choices import check_choices
    from fabric.cli.output import console, emit_csv, emit_json, emit_tables
    from fabric.cli.recommender_tables import rendered_steps
    from fabric.results import provenance
    from fabric.workloads.recommending import on_each

    explain, csv, quiet, varied = form
    stray = next((flag(key) for key in _NOT_OF_A_RECOMMENDER if is_given(key)), "--vary" if varied else None)
    if stray is not None or given["mode"] not in (None, "train"):
        what = f"{stray or '--mode ' + given['mode']} is not of {name}, whose tables lie on all ranks"
        raise click.UsageError(f"{what}; give --batch, --precision, --transport or --routing")
    check_choices(transport=given["transport"], routing=given["routing"])
    how = {key: given[key] for key in ("batch", "transport", "routing")} | {"precision": given["precision"] or "bf16"}
    steps, lost = on_each(fabrics, name, parts=catalogue, **how)
    rows = [step.document() for step in steps] + [{"topology": spec, "why": why} for spec, why in lost]
    if out.json:
        emit_json("workload", {"rows": rows}, provenance({"specs": fabrics, "model": name, **how}, catalogue.hash), out)
    elif csv:
        emit_csv(_flat(rows), out)
    else:
        emit_tables(rendered_steps(steps, lost, console(out.color).width, explain=explain, quiet=quiet), out)


def _last(specs: tuple[str, ...]) -> None:
    """UsageError where a model stands where a fabric should."""
    from fabric.workloads.models.zoo import is_model
    from fabric.workloads.recommender import is_recommender

    early = next((name for name in specs[:-1] if is_model(name) or is_recommender(name)), None)
    if early is not None and not is_model(specs[-1]) and not is_recommender(specs[-1]):
        raise click.UsageError(f"'{early}' is a model; it comes last, after every SPEC")


def _flat(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every row with the columns of all."""
    columns = dict.fromkeys(key for row in rows for key in row)
    return [{key: row.get(key) for key in columns} for row in rows]
