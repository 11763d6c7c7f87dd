"""What a target was engineered for, and repairs, for the eye."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from fabric.planning.repair import Option


def engineered_lines(told: Mapping[str, Any]) -> list[Any]:
    """The target's worth against the bound of the ports, and the curve."""
    from rich.text import Text

    from fabric.planning.curve import Point, lines
    from topologies.units import format_number

    bound = told["throughput_bound_of_ports"]
    kind = "direct links alone" if told["direct"] else f"slack {told['slack']:g}"
    worth, most = format_number(told["throughput"]), format_number(bound)
    found = [
        Text.assemble(("target", "bold"), f": {told['links']:,} links for {told['demand']} ({kind}); carries {worth} x "
                      f"the demand, no topology more than {most} (ports / largest row sum); at least "
                      f"{told['moved_at_least']:,} links to take down"),
    ]  # fmt: skip
    if told["curve"]:
        found += [Text(f"  {line}", style="dim") for line in lines([Point(**row) for row in told["curve"]], bound)]
    return [*found, Text()]


def draw_curve(told: Mapping[str, Any], path: Path) -> None:
    """The curve as a picture."""
    from fabric.cli.output import write_whole
    from fabric.planning.curve import Point, picture

    points = [Point(**row) for row in told["curve"]]
    write_whole(picture(points, told["throughput_bound_of_ports"]), path)
    click.echo(f"drawn into {path}", err=True)


def repair_lines(options: Sequence["Option"]) -> list[Any]:
    """Ranked options, one a line, with what is to be known of each below."""
    from rich.text import Text

    found: list[Any] = [Text("option  throughput  down    up  minutes  ", style="bold")]
    for number, option in enumerate(options):
        worth = f"{option.chips:,} chips" if option.throughput is None else f"{option.throughput:.4f}"
        minutes = "by hand" if option.minutes is None and option.fibres else (
            "-" if option.minutes is None else f"{option.minutes:.1f}")  # fmt: skip
        found.append(
            Text(f"{number:6}  {worth:>10}  {option.down:4,}  {option.up:4,}  {minutes:>7}  {option.title}")
        )
        found += [Text(f"{'':38}  {note}", style="dim") for note in option.notes]
    return found
