"""Options that several commands share, and what they have in common when they run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from topologies.parts import Catalogue

F = TypeVar("F", bound=Callable[..., Any])

_OUTPUT = [
    click.option("--json", "as_json", is_flag=True, help="Answer as JSON with stable keys."),
    click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the answer to a file."),
    click.option("--color/--no-color", default=None, help="Colour, or none (NO_COLOR); by default on a terminal."),
    click.option("-q", "--quiet", is_flag=True, help="No notes."),
    click.option("-v", "--verbose", is_flag=True, help="All notes."),
    click.option("--debug", is_flag=True, help="Show the traceback of an error."),
]
_PARTS = [
    click.option(
        "--parts",
        "parts_file",
        type=click.Path(path_type=Path),
        help="TOML file of parts to add or override.",
    )
]
_CSV = [click.option("--csv", "as_csv", is_flag=True, help="The table as CSV.")]
_MODEL = [
    click.option("-s", "--size", default="1GiB", show_default=True, help="Message size, nccl-tests convention."),
    click.option(
        "--algorithm",
        default="auto",
        show_default=True,
        help="auto, direct, pxn, bucket, hierarchical, ring.",
    ),
    click.option("--transport", default="auto", show_default=True, help="auto (ideal for now) or ideal."),
    click.option("--routing", default="auto", show_default=True, help="auto, ecmp or dor."),
    click.option("--tie", default="split", show_default=True, help="dor half way round: split or positive."),
    click.option(
        "--overlap",
        default="auto",
        show_default=True,
        help="auto (the algorithm's own), pipelined or phased.",
    ),
    click.option("--fidelity", default="steady", show_default=True, help="steady."),
    click.option("-j", "--jobs", type=click.IntRange(min=0), default=0, help="Threads; 0 takes all."),
    click.option("--seed", type=int, default=0, help="Seed of what is random (nothing yet)."),
]


def _stack(options: list[Callable[[F], F]]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


output_options = _stack(_OUTPUT)
parts_option = _stack(_PARTS)
csv_option = _stack(_CSV)
model_options = _stack(_MODEL)


def load_parts(parts_file: Path | None) -> "Catalogue":
    """The catalogue, with a user's own rows over it."""
    from topologies.parts import catalogue

    return catalogue() if parts_file is None else catalogue(parts_file)


def ranks_file() -> Callable[[F], F]:
    """The options of the collective permutation."""
    return _stack(
        [
            click.option("--shift", type=int, help="permutation: rank r to r + SHIFT; n/2 by default."),
            click.option(
                "--permutation",
                type=click.Path(path_type=Path),
                help="permutation: file of targets, rank 0 first.",
            ),
        ]
    )
