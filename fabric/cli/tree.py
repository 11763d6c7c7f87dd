"""Every family as a tree: what it is, where from, its parameters with defaults, and its ready-made systems."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from topologies.families import System
    from topologies.parameters import Family, Parameter


def tree_of(families: "Iterable[Family]", ready: "Iterable[System]") -> list[Any]:
    """One tree for all families, wrapped to any width."""
    from rich.text import Text
    from rich.tree import Tree

    from topologies.parameters import example

    systems: dict[str, list[System]] = {}
    for system in ready:
        systems.setdefault(system.family, []).append(system)
    whole = Tree(Text("families", style="bold"))
    for one in families:
        node = whole.add(Text(one.name, style="bold") + Text(f": {one.summary}"))
        node.add(Text(f"e.g. {example(one)}"))
        if one.origin:
            node.add(Text(f"from {one.origin}"))
        if one.source:
            node.add(Text(f"source: {one.source}", style="dim"))
        for parameter in one.parameters.values():
            node.add(_line(parameter))
        for system in systems.get(one.name, ()):
            told = node.add(Text(system.name, style="bold") + Text(f": {system.title}"))
            told.add(Text(f"source: {system.source}", style="dim"))
    return [whole]


def _line(parameter: "Parameter") -> Any:
    from rich.text import Text

    default = default_of(parameter)
    told = f" ({default})" if parameter.required else f" = {default}"
    return Text(f"{parameter.name}{told}: {parameter.meaning}" if parameter.meaning else f"{parameter.name}{told}")


def default_of(parameter: "Parameter") -> str:
    """The default as a spec spells it; `required` where there is none.

    >>> from topologies.families import family
    >>> [default_of(family("torus").parameters[key]) for key in ("dims", "wrap", "twist", "rate_gbps", "cable")]
    ['required', 'true', 'false', '400', 'none']
    """
    value = parameter.default
    if parameter.required:
        return "required"
    if isinstance(value, tuple):
        return "x".join(str(v).lower() for v in value)
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
