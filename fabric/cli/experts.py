"""Options of expert-parallel collectives, gathered into one layer of experts."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import gathered, is_given

if TYPE_CHECKING:
    from fabric.moe import Moe

EXPERTS = ("moe-dispatch", "moe-combine")


@dataclass(frozen=True, slots=True)
class Layer:
    """What was said about a layer of experts; None where nothing was, for DeepSeek-V3's value."""

    tokens: int | None
    hidden: int | None
    topk: int | None
    experts: int | None
    max_domains: int | None
    precision: str | None
    zipf: float | None
    copies: str | None
    even: bool

    def told(self) -> dict[str, Any]:
        """The parameters that provenance names: those given."""
        return {spec.name: value for spec in fields(self) if (value := getattr(self, spec.name))}

    def moe(self, collective: str, seed: int) -> "Moe | None":
        """The layer, or None for other collectives; UsageError where an option has no effect on this one."""
        if collective not in EXPERTS:
            idle = next((spec.name for spec in fields(self) if is_given(spec.name)), None)
            if idle is not None:
                option = idle.replace("_", "-")
                raise click.UsageError(f"--{option} belongs to {' and '.join(EXPERTS)}, not to {collective}")
            return None
        if is_given("size"):
            raise click.UsageError(f"--size has no effect with {collective}: it follows from --tokens; leave it out")
        return self._laid_out(seed)

    def _laid_out(self, seed: int) -> "Moe":
        from fabric.moe import Moe
        from topologies.errors import ConfigError

        told = self.told()
        copies = told.pop("copies", "rank")
        try:
            return Moe(**told, seed=seed, deduplicate=copies == "rank")
        except ConfigError as error:
            raise click.UsageError(str(error)) from None


_COUNT = click.IntRange(min=1)
_LAYER = [
    click.option("--tokens", type=_COUNT, help="moe-*: tokens of a rank; 4096 by default."),
    click.option("--hidden", type=_COUNT, help="moe-*: values of a token; 7168 by default."),
    click.option("--topk", type=_COUNT, help="moe-*: experts of a token; 8 by default."),
    click.option("--experts", type=_COUNT, help="moe-*: experts in all; 256 by default, or one a rank if more ranks."),
    click.option("--max-domains", type=_COUNT, help="moe-*: a token goes to at most so many scale-up domains."),
    click.option("--precision", help="moe-*: number format, e.g. fp8 (dispatch by default), bf16 (combine), nvfp4."),
    click.option("--zipf", type=click.FloatRange(min=0), help="moe-*: skew of popularity, 0 (balanced) by default."),
    click.option(
        "--copies", type=click.Choice(["rank", "expert"]), help="moe-*: one copy of a token a rank (default) or expert."
    ),
    click.option("--even", is_flag=True, help="moe-*: every token to as many ranks as it has experts."),
]
layer_options = gathered("layer", Layer, _LAYER)
