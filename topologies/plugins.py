"""Families that other installed distributions bring, through the entry points `aifabric.topologies`."""

from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from topologies.errors import ConfigError, FabricError
from topologies.parameters import Family
from topologies.usercode import foreign_family, guarded

GROUP = "aifabric.topologies"


@dataclass(frozen=True, slots=True)
class Plugin:
    """A family that a distribution announces; nothing of it is loaded yet."""

    name: str
    origin: str  # distribution and version
    entry: EntryPoint

    def family(self) -> Family:
        """Load it; ConfigError names plugin and distribution, and what its code raised."""
        try:
            with guarded(self.origin):
                builder = self.entry.load()
            if not callable(builder):
                raise ConfigError(f"{self.entry.value} is no function")
            return foreign_family(self.name, builder, self.origin)
        except FabricError as error:
            raise ConfigError(f"plugin '{self.name}' of {self.origin} cannot be loaded: {error}") from error


def plugins() -> list[Plugin]:
    """All that is announced, by name and distribution.

    >>> [plugin.name for plugin in plugins() if plugin.name == "torus"]
    []
    """
    found = []
    for entry in entry_points(group=GROUP):
        dist = entry.dist
        found.append(Plugin(entry.name, f"{dist.name} {dist.version}" if dist is not None else entry.value, entry))
    unique = {(plugin.name, plugin.origin, plugin.entry.value): plugin for plugin in found}
    return [unique[key] for key in sorted(unique)]


def plugin_family(name: str) -> Family | None:
    """The family of a plugin of that name; None where there is none, ConfigError where two bring it."""
    named = [plugin for plugin in plugins() if plugin.name == name]
    if len(named) > 1:
        raise ConfigError(
            f"plugins of {' and '.join(plugin.origin for plugin in named)} both bring '{name}'; uninstall one"
        )
    return named[0].family() if named else None


def faults(built_in: Collection[str]) -> dict[tuple[str, str], str]:
    """What is wrong with each plugin that cannot be used, by name and distribution: a name that is taken, code that
    does not load."""
    wrong: dict[tuple[str, str], str] = {}
    every = plugins()
    for plugin in every:
        rivals = [other.origin for other in every if other.name == plugin.name and other.origin != plugin.origin]
        if plugin.name in built_in:
            wrong[plugin.name, plugin.origin] = f"the built-in '{plugin.name}' has that name and is used"
        elif rivals:
            wrong[plugin.name, plugin.origin] = f"{' and '.join(rivals)} brings that name too; uninstall one"
        else:
            try:
                plugin.family()
            except FabricError as error:
                wrong[plugin.name, plugin.origin] = str(error.__cause__ or error)
    return wrong
