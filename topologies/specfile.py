"""A topology file in TOML: one family with its parameters, or a composition of racks, a scale-out and sites."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from topologies.errors import ConfigError, FabricError
from topologies.families import Build, build_family, family, systems
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.toml_documents import read_toml

SIMPLE = ("name", "family", "parameters")
COMPOSED = ("name", "floor", "racks", "scale_out", "sites")
_COMPOSING: list[Path] = []


def build_toml(path: Path, parts: Catalogue, build: Build) -> Topology:
    """The topology of a TOML file; errors name the file, and in a composition the path of the key that is wrong.

    `build` builds the units that a composition names.
    ConfigError for what cannot be read, TopologyError for what cannot be built, ReachError for a cable too long.

    >>> from topologies.parts import catalogue
    >>> from topologies.registry import build
    >>> build_toml(Path("absent.toml"), catalogue(), build)
    Traceback (most recent call last):
    topologies.errors.ConfigError: absent.toml: No such file or directory; give a TOML topology
    """
    document = read_toml(path, "a TOML topology")
    if "family" not in document and set(document) & set(COMPOSED[1:]):
        with _composing(path):
            from topologies.composition import compose  # whose models load pydantic

            return compose(document, path.stem, parts, build, path.parent)
    if set(document) - set(SIMPLE) or not isinstance(document.get("family"), str):
        raise ConfigError(
            f'{path}: a topology file has family = "..." and a [parameters] table, and nothing else; '
            "or it composes [[racks]], [scale_out], [floor] and [[sites]] (aifabric schema topology)"
        )
    base = systems().get(document["family"])
    chosen = family(base.family if base else document["family"])
    own, name = document.get("parameters", {}), document.get("name", path.stem)
    if not isinstance(own, dict) or not isinstance(name, str) or not name.isprintable():
        raise ConfigError(f"{path}: name is text of one line and parameters is a table of key = value")
    return build_family(chosen, name, str(path), own, base, parts)


@contextmanager
def _composing(path: Path) -> Iterator[None]:
    """Name the file in errors; a unit may be a file, but not one that is being composed."""
    if path.resolve() in _COMPOSING:
        raise ConfigError("the file composes itself; give another unit")
    _COMPOSING.append(path.resolve())
    try:
        yield
    except FabricError as error:
        raise type(error)(f"{path}: {error}") from error
    finally:
        _COMPOSING.pop()
