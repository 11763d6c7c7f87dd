"""aifabric schema: the JSON schema of a file that a user writes."""

import click

from fabric.cli.options import CONTEXT, Output, one_form, output_options


@click.command("schema", context_settings=CONTEXT)
@click.argument("name", required=False)
@output_options
def command(name: str | None, out: Output) -> None:
    """The JSON schema of a file that you write: topology, parts, fabric, model, cases; without a NAME what there is."""
    import json

    from fabric.cli.output import emit, emit_json, emit_tables
    from fabric.results import provenance
    from fabric.schemas import SCHEMAS, schema
    from topologies.errors import unknown
    from topologies.parts import catalogue

    if name is not None and name not in SCHEMAS:
        raise click.UsageError(unknown("schema", name, SCHEMAS))
    if name is not None:
        emit(json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n", out)
        return
    one_form(out)
    if out.json:
        rows = [{"name": known, "describes": what} for known, (_, what) in SCHEMAS.items()]
        emit_json("schema", {"schemas": rows}, provenance({}, catalogue().hash), out)
        return
    from fabric.cli.tables import new_table

    table = new_table("schemas")
    table.add_column("name", no_wrap=True)
    table.add_column("of", overflow="fold")
    for known, (_, what) in SCHEMAS.items():
        table.add_row(known, what)
    emit_tables([table], out)
