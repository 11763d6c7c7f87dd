"""Options of the plan commands that speak of devices."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fabric.planning.export import KINDS

if TYPE_CHECKING:
    from fabric.planning.export.names import Names
    from fabric.planning.plan import Switch
    from topologies.parts import Part

device_option = click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="[NAME=]KIND",
    help=f"Device kind, of all switches or of a switch or model; several. {', '.join(KINDS)}.",
)
names_option = click.option(
    "--names",
    type=click.Path(path_type=Path),
    help="TOML file of port names: tables [all], [MODEL], [SWITCH] with a, b (a pattern like 1-{n}A, {n+16} to count "
    "from 17, or a list), ports_per_side, any_to_any; gNMI: path, value, read.",
)
json_option = click.option("--json", is_flag=True, help="Answer as JSON with stable keys.")
debug_option = click.option("--debug", is_flag=True, help="Show the traceback of an error.")


def read_names_of(
    switches: "Sequence[Switch]", devices: Sequence[str], names: Path | None, catalogue: "Mapping[str, Part]"
) -> "dict[str, Names]":
    """The names of all switches, from the options; a usage error where no device kind is given."""
    from fabric.planning.export import kinds_of
    from fabric.planning.export.names import all_names, read_names

    if not devices:
        raise click.UsageError(f"which switches are these? give --device KIND: {', '.join(KINDS)}")
    return all_names(switches, kinds_of(devices), catalogue, {} if names is None else read_names(names))


def files_by_switch(words: Sequence[str], known: Collection[str]) -> dict[str, Path]:
    """Files of words SWITCH=FILE; a usage error for anything else."""
    from topologies.errors import unknown

    found: dict[str, Path] = {}
    for word in words:
        switch, equals, path = word.partition("=")
        if not equals or not path:
            raise click.UsageError(f"'{word}' names no file; write SWITCH=FILE")
        if switch not in known:
            raise click.UsageError(unknown("switch", switch, known))
        if switch in found:
            raise click.UsageError(f"two files for {switch}; give one")
        found[switch] = Path(path)
    return found
