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

if TYPE_CHECKING:
    from fabric.workloads.comparing import Answer

SERVING = (
    "input_tokens", "output_tokens", "concurrency", "stack", "floor", "overlap", "chunk_tokens", "prefill_replicas",
)  # fmt: skip
TRAINING = ("batch", "micro_batch", "sequence", "recompute", "zero", "routing")


@click.command("workload", context_settings=CONTEXT)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC... MODEL")
@click.option(
    "--parallel", "layout", default="auto", show_default=True, metavar="LAYOUT",
    help="tp=8,pp=8,cp=2,v=4,... (serving: tp, pp, ep, dp of a replica); auto, or auto,tp=8, takes the best.",
)  # fmt: skip
@click.option("--mode", help="train or serve; serve where one of its options is given.")
@click.option("--precision", help="Of matrix products (bf16), or serving of weights (fp8).")
@click.option("--batch", type=click.IntRange(min=1), help="Train: sequences of a step; one an accelerator by default.")
@click.option("--micro-batch", type=click.IntRange(min=1), help="Train: sequences of a micro-batch.")
@click.option("--sequence", type=click.IntRange(min=1), help="Train: tokens of a sequence; the model's own by default.")
@click.option("--recompute", help="Train: none, selective or full.")
@click.option("--zero", type=click.IntRange(0, 3), help="Train: ZeRO stage.")
@click.option("--routing", default="auto", show_default=True, help="Train: as in solve.")
@click.option("--input", "input_tokens", type=float, default=1024, show_default=True, help="Serve: tokens of a prompt.")
@click.option("--output-tokens", type=float, default=1024, show_default=True, help="Serve: tokens of an answer.")
@click.option("--concurrency", type=float, help="Serve: requests at a time on the fabric; the best by default.")
@click.option("--stack", help="Serve: vllm, sglang, trt-llm, ...; unknown by default, with a wider interval.")
@click.option("--min-tokens-per-user", "floor", type=float, help="Serve: tokens/s that each user gets at least.")
@click.option("--overlap", type=click.IntRange(1, 2), default=1, show_default=True, help="Serve: 2 overlaps halves.")
@click.option("--chunk", "chunk_tokens", type=float, help="Serve: prefill in chunks of so many tokens.")
@click.option(
    "--prefill-replicas", type=click.IntRange(min=0), default=0, show_default=True, help="Serve: replicas that prefill."
)
@click.option(
    "--vary", multiple=True, metavar="KEY=A,B,...",
    help="Each SPEC with each value of a parameter, or domain=8,72,144,576: scale-up domains of these sizes.",
)  # fmt: skip
@click.option("--transport", default="auto", show_default=True, help="auto, ideal, or a library, as in solve.")
@click.option("--explain", is_flag=True, help="Time by part, memory, walls, what binds, what it stands on.")
@csv_option
@quiet_option
@parts_option
@output_options
def command(
    specs: tuple[str, ...],
    layout: str,
    mode: str | None,
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
    of shapes, or a config.json.
    """
    from fabric.cli.output import console, emit_csv, emit_json, emit_tables
    from fabric.cli.workload_tables import rendered
    from fabric.results import provenance
    from fabric.workloads.comparing import check_vary, workload
    from fabric.workloads.rows import row_of
    from fabric.workloads.zoo import model as named
    from topologies.errors import ConfigError

    one_form(out, csv)
    if out.output is not None and out.output.name.isdigit():
        raise click.UsageError(f"--output {out.output} names a file; tokens of an answer are --output-tokens")
    if len(specs) < 2:
        raise click.UsageError(f"'{specs[0]}' alone is given; give SPEC and MODEL, e.g. nvl72-x8 llama-3.1-405b")
    catalogue = load_parts(parts)
    *fabrics, name = specs
    served = _serves(mode)
    try:
        asked = _load(layout, given) if served else _question(layout, given)
        check_vary(fabrics, vary)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    shape = named(name)
    answers = workload(
        fabrics, shape, asked, layout=layout, vary=vary, transport=given["transport"], routing=given["routing"],
        parts=catalogue,
    )  # fmt: skip
    rows = [row_of(answer, rank) for rank, answer in _ranked(answers)]
    told = {"specs": fabrics, "model": name, "mode": "serve" if served else "train", "parallel": layout,
            "vary": list(vary)}  # fmt: skip
    if out.json:
        emit_json("workload", {"rows": rows}, provenance({**told, **given}, catalogue.hash), out)
    elif csv:
        emit_csv(_flat(rows), out)
    else:
        emit_tables(rendered(answers, shape, console(out.color).width, explain=explain, quiet=quiet), out)


def _serves(mode: str | None) -> bool:
    """The mode, or what the options of one of them say."""
    from fabric.workloads.comparing import MODES
    from topologies.errors import unknown

    if mode is not None and mode not in MODES:
        raise click.UsageError(unknown("mode", mode, MODES))
    serve, train = ([name for name in names if is_given(name)] for names in (SERVING, TRAINING))
    if serve and (train or mode == "train"):
        other = f"--{train[0]}" if train else "--mode train"
        raise click.UsageError(f"--{serve[0]} is of serving, {other} of training; give one of them")
    if train and mode == "serve":
        raise click.UsageError(f"--{train[0]} is of training, --mode serve is given; leave one out")
    return mode == "serve" or bool(serve)


def _question(layout: str, given: dict[str, Any]) -> Any:
    from fabric.choices import check_choices
    from fabric.workloads.splits import read_question

    check_choices(transport=given["transport"], routing=given["routing"])
    return read_question(
        layout, global_batch=given["batch"], micro_batch=given["micro_batch"], sequence=given["sequence"],
        recompute=given["recompute"], zero=given["zero"], precision=given["precision"],
    )  # fmt: skip


def _load(layout: str, given: dict[str, Any]) -> Any:
    from fabric.choices import check_choices
    from fabric.workloads.calibration import DEFAULT_STACK, calibration
    from fabric.workloads.layout import read_layout
    from fabric.workloads.replicas import WEIGHTS, Load, checked
    from fabric.workloads.splits import AUTO

    check_choices(transport=given["transport"])
    read_layout(",".join(word for word in layout.split(",") if word.strip() != AUTO) or "tp=1")
    calibration("", given["stack"] or DEFAULT_STACK, given["precision"] or WEIGHTS)  # what is no stack, no precision
    keys = ("stack", "input_tokens", "output_tokens", "concurrency", "floor", "chunk_tokens", "prefill_replicas")
    more = {key: given[key] for key in (*keys, "transport")}
    return checked(Load(weights=given["precision"], micro_batches=given["overlap"], **more))


def _ranked(answers: "list[Answer]") -> "list[tuple[int | None, Answer]]":
    return [(place if answer.ranked else None, answer) for place, answer in enumerate(answers, 1)]


def _flat(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every row with the columns of all."""
    columns = dict.fromkeys(key for row in rows for key in row)
    return [{key: row.get(key) for key in columns} for row in rows]
