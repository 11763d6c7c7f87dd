"""Options that several commands share, gathered into one value each before the command runs."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from topologies.parts import Catalogue

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
CONTEXT = {"help_option_names": ["-h", "--help"]}


class Number(click.FloatRange):
    """A number within a range; nan, which lies outside none, is refused too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or UsageError."""
        found = super().convert(value, param, ctx)
        if not isfinite(found):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return found


PUE = Number(1, 10, max_open=True)


@dataclass(frozen=True, slots=True)
class Output:
    """How the answer leaves: form, file, colour."""

    json: bool
    output: Path | None
    color: bool | None
    debug: bool


@dataclass(frozen=True, slots=True)
class Model:
    """What the answer assumes."""

    size: str
    algorithm: str
    transport: str
    tune: str
    routing: str
    tie: str
    overlap: str
    fidelity: str
    flows_per_pair: int
    hedge: float
    jobs: int
    seed: int

    def choice(self) -> dict[str, Any]:
        """The parameters of the library, under its names, that every question of a collective takes."""
        names = ("routing", "tie", "overlap", "flows_per_pair", "hedge", "seed")
        return {**{name: getattr(self, name) for name in names}, "threads": self.jobs}

    def told(self) -> dict[str, Any]:
        """The parameters that provenance names: all but the threads, which change no byte."""
        return {spec.name: getattr(self, spec.name) for spec in fields(self) if spec.name not in ("jobs", "seed")}


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the ranks do."""

    collective: str
    shift: int | None
    permutation: Path | None

    def choice(self) -> dict[str, Any]:
        """The parameters of the library beside the collective's name; UsageError where they do not fit it."""
        if self.collective != "permutation" and (self.shift is not None or self.permutation is not None):
            raise click.UsageError(
                f"--shift and --permutation belong to the collective permutation, not to {self.collective}"
            )
        if self.shift is not None and self.permutation is not None:
            raise click.UsageError("give --shift or --permutation, not both")
        return {"shift": self.shift, "permutation": self.permutation}

    def told(self) -> dict[str, Any]:
        """The parameters that provenance names."""
        file = None if self.permutation is None else str(self.permutation)
        return {"collective": self.collective, "shift": self.shift, "permutation": file}


@dataclass(frozen=True, slots=True)
class Members:
    """Who takes part, and on which accelerators."""

    ranks: str | None
    group: str | None
    over: str | None
    placement: str

    def told(self) -> dict[str, Any]:
        """The parameters of the library and of provenance."""
        return {spec.name: getattr(self, spec.name) for spec in fields(self)}


_OUTPUT = [
    click.option("--json", is_flag=True, help="Answer as JSON with stable keys."),
    click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the answer to a file."),
    click.option("--color/--no-color", default=None, help="Colour, or none (NO_COLOR); by default on a terminal."),
    click.option("--debug", is_flag=True, help="Show the traceback of an error."),
]
_MODEL = [
    click.option("-s", "--size", default="1GiB", show_default=True, help="Message size, nccl-tests convention."),
    click.option(
        "--algorithm",
        default="auto",
        show_default=True,
        help="auto, direct, pxn, two-hop, bucket, hierarchical, ring, double-binary-tree, tree, nvls, nvls-tree, "
        "sharp, pat, swing, halving, recursive-doubling, bruck, pairwise, scatter-gather, binomial, chain.",
    ),
    click.option(
        "--transport",
        default="auto",
        show_default=True,
        help="auto (the accelerator's own library), ideal (raw rates), or a library with options, "
        "nccl:nvls=false,harness=python (`aifabric parts library` lists them), or one-sided[:kernel=NAME].",
    ),
    click.option(
        "--tune", default="library", show_default=True, help="auto algorithm: library (its own choice) or best of all."
    ),
    click.option(
        "--routing",
        default="auto",
        show_default=True,
        help="auto (what the real fabric does), ecmp, weighted, dor, dmodk, hash, minimal, valiant, ugal, adaptive, "
        "te, ksp:K, slack:S, vlb:K, optimal, lft:FILE.",
    ),
    click.option("--tie", default="split", show_default=True, help="dor half way round: split or positive."),
    click.option(
        "--overlap",
        default="auto",
        show_default=True,
        help="auto (the algorithm's own), pipelined, phased, chunked (as many as pay), chunked:k.",
    ),
    click.option("--fidelity", default="steady", show_default=True, help="bound, steady or fluid."),
    click.option(
        "--flows-per-pair", type=click.IntRange(min=1), default=1, show_default=True, help="hash: flows of each pair."
    ),
    click.option("--hedge", type=Number(0, 1), default=0.0, show_default=True, help="te: spread, 0 to 1."),
    click.option("-j", "--jobs", type=click.IntRange(min=0), default=0, help="Threads; 0 takes all."),
    click.option("--seed", type=int, default=0, help="Seed of what is random: hash, vlb, placement."),
]

