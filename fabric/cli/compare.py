"""aifabric compare: configurations side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import csv_option, load_parts, model_options, output_options, parts_option

if TYPE_CHECKING:
    from fabric.comparison import Comparison
    from fabric.questions import Answer
    from fabric.savings import Saving


@click.command("compare", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@click.option(
    "-c",
    "--collective",
    "collectives",
    multiple=True,
    help="May be repeated; all-reduce and all-to-all by default.",
)
@click.option("--rank-all", is_flag=True, help="Rank all rows of a collective together, per accelerator.")
@model_options
@csv_option
@parts_option
@output_options
def command(
    specs: tuple[str, ...],
    collectives: tuple[str, ...],
    rank_all: bool,
    size: str,
    algorithm: str,
    transport: str,
    routing: str,
    tie: str,
    overlap: str,
    fidelity: str,
    jobs: int,
    seed: int,
    as_csv: bool,
    parts_file: Path | None,
    as_json: bool,
    output: Path | None,
    color: bool | None,
    quiet: bool,
    verbose: bool,
    debug: bool,
) -> None:
    """Configurations side by side, in comparable sets, ranked within each.

    A set has the same accelerator, number of accelerators, collective, size and transport. Rank is by time; within
    half a per cent by network power, then by capex. Without a SPEC four standing questions are answered. A * marks the
    Pareto front in time, power and capex; a ~ what stands on an estimate.
    """
    from fabric.cli.output import emit_csv, emit_json, emit_tables
    from fabric.comparison import compare
    from fabric.questions import answers
    from fabric.results import provenance
    from fabric.simulation import check_fidelity

    check_fidelity(fidelity)
    parts = load_parts(parts_file)
    told: dict[str, Any] = {
        "specs": list(specs), "collectives": list(collectives), "size": size, "algorithm": algorithm,
        "transport": transport, "routing": routing, "tie": tie, "overlap": overlap, "fidelity": fidelity,
        "rank_all": rank_all,
    }  # fmt: skip
    found: list[Answer | Comparison] = []
    if specs:
        asked = collectives or ("all-reduce", "all-to-all")
        found.append(
            compare(
                specs, asked, size, algorithm=algorithm, routing=routing, transport=transport, overlap=overlap, tie=tie,
                rank_all=rank_all, parts=parts, threads=jobs,
            )
        )  # fmt: skip
    else:
        _refuse_options(collectives, algorithm, routing, transport, overlap, rank_all)
        found += answers(size, parts, jobs)
    if as_json:
        emit_json("compare", _document(found), provenance(told, parts.hash, seed), output)
    elif as_csv:
        emit_csv([row for document in (_document(found),) for row in document["rows"]], output)
    else:
        emit_tables(_render(found, quiet, color), output, color)


def _refuse_options(
    collectives: tuple[str, ...], algorithm: str, routing: str, transport: str, overlap: str, rank_all: bool
) -> None:
    """The standing questions choose these themselves; an option without effect is an error."""
    given = {
        "--collective": bool(collectives), "--algorithm": algorithm != "auto", "--routing": routing != "auto",
        "--transport": transport not in ("auto", "ideal"), "--overlap": overlap != "auto", "--rank-all": rank_all,
    }  # fmt: skip
    idle = [name for name, used in given.items() if used]
    if idle:
        raise click.UsageError(f"{idle[0]} has no effect on the standing questions; give it with a SPEC")


def _document(found: "list[Answer | Comparison]") -> dict[str, Any]:
    from dataclasses import asdict

    from fabric.questions import Answer

    rows, questions = [], []
    for one in found:
        compared = one.comparison if isinstance(one, Answer) else one
        question = one.id if isinstance(one, Answer) else None
        rows += [{**row.document(), **({"question": question} if question else {})} for row in compared.rows]
        if isinstance(one, Answer):
            questions.append({
                "id": one.id, "title": one.title, "note": one.note, "sentences": compared.sentences,
                "savings": [asdict(saving) for saving in one.savings],
            })  # fmt: skip
    if questions:
        return {"rows": rows, "questions": questions}
    assert not isinstance(found[0], Answer)
    return {"rows": rows, "sentences": found[0].sentences}


def _render(found: "list[Answer | Comparison]", quiet: bool, color: bool | None) -> list[Any]:
    from rich.text import Text

    from fabric.cli.output import console
    from fabric.cli.tables import rows_table
    from fabric.questions import Answer

    width = console(color).width
    shown: list[Any] = []
    for one in found:
        compared = one.comparison if isinstance(one, Answer) else one
        if isinstance(one, Answer):
            shown += [Text(f"({one.id}) {one.title}", style="bold"), Text(one.note, style="dim"), Text()]
        for name, rows in compared.sets.items():
            shown += [rows_table(name, rows, width), Text(compared.sentences[name]), Text()]
        if isinstance(one, Answer) and one.savings:
            shown += [*_savings(one.savings), Text()]
    if not quiet:
        shown.append(Text("* on the Pareto front of time, power and capex; ~ stands on an estimate (solve lists them); "
                          "transport ideal: raw rates, no library overhead.", style="dim"))  # fmt: skip
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
