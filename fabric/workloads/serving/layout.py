"""How one replica of a model that serves is split over accelerators: tensor, expert, pipeline and data parallelism."""

from dataclasses import dataclass

from fabric.workloads.models.model import Model
from topologies.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Layout:
    """`tp` shards of each layer's attention, `dp` groups of such shards with requests of their own (attention data
    parallel), `pp` stages of layers, `ep` groups of experts; experts spread over all accelerators of a stage, whole
    ones where `ep` is 2 or more, else in slices.

    >>> Layout(tp=2, pp=4).accelerators, Layout(dp=8, ep=8).expert_ranks
    (8, 8)
    """

    tp: int = 1
    pp: int = 1
    ep: int = 1
    dp: int = 1

    def __post_init__(self) -> None:
        for name in ("tp", "pp", "ep", "dp"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(f"{name} = {value!r} of a layout is not a whole number from 1 on")
        if self.ep > self.expert_ranks or self.expert_ranks % self.ep:
            raise ConfigError(f"ep = {self.ep} does not divide tp x dp = {self.expert_ranks}; give one that does")

    @property
    def accelerators(self) -> int:
        """Accelerators of one replica."""
        return self.tp * self.dp * self.pp

    @property
    def expert_ranks(self) -> int:
        """Accelerators that hold the experts of a layer, or slices of them."""
        return self.tp * self.dp

    def checked(self, model: Model) -> "Layout":
        """Itself; ConfigError where the model has too few heads, layers or experts for it."""
        for name, most, what in (
            ("tp", model.heads, "heads"), ("pp", model.layers, "layers"), ("ep", max(model.experts, 1), "experts"),
        ):  # fmt: skip
            if getattr(self, name) > most:
                raise ConfigError(f"{name} = {getattr(self, name)} of {model.name}, which has {most} {what}; give less")
        return self

    def __str__(self) -> str:
        told = [f"{name}={getattr(self, name)}" for name in ("tp", "pp", "ep", "dp") if getattr(self, name) > 1]
        return ",".join(told) or "tp=1"


def read_layout(text: str) -> Layout:
    """A layout as it is written on a command line.

    >>> read_layout("tp=8,pp=2")
    Layout(tp=8, pp=2, ep=1, dp=1)
    """
    found: dict[str, int] = {}
    for part in text.split(","):
        key, equals, value = part.strip().partition("=")
        if key not in ("tp", "pp", "ep", "dp") or not equals or not value.isdigit() or key in found:
            raise ConfigError(f"'{part.strip():.30}' of a layout is not one of tp, pp, ep, dp = a number; e.g. tp=8")
        found[key] = int(value)
    return Layout(**found)