_PATTERN = [
    click.option("-c", "--collective", default="all-reduce", show_default=True, help="What the ranks do."),
    click.option("--shift", type=int, help="permutation: rank r to r + SHIFT; n/2 by default."),
    click.option(
        "--permutation",
        type=click.Path(path_type=Path),
        help="permutation: file of targets, rank 0 first; or longest, shortest, random partners (longest:0.5 of them).",
    ),
]
_MEMBERS = [
    click.option("--ranks", metavar="LIST", help="Only these ranks take part, in this order: 0-7,16-23."),
    click.option(
        "--group",
        metavar="DIM=SIZE,...",
        help="Number the ranks by parallelism, as Megatron does, the first dimension fastest: tp=8,dp=16.",
    ),
    click.option("--over", metavar="DIM,...", help="--group: the dimensions of a group; all groups run at once."),
    click.option(
        "--placement",
        default="packed",
        show_default=True,
        metavar="HOW",
        help="Where ranks run: packed, packed:K (K of a domain), striped (over domains or leaves), random, or a file.",
    ),
]


def gathered(name: str, kind: type, options: Sequence[Decorator]) -> Decorator:
    """A decorator that adds options and hands their values on as one argument."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(**given: Any) -> Any:
            value = kind(**{spec.name: given.pop(spec.name) for spec in fields(kind)})
            return function(**given, **{name: value})

        command: Callable[..., Any] = run
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


output_options = gathered("out", Output, _OUTPUT)
model_options = gathered("model", Model, _MODEL)
pattern_options = gathered("pattern", Pattern, _PATTERN)
member_options = gathered("members", Members, _MEMBERS)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No notes.")
csv_option = click.option("--csv", is_flag=True, help="The table as CSV.")
parts_option = click.option("--parts", type=click.Path(path_type=Path), help="TOML file of parts to add or override.")


def verbose_option(adds: str) -> Decorator:
    """-v, with what it adds."""
    return click.option("-v", "--verbose", is_flag=True, help=adds)


def svg_option(what: str) -> Decorator:
    """--svg FILE, with what it draws."""
    return click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help=what)


def load_parts(path: Path | None) -> "Catalogue":
    """The catalogue, with a user's own rows over it."""
    from topologies.parts import catalogue

    return catalogue() if path is None else catalogue(path)


def check_usage(model: Model, collectives: Sequence[str], parts: "Catalogue | None" = None) -> None:
    """Refuse option values that no fabric could answer, as wrong usage and in the words of the library."""
    from fabric.choices import check_choices
    from topologies.errors import ConfigError

    try:
        check_choices(
            collectives=collectives, size=model.size, algorithm=model.algorithm, routing=model.routing,
            transport=model.transport, overlap=model.overlap, tie=model.tie, fidelity=model.fidelity, tune=model.tune,
            parts=parts,
        )  # fmt: skip
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


def check_members(members: Members) -> None:
    """Refuse lists of ranks and groups that no fabric could have, as wrong usage and in the words of the library."""
    from fabric.membership import check_membership
    from topologies.errors import ConfigError

    try:
        check_membership(members.ranks, members.group, members.over)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


def is_given(option: str) -> bool:
    """Was an option of the running command given, on the command line or in the environment?"""
    source = click.get_current_context().get_parameter_source(option)
    return source not in (click.core.ParameterSource.DEFAULT, click.core.ParameterSource.DEFAULT_MAP, None)


def one_form(out: Output, csv: bool = False) -> None:
    """Refuse two forms at once, and a file that is named as another form."""
    if out.json and csv:
        raise click.UsageError("--json and --csv are two forms of one answer; give one")
    form = "JSON" if out.json else "CSV" if csv else "plain text"
    suffix = "" if out.output is None else out.output.suffix.lower()
    named = {".json": "JSON", ".csv": "CSV", ".html": "HTML", ".htm": "HTML"}.get(suffix, form)
    if named != form:
        what = f"--output '{out.output}' is named as {named}, the answer is {form}"
        do = {"JSON": "give --json", "CSV": "give --csv", "HTML": "there is no HTML report yet"}[named]
        raise click.UsageError(f"{what}; {do} or another name")


def debugging(arguments: list[str]) -> bool:
    """Is --debug among the words, or AIFABRIC_<COMMAND>_DEBUG set?"""
    named = any(
        k.startswith("AIFABRIC_") and k.endswith("_DEBUG") and v not in ("", "0") for k, v in os.environ.items()
    )
    return "--debug" in arguments or named
