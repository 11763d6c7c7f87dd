"""aifabric models: the models whose training and inference steps can be asked."""

from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import CONTEXT, Output, one_form, output_options

if TYPE_CHECKING:
    from fabric.workloads.model import Model


@click.command("models", context_settings=CONTEXT)
@click.argument("name", required=False, metavar="[NAME|FILE]")
@output_options
def command(name: str | None, out: Output) -> None:
    """All models with parameters and cache, or one: a name, a .toml of your own, or a config.json of Hugging Face."""
    from fabric.cli.output import emit_json, emit_tables
    from fabric.results import provenance
    from fabric.workloads.zoo import model, models
    from topologies.parts import catalogue

    one_form(out)
    found = list(models().values()) if name is None else [model(name)]
    if out.json:
        document = {"models": [_document(m) for m in found]}
        emit_json("models", document, provenance({"name": name}, catalogue().hash), out)
    else:
        emit_tables([_table(found)] if name is None else _one(found[0]), out)


def _document(m: "Model") -> dict[str, Any]:
    from dataclasses import asdict

    derived = {
        "params": m.params, "active_params": m.active_params, "multiplied_params": m.multiplied_params,
        "weight_bytes_bf16": m.weight_bytes("bf16"), "kv_bytes_per_token_bf16": m.kv_bytes_per_token("bf16"),
        "train_flops_per_token": m.train_flops(m.sequence),
    }  # fmt: skip
    return {**asdict(m), "aliases": list(m.aliases), **derived}


def _table(found: "list[Model]") -> Any:
    from fabric.cli.tables import new_table

    table = new_table()
    table.add_column("model", no_wrap=True)
    for head in ("params\nbillion", "active\nbillion", "layers", "hidden", "heads\n(kv)", "experts", "kv B\na token"):
        table.add_column(head, justify="right", no_wrap=True)
    for m in found:
        experts = f"{m.topk} of {m.experts}" if m.experts else "-"
        heads = f"{m.heads} (latent)" if m.kv_lora else f"{m.heads} ({m.key_heads})"
        table.add_row(
            m.name, _billions(m.params), _billions(m.active_params), str(m.layers), f"{m.hidden:,}", heads, experts,
            f"{m.kv_bytes_per_token():,.0f}",
        )  # fmt: skip
    return table


def _one(m: "Model") -> list[Any]:
    from dataclasses import fields

    from rich.text import Text

    from fabric.cli.tables import facts_table

    told = {"name", "title", "source", "note", "aliases"}
    shapes = [
        (field.name, f"{getattr(m, field.name):,}")
        for field in fields(m)
        if field.name not in told and getattr(m, field.name) not in (0, None, False)
    ]
    head = [("model", m.title), ("also", ", ".join(m.aliases)), ("note", m.note), ("source", m.source)]
    derived = [
        ("parameters", f"{m.params:,}"), ("active", f"{m.active_params:,}"),
        ("FLOP a token", f"{m.forward_flops(0):.4g} forward, and attention"),
        ("training", f"{m.train_flops(m.sequence):.4g} FLOP a token of sequences of {m.sequence:,}"),
        ("weights", f"{m.weight_bytes('bf16') / 1e9:,.1f} GB in bf16"),
        ("cache", f"{m.kv_bytes_per_token():,.0f} B a token in bf16"),
    ]  # fmt: skip
    return [facts_table([(k, v) for k, v in head if v]), Text(), facts_table(shapes), Text(), facts_table(derived)]


def _billions(value: float) -> str:
    return f"{value / 1e9:,.2f}"
