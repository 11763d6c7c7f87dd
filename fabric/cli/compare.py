"""aifabric compare: configurations side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import (
    CONTEXT,
    Members,
    Model,
    Output,
    check_members,
    check_usage,
    csv_option,
    load_parts,
    member_options,
    model_options,
    one_form,
    output_options,
    parts_option,
    quiet_option,
    verbose_option,
)

if TYPE_CHECKING:
    from fabric.comparison import Comparison
    from fabric.questions import Answer
    from fabric.savings import Saving


@click.command("compare", context_settings=CONTEXT)
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@click.option(
    "-c",
    "--collective",
    multiple=True,
    help="May be repeated; all-reduce and all-to-all by default.",
)
@click.option("--rank-all", is_flag=True, help="Rank all rows of a collective together, per accelerator.")
@click.option("--vary", multiple=True, metavar="KEY=A,B,...", help="Each SPEC with each value; several make a grid.")
@member_options
@model_options
@csv_option
@parts_option
@quiet_option
@verbose_option("List what each fabric stands on: estimates, defaults, what has no figure.")
@output_options
def command(
    specs: tuple[str, ...],
    collective: tuple[str, ...],
    rank_all: bool,
    vary: tuple[str, ...],
    members: Members,
    model: Model,
    csv: bool,
    parts: Path | None,
    quiet: bool,
    verbose: bool,
    out: Output,
) -> int:
    """Configurations side by side, in comparable sets, ranked within each.

    A set has the same accelerator, number of accelerators, groups, collective, size and transport, and counts the same
    layers in watts and dollars. Rank is by time; within half a per cent by network power, then by capex. Without a SPEC
    four standing questions are answered. A * marks the Pareto front in time and in power and capex where they are
    known; a ~ what stands on an estimate. With --vary technology=dac,aec,cpo each SPEC stands there in each value, with
    what it is built of. Exit code 4 where nothing has an answer.
    """
    from fabric.cli.output import emit_csv, emit_json, emit_tables
    from fabric.comparison import compare
    from fabric.questions import answers
    from fabric.results import provenance

    one_form(out, csv)
    catalogue = load_parts(parts)
    check_usage(model, collective, catalogue)
    check_members(members)
    _check_vary(specs, vary)
    told: dict[str, Any] = {"specs": list(specs), "collectives": list(collective), "rank_all": rank_all}
    told |= {"vary": list(vary)} if vary else {}
    told |= {**members.told(), **model.told()}
    found: list[Answer | Comparison] = []
    if specs:
        found.append(
            compare(
                specs, collective or ("all-reduce", "all-to-all"), model.size, algorithm=model.algorithm,
                transport=model.transport, tune=model.tune, fidelity=model.fidelity, rank_all=rank_all, vary=vary,
                parts=catalogue, **model.choice(), **members.told(),
            )
        )  # fmt: skip
    else:
        _refuse_options(collective, rank_all, vary, members, model)
        found += answers(model.size, catalogue, model.jobs)
    if out.json:
        emit_json("compare", _document(found), provenance(told, catalogue.hash, model.seed), out)
    elif csv:
        emit_csv(_document(found)["rows"], out)
        for row in _document(found)["infeasible"]:
            click.echo(f"infeasible: {row['topology']}, {row['collective']}: {row['error']}", err=True)
    else:
        emit_tables(_render(found, out, quiet, verbose), out)
    return 0 if _document(found)["rows"] else 4


def _check_vary(specs: tuple[str, ...], vary: tuple[str, ...]) -> None:
    """What cannot be varied is wrong usage; a spec that names nothing is not."""
    from fabric.varying import varied_specs
    from topologies.errors import ConfigError
    from topologies.registry import is_file, named

    for spec in specs if vary else ():
        if not is_file(spec):
            named(spec)
    try:
        if specs and vary:
            varied_specs(specs, vary)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


def _refuse_options(
    collective: tuple[str, ...], rank_all: bool, vary: tuple[str, ...], members: Members, model: Model
) -> None:
    """The standing questions choose these themselves; an option without effect is an error."""
    given = {
        "--collective": bool(collective),
        "--rank-all": rank_all,
        "--vary": bool(vary),
        "--algorithm": model.algorithm != "auto",
        "--routing": model.routing != "auto",
        "--transport": model.transport != "auto",
        "--tune": model.tune != "library",
        "--overlap": model.overlap != "auto",
        "--tie": model.tie != "split",
        "--flows-per-pair": model.flows_per_pair != 1,
        "--hedge": model.hedge != 0,
        "--fidelity": model.fidelity != "steady",
        "--ranks": members.ranks is not None,
        "--group": members.group is not None,
        "--over": members.over is not None,
        "--placement": members.placement != "packed",
    }
    idle = [name for name, used in given.items() if used]
    if idle:
        raise click.UsageError(f"{idle[0]} has no effect on the standing questions; give it with a SPEC")


def _document(found: "list[Answer | Comparison]") -> dict[str, Any]:
    from dataclasses import asdict

    from fabric.questions import Answer

    rows, questions, infeasible = [], [], []
    for one in found:
        compared = one.comparison if isinstance(one, Answer) else one
        question = one.id if isinstance(one, Answer) else None
        rows += [{**row.document(), **({"question": question} if question else {})} for row in compared.rows]
        infeasible += [asdict(row) for row in compared.infeasible]
        if isinstance(one, Answer):
            questions.append({
                "id": one.id, "title": one.title, "note": one.note, "sentences": compared.sentences,
                "pareto_measures": compared.measures,
                "savings": [asdict(saving) for saving in one.savings],
            })  # fmt: skip
    if questions:
        return {"rows": rows, "infeasible": infeasible, "questions": questions}
    assert not isinstance(found[0], Answer)
    sentences, measures = found[0].sentences, found[0].measures
    varied = {"variants": [row.row() for row in found[0].variants]} if found[0].variants else {}
    return {"rows": rows, "infeasible": infeasible, "sentences": sentences, "pareto_measures": measures, **varied}


def _render(found: "list[Answer | Comparison]", out: Output, quiet: bool, verbose: bool) -> list[Any]:
    from rich.text import Text

    from fabric.cli.output import console
    from fabric.cli.tables import rows_table, warning
    from fabric.cli.variant_tables import variants_shown
    from fabric.questions import Answer

    width = console(out.color).width
    shown: list[Any] = []
    for one in found:
        compared = one.comparison if isinstance(one, Answer) else one
        if isinstance(one, Answer):
            shown += [Text(f"({one.id}) {one.title}", style="bold"), Text(one.note, style="dim"), Text()]
        shown += variants_shown(compared.variants, width)
        for name, rows in compared.sets.items():
            shown += rows_table(name, rows, width)
            shown += [warning(f"not ranked: {r.result.topology} is {r.unranked}") for r in rows if r.unranked]
            shown.append(Text(compared.sentences[name]))
            if name in compared.measures and not quiet:
                shown.append(Text(f"* on the Pareto front of {compared.measures[name]}.", style="dim"))
            shown.append(Text())
        shown += [warning(f"infeasible: {r.topology}, {r.collective}: {r.error}") for r in compared.infeasible]
        shown += [Text()] if compared.infeasible else []
        if isinstance(one, Answer) and one.savings:
            shown += [*_savings(one.savings), Text()]
    if verbose:
        shown += [*_standing(found), Text()]
    if not quiet:
        shown.append(Text(_legend(found), style="dim"))
    return shown


def _legend(found: "list[Answer | Comparison]") -> str:
    """What `~` means, and, where a row has them, that raw rates are raw."""
    from fabric.questions import Answer

    rows = [row for one in found for row in (one.comparison if isinstance(one, Answer) else one).rows]
    raw = any(row.result.transport == "ideal" for row in rows)
    return "~ stands on an estimate (-v lists them)" + "; ideal transport: raw rates, no library overhead" * raw + "."


def _standing(found: "list[Answer | Comparison]") -> list[Any]:
    """Every fabric once, with what it stands on beside published figures."""
    from rich.text import Text

    from fabric.questions import Answer

    compared = (one.comparison if isinstance(one, Answer) else one for one in found)
    results = {row.result.topology: row.result for comparison in compared for row in comparison.rows}
    shown: list[Any] = []
    for name, result in results.items():
        shown += [Text(line, style="dim") for line in (f"{name} stands on", *(f"  {e}" for e in result.estimates))]
    return shown


def _savings(savings: "tuple[Saving, ...]") -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import new_table

    def percent(share: float | None) -> str:
        return "-" if share is None else f"{-100 * share:+.0f} %"

    table = new_table("without a spine against with one, by what is counted")
    for name in (
        "counted",
        "power",
        "capex",
        "power, equal\nthroughput",
        "capex, equal\nthroughput",
        "within 8 points\nof published",
    ):
        table.add_column(name, justify="left" if name == "counted" else "right")
    for row in savings:
        even = percent(row.power_equal_throughput), percent(row.capex_equal_throughput)
        table.add_row(row.boundary, percent(row.power), percent(row.capex), *even, ", ".join(row.matches) or "none")
    note = (
        "Equal throughput: 40 % of the traffic crosses a transit block, 1.4 uplinks a byte, so 1.4 times the uplinks."
    )
    return [table, Text(note, style="dim")]
