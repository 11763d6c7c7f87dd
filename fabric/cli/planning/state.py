"""aifabric plan state: the present state of a fabric's circuit switches, as a file that plans start from."""

from pathlib import Path

import click

from fabric.cli.options import CONTEXT, parts_option
from fabric.cli.planning.devices import debug_option, device_option, names_option


@click.command("state", context_settings=CONTEXT)
@click.argument("fabric")
@click.argument("files", nargs=-1, metavar="[SWITCH=FILE]...")
@device_option
@names_option
@parts_option
@click.option("-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False), help="Write it to a file.")
@debug_option
def command(
    fabric: str,
    files: tuple[str, ...],
    devices: tuple[str, ...],
    names: Path | None,
    parts: Path | None,
    path: Path | None,
    debug: bool,
) -> None:
    """The state of FABRIC (a spec or a state file) as a state file, a FROM or TO of `plan`: as it is named, or with the
    cross-connects that switches say they have. Each FILE is what one said, a CONFIG_DB of SONiC-OCS as JSON or a
    NETCONF answer of a Polatis; switches without one keep those of FABRIC.
    """
    from fabric.cli.options import load_parts
    from fabric.cli.planning.devices import files_by_switch, read_names_of
    from fabric.planning.export.present import state_of_fabric, switches_of, with_devices
    from fabric.planning.state import state_text, write_state

    catalogue = load_parts(parts)
    state = state_of_fabric(fabric, catalogue)
    given = files_by_switch(files, state.switches)
    if given:
        state = with_devices(state, given, read_names_of(switches_of(state), devices, names, catalogue))
    if path is None:
        click.echo(state_text(state), nl=False)
    else:
        write_state(state, path)
        click.echo(
            f"{state.layer.circuits:,} cross-connects on {state.layer.devices} switches written into {path}", err=True
        )
