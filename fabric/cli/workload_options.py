"""What is asked of a workload, on the command line: how a step is cut or how a model serves, for all that take one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import is_given

if TYPE_CHECKING:
    from fabric.workloads.replicas import Load
    from fabric.workloads.steps.splits import Question

SERVING = (
    "input_tokens", "output_tokens", "concurrency", "stack", "floor", "overlap", "chunk_tokens", "prefill_replicas",
    "prefill_parallel",
)  # fmt: skip
TRAINING = ("batch", "micro_batch", "sequence", "recompute", "zero", "routing")
BOTH = ("layout", "mode", "precision")
WORKLOAD = (*BOTH, *TRAINING, *SERVING, "transport")


def _counted(ctx: click.Context, param: click.Parameter, text: str) -> int | str:
    """A whole number as one; words are the library's to judge."""
    return int(text) if text.isascii() and text.isdigit() else text


_OPTIONS = [
    click.option(
        "--parallel", "layout", default="auto", show_default=True, metavar="LAYOUT",
        help="tp=8,pp=8,cp=2,v=4,... (serving: tp, pp, ep, dp of a replica); auto, or auto,tp=8, takes the best.",
    ),
    click.option("--mode", help="train or serve; serve where one of its options is given."),
    click.option("--precision", help="Train: of matrix products (bf16). Serve: of weights (fp8)."),
    click.option(
        "--batch", type=click.IntRange(min=1),
        help="Train: sequences of a step; one an accelerator by default.",
    ),
    click.option("--micro-batch", type=click.IntRange(min=1), help="Train: sequences of a micro-batch."),
    click.option(
        "--sequence", type=click.IntRange(min=1),
        help="Train: tokens of a sequence; by default the model's, 8,192 at most.",
    ),
    click.option("--recompute", help="Train: none, selective or full."),
    click.option("--zero", type=click.IntRange(0, 3), help="Train: ZeRO stage."),
    click.option("--routing", default="auto", show_default=True, help="Train: as in solve."),
    click.option(
        "--input", "input_tokens", type=float, default=1024, show_default=True,
        help="Serve: tokens of a prompt.",
    ),
    click.option("--output-tokens", type=float, default=1024, show_default=True, help="Serve: tokens of an answer."),
    click.option(
        "--concurrency", type=float,
        help="Serve: requests at a time on the fabric; those of most tokens/s by default.",
    ),
    click.option("--stack", help="Serve: vllm, sglang, trtllm, hf, neuron; vllm by default, with a wider interval."),
    click.option("--min-tokens-per-user", "floor", type=float, help="Serve: tokens/s that each user gets at least."),
    click.option(
        "--overlap", type=click.IntRange(1, 2), default=1, show_default=True,
        help="Serve: 2 hides exchanges of half a batch behind the other half's work.",
    ),
    click.option("--chunk", "chunk_tokens", type=float, help="Serve: prefill in chunks of so many tokens."),
    click.option(
        "--prefill-replicas", default="0", show_default=True, metavar="N|auto", callback=_counted,
        help="Serve: replicas that prefill only, and send caches over the fabric; auto: as many as keep the others "
        "busy, or none where that is better.",
    ),
    click.option(
        "--prefill-parallel", metavar="LAYOUT",
        help="Serve: the layout of those, or auto; as the others by default.",
    ),
    click.option("--transport", default="auto", show_default=True, help="auto, ideal, or a library, as in solve."),
]  # fmt: skip


def workload_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds all of them; their values are arguments of the command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def asked_workload(given: dict[str, Any], mode: str | None = None) -> "Question | Load":
    """What the options ask: a step of training, or a load of requests. UsageError for options of both, or values that
    none could be."""
    from topologies.errors import ConfigError

    served = _serves(mode or given["mode"])
    try:
        return _load(given["layout"], given) if served else _question(given["layout"], given)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


def told_workload(asked: "Question | Load", given: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The parameters that provenance names, with what else the command was told."""
    from fabric.workloads.replicas import Load

    rest = {key: value for key, value in given.items() if key not in ("layout", "mode")}
    return {"mode": "serve" if isinstance(asked, Load) else "train", "parallel": given["layout"], **more, **rest}


def refuse_workload_options(belongs: str, but: tuple[str, ...] = ()) -> None:
    """UsageError where one of them is given though no workload is; `but` names those that the command has by itself."""
    stray = next((name for name in WORKLOAD if name not in but and is_given(name)), None)
    if stray is not None:
        raise click.UsageError(f"{flag(stray)} is of a workload; give {belongs} as well")


def flag(name: str) -> str:
    """An option of the running command as it is written.

    The name of its value where the command has no such option.
    """
    params = click.get_current_context().command.params
    return next((param.opts[-1] for param in params if param.name == name), f"--{name}")


def _serves(mode: str | None) -> bool:
    """The mode, or what the options of one of them say."""
    from fabric.workloads.comparing import MODES
    from topologies.errors import unknown

    if mode is not None and mode not in MODES:
        raise click.UsageError(unknown("mode", mode, MODES))
    serve, train = ([flag(name) for name in names if is_given(name)] for names in (SERVING, TRAINING))
    if serve and (train or mode == "train"):
        raise click.UsageError(f"{serve[0]} is of serving, {train[0] if train else 'train'} of training; give one")
    if train and mode == "serve":
        raise click.UsageError(f"{train[0]} is of training, serve is asked; leave one out")
    return mode == "serve" or bool(serve)


def _question(layout: str, given: dict[str, Any]) -> "Question":
    from fabric.choices import check_choices
    from fabric.workloads.steps.splits import read_question

    check_choices(transport=given["transport"], routing=given["routing"])
    return read_question(
        layout, global_batch=given["batch"], micro_batch=given["micro_batch"], sequence=given["sequence"],
        recompute=given["recompute"], zero=given["zero"], precision=given["precision"],
    )  # fmt: skip


def _load(layout: str, given: dict[str, Any]) -> "Load":
    from fabric.choices import check_choices
    from fabric.workloads.replicas import WEIGHTS, Load, checked
    from fabric.workloads.serving.calibration import DEFAULT_STACK, calibration
    from fabric.workloads.serving.layout import read_layout
    from fabric.workloads.steps.splits import AUTO

    check_choices(transport=given["transport"])
    read_layout(",".join(word for word in layout.split(",") if word.strip() != AUTO) or "tp=1")
    calibration("", given["stack"] or DEFAULT_STACK, given["precision"] or WEIGHTS)  # what is no stack, no precision
    keys = ("stack", "input_tokens", "output_tokens", "concurrency", "floor", "chunk_tokens", "transport")
    more = {key: given[key] for key in (*keys, "prefill_replicas", "prefill_parallel")}
    return checked(Load(weights=given["precision"], micro_batches=given["overlap"], **more))
