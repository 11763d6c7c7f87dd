"""YAML documents as plain values: the safe subset, no key twice, anchors counted for what they stand for."""

from collections import Counter
from pathlib import Path
from typing import Any

from topologies.errors import ConfigError
from topologies.formats.contents import read_whole, short

MAX_MIB = 16
MAX_DEPTH = 60
MAX_VALUES = 1_000_000  # with every alias written out


def read_yaml(path: Path, wanted: str) -> Any:
    """The one document of a YAML file; ConfigError names the line of what cannot be read, and what is wanted.

    >>> read_yaml(Path("nowhere.yaml"), "an ASTRA-sim network")
    Traceback (most recent call last):
    topologies.errors.ConfigError: nowhere.yaml: No such file or directory; give an ASTRA-sim network
    """
    import yaml

    text = read_whole(path, wanted, MAX_MIB)
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_size(yaml.parse(text, Loader=loader), path)
        return yaml.load(text, Loader=type("Once", (loader,), {"construct_mapping": _mapping}))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ConfigError(f"{path}: {line}not YAML: {problem[:120]}; give {wanted}") from None
    except (ValueError, OverflowError, TypeError, RecursionError) as error:  # a date of month 13, a number too long
        raise ConfigError(f"{path}: a value cannot be read: {str(error)[:120]}; give {wanted}") from None


def _check_size(events: Any, path: Path) -> None:
    """Refuse what is too deep or, with its aliases written out, too large, before any value is made."""
    import yaml

    sizes: dict[str, int] = {}
    stack: list[tuple[str | None, int]] = []
    total = 0
    for event in events:
        where = f"{path}: line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise ConfigError(f"{where}: alias *{event.anchor[:40]} stands within its anchor or before it")
            total += sizes[event.anchor]
        elif isinstance(event, yaml.CollectionStartEvent):
            stack.append((event.anchor, total))
            total += 1
            if len(stack) > MAX_DEPTH:
                raise ConfigError(f"{where}: lists within lists, more than {MAX_DEPTH} deep; write it flat")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = stack.pop()
            if anchor:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
        if total > MAX_VALUES:
            raise ConfigError(f"{where}: more than {MAX_VALUES:,} values, aliases written out; give a smaller file")


def _mapping(loader: Any, node: Any, deep: bool = False) -> dict[Any, Any]:
    """A mapping whose keys stand once; a merged key (<<) gives way to the mapping's own."""
    import yaml

    keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
    if len(set(keys)) < len(keys):
        twice = Counter(keys).most_common(1)[0][0]
        raise yaml.constructor.ConstructorError(None, None, f"key {short(twice)} stands twice", node.start_mark)
    loader.flatten_mapping(node)
    found: dict[Any, Any] = yaml.constructor.BaseConstructor.construct_mapping(loader, node, deep=deep)
    return found


def table(value: Any, where: str, what: str) -> dict[str, Any]:
    """A mapping whose keys are text; ConfigError says what stands there instead."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ConfigError(f"{where}: {what} is {short(value)}, not a table of key: value")
    return value


def rows(value: Any, where: str, what: str) -> list[Any]:
    """A list; ConfigError says what stands there instead."""
    if not isinstance(value, list):
        raise ConfigError(f"{where}: {what} is {short(value)}, not a list")
    return value
