"""aifabric plan export: a plan as the messages that circuit switches accept."""

from pathlib import Path

import click

from fabric.cli.options import CONTEXT, parts_option
from fabric.cli.planning.devices import debug_option, device_option, json_option, names_option


@click.command("export", context_settings=CONTEXT)
@click.argument("plan", type=click.Path(path_type=Path))
@device_option
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), help="New folder for all files.")
@names_option
@click.option(
    "--interfaces",
    type=click.Path(path_type=Path),
    help="CSV of what ports lead to (switch,side,port,system,device,interface,neighbour; system sonic or infiniband): "
    "drain and undrain commands for each stage.",
)
@parts_option
@json_option
@debug_option
def command(
    plan: Path,
    devices: tuple[str, ...],
    folder: Path | None,
    names: Path | None,
    interfaces: Path | None,
    parts: Path | None,
    json: bool,
    debug: bool,
) -> None:
    """PLAN as messages that real circuit switches accept: for each stage and switch reads, deletes, adds, reads, and
    the way back; what packet switches are told; an index, and a runbook. Nothing is sent.

    Without -o, the runbook alone is printed. Deletes stand before adds, every one is listed, and nothing is ever
    overwritten as a whole. What no document or driver confirms is said in the index and the runbook.
    """
    import json as text_of

    from fabric.cli.options import Output, load_parts
    from fabric.cli.output import emit_json
    from fabric.cli.planning.devices import read_names_of
    from fabric.planning.export.folder import INDEX, RUNBOOK, export_files
    from fabric.planning.export.interfaces import read_interfaces
    from fabric.planning.files import read_plan
    from fabric.results import provenance
    from topologies.formats.writing import write_folder

    catalogue = load_parts(parts)
    read = read_plan(plan)
    own = read_names_of(read.switches, devices, names, catalogue)
    files = export_files(read, own, None if interfaces is None else read_interfaces(interfaces))
    if folder is not None:
        write_folder(files, folder)
    if json:
        told = {"plan": str(plan), "device": list(devices)}
        document = {"folder": None if folder is None else str(folder), "files": sorted(files)}
        index = {"index": text_of.loads(files[INDEX])}
        emit_json(
            "plan-export", {**document, **index}, provenance(told, catalogue.hash), Output(True, None, None, debug)
        )
    elif folder is None:
        click.echo(files[RUNBOOK], nl=False)
    else:
        click.echo(f"{len(files)} files in {folder}; begin with {RUNBOOK}")
