"""aifabric models: the models whose training and inference steps can be asked."""

from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import CONTEXT, Output, one_form, output_options
from topologies.units import format_number

if TYPE_CHECKING:
    from fabric.workloads.models.model import Model
    from fabric.workloads.recommender import Recommender

_WIDE = 90  # columns of a terminal that has room for all


@click.command("models", context_settings=CONTEXT)
@click.argument("name", required=False, metavar="[NAME|FILE|WORDS]")
@output_options
def command(name: str | None, out: Output) -> None:
    """All models with parameters and cache, those whose names have some words, or one: a name as a checkpoint writes
    it, a .toml of your own, or a config.json of Hugging Face."""
    from dataclasses import asdict

    from fabric.cli.output import console, emit_json, emit_tables
    from fabric.results import provenance
    from fabric.workloads.models.zoo import models
    from fabric.workloads.recommender import is_recommender, recommender
    from topologies.parts import catalogue

    one_form(out)
    if name is not None and is_recommender(name):
        shape = recommender(name)
        document = {"models": [{**asdict(shape), "table_params": shape.table_params, "params": shape.dense_params}]}
        if out.json:
            emit_json("models", document, provenance({"name": name}, catalogue().hash), out)
        else:
            emit_tables(_recommender(shape), out)
        return
    found = list(models().values()) if name is None else _named(name)
    if out.json:
        document = {"models": [_document(m) for m in found]}
        emit_json("models", document, provenance({"name": name}, catalogue().hash), out)
    else:
        emit_tables(_table(found, console(out.color).width) if len(found) > 1 else _one(found[0]), out)


def _named(name: str) -> "list[Model]":
    """The model of a name or a file; else all whose names have its words."""
    from fabric.workloads.models.model_names import plain
    from fabric.workloads.models.zoo import model, models
    from topologies.errors import ConfigError

    try:
        return [model(name)]
    except ConfigError:
        words = [plain(word) for word in name.split()]
        names = ((m, plain(" ".join((m.name, m.title, *m.aliases)))) for m in models().values())
        found = [m for m, told in names if words and all(word and word in told for word in words)]
        if not found:
            raise
        return found


def _document(m: "Model") -> dict[str, Any]:
    from dataclasses import asdict

    derived = {
        "params": m.params, "active_params": m.active_params, "multiplied_params": m.multiplied_params,
        "weight_bytes_bf16": m.weight_bytes("bf16"), "kv_bytes_per_token_bf16": m.kv_bytes_per_token("bf16"),
        "train_flops_per_token": m.train_flops(m.sequence),
    }  # fmt: skip
    return {**asdict(m), "aliases": list(m.aliases), **derived}


def _table(found: "list[Model]", width: int) -> list[Any]:
    """One line a model on 80 columns."""
    from rich.text import Text

    from fabric.cli.layout import Column, laid_out

    def column(head: str, name: str, leaves: int, cells: list[str]) -> Column:
        return Column(head, name, [Text(cell) for cell in cells], leaves)

    names = Column("model", "model", [Text(m.name) for m in found], left=True)
    columns = [
        column("params\n1e9", "1e9 parameters", 0, [_billions(m.params) for m in found]),
        column("active\n1e9", "1e9 active", 1, [_billions(m.active_params) for m in found]),
        column("layers", "layers", 2, [str(m.layers) for m in found]),
        column("width", "hidden width", 4, [str(m.hidden) for m in found]),
        column("heads\n/kv", "heads/kv", 3, [f"{m.heads}/{'mla' if m.kv_lora else m.key_heads}" for m in found]),
        column("MoE", "MoE experts", 2, [f"{m.topk}/{m.experts}" if m.experts else "-" for m in found]),
        column("KiB a\ntoken", "KiB of cache a token", 1,
               [format_number(m.kv_bytes_per_token() / 1024) for m in found]),
    ]  # fmt: skip
    return laid_out("", column("", "", 0, [""] * len(found)), names, columns, width)[1:]


def _one(m: "Model") -> list[Any]:
    from dataclasses import fields

    from rich.text import Text

    from fabric.cli.tables import facts_table

    told = {"name", "title", "source", "note", "aliases", *(() if m.streams > 1 else ("streams",))}
    shapes = [
        (field.name, "yes" if (value := getattr(m, field.name)) is True else f"{value:,}")
        for field in fields(m)
        if field.name not in told and getattr(m, field.name) not in (0, None, False)
    ]
    head = [("model", m.title), ("also", ", ".join(m.aliases)), ("note", m.note), ("source", m.source)]
    derived = [
        ("parameters", f"{m.params:,}"), ("active", f"{m.active_params:,}"),
        ("FLOP a token", f"{m.forward_flops(0):.4g} forward, and attention"),
        ("training", f"{m.train_flops(m.sequence):.4g} FLOP a token of sequences of {m.sequence:,}"),
        ("weights", f"{m.weight_bytes('bf16') / 1e9:,.1f} GB in bf16"),
        ("cache", f"{m.kv_bytes_per_token():,.0f} B a token in bf16{_kept(m)}"),
    ]  # fmt: skip
    return [facts_table([(k, v) for k, v in head if v]), Text(), facts_table(shapes), Text(), facts_table(derived)]


def _recommender(m: "Recommender") -> list[Any]:
    from fabric.cli.tables import facts_table

    width = " x ".join
    facts = [
        ("recommender", m.title), ("also", ", ".join(m.aliases)), ("source", m.source),
        ("tables", f"{len(m.tables)} of {sum(m.tables):,} rows, {m.width} values each"),
        ("lookups", f"{sum(m.hotness):,} a sample"),
        ("networks", f"bottom {width(map(str, m.bottom))}, {m.cross_layers} cross layers of rank {m.cross_rank}, "
                     f"top {width(map(str, m.top))}"),
        ("parameters", f"{m.table_params:,} in tables, {m.dense_params:,} in networks"),
        ("batch", f"{m.batch:,} samples"),
    ]  # fmt: skip
    return [facts_table(facts)]


def _kept(m: "Model") -> str:
    """What does not grow with every token: windows, and states."""
    from topologies.units import format_size

    least = m.kv_bytes(m.window) - m.window * m.kv_bytes_per_token()
    return f", and {format_size(least)} of windows and states" if least else ""


def _billions(value: float) -> str:
    return format_number(value / 1e9)
