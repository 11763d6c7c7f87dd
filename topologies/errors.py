"""The mistakes a user can make, one exception each; the command line turns them into one line and an exit code.

FabricError
├── ConfigError        a specification, option, part or file that cannot be read or does not fit
├── TopologyError      a graph that cannot be built or is not what a question needs
├── ReachError         a cable or an optical path that cannot carry its rate over its length
└── InfeasibleError    a well-formed question that has no answer
"""

from collections.abc import Iterable


class FabricError(Exception):
    """A user's mistake: says what is wrong, what was given and what would do."""


class ConfigError(FabricError):
    """A specification, an option, a part or a file that cannot be read or does not fit."""


class TopologyError(FabricError):
    """A graph that cannot be built, or that is not what the question needs."""


class ReachError(FabricError):
    """A cable or an optical path that cannot carry its rate over its length."""


class InfeasibleError(FabricError):
    """A well-formed question that has no answer on this fabric."""


def closest(name: str, known: Iterable[str]) -> str:
    """A hint "; did you mean 'x'?" for a misspelt name, or an empty string.

    >>> closest("torsu", ["torus", "ring"])
    "; did you mean 'torus'?"
    """
    from difflib import get_close_matches

    near = get_close_matches(str(name), list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def unknown(what: str, name: str, known: Iterable[str], where: str = "") -> str:
    """The message for a misspelt name: the nearest one, else `where` to look, else all there are.

    >>> unknown("topology", "torsu", ["torus", "ring"])
    "no topology is named 'torsu'; did you mean 'torus'?"
    >>> unknown("tie", "x", ["split", "positive"])
    "no tie is named 'x'; there are split, positive"
    """
    names = list(known)
    return f"no {what} is named '{name}'" + (closest(name, names) or f"; {where or 'there are ' + ', '.join(names)}")
