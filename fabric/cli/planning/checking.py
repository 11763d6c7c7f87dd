"""aifabric plan check: a plan verified anew; exit 1 with the first breach."""

from pathlib import Path

import click

from fabric.cli.options import CONTEXT, Output, load_parts, one_form, output_options, parts_option


@click.command("check", context_settings=CONTEXT)
@click.argument("plan", type=click.Path(path_type=Path))
@click.argument("base")
@click.argument("to", required=False)
@parts_option
@output_options
def command(plan: Path, base: str, to: str | None, parts: Path | None, out: Output) -> int:
    """Verify PLAN anew from its file and the state BASE (a spec, state file or .npz) alone: legal ports, fingerprints,
    sums, the floor of every stage by another solver, rollbacks. Exit 1 with the first breach. TO is needed where it
    adds blocks."""
    from fabric.cli.output import emit, emit_json
    from fabric.planning.check import check
    from fabric.planning.files import read_document
    from fabric.planning.states import read_base
    from fabric.results import provenance

    one_form(out)
    catalogue = load_parts(parts)
    breach = check(read_document(plan), read_base(base, catalogue, to))
    if out.json:
        told = provenance({"plan": str(plan), "base": base}, catalogue.hash)
        emit_json("plan-check", {"check": {"ok": breach is None, "breach": breach}}, told, out)
    else:
        emit("everything holds\n" if breach is None else f"{breach}\n", out)
    return 0 if breach is None else 1
